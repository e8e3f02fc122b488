"""The SQL of the mirror's tables, composed from an entity's spec."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from tds_core import lossless_json
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
_AT_ONCE = 25  # rows a statement


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
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write the named columns of each row and leave the others alone; rows with the same columns go together.

    In a pipeline PostgreSQL writes some while the next ones are made into JSON. A column that is a part of the raw
    document is cut out of it by PostgreSQL, which so reads that JSON once. Returns, to be read when it is needed, of
    those in `stored`, which have a row already, the old values of the JSON columns that differ: PostgreSQL compares
    them where they are, and most never travel.
    """
    groups: dict[tuple[tuple[str, ...], frozenset[str], bool], list[dict[str, Any]]] = defaultdict(list)
    for document_id in sorted(rows):
        row = rows[document_id]
        names = tuple(sorted(row.keys() - {spec.key}))
        replaces = document_id in stored and not spec.json_columns.isdisjoint(row)
        groups[names, _parts(spec, row), replaces].append({**row, spec.key: document_id})
    asked: list[tuple[tuple[str, ...], Cursor[TupleRow]]] = []
    for (names, parts, replaces), group in groups.items():
        nested = tuple(name for name in names if name in spec.json_columns) if replaces else ()
        for start in range(0, len(group), _AT_ONCE):
            told = _told(group[start : start + _AT_ONCE], parts)
            if replaces:
                query = _replace_query(spec.table, spec.key, names, parts, nested)
                asked.append((nested, connection.execute(query, told)))
            else:
                connection.execute(_upsert_query(spec.table, spec.key, names, parts), told)
    return ((row[0], _replaced(nested, row[1:])) for nested, cursor in asked for row in cursor)


Children = dict[str, dict[str, list[dict[str, Any]]]]


def replace_children(connection: Connection, spec: EntitySpec, documents: Iterable[Candidate]) -> Children:
    """Replace the child rows of the documents that carry the list; returns the old ones by table and document."""
    written = sorted(documents, key=lambda candidate: candidate.id)
    replaced: Children = {}
    for table in spec.children:
        carrying = [candidate for candidate in written if table.table in candidate.children]
        replaced[table.table] = _delete_children(connection, spec, table, [candidate.id for candidate in carrying])
        names = (spec.key, *sorted(table.model.model_fields))
        rows = [
            {**child, spec.key: candidate.id} for candidate in carrying for child in candidate.children[table.table]
        ]
        if rows:
            connection.execute(_insert_query(table.table, names), _told(rows))
    return replaced


