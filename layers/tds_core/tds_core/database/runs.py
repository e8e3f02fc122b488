"""Runs, leases and cursors: who is at work, what each run did, and how far change detection has come."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from tds_core.database.connection import Database
from tds_core.errors import TdsError
from tds_core.priority import Priority


@dataclass(slots=True, kw_only=True)
class Run:
    """What one poll, walk or drain did; `zoho_calls` and `outcomes` are counted while it works."""

    run_id: int
    zoho_calls: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def add(self, entity: str, outcomes: dict[str, int]) -> None:
        """Count outcomes of an entity."""
        for outcome, count in outcomes.items():
            key = f"{entity}.{outcome}"
            self.outcomes[key] = self.outcomes.get(key, 0) + count


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A mode that this worker alone runs."""

    database: Database
    name: str
    holder: str
    duration_s: float

    def beat(self) -> bool:
        """Hold on for another while; False when the lease was lost, and work must stop."""
        rows = self.database.execute(
            "UPDATE tds.leases SET until = now() + %s WHERE name = %s AND holder = %s RETURNING name",
            (timedelta(seconds=self.duration_s), self.name, self.holder),
        )
        return bool(rows)


@contextmanager
def lease(database: Database, name: str, *, duration_s: float) -> Iterator[Lease | None]:
    """Hold a name against other workers; yields None when somebody else holds it."""
    held = Lease(database=database, name=name, holder=str(uuid4()), duration_s=duration_s)
    rows = database.execute(
        """
        INSERT INTO tds.leases AS l (name, holder, until) VALUES (%(name)s, %(holder)s, now() + %(duration)s)
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.until < now()
        RETURNING name
        """,
        {"name": name, "holder": held.holder, "duration": timedelta(seconds=duration_s)},
    )
    if not rows:
        yield None
        return
    try:
        yield held
    finally:
        database.execute("DELETE FROM tds.leases WHERE name = %s AND holder = %s", (name, held.holder))


@contextmanager
def run(database: Database, mode: str) -> Iterator[Run]:
    """Record a run from its start to its end, also one that failed; a killed one keeps no end."""
    rows = database.execute("INSERT INTO tds.runs (mode) VALUES (%s) RETURNING run_id", (mode,))
    current = Run(run_id=rows[0][0])
    try:
        yield current
    except TdsError as exc:
        _end(database, current, error=f"{exc.reason}: {exc}")
        raise
    else:
        _end(database, current, error=None)


def _end(database: Database, current: Run, *, error: str | None) -> None:
    """Keep what the run did; one that found nothing to do is not worth a row."""
    if not (current.zoho_calls or current.outcomes or error):
        database.execute("DELETE FROM tds.runs WHERE run_id = %s", (current.run_id,))
        return
    database.execute(
        "UPDATE tds.runs SET ended_at = now(), zoho_calls = %s, outcomes = %s, error = %s WHERE run_id = %s",
        (current.zoho_calls, Jsonb(current.outcomes), error, current.run_id),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one scan has come; `now` is the time by which what is due is decided."""

    scan: str
    now: datetime
    changed_since: datetime | None
    polled_at: datetime | None
    poll_retry_at: datetime | None
    refetched_at: datetime | None
    touched_at: datetime | None
    walk_requested_at: datetime | None
    walk_started_at: datetime | None
    walk_page: int | None
    walk_end: int | None
    walk_priority: Priority | None
    walked_at: datetime | None
    walked_pages: int | None
    walked_rows: int


def cursors(database: Database, scans: Collection[str], *, at: datetime | None = None) -> dict[str, Cursor]:
    """The scans' cursors, made when they are not there yet, at the database's time or the given one."""
    query = """
        SELECT scan, coalesce(%s, now()), changed_since, polled_at, poll_retry_at, refetched_at, touched_at,
            walk_requested_at, walk_started_at, walk_page, walk_end, walk_priority, walked_at, walked_pages,
            coalesce(walked_rows, 0)
        FROM tds.cursors WHERE scan = ANY(%s)
        """
    rows = database.execute(query, (at, list(scans)))
    if len(rows) < len(scans):
        database.execute(
            "INSERT INTO tds.cursors (scan) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (list(scans),)
        )
        rows = database.execute(query, (at, list(scans)))
    found = {row[0]: _cursor(row) for row in rows}
    return {scan: found[scan] for scan in scans}


def cursor(database: Database, scan: str, *, at: datetime | None = None) -> Cursor:
    """One scan's cursor."""
    return cursors(database, [scan], at=at)[scan]


def _cursor(row: tuple[Any, ...]) -> Cursor:
    scan, now, since, polled, retry, refetched, touched, requested, started, *walk = row
    page, end, priority, walked, walked_pages, walked_rows = walk
    return Cursor(
        scan=scan,
        now=now,
        changed_since=since,
        polled_at=polled,
        poll_retry_at=retry,
        refetched_at=refetched,
        touched_at=touched,
        walk_requested_at=requested,
        walk_started_at=started,
        walk_page=page,
        walk_end=end,
        walk_priority=None if priority is None else Priority(priority),
        walked_at=walked,
        walked_pages=walked_pages,
        walked_rows=walked_rows,
    )


def store_poll(database: Database, scan: str, *, changed_since: datetime, polled_at: datetime) -> None:
    """A round is over: the next one starts from here."""
    database.execute(
        """
        UPDATE tds.cursors SET changed_since = %s, polled_at = %s, poll_retry_at = NULL, poll_error = NULL
        WHERE scan = %s
        """,
        (changed_since, polled_at, scan),
    )


def fail_poll(database: Database, scan: str, *, error: TdsError, retry_at: datetime) -> None:
    """A round failed: people see why, and the next one starts from where this one did."""
    database.execute(
        "UPDATE tds.cursors SET poll_error = %s, poll_retry_at = %s WHERE scan = %s",
        (f"{error.reason}: {error}", retry_at, scan),
    )


def store_refetch(connection: Connection, scan: str, *, at: datetime) -> None:
    """The scan's documents were asked for anew, in the caller's transaction."""
    connection.execute("UPDATE tds.cursors SET refetched_at = %s WHERE scan = %s", (at, scan))


def request_walk(database: Database, scan: str) -> None:
    """Ask for a whole pass over the list; one that is under way starts over only when it has ended."""
    database.execute(
        """
        INSERT INTO tds.cursors (scan, walk_requested_at) VALUES (%s, now())
        ON CONFLICT (scan) DO UPDATE SET walk_requested_at = now()
        """,
        (scan,),
    )


def request_walk_since(database: Database, scan: str, *, since: datetime) -> bool:
    """Ask for a whole pass unless one began after `since`, or began within a day; returns whether it was asked for.

    At most one a day, however much gives rise to it. A list that was never walked is left alone: its history begins
    when somebody asks for it, and until then polls find what changes.
    """
    rows = database.execute(
        """
        UPDATE tds.cursors SET walk_requested_at = now()
        WHERE scan = %s AND walked_at IS NOT NULL AND walk_requested_at IS NULL
            AND greatest(walked_at, walk_started_at) < least(%s, now() - interval '1 day')
        RETURNING scan
        """,
        (scan, since),
    )
    return bool(rows)


def fail_walk(database: Database, scan: str, *, error: TdsError) -> None:
    """A page failed: people see why, and the pass goes on there."""
    database.execute("UPDATE tds.cursors SET walk_error = %s WHERE scan = %s", (f"{error.reason}: {error}", scan))
