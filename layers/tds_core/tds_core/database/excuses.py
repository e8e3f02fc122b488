"""What explains a difference that is none: it was announced meanwhile, or a later document moved it."""

from datetime import timedelta
from functools import lru_cache

from psycopg import Connection, sql

from tds_core.database.comparison import VERSION, compared_columns, mirrored_columns, typed
from tds_core.database.connection import Database
from tds_core.database.ordering import Outcome
from tds_core.entities import REGISTRY, entity
from tds_core.entities.spec import EntitySpec, Touch

_NEWS = [
    str(one)
    for one in (
        *(Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED, Outcome.RESTORED),
        *(Outcome.TIE, Outcome.REQUESTED),
    )
]


def announced(connection: Connection, run_id: int, spec: EntitySpec, *, margin_s: float) -> None:
    """Dismiss what a webhook, or a poll's newer version, told of since it was suspected."""
    parameters = {"run": run_id, "entity": spec.name, "margin": timedelta(seconds=margin_s)}
    connection.execute(_announced_query(spec.name), parameters)


def touched(connection: Connection, run_id: int, spec: EntitySpec, *, margin_s: float) -> None:
    """Dismiss the balances and the stock that a later document moved."""
    parameters = {"run": run_id, "entity": spec.name, "margin": timedelta(seconds=margin_s)}
    for source in REGISTRY.values():
        for touch in source.touches:
            if touch.entity == spec.name:
                connection.execute(_touched_query(source.name, touch), parameters)


def correct(connection: Connection, run_id: int, spec: EntitySpec) -> None:
    """Set both sides of what was dismissed to what the mirror holds: the list was behind the record itself."""
    connection.execute(_correct_query(spec.name), {"run": run_id, "entity": spec.name})


def may_come(database: Database, run_id: int, *, within_s: float) -> bool:
    """Whether a deletion was found so lately that its announcement may still be on its way.

    Zoho gives a deletion no version, so only this tells one of now from one that nobody announced.
    """
    query = """
        SELECT EXISTS (
            SELECT FROM tds.drift WHERE run_id = %s AND kind = 'extra' AND status = 'confirmed'
                AND suspected_at > clock_timestamp() - %s
        )
    """
    return bool(database.execute(query, (run_id, timedelta(seconds=within_s)))[0][0])


@lru_cache
def _announced_query(name: str) -> sql.Composed:
    """Somebody told of the record since: it was changed or deleted, not wrong.

    Only what was news counts: it wrote or requested the record, or told of a state that healing had fetched before it.
    What is not healed must have become another in the mirror by it, or wait to be fetched.
    """
    spec = entity(name)
    return sql.SQL(
        """
        UPDATE tds.drift AS d SET status = 'dismissed', how = 'announced meanwhile'
        FROM tds.drift AS o
        LEFT JOIN {mirror} AS m ON m.{key} = o.id AND m.deleted_at IS NULL
        LEFT JOIN tds.verification_seen AS s ON s.run_id = o.run_id AND s.entity = o.entity AND s.id = o.id
        LEFT JOIN tds.backlog AS b ON b.entity = o.entity AND b.id = o.id
        WHERE o.run_id = %(run)s AND o.entity = %(entity)s AND o.status = 'confirmed'
            AND o.kind IN ('missing', 'extra', 'mismatched', 'unannounced')
            AND (o.healed_at IS NOT NULL OR o.how = 'confirmed, not to be healed' AND (b.id IS NOT NULL OR CASE o.kind
                WHEN 'missing' THEN m.{key} IS NOT NULL
                WHEN 'extra' THEN m.{key} IS NULL
                ELSE m.{key} IS NULL OR {now} -> o.field <> o.erp_value
            END))
            AND EXISTS (
                SELECT FROM tds.change_log AS c
                WHERE c.entity = o.entity AND c.id = o.id AND c.source IN ('webhook', 'poll')
                    -- what was applied before the comparison is no reason to differ from it
                    AND c.at > o.suspected_at
                    -- a balance that a list shows anew is no news of the record's own
                    AND (c.source = 'webhook' OR c.version > o.suspected_at - %(margin)s)
                    AND (c.outcome = ANY({news}) OR o.healed_at IS NOT NULL AND CASE o.kind
                        WHEN 'extra' THEN c.outcome = 'ignored'
                        ELSE c.outcome = 'unchanged'
                            AND coalesce(c.version > (s.erp ->> {version})::timestamptz, s.erp IS NULL)
                    END)
            )
            AND d.run_id = o.run_id AND d.entity = o.entity AND d.id = o.id AND d.kind = o.kind AND d.field = o.field
        """
    ).format(
        mirror=sql.Identifier("erp", spec.table),
        key=sql.Identifier(spec.key),
        now=typed(spec, compared_columns(spec), "m"),
        news=sql.Literal(_NEWS),
        version=sql.Literal(VERSION),
    )


