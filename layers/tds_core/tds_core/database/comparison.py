"""Hold both sides of a list against each other, in SQL: what was seen, and what differs and is not in motion.

A row is in motion while it may differ for a good reason: it waits on the backlog, the mirror saw it after the page was
taken, or Zoho gave it within a margin before the page a version that the mirror has not seen. Whatever else differs is
suspected; a list that lags costs a fetch, and no more. Where documents tell another version than lists do, an older one
of lists is no difference beside a document as new. Values are compared as PostgreSQL's own types, so 10.50 is 10.5.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from psycopg import Connection, sql

from tds_core.database.candidates import Candidate
from tds_core.database.connection import Database
from tds_core.entities import entity
from tds_core.entities.spec import EntitySpec
from tds_core.lossless_json import dumps
from tds_core.priority import Priority

VERSION = "last_modified_time"
# what excuses a row: a fetch that is due within a day. A history's may be weeks away, and its row shows a list's state
_WAITS = sql.SQL("b.parked_at IS NULL AND b.priority < {} AND b.not_before < now() + interval '1 day'").format(
    int(Priority.BACKFILL)
)


def compare(
    database: Database,
    run_id: int,
    spec: EntitySpec,
    candidates: Sequence[Candidate],
    *,
    at: datetime,
    margin_s: float,
) -> None:
    """Keep what a page of `at` showed beside what the mirror holds, and suspect every column of it that differs.

    One statement; a page that comes twice changes nothing.
    """
    if not candidates:
        return
    rows = dumps([_told(spec, candidate) for candidate in candidates])
    since = at - timedelta(seconds=margin_s)
    parameters = {"run": run_id, "entity": spec.name, "rows": rows, "at": at, "since": since}
    database.execute(_compare_query(spec.name), parameters)


def absent(connection: Connection, run_id: int, spec: EntitySpec, *, began_at: datetime) -> None:
    """After a whole pass that began then: suspect the live rows that it did not show and that are older than it."""
    connection.execute(
        _absent_query(spec.name),
        {"run": run_id, "entity": spec.name, "began": began_at},
    )


def typed(spec: EntitySpec, names: Iterable[str], record: str) -> sql.Composed:
    """A JSON object of a record's columns, each in PostgreSQL's own spelling."""
    pairs = [sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier(record, name)) for name in names]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))


def compared_columns(spec: EntitySpec) -> tuple[str, ...]:
    """All that the list shows of a record: what it leaves out the mirror's own documents answer for."""
    return tuple(sorted((spec.header_columns | {VERSION}) - {spec.key}))


def kept_columns(spec: EntitySpec) -> tuple[str, ...]:
    """What is kept of both sides: what people look at, what is added up, and what the sums are told apart by."""
    wanted = {*spec.compared, *spec.totals, *_apart(spec), VERSION}
    return tuple(sorted(wanted & (spec.header_columns | {VERSION})))


def mirrored_columns(spec: EntitySpec) -> tuple[str, ...]:
    """The same of the mirror, and those that only its documents tell the sums apart by."""
    return tuple(sorted({*kept_columns(spec), *_apart(spec)}))


def _apart(spec: EntitySpec) -> set[str]:
    return {"currency", "status"} & set(spec.model.model_fields)


def _told(spec: EntitySpec, candidate: Candidate) -> dict[str, object]:
    """What the row says of the columns that are kept; a mention says its id only."""
    readable = candidate.columns.keys() - candidate.unreadable
    told = {name: candidate.columns[name] for name in compared_columns(spec) if name in readable}
    version = candidate.observation.version
    return told | ({VERSION: version} if version else {}) | {spec.key: candidate.id}


