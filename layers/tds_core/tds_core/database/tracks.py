"""What a row's tracks say of when it was seen and in which version, where that cannot be so.

The ordering rule believes them: a sight of the future would keep a row in motion for ever, and beside a version that is
too late each true state would be an older one. A run that heals sets them right before it has the record fetched.
"""

from collections.abc import Sequence
from datetime import timedelta

from psycopg import Connection, sql

from tds_core.database.comparison import VERSION
from tds_core.entities.spec import EntitySpec

_SIGHTS = ("observed_at", "detail_observed_at", "deleted_at")
# clocks of ours are apart by seconds
_AHEAD = timedelta(minutes=1)
# no list is behind for so long
_LONGEST_LAG = timedelta(hours=1)


def note_impossible(connection: Connection, run_id: int, spec: EntitySpec) -> None:
    """Keep as a difference what cannot be: a sight or deletion that is still to come, a live record's tombstone."""
    pairs = [sql.SQL("({}, m.{})").format(sql.Literal(name), sql.Identifier(name)) for name in _SIGHTS]
    query = sql.SQL(
        """
        INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value, status)
        SELECT %(run)s, %(entity)s, coalesce(m.{key}, t.id), 'local', s.field, to_jsonb(s.at), to_jsonb(now()),
            'confirmed'
        FROM {mirror} AS m
        FULL JOIN (SELECT id, deleted_at FROM tds.tombstones WHERE entity = %(entity)s) AS t ON t.id = m.{key}
        CROSS JOIN LATERAL (VALUES {pairs}, ('tombstone', t.deleted_at)) AS s (field, at)
        WHERE s.at > now() + %(ahead)s OR s.field = 'tombstone' AND s.at IS NOT NULL AND {is_live}
        ON CONFLICT DO NOTHING
        """
    ).format(
        key=sql.Identifier(spec.key), mirror=_mirror(spec), pairs=sql.SQL(", ").join(pairs), is_live=_is_live(spec)
    )
    connection.execute(query, {"run": run_id, "entity": spec.name, "ahead": _AHEAD})


def end_impossible(connection: Connection, spec: EntitySpec) -> None:
    """Set it right, in the transaction that has noted it: those times become now, those tombstones go.

    Now is the latest that they can have been: too late a mark costs a call, too early a one lets an older state in.
    """
    values = {"entity": spec.name, "ahead": _AHEAD}
    true = sql.SQL("{0} = CASE WHEN {0} > now() + %(ahead)s THEN now() ELSE {0} END")
    connection.execute(
        sql.SQL("UPDATE {mirror} SET {true} WHERE greatest({sights}) > now() + %(ahead)s").format(
            mirror=_mirror(spec),
            true=sql.SQL(", ").join(true.format(sql.Identifier(name)) for name in _SIGHTS),
            sights=sql.SQL(", ").join(map(sql.Identifier, _SIGHTS)),
        ),
        values,
    )
    connection.execute(
        sql.SQL(
            "DELETE FROM tds.tombstones AS t USING {mirror} AS m"
            " WHERE t.entity = %(entity)s AND t.id = m.{key} AND {is_live}"
        ).format(mirror=_mirror(spec), key=sql.Identifier(spec.key), is_live=_is_live(spec)),
        values,
    )
    connection.execute(
        "UPDATE tds.tombstones SET deleted_at = now() WHERE entity = %(entity)s AND deleted_at > now() + %(ahead)s",
        values,
    )


def believe_list(connection: Connection, run_id: int, spec: EntitySpec, ids: Sequence[str]) -> None:
    """Where a page of these ids tells an older version than the row, take its word, if nobody saw the row of late.

    A list that is merely behind must not let older rows in. Records that are list rows have no other version to fetch.
    """
    unseen_for = timedelta(0) if spec.rows_are_documents else _LONGEST_LAG
    query = sql.SQL(
        "{lower} AND d.id = ANY(%(ids)s)"
        " AND coalesce(greatest(m.observed_at, m.detail_observed_at) <= now() - %(unseen_for)s, true)"
    )
    connection.execute(
        query.format(lower=_lower(spec, VERSION, sql.SQL("d.told"))),
        {"run": run_id, "entity": spec.name, "ids": list(ids), "unseen_for": unseen_for},
    )


def believe_document(connection: Connection, run_id: int, spec: EntitySpec) -> None:
    """Where a document and its version contradict each other, believe the lower one: what is fetched is not older.

    It is not lower than the list's, where they share one.
    """
    told = "greatest(d.told, m.last_modified_time)" if spec.shares_version else "d.told"
    connection.execute(
        _lower(spec, "detail_version", sql.SQL(told)),
        {"run": run_id, "entity": spec.name},
    )


def _lower(spec: EntitySpec, column: str, told: sql.Composable) -> sql.Composed:
    return sql.SQL(
        """
        UPDATE {mirror} AS m SET {column} = {told}
        FROM (
            SELECT id, (erp_value #>> '{{}}')::timestamptz AS held, (zoho_value #>> '{{}}')::timestamptz AS told
            FROM tds.drift WHERE run_id = %(run)s AND entity = %(entity)s AND field = {name} AND how IS NULL
        ) AS d
        WHERE m.{key} = d.id AND m.{column} = d.held AND {told} < d.held
        """
    ).format(
        mirror=_mirror(spec),
        key=sql.Identifier(spec.key),
        column=sql.Identifier(column),
        name=sql.Literal(column),
        told=told,
    )


def _mirror(spec: EntitySpec) -> sql.Identifier:
    return sql.Identifier("erp", spec.table)


def _is_live(spec: EntitySpec) -> sql.Composed:
    return sql.SQL("m.{} IS NOT NULL AND m.deleted_at IS NULL").format(sql.Identifier(spec.key))
