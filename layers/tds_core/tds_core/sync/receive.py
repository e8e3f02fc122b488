"""Take in a webhook: authentic, routed, stored, and only then answered with 202."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlencode

from tds_core import lossless_json
from tds_core.errors import ConfigurationError, QueueUnavailable, TdsError, foreseen
from tds_core.lossless_json import JsonObject
from tds_core.settings import Settings
from tds_core.zoho import webhooks
from tds_core.zoho.routes import ENTITIES, EVENTS, ROUTES, Route
from tds_core.zoho.webhook_secrets import WebhookSecrets
from tds_core.zoho.webhooks import Change, Webhook

SCHEMA = 1
_NEEDED = ("webhook_secret_arn", "unrouted_queue_url", "unrouted_bucket", "zoho_organization_id")
_RETRY_AFTER_S = 60
UNROUTED_FOLDER = "unrouted/"

_log = logging.getLogger(__name__)


class Storage(Protocol):
    """Where webhooks are stored; both methods raise QueueUnavailable unless the thing is stored."""

    def send(self, queue_url: str, message: str) -> None:
        """Put a message on a queue."""

    def keep(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        """Write an object."""


class Receiver:
    """The webhook endpoint.

    Raises ConfigurationError at its making when a setting or an entity's queue is missing. `count` gets each metric
    with 1 or 0, so that silence and quiet can be told apart; `clock` gives the time in UTC.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        secrets: WebhookSecrets,
        storage: Storage,
        count: Callable[[str, int], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = check(settings)
        self._queue_urls = dict(settings.queue_urls)
        self._secrets = secrets
        self._storage = storage
        self._count = count
        self._clock = clock

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer an API Gateway REST proxy event."""
        observed_at = self._clock()
        trace_id = webhooks.trace_id(event)
        status, unrouted = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, False
        if webhooks.body_size(event) <= self._settings.body_limit_bytes:
            status, unrouted = self._receive(Webhook.from_event(event, trace_id=trace_id), observed_at)
        is_rejected = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        self._count("WebhooksReceived", int(status == HTTPStatus.ACCEPTED))
        self._count("WebhooksRejected", int(is_rejected))
        self._count("WebhooksUnrouted", int(unrouted))
        if is_rejected:
            _log.warning("webhook rejected", extra={"status": int(status), "trace_id": trace_id})
        return _answer(status, trace_id)

    def _receive(self, webhook: Webhook, observed_at: datetime) -> tuple[HTTPStatus, bool]:
        if not self._is_authentic(webhook):
            return HTTPStatus.UNAUTHORIZED, False
        route = ROUTES.get(webhook.module)
        if route is None or webhook.event not in ("", *EVENTS):
            return HTTPStatus.NOT_FOUND, False
        try:
            return self._store(webhook, route, observed_at)
        except QueueUnavailable as exc:
            _log.error("webhook not stored", extra={"cause": str(exc), "trace_id": webhook.trace_id})
            return HTTPStatus.SERVICE_UNAVAILABLE, False

    def _is_authentic(self, webhook: Webhook) -> bool:
        if not webhook.signature:
            return False
        if webhooks.is_authentic(webhook, self._secrets.known()):
            return True
        return self._secrets.read_again() and webhooks.is_authentic(webhook, self._secrets.known())

    def _store(self, webhook: Webhook, route: Route, observed_at: datetime) -> tuple[HTTPStatus, bool]:
        try:
            changes = understand(webhook, route, organization_id=self._settings.zoho_organization_id)
            limit = self._settings.message_limit_bytes
            messages = [fitted(change, webhook, observed_at, limit_bytes=limit) for change in changes or ()]
        except Exception as exc:  # whatever it is, what Zoho sent is kept
            self._keep(webhook, observed_at, cause=foreseen(exc))
            return HTTPStatus.ACCEPTED, True
        if changes is None:
            return HTTPStatus.FORBIDDEN, False
        for change, text in messages:
            self._send(change, text, webhook)
        return HTTPStatus.ACCEPTED, False

    def _send(self, change: Change, text: str, webhook: Webhook) -> None:
        self._storage.send(self._queue_urls[change.entity], text)
        fields = {"entity": change.entity, "id": change.id, "operation": change.operation, "trace_id": webhook.trace_id}
        _log.info("webhook stored", extra=fields)

    def _keep(self, webhook: Webhook, observed_at: datetime, *, cause: TdsError) -> None:
        bucket, key = self._settings.unrouted_bucket, f"{UNROUTED_FOLDER}{observed_at:%Y-%m-%d}/{webhook.trace_id}"
        self._storage.keep(bucket, key, webhook.body, content_type=webhook.content_type)
        note = {
            "schema": SCHEMA,
            "bucket": bucket,
            "key": key,
            "module": webhook.module,
            "event": webhook.event,
            "query": urlencode(webhook.query, errors="replace"),
            "content_type": webhook.content_type,
            "reason": cause.reason,
            "detail": str(cause),
            "observed_at": _text(observed_at),
            "trace_id": webhook.trace_id,
        }
        self._storage.send(self._settings.unrouted_queue_url, _json(note))
        _log.warning("webhook not understood", extra={"key": key, "cause": str(cause), "trace_id": webhook.trace_id})


def check(settings: Settings) -> Settings:
    """The settings, if they are all that a receiver needs; else raises ConfigurationError."""
    settings.require(*_NEEDED)
    missing = sorted(set(ENTITIES) - {entity for entity, url in settings.queue_urls if url})
    if missing:
        raise ConfigurationError(f"no queue for {', '.join(missing)}")
    return settings


def understand(webhook: Webhook, route: Route, *, organization_id: str) -> tuple[Change, ...] | None:
    """What the webhook announces; None if it is another organisation's. Raises InvalidDocument or InvalidId."""
    content = webhooks.read(webhook, route)
    if content.organizations - {organization_id}:
        return None
    return webhooks.changes(content, route, event=webhook.event)


def fitted(change: Change, webhook: Webhook, observed_at: datetime, *, limit_bytes: int) -> tuple[Change, str]:
    """The queue's entry for a change; a document too large for the queue travels as its id."""
    tell = partial(message, observed_at=observed_at, trace_id=webhook.trace_id, webhook=webhook.address)
    text = tell(change)
    if len(text.encode()) > limit_bytes:
        change = Change(entity=change.entity, operation="request", id=change.id, document=None)
        text = tell(change)
    return change, text


def message(change: Change, *, observed_at: datetime, trace_id: str, source: str = "webhook", webhook: str = "") -> str:
    """One entry of an entity's queue, as the processor reads it; `webhook` is the address that the change came by."""
    return _json(
        {
            "schema": SCHEMA,
            "entity": change.entity,
            "op": change.operation,
            "ids": [change.id] if change.id else [],
            "document": change.document,
            "observed_at": _text(observed_at),
            "source": source,
            "trace_id": trace_id,
        }
        | ({"webhook": webhook} if webhook else {})
    )


def _json(value: JsonObject) -> str:
    """JSON text that SQS takes: it refuses these two characters unless they are escaped."""
    return lossless_json.dumps(value).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _answer(status: HTTPStatus, trace_id: str) -> dict[str, Any]:
    """Only the stored are told more than the status."""
    headers = {"Content-Type": "application/json"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    body = json.dumps({"trace_id": trace_id}) if status == HTTPStatus.ACCEPTED else ""
    return {"statusCode": int(status), "headers": headers, "body": body, "isBase64Encoded": False}
