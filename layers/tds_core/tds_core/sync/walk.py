"""One pass over an entity's whole list, page by page: every document shows its totals after N/200 calls.

The pass is resumable at a page, and misses no row that moves to another one (`database/passes.py`). What a page shows
is applied as list rows; the details that it misses are left on the backlog, for the drain.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from tds_core.database import runs
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.runs import Cursor, Lease, Run
from tds_core.entities import scans
from tds_core.entities.spec import EntitySpec
from tds_core.errors import (
    DatabaseUnavailable,
    PermitDenied,
    TdsError,
    TokenUnavailable,
    ZohoThrottled,
)
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.cadence import Cadence
from tds_core.sync.lists import ListReader
from tds_core.sync.pages import apply_page
from tds_core.zoho import status
from tds_core.zoho.client import ListPage, UnifiedZohoClient

_log = logging.getLogger(__name__)
_STOPS = (PermitDenied, ZohoThrottled, TokenUnavailable)


class Walk:
    """Walks every scan that asks for it. `remaining_s` tells how long this run may go on."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        mirror: Mirror,
        client: UnifiedZohoClient,
        clock: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._mirror = mirror
        self._lists = ListReader(settings, database=database, client=client)
        self._clock = clock

    def run(self, remaining_s: Callable[[], float]) -> dict[str, int]:
        """Go on with what is under way or due until it is done or the time is up; the next tick continues.

        A failed scan costs no other one its pass, unless the budget says stop: then every call would fare the same.
        A used-up budget is no failure: the next tick goes on. Raises any other error after the last scan; each goes
        on at its page.
        """
        failures: list[TdsError] = []
        with runs.lease(self._database, "walk", duration_s=self._settings.lease_s) as held:
            due = self._due() if held else {}
            if held is None or not due:
                return {}
            self._database.execute("SELECT tds.extend_change_log()")
            with runs.run(self._database, "walk") as current:
                for scan, priority in due.items():
                    try:
                        if not self._walk(scan, priority, held, current, remaining_s):
                            break
                    except TdsError as exc:
                        _log.error("walk failed", extra={"scan": scan, "reason": exc.reason, "detail": str(exc)})
                        failures.append(exc)
                        if not (isinstance(exc, DatabaseUnavailable) or _is_brief(exc)):
                            runs.fail_walk(self._database, scan, error=exc)
                        if isinstance(exc, _STOPS):
                            break
                for failure in failures:
                    if not isinstance(failure, PermitDenied | ZohoThrottled):
                        raise failure
            return current.outcomes

    def _due(self) -> dict[str, Priority]:
        """What is to be walked and what for: a pass under way, a history that was asked for, balances."""
        cursors = runs.cursors(self._database, scans(), at=self._clock())
        day = status.day(self._settings, self._database)
        cadence = Cadence.of(self._settings, day_limit=day.limit, zone=day.zone)
        reasons = {scan: _reason(specs[0], cursors[scan], cadence) for scan, specs in scans().items()}
        return {scan: priority for scan, priority in reasons.items() if priority is not None}

    def _walk(self, scan: str, priority: Priority, held: Lease, current: Run, remaining_s: Callable[[], float]) -> bool:
        """Walk one scan; returns whether its end was reached by this worker."""
        specs = scans()[scan]

        def take(page: ListPage) -> None:
            apply_page(self._mirror, specs, page, run=current, source="walk", priority=priority)

        cursor = runs.cursor(self._database, scan, at=self._clock())
        return self._lists.read(specs, cursor, take, priority=priority, held=held, run=current, remaining_s=remaining_s)


def _is_brief(error: TdsError) -> bool:
    """Whether only this run's time was too short for the next call: the next one goes on, so it is no failure."""
    return isinstance(error, PermitDenied) and error.limit in ("minute", "in_flight")


def _reason(spec: EntitySpec, cursor: Cursor, cadence: Cadence) -> Priority | None:
    """What a walk is due for at any time of the day, as the priority of its pages and of what they request.

    Balances move without a version: their list is walked at its pace, and where a document told that they moved, at
    the pace of business hours even at night. A list that was never walked waits until somebody asks for its history.
    """
    if cursor.walk_page:
        return cursor.walk_priority or Priority.BACKFILL
    if cursor.walk_requested_at:
        return Priority.BACKFILL
    is_touched = cursor.touched_at is not None
    if (
        spec.walk
        and cursor.walked_at
        and cadence.is_due(spec.walk, cursor.walked_at, cursor.now, is_hurried=is_touched)
    ):
        return Priority.POLL
    return None
