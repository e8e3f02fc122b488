"""For all tests: how they are divided among workers, and that a busy machine is no failure of a property."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tds", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tds")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of the stack to one worker, at once: there is one stack, and its outages are everybody's.

    The other tests go singly to whoever is free. `--dist loadgroup` would do, but pytest-xdist 3.8 does not group with
    pytest 9.2 (pytest-xdist issue 1386).
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class StackTogether(LoadScopeScheduling):
        """Units of one test each, but for the stack's."""

        def _split_scope(self, nodeid: str) -> str:
            return "stack" if nodeid.startswith("tests/stack/") else nodeid

    return StackTogether(config, log)
