"""The change log and the outbox: what became of every webhook and fetch, and what others are told of it.

One row of the change log per outcome tells each record's story. An outcome that changed the record is an event, too: it
takes the record's next number, under the record's lock, and waits in the outbox until it is published.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg import Connection

from tds_core import lossless_json
from tds_core.database import changes
from tds_core.database.candidates import Result
from tds_core.database.ordering import Kind, Outcome

_TRACE_ID_LENGTH = 256


class Event(StrEnum):
    """What happened to a record, as others see it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"


@dataclass(slots=True, kw_only=True)
class Chapter:
    """One outcome with what it changed and the event it is; `behind` counts the record's later events of the batch."""

    result: Result
    changes: Mapping[str, Any] | None = None
    event: Event | None = None
    behind: int = 0


def tell(
    results: Iterable[Result], *, known: Container[str], changed: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Chapter]:
    """The batch's outcomes in their order, except list rows that showed nothing new.

    `known` are the ids that had a row, also a deleted one, and `changed` is what the batch changed of these: the first
    outcome of an id that wrote accounts for all of it. A record's first event is that it was created; of what was never
    known nobody is told that it is gone.
    """
    left = dict(changed or {})
    latest: dict[str, Chapter] = {}
    chapters = []
    for result in results:
        document_id = result.candidate.id
        chapter = Chapter(result=result)
        if result.wrote:
            chapter.changes = left.pop(document_id, None)
            chapter.event = _event(result.outcome, is_known=document_id in known or document_id in latest)
            if chapter.event is Event.UPDATED and not chapter.changes:
                chapter.event = None
        if chapter.event and document_id in latest:
            latest[document_id].behind += 1
        if chapter.event:
            latest[document_id] = chapter
        is_news = result.candidate.observation.kind is not Kind.LIST_ROW or result.outcome is not Outcome.UNCHANGED
        if is_news or chapter.event:
            chapters.append(chapter)
    return chapters


def record(connection: Connection, entity: str, chapters: list[Chapter]) -> None:
    """Write the outcomes down, and their events into the outbox with the records' next numbers."""
    if not chapters:
        return
    told = [_row(chapter, place) for place, chapter in enumerate(chapters)]
    connection.execute(
        """
        WITH told AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%(told)s::json) AS t (
                place int, id text, outcome text, kind text, source text, observed_at timestamptz, version timestamptz,
                trace_id text, webhook text, reason text, changes jsonb, changed text[], event text, behind int)
        ), counted AS (
            INSERT INTO tds.revisions AS r (entity, id, revision)
            SELECT %(entity)s, id, count(*) FROM told WHERE event IS NOT NULL GROUP BY id
            ON CONFLICT (entity, id) DO UPDATE SET revision = r.revision + excluded.revision
            RETURNING id, revision
        ), numbered AS MATERIALIZED (
            SELECT told.*, counted.revision - told.behind AS sequence
            FROM told LEFT JOIN counted ON counted.id = told.id AND told.event IS NOT NULL
        ), published AS (
            INSERT INTO tds.outbox (entity, id, kind, changed, sequence, trace_id)
            SELECT %(entity)s, id, event, changed, sequence, trace_id
            FROM numbered WHERE event IS NOT NULL ORDER BY place
        )
        INSERT INTO tds.change_log (entity, id, outcome, kind, source, observed_at, version, trace_id, webhook, reason,
            changes, sequence)
        SELECT %(entity)s, id, outcome, kind, source, observed_at, version, trace_id, webhook, reason, changes, sequence
        FROM numbered ORDER BY place
        """,
        {"entity": entity, "told": lossless_json.dumps(told)},
    )


def _row(chapter: Chapter, place: int) -> dict[str, Any]:
    result, candidate = chapter.result, chapter.result.candidate
    return {
        "place": place,
        "id": candidate.id,
        "outcome": result.outcome.value,
        "kind": candidate.observation.kind.value,
        "source": candidate.source,
        "observed_at": candidate.observation.observed.at,
        "version": candidate.observation.version,
        "trace_id": candidate.trace_id[:_TRACE_ID_LENGTH] or None,
        "webhook": candidate.webhook or None,
        "reason": result.reason,
        "changes": changes.bounded(chapter.changes) if chapter.changes else None,
        "changed": sorted(chapter.changes or ()),
        "event": chapter.event.value if chapter.event else None,
        "behind": chapter.behind,
    }


def _event(outcome: Outcome, *, is_known: bool) -> Event | None:
    match outcome:
        case Outcome.DELETED:
            return Event.DELETED if is_known else None
        case Outcome.RESTORED if is_known:
            return Event.RESTORED
        case _:
            return Event.UPDATED if is_known else Event.CREATED
