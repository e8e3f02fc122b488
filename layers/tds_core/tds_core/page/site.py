"""The pages that only show: the overview, the same as JSON, and a record's story. Reads the database, nothing else."""

import logging
from collections.abc import Mapping
from typing import Any

from tds_core.database.connection import Database
from tds_core.entities import entity
from tds_core.errors import DatabaseUnavailable, UnknownEntity
from tds_core.page import access, http, render
from tds_core.page.formats import Formats, formats
from tds_core.page.http import Answer, Request
from tds_core.plain import plain
from tds_core.settings import Settings
from tds_core.sync import overview
from tds_core.sync.trace import trace
from tds_core.zoho import status

RENEW_S = 60
_ID_LENGTH = 100
_log = logging.getLogger(__name__)


class Site:
    """Answers GET requests that the gate let through."""

    def __init__(self, settings: Settings, *, database: Database) -> None:
        self._settings = settings
        self._database = database

    def handle(self, event: Mapping[str, Any]) -> Answer:
        """One request; without PostgreSQL the answer is 503, and the verdict says why."""
        if access.admitted(event) is None:
            return http.denied()
        request = Request.parse(event)
        try:
            return self._answer(request)
        except DatabaseUnavailable as exc:
            _log.warning("page without database", extra={"cause": str(exc)})
            return self._without_database(request)

    def _answer(self, request: Request) -> Answer:
        if not request.is_storable:
            return _message(request, "failed.text", status=400)
        match request.path:
            case "/status":
                return self._status(request)
            case "/status.json":
                return http.data(overview.read(self._settings, self._database))
            case "/status/record":
                return self._record(request)
        return _message(request, "failed.unknown", status=404)

    def _status(self, request: Request) -> Answer:
        figures = overview.read(self._settings, self._database)
        shown = formats(request.language, zone=figures["time_zone"], now=figures["now"])
        renews = request.query.get("refresh") != "off"
        html = render.status(shown, figures, up=request.up, renews=renews)
        return http.page(html, language=shown.language, renew_s=RENEW_S if renews else None)

    def _record(self, request: Request) -> Answer:
        asked = request.query.get("id", "").strip()[:_ID_LENGTH]
        try:
            spec = entity(request.query.get("entity", ""))
        except UnknownEntity:
            return _message(request, "failed.unknown", status=404)
        told = plain(trace(self._database, spec, asked))
        html = render.record(self._formats(request), told, up=request.up, asked=asked)
        return http.page(html, status=200 if told["id"] or told["matches"] else 404, language=request.language)

    def _formats(self, request: Request) -> Formats:
        return formats(request.language, zone=status.day(self._settings, self._database).zone)

    def _without_database(self, request: Request) -> Answer:
        if request.path == "/status.json":
            say = formats("en").say
            reason = {"code": "database", "level": "bad", "values": {}, "text": say("reason.database")}
            reason["todo"] = say("reason.database.todo")
            verdict = {"level": "bad", "text": say("verdict.bad"), "reasons": [reason]}
            return http.data({"verdict": verdict}, status=503)
        shown = formats(request.language)
        text = f"{shown.say('reason.database')}. {shown.say('reason.database.todo')}"
        html = render.message(shown, up=request.up, title=shown.say("verdict.bad"), text=text)
        return http.page(html, status=503, language=shown.language, renew_s=RENEW_S)


def _message(request: Request, key: str, *, status: int) -> Answer:
    shown = formats(request.language)
    html = render.message(shown, up=request.up, title=shown.say("failed.title"), text=shown.say(key))
    return http.page(html, status=status, language=shown.language)
