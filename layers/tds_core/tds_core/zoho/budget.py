"""The call budget that every worker shares: minute, in flight, day and circuit, on PostgreSQL's clock.

Each step is one autocommitted statement (the functions of migrations 0002 and 0035), so a killed worker costs nothing
but a slot that runs out after 60 seconds. The rules stand beside the SQL; this module asks, and never waits by itself
longer than it is told to.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from tds_core.entities.spec import Product
from tds_core.errors import PermitDenied, ZohoThrottled
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho.circuit_breaker import Outcome

PERMIT_USE_S = 2.0
DAY_CODE, MINUTE_CODE = 45, 44
_LONGEST_RESET_S = 48 * 3600
_LARGEST_INTEGER = 2**31 - 1

_TAKE = "SELECT denied, wait_s, slot, permit, taken_at FROM tds.take_permit(%s, %s, %s, %s, %s, %s)"
_RETURN = "SELECT tds.return_permit(%s, %s)"
_END = "SELECT tds.end_permit(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


class Executor(Protocol):
    """What the client needs of a database: one autocommitted statement, its rows."""

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The right to one call; `taken_at` is PostgreSQL's clock, `started` this process's before it asked."""

    slot: int
    number: int
    taken_at: datetime
    started: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What the X-Rate-Limit headers say about the day."""

    limit: int
    remaining: int
    reset_s: float

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> Self | None:
        """Read the three headers; None unless all of them make sense."""
        try:
            limit, remaining, reset_s = (
                int(headers[f"X-Rate-Limit-{name}"]) for name in ("Limit", "Remaining", "Reset")
            )
        except (KeyError, ValueError):
            return None
        if not (0 < limit <= _LARGEST_INTEGER and 0 <= remaining <= limit and 0 <= reset_s <= _LONGEST_RESET_S):
            return None
        return cls(limit=limit, remaining=remaining, reset_s=reset_s)


class Budget:
    """Takes and ends permits; thread-safe as far as its database is."""

    def __init__(
        self,
        settings: Settings,
        database: Executor,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._sleep = sleep

    def take(self, product: Product, priority: Priority, *, until: float) -> Permit:
        """Take a permit that is fresh enough to be used now, waiting for it until `until` on this process's clock.

        Raises PermitDenied when the wait would be longer.
        """
        while True:
            try:
                permit = self._take(product, priority)
            except PermitDenied as denied:
                if self._clock() + denied.wait_s > until:
                    raise
                self._sleep(denied.wait_s)
                continue
            if self.is_fresh(permit):
                return permit
            self.give_back(permit)

    def usable_s(self, permit: Permit) -> float:
        """Seconds for which the permit may still be used; negative when it is too old."""
        return PERMIT_USE_S - (self._clock() - permit.started)

    def is_fresh(self, permit: Permit) -> bool:
        """Whether the permit may be used now."""
        return self.usable_s(permit) > 0

    def give_back(self, permit: Permit) -> None:
        """Return a permit that no call was made with."""
        self._database.execute(_RETURN, (permit.slot, permit.number))

    def end(
        self, permit: Permit, *, outcome: Outcome, request: str, quota: Quota | None, throttled: ZohoThrottled | None
    ) -> None:
        """Free the slot, and let everybody know how the call went and what its headers said."""
        settings = self._settings
        self._database.execute(
            _END,
            (
                *(permit.slot, permit.number, outcome, request),
                *(settings.breaker_failures, settings.breaker_requests, settings.breaker_open_s),
                *((quota.limit, quota.remaining, quota.reset_s) if quota else (None, None, None)),
                throttled.retry_after_s if throttled and throttled.code == MINUTE_CODE else 0.0,
                throttled is not None and throttled.code == DAY_CODE,
            ),
        )

    def _take(self, product: Product, priority: Priority) -> Permit:
        settings = self._settings
        started = self._clock()
        row = self._database.execute(
            _TAKE,
            (
                *(product, int(priority), settings.minute_limit, settings.in_flight_limit, settings.day_limit),
                settings.zoho_time_zone,
            ),
        )[0]
        denied, wait_s, slot, number, taken_at = row
        if denied is not None:
            raise PermitDenied(limit=denied, wait_s=wait_s)
        return Permit(slot=slot, number=number, taken_at=taken_at, started=started)
