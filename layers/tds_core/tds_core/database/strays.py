"""Child rows that belong to no live row: what a lost or deleted row has left behind."""

from functools import lru_cache
from typing import Any

from psycopg import Connection, sql

from tds_core.entities import entity
from tds_core.entities.spec import ChildTable, EntitySpec

LIMIT = 5_000
Row = dict[str, Any]


def note(connection: Connection, run_id: int, spec: EntitySpec, table: ChildTable, *, remove: bool) -> list[Row]:
    """Keep the strays of a child table as differences that nobody has to be asked about; take them away if `remove`.

    One statement, of at most `LIMIT` rows; returns their columns. Children are only ever deleted and inserted, so one
    that somebody holds is being replaced and is left alone. So is one whose parent this run misses: that is fetched.
    """
    cursor = connection.execute(_query(spec.name, table.table, remove), {"run": run_id, "entity": spec.name})
    names = tuple(table.model.model_fields)
    return [dict(zip(names, values, strict=True)) for values in cursor]


@lru_cache
def _query(name: str, table_name: str, remove: bool) -> sql.Composed:
    spec = entity(name)
    table = next(one for one in spec.children if one.table == table_name)
    names = tuple(table.model.model_fields)
    child, columns = sql.Identifier("erp", table.table), sql.SQL(", ").join(map(sql.Identifier, names))
    pairs = [sql.SQL("{}, t.{}").format(sql.Literal(one), sql.Identifier(one)) for one in names]
    taken = sql.SQL("DELETE FROM {} AS t USING strays AS s WHERE t.ctid = s.ctid RETURNING t.*").format(child)
    return sql.SQL(
        """
        WITH strays AS (
            SELECT c.ctid FROM {child} AS c
            WHERE NOT EXISTS (SELECT FROM {mirror} AS m WHERE m.{key} = c.{key} AND m.deleted_at IS NULL)
                AND NOT EXISTS (SELECT FROM tds.drift AS d WHERE d.run_id = %(run)s AND d.entity = %(entity)s
                    AND d.id = c.{key} AND d.kind = 'missing')
            LIMIT {limit} FOR UPDATE OF c SKIP LOCKED
        ), told AS ({told}), noted AS (
            INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value, status, how, healed_at)
            SELECT %(run)s, %(entity)s, t.{key}, 'local', {table} || '.' || t.{child_key}, jsonb_build_object({pairs}),
                'null', 'confirmed', {how}, CASE WHEN {how} IS NOT NULL THEN clock_timestamp() END
            FROM told AS t ON CONFLICT DO NOTHING
        )
        SELECT {columns} FROM told
        """
    ).format(
        child=child,
        mirror=sql.Identifier("erp", spec.table),
        key=sql.Identifier(spec.key),
        child_key=sql.Identifier(table.key),
        limit=sql.Literal(LIMIT),
        told=taken if remove else sql.SQL("SELECT t.* FROM {} AS t JOIN strays AS s ON t.ctid = s.ctid").format(child),
        table=sql.Literal(table.table),
        pairs=sql.SQL(", ").join(pairs),
        how=sql.Literal("removed" if remove else None),
        columns=columns,
    )
