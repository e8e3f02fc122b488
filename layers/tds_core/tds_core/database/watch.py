"""What housekeeping saw of queues and dead messages, and how the days went: written every minute, read by who looks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from tds_core.database.connection import Database

_KEPT_DAYS = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A queue, or a place of dead messages.

    `age_s` is how long its oldest message waits at least. A queue from which webhooks were applied since it was seen
    waiting moves; then it is how long the last one of them had waited.
    """

    name: str
    messages: int
    age_s: float
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How many looks at a day found which verdict."""

    day: str
    good: int
    attention: int
    bad: int
    reasons: Sequence[str]


def store(database: Database, messages: Mapping[str, int]) -> None:
    """Keep what lies in each place now; one that was empty waits from now on, and one that is gone is forgotten."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM tds.places WHERE place <> ALL(%s)", (list(messages),))
        connection.execute(
            """
            INSERT INTO tds.places AS p (place, messages, waiting_since, observed_at)
            SELECT place, messages, CASE WHEN messages > 0 THEN clock_timestamp() END, clock_timestamp()
            FROM unnest(%s::text[], %s::bigint[]) AS t (place, messages)
            ON CONFLICT (place) DO UPDATE SET messages = excluded.messages, observed_at = excluded.observed_at,
                waiting_since = CASE WHEN excluded.messages > 0
                    THEN coalesce(p.waiting_since, excluded.waiting_since) END
            """,
            (list(messages), list(messages.values())),
        )


def places(database: Database, entities: Mapping[str, Sequence[str]]) -> list[Place]:
    """Every place, by name; `entities` are those whose webhooks a queue carries, by the place's name."""
    rows = database.execute(
        """
        SELECT p.place, p.messages, p.observed_at,
            CASE WHEN p.waiting_since IS NULL THEN 0
                WHEN moved.at > p.waiting_since THEN CASE WHEN moved.at > p.observed_at - interval '2 minutes'
                    THEN moved.waited_s ELSE extract(epoch FROM clock_timestamp() - moved.at) END
                ELSE extract(epoch FROM clock_timestamp() - p.waiting_since) END::float8
        FROM tds.places AS p
        LEFT JOIN unnest(%s::text[], %s::text[]) AS q (place, entity) ON q.place = p.place
        LEFT JOIN LATERAL (
            SELECT c.at, extract(epoch FROM c.at - c.observed_at) AS waited_s FROM tds.change_log AS c
            WHERE c.source = 'webhook' AND c.entity = q.entity AND c.at > p.waiting_since ORDER BY c.at DESC LIMIT 1
        ) AS moved ON true
        ORDER BY p.place
        """,
        _pairs(entities),
    )
    found: dict[str, Place] = {}
    for name, messages, observed_at, age_s in rows:
        known = found.get(name)  # a queue of two entities moves when one of them does
        least = age_s if known is None else min(age_s, known.age_s)
        found[name] = Place(name=name, messages=messages, age_s=max(least, 0.0), observed_at=observed_at)
    return list(found.values())


def store_dead(database: Database, things: Iterable[Mapping[str, Any]]) -> None:
    """Replace what people see of the dead messages; each is a line of `tds dlq list`."""
    names = ("id", "where", "entity", "ids", "reason", "first_seen", "redrives", "trace_id")
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM tds.dead_things")
        cursor.executemany(
            """
            INSERT INTO tds.dead_things (id, place, entity, ids, reason, first_seen, redrives, trace_id)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [tuple(thing[name] for name in names) for thing in things],
        )


def dead(database: Database, *, limit: int) -> list[dict[str, Any]]:
    """The dead messages that lie longest, as lines of `tds dlq list`."""
    rows = database.execute(
        """
        SELECT id, place, entity, ids, reason, first_seen, redrives, trace_id FROM tds.dead_things
        ORDER BY first_seen, id LIMIT %s
        """,
        (limit,),
    )
    names = ("id", "where", "entity", "ids", "reason", "first_seen", "redrives", "trace_id")
    return [dict(zip(names, row, strict=True)) for row in rows]


def count_look(database: Database, *, level: str, reasons: Sequence[str], zone: str) -> None:
    """Count one look at today, which is the organisation's day; `reasons` are those of a bad one."""

    def write(connection: Connection) -> None:
        connection.execute(
            """
            INSERT INTO tds.days AS d (day, good, attention, bad, reasons)
            VALUES ((now() AT TIME ZONE %(zone)s)::date, (%(level)s = 'good')::int, (%(level)s = 'attention')::int,
                (%(level)s = 'bad')::int, %(reasons)s)
            ON CONFLICT (day) DO UPDATE SET good = d.good + excluded.good, bad = d.bad + excluded.bad,
                attention = d.attention + excluded.attention,
                reasons = (SELECT coalesce(array_agg(DISTINCT r), '{}') FROM unnest(d.reasons || excluded.reasons) AS r)
            """,
            {"zone": zone, "level": level, "reasons": list(reasons)},
        )
        connection.execute("DELETE FROM tds.days WHERE day < (now() - make_interval(days => %s))::date", (_KEPT_DAYS,))

    database.run(write)


def days_without_failure(database: Database, *, zone: str) -> int:
    """How many days in a row, up to today, had no bad look; a day at which nobody looked ends the row, too."""
    rows = database.execute(
        """
        WITH numbered AS (
            SELECT (now() AT TIME ZONE %s)::date - day AS ago, bad FROM tds.days
        ), clean AS (
            SELECT ago, row_number() OVER (ORDER BY ago) - 1 AS place FROM numbered WHERE bad = 0
        )
        SELECT count(*) FROM clean WHERE ago = place
        """,
        (zone,),
    )
    return int(rows[0][0])


def days(database: Database, *, number: int) -> list[Day]:
    """The last days that were watched, the oldest first."""
    rows = database.execute(
        "SELECT day::text, good, attention, bad, reasons FROM tds.days ORDER BY day DESC LIMIT %s", (number,)
    )
    return [
        Day(day=day, good=good, attention=attention, bad=bad, reasons=tuple(reasons))
        for day, good, attention, bad, reasons in reversed(rows)
    ]


def _pairs(entities: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    pairs = [(place, entity) for place, names in entities.items() for entity in names]
    return [place for place, _ in pairs], [entity for _, entity in pairs]
