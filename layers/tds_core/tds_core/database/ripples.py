"""What a written document may have changed elsewhere without Zoho saying so: stock by its lines, balances by it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql

from tds_core.database import backlog
from tds_core.database.candidates import Candidate
from tds_core.database.ordering import SKEW
from tds_core.entities import entity
from tds_core.entities.model import parse_id
from tds_core.entities.spec import EntitySpec
from tds_core.errors import InvalidId
from tds_core.lossless_json import JsonObject, dumps
from tds_core.priority import Priority

# a version is Zoho's clock cut to a second: what was seen within this time after it may still be the state before
_MARGIN = SKEW + timedelta(seconds=1)


# of each document its id and, by entity in the order of `_paths`, what stands at the paths there
References = Iterable[Sequence[Any]]


def referenced(connection: Connection, spec: EntitySpec, ids: Iterable[str]) -> References:
    """What the stored documents of these ids touch now, before they are replaced or emptied; to be read later."""
    paths = _paths(spec)
    asked = sorted(ids)
    if not (paths and asked):
        return ()
    return connection.execute(_stored_query(spec.table, spec.key, tuple(paths.values())), (asked,))


def request(
    connection: Connection,
    spec: EntitySpec,
    changed: Mapping[str, Candidate],
    *,
    before: References,
    hold_s: float,
) -> None:
    """Request what the changed documents touch or touched, held back so that many touches become one fetch.

    A line that was taken out and a document that was deleted move stock and balances as one that was added does.
    Only what was last seen before the change: a history that is loaded late asks for nothing.
    """
    if not changed:
        return
    for touch in spec.touches:
        if touch.refresh == "walk":
            _mark_scan(connection, entity(touch.entity), changed.values())
    stored = list(before)
    unseen: dict[str, Iterable[tuple[Any, ...]]] = {}
    for place, (name, paths) in enumerate(_paths(spec).items(), 1):
        touched = _touched(paths, changed, [(row[0], row[place]) for row in stored])
        unseen[name] = _unseen(connection, entity(name), touched)
    for name, rows in unseen.items():
        ids = [row[0] for row in rows]
        backlog.request(connection, name, ids, priority=Priority.RIPPLE, cause=f"ripple:{spec.name}", hold_s=hold_s)


def _paths(spec: EntitySpec) -> dict[str, tuple[str, ...]]:
    """By entity all the ways that lead to its records."""
    paths: dict[str, tuple[str, ...]] = {}
    for touch in spec.touches:
        if touch.refresh == "fetch":
            paths[touch.entity] = (*paths.get(touch.entity, ()), touch.path)
    return paths


def values_at(document: JsonObject, path: str) -> list[Any]:
    """The values a dotted path leads to; `line_items[].item_id` leads to one per line."""
    *steps, last = _steps(path)
    holders = [document]
    for name in steps:
        found = [holder.get(name) for holder in holders]
        flat = [part for value in found for part in (value if isinstance(value, list) else (value,))]
        holders = [part for part in flat if isinstance(part, dict)]
    return [holder.get(last) for holder in holders]


@lru_cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(name.removesuffix("[]") for name in path.split("."))


def _touched(
    paths: Sequence[str], changed: Mapping[str, Candidate], before: Iterable[tuple[str, list[Any]]]
) -> dict[str, datetime]:
    """Each touched id with the latest change that touches it."""
    now = [(holder, values_at(one.zoho or {}, path)) for holder, one in changed.items() for path in paths]
    latest: dict[str | int, datetime] = {}
    for holder, values in (*before, *now):
        at = _changed_at(changed[holder])
        for value in values:
            if isinstance(value, (str, int)) and latest.get(value, at) <= at:
                latest[value] = at
    touched: dict[str, datetime] = {}
    for value, at in latest.items():
        with suppress(InvalidId):  # a line without an item
            touched_id = parse_id(value)
            touched[touched_id] = max(at, touched.get(touched_id, at))
    return touched


def _changed_at(candidate: Candidate) -> datetime:
    """The document's version; one without a version, and a deletion, counts as of its sight."""
    return candidate.observation.version or candidate.observation.observed.at


@lru_cache
def _stored_query(table: str, key: str, paths: tuple[tuple[str, ...], ...]) -> sql.Composed:
    def values(group: tuple[str, ...]) -> sql.Composed:
        steps = (sql.Literal("$." + path.replace("[]", "[*]")) for path in group)
        return sql.SQL(" || ").join(sql.SQL("jsonb_path_query_array(d.zoho, {})").format(step) for step in steps)

    # the whole document as an expression, so that it is decompressed once and not once a path
    return sql.SQL(
        """
        SELECT m.{key}, {found} FROM {mirror} AS m CROSS JOIN LATERAL (SELECT m.zoho #> '{{}}' AS zoho OFFSET 0) AS d
        WHERE m.{key} = ANY(%s) AND m.zoho IS NOT NULL
        """
    ).format(key=sql.Identifier(key), mirror=sql.Identifier("erp", table), found=sql.SQL(", ").join(map(values, paths)))


def _unseen(connection: Connection, target: EntitySpec, touched: dict[str, datetime]) -> Iterable[tuple[Any, ...]]:
    """The ids that were last seen before they were touched; to be read later."""
    if not touched:
        return ()
    return connection.execute(_unseen_query(target.table, target.key), (dumps(touched), _MARGIN))


@lru_cache
def _unseen_query(table: str, key: str) -> sql.Composed:
    return sql.SQL(
        """
        SELECT t.key FROM json_each_text(%s::json) AS t LEFT JOIN {mirror} AS m ON m.{key} = t.key
        WHERE m.{key} IS NULL OR coalesce(m.detail_observed_at, m.observed_at) <= t.value::timestamptz + %s
        """
    ).format(mirror=sql.Identifier("erp", table), key=sql.Identifier(key))


def _mark_scan(connection: Connection, target: EntitySpec, changed: Iterable[Candidate]) -> None:
    """Note that the list needs another walk, unless it was walked after these changes."""
    latest = max(map(_changed_at, changed))
    connection.execute(
        """
        UPDATE tds.cursors SET touched_at = now()
        WHERE scan = %s AND coalesce(walked_at, walk_started_at) <= %s
            AND (touched_at IS NULL OR touched_at <= walk_started_at)
        """,
        (target.scan_name, latest + _MARGIN),
    )
