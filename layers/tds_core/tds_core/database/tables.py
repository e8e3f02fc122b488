"""The SQL of the mirror's tables, composed from an entity's spec."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from tds_core.database.candidates import Candidate
from tds_core.database.ordering import Clock, Moment, Record, Track
from tds_core.entities.spec import ChildTable, EntitySpec

_TRACKS = (
    "last_modified_time",
    "observed_at",
    "observed_by",
    "list_hash",
    "detail_version",
    "detail_observed_at",
    "detail_observed_by",
    "content_hash",
)
_RAW = "zoho"


def lock(connection: Connection, spec: EntitySpec, ids: Sequence[str]) -> None:
    """Take the ids for this transaction, also those that have no row yet; in one order, so nobody waits in a ring."""
    connection.execute(
        """
        SELECT pg_advisory_xact_lock(hashtext(%s), key)
        FROM (SELECT DISTINCT hashtext(id) AS key FROM unnest(%s::text[]) AS id ORDER BY 1) AS keys
        """,
        (spec.name, list(ids)),
    )


def read(connection: Connection, spec: EntitySpec, ids: Sequence[str]) -> dict[str, Record]:
    """What the mirror holds of each id."""
    names = tuple(sorted((spec.plain_columns | spec.shared_columns) - {spec.key}))
    rows = connection.execute(_read_query(spec.table, spec.key, names), (spec.name, list(ids))).fetchall()
    return {row[0]: _record((spec.key, *names), row) for row in rows}


def upsert(
    connection: Connection, spec: EntitySpec, rows: Mapping[str, Mapping[str, Any]], *, stored: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Write the named columns of each row and leave the others alone; rows with the same columns go together.

    A column that is a part of the raw document is cut out of it by PostgreSQL, which so reads that JSON once. Returns
    of those in `stored`, which have a row already, the old values of the JSON columns that differ: PostgreSQL compares
    them where they are, and most never travel.
    """
    groups: dict[tuple[tuple[str, ...], frozenset[str], bool], list[dict[str, Any]]] = defaultdict(list)
    for document_id in sorted(rows):
        row = rows[document_id]
        parts = _parts(row)
        values = {name: _adapt(value) for name, value in row.items() if name not in parts}
        replaces = document_id in stored and not spec.json_columns.isdisjoint(row)
        groups[tuple(sorted(row.keys() - {spec.key})), parts, replaces].append(values | {spec.key: document_id})
    replaced: dict[str, dict[str, Any]] = {}
    with connection.cursor() as cursor:
        for (names, parts, replaces), parameters in groups.items():
            if not replaces:
                cursor.executemany(_upsert_query(spec.table, spec.key, names, parts), parameters)
                continue
            nested = tuple(name for name in names if name in spec.json_columns)
            query = _replace_query(spec.table, spec.key, names, parts, nested)
            cursor.executemany(query, parameters, returning=True)
            for values, results in zip(parameters, cursor.results(), strict=True):
                for pairs in results:
                    replaced[values[spec.key]] = _replaced(nested, pairs)
    return replaced


Children = dict[str, dict[str, list[dict[str, Any]]]]


def replace_children(connection: Connection, spec: EntitySpec, documents: Iterable[Candidate]) -> Children:
    """Replace the child rows of the documents that carry the list; returns the old ones by table and document."""
    written = sorted(documents, key=lambda candidate: candidate.id)
    replaced: Children = {}
    for table in spec.children:
        carrying = [candidate for candidate in written if table.table in candidate.children]
        replaced[table.table] = _delete_children(connection, spec, table, [candidate.id for candidate in carrying])
        names = (spec.key, *sorted(table.model.model_fields))
        parameters = [
            {name: _adapt(child.get(name)) for name in names} | {spec.key: candidate.id}
            for candidate in carrying
            for child in candidate.children[table.table]
        ]
        with connection.cursor() as cursor:
            cursor.executemany(_insert_query(table.table, names), parameters)
    return replaced


def bury(connection: Connection, spec: EntitySpec, deaths: Mapping[str, datetime]) -> None:
    """Mark rows as deleted, empty their children and keep the evidence, also of ids that never had a row."""
    if not deaths:
        return
    ids = sorted(deaths)
    times = [deaths[document_id] for document_id in ids]
    connection.execute(
        sql.SQL(
            """
            UPDATE {mirror} AS m SET deleted_at = d.at, synced_at = now()
            FROM unnest(%s::text[], %s::timestamptz[]) AS d (id, at) WHERE m.{key} = d.id
            """
        ).format(mirror=_erp(spec.table), key=sql.Identifier(spec.key)),
        (ids, times),
    )
    for table in spec.children:
        _delete_children(connection, spec, table, ids)
    connection.execute(
        """
        INSERT INTO tds.tombstones (entity, id, deleted_at, evidence)
        SELECT %s, d.id, d.at, %s FROM unnest(%s::text[], %s::timestamptz[]) AS d (id, at)
        ON CONFLICT (entity, id) DO UPDATE SET deleted_at = excluded.deleted_at, evidence = excluded.evidence
        """,
        (spec.name, Jsonb({"code": 1002}), ids, times),
    )


def raise_dead(connection: Connection, spec: EntitySpec, ids: Iterable[str]) -> None:
    """Lift the tombstones of records that are back."""
    if ids:
        connection.execute("DELETE FROM tds.tombstones WHERE entity = %s AND id = ANY(%s)", (spec.name, sorted(ids)))


