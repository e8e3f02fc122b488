"""What verifications found, for people: each entity's newest comparison, and the differences that it left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from tds_core.database import images
from tds_core.database.connection import Database
from tds_core.database.reckoning import IS_REAL
from tds_core.entities import REGISTRY

# a run that could not read the list still holds an entity against its own documents
_FOUND = sql.SQL(
    """
    SELECT {shown} FROM tds.drift AS d
    JOIN unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n (name, run_id, last_id)
        ON n.name = d.entity AND (d.run_id = n.run_id OR d.run_id = n.last_id AND d.kind = 'local')
    WHERE {real}
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The newest comparison of an entity, or of the product images, that could read Zoho; all None before the first.

    `part` is what its run's report says of them, `error` why a later run, `last_id`, could not compare them.
    """

    run_id: int | None
    last_id: int | None
    ended_at: datetime | None
    part: Mapping[str, Any] | None
    error: str | None


def compared(database: Database) -> dict[str, Compared]:
    """The newest comparison of every entity and of the images (`product_images`), whatever else its run covered."""
    rows = database.execute(
        """
        SELECT n.name, v.run_id, v.ended_at,
            CASE n.name WHEN %(images)s THEN v.report -> 'images' ELSE v.report -> 'entities' -> n.name END,
            last.run_id, last.error
        FROM unnest(%(names)s::text[]) AS n (name)
        LEFT JOIN LATERAL (
            SELECT run_id, compared ->> n.name AS error FROM tds.verifications
            WHERE ended_at IS NOT NULL AND compared ? n.name ORDER BY ended_at DESC, run_id DESC LIMIT 1
        ) AS last ON true
        LEFT JOIN LATERAL (
            SELECT run_id FROM tds.verifications
            WHERE ended_at IS NOT NULL AND compared -> n.name = 'null' ORDER BY ended_at DESC, run_id DESC LIMIT 1
        ) AS good ON true
        LEFT JOIN tds.verifications AS v ON v.run_id = good.run_id
        """,
        {"names": [*REGISTRY, images.ENTITY], "images": images.ENTITY},
    )
    return {
        name: Compared(run_id=run_id, ended_at=ended_at, part=part, last_id=last_id, error=error)
        for name, run_id, ended_at, part, last_id, error in rows
    }


def is_running(database: Database) -> bool:
    """Whether a verification waits to begin or is under way; one that is to begin later is not."""
    query = "SELECT EXISTS (SELECT FROM tds.verifications WHERE ended_at IS NULL AND requested_at <= clock_timestamp())"
    return bool(database.execute(query)[0][0])


def remaining(database: Database, newest: Mapping[str, Compared]) -> dict[str, int]:
    """How many records of each entity still differ by its newest comparison, or could not be decided, if any."""
    query = sql.SQL("{} AND healed_at IS NULL GROUP BY entity").format(
        _FOUND.format(shown=sql.SQL("entity, count(DISTINCT id)::int"), real=IS_REAL)
    )
    return dict(database.execute(query, _runs(newest)))


def differences(database: Database, newest: Mapping[str, Compared], *, limit: int) -> list[dict[str, Any]]:
    """What each entity's newest comparison found, with both values; what is not healed comes first."""
    names = ("entity", "id", "kind", "field", "status", "erp", "zoho", "suspected_at", "healed_at", "how")
    shown = sql.SQL("entity, id, kind, field, status, erp_value, zoho_value, suspected_at, healed_at, how")
    query = sql.SQL("{} ORDER BY healed_at IS NOT NULL, suspected_at DESC, entity, id, field LIMIT %s").format(
        _FOUND.format(shown=shown, real=IS_REAL)
    )
    rows = database.execute(query, (*_runs(newest), limit))
    return [dict(zip(names, row, strict=True)) for row in rows]


def age_h(database: Database) -> float:
    """Hours since the entity that was compared longest ago was; of one that never was, since its list was read whole.

    0 where nothing was ever read.
    """
    newest = compared(database)
    rows = database.execute("SELECT scan, walked_at, now() FROM tds.cursors")
    walked = {scan: walked_at for scan, walked_at, _ in rows}
    moments = [newest[name].ended_at or walked.get(spec.scan_name) for name, spec in REGISTRY.items()]
    known = [moment for moment in moments if moment is not None]
    return (rows[0][2] - min(known)).total_seconds() / 3600 if rows and known else 0.0


def _runs(newest: Mapping[str, Compared]) -> tuple[list[str], list[int | None], list[int | None]]:
    return list(newest), [one.run_id for one in newest.values()], [one.last_id for one in newest.values()]


def hours(database: Database, *, number: int) -> list[dict[str, Any]]:
    """The last hours, the oldest first: webhooks, how long those applied at once took from receipt to row, changes."""
    rows = database.execute(
        """
        SELECT h.at, count(c.at) FILTER (WHERE c.source = 'webhook'),
            percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM c.at - c.observed_at)::float8)
                FILTER (WHERE c.source = 'webhook' AND c.outcome NOT IN ('requested', 'tie', 'rejected')),
            count(c.at) FILTER (WHERE c.outcome IN ('created', 'updated', 'deleted', 'restored'))
        FROM generate_series(1, %(number)s) AS n,
            LATERAL (SELECT date_trunc('hour', now()) - make_interval(hours => %(number)s - n)) AS h (at)
        LEFT JOIN tds.change_log AS c ON c.at >= h.at AND c.at < h.at + interval '1 hour'
            AND c.at >= date_trunc('hour', now()) - make_interval(hours => %(number)s)
        GROUP BY h.at ORDER BY h.at
        """,
        {"number": number},
    )
    return [{"at": at, "webhooks": webhooks, "p99_s": p99, "changes": changes} for at, webhooks, p99, changes in rows]
