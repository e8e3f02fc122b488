"""What a written document may have changed elsewhere without Zoho saying so: stock by its lines, balances by it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql

from tds_core.database import backlog
from tds_core.database.candidates import Candidate
from tds_core.database.ordering import SKEW
from tds_core.entities import entity
from tds_core.entities.model import parse_id
from tds_core.entities.spec import EntitySpec, Touch
from tds_core.errors import InvalidId
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority

# a version is Zoho's clock cut to a second: what was seen within this time after it may still be the state before
_MARGIN = SKEW + timedelta(seconds=1)


def request(connection: Connection, spec: EntitySpec, documents: Iterable[Candidate], *, hold_s: float) -> None:
    """Request what the documents touch, held back so that many touches of one record become one fetch.

    Only what was last seen before the document's version: a history that is loaded late asks for nothing.
    """
    written = list(documents)
    for touch in spec.touches if written else ():
        target = entity(touch.entity)
        if touch.refresh == "walk":
            _mark_scan(connection, target, written)
        else:
            ids = _unseen(connection, target, _touched(touch, written))
            backlog.request(
                connection, target.name, ids, priority=Priority.RIPPLE, cause=f"ripple:{spec.name}", hold_s=hold_s
            )


def values_at(document: JsonObject, path: str) -> Iterator[Any]:
    """The values a dotted path leads to; `line_items[].item_id` yields one per line."""
    name, _, rest = path.partition(".")
    value = document.get(name.removesuffix("[]"))
    if not rest:
        yield value
        return
    for element in value if isinstance(value, list) else [value]:
        if isinstance(element, dict):
            yield from values_at(element, rest)


def _touched(touch: Touch, written: list[Candidate]) -> dict[str, datetime]:
    """Each touched id with the latest version that touches it; a document without version touches as of its sight."""
    latest: dict[str, datetime] = {}
    for candidate in written:
        at = candidate.observation.version or candidate.observation.observed.at
        for value in values_at(candidate.zoho or {}, touch.path):
            try:
                touched = parse_id(value)
            except InvalidId:
                continue  # a line without an item
            latest[touched] = max(at, latest.get(touched, at))
    return latest


def _unseen(connection: Connection, target: EntitySpec, touched: dict[str, datetime]) -> list[str]:
    if not touched:
        return []
    query = sql.SQL(
        """
        SELECT t.id FROM unnest(%s::text[], %s::timestamptz[]) AS t (id, at)
        LEFT JOIN {mirror} AS m ON m.{key} = t.id
        WHERE m.{key} IS NULL OR coalesce(m.detail_observed_at, m.observed_at) <= t.at + %s
        """
    ).format(mirror=sql.Identifier("erp", target.table), key=sql.Identifier(target.key))
    return [row[0] for row in connection.execute(query, (list(touched), list(touched.values()), _MARGIN)).fetchall()]


def _mark_scan(connection: Connection, target: EntitySpec, written: list[Candidate]) -> None:
    """Note that the list needs another walk, unless it was walked after these documents."""
    latest = max(c.observation.version or c.observation.observed.at for c in written)
    connection.execute(
        """
        UPDATE tds.cursors SET touched_at = now()
        WHERE scan = %s AND coalesce(walked_at, walk_started_at) <= %s
            AND (touched_at IS NULL OR touched_at <= walk_started_at)
        """,
        (target.scan_name, latest + _MARGIN),
    )