@lru_cache
def _compare_query(name: str) -> sql.Composed:
    spec = entity(name)
    return sql.SQL(
        """
        WITH listed AS MATERIALIZED (
            SELECT DISTINCT ON (r.{key}) r.{key} AS id, r.{version} AS version, {told} AS told, {kept} AS kept
            FROM jsonb_array_elements(%(rows)s::jsonb) AS row (told)
            CROSS JOIN LATERAL jsonb_populate_record(NULL::{mirror}, row.told) AS r
        ), held AS MATERIALIZED (
            SELECT l.*, m.{key} IS NOT NULL AND m.deleted_at IS NULL AS is_live, {mirrored} AS mirrored, {ours} AS ours,
                b.id IS NOT NULL
                    OR coalesce(
                        greatest(m.observed_at, m.detail_observed_at, m.deleted_at, t.deleted_at) > %(at)s, false)
                    OR coalesce(l.version > %(since)s, false) AND l.version IS DISTINCT FROM m.{version} AS in_motion,
                greatest(m.observed_at, m.detail_observed_at) AS sight,
                coalesce({apart} AND m.{version} < l.version AND m.detail_version >= l.version, false) AS is_told
            FROM listed AS l
            LEFT JOIN {mirror} AS m ON m.{key} = l.id
            LEFT JOIN tds.tombstones AS t ON t.entity = %(entity)s AND t.id = l.id
            LEFT JOIN tds.backlog AS b ON b.entity = %(entity)s AND b.id = l.id AND {waits}
        ), seen AS (
            INSERT INTO tds.verification_seen (run_id, entity, id, zoho, erp, in_motion, sight)
            SELECT %(run)s, %(entity)s, id, kept, CASE WHEN is_live THEN mirrored END, in_motion, sight FROM held
            ON CONFLICT DO NOTHING RETURNING id
        )
        INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value)
        SELECT %(run)s, %(entity)s, h.id, d.kind, d.field, d.erp, d.zoho
        FROM seen JOIN held AS h ON h.id = seen.id
        CROSS JOIN LATERAL (
            SELECT 'missing' AS kind, '' AS field, NULL::jsonb AS erp, h.kept AS zoho WHERE NOT h.is_live
            UNION ALL
            SELECT 'mismatched', z.key, h.ours -> z.key, z.value FROM jsonb_each(h.told) AS z
            WHERE h.is_live AND h.ours -> z.key <> z.value AND NOT (z.key = {version_name} AND h.is_told)
        ) AS d
        WHERE NOT h.in_motion
        ON CONFLICT DO NOTHING
        """
    ).format(
        key=sql.Identifier(spec.key),
        version=sql.Identifier(VERSION),
        version_name=sql.Literal(VERSION),
        apart=sql.Literal(not spec.shares_version),
        waits=_WAITS,
        mirror=sql.Identifier("erp", spec.table),
        told=_as_told(spec, compared_columns(spec)),
        kept=_as_told(spec, kept_columns(spec)),
        ours=typed(spec, compared_columns(spec), "m"),
        mirrored=typed(spec, mirrored_columns(spec), "m"),
    )


def _as_told(spec: EntitySpec, names: Iterable[str]) -> sql.Composed:
    """Of these columns those that the row names at all."""
    return sql.SQL(
        "(SELECT coalesce(jsonb_object_agg(j.key, j.value), '{{}}') FROM jsonb_each({}) AS j WHERE row.told ? j.key)"
    ).format(typed(spec, names, "r"))


@lru_cache
def _absent_query(name: str) -> sql.Composed:
    spec = entity(name)
    return sql.SQL(
        """
        WITH unseen AS (
            INSERT INTO tds.verification_seen (run_id, entity, id, erp, in_motion, sight)
            SELECT %(run)s, %(entity)s, m.{key}, {erp},
                b.id IS NOT NULL OR coalesce(greatest(m.observed_at, m.detail_observed_at) > %(began)s, false),
                greatest(m.observed_at, m.detail_observed_at)
            FROM {mirror} AS m
            LEFT JOIN tds.backlog AS b ON b.entity = %(entity)s AND b.id = m.{key} AND {waits}
            WHERE m.deleted_at IS NULL AND coalesce(least(m.observed_at, m.detail_observed_at), '-infinity') < %(began)s
            ON CONFLICT DO NOTHING RETURNING id, erp, in_motion
        )
        INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value)
        SELECT %(run)s, %(entity)s, id, 'extra', '', erp FROM unseen WHERE NOT in_motion
        ON CONFLICT DO NOTHING
        """
    ).format(
        key=sql.Identifier(spec.key),
        waits=_WAITS,
        mirror=sql.Identifier("erp", spec.table),
        erp=typed(spec, mirrored_columns(spec), "m"),
    )
