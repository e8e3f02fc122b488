"""What the faults do to an answer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.types import Send

from cli.local.zoho_simulator.answers import HTML, JSON, Answer, refusal
from cli.local.zoho_simulator.faults import Fault
from cli.local.zoho_simulator.records import EntitySpec
from cli.local.zoho_simulator.wire import header_list
from cli.local.zoho_simulator.world import World, encode

ID_PREFIX, FOREIGN_PREFIX = b'"264661', b'"999661'
PAGE = b"<html><head><title>Zoho</title></head><body><h1>We are down for maintenance</h1></body></html>"


def answer_of(taken: Mapping[str, Fault]) -> Answer | None:
    """The answer that a fault gives instead of the right one."""
    if "limit" in taken:
        parameters = taken["limit"].parameters
        return refusal(int(parameters.get("code", 44)), parameters.get("limit", 10_000))
    if "server_error" in taken:
        return refusal(1000, status=int(taken["server_error"].parameters.get("status", 500)))
    if "html" in taken:
        return Answer(status=int(taken["html"].parameters.get("status", 502)), body=PAGE, content_type=HTML)
    if "not_found" in taken:
        return refusal(1002, "Record")
    if "answer" in taken:
        return _free_answer(taken["answer"].parameters)
    return None


def _free_answer(parameters: Mapping[str, Any]) -> Answer:
    body = parameters.get("body", "")
    if "body_base64" in parameters:
        content = base64.b64decode(parameters["body_base64"], validate=True)
    else:
        content = body.encode() if isinstance(body, str) else encode(body)
    return Answer(
        status=int(parameters.get("status", 200)),
        body=content,
        content_type=str(parameters.get("content_type", JSON)),
        headers={str(name): str(value) for name, value in parameters.get("headers", {}).items()},
    )


def bend(answer: Answer, taken: Mapping[str, Fault]) -> Answer:
    """The right answer with wrong ids in it, when it is to be another organisation's."""
    if "wrong_organisation" in taken:
        return replace(answer, body=answer.body.replace(ID_PREFIX, FOREIGN_PREFIX))
    return answer


async def hold(taken: Mapping[str, Fault]) -> None:
    """Let the caller wait."""
    if "slow" in taken:
        await asyncio.sleep(float(taken["slow"].parameters.get("seconds", 5)))


async def drip(send: Send, answer: Answer, now: float, fault: Fault) -> None:
    """Send the body in pieces over some seconds, each soon enough for a timeout between two reads."""
    seconds, pieces = (float(fault.parameters.get("seconds", 5)), int(fault.parameters.get("pieces", 20)))
    size = max(1, -(-len(answer.body) // pieces))
    await send({"type": "http.response.start", "status": answer.status, "headers": header_list(answer, now)})
    for start in range(0, len(answer.body), size):
        await send({"type": "http.response.body", "body": answer.body[start : start + size], "more_body": True})
        await asyncio.sleep(seconds / pieces)
    await send({"type": "http.response.body", "body": b""})


def move_pages(world: World, spec: EntitySpec[Any], fault: Fault) -> None:
    """Create or delete rows before a later page is read, so that its rows are not those that follow the page before."""
    rows = int(fault.parameters.get("rows", 3))
    random = world.random(f"moved page/{fault.id}/{fault.happened}")
    with world.change(webhook=bool(fault.parameters.get("webhook", False))):
        for _ in range(rows):
            spec.create(world, random, dict(spec.views[0].defaults))
        deletable = [record for record in world.table(spec).records.values() if spec.may_delete(record)]
        oldest = bool(fault.parameters.get("oldest", False))
        for record in deletable[: max(0, -rows)] if oldest else deletable[len(deletable) + min(0, rows) :]:
            spec.delete(world, record)
