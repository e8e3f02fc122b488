"""Apply one queue to the mirror: a batch of messages in, one transaction, the failed ones back to the queue.

A processor never calls Zoho. What it misses it requests, and it wakes the drain for that.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tds_core import lossless_json
from tds_core.database.candidates import Candidate, from_document, mention
from tds_core.database.mirror import Mirror, count
from tds_core.database.ordering import Clock, Moment, Outcome
from tds_core.entities import REGISTRY, scans
from tds_core.entities.model import parse_instant
from tds_core.entities.spec import EntitySpec
from tds_core.errors import InvalidDocument, InvalidId, RetriableError, TdsError, foreseen
from tds_core.ids import parse_id
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority

SCHEMA = 1
_ATTRIBUTE_LENGTH = 256
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
    """One queue message, as the receiver writes it; a deletion may come without ids."""

    entity: str
    op: str
    ids: tuple[str, ...]
    document: JsonObject | None
    moment: Moment
    source: str
    trace_id: str
    webhook: str = ""

    @classmethod
    def parse(cls, body: str) -> "Message":
        """Read a message; raises InvalidDocument or InvalidId."""
        fields = lossless_json.loads(body)
        try:
            if fields["schema"] != SCHEMA or fields["op"] not in ("upsert", "delete", "request"):
                raise InvalidDocument("unknown schema or op")
            observed_at = parse_instant(fields["observed_at"])
            named = isinstance(fields["entity"], str) and isinstance(fields["ids"], list)
            if observed_at is None or not named or not (fields["ids"] or fields["op"] == "delete"):
                raise InvalidDocument("not a message of this schema")
            return cls(
                entity=fields["entity"],
                op=fields["op"],
                ids=tuple(parse_id(value) for value in fields["ids"]),
                document=fields["document"] if isinstance(fields["document"], dict) else None,
                moment=Moment(at=observed_at, clock=Clock.WEBHOOK),
                source=str(fields["source"]),
                trace_id=str(fields["trace_id"]),
                webhook=str(fields.get("webhook") or ""),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise InvalidDocument("not a message of this schema") from exc


@dataclass(slots=True, kw_only=True)
class Batch:
    """One SQS event on its way: what its messages say of each entity, which ones go back, and what was requested."""

    carried: dict[str, list[tuple[Candidate, Mapping[str, Any]]]] = field(default_factory=dict)
    failed: list[Mapping[str, Any]] = field(default_factory=list)
    requested: bool = False


class Processor:
    """One queue's processor; `specs` are the entities whose messages the queue carries."""

    def __init__(self, *specs: EntitySpec, mirror: Mirror, queue: Queue, waker: Waker) -> None:
        self._name = specs[0].queue
        self._specs = {spec.name: spec for spec in specs}
        self._mirror = mirror
        self._queue = queue
        self._waker = waker

    def handle(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Process an SQS event; returns the messages that SQS shall deliver again."""
        batch = Batch()
        for record in event["Records"]:
            try:
                spec, candidates = self._read(record)
                batch.carried.setdefault(spec.name, []).extend((candidate, record) for candidate in candidates)
                if not candidates:
                    self._seek(spec, record, batch)
            except Exception as exc:  # whatever it is, it must not cost the other messages
                self._bury(record, foreseen(exc), batch)
        outcomes = {name: self._apply(self._specs[name], carried, batch) for name, carried in batch.carried.items()}
        if batch.requested:
            self._waker.wake()
        for name, counts in (outcomes or {self._name: {}}).items():
            figures = {"entity": name, "messages": len(event["Records"]), "outcomes": counts}
            _log.info("batch applied", extra=figures)
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in _once(batch.failed)]}

    def _read(self, record: Mapping[str, Any]) -> tuple[EntitySpec, list[Candidate]]:
        """Whom a message is about and what it says: a full document of that entity, or else ids to request."""
        message = Message.parse(record["body"])
        spec = self._specs.get(message.entity)
        if spec is None:
            raise InvalidDocument(f"a message of {message.entity} on the queue of {self._name}")
        document = message.document if message.op == "upsert" else None
        moment, source, trace_id, webhook = message.moment, message.source, message.trace_id, message.webhook
        if document is not None and spec.is_document(document) and spec.is_own(document):
            return spec, [
                from_document(spec, document, moment=moment, source=source, trace_id=trace_id, webhook=webhook)
            ]
        return spec, [
            mention(document_id, moment=moment, source=source, trace_id=trace_id, webhook=webhook)
            for document_id in message.ids
        ]

    def _apply(
        self, spec: EntitySpec, carried: Sequence[tuple[Candidate, Mapping[str, Any]]], batch: Batch
    ) -> dict[str, int]:
        """Apply what the batch says of an entity, or postpone it; returns how often each outcome occurred."""
        candidates = [candidate for candidate, _ in carried]
        try:
            results = self._mirror.apply(spec, candidates, priority=Priority.WEBHOOK)
        except RetriableError as exc:
            _log.warning("batch postponed", extra={"entity": spec.name, "reason": exc.reason})
            for record in _once([record for _, record in carried]):
                self._postpone(record, batch)
            return {}
        batch.requested |= any(result.requested for result in results)
        for result in results:
            if result.outcome is Outcome.REJECTED:
                record = next(record for candidate, record in carried if candidate is result.candidate)
                self._bury(record, InvalidDocument(result.reason or "rejected"), batch)
        return count(results)

    def _seek(self, spec: EntitySpec, record: Mapping[str, Any], batch: Batch) -> None:
        """Have what was deleted found by what the list shows no more, for the message does not name it."""
        try:
            self._mirror.request_verification([own.name for own in scans()[spec.scan_name]], scan=spec.scan_name)
            _log.warning("a deletion without an id", extra={"scan": spec.scan_name})
        except RetriableError as exc:
            _log.warning("message postponed", extra={"entity": spec.name, "reason": exc.reason})
            self._postpone(record, batch)

    def _bury(self, record: Mapping[str, Any], exc: TdsError, batch: Batch) -> None:
        """Dead-letter a message that will never be applied, and ask Zoho for what it was about."""
        fields = fields_of(record["body"])
        ids, named = ids_of(fields), str(fields.get("entity", self._name))
        attributes = {
            "reason": f"{exc.reason}: {exc}",
            "entity": named if named in self._specs else self._name,
            "ids": ",".join(ids),
            "first_seen": _first_seen(record),
            "trace_id": str(fields.get("trace_id", "")),
            "redrives": _attribute(record, "redrives") or "0",
        }
        attributes = {name: sendable(value) for name, value in attributes.items()}
        try:
            batch.requested |= self._request(REGISTRY.get(named), ids, record)
            self._queue.bury(record, attributes)
            _log.error("message dead-lettered", extra=attributes)
        except RetriableError as retriable:
            _log.warning("message postponed", extra={"entity": self._name, "reason": retriable.reason})
            self._postpone(record, batch)

    def _request(self, spec: EntitySpec | None, ids: Sequence[str], record: Mapping[str, Any]) -> bool:
        """Request what the message was about; returns whether any id was requested.

        Without an entity and its ids nobody can tell which record it was, so this queue's lists are walked.
        """
        seen_at = datetime.fromisoformat(_first_seen(record))
        if spec is None or not ids:
            for scan in {own.scan_name for own in self._specs.values()}:
                if self._mirror.request_walk(scan, since=seen_at):
                    _log.warning("walk requested for a message without ids", extra={"scan": scan})
            return False
        moment = Moment(at=seen_at, clock=Clock.WEBHOOK)
        mentions = [mention(document_id, moment=moment, source="webhook") for document_id in ids]
        results = self._mirror.apply(spec, mentions, priority=Priority.WEBHOOK)
        return any(result.requested for result in results)

    def _postpone(self, record: Mapping[str, Any], batch: Batch) -> None:
        self._queue.postpone(record)
        batch.failed.append(record)


def fields_of(body: str) -> JsonObject:
    """What stands in a message that may be anything."""
    try:
        fields = lossless_json.loads(body)
    except InvalidDocument:
        return {}
    return fields if isinstance(fields, dict) else {}


def ids_of(fields: JsonObject) -> list[str]:
    """The ids a message names, as far as they are ids."""
    given = fields.get("ids")
    ids: list[str] = []
    for value in given if isinstance(given, list) else []:
        with suppress(InvalidId):
            ids.append(parse_id(value))
    return ids


def _first_seen(record: Mapping[str, Any]) -> str:
    """When the message was first sent; one that was driven back from the dead letters carries it along."""
    sent_ms = int(record["attributes"]["SentTimestamp"])
    return _attribute(record, "first_seen") or datetime.fromtimestamp(sent_ms / 1000, UTC).isoformat()


def _attribute(record: Mapping[str, Any], name: str) -> str:
    return str((record.get("messageAttributes") or {}).get(name, {}).get("stringValue") or "")


def sendable(value: str, length: int = _ATTRIBUTE_LENGTH) -> str:
    """The text as SQS takes it in an attribute: bounded, without control characters."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in value)
    return shown[:length]


def _once(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({record["messageId"]: record for record in records}.values())