def header_values(record: Record) -> dict[str, Any]:
    """The header track's columns."""
    track = record.header
    return {
        "last_modified_time": track.version,
        "observed_at": track.observed.at if track.observed else None,
        "observed_by": track.observed.clock.value if track.observed else None,
        "list_hash": track.hash,
    }


def document_values(record: Record) -> dict[str, Any]:
    """The document track's columns."""
    track = record.document
    return {
        "detail_version": track.version,
        "detail_observed_at": track.observed.at if track.observed else None,
        "detail_observed_by": track.observed.clock.value if track.observed else None,
        "content_hash": track.hash,
    }


def _record(names: Sequence[str], row: Sequence[Any]) -> Record:
    document_id, exists, deleted_at, *rest = row
    (modified, observed_at, observed_by, list_hash, version, detail_at, detail_by, content_hash) = rest[: len(_TRACKS)]
    return Record(
        exists=exists,
        deleted_at=deleted_at,
        header=Track(version=modified, observed=_moment(observed_at, observed_by), hash=list_hash),
        document=Track(version=version, observed=_moment(detail_at, detail_by), hash=content_hash),
        columns=dict(zip(names, (document_id, *rest[len(_TRACKS) :]), strict=True)),
    )


def _moment(at: datetime | None, clock: str | None) -> Moment | None:
    return Moment(at=at, clock=Clock(clock)) if at and clock else None


def _delete_children(
    connection: Connection, spec: EntitySpec, table: ChildTable, ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Take the documents' child rows away; returns them by document."""
    names = tuple(sorted(table.model.model_fields))
    deleted: dict[str, list[dict[str, Any]]] = {}
    if ids:
        query = sql.SQL("DELETE FROM {} WHERE {key} = ANY(%s) RETURNING {key}, {names}").format(
            _erp(table.table), key=sql.Identifier(spec.key), names=sql.SQL(", ").join(map(sql.Identifier, names))
        )
        for document_id, *values in connection.execute(query, (list(ids),)):
            deleted.setdefault(document_id, []).append(dict(zip(names, values, strict=True)))
    return deleted


def _replaced(nested: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """The old values of what differs, from pairs: whether there was none, and what there was if it differs."""
    pairs = zip(nested, row[::2], row[1::2], strict=True)
    return {name: value for name, is_new, value in pairs if is_new or value is not None}


@lru_cache
def _read_query(table: str, key: str, names: tuple[str, ...]) -> sql.Composed:
    columns = [sql.Identifier("m", name) for name in (*_TRACKS, *names)]
    return sql.SQL(
        """
        SELECT i.id, m.{key} IS NOT NULL, t.deleted_at, {columns}
        FROM (SELECT %s AS entity, unnest(%s::text[]) AS id) AS i
        LEFT JOIN {mirror} AS m ON m.{key} = i.id
        LEFT JOIN tds.tombstones AS t ON t.entity = i.entity AND t.id = i.id
        """
    ).format(key=sql.Identifier(key), columns=sql.SQL(", ").join(columns), mirror=_erp(table))


@lru_cache
def _upsert_query(table: str, key: str, names: tuple[str, ...], parts: frozenset[str]) -> sql.Composed:
    assignments = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in names]
    return sql.SQL("{insert} ON CONFLICT ({key}) DO UPDATE SET {assignments}, synced_at = now()").format(
        insert=_insert_query(table, (key, *names), parts),
        key=sql.Identifier(key),
        assignments=sql.SQL(", ").join(assignments),
    )


@lru_cache
def _replace_query(
    table: str, key: str, names: tuple[str, ...], parts: frozenset[str], nested: tuple[str, ...]
) -> sql.Composed:
    """The upsert of a row that is there, with its old JSON: all parts of a statement see the table as it was before."""
    pairs = [
        sql.SQL("o.{0} IS NULL AND n.{0} IS NOT NULL, NULLIF(o.{0}, n.{0})").format(sql.Identifier(name))
        for name in nested
    ]
    return sql.SQL(
        """
        WITH n AS ({upsert} RETURNING {columns})
        SELECT {pairs} FROM n CROSS JOIN (SELECT {columns} FROM {mirror} WHERE {key} = {id}) AS o
        """
    ).format(
        upsert=_upsert_query(table, key, names, parts),
        columns=sql.SQL(", ").join(map(sql.Identifier, nested)),
        pairs=sql.SQL(", ").join(pairs),
        mirror=_erp(table),
        key=sql.Identifier(key),
        id=sql.Placeholder(key),
    )


@lru_cache
def _insert_query(table: str, names: tuple[str, ...], parts: frozenset[str] = frozenset()) -> sql.Composed:
    def value(name: str) -> sql.Composable:
        part = sql.SQL("{} -> {}").format(sql.Placeholder(_RAW), sql.Literal(name))
        return part if name in parts else sql.Placeholder(name)

    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        _erp(table), sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(value, names))
    )


def _erp(table: str) -> sql.Identifier:
    return sql.Identifier("erp", table)


def _parts(row: Mapping[str, Any]) -> frozenset[str]:
    """The row's columns that stand under their own name in its raw document, too."""
    document = row.get(_RAW) or {}
    return frozenset(
        name for name, value in row.items() if isinstance(value, dict | list) and value == document.get(name)
    )


def _adapt(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict | list) else value
