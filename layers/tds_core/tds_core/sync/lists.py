"""Read a whole list page by page, resumable at a page: what walks and verification have in common."""

import logging
from collections.abc import Callable
from datetime import timedelta

from tds_core.database import passes
from tds_core.database.connection import Database
from tds_core.database.runs import Cursor, Lease, Run
from tds_core.entities.spec import EntitySpec
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho.client import ListPage, UnifiedZohoClient

_log = logging.getLogger(__name__)


class ListReader:
    """Goes on with a pass or begins one, for as long as its lease and its time last."""

    def __init__(self, settings: Settings, *, database: Database, client: UnifiedZohoClient) -> None:
        self._overlap = timedelta(seconds=settings.overlap_s)
        self._database = database
        self._client = client

    def read(
        self,
        specs: tuple[EntitySpec, ...],
        cursor: Cursor,
        take: Callable[[ListPage], None],
        *,
        priority: Priority,
        held: Lease,
        run: Run,
        remaining_s: Callable[[], float],
    ) -> bool:
        """Hand every page to `take`, which may see one twice; returns whether this worker reached the pass's end."""
        walked = passes.resume(cursor, specs) or passes.begin(self._database, cursor, specs, priority=priority)
        order = {"sort_column": specs[0].walk_sort, "sort_order": "A"} if specs[0].walk_sort else {}
        while walked is not None and held.beat() and remaining_s() > 0:
            page = self._client.list_page(
                specs[0], page=walked.page, priority=priority, parameters=order, permit_wait_s=remaining_s()
            )
            run.zoho_calls += 1
            take(page)
            rows = len(page.rows)
            following = walked.after(rows=rows, has_more=page.has_more)
            if following.is_over:
                is_ended = passes.end(self._database, walked, following, rows=rows, overlap=self._overlap)
                _log.info("pass over", extra={"scan": cursor.scan, "pages": following.end, "complete": is_ended})
                return is_ended
            walked = following if passes.advance(self._database, walked, following, rows=rows) else None
        return False
