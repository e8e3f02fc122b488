"""Apply one entity's queue to the mirror: a batch of messages in, one transaction, the failed ones back to the queue.

A processor never calls Zoho. What it misses it requests, and it wakes the drain for that.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tds_core import lossless_json
from tds_core.database.candidates import Candidate, from_document, mention
from tds_core.database.mirror import Mirror, count
from tds_core.database.ordering import Clock, Moment, Outcome
from tds_core.entities.spec import EntitySpec
from tds_core.errors import InvalidDocument, PermanentError, RetriableError, TdsError
from tds_core.ids import parse_id
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority

SCHEMA = 1
_log = logging.getLogger(__name__)


class Queue(Protocol):
    """What the processor needs of its queue."""

    def postpone(self, record: Mapping[str, Any]) -> None:
        """Let the message be seen again later, the later the more often it came."""

    def bury(self, record: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """Send the message to the dead-letter queue with the reason; raises QueueUnavailable."""


class Waker(Protocol):
    """Starts the drain at once instead of at its next tick."""

    def wake(self) -> None:
        """Never raises: the schedule is the net."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One queue message, as the receiver writes it."""

    entity: str
    op: str
    ids: tuple[str, ...]
    document: JsonObject | None
    moment: Moment
    source: str
    trace_id: str

    @classmethod
    def parse(cls, body: str) -> "Message":
        """Read a message; raises InvalidDocument or InvalidId."""
        fields = lossless_json.loads(body)
        try:
            if fields["schema"] != SCHEMA or fields["op"] not in ("upsert", "delete", "request"):
                raise InvalidDocument("unknown schema or op")
            observed_at = datetime.fromisoformat(fields["observed_at"]).astimezone(UTC)
            return cls(
                entity=fields["entity"],
                op=fields["op"],
                ids=tuple(parse_id(value) for value in fields["ids"]),
                document=fields["document"] if isinstance(fields["document"], dict) else None,
                moment=Moment(at=observed_at, clock=Clock.WEBHOOK),
                source=str(fields["source"]),
                trace_id=str(fields["trace_id"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise InvalidDocument("not a message of this schema") from exc


class Processor:
    """One entity's processor."""

    def __init__(self, spec: EntitySpec, *, mirror: Mirror, queue: Queue, waker: Waker) -> None:
        self._spec = spec
        self._mirror = mirror
        self._queue = queue
        self._waker = waker

    def handle(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Process an SQS event; returns the messages that SQS shall deliver again."""
        candidates: list[Candidate] = []
        carriers: dict[str, list[Mapping[str, Any]]] = {}
        failed: list[Mapping[str, Any]] = []
        for record in event["Records"]:
            try:
                found = self._candidates(record)
            except PermanentError as exc:
                self._bury(record, exc, failed)
                continue
            candidates += found
            for candidate in found:
                carriers.setdefault(candidate.id, []).append(record)
        failed += self._apply(candidates, carriers, event["Records"])
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in _once(failed)]}

    def _candidates(self, record: Mapping[str, Any]) -> list[Candidate]:
        """What a message says: a document, or ids to request; of another entity, nothing."""
        message = Message.parse(record["body"])
        if message.entity != self._spec.name:
            raise InvalidDocument(f"a message of {message.entity} on the queue of {self._spec.name}")
        document = message.document
        if message.op == "upsert" and document is not None and not self._spec.is_own(document):
            return []
        if message.op == "upsert" and document is not None and self._spec.is_document(document):
            return [
                from_document(
                    self._spec, document, moment=message.moment, source=message.source, trace_id=message.trace_id
                )
            ]
        return [
            mention(document_id, moment=message.moment, source=message.source, trace_id=message.trace_id)
            for document_id in message.ids
        ]

    def _apply(
        self,
        candidates: Sequence[Candidate],
        carriers: Mapping[str, Sequence[Mapping[str, Any]]],
        records: Sequence[Mapping[str, Any]],
    ) -> list[Mapping[str, Any]]:
        try:
            results = self._mirror.apply(self._spec, candidates, priority=Priority.WEBHOOK)
        except RetriableError as exc:
            _log.warning("batch postponed", extra={"entity": self._spec.name, "reason": exc.reason})
            waiting = _once([record for carried in carriers.values() for record in carried])
            for record in waiting:
                self._queue.postpone(record)
            return waiting
        failed: list[Mapping[str, Any]] = []
        for result in results:
            if result.outcome is Outcome.REJECTED:
                for record in carriers[result.candidate.id]:
                    self._bury(record, InvalidDocument(result.reason or "rejected"), failed)
        if any(result.requested for result in results):
            self._waker.wake()
        _log.info("batch applied", extra={"entity": self._spec.name, "messages": len(records), **count(results)})
        return failed

    def _bury(self, record: Mapping[str, Any], exc: TdsError, failed: list[Mapping[str, Any]]) -> None:
        """Dead-letter a message that will never be applied, and ask Zoho for what it was about."""
        ids = _ids_of(record)
        attributes = {
            "reason": f"{exc.reason}: {exc}"[:256],
            "entity": self._spec.name,
            "ids": ",".join(ids)[:256],
            "first_seen": _first_seen(record),
        }
        try:
            self._request(ids, record)
            self._queue.bury(record, attributes)
            _log.error("message dead-lettered", extra=attributes)
        except RetriableError as retriable:
            _log.warning("message postponed", extra={"entity": self._spec.name, "reason": retriable.reason})
            self._queue.postpone(record)
            failed.append(record)

    def _request(self, ids: Sequence[str], record: Mapping[str, Any]) -> None:
        moment = Moment(at=datetime.fromisoformat(_first_seen(record)), clock=Clock.WEBHOOK)
        mentions = [mention(document_id, moment=moment, source="webhook") for document_id in ids]
        if mentions:
            self._mirror.apply(self._spec, mentions, priority=Priority.WEBHOOK)
            self._waker.wake()


def _ids_of(record: Mapping[str, Any]) -> list[str]:
    """The ids a message names, as far as it can be read at all."""
    try:
        return [parse_id(value) for value in lossless_json.loads(record["body"])["ids"]]
    except (PermanentError, KeyError, TypeError):
        return []


def _first_seen(record: Mapping[str, Any]) -> str:
    sent_ms = int(record["attributes"]["SentTimestamp"])
    return datetime.fromtimestamp(sent_ms / 1000, UTC).isoformat()


def _once(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({record["messageId"]: record for record in records}.values())
