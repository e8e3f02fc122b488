"""The runs of verification: asked for, gone on with by whoever holds the lease, and kept with their reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.types.json import Json, Jsonb

from tds_core.database.connection import Database
from tds_core.database.runs import Cursor
from tds_core.entities.spec import ROWS_PER_PAGE

Cause = Literal["night", "manual"]
Phase = Literal["lists", "local", "oldest", "confirm", "images", "report"]
PHASES: tuple[Phase, ...] = ("lists", "local", "oldest", "confirm", "images", "report")
_KEPT_DAYS, _DRIFT_DAYS = 400, 90
_ABSENT_SHARE, _DAY_LIMIT = 0.05, 1_000
_PREFIX = "verification:"
_COLUMNS = sql.SQL("run_id, cause, entities, heal, started_at, phase, phase_at, place, zoho_calls")
_SHOWN = (
    *("run_id", "cause", "entities", "heal", "requested_at", "started_at", "ended_at", "phase", "place"),
    *("zoho_calls", "error", "report"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A run under way; `place` is how far its phase has come, and what was counted on the way."""

    run_id: int
    cause: Cause
    entities: Sequence[str]
    heal: bool
    started_at: datetime
    phase: Phase
    phase_at: datetime
    place: Mapping[str, Any]
    zoho_calls: int


def request(database: Database, entities: Sequence[str], *, cause: Cause, heal: bool) -> int:
    """Ask for a run now and return its number; one that was asked for alike and has not begun serves, too."""
    rows = database.execute(
        """
        WITH waiting AS (
            UPDATE tds.verifications SET requested_at = least(requested_at, clock_timestamp()) WHERE run_id = (
                SELECT run_id FROM tds.verifications
                WHERE started_at IS NULL AND ended_at IS NULL AND cause = %(cause)s AND entities = %(entities)s
                    AND heal = %(heal)s
                LIMIT 1
            ) RETURNING run_id
        ), asked AS (
            INSERT INTO tds.verifications (cause, entities, heal)
            SELECT %(cause)s, %(entities)s, %(heal)s WHERE NOT EXISTS (SELECT FROM waiting) RETURNING run_id
        )
        SELECT run_id FROM waiting UNION ALL SELECT run_id FROM asked
        """,
        {"cause": cause, "entities": list(entities), "heal": heal},
    )
    return int(rows[0][0])


def request_absent(database: Database, entities: Sequence[str], *, scan: str) -> None:
    """Ask for a run that finds what a list shows no more; one that covers these entities and has not begun serves, too.

    It begins as long after the last one as keeps such runs within a share of the day's calls. A list that was never
    walked is left alone: its history begins when somebody asks for it.
    """
    with database.transaction() as connection:
        connection.execute("LOCK TABLE tds.verifications IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(
            """
            INSERT INTO tds.verifications (cause, entities, heal, requested_at)
            SELECT 'manual', %(entities)s, true, greatest(clock_timestamp(), (
                SELECT max(v.started_at) FROM tds.verifications AS v WHERE v.heal AND v.entities @> %(entities)s
            ) + interval '1 day' * ceil(greatest(c.walked_rows, 1) / %(rows_per_page)s) / (%(share)s * coalesce(
                (SELECT min(b.day_limit) FROM tds.api_budget AS b), %(day_limit)s)))
            FROM tds.cursors AS c WHERE c.scan = %(scan)s AND c.walked_at IS NOT NULL AND NOT EXISTS (
                SELECT FROM tds.verifications AS v
                WHERE v.started_at IS NULL AND v.ended_at IS NULL AND v.heal AND v.entities @> %(entities)s)
            """,
            {
                "entities": list(entities),
                "scan": scan,
                "rows_per_page": float(ROWS_PER_PAGE),
                "share": _ABSENT_SHARE,
                "day_limit": _DAY_LIMIT,
            },
        )


def is_open(database: Database, *, cause: Cause) -> bool:
    """Whether such a run waits or is under way."""
    query = "SELECT EXISTS (SELECT FROM tds.verifications WHERE ended_at IS NULL AND cause = %s)"
    return bool(database.execute(query, (cause,))[0][0])


def current(database: Database, *, at: datetime | None = None) -> Verification | None:
    """The run under way, else the oldest whose time has come, begun now, or at the given time; None without one."""
    rows = database.execute(
        sql.SQL(
            """
        UPDATE tds.verifications SET
            started_at = coalesce(started_at, %(at)s, clock_timestamp()),
            phase_at = coalesce(phase_at, %(at)s, clock_timestamp())
        WHERE run_id = (
            SELECT run_id FROM tds.verifications
            WHERE ended_at IS NULL AND (started_at IS NOT NULL OR requested_at <= clock_timestamp())
            ORDER BY started_at IS NULL, run_id LIMIT 1
        ) RETURNING {}
        """
        ).format(_COLUMNS),
        {"at": at},
    )
    return _verification(rows[0]) if rows else None


def move(
    connection: Connection,
    run: Verification,
    *,
    place: Mapping[str, Any],
    phase: Phase | None = None,
) -> Verification | None:
    """A step is done; a killed run goes on behind it. None when somebody else has gone on.

    In the caller's transaction, so that a step and its effect are one.
    """
    rows = connection.execute(
        sql.SQL(
            """
        UPDATE tds.verifications SET place = %s, phase = %s,
            phase_at = CASE WHEN phase = %s THEN phase_at ELSE clock_timestamp() END
        WHERE run_id = %s AND ended_at IS NULL AND phase = %s AND place = %s RETURNING {}
        """
        ).format(_COLUMNS),
        (Jsonb(place), phase or run.phase, phase or run.phase, run.run_id, run.phase, Jsonb(run.place)),
    ).fetchall()
    return _verification(rows[0]) if rows else None


