"""Zoho's webhooks: how they are signed, how they arrive through API Gateway, and what they say.

Signature: https://www.zoho.com/billing/kb/webhooks/securing-webhooks.html. It covers neither path nor time, so a
webhook may be replayed; that is harmless, since a document counts by its version and a deletion is confirmed first.
"""

import base64
import binascii
import codecs
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, Self
from urllib.parse import parse_qsl
from uuid import uuid4

from tds_core import lossless_json
from tds_core.errors import InvalidDocument
from tds_core.ids import parse_id
from tds_core.lossless_json import JsonObject
from tds_core.zoho.routes import ROUTES, Route

SIGNATURE_HEADER = "X-Zoho-Webhook-Signature"
Pairs = Iterable[tuple[str, str]]
Operation = Literal["upsert", "delete", "request"]

_FORM = "application/x-www-form-urlencoded"
_FORM_FIELD = "JSONString"
_FORM_FIELDS_LIMIT = 1_000
_JSON_STARTS = (b"{", b"[", b'"')
_TRACE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_ORGANIZATION = "organization_id"
_SHORTEST_ID = 10**9  # an organisation's has ten digits and more, a record's seventeen
_ENVELOPES = frozenset(route.envelope for route in ROUTES.values())


def sign(secret: str, body: bytes, query: Pairs = ()) -> str:
    """The signature that Zoho sends: hex HMAC-SHA256 over the query, sorted by key, and then the raw body.

    A form's fields may stand in `query` too, decoded; pairs with the same key keep their order.
    """
    signed = "".join(key + value for key, value in sorted(query, key=lambda pair: pair[0]))
    return hmac.new(_bytes(secret), _bytes(signed) + body, sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request as it arrived; nothing in it may be believed before `is_authentic`."""

    module: str
    event: str
    query: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str
    signature: str
    trace_id: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any], *, trace_id: str) -> Self:
        """Read an API Gateway REST proxy event."""
        path = event.get("pathParameters") or {}
        headers = {name.lower(): value or "" for name, value in (event.get("headers") or {}).items()}
        return cls(
            module=(path.get("module") or "").lower(),
            event=(path.get("event") or "").lower(),
            query=_query(event),
            body=_body(event),
            content_type=headers.get("content-type", "").lower().encode("ascii", "replace").decode(),
            signature=headers.get(SIGNATURE_HEADER.lower(), "").strip().lower(),
            trace_id=trace_id,
        )

    @property
    def address(self) -> str:
        """Where it came in: the module, and the event if the address has one."""
        return f"{self.module}/{self.event}" if self.event else self.module

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The decoded fields of a form; empty for every other body.

        What says that it is a form but is JSON counts as JSON, for its signature and its content alike.
        """
        if b"=" not in self.body or self.body.lstrip().startswith(_JSON_STARTS):
            return ()
        if _FORM not in self.content_type and not self.body.startswith(_FORM_FIELD.encode() + b"="):
            return ()
        text = self.body.decode("utf-8", "replace")
        try:
            return tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS_LIMIT))
        except ValueError:
            return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a webhook's body says; `record` is empty where only an id came, `id` is as Zoho wrote it or None."""

    id: Any
    record: JsonObject
    organizations: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """News for one entity's queue; `id` is "" where a deletion names nobody."""

    entity: str
    operation: Operation
    id: str
    document: JsonObject | None


def trace_id(event: Mapping[str, Any]) -> str:
    """API Gateway's id of the request, or a new one where there is none fit for a key (a caller can set it)."""
    given = (event.get("requestContext") or {}).get("requestId") or ""
    return given if _TRACE_ID.fullmatch(given) else str(uuid4())


def body_size(event: Mapping[str, Any]) -> int:
    """The length of an API Gateway event's body in bytes, found without decoding base64."""
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return len(text) * 3 // 4 - text[-2:].count("=")
    return len(text) if text.isascii() else len(_bytes(text))


