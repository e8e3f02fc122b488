"""The migrations as a CloudFormation custom resource: it always answers, and a failure fails the deploy."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tds_core.database.migrate import migrate
from tds_core.settings import Settings
from tds_core.sync import wiring

_log = logging.getLogger(__name__)
_LOGINS = ("database_secret_arn", "database_reader_secret_arn")
_NEEDED = ("database_host", "database_name", "database_owner_secret_arn", *_LOGINS)


class Upgrade:
    """Answers CloudFormation's Create, Update and Delete; the last does nothing, because data outlives a stack."""

    def __init__(self, apply: Callable[[], list[str]], *, send: Callable[[str, bytes], None] | None = None) -> None:
        self._apply = apply
        self._send = send or _put

    @classmethod
    def for_settings(cls, settings: Settings) -> "Upgrade":
        """The migrations of this layer on the database of these settings."""
        settings.require(*_NEEDED)
        owner = wiring.secret(settings.database_owner_secret_arn)
        logins = [wiring.secret(getattr(settings, name)) for name in _LOGINS]

        def apply() -> list[str]:
            passwords = {str(login["username"]): str(login["password"]) for login in (read() for read in logins)}
            return migrate(wiring.conninfo(settings, owner()), passwords=passwords)

        return cls(apply)

    def handle(self, event: Mapping[str, Any]) -> dict[str, str]:
        """Apply the migrations unless the resource is being deleted; answer CloudFormation, or whoever invoked it."""
        status, reason = "SUCCESS", "up to date"
        if event.get("RequestType") != "Delete":
            try:
                reason = f"applied {', '.join(self._apply()) or 'nothing new'}"
            except Exception as exc:  # whatever it is: a deploy that hears nothing waits for its time limit
                _log.exception("migration failed")
                status, reason = "FAILED", f"{type(exc).__name__}: {exc}"
        _log.info("migration answered", extra={"status": status, "detail": reason})
        answer = {"Status": status, "Reason": reason[:1000]}
        if "ResponseURL" in event:
            address = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
            address["PhysicalResourceId"] = event.get("PhysicalResourceId") or "tds-migrations"
            self._send(event["ResponseURL"], json.dumps(answer | address).encode())
        return answer


def _put(url: str, body: bytes) -> None:
    """Answer at CloudFormation's signed address, which takes no content type."""
    httpx.put(url, content=body, headers={"Content-Type": ""}, timeout=10).raise_for_status()
