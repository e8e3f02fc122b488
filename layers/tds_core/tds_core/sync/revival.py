"""How dead things come back, and what they carry: each raises a TdsError if the thing has to stay where it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

from tds_core.aws import Storage
from tds_core.database import images, parked
from tds_core.database.connection import Database
from tds_core.entities import entity
from tds_core.errors import ConfigurationError, InvalidDocument, UnknownEntity
from tds_core.lossless_json import JsonObject
from tds_core.settings import Settings
from tds_core.sync import receive
from tds_core.sync.dead_queue import DeadMessage
from tds_core.sync.dead_things import DeadThing, payload_of
from tds_core.sync.process import fields_of
from tds_core.sync.queue import send
from tds_core.zoho.routes import ROUTES, Route
from tds_core.zoho.webhooks import Webhook

SHOWN_BYTES = 64 * 1024


class Starter(Protocol):
    """Starts the modes of the backfill function."""

    def wake(self) -> None:
        """Start the drain; never raises."""

    def start(self, mode: str, **event: Any) -> None:
        """Start a mode; raises QueueUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a dead thing carries, cut at `SHOWN_BYTES`; `size` is its whole length in bytes."""

    text: str
    size: int


class Revival:
    """Brings dead things back by the way that their kind has."""

    def __init__(
        self, settings: Settings, *, sqs: Any, storage: Storage, database: Database, starter: Starter | None
    ) -> None:
        self._settings = settings
        self._urls = dict(settings.queue_urls)
        self._sqs = sqs
        self._storage = storage
        self._database = database
        self._starter = starter

    def letter(self, queue: str, thing: DeadThing, message: DeadMessage) -> None:
        """Send the message to its queue again, with one redrive more."""
        attributes = {"first_seen": thing.first_seen.isoformat(), "redrives": str(thing.redrives + 1)}
        send(self._sqs, self._urls[queue], message.body, attributes)

    def unrouted(self, thing: DeadThing, message: DeadMessage) -> None:
        """Read the webhook as the receiver does now, which may know better than then, and send what it announces."""
        note = fields_of(message.body)
        webhook, route, observed_at = self._webhook(note)
        changes = receive.understand(webhook, route, organization_id=self._settings.zoho_organization_id)
        if changes is None:
            raise InvalidDocument("a webhook of another organisation")
        for change in changes:
            limit = self._settings.message_limit_bytes
            _, text = receive.fitted(change, webhook, observed_at, limit_bytes=limit)
            send(self._sqs, self._urls[change.entity], text, {})

    def failed_run(self, thing: DeadThing, message: DeadMessage) -> None:
        """Start the run again as it was started; a lease keeps it from working beside another one."""
        request = payload_of(fields_of(message.body))
        mode = request.get("mode")
        if not isinstance(mode, str) or mode == "housekeeping":
            raise InvalidDocument("only its schedule starts this run")
        self._can_start().start(mode, **{name: value for name, value in request.items() if name != "mode"})

    def parked(self, thing: DeadThing) -> None:
        """Have the document or image fetched at once, with all its attempts before it."""
        if thing.entity is None:
            raise UnknownEntity("a request without an entity")
        name = images.ENTITY if thing.entity == images.ENTITY else entity(thing.entity).name
        parked.bring_back(self._database, name, thing.ids[0])
        self._can_start().wake()

    def text(self, message: DeadMessage) -> Payload:
        """A message's own body."""
        return _payload(message.body.encode("utf-8", "surrogatepass"))

    def webhook_body(self, message: DeadMessage) -> Payload:
        """The body of the webhook that a note is about."""
        content, size = self._body(fields_of(message.body), limit_bytes=SHOWN_BYTES)
        return _payload(content, size=size)

    def _can_start(self) -> Starter:
        if self._starter is None:
            raise ConfigurationError("this function may start nothing")
        return self._starter

    def _webhook(self, note: JsonObject) -> tuple[Webhook, Route, datetime]:
        """The webhook as it arrived; raises InvalidDocument when the note cannot be understood either."""
        try:
            route = ROUTES[note["module"]]
            observed_at = datetime.fromisoformat(note["observed_at"])
            content, size = self._body(note, limit_bytes=self._settings.body_limit_bytes)
            if size > len(content):
                raise InvalidDocument(f"a body of {size} bytes")
            webhook = Webhook(
                module=route.module,
                event=note["event"],
                query=tuple(parse_qsl(note["query"], keep_blank_values=True)),
                body=content,
                content_type=note["content_type"],
                signature="",
                trace_id=note["trace_id"],
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise InvalidDocument("not a note of an unrouted webhook") from exc
        return webhook, route, observed_at

    def _body(self, note: JsonObject, *, limit_bytes: int) -> tuple[bytes, int]:
        key = note.get("key")
        if not isinstance(key, str) or not key.startswith(receive.UNROUTED_FOLDER):
            raise InvalidDocument("not a note of an unrouted webhook")
        return self._storage.read(self._settings.unrouted_bucket, key, limit_bytes=limit_bytes)


def _payload(content: bytes, *, size: int | None = None) -> Payload:
    shown = content[:SHOWN_BYTES].decode("utf-8", "replace")
    return Payload(text=shown, size=len(content) if size is None else size)
