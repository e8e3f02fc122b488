"""What a row's tracks say of when it was seen and in which version, where that cannot be so.

The ordering rule believes them: a sight of the future would keep a row in motion for ever, and beside a version that is
too late each true state would be an older one. A run that heals sets them right before it has the record fetched.
"""

from datetime import timedelta

from psycopg import Connection, sql

from tds_core.database.comparison import VERSION
from tds_core.entities.spec import EntitySpec

_SIGHTS = ("observed_at", "detail_observed_at", "deleted_at")
# no two clocks of ours are so far apart, and no list is behind for so long
_BEYOND_DOUBT = timedelta(hours=1)


def note_future(connection: Connection, run_id: int, spec: EntitySpec) -> None:
    """Keep every time of sight or deletion that is still to come as a difference; it cannot be later than now."""
    pairs = [sql.SQL("({}, m.{})").format(sql.Literal(name), sql.Identifier(name)) for name in _SIGHTS]
    query = sql.SQL(
        """
        INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value, status)
        SELECT %(run)s, %(entity)s, coalesce(m.{key}, t.id), 'local', s.field, to_jsonb(s.at), to_jsonb(now()),
            'confirmed'
        FROM {mirror} AS m
        FULL JOIN (SELECT id, deleted_at FROM tds.tombstones WHERE entity = %(entity)s) AS t ON t.id = m.{key}
        CROSS JOIN LATERAL (VALUES {pairs}, ('tombstone', t.deleted_at)) AS s (field, at)
        WHERE s.at > now() + %(beyond)s ON CONFLICT DO NOTHING
        """
    ).format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table), pairs=sql.SQL(", ").join(pairs))
    connection.execute(query, {"run": run_id, "entity": spec.name, "beyond": _BEYOND_DOUBT})


def end_future(connection: Connection, spec: EntitySpec) -> None:
    """Make them now, in the transaction that has noted them.

    It is the latest that they can have been: too late a mark costs a call, too early a one would let an older state in.
    """
    values = {"entity": spec.name, "beyond": _BEYOND_DOUBT}
    true = sql.SQL("{0} = CASE WHEN {0} > now() + %(beyond)s THEN now() ELSE {0} END")
    connection.execute(
        sql.SQL("UPDATE {mirror} SET {true} WHERE greatest({sights}) > now() + %(beyond)s").format(
            mirror=sql.Identifier("erp", spec.table),
            true=sql.SQL(", ").join(true.format(sql.Identifier(name)) for name in _SIGHTS),
            sights=sql.SQL(", ").join(map(sql.Identifier, _SIGHTS)),
        ),
        values,
    )
    connection.execute(
        "UPDATE tds.tombstones SET deleted_at = now() WHERE entity = %(entity)s AND deleted_at > now() + %(beyond)s",
        values,
    )


def lower_versions(connection: Connection, run_id: int, spec: EntitySpec) -> None:
    """Where the run found two versions of one track, believe the lower one: what is fetched then is not older.

    A list may be behind; then the document that is fetched brings the true one back. Where documents tell another
    version than lists do nothing would, so a list is believed only of what nobody has seen of late.
    """
    _lower(connection, run_id, spec, "detail_version")
    _lower(connection, run_id, spec, VERSION, unseen_for=timedelta(0) if spec.shares_version else _BEYOND_DOUBT)


def _lower(
    connection: Connection, run_id: int, spec: EntitySpec, column: str, *, unseen_for: timedelta = timedelta(0)
) -> None:
    query = sql.SQL(
        """
        UPDATE {mirror} AS m SET {column} = d.told
        FROM (
            SELECT id, (erp_value #>> '{{}}')::timestamptz AS held, (zoho_value #>> '{{}}')::timestamptz AS told
            FROM tds.drift WHERE run_id = %(run)s AND entity = %(entity)s AND field = %(column)s AND how IS NULL
        ) AS d
        WHERE m.{key} = d.id AND m.{column} = d.held AND d.told < d.held
            AND coalesce(greatest(m.observed_at, m.detail_observed_at) <= now() - %(unseen_for)s, true)
        """
    ).format(mirror=sql.Identifier("erp", spec.table), key=sql.Identifier(spec.key), column=sql.Identifier(column))
    values = {"run": run_id, "entity": spec.name, "column": column, "unseen_for": unseen_for}
    connection.execute(query, values)
