"""One deployed stack for the session: small company, short waits, no schedules; it ends with the tests."""

from collections.abc import Iterator

import pytest

from cli.deployment import Deployment
from cli.local.deploy import Cloud
from cli.local.stack import LocalStack, Wish
from cli.local.state import StateDirectory
from tests.stack.running import Stack

PARAMETERS = {
    "BackoffBaseS": "1",
    "BreakerOpenS": "2",
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
    directory = StateDirectory(tmp_path_factory.mktemp("stack"))
    local = LocalStack(directory)
    wish = Wish(minute_limit=6_000, in_flight_limit=10, schedules=False, fresh=True, parameters=PARAMETERS)
    try:
        state = local.up(wish, tethered=True)
        yield Stack(
            local=local,
            state=state,
            deployment=Deployment(stack=state.stack_name, region=state.region, local=state),
            cloud=Cloud(endpoint_url=state.aws_endpoint_url, state=directory),
        )
    finally:
        local.down()
        directory.remove_data()
