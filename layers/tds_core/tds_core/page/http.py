"""Requests of API Gateway and answers to it: addresses, languages, and the headers that keep a page to itself."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tds_core.lossless_json import is_storable
from tds_core.page.access import headers_of
from tds_core.page.formats import language_of
from tds_core.page.render import STYLE_HASH

Answer = dict[str, Any]
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_BODY_LIMIT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `path` is the resource's own, without the stage."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    address: str
    host: str
    form: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> "Request":
        """A proxy event of a REST API."""
        context, headers = event.get("requestContext") or {}, headers_of(event)
        return cls(
            method=str(event["httpMethod"]),
            path=str(event.get("resource") or event.get("path")),
            query={str(k): str(v) for k, v in (event.get("queryStringParameters") or {}).items()},
            headers=headers,
            address=str((context.get("identity") or {}).get("sourceIp", "")),
            host=headers.get("host", ""),
            form=_form(event),
        )

    @property
    def is_storable(self) -> bool:
        """Whether PostgreSQL can hold what is asked for; what it cannot, no record has."""
        return is_storable({**self.query, **self.form})

    @property
    def language(self) -> str:
        """What the address or the form asks for, else the browser's best."""
        asked = self.query.get("lang") or self.form.get("lang") or ""
        return language_of(asked, self.headers.get("accept-language", ""))

    @property
    def up(self) -> str:
        """The way from this address to the one of the stage, so that links hold under any domain."""
        return "../" * (self.path.count("/") - 1)


def page(html: str, *, status: int = 200, language: str, renew_s: int | None = None) -> Answer:
    """An HTML answer; `renew_s` has the browser ask again by itself.

    A header, not <meta>: checks of accessibility take the element for a redirect, even where the page can stop it.
    """
    headers = SAFE | {"Content-Type": "text/html; charset=utf-8", "Content-Language": language}
    headers |= {"Refresh": str(renew_s)} if renew_s else {}
    return {"statusCode": status, "headers": headers, "body": html}


def data(value: Any, *, status: int = 200) -> Answer:
    """A JSON answer."""
    headers = SAFE | {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(value, ensure_ascii=False)}


def denied() -> Answer:
    """401 without detail, for a request that came past the gate."""
    return {"statusCode": 401, "headers": SAFE | {"Content-Type": "text/plain"}, "body": "Unauthorized"}


def _form(event: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a posted form; one that is too long or no text has none."""
    body = event.get("body") or ""
    if len(body) > _BODY_LIMIT:
        return {}
    try:
        text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else str(body)
    except ValueError:
        return {}
    return dict(parse_qsl(text, keep_blank_values=True))
