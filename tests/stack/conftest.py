"""One deployed stack for the session: small company, short waits, no schedules; it ends with the tests."""

from collections.abc import Iterator

import pytest

from cli.local.stack import Wish
from cli.local.state import StateDirectory
from tests.stack.running import Stack, deployed

PARAMETERS = {
    "AnnouncedWithinS": "5",
    "BackoffBaseS": "1",
    "BreakerOpenS": "2",
    "CallDeadlineS": "8",
    "ContactsWalkIntervalS": "5",
    "LagRetryS": "1",
    "LeaseS": "20",
    "MessageLimitBytes": "400000",
    "OverlapS": "60",
    "ProcessorTimeoutS": "20",
    "RedriveBaseS": "2",
    "QueueVisibilityS": "20",
    "RippleHoldS": "1",
    "VisibilityBaseS": "1",
    "VisibilityLimitS": "4",
    "WorkS": "20",
}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A healthy stack."""
    wish = Wish(minute_limit=6_000, in_flight_limit=10, schedules=False, fresh=True, parameters=PARAMETERS)
    with deployed(StateDirectory(tmp_path_factory.mktemp("stack")), wish) as running:
        yield running
