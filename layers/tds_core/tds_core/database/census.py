"""Counts, totals and ages of what the mirror holds: the figures that people look at."""

from datetime import datetime
from typing import Any

from psycopg import sql

from tds_core.database.connection import Database
from tds_core.database.ordering import Outcome
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.plain import plain


def entity_figures(database: Database, spec: EntitySpec) -> dict[str, Any]:
    """One entity's live rows, what is still missing of them, and its totals by currency (exact, as text)."""
    mirror, key = sql.Identifier("erp", spec.table), sql.Identifier(spec.key)
    query = sql.SQL(
        """
        SELECT count(*), count(*) FILTER (WHERE m.detail_observed_at IS NULL OR b.id IS NOT NULL),
            count(*) FILTER (WHERE m.detail_observed_at IS NULL), max(m.last_modified_time), max(m.synced_at),
            count(*) FILTER (WHERE m.detail_observed_at IS NOT NULL AND ({lacking}))
        FROM {mirror} AS m LEFT JOIN tds.backlog AS b ON b.entity = %s AND b.id = m.{key}
        WHERE m.deleted_at IS NULL
        """
    ).format(mirror=mirror, key=key, lacking=_lacking(spec))
    count, pending, bare, changed, synced, nulls = database.execute(query, (spec.name,))[0]
    return {
        "erp": count,
        "details_pending": pending,
        "details_never_seen": bare,
        "last_modified_time": _text(changed),
        "synced_at": _text(synced),
        "freshness_s": int(spec.freshness.total_seconds()),
        "nulls": nulls,
        "totals": _totals(database, spec),
        "children": {child.table: _child_figures(database, child) for child in spec.children if child.totals},
    }


def backlog_figures(database: Database) -> dict[str, Any]:
    """What waits to be fetched, and what was given up for now."""
    rows = database.execute(
        """
        SELECT entity, count(*), count(*) FILTER (WHERE not_before <= now()),
            count(*) FILTER (WHERE parked_at IS NOT NULL),
            count(*) FILTER (WHERE starts_with(cause, 'ripple:') AND not_before > now())
        FROM tds.backlog GROUP BY entity
        """
    )
    return {
        entity: {"requests": requests, "due": due, "parked": parked, "held_ripples": ripples}
        for entity, requests, due, parked, ripples in rows
    }


def scan_figures(database: Database) -> dict[str, Any]:
    """How far each list's polls and walks have come, and why the last one failed."""
    rows = database.execute(
        """
        SELECT scan, changed_since, polled_at, walk_requested_at, walk_page, walk_rows, walked_at, walked_rows,
            touched_at, refetched_at, poll_error, walk_error
        FROM tds.cursors WHERE NOT starts_with(scan, 'verification:') ORDER BY scan
        """
    )
    progress = ("changed_since", "polled_at", "walk_requested_at", "walk_page", "walk_rows", "walked_at", "walked_rows")
    names = (*progress, "touched_at", "refetched_at", "poll_error", "walk_error")
    return {scan: dict(zip(names, map(plain, values), strict=True)) for scan, *values in rows}


def webhook_latency(database: Database, *, since: datetime) -> dict[str, Any]:
    """How long the webhooks since then took from the receiver's clock on, in seconds, and how many came in all.

    `applied`: to the commit, of those that said enough. `fetched`: of those that asked Zoho for the record, to the
    commit of a fetch that began afterwards and decided, or to now while the record is `waiting` on the backlog; one
    whose fetch left no word (the record belongs to another entity) is in neither. A rejected one is a dead message.
    """
    rows = database.execute(
        """
        WITH heard AS (
            SELECT entity, id, outcome, at, observed_at, outcome = ANY(%(asking)s) AS asked FROM tds.change_log
            WHERE source = 'webhook' AND at > %(since)s
        ), settled AS (
            SELECT 'applied' AS how, false AS waits, at - observed_at AS took FROM heard
            WHERE NOT asked AND outcome <> %(rejected)s
            UNION ALL
            SELECT 'fetched', f.at IS NULL, coalesce(f.at, clock_timestamp()) - h.observed_at FROM heard AS h
            LEFT JOIN LATERAL (
                SELECT c.at FROM tds.change_log AS c
                WHERE c.entity = h.entity AND c.id = h.id AND c.at > h.at AND c.at > %(since)s AND c.observed_at > h.at
                    AND c.source IN ('fetch', 'drain') AND c.outcome <> ALL(%(asking)s) AND c.outcome <> ALL(%(open)s)
                ORDER BY c.at LIMIT 1
            ) AS f ON true
            LEFT JOIN tds.backlog AS b ON b.entity = h.entity AND b.id = h.id
            WHERE h.asked AND (f.at IS NOT NULL OR b.id IS NOT NULL)
        )
        SELECT (SELECT count(*) FROM heard), how, count(s.how), count(*) FILTER (WHERE waits),
            percentile_cont(ARRAY[0.5, 0.9, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM took)::float8)
        FROM unnest(ARRAY['applied', 'fetched']) AS ways (how) LEFT JOIN settled AS s USING (how)
        GROUP BY how
        """,
        {
            "since": since,
            "asking": [Outcome.REQUESTED, Outcome.TIE],
            "rejected": Outcome.REJECTED,
            "open": [Outcome.REJECTED, Outcome.STALE],
        },
    )
    ways = {how: _latency(count, waiting, percentiles) for _, how, count, waiting, percentiles in rows}
    return {"count": rows[0][0], **ways}


