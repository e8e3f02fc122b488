"""Zoho's call limits, and the counts by which a test sees whether somebody kept them."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from cli.local.zoho_simulator import clock
from cli.local.zoho_simulator.options import Limits, Quirks

MINUTE_S = 60.0


class Window:
    """Counts what happened in the last `seconds`, and the most that ever did."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()
        self.most = 0

    def add(self, now: float) -> None:
        """Count one more."""
        self._times.append(now)
        self.most = max(self.most, self.count(now))

    def count(self, now: float) -> int:
        """How many lie in the window that ends now."""
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        return len(self._times)

    def frees_in(self, now: float) -> float:
        """Seconds until the oldest leaves the window."""
        return max(0.0, self._times[0] + self._seconds - now) if self._times else 0.0


class Stats:
    """Calls since the last reset."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self.arrived = Window(MINUTE_S)
        self.admitted = Window(MINUTE_S)
        self.max_in_flight = 0
        self.mints = 0
        self.mints_refused = 0

    def shown(self) -> dict[str, Any]:
        """As the control interface tells it."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "total_calls": self.calls.total(),
            "refused": {str(code): count for code, count in sorted(self.refused.items())},
            "statuses": {str(status): count for status, count in sorted(self.answered.items())},
            "max_calls_in_60_s": self.arrived.most,
            "max_admitted_in_60_s": self.admitted.most,
            "max_in_flight": self.max_in_flight,
            "mints": self.mints,
            "mints_refused": self.mints_refused,
        }


class CallLimits:
    """Admits or refuses calls: a sliding minute, calls in flight, and the organisation's day."""

    def __init__(self, limits: Limits, quirks: Quirks, now: clock.Now) -> None:
        self.limits = limits
        self.stats = Stats()
        self.in_flight = 0
        self._quirks = quirks
        self._now = now
        self._minute = Window(MINUTE_S)
        self._day = 0
        self._used: Counter[str] = Counter()

    def admit(self, product: str) -> int:
        """0, or the code with which Zoho refuses the call; an admitted call must be finished."""
        now = self._now()
        self.stats.arrived.add(now)
        used, limits = self._used_today(product, now), self.limits
        per_day = self.per_day(product)
        if per_day is not None and used >= per_day:
            return 45
        if limits.per_minute is not None and self._minute.count(now) >= limits.per_minute:
            return 44
        if limits.in_flight is not None and self.in_flight >= limits.in_flight:
            return 1070
        self._used[self._counter(product)] += 1
        self._minute.add(now)
        self.stats.admitted.add(now)
        self.in_flight += 1
        self.stats.max_in_flight = max(self.stats.max_in_flight, self.in_flight)
        return 0

    def finish(self) -> None:
        """An admitted call has been answered."""
        self.in_flight -= 1

    def per_day(self, product: str) -> int | None:
        """The day's quota; Inventory may have one of its own."""
        own = self._quirks.inventory_per_day
        return own if own and product == "inventory" else self.limits.per_day

    def headers(self, product: str) -> dict[str, str]:
        """The day's quota, as every answer tells it."""
        now = self._now()
        per_day = self.per_day(product)
        limit = per_day if per_day is not None else 1_000_000
        return {
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(max(0, limit - self._used_today(product, now))),
            "X-Rate-Limit-Reset": str(clock.seconds_to_midnight(now)),
        }

    def retry_after_s(self) -> int:
        """Seconds until a call would be admitted again, for the header that only some have seen."""
        return int(self._minute.frees_in(self._now())) + 1

    def spend_day(self, product: str, calls: int) -> None:
        """Count calls that somebody else's integration made."""
        self._used_today(product, self._now())
        self._used[self._counter(product)] += calls

    def forget(self) -> None:
        """Begin a new minute and a new day."""
        self._minute = Window(MINUTE_S)
        self._used.clear()

    def _counter(self, product: str) -> str:
        return product if self._quirks.separate_day_counters else "organisation"

    def _used_today(self, product: str, now: float) -> int:
        day = clock.day_number(now)
        if day != self._day:
            self._day = day
            self._used.clear()
        return self._used[self._counter(product)]
