"""What a dead thing is, wherever it lies: one line of `tds dlq list`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tds_core.database.parked import Parked
from tds_core.errors import is_permanent
from tds_core.lossless_json import JsonObject
from tds_core.sync.dead_queue import DeadMessage
from tds_core.sync.process import fields_of, ids_of, sendable
from tds_core.zoho.routes import ROUTES

DEAD_LETTERS, UNROUTED, FAILED_RUNS, BACKLOG = "dead_letters", "unrouted", "failed_runs", "backlog"
PERMANENT_REDRIVES = 3
_LONGEST_WAIT = timedelta(hours=6)
_REASON_LENGTH = 500
_UNTOLD = "no reason was told: the message was delivered too often without an end"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadThing:
    """One dead thing.

    `id` names the place and the thing in it, and stays the same as long as it lies there; `redrives` are those so far.
    `reason` begins with the class of the error; it is "" where only SQS knows (`told` has words for people).
    """

    id: str
    where: str
    entity: str | None
    ids: tuple[str, ...]
    reason: str
    first_seen: datetime
    redrives: int
    trace_id: str | None

    @property
    def line(self) -> dict[str, Any]:
        """As `tds dlq list --json` shows it."""
        return {
            "id": self.id,
            "where": self.where,
            "entity": self.entity,
            "ids": list(self.ids),
            "reason": self.reason or _UNTOLD,
            "first_seen": self.first_seen.isoformat(),
            "redrives": self.redrives,
            "trace_id": self.trace_id,
        }

    def is_due(self, message: DeadMessage, now: datetime, *, base_s: float) -> bool:
        """Whether it may be driven back without anybody's word.

        After a wait that doubles with each redrive up to six hours; what fails for a permanent reason three times only.
        """
        if is_permanent(self.reason) and self.redrives >= PERMANENT_REDRIVES:
            return False
        wait = min(timedelta(seconds=base_s * 2.0 ** min(self.redrives, 20)), _LONGEST_WAIT)
        return now - message.sent_at >= wait


def letter(queue: str, message: DeadMessage) -> DeadThing:
    """A message of an entity's dead-letter queue; one that SQS itself moved there says nothing but what it holds."""
    fields, stated = fields_of(message.body), message.attributes
    return DeadThing(
        id=f"{DEAD_LETTERS}/{queue}/{message.message_id}",
        where=DEAD_LETTERS,
        entity=stated.get("entity") or _text(fields, "entity") or queue,
        ids=tuple(ids_of(fields)),
        reason=stated.get("reason", ""),
        first_seen=_instant(stated.get("first_seen", ""), otherwise=message.sent_at),
        redrives=_number(stated.get("redrives", "")),
        trace_id=stated.get("trace_id") or _text(fields, "trace_id") or None,
    )


def unrouted(message: DeadMessage) -> DeadThing:
    """A webhook that the receiver could not understand; its body lies in S3."""
    note = fields_of(message.body)
    route = ROUTES.get(_text(note, "module"))
    return DeadThing(
        id=f"{UNROUTED}/{message.message_id}",
        where=UNROUTED,
        entity=route.entities[0] if route and len(route.entities) == 1 else None,
        ids=(),
        reason=sendable(f"{_text(note, 'reason')}: {_text(note, 'detail')}", _REASON_LENGTH),
        first_seen=_instant(_text(note, "observed_at"), otherwise=message.sent_at),
        redrives=0,
        trace_id=_text(note, "trace_id") or None,
    )


def failed_run(message: DeadMessage) -> DeadThing:
    """A run that a schedule or a command started and that failed, as Lambda or the scheduler wrote it down."""
    record = fields_of(message.body)
    request, answer = payload_of(record), record.get("responsePayload")
    told = answer if isinstance(answer, dict) else {}
    error = f"{told.get('errorType') or 'not started'}: {told.get('errorMessage') or _scheduler(message.attributes)}"
    context = record.get("requestContext")
    return DeadThing(
        id=f"{FAILED_RUNS}/{message.message_id}",
        where=FAILED_RUNS,
        entity=None,
        ids=(),
        reason=sendable(f"{request.get('mode') or 'housekeeping'}: {error}", _REASON_LENGTH),
        first_seen=_instant(_text(record, "timestamp"), otherwise=message.sent_at),
        redrives=0,
        trace_id=(_text(context, "requestId") or None) if isinstance(context, dict) else None,
    )


def parked(row: Parked) -> DeadThing:
    """A request that was given up for now."""
    return DeadThing(
        id=f"{BACKLOG}/{row.entity}/{row.id}",
        where=BACKLOG,
        entity=row.entity,
        ids=(row.id,),
        reason=row.reason,
        first_seen=row.requested_at,
        redrives=row.retries,
        trace_id=None,
    )


def payload_of(record: JsonObject) -> JsonObject:
    """What a failed run was started with: Lambda wraps it in its own record, the scheduler hands it on as it is."""
    request = record.get("requestPayload", record)
    return request if isinstance(request, dict) else {}


def _scheduler(attributes: Mapping[str, str]) -> str:
    return " ".join(attributes[name] for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in attributes) or "no reason"


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(text: str) -> int:
    return int(text[:6]) if text.isascii() and text.isdigit() else 0


def _instant(text: str, *, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return found if found.tzinfo else otherwise