def outcome_figures(database: Database, *, since: datetime) -> dict[str, dict[str, int]]:
    """How often each outcome occurred per entity since then."""
    rows = database.execute(
        """
        SELECT entity, outcome, count(*) FROM tds.change_log WHERE at > %s
        GROUP BY entity, outcome ORDER BY entity, outcome
        """,
        (since,),
    )
    figures: dict[str, dict[str, int]] = {}
    for entity, outcome, count in rows:
        figures.setdefault(entity, {})[outcome] = count
    return figures


def working(database: Database) -> list[str]:
    """The modes that somebody is at work on; a killed worker counts until its lease runs out."""
    return [name for (name,) in database.execute("SELECT name FROM tds.leases WHERE until > now() ORDER BY name")]


def recent_runs(database: Database, *, limit: int = 5) -> list[dict[str, Any]]:
    """The newest runs of each mode."""
    rows = database.execute(
        """
        SELECT mode, started_at, ended_at, zoho_calls, outcomes, error FROM (
            SELECT *, row_number() OVER (PARTITION BY mode ORDER BY run_id DESC) AS place FROM tds.runs
        ) AS ranked WHERE place <= %s ORDER BY started_at DESC
        """,
        (limit,),
    )
    names = ("mode", "started_at", "ended_at", "zoho_calls", "outcomes", "error")
    return [dict(zip(names, map(plain, row), strict=True)) for row in rows]


def days_without_failure(database: Database, *, zone: str) -> dict[str, Any]:
    """Whole days up to yesterday, in a row, on which runs were made and none failed; and the last run that did.

    A day without any run breaks the row: then nobody was at work. A run without an end after an hour was killed.
    """
    rows = database.execute(
        """
        WITH told AS (
            SELECT mode, started_at, (started_at AT TIME ZONE %(zone)s)::date AS day,
                coalesce(error, CASE WHEN ended_at IS NULL AND started_at < now() - interval '1 hour'
                    THEN 'killed' END) AS error
            FROM tds.runs
        ), days AS (
            SELECT d::date AS day, count(t.day) = 0 OR bool_or(t.error IS NOT NULL) AS is_bad
            FROM generate_series(
                (SELECT min(day) FROM told), (now() AT TIME ZONE %(zone)s)::date, interval '1 day') AS d
            LEFT JOIN told AS t ON t.day = d::date
            GROUP BY d HAVING d::date < (now() AT TIME ZONE %(zone)s)::date OR count(t.day) > 0
        )
        SELECT (
            SELECT count(*) FROM days WHERE day < (now() AT TIME ZONE %(zone)s)::date
                AND day > coalesce((SELECT max(day) FROM days WHERE is_bad), '-infinity')
        ), f.mode, f.started_at, f.error
        FROM (SELECT 1) AS one LEFT JOIN LATERAL (
            SELECT * FROM told WHERE error IS NOT NULL ORDER BY started_at DESC LIMIT 1
        ) AS f ON true
        """,
        {"zone": zone},
    )
    return dict(zip(("days", "mode", "started_at", "error"), map(plain, rows[0]), strict=True))


def _totals(database: Database, spec: EntitySpec) -> dict[str, dict[str, str]]:
    if not spec.totals:
        return {}
    mirror = sql.Identifier("erp", spec.table)
    currency = sql.SQL("coalesce(currency, '')" if "currency" in spec.model.model_fields else "''")
    sums = sql.SQL(", ").join(sql.SQL("sum({})").format(sql.Identifier(name)) for name in spec.totals)
    query = sql.SQL("SELECT {currency}, {sums} FROM {mirror} WHERE deleted_at IS NULL GROUP BY 1 ORDER BY 1").format(
        currency=currency, sums=sums, mirror=mirror
    )
    return {
        row[0]: {name: str(value or 0) for name, value in zip(spec.totals, row[1:], strict=True)}
        for row in database.execute(query)
    }


def _child_figures(database: Database, child: ChildTable) -> dict[str, Any]:
    """The rows of a child table and its totals; they exist only while their document lives."""
    sums = sql.SQL(", ").join(sql.SQL("sum({})").format(sql.Identifier(name)) for name in child.totals.values())
    query = sql.SQL("SELECT count(*), {sums} FROM {child}").format(sums=sums, child=sql.Identifier("erp", child.table))
    rows, *values = database.execute(query)[0]
    return {"erp": rows, "totals": {"": {name: str(n or 0) for name, n in zip(child.totals, values, strict=True)}}}


def _lacking(spec: EntitySpec) -> sql.Composed:
    """Whether a row lacks a critical value."""
    return sql.SQL(" OR ").join(sql.SQL("m.{} IS NULL").format(sql.Identifier(name)) for name in spec.critical)


def _latency(count: int, waiting: int, percentiles: list[float] | None) -> dict[str, Any]:
    named = zip(("p50", "p90", "p99", "max"), percentiles or [], strict=False)
    return {"count": count, "waiting": waiting, "seconds": {name: round(value, 3) for name, value in named}}


def _text(moment: Any) -> str | None:
    return moment.isoformat() if moment is not None else None
