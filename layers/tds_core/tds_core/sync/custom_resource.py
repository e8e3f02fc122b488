"""What a deploy does besides making things: a CloudFormation custom resource that always answers.

A failure fails the deploy, which else would wait for its time limit.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import httpx

_log = logging.getLogger(__name__)


class CustomResource:
    """Answers CloudFormation's Create, Update and Delete; the last does nothing, because data outlives a stack.

    `apply` does the work, may be repeated, and says what it did; `name` is the resource's physical id.
    """

    def __init__(
        self, apply: Callable[[], str], *, name: str, send: Callable[[str, bytes], None] | None = None
    ) -> None:
        self._apply = apply
        self._name = name
        self._send = send or _put

    def handle(self, event: Mapping[str, Any]) -> dict[str, str]:
        """Do the work unless the resource is being deleted; answer CloudFormation, or whoever invoked it."""
        status, reason = "SUCCESS", "nothing to do"
        if event.get("RequestType") != "Delete":
            try:
                reason = self._apply()
            except Exception as exc:  # whatever it is: a deploy that hears nothing waits for its time limit
                _log.exception("custom resource failed")
                status, reason = "FAILED", f"{type(exc).__name__}: {exc}"
        _log.info("custom resource answered", extra={"resource": self._name, "status": status, "detail": reason})
        answer = {"Status": status, "Reason": reason[:1000]}
        if "ResponseURL" in event:
            address = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
            address["PhysicalResourceId"] = event.get("PhysicalResourceId") or self._name
            self._send(event["ResponseURL"], json.dumps(answer | address).encode())
        return answer


def _put(url: str, body: bytes) -> None:
    """Answer at CloudFormation's signed address, which takes no content type."""
    httpx.put(url, content=body, headers={"Content-Type": ""}, timeout=10).raise_for_status()
