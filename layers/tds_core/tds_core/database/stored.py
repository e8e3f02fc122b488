"""What the mirror holds of an entity, whole rows in batches by key, so that it can be recomputed from its documents."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql

from tds_core.database import backlog
from tds_core.database.connection import Database
from tds_core.entities import entity
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One live row with its child rows, as of one moment; `is_waiting` while its document is to be fetched anew."""

    id: str
    columns: Mapping[str, Any]
    children: Mapping[str, Sequence[Mapping[str, Any]]]
    zoho: JsonObject | None
    content_hash: bytes | None
    detail_version: datetime | None
    detail_observed_at: datetime
    is_waiting: bool


def batch(database: Database, spec: EntitySpec, *, after: str, limit: int) -> list[Stored]:
    """The next live rows that ever had a document, in the order of their keys; all of one snapshot."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        rows = connection.execute(_rows_query(spec.name), (spec.name, after, limit)).fetchall()
        ids = [row[0] for row in rows]
        children = {table.table: _children(connection, spec, table, ids) for table in spec.children}
    names = tuple(spec.model.model_fields)
    return [
        Stored(
            id=document_id,
            zoho=zoho,
            content_hash=content_hash,
            detail_version=version,
            detail_observed_at=detail_observed_at,
            is_waiting=is_waiting,
            columns=dict(zip(names, values, strict=True)),
            children={table: found.get(document_id, []) for table, found in children.items()},
        )
        for document_id, zoho, content_hash, version, detail_observed_at, is_waiting, *values in rows
    ]


def request_forgotten(connection: Connection, spec: EntitySpec) -> int:
    """Ask for the documents that never came and that nobody asks for any more; returns how many."""
    query = sql.SQL(
        """
        SELECT m.{key} FROM {mirror} AS m LEFT JOIN tds.backlog AS b ON b.entity = %s AND b.id = m.{key}
        WHERE m.deleted_at IS NULL AND m.detail_observed_at IS NULL AND b.id IS NULL
        """
    ).format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table))
    ids = [row[0] for row in connection.execute(query, (spec.name,)).fetchall()]
    if ids:
        backlog.request(connection, spec.name, ids, priority=Priority.BACKFILL, cause="verification")
    return len(ids)


def oldest(database: Database, spec: EntitySpec, *, limit: int) -> list[tuple[str, datetime]]:
    """The live documents that were not seen for longest, and when they were; none that waits to be fetched."""
    query = sql.SQL(
        """
        SELECT m.{key}, m.detail_observed_at FROM {mirror} AS m
        LEFT JOIN tds.backlog AS b ON b.entity = %s AND b.id = m.{key}
        WHERE m.deleted_at IS NULL AND m.detail_observed_at IS NOT NULL AND b.id IS NULL
        ORDER BY m.detail_observed_at LIMIT %s
        """
    ).format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table))
    rows: list[tuple[str, datetime]] = database.execute(query, (spec.name, limit))
    return rows


def age(database: Database, spec: EntitySpec) -> tuple[int, float | None]:
    """How many live documents there are, and the age in days of the one that was not seen for longest."""
    query = sql.SQL(
        """
        SELECT count(*), extract(epoch FROM now() - min(detail_observed_at))::float8 / 86400 FROM {mirror}
        WHERE deleted_at IS NULL AND detail_observed_at IS NOT NULL
        """
    ).format(mirror=sql.Identifier("erp", spec.table))
    count, days = database.execute(query)[0]
    return count, days


def unknown(database: Database, spec: EntitySpec, ids: Collection[str]) -> set[str]:
    """Those of the ids that have no live row."""
    query = sql.SQL(
        """
        SELECT i.id FROM unnest(%s::text[]) AS i (id)
        LEFT JOIN {mirror} AS m ON m.{key} = i.id AND m.deleted_at IS NULL WHERE m.{key} IS NULL
        """
    ).format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table))
    return {row[0] for row in database.execute(query, (sorted(ids),))}


def _children(
    connection: Connection, spec: EntitySpec, table: ChildTable, ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    names = tuple(table.model.model_fields)
    query = sql.SQL("SELECT {key}, {columns} FROM {child} WHERE {key} = ANY(%s)").format(
        key=sql.Identifier(spec.key),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        child=sql.Identifier("erp", table.table),
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for document_id, *values in connection.execute(query, (ids,)):
        found.setdefault(document_id, []).append(dict(zip(names, values, strict=True)))
    return found


@lru_cache
def _rows_query(name: str) -> sql.Composed:
    spec = entity(name)
    return sql.SQL(
        """
        SELECT m.{key}, m.zoho, m.content_hash, m.detail_version, m.detail_observed_at,
            b.id IS NOT NULL, {columns}
        FROM {mirror} AS m LEFT JOIN tds.backlog AS b ON b.entity = %s AND b.id = m.{key}
        WHERE m.deleted_at IS NULL AND m.detail_observed_at IS NOT NULL AND m.{key} > %s
        ORDER BY m.{key} LIMIT %s
        """
    ).format(
        key=sql.Identifier(spec.key),
        columns=sql.SQL(", ").join(sql.Identifier("m", name) for name in spec.model.model_fields),
        mirror=sql.Identifier("erp", spec.table),
    )
