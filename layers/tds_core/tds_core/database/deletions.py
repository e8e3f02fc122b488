"""Deletions: what speaks for one beside Zoho's word, and how people see, trace and approve them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from psycopg import sql

from tds_core.database.connection import Database
from tds_core.database.ordering import SKEW
from tds_core.entities import REGISTRY
from tds_core.entities.spec import EntitySpec

_DOUBTED, _UNCONFIRMED = "DeletionDoubted", "DeletionUnconfirmed"
_TOMBSTONES = sql.SQL(
    """
    (SELECT entity, id, deleted_at, evidence FROM tds.tombstones AS t
    WHERE entity = {entity} AND EXISTS (SELECT FROM {mirror} AS m WHERE m.{key} = t.id)
    ORDER BY deleted_at DESC, id LIMIT {limit})
    """
)


def is_expected(database: Database, spec: EntitySpec, document_id: str) -> bool:
    """Whether more than one answer of Zoho's says that a live record is gone.

    A webhook announced it since the record was last seen, a whole list was read without it, or Zoho has said so before.
    """
    query = sql.SQL(
        """
        SELECT EXISTS (
            SELECT FROM tds.change_log AS c LEFT JOIN {mirror} AS m ON m.{key} = c.id
            WHERE c.entity = %(entity)s AND c.id = %(id)s AND c.source = 'webhook'
                AND split_part(c.webhook, '/', 2) = 'deleted'
                AND c.observed_at > coalesce(m.detail_observed_at, '-infinity') - %(skew)s
        ) OR EXISTS (
            SELECT FROM tds.drift WHERE entity = %(entity)s AND id = %(id)s AND kind = 'extra' AND how IS NULL
        ) OR EXISTS (
            SELECT FROM tds.backlog WHERE entity = %(entity)s AND id = %(id)s
                AND (starts_with(reason, %(doubted)s) OR starts_with(reason, %(unconfirmed)s))
        )
        """
    ).format(mirror=sql.Identifier("erp", spec.table), key=sql.Identifier(spec.key))
    known = {"entity": spec.name, "id": document_id, "skew": SKEW, "doubted": _DOUBTED, "unconfirmed": _UNCONFIRMED}
    rows = database.execute(query, known)
    return bool(rows[0][0])


def is_of_lists_only(database: Database, spec: EntitySpec, document_id: str) -> bool:
    """Whether no document of a row ever came, and a whole list lacked it since: some list showed it by mistake."""
    query = sql.SQL(
        """
        SELECT EXISTS (
            SELECT FROM {mirror} AS m JOIN tds.drift AS d ON d.entity = %s AND d.id = m.{key} AND d.kind = 'extra'
            WHERE m.{key} = %s AND m.detail_observed_at IS NULL AND d.suspected_at > m.observed_at
        )
        """
    ).format(mirror=sql.Identifier("erp", spec.table), key=sql.Identifier(spec.key))
    return bool(database.execute(query, (spec.name, document_id))[0][0])


def lost_since(
    database: Database, spec: EntitySpec, document_id: str, confirmed: Collection[str], *, since: datetime | None
) -> int:
    """How many other records went since then or are `confirmed` to go."""
    query = sql.SQL(
        """
        SELECT count(*) FROM {mirror} AS m
        WHERE (m.deleted_at > %s OR m.deleted_at IS NULL AND m.{key} = ANY(%s)) AND m.{key} <> %s
        """
    ).format(mirror=sql.Identifier("erp", spec.table), key=sql.Identifier(spec.key))
    return int(database.execute(query, (since, list(confirmed), document_id))[0][0])


def lost(database: Database, spec: EntitySpec, document_id: str, confirmed: Collection[str]) -> tuple[int, int]:
    """How many other records went within a day or are `confirmed` to go, and how many rows there are.

    Rows of which no document ever came and others are counted apart: neither uses up what the other may lose.
    """
    query = sql.SQL(
        """
        SELECT count(*) FILTER (
            WHERE (m.deleted_at > now() - interval '24 hours' OR m.{key} = ANY(%s)) AND m.{key} <> own.{key}
                AND (m.detail_observed_at IS NULL) = (own.detail_observed_at IS NULL)
        ), count(*)
        FROM {mirror} AS m JOIN {mirror} AS own ON own.{key} = %s
        """
    ).format(mirror=sql.Identifier("erp", spec.table), key=sql.Identifier(spec.key))
    ((gone, rows),) = database.execute(query, (list(confirmed), document_id))
    return gone, rows


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


def approved(database: Database, entity: str) -> tuple[int, datetime | None]:
    """How many deletions of what a person has approved within a day beyond the limit, and when; 0 without that.

    What goes after it uses it up.
    """
    rows = database.execute(
        """
        SELECT allowed, approved_at FROM tds.deletion_approvals
        WHERE entity = %s AND approved_at > now() - interval '24 hours'
        """,
        (entity,),
    )
    return rows[0] if rows else (0, None)


def approve(database: Database, entity: str, *, by: str) -> int:
    """Let what is held back of an entity now be deleted within a day, and have it asked for at once; returns how many.

    Each one still needs Zoho's word and a live witness; an approval only widens the brake. It takes the place of an
    earlier one, so what was approved before and has not gone yet counts once.
    """
    with database.transaction() as connection:
        freed = connection.execute(
            """
            UPDATE tds.backlog SET not_before = now(), attempts = 0, parked_at = NULL
            WHERE entity = %s AND reason LIKE %s RETURNING id
            """,
            (entity, f"{_UNCONFIRMED}%"),
        ).fetchall()
        connection.execute(
            """
            INSERT INTO tds.deletion_approvals (entity, allowed, approved_by) VALUES (%s, %s, %s)
            ON CONFLICT (entity) DO UPDATE
            SET approved_at = now(), approved_by = excluded.approved_by, allowed = excluded.allowed
            """,
            (entity, len(freed), by),
        )
    return len(freed)
