"""One pass of a walk over its list: where it stands, and its steps, each taken by one worker only.

A record that Zoho deletes while a list is read page by page moves all later rows up by one: read upwards, the first row
of the next page slips onto the page that was read. Read downwards, rows slip only to where they are still to be read,
and new ones come behind the end, so none is missed. Hence a list that is sorted oldest first by the time of creation is
read from its last page down to its first, beginning where the last pass found the end. A first pass knows no end and
goes up; if a deletion became known during it, another pass follows at once.

A worker that stalled and wakes after its lease ran out may find that another one has gone on, or has begun the next
pass. So each step compares the pass and its page with what is stored, and takes effect only from where it was read.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tds_core.database.connection import Database
from tds_core.database.runs import Cursor
from tds_core.entities import scans
from tds_core.entities.spec import EntitySpec
from tds_core.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass under way: when it began, and the page to read next.

    `end` is the list's last page once it was reached; one that `turns` goes down from there to page 1.
    """

    scan: str
    specs: tuple[EntitySpec, ...]
    started_at: datetime
    page: int
    turns: bool
    end: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether no page is left."""
        return self.page == 0

    def after(self, *, rows: int, has_more: bool) -> "Pass":
        """The pass when its page was read."""
        if self.end is None and has_more:
            return replace(self, page=self.page + 1)
        end = self.end or self.page
        if not rows and self.page == end:  # the list has become shorter
            end = max(end - 1, 1)
        return replace(self, page=self.page - 1 if self.turns else 0, end=end)

    def recounts(self, following: "Pass") -> bool:
        """Whether the next pages downwards are read for the second time, so that their rows were counted already."""
        return self.turns and self.end is None and following.end is not None


def resume(cursor: Cursor, specs: tuple[EntitySpec, ...]) -> Pass | None:
    """The pass under way, if there is one; `specs` are the entities that the list shows."""
    if cursor.walk_page is None or cursor.walk_started_at is None:
        return None
    return Pass(
        scan=cursor.scan,
        specs=specs,
        started_at=cursor.walk_started_at,
        page=cursor.walk_page,
        turns=_turns(cursor, specs),
        end=cursor.walk_end,
    )


def begin(database: Database, cursor: Cursor, specs: tuple[EntitySpec, ...], *, priority: Priority) -> Pass | None:
    """Begin a pass; it keeps its priority, whoever goes on with it. None when somebody else has begun one."""
    turns = _turns(cursor, specs)
    page = cursor.walked_pages if turns and cursor.walked_pages else 1
    begun = Pass(scan=cursor.scan, specs=specs, started_at=cursor.now, page=page, turns=turns)
    rows = database.execute(
        """
        UPDATE tds.cursors SET walk_started_at = %s, walk_page = %s, walk_end = NULL, walk_rows = 0, walk_priority = %s
        WHERE scan = %s AND walk_page IS NULL AND walk_started_at IS NOT DISTINCT FROM %s RETURNING scan
        """,
        (begun.started_at, begun.page, int(priority), begun.scan, cursor.walk_started_at),
    )
    return begun if rows else None


def advance(database: Database, walked: Pass, following: Pass, *, rows: int) -> bool:
    """A page is applied; a killed walk goes on at the following one. False when somebody else has gone on."""
    moved = database.execute(
        """
        UPDATE tds.cursors SET walk_page = %s, walk_end = %s, walk_rows = CASE WHEN %s THEN 0 ELSE walk_rows END + %s,
            walk_error = NULL
        WHERE scan = %s AND walk_started_at = %s AND walk_page = %s AND walk_end IS NOT DISTINCT FROM %s RETURNING scan
        """,
        (following.page, following.end, walked.recounts(following), rows, *_place(walked)),
    )
    return bool(moved)


def end(database: Database, walked: Pass, following: Pass, *, rows: int, overlap: timedelta) -> bool:
    """The last page is applied; False when somebody else has gone on.

    A request or touch that came during the pass stays for the next one. A poll without a cursor will start where the
    pass began, because the pass's first page is that old.
    """
    may_have_missed = walked.specs[0].grows_at_its_end and not walked.turns
    ended = database.execute(
        """
        UPDATE tds.cursors SET
            walked_at = walk_started_at, walked_pages = %s,
            walked_rows = CASE WHEN %s THEN 0 ELSE walk_rows END + %s,
            walk_page = NULL, walk_end = NULL, walk_rows = NULL, walk_priority = NULL, walk_error = NULL,
            changed_since = coalesce(changed_since, walk_started_at - %s),
            walk_requested_at = CASE
                WHEN walk_requested_at > walk_started_at THEN walk_requested_at
                WHEN %s AND EXISTS (
                    SELECT FROM tds.tombstones AS t WHERE t.entity = ANY(%s) AND t.deleted_at > walk_started_at
                ) THEN now() END,
            touched_at = CASE WHEN touched_at > walk_started_at THEN touched_at END
        WHERE scan = %s AND walk_started_at = %s AND walk_page = %s AND walk_end IS NOT DISTINCT FROM %s RETURNING scan
        """,
        (
            *(following.end, walked.recounts(following), rows, overlap),
            *(may_have_missed, [spec.name for spec in walked.specs]),
            *_place(walked),
        ),
    )
    return bool(ended)


def reads_history(database: Database) -> bool:
    """Whether a list's history is being read or asked for: its documents come after all rows.

    One whose last page failed counts again once it goes on. A walk for balances is none, and neither is a night's.
    """
    rows = database.execute(
        """
        SELECT coalesce(bool_or(
            CASE WHEN walk_page IS NULL THEN walk_requested_at IS NOT NULL
                ELSE coalesce(walk_priority, %(history)s) = %(history)s END
        ), false) FROM tds.cursors WHERE scan = ANY(%(scans)s) AND walk_error IS NULL
        """,
        {"scans": list(scans()), "history": int(Priority.BACKFILL)},
    )
    is_read: bool = rows[0][0]
    return is_read


def _turns(cursor: Cursor, specs: tuple[EntitySpec, ...]) -> bool:
    return specs[0].grows_at_its_end and cursor.walked_pages is not None


def _place(walked: Pass) -> tuple[str, datetime, int, int | None]:
    return walked.scan, walked.started_at, walked.page, walked.end
