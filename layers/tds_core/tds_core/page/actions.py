"""What operators may do in a browser: ask, confirm, do. Each is written down with who and when before it is done.

A confirmation is signed with the operator's own password, for this action on this subject and for ten minutes; so no
other page can have it done, and a changed password ends all that were open.
"""

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import urlsplit

from tds_core.database import operations, verifications
from tds_core.database.connection import Database
from tds_core.database.operations import Operation
from tds_core.entities import REGISTRY, entity
from tds_core.errors import InvalidId, TdsError, UnknownCommand, UnknownEntity
from tds_core.ids import parse_id
from tds_core.page import http, render
from tds_core.page.access import Login, Logins
from tds_core.page.formats import formats
from tds_core.page.http import Answer, Request
from tds_core.sync.console import Console

Action = Literal["refetch", "redrive", "verify"]
ACTIONS: tuple[Action, ...] = ("refetch", "redrive", "verify")
CONFIRMED_WITHIN_S = 600
_SUBJECT_LENGTH = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator asks for; raises UnknownCommand, UnknownEntity or InvalidId where that cannot be."""

    action: Action
    entity: str
    subject: str

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> "Wish":
        """The fields of an address or a form."""
        action = next((one for one in ACTIONS if one == fields.get("action")), None)
        if action is None:
            raise UnknownCommand("no such action")
        subject = fields.get("subject", "")[:_SUBJECT_LENGTH]
        name = fields.get("entity", "") if action == "refetch" else ""
        if action == "refetch":
            name, subject = entity(name).name, parse_id(subject)
        return cls(action=action, entity=name, subject="" if action == "verify" else subject)


class Actions:
    """Answers the requests of operators; `clock` is the time of day in seconds."""

    def __init__(
        self, console: Console, *, database: Database, logins: Logins, clock: Callable[[], float] = time.time
    ) -> None:
        self._console = console
        self._database = database
        self._logins = logins
        self._clock = clock

    def handle(self, event: Mapping[str, Any]) -> Answer:
        """Ask for a confirmation, or do what was confirmed. The login is checked here again, whoever let it through."""
        request = Request.parse(event)
        login = self._logins.check(request.headers.get("authorization", ""))
        if login is None or not login.is_operator:
            return http.denied()
        if not request.is_storable:
            return self._failed(request, "failed.text", status=400)
        try:
            if request.method == "POST":
                return self._do(request, login)
            return self._ask(request, login, Wish.parse(request.query))
        except (UnknownCommand, UnknownEntity, InvalidId):
            return self._failed(request, "failed.unknown", status=404)

    def _ask(self, request: Request, login: Login, wish: Wish) -> Answer:
        shown = formats(request.language)
        expires = str(int(self._clock()) + CONFIRMED_WITHIN_S)
        fields = {"action": wish.action, "entity": wish.entity, "subject": wish.subject, "lang": shown.language}
        fields |= {"expires": expires, "token": self._token(login, wish, expires)}
        values = {
            "entity": shown.name("entity", wish.entity),
            "subject": wish.subject,
            "calls": self._calls(shown.number),
        }
        question = shown.say(f"confirm.{wish.action}", **values)
        html = render.confirm(
            shown, up=request.up, action=wish.action, user=login.user, question=question, fields=fields
        )
        return http.page(html, language=shown.language)

    def _do(self, request: Request, login: Login) -> Answer:
        if not is_own(request):
            return self._failed(request, "failed.origin", status=403)
        wish, form = Wish.parse(request.form), request.form
        right = self._token(login, wish, form.get("expires", ""))
        is_known = hmac.compare_digest(right.encode(), form.get("token", "").encode())
        if not is_known or int(form["expires"]) < self._clock():
            return self._failed(request, "failed.expired", status=403)
        try:
            self._run(wish, login, request)
        except TdsError as exc:
            _log.warning("action failed", extra={"action": wish.action, "operator": login.user, "reason": exc.reason})
            return self._said(request, title="failed.title", text=f"{exc.reason}: {exc}", status=409)
        shown = formats(request.language)
        return self._said(request, title="done.title", text=shown.say(f"done.{wish.action}"))

    def _run(self, wish: Wish, login: Login, request: Request) -> None:
        """Write it down and do it; raises TdsError, and then it is not done."""
        who = f"{login.user} ({request.address})"
        if wish.action == "redrive":  # writes itself down, with what the dead letter is
            stays = self._console.dlq_redrive(ids=[wish.subject], operator=who)["stays"]
            if stays:
                raise UnknownCommand("; ".join(stays.values()))
            return
        ids = [wish.subject] if wish.subject else []
        done: dict[str, Any] = {"operator": who, "operation": wish.action, "subject": wish.subject, "ids": ids}
        done |= {"entity": wish.entity or None, "reason": "by hand, on the status page", "trace_id": None}
        operations.record(self._database, Operation(**done))
        _log.info(
            "operator acted", extra={"operator": who, "operation": wish.action, "entity": wish.entity, "ids": ids}
        )
        if wish.action == "refetch":
            self._console.refetch(name=wish.entity, ids=ids)
        else:
            verifications.request(self._database, list(REGISTRY), cause="manual", heal=True)

    def _token(self, login: Login, wish: Wish, expires: str) -> str:
        key = sha256(f"confirmation:{self._logins.operator_password(login.user)}".encode()).digest()
        text = json.dumps([login.user, wish.action, wish.entity, wish.subject, expires])
        return hmac.new(key, text.encode(), sha256).hexdigest()

    def _calls(self, number: Callable[[float], str]) -> str:
        parts = self._console.plan()["parts"]
        return number(sum(part["calls"] for part in parts if part["purpose"] in ("deep", "balances")))

    def _failed(self, request: Request, key: str, *, status: int) -> Answer:
        return self._said(request, title="failed.title", text=formats(request.language).say(key), status=status)

    def _said(self, request: Request, *, title: str, text: str, status: int = 200) -> Answer:
        shown = formats(request.language)
        html = render.message(shown, up=request.up, title=shown.say(title), text=text)
        return http.page(html, status=status, language=shown.language)


def is_own(request: Request) -> bool:
    """Whether a browser sent this form from our own page; without any sign of that it did not."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(request.host) and urlsplit(origin).netloc == request.host
