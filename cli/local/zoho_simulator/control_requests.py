"""Requests of the control interface: what they carry, and how they and their failures are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cli.local.zoho_simulator.records import Json, Refused
from cli.local.zoho_simulator.world import encode

Handler = Callable[[Request], Awaitable[Response]]


class NotThere(Exception):
    """No such entity or record."""


class Raw(Response):
    """JSON in the simulator's own encoding."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode as the API does, so that documents compare byte for byte."""
        return encode(content)


def route(path: str, **handlers: Handler) -> Route:
    """One path of the control interface; what goes wrong is answered in one line."""

    async def handle(request: Request) -> Response:
        try:
            return await handlers[request.method](request)
        except NotThere as exc:
            return JSONResponse({"error": str(exc)}, 404)
        except Refused as exc:
            return JSONResponse({"error": str(exc)}, 409)
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, 400)

    return Route("/_simulator" + path, handle, methods=list(handlers))


def flag(request: Request, name: str) -> bool:
    """A parameter of the query that is true unless it says false; raises ValueError."""
    value = request.query_params.get(name, "true").lower()
    if value not in ("true", "false"):
        raise ValueError(f"{name}: true or false")
    return value == "true"


async def body(request: Request) -> Json:
    """The JSON object that was sent, empty without one; raises TypeError."""
    raw = await request.body()
    given = await request.json() if raw else {}
    if not isinstance(given, dict):
        raise TypeError("a JSON object is expected")
    return given