def count_calls(database: Database, run_id: int, calls: int) -> None:
    """Add calls to Zoho to the run's; it goes on, so it has no error for now."""
    database.execute(
        "UPDATE tds.verifications SET zoho_calls = zoho_calls + %s, error = NULL WHERE run_id = %s", (calls, run_id)
    )


def fail(database: Database, run_id: int, *, error: str) -> None:
    """The last step failed; people see why, and the next tick tries it again."""
    database.execute("UPDATE tds.verifications SET error = %s WHERE run_id = %s", (error, run_id))


def close(database: Database, run: Verification, report: Mapping[str, Any]) -> bool:
    """The run is over: keep its report, forget what it saw. Returns whether this worker was the one to end it."""
    with database.transaction() as connection:
        ended = connection.execute(
            """
            UPDATE tds.verifications SET ended_at = clock_timestamp(), report = %s
            WHERE run_id = %s AND ended_at IS NULL RETURNING run_id
            """,
            (Json(report), run.run_id),
        ).fetchall()
        connection.execute("DELETE FROM tds.verification_seen WHERE run_id <= %s", (run.run_id,))
        connection.execute(
            "DELETE FROM tds.drift WHERE suspected_at < now() - make_interval(days => %s)", (_DRIFT_DAYS,)
        )
        connection.execute(
            "DELETE FROM tds.verifications WHERE ended_at < now() - make_interval(days => %s)", (_KEPT_DAYS,)
        )
    return bool(ended)


def read(database: Database, run_id: int | None = None) -> dict[str, Any] | None:
    """A run as people see it, or the newest one; None when there is none."""
    query = sql.SQL(
        """
        SELECT {} FROM tds.verifications
        WHERE run_id = coalesce(
            %s, (SELECT max(run_id) FROM tds.verifications WHERE requested_at <= clock_timestamp()))
        """
    ).format(sql.SQL(", ").join(map(sql.Identifier, _SHOWN)))
    rows = database.execute(query, (run_id,))
    return dict(zip(_SHOWN, rows[0], strict=True)) if rows else None


def progress(database: Database, run_id: int) -> dict[str, int]:
    """What a run has done so far: whole lists read, rows compared, and what differs, waits and was healed."""
    rows = database.execute(
        """
        SELECT jsonb_array_length(coalesce(v.place -> 'lists', '[]')),
            (SELECT count(*) FROM tds.verification_seen AS s WHERE s.run_id = v.run_id),
            (SELECT count(*) FROM tds.drift AS d WHERE d.run_id = v.run_id AND d.kind <> 'unannounced'),
            (SELECT count(*) FROM tds.drift AS d WHERE d.run_id = v.run_id AND d.how IS NULL),
            (SELECT count(*) FROM tds.drift AS d WHERE d.run_id = v.run_id AND d.healed_at IS NOT NULL)
        FROM tds.verifications AS v WHERE v.run_id = %s
        """,
        (run_id,),
    )
    return dict(zip(("lists", "rows", "differences", "open", "healed"), rows[0], strict=True)) if rows else {}


def cursor_name(scan: str) -> str:
    """The name of verification's own pass over a list, among the cursors."""
    return f"{_PREFIX}{scan}"


def prepare_pass(database: Database, scan: str, *, since: datetime) -> None:
    """Forget a pass that an older run left, and begin where the walk of the same list last found its end."""
    database.execute(
        """
        INSERT INTO tds.cursors AS c (scan, walked_pages)
        VALUES (%(own)s, (SELECT w.walked_pages FROM tds.cursors AS w WHERE w.scan = %(scan)s))
        ON CONFLICT (scan) DO UPDATE SET walk_page = NULL, walk_end = NULL,
            walked_pages = coalesce(c.walked_pages, excluded.walked_pages)
        WHERE c.walk_page IS NULL AND c.walked_pages IS NULL
            OR c.walk_page IS NOT NULL AND c.walk_started_at < %(since)s
        """,
        {"own": cursor_name(scan), "scan": scan, "since": since},
    )


def count_as_walk(connection: Connection, cursor: Cursor, scan: str) -> None:
    """The pass applied every page, so it was the walk that was due; a walk under way is left alone."""
    connection.execute(
        """
        UPDATE tds.cursors AS c SET
            walked_at = v.walked_at, walked_pages = v.walked_pages, walked_rows = v.walked_rows, walk_error = NULL,
            changed_since = coalesce(c.changed_since, v.changed_since),
            walk_requested_at = CASE WHEN c.walk_requested_at > v.walked_at THEN c.walk_requested_at END,
            touched_at = CASE WHEN c.touched_at > v.walked_at THEN c.touched_at END
        FROM tds.cursors AS v
        WHERE c.scan = %s AND v.scan = %s AND c.walk_page IS NULL
            AND (c.walked_at IS NULL OR c.walked_at < v.walked_at)
        """,
        (scan, cursor.scan),
    )


def _verification(row: Sequence[Any]) -> Verification:
    run_id, cause, entities, heal, started_at, phase, phase_at, place, calls = row
    return Verification(
        run_id=run_id,
        cause=cause,
        entities=tuple(entities),
        heal=heal,
        started_at=started_at,
        phase=phase,
        phase_at=phase_at,
        place=place,
        zoho_calls=calls,
    )
