"""Runs, leases and cursors: who is at work, what each run did, and how far change detection has come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from psycopg.types.json import Jsonb

from tds_core.database.connection import Database
from tds_core.errors import TdsError


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
    """How far one scan has come."""

    scan: str
    now: datetime
    changed_since: datetime | None
    polled_at: datetime | None
    touched_at: datetime | None
    walk_requested_at: datetime | None
    walk_started_at: datetime | None
    walk_page: int | None
    walked_at: datetime | None


def cursor(database: Database, scan: str) -> Cursor:
    """The scan's cursor with the database's time, made when it is not there yet."""
    database.execute("INSERT INTO tds.cursors (scan) VALUES (%s) ON CONFLICT DO NOTHING", (scan,))
    rows = database.execute(
        """
        SELECT now(), changed_since, polled_at, touched_at, walk_requested_at, walk_started_at, walk_page, walked_at
        FROM tds.cursors WHERE scan = %s
        """,
        (scan,),
    )
    now, since, polled, touched, requested, started, page, walked = rows[0]
    return Cursor(
        scan=scan,
        now=now,
        changed_since=since,
        polled_at=polled,
        touched_at=touched,
        walk_requested_at=requested,
        walk_started_at=started,
        walk_page=page,
        walked_at=walked,
    )


def store_poll(database: Database, scan: str, *, changed_since: datetime, polled_at: datetime) -> None:
    """A round is over: the next one starts from here."""
    database.execute(
        "UPDATE tds.cursors SET changed_since = %s, polled_at = %s WHERE scan = %s", (changed_since, polled_at, scan)
    )


def request_walk(database: Database, scan: str) -> None:
    """Ask for a whole pass over the list; one that is under way starts over only when it has ended."""
    database.execute(
        """
        INSERT INTO tds.cursors (scan, walk_requested_at) VALUES (%s, now())
        ON CONFLICT (scan) DO UPDATE SET walk_requested_at = now()
        """,
        (scan,),
    )


def start_walk(database: Database, scan: str) -> None:
    """A pass begins at its first page."""
    database.execute(
        "UPDATE tds.cursors SET walk_started_at = now(), walk_page = 1, walk_rows = 0 WHERE scan = %s", (scan,)
    )


def advance_walk(database: Database, scan: str, *, page: int, rows: int) -> None:
    """A page is applied; a killed walk goes on at the next one."""
    database.execute(
        "UPDATE tds.cursors SET walk_page = %s, walk_rows = walk_rows + %s WHERE scan = %s", (page, rows, scan)
    )


def end_walk(database: Database, scan: str, *, overlap: timedelta) -> None:
    """The list's end was reached. A request or touch that came during the pass stays for the next one.

    A poll without a cursor will start where the pass began, because the pass's first page is that old.
    """
    database.execute(
        """
        UPDATE tds.cursors SET
            walked_at = walk_started_at, walked_rows = walk_rows, walk_page = NULL, walk_rows = NULL,
            changed_since = coalesce(changed_since, walk_started_at - %s),
            walk_requested_at = CASE WHEN walk_requested_at > walk_started_at THEN walk_requested_at END,
            touched_at = CASE WHEN touched_at > walk_started_at THEN touched_at END
        WHERE scan = %s
        """,
        (overlap, scan),
    )