def bury(connection: Connection, spec: EntitySpec, deaths: Mapping[str, Candidate]) -> None:
    """Mark rows as deleted, empty their children and keep the evidence, also of ids that never had a row."""
    if not deaths:
        return
    ids = sorted(deaths)
    times = [deaths[document_id].observation.observed.at for document_id in ids]
    evidence = [Jsonb(dict(deaths[document_id].evidence)) for document_id in ids]
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
        SELECT %s, d.id, d.at, d.evidence
        FROM unnest(%s::text[], %s::timestamptz[], %s::jsonb[]) AS d (id, at, evidence)
        ON CONFLICT (entity, id) DO UPDATE SET deleted_at = excluded.deleted_at, evidence = excluded.evidence
        """,
        (spec.name, ids, times, evidence),
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
        "list_hash": _bytea(track.hash),
    }


def document_values(record: Record) -> dict[str, Any]:
    """The document track's columns."""
    track = record.document
    return {
        "detail_version": track.version,
        "detail_observed_at": track.observed.at if track.observed else None,
        "detail_observed_by": track.observed.clock.value if track.observed else None,
        "content_hash": _bytea(track.hash),
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
    """The moment of a column pair; on a clock that nobody can tell, on the one that proves less."""
    return Moment(at=at, clock=Clock.FETCH if clock == Clock.FETCH else Clock.WEBHOOK) if at else None


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
        SELECT i.id, m.{key} IS NOT NULL, CASE WHEN m.{key} IS NULL THEN t.deleted_at ELSE m.deleted_at END, {columns}
        FROM (SELECT %s AS entity, unnest(%s::text[]) AS id) AS i
        LEFT JOIN {mirror} AS m ON m.{key} = i.id
        LEFT JOIN tds.tombstones AS t ON t.entity = i.entity AND t.id = i.id
        """
    ).format(key=sql.Identifier(key), columns=sql.SQL(", ").join(columns), mirror=_erp(table))


@lru_cache
def _upsert_query(table: str, key: str, names: tuple[str, ...], parts: frozenset[str]) -> sql.SQL:
    def assignment(name: str) -> sql.Composable:
        # what stays as it is keeps its place: PostgreSQL would compress and store an equal value anew
        new = "CASE WHEN m.{0} = excluded.{0} THEN m.{0} ELSE excluded.{0} END" if name in parts else "excluded.{0}"
        return sql.SQL("{0} = " + new).format(sql.Identifier(name))

    assignments = map(assignment, names)
    return _flat(
        "{insert} ON CONFLICT ({key}) DO UPDATE SET {assignments}, synced_at = now()",
        insert=_insert_query(table, (key, *names), parts),
        key=sql.Identifier(key),
        assignments=sql.SQL(", ").join(assignments),
    )


@lru_cache
def _replace_query(
    table: str, key: str, names: tuple[str, ...], parts: frozenset[str], nested: tuple[str, ...]
) -> sql.SQL:
    """The upsert of rows that are there, with their old JSON: all parts of a statement see the table as it was."""
    pairs = [
        sql.SQL("o.{0} IS NULL AND n.{0} IS NOT NULL, NULLIF(o.{0}, n.{0})").format(sql.Identifier(name))
        for name in nested
    ]
    return _flat(
        """
        WITH n AS ({upsert} RETURNING m.{key}, {columns})
        SELECT n.{key}, {pairs} FROM n
        CROSS JOIN LATERAL (SELECT {columns} FROM {mirror} AS m WHERE m.{key} = n.{key} LIMIT 1) AS o
        """,
        upsert=_upsert_query(table, key, names, parts),
        columns=sql.SQL(", ").join(sql.Identifier("m", name) for name in nested),
        pairs=sql.SQL(", ").join(pairs),
        mirror=_erp(table),
        key=sql.Identifier(key),
    )


@lru_cache
def _insert_query(table: str, names: tuple[str, ...], parts: frozenset[str] = frozenset()) -> sql.SQL:
    """Many rows as one JSON text, and beside it their raw documents, so that nobody reads these twice."""

    def value(name: str) -> sql.Composable:
        if name in parts:
            return sql.SQL("r.unnest -> {}").format(sql.Literal(name))
        return sql.SQL("r.unnest") if name == _RAW else sql.Identifier("r", name)

    return _flat(
        """
        INSERT INTO {table} AS m ({names}) SELECT {values}
        FROM ROWS FROM (json_populate_recordset(NULL::{table}, %(rows)s::json), unnest(%(documents)b::jsonb[])) AS r
        """,
        table=_erp(table),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(map(value, names)),
    )


def _flat(query: str, **parts: sql.Composable) -> sql.SQL:
    """A query put together once, instead of again at every use."""
    return sql.SQL(sql.SQL(query).format(**parts).as_string())


def _told(rows: Sequence[Mapping[str, Any]], parts: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The parameters of an insert: rows without their raw documents and what is cut out of these, and the documents."""
    left_out = parts | {_RAW}
    plain = [{name: value for name, value in row.items() if name not in left_out} for row in rows]
    documents = [None if row.get(_RAW) is None else Jsonb(row[_RAW]) for row in rows]
    return {"rows": lossless_json.dumps(plain), "documents": documents}


def _erp(table: str) -> sql.Identifier:
    return sql.Identifier("erp", table)


def _parts(spec: EntitySpec, row: Mapping[str, Any]) -> frozenset[str]:
    """The row's JSON columns that stand under their own name in its raw document, too."""
    document = row.get(_RAW) or {}
    present = (name for name in spec.json_columns if row.get(name) is not None)
    return frozenset(name for name in present if row[name] == document.get(name))


def _bytea(value: bytes | None) -> str | None:
    return None if value is None else f"\\x{value.hex()}"
