"""One pass over an entity's whole list, page by page: every document shows its totals after N/200 calls.

The pass is resumable at a page. What a page shows is applied as list rows; the details that it misses are left on the
backlog, for the drain.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from tds_core.database import runs
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.runs import Cursor, Lease, Run
from tds_core.entities import scans
from tds_core.errors import PermitDenied, TdsError, TokenUnavailable, ZohoThrottled
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.pages import apply_page
from tds_core.zoho.client import UnifiedZohoClient

_log = logging.getLogger(__name__)
_STOPS = (PermitDenied, ZohoThrottled, TokenUnavailable)


class Walk:
    """Walks every scan that asks for it. `remaining_s` tells how long this run may go on."""

    def __init__(self, settings: Settings, *, database: Database, mirror: Mirror, client: UnifiedZohoClient) -> None:
        self._settings = settings
        self._database = database
        self._mirror = mirror
        self._client = client

    def run(self, remaining_s: Callable[[], float]) -> dict[str, int]:
        """Go on with what is under way or due until it is done or the time is up; the next tick continues.

        A failed scan costs no other one its pass, unless the budget says stop: then every call would fare the same.
        Raises the first scan's error after the last scan; each goes on at its page.
        """
        failures: list[TdsError] = []
        with runs.lease(self._database, "walk", duration_s=self._settings.lease_s) as held:
            due = self._due() if held else []
            if held is None or not due:
                return {}
            self._database.execute("SELECT tds.extend_change_log()")
            with runs.run(self._database, "walk") as current:
                for scan in due:
                    try:
                        if not self._walk(scan, held, current, remaining_s):
                            break
                    except TdsError as exc:
                        _log.error("walk failed", extra={"scan": scan, "reason": exc.reason, "detail": str(exc)})
                        failures.append(exc)
                        if isinstance(exc, _STOPS):
                            break
                if failures:
                    raise failures[0]
            return current.outcomes

    def _due(self) -> list[str]:
        cursors = [runs.cursor(self._database, scan) for scan in scans()]
        return [cursor.scan for cursor in cursors if self._is_due(cursor)]

    def _is_due(self, cursor: Cursor) -> bool:
        """Under way, asked for, or touched and not walked for a while (contact balances move without a version)."""
        interval = timedelta(seconds=self._settings.contacts_walk_interval_s)
        rested = cursor.walked_at is None or cursor.now - cursor.walked_at >= interval
        return bool(cursor.walk_page or cursor.walk_requested_at or (cursor.touched_at and rested))

    def _walk(self, scan: str, held: Lease, current: Run, remaining_s: Callable[[], float]) -> bool:
        """Walk one scan; returns whether its end was reached."""
        specs = scans()[scan]
        cursor = runs.cursor(self._database, scan)
        number = cursor.walk_page or 1
        if cursor.walk_page is None:
            runs.start_walk(self._database, scan)
        order = {"sort_column": specs[0].walk_sort, "sort_order": "A"} if specs[0].walk_sort else {}
        while held.beat() and remaining_s() > 0:
            page = self._client.list_page(
                specs[0], page=number, priority=Priority.BACKFILL, parameters=order, permit_wait_s=remaining_s()
            )
            current.zoho_calls += 1
            apply_page(self._mirror, specs, page, run=current, source="walk", priority=Priority.BACKFILL)
            number += 1
            runs.advance_walk(self._database, scan, page=number, rows=len(page.rows))
            if not page.has_more:
                runs.end_walk(self._database, scan, overlap=timedelta(seconds=self._settings.overlap_s))
                _log.info("walk complete", extra={"scan": scan, "pages": number - 1})
                return True
        return False
