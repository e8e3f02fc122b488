"""Sending answers over ASGI, and breaking the connection under them."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cli.local.zoho_simulator.answers import Answer
from cli.local.zoho_simulator.clock import http_date


class Transports:
    """The open connections by their peer, so that one can be reset."""

    def __init__(self) -> None:
        self._open: dict[Any, asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """A server protocol that tells us about its connections."""
        open_transports = self._open

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                open_transports[transport.get_extra_info("peername")] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                open_transports.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        return Protocol

    def reset(self, scope: Scope) -> None:
        """Reset the connection of a request: its client sees ECONNRESET."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is None:
            raise RuntimeError("no such connection")
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def header_list(answer: Answer, now: float) -> list[tuple[bytes, bytes]]:
    """The answer's headers as ASGI takes them."""
    headers = [
        (b"date", http_date(now)),
        (b"server", b"ZGS"),
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    return headers + [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]


async def send_answer(send: Send, answer: Answer, now: float) -> None:
    """Send it whole."""
    await send({"type": "http.response.start", "status": answer.status, "headers": header_list(answer, now)})
    await send({"type": "http.response.body", "body": answer.body})
