"""What a webhook's request carries: the body in one of Zoho's styles, and its signature."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cli.local.zoho_simulator.records import Json
from cli.local.zoho_simulator.world import Event, encode

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
STYLES: Mapping[str, str] = {
    "default": "the record in its envelope, as the detail shows it",
    "jsonstring": "a form with the default payload in its field JSONString",
    "fields": "a few chosen fields in the envelope",
    "form": "a few chosen fields as a form",
    "numbers": "the default payload with ids as numbers",
    "bare": "the record without its envelope",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The request's body; `pairs` are the form's fields, which the signature covers too."""

    content: bytes
    content_type: str = JSON
    pairs: tuple[tuple[str, str], ...] = ()


def body_of(event: Event, *, style: str, deletion: str, organization_id: str) -> Body:
    """The body for an event; `organization_id` "" leaves that key out."""
    record = event.document
    if event.event == "deleted" and deletion == "empty":
        return Body(content=b"")
    if event.event == "deleted" and deletion == "id":
        record = {event.spec.id_key: event.id}
    elif style in ("fields", "form"):
        record = {name: record[name] for name in event.spec.chosen_fields if name in record}
    if style == "form":
        return _form({name: str(value) for name, value in record.items()})
    payload = _payload(event, record, style, organization_id)
    if style == "jsonstring":
        return _form({"JSONString": encode(payload).decode()})
    return Body(content=encode(payload))


def _payload(event: Event, record: Json, style: str, organization_id: str) -> Json:
    if style == "bare":
        return record
    payload: Json = {event.spec.detail_key: record}
    if organization_id:
        payload = {"organization_id": organization_id, **payload}
    return numbered(payload) if style == "numbers" else payload


def _form(fields: Mapping[str, str]) -> Body:
    pairs = tuple(fields.items())
    return Body(content=urlencode(pairs).encode(), content_type=FORM, pairs=pairs)


def numbered(value: Any) -> Any:
    """The same JSON with every id as a number."""
    if isinstance(value, dict):
        return {name: int(entry) if _is_id(name, entry) else numbered(entry) for name, entry in value.items()}
    return [numbered(entry) for entry in value] if isinstance(value, list) else value


def _is_id(name: str, value: Any) -> bool:
    return name.endswith("_id") and isinstance(value, str) and value.isdigit()


def signature(secret: str, body: Body, query: Mapping[str, str], *, form_with_body: bool) -> str:
    """Lower-case hex HMAC-SHA256 over the sorted parameters and the body; a form's fields are parameters."""
    pairs = sorted([*query.items(), *body.pairs])
    signed = "".join(name + value for name, value in pairs).encode()
    if not body.pairs or form_with_body:
        signed += body.content
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
