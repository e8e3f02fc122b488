"""Stay with work that the functions do: look about once a second, and wake them where no schedule does."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.failure import CommandFailed, ExitCode
from cli.progress import Meter, Snapshot

Ask = Callable[[str, Mapping[str, Any]], Any]
Show = Callable[[Snapshot], None]

_LOOK_S = 1.0
_LONGEST_WAKE_S = 30.0
_POLL_AGAIN_S = 5.0


class FollowTimeout(CommandFailed):
    """What is followed did not end in the time given; it goes on by itself."""

    def __init__(self, timeout_s: float, left: Iterable[str] = ()) -> None:
        why = "; ".join(["it goes on by itself", *left])
        super().__init__(f"not done within {timeout_s:.0f} s; {why}", ExitCode.NOT_OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRun:
    """How a round of polling ended; `error` is None for a good one."""

    zoho_calls: int
    error: str | None


class Follower:
    """Follows walks, drains and polls through the console; clock and sleep are arguments for the tests."""

    def __init__(
        self,
        ask: Ask,
        *,
        timeout_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._sleep = sleep
        self._timeout_s = timeout_s
        self._started_s = clock()

    def until_over(self, show: Show, *, entities: Collection[str] = (), scans: Collection[str] = ()) -> Snapshot:
        """Wait until the walks of these scans are done and nothing of these entities is left but what was parked.

        Raises FollowTimeout.
        """
        meter, alarm = Meter(), _Alarm(self._clock())
        while True:
            status = self._ask("status", {})
            snapshot = meter.read(status, now_s=self._clock(), entities=entities, scans=scans)
            show(snapshot)
            if snapshot.is_over:
                return snapshot
            if modes := alarm.modes(snapshot, self._clock()):
                self._ask("wake", {"modes": modes})
            self._pause(f"left: {snapshot.left}", *snapshot.waits)

    def poll(self) -> PollRun:
        """Start a round of polling and wait for its end.

        A round of a schedule that is at work already may leave out lists that are not due, so another is asked for
        after it. Raises FollowTimeout.
        """
        known = {run["started_at"] for run in _polls(self._ask("status", {}))}
        self._ask("poll", {})
        asked_s = self._clock()
        while True:
            self._pause()
            status = self._ask("status", {})
            is_working = "poll" in status["working"]
            new = [run for run in _polls(status) if run["started_at"] not in known]
            if new and not is_working:
                return _outcome(new[0])
            if not is_working and self._clock() - asked_s >= _POLL_AGAIN_S:
                self._ask("poll", {})
                asked_s = self._clock()

    def _pause(self, *left: str) -> None:
        if self._timeout_s is not None and self._clock() - self._started_s >= self._timeout_s:
            raise FollowTimeout(self._timeout_s, left)
        self._sleep(_LOOK_S)


class _Alarm:
    """Wakes idle modes, ever more rarely while that moves nothing (no budget, circuit open)."""

    def __init__(self, now_s: float) -> None:
        self._position: tuple[int, ...] | None = None
        self._wait_s = _LOOK_S
        self._next_s = now_s + _LOOK_S

    def modes(self, snapshot: Snapshot, now_s: float) -> list[str]:
        """The modes to wake now."""
        if snapshot.position != self._position:
            self._next_s = now_s if self._position else self._next_s
            self._position, self._wait_s = snapshot.position, _LOOK_S
        if not snapshot.idle_modes or now_s < self._next_s:
            return []
        self._next_s = now_s + self._wait_s
        self._wait_s = min(self._wait_s * 2, _LONGEST_WAKE_S)
        return list(snapshot.idle_modes)


def _polls(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The newest rounds of polling, newest first."""
    return [run for run in status["runs"] if run["mode"] == "poll"]


def _outcome(run: Mapping[str, Any]) -> PollRun:
    cut_off = None if run["ended_at"] else "the poll was cut off before its end"
    return PollRun(zoho_calls=run["zoho_calls"], error=run["error"] or cut_off)
