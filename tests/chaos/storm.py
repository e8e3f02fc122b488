"""Carries a plan out on a running stack, whose functions are woken meanwhile as their schedules would wake them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cli.failure import CommandFailed
from tests.chaos.plan import MIX, Step
from tests.stack.comparison import FAIR_WEATHER, crash_database, is_answering, kill_functions
from tests.stack.running import Stack, wait_for

WEATHER = FAIR_WEATHER | {"loss": 0.2, "duplication": 0.2, "reordering": 0.2, "reorder_s": 2, "concurrency": 3}
TICK_S, POLL_S = 2.0, 10.0
_OLD_TOKEN = "UPDATE tds.oauth_token SET minted_at = minted_at - interval '6 minutes'"
_MINTED = "SELECT cardinality(mints) FROM tds.oauth_token"


class Storm:
    """One run; `report` hears of each step."""

    def __init__(self, stack: Stack, report: Callable[[str], None]) -> None:
        self._stack = stack
        self._report = report
        self._polled = time.monotonic()
        self._deeds: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "work": self._work,
            "fault": lambda detail: self._zoho("POST", "/faults", dict(detail)),
            "token": self._revoke,
            "functions": self._kill,
            "crash": self._crash,
            "outage": self._outage,
        }

    def run(self, steps: Sequence[Step], *, seconds: float) -> None:
        """Do every step at its time, and nothing until the end of the run."""
        self._zoho("PUT", "/webhooks", WEATHER)
        started = time.monotonic()
        for step in steps:
            self._wait(started + step.at_s)
            self._report(str(step))
            self._deeds[step.deed](step.detail)
        self._wait(started + seconds)

    def _wait(self, until: float) -> None:
        """Let time pass; the schedules' ticks go on."""
        while (left_s := until - time.monotonic()) > 0:
            self._stack.tick()
            if time.monotonic() - self._polled > POLL_S:
                self._polled = time.monotonic()
                with suppress(CommandFailed):  # without PostgreSQL it is a missed tick
                    self._stack.deployment.ask("poll", {})
            time.sleep(max(0.0, min(TICK_S, left_s)))

    def _work(self, detail: Mapping[str, Any]) -> None:
        if not self._zoho("GET", "/activity")["running"]:
            self._zoho("POST", "/activity", {**detail, "mix": MIX})

    def _kill(self, detail: Mapping[str, Any]) -> None:
        kill_functions(self._stack, detail["function"])

    def _revoke(self, _: Mapping[str, Any]) -> None:
        """Revoke the token, as old as one must be to be replaced; not so often that nobody would mint any more."""
        if self._stack.query(_MINTED)[0][0] < 5:
            self._stack.query(_OLD_TOKEN)
            self._zoho("DELETE", "/tokens")

    def _crash(self, _: Mapping[str, Any]) -> None:
        crash_database(self._stack)
        self._until_answering()

    def _outage(self, detail: Mapping[str, Any]) -> None:
        self._stack.local.stop_database()
        try:
            time.sleep(detail["seconds"])
        finally:
            self._stack.local.start_database()
        self._until_answering()

    def _until_answering(self) -> None:
        wait_for(lambda: is_answering(self._stack), "PostgreSQL does not come back", timeout_s=60)

    def _zoho(self, method: str, path: str, body: Any = None) -> Any:
        return self._stack.zoho(method, path, body)
