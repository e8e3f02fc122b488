"""API Gateway events as the webhook receiver gets them, and a receiver that stores in memory."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tds_core import lossless_json
from tds_core.errors import QueueUnavailable
from tds_core.settings import Settings
from tds_core.sync.receive import Receiver
from tds_core.zoho.routes import ENTITIES
from tds_core.zoho.webhook_secrets import WebhookSecrets
from tds_core.zoho.webhooks import SIGNATURE_HEADER, sign

SECRET = "currentSecret01"
PREVIOUS = "previousSecret1"
ORGANIZATION = "10234695"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
Pairs = Sequence[tuple[str, str]]


def webhook_event(
    path: str = "invoices/updated",
    body: bytes = b'{"invoice": {"invoice_id": "42"}}',
    *,
    query: Pairs = (),
    content_type: str = "application/json",
    secret: str = SECRET,
    signature: str | None = None,
    header: str = SIGNATURE_HEADER,
    as_base64: bool = True,
    request_id: str = "4f0c2c1e-0000-4000-8000-000000000001",
) -> dict[str, Any]:
    """A signed POST; `signature` replaces the right one, "" leaves the header out."""
    module, _, event = path.partition("/")
    headers = {"content-type": content_type}
    given = sign(secret, body, query) if signature is None else signature
    if given:
        headers[header] = given
    several: dict[str, list[str]] = {}
    for key, value in query:
        several.setdefault(key, []).append(value)
    return {
        "headers": headers,
        "pathParameters": {"module": module} | ({"event": event} if event else {}),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": several or None,
        "requestContext": {"requestId": request_id},
        "body": base64.b64encode(body).decode() if as_base64 else body.decode(),
        "isBase64Encoded": as_base64,
    }


def receiver_settings(**values: Any) -> Settings:
    """The settings of a receiver whose queues are called queue/<entity>."""
    defaults: dict[str, Any] = {
        "webhook_secret_arn": "arn:secret",
        "unrouted_queue_url": "queue/unrouted",
        "unrouted_bucket": "unrouted-bucket",
        "zoho_organization_id": ORGANIZATION,
        "queue_urls": tuple((entity, f"queue/{entity}") for entity in ENTITIES),
    }
    return Settings(**defaults | values)


@dataclass
class Memory:
    """A storage that remembers; the queues and buckets in `broken` store nothing."""

    messages: list[tuple[str, Any]] = field(default_factory=list)
    objects: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def send(self, queue_url: str, message: str) -> None:
        self._check(queue_url)
        self.messages.append((queue_url.removeprefix("queue/"), lossless_json.loads(message)))

    def keep(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        self._check(bucket)
        self.objects[bucket, key] = (body, content_type)

    def _check(self, name: str) -> None:
        if name in self.broken:
            raise QueueUnavailable("broken")


class Endpoint:
    """A receiver in memory: `post` answers with the status; what was stored and counted stands beside it."""

    def __init__(
        self, *, secret: str = f'{{"current": "{SECRET}", "previous": "{PREVIOUS}"}}', **settings: Any
    ) -> None:
        self.secret = secret
        self.secret_reads = 0
        self.now_s = 0.0
        self.storage = Memory()
        self.counts: dict[str, int] = {}
        self.receiver = Receiver(
            receiver_settings(**settings),
            secrets=WebhookSecrets(self._read, clock=lambda: self.now_s),
            storage=self.storage,
            count=self._count,
            clock=lambda: NOW,
        )

    def post(self, *arguments: Any, **options: Any) -> int:
        return self.send(webhook_event(*arguments, **options))

    def send(self, event: dict[str, Any]) -> int:
        self.answer = self.receiver.handle(event)
        status: int = self.answer["statusCode"]
        return status

    @property
    def messages(self) -> list[tuple[str, Any]]:
        return self.storage.messages

    def _read(self) -> str:
        self.secret_reads += 1
        return self.secret

    def _count(self, name: str, number: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + number


Post = Callable[..., int]
