"""Deletions as people see them: held back by the brake or for want of a witness, done with their evidence, approved."""

from typing import Any

from psycopg import sql

from tds_core.database.connection import Database
from tds_core.entities import REGISTRY

_UNCONFIRMED = "DeletionUnconfirmed"
_TOMBSTONES = sql.SQL(
    """
    (SELECT entity, id, deleted_at, evidence FROM tds.tombstones AS t
    WHERE entity = {entity} AND EXISTS (SELECT FROM {mirror} AS m WHERE m.{key} = t.id)
    ORDER BY deleted_at DESC, id LIMIT {limit})
    """
)


def withheld(database: Database) -> list[dict[str, Any]]:
    """The records that Zoho says are gone and whose deletion is not believed: {"entity", "id", "reason", ...}."""
    rows = database.execute(
        """
        SELECT entity, id, reason, requested_at, attempts, not_before, parked_at IS NOT NULL
        FROM tds.backlog WHERE reason LIKE %s ORDER BY entity, requested_at, id
        """,
        (f"{_UNCONFIRMED}%",),
    )
    names = ("entity", "id", "reason", "requested_at", "attempts", "not_before", "is_parked")
    return [dict(zip(names, row, strict=True)) for row in rows]


def done(database: Database, *, limit: int) -> list[dict[str, Any]]:
    """The newest deletions with their evidence: {"entity", "id", "deleted_at", "evidence"}.

    A tombstone of an id that the mirror never had a row of, as somebody mistyped it, is no deletion.
    """
    query = sql.SQL("{each} ORDER BY deleted_at DESC, entity, id LIMIT {limit}").format(
        each=sql.SQL(" UNION ALL ").join(
            _TOMBSTONES.format(
                entity=spec.name, mirror=sql.Identifier("erp", spec.table), key=sql.Identifier(spec.key), limit=limit
            )
            for spec in REGISTRY.values()
        ),
        limit=limit,
    )
    rows = database.execute(query)
    return [dict(zip(("entity", "id", "deleted_at", "evidence"), row, strict=True)) for row in rows]


def allowed(database: Database, entity: str) -> int:
    """How many deletions of a day a person has approved beyond the limit."""
    rows = database.execute(
        """
        SELECT allowed FROM tds.deletion_approvals WHERE entity = %s AND approved_at > now() - interval '24 hours'
        """,
        (entity,),
    )
    return int(rows[0][0]) if rows else 0


def approve(database: Database, entity: str, *, by: str) -> int:
    """Let what is held back of an entity now be deleted within a day, and have it asked for at once; returns how many.

    Each one still needs Zoho's word and a live witness; an approval only widens the brake.
    """
    with database.transaction() as connection:
        freed = connection.execute(
            """
            UPDATE tds.backlog SET not_before = now(), attempts = 0, parked_at = NULL
            WHERE entity = %s AND reason LIKE %s AND (leased_until IS NULL OR leased_until < now()) RETURNING id
            """,
            (entity, f"{_UNCONFIRMED}%"),
        ).fetchall()
        connection.execute(
            """
            INSERT INTO tds.deletion_approvals AS a (entity, allowed, approved_by) VALUES (%s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET approved_at = now(), approved_by = excluded.approved_by,
                allowed = excluded.allowed
                    + CASE WHEN a.approved_at > now() - interval '24 hours' THEN a.allowed ELSE 0 END
            """,
            (entity, len(freed), by),
        )
    return len(freed)
