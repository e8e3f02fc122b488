"""One small organisation per test."""

from collections.abc import Iterator

import pytest

from tests.zoho_caller import Caller, simulated


@pytest.fixture
def zoho() -> Iterator[Caller]:
    """A small organisation without call limits but the day's."""
    with simulated() as caller:
        yield caller
