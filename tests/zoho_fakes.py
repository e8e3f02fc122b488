"""A scripted Zoho for tests of the client: canned answers, what was asked, no sockets."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tds_core.settings import Settings
from tds_core.zoho.auth import ZohoCredentials

ORGANIZATION = "10234567890"
SECRETS = ("the-client-secret", "the-refresh-token", "the-access-token")
Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def settings(**values: Any) -> Settings:
    """Settings of a client; waits are short."""
    known: dict[str, Any] = {
        "zoho_api_url": "https://zoho.test",
        "zoho_accounts_url": "https://accounts.test",
        "zoho_organization_id": ORGANIZATION,
    }
    return Settings(**(known | values))


def credentials() -> ZohoCredentials:
    """Credentials that the fake takes."""
    return ZohoCredentials(client_id="the-client-id", client_secret=SECRETS[0], refresh_token=SECRETS[1])


def answer(body: Mapping[str, Any] | None = None, *, status: int = 200, **headers: str) -> httpx.Response:
    """An answer of the API with Zoho's envelope; underscores in header names are dashes."""
    content = {"code": 0, "message": "success", **(body or {})}
    return httpx.Response(status, json=content, headers={name.replace("_", "-"): v for name, v in headers.items()})


def error(code: int, *, status: int, **headers: str) -> httpx.Response:
    """An error of the API."""
    return answer({"code": code, "message": "no"}, status=status, **headers)


def page(key: str, *rows: Mapping[str, Any], more: bool = False, number: int = 1) -> httpx.Response:
    """A page of a list."""
    context = {"page": number, "per_page": 200, "has_more_page": more, "sort_column": "created_time"}
    return answer({key: list(rows), "page_context": context | {"applied_filter": "Status.All"}})


class FakeZoho:
    """Gives the scripted answers in turn, the last one for ever; tokens are numbered."""

    def __init__(self, *answers: Answer, token: Answer | None = None) -> None:
        self.answers = list(answers)
        self.token = token
        self.requests: list[httpx.Request] = []
        self.mints: list[httpx.Request] = []

    @property
    def http(self) -> httpx.Client:
        """A client whose every request ends here."""
        return httpx.Client(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/v2/token":
            self.mints.append(request)
            return self._give(self.token or self._mint, request)
        self.requests.append(request)
        script = self.answers
        return self._give(script.pop(0) if len(script) > 1 else script[0], request)

    def _mint(self, request: httpx.Request) -> httpx.Response:
        body = {
            "access_token": f"{SECRETS[2]}-{len(self.mints)}",
            "expires_in": 3600,
            "api_domain": "https://zoho.test",
        }
        return httpx.Response(200, content=json.dumps(body))

    @staticmethod
    def _give(answer: Answer, request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.read())
        return answer(request)
