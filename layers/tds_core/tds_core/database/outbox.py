"""The events that no bus has accepted yet; written by `story` in the transaction that made them true."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tds_core.database.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One event of a record; `sequence` counts the record's events from 1 without a gap."""

    event_id: int
    entity: str
    id: str
    kind: str
    changed: Sequence[str]
    sequence: int
    at: datetime
    trace_id: str | None

    @property
    def record(self) -> tuple[str, str]:
        """Whose event it is."""
        return self.entity, self.id


def waiting(database: Database, *, limit: int, without: Collection[tuple[str, str]] = ()) -> list[Waiting]:
    """The oldest events, except those of some records.

    Always from the front: a number that was taken earlier may be committed later, so none may be passed over.
    """
    rows = database.execute(
        """
        SELECT event_id, entity, id, kind, changed, sequence, at, trace_id FROM tds.outbox AS o
        WHERE NOT EXISTS (
            SELECT FROM unnest(%s::text[], %s::text[]) AS s (entity, id) WHERE s.entity = o.entity AND s.id = o.id)
        ORDER BY event_id LIMIT %s
        """,
        ([entity for entity, _ in without], [document_id for _, document_id in without], limit),
    )
    names = ("event_id", "entity", "id", "kind", "changed", "sequence", "at", "trace_id")
    return [Waiting(**dict(zip(names, row, strict=True))) for row in rows]


def accept(database: Database, events: Collection[Waiting]) -> None:
    """The bus has these: they need not be kept any longer."""
    database.execute("DELETE FROM tds.outbox WHERE event_id = ANY(%s)", ([event.event_id for event in events],))


def figures(database: Database) -> dict[str, Any]:
    """How many events wait, and for how many seconds the oldest does."""
    rows = database.execute(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 FROM tds.outbox"
    )
    count, age_s = rows[0]
    return {"waiting": count, "age_s": round(max(age_s, 0.0), 1)}