@lru_cache
def _touched_query(name: str, touch: Touch) -> sql.Composed:
    """Balances and stock move without a version: a later document that touches the record, or did, explains it."""
    source = entity(name)
    steps = "$." + touch.path.replace("[]", "[*]") + " ? (@ == $id)"
    return sql.SQL(
        """
        UPDATE tds.drift AS d SET status = 'dismissed', how = {how}
        FROM tds.verification_seen AS s
        WHERE d.run_id = %(run)s AND d.entity = %(entity)s AND d.kind = 'mismatched' AND d.status = 'confirmed'
            AND d.healed_at IS NOT NULL AND d.field = ANY({moving})
            AND s.run_id = d.run_id AND s.entity = d.entity AND s.id = d.id
            AND NOT EXISTS (
                SELECT FROM tds.drift AS v
                WHERE v.run_id = d.run_id AND v.entity = d.entity AND v.id = d.id AND v.field = {version}
            )
            AND EXISTS (
                SELECT FROM {mirror} AS w
                WHERE greatest(w.last_modified_time, w.detail_version, w.deleted_at)
                        BETWEEN greatest(s.sight, (
                            SELECT max(greatest(c.walked_at, c.polled_at)) FROM tds.cursors AS c
                            WHERE c.scan = {scan} AND greatest(c.walked_at, c.polled_at) < d.suspected_at - %(margin)s
                        )) - %(margin)s AND d.suspected_at + %(margin)s
                    AND (jsonb_path_exists(w.zoho, {path}, jsonb_build_object('id', d.id)) OR EXISTS (
                        SELECT FROM tds.change_log AS c
                        WHERE c.entity = {source} AND c.id = w.{key} AND c.at > d.suspected_at - %(margin)s
                            AND jsonb_path_exists(c.changes, '$.** ? (@ == $id)', jsonb_build_object('id', d.id))
                    ))
            )
        """
    ).format(
        how=sql.Literal(f"moved by {source.name}"),
        moving=sql.Literal(list(entity(touch.entity).moved)),
        version=sql.Literal(VERSION),
        scan=sql.Literal(entity(touch.entity).scan_name),
        mirror=sql.Identifier("erp", source.table),
        key=sql.Identifier(source.key),
        source=sql.Literal(source.name),
        path=sql.Literal(steps),
    )


@lru_cache
def _correct_query(name: str) -> sql.Composed:
    """Where the list was behind the record itself, what was seen of Zoho is what the mirror holds."""
    spec = entity(name)
    return sql.SQL(
        """
        WITH wrong AS (
            SELECT d.id, bool_or(d.kind = 'missing') AS is_gone FROM tds.drift AS d
            WHERE d.run_id = %(run)s AND d.entity = %(entity)s AND d.status = 'dismissed' AND d.kind <> 'unannounced'
            GROUP BY d.id
        ), gone AS (
            DELETE FROM tds.verification_seen AS s USING wrong AS w
            WHERE s.run_id = %(run)s AND s.entity = %(entity)s AND s.id = w.id AND w.is_gone AND NOT EXISTS (
                SELECT FROM {mirror} AS m WHERE m.{key} = w.id AND m.deleted_at IS NULL)
        )
        UPDATE tds.verification_seen AS s SET zoho = {now}, erp = {now}
        FROM wrong AS w JOIN {mirror} AS m ON m.{key} = w.id AND m.deleted_at IS NULL
        WHERE s.run_id = %(run)s AND s.entity = %(entity)s AND s.id = w.id
        """
    ).format(
        key=sql.Identifier(spec.key),
        mirror=sql.Identifier("erp", spec.table),
        now=typed(spec, mirrored_columns(spec), "m"),
    )
