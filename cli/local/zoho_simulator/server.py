"""Serving a simulator: in this process with a thread of its own, or until a signal."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import uvicorn

from cli.local.zoho_simulator.clock import Now
from cli.local.zoho_simulator.options import Options
from cli.local.zoho_simulator.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Where a simulator is and how to get in; this is the line that the command prints."""

    api_url: str
    accounts_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    organization_id: str
    control_url: str
    pid: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one."""
    # asyncio switches Nagle's delay off only where the protocol is given; with it each answer would take 40 ms
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def details(service: Service, sock: socket.socket, pid: int) -> Details:
    """Give the service its address and tell about it."""
    service.base_url = url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    return Details(
        api_url=url,
        accounts_url=url,
        client_id=service.accounts.credentials.client_id,
        client_secret=service.accounts.credentials.client_secret,
        refresh_token=service.accounts.credentials.refresh_token,
        organization_id=service.world.organisation.organization_id,
        control_url=f"{url}/_simulator",
        pid=pid,
    )


def uvicorn_server(service: Service) -> uvicorn.Server:
    """The server, with our own Date and Server headers."""
    config = uvicorn.Config(
        service.app(),
        http=service.transports.protocol(),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=60,
        backlog=2048,
    )
    return uvicorn.Server(config)


class Simulator:
    """A simulator in this process, for tests: a context manager that serves from a thread."""

    def __init__(self, options: Options | None = None, *, now: Now = time.time, port: int = 0) -> None:
        self.service = Service(options or Options(), now)
        self._port = port
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None

    def start(self) -> Details:
        """Serve; returns when connections are accepted."""
        sock = listen(self._port)
        self.details = details(self.service, sock, pid=0)
        self._server = server = uvicorn_server(self.service)
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="zoho", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the simulator did not start")
            time.sleep(0.01)
        return self.details

    def stop(self) -> None:
        """Stop serving and wait for it."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
            self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
