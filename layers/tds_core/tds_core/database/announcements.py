"""What webhooks announced, and what polls found that none had announced: both read from the change log."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tds_core.database.connection import Database
from tds_core.database.ordering import SKEW

_WINDOW = timedelta(days=7)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The webhooks that arrived at one address; the times are the receiver's."""

    webhook: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcements:
    """One entity's webhooks against what polls found.

    `unannounced` changes happened after the last webhook; the first and the last of them were found at these times.
    `missed_24h` changes were found in the last 24 hours and no webhook told of that record, whatever came for others.
    """

    entity: str
    last_webhook_at: datetime | None
    unannounced: int
    first_found_at: datetime | None
    last_found_at: datetime | None
    missed_24h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How many changes of an entity happened on a day of the organisation."""

    day: date
    entity: str
    count: int


def now(database: Database) -> datetime:
    """The database's time."""
    moment: datetime = database.execute("SELECT clock_timestamp()")[0][0]
    return moment


def heard(database: Database, *, since: datetime) -> list[Heard]:
    """What arrived since then and was processed; one webhook that concerned two entities counts once."""
    rows = database.execute(
        """
        SELECT webhook, count(DISTINCT trace_id), min(observed_at), max(observed_at) FROM tds.change_log
        WHERE source = 'webhook' AND webhook IS NOT NULL AND at >= %(since)s AND observed_at >= %(since)s
        GROUP BY webhook ORDER BY webhook
        """,
        {"since": since},
    )
    return [Heard(webhook=webhook, count=count, first_at=first, last_at=last) for webhook, count, first, last in rows]


def announcements(database: Database, entities: Collection[str]) -> list[Announcements]:
    """How the entities' webhooks compare with what polls found in the last days.

    A change counts if it was found within a day, so that reading a list for the first time is no news. Its time is
    its version; one without a version may have happened any time in the day before.
    """
    rows = database.execute(
        """
        WITH news AS (
            SELECT entity, id, at, coalesce(version, at - %(day)s) AS since FROM tds.change_log
            WHERE source = 'poll' AND outcome IN ('created', 'updated') AND at > now() - %(window)s
                AND (version IS NULL OR version > at - %(day)s)
        )
        SELECT e.name, heard.at, found.count, found.first, found.last, found.missed
        FROM unnest(%(entities)s::text[]) WITH ORDINALITY AS e (name, place)
        LEFT JOIN LATERAL (
            SELECT max(observed_at) AS at FROM tds.change_log WHERE source = 'webhook' AND entity = e.name
        ) AS heard ON true
        LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE is_later) AS count, min(at) FILTER (WHERE is_later) AS first,
                max(at) FILTER (WHERE is_later) AS last,
                count(*) FILTER (WHERE at > now() - %(day)s AND NOT EXISTS (
                    SELECT FROM tds.change_log AS w WHERE w.entity = e.name AND w.id = dated.id
                        AND w.source = 'webhook' AND w.observed_at >= dated.since - %(skew)s
                )) AS missed
            FROM (
                SELECT id, at, since, since > coalesce(heard.at + %(skew)s, '-infinity') AS is_later
                FROM news WHERE entity = e.name
            ) AS dated
        ) AS found ON true
        ORDER BY e.place
        """,
        {"entities": list(entities), "window": _WINDOW, "day": _DAY, "skew": SKEW},
    )
    return [
        Announcements(
            entity=entity,
            last_webhook_at=last_webhook,
            unannounced=count,
            first_found_at=first,
            last_found_at=last,
            missed_24h=missed,
        )
        for entity, last_webhook, count, first, last, missed in rows
    ]


def changes_by_day(database: Database, entities: Collection[str], *, days: int, time_zone: str) -> list[Changes]:
    """How many changes these entities had on each of the last days, however they were learnt of.

    A state of a record counts once, on the day of its version; states that nobody saw are not known.
    """
    rows = database.execute(
        """
        SELECT (moment AT TIME ZONE %(zone)s)::date, entity, count(*) FROM (
            SELECT DISTINCT entity, id, date_trunc('second', coalesce(version, at)) AS moment FROM tds.change_log
            WHERE entity = ANY(%(entities)s) AND outcome IN ('created', 'updated', 'deleted')
                AND at > now() - %(days)s
                AND (version IS NOT NULL OR outcome = 'deleted' OR source IN ('webhook', 'poll'))
        ) AS changes
        WHERE moment > now() - %(days)s GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"entities": list(entities), "days": timedelta(days=days), "zone": time_zone},
    )
    return [Changes(day=day, entity=entity, count=count) for day, entity, count in rows]