def is_authentic(webhook: Webhook, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets made the signature, in the same time whichever it was.

    Of a form the fields may be signed with the query, with or without the raw body after them.
    """
    signed: list[tuple[Pairs, bytes]] = [(webhook.query, webhook.body)]
    if form := webhook.form:
        signed += [(webhook.query + form, b""), (webhook.query + form, webhook.body)]
    given = _bytes(webhook.signature)
    matches = [
        hmac.compare_digest(sign(secret, body, pairs).encode(), given) for secret in secrets for pairs, body in signed
    ]
    return any(matches)


def read(webhook: Webhook, route: Route) -> Content:
    """Understand the body: an enveloped or bare record, a form, a bare id, or nothing but an id in the query.

    Raises InvalidDocument when it is neither JSON nor a form, InvalidId for an organisation that cannot be one.
    """
    outer = _value(webhook)
    value = _inner(outer)
    record = _record(value, route)
    sources = [source for source in (record, value, outer, dict(webhook.query)) if isinstance(source, dict)]
    bare_id = None if isinstance(value, dict) else value
    return Content(
        id=next((source[route.id_key] for source in sources if _present(source, route.id_key)), bare_id),
        record=record,
        organizations=frozenset(
            parse_id(source[_ORGANIZATION]) for source in sources if _present(source, _ORGANIZATION)
        ),
    )


def changes(content: Content, route: Route, *, event: str) -> tuple[Change, ...]:
    """What each entity is told; a record whose entity is uncertain is requested in all that it may be.

    Of a deletion nobody knows what Zoho's body holds; one that says nothing at all is told without an id.
    Raises InvalidDocument without an id, InvalidId with a bad one.
    """
    if content.id is None and event == "deleted" and not content.record.keys() - {_ORGANIZATION}:
        return tuple(Change(entity=entity, operation="delete", id="", document=None) for entity in route.entities)
    if content.id is None:
        raise InvalidDocument(f"no {route.id_key}")
    record_id = parse_id(content.id)
    entities = route.entities_of(content.record)
    operation: Operation = "upsert"
    if event == "deleted":
        operation = "delete"
    elif len(entities) > 1 or not content.record:
        operation = "request"
    document = content.record if operation == "upsert" else None
    if document is not None and (isinstance(content.id, int) or _has_number_ids(document)):
        try:
            document = _with_text_ids(document)
        except RecursionError as exc:
            raise InvalidDocument("nested too deeply") from exc
    return tuple(Change(entity=entity, operation=operation, id=record_id, document=document) for entity in entities)


def _has_number_ids(document: JsonObject) -> bool:
    """Whether an id anywhere in it is a number too long to be anything else; the API itself may write 0 for none."""
    left: list[Any] = [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if any(type(item) is int and item >= _SHORTEST_ID and key.endswith("_id") for key, item in value.items()):
                return True
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return False


def _with_text_ids(value: Any) -> Any:
    """The value with its ids as the API writes them: a webhook with numbers is the same document as a fetch."""
    if isinstance(value, dict):
        return {
            key: str(item) if key.endswith("_id") and type(item) is int else _with_text_ids(item)
            for key, item in value.items()
        }
    return [_with_text_ids(item) for item in value] if isinstance(value, list) else value


def _value(webhook: Webhook) -> Any:
    if form := webhook.form:
        return lossless_json.scrub(dict(form))
    body = webhook.body.removeprefix(codecs.BOM_UTF8).strip()
    return lossless_json.loads(body) if body else {}


def _inner(value: Any) -> Any:
    """The older form style carries its JSON in one field."""
    if isinstance(value, dict) and isinstance(text := value.get(_FORM_FIELD), str):
        return lossless_json.loads(text)
    return value


def _record(value: Any, route: Route) -> JsonObject:
    """The record in its envelope, or bare; no source confirms some envelopes' names, so the one with its id will do.

    A name that is another module's envelope will not: that webhook came to the wrong address.
    """
    if not isinstance(value, dict):
        return {}
    if isinstance(envelope := value.get(route.envelope), dict):
        return envelope
    if _present(value, route.id_key):
        return value
    holders = [item for name, item in value.items() if name not in _ENVELOPES and _holds(item, route.id_key)]
    return holders[0] if len(holders) == 1 else value


def _holds(value: Any, key: str) -> bool:
    return isinstance(value, dict) and _present(value, key)


def _present(source: Mapping[str, Any], key: str) -> bool:
    return source.get(key) not in (None, "")


def _query(event: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    several = event.get("multiValueQueryStringParameters")
    if several is None:
        several = {key: [value] for key, value in (event.get("queryStringParameters") or {}).items()}
    return tuple((key, value or "") for key, values in several.items() for value in values)


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            pass  # as it stands it has no right signature either
    return _bytes(text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
