"""What the CLI asks about Zoho's calls: what is left, what holds them back, and to go on after all."""

import logging
from collections.abc import Iterator
from typing import Any

from tds_core.database import operations, reopening
from tds_core.database.connection import Database
from tds_core.database.operations import Operation
from tds_core.plain import plain
from tds_core.settings import Settings
from tds_core.sync.queue import DrainWaker
from tds_core.zoho import status
from tds_core.zoho.status import ZohoStatus

_NAME_LENGTH = 200
_log = logging.getLogger(__name__)


class BudgetCommands:
    """The console's commands about the call budget; neither calls Zoho."""

    def __init__(self, settings: Settings, *, database: Database, waker: DrainWaker) -> None:
        self._settings = settings
        self._database = database
        self._waker = waker

    def show(self) -> dict[str, Any]:
        """Minute, calls in flight, each product's day by priority, circuit, token, and who reopened last."""
        shown: dict[str, Any] = plain(status.read(self._settings, self._database))
        zone = status.day(self._settings, self._database).zone
        return shown | {"reopened": plain(reopening.newest(self._database)), "time_zone": zone}

    def reopen(self, *, operator: str = "") -> dict[str, Any]:
        """Close an open circuit, and begin a day anew that leaves nothing for the history; what waits then goes on.

        Nothing is done, and nothing written down, where nothing holds calls back.
        """
        seen = status.read(self._settings, self._database)
        held = list(_held(seen))
        if not held:
            return {"reopened": []}
        done = Operation(
            operator=operator[:_NAME_LENGTH] or "unknown",
            operation=reopening.OPERATION,
            subject="budget",
            entity=None,
            ids=(),
            reason="; ".join(held),
            trace_id=None,
        )
        with self._database.transaction() as connection:
            reopening.reopen(connection, [day.product for day in seen.days if day.ends_history])
            operations.write(connection, done)
        _log.info("budget reopened", extra={"operator": done.operator, "reason": done.reason})
        for mode in ("poll", "walk", "drain"):
            self._waker.start(mode)
        return {"reopened": held}


def _held(seen: ZohoStatus) -> Iterator[str]:
    """What holds calls back, in words that stay in tds.operations."""
    if seen.circuit != "closed":
        yield f"circuit {seen.circuit} after {seen.circuit_failures} failures"
    for day in seen.days:
        if day.ends_history:
            closed = "closed by Zoho" if day.is_closed else "open"
            yield f"{day.product}: {day.remaining} of {day.limit} calls left, {closed}, {sum(day.used)} of them ours"
