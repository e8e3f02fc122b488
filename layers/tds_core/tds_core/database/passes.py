"""One pass of a walk over its list: where it stands, and its steps, each taken by one worker only.

A worker that stalled and wakes after its lease ran out may find that another one has gone on, or has begun the next
pass. So each step compares the pass and its page with what is stored, and takes effect only from where it was read.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tds_core.database.connection import Database
from tds_core.database.runs import Cursor
from tds_core.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass under way: when it began, and the page to read next."""

    scan: str
    started_at: datetime
    page: int


def resume(cursor: Cursor) -> Pass | None:
    """The pass under way, if there is one."""
    if cursor.walk_page is None or cursor.walk_started_at is None:
        return None
    return Pass(scan=cursor.scan, started_at=cursor.walk_started_at, page=cursor.walk_page)


def begin(database: Database, cursor: Cursor, *, priority: Priority) -> Pass | None:
    """Begin at the first page; the pass keeps its priority, whoever goes on with it. None when somebody else did."""
    begun = Pass(scan=cursor.scan, started_at=cursor.now, page=1)
    rows = database.execute(
        """
        UPDATE tds.cursors SET walk_started_at = %s, walk_page = %s, walk_rows = 0, walk_priority = %s
        WHERE scan = %s AND walk_page IS NULL AND walk_started_at IS NOT DISTINCT FROM %s RETURNING scan
        """,
        (begun.started_at, begun.page, int(priority), begun.scan, cursor.walk_started_at),
    )
    return begun if rows else None


def advance(database: Database, walked: Pass, *, rows: int) -> Pass | None:
    """The page is applied; a killed walk goes on at the next one. None when somebody else has gone on."""
    following = replace(walked, page=walked.page + 1)
    moved = database.execute(
        """
        UPDATE tds.cursors SET walk_page = %s, walk_rows = walk_rows + %s
        WHERE scan = %s AND walk_started_at = %s AND walk_page = %s RETURNING scan
        """,
        (following.page, rows, walked.scan, walked.started_at, walked.page),
    )
    return following if moved else None


def end(database: Database, walked: Pass, *, rows: int, overlap: timedelta) -> bool:
    """The last page is applied; False when somebody else has gone on.

    A request or touch that came during the pass stays for the next one. A poll without a cursor will start where the
    pass began, because the pass's first page is that old.
    """
    ended = database.execute(
        """
        UPDATE tds.cursors SET
            walked_at = walk_started_at, walked_rows = walk_rows + %s, walk_page = NULL, walk_rows = NULL,
            walk_priority = NULL, walk_error = NULL,
            changed_since = coalesce(changed_since, walk_started_at - %s),
            walk_requested_at = CASE WHEN walk_requested_at > walk_started_at THEN walk_requested_at END,
            touched_at = CASE WHEN touched_at > walk_started_at THEN touched_at END
        WHERE scan = %s AND walk_started_at = %s AND walk_page = %s RETURNING scan
        """,
        (rows, overlap, walked.scan, walked.started_at, walked.page),
    )
    return bool(ended)
