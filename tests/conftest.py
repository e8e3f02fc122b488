"""For all tests: how they are divided among workers, what they measured, and that a busy machine fails no property."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tds", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tds")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of the stack to one worker, at once: there is one stack, and its outages are everybody's.

    Faults and the other server have a stack of their own, so other workers may take them. The other tests go singly to
    whoever is free.
    `--dist loadgroup` would do, but pytest-xdist 3.8 does not group with pytest 9.2 (pytest-xdist issue 1386).
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class StackTogether(LoadScopeScheduling):
        """Units of one test each, but for the stack's."""

        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file in ("tests/stack/test_faults.py", "tests/stack/test_other_server.py"):
                return file
            return "stack" if file.startswith("tests/stack/") else nodeid

    return StackTogether(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests recorded as `figures`: calls, tokens, times."""
    ended = [report for reports in terminalreporter.stats.values() for report in reports if is_end(report)]
    told = [(report.nodeid, text) for report in ended for name, text in report.user_properties if name == "figures"]
    if told:
        terminalreporter.section("figures")
    for node, text in told:
        terminalreporter.write_line(f"{node.rpartition('::')[2]}: {text}")


def is_end(report: Any) -> bool:
    """Whether this is the report of a test's end, which has everything that the test and its fixtures recorded."""
    return getattr(report, "when", "") == "teardown"
