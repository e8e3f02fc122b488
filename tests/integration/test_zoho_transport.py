"""The deadline of a call against servers on real sockets that drip, stall, lie or bomb."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import pytest

from tds_core.errors import ZohoUnavailable
from tds_core.zoho import transport

Behave = Callable[[socket.socket], None]
ENDLESS_S, PAUSE_S = 30.0, 0.02  # how long a server goes on if nobody hangs up, and from byte to byte
MANY = int(ENDLESS_S / PAUSE_S)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def server(behave: Behave) -> Iterator[str]:
    """Accepts connections, reads a request and behaves; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65_536)
                        behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def drip(data: bytes) -> Behave:
    """Sends a byte every 20 ms."""

    def behave(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(PAUSE_S)

    return behave


def stall(connection: socket.socket) -> None:
    with suppress(TimeoutError):
        connection.settimeout(ENDLESS_S)
        connection.recv(1)


def fetch(url: str, *, seconds: float = 0.4, limit: int = 10_000) -> transport.Answer:
    with transport.client(connections=2) as http:
        return transport.send(
            http, http.build_request("GET", url), time_left_s=seconds, connect_s=2, body_limit_bytes=limit
        )


@pytest.mark.parametrize(
    "behave",
    [
        drip(HEAD + b"X-Pad: " + b"x" * MANY),
        drip(HEAD + b"Content-Length: %d\r\n\r\n" % MANY + b"x" * MANY),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * MANY),
        stall,
    ],
    ids=["dripping headers", "dripping body", "dripping chunks", "silent"],
)
def test_a_call_ends_at_its_deadline_however_it_drips(behave: Behave) -> None:
    with server(behave) as url:
        began = time.monotonic()
        with pytest.raises(ZohoUnavailable):
            fetch(url)
        assert 0.3 < time.monotonic() - began < ENDLESS_S / 2, "the deadline is 0.4 s, the machine may be slow"


@pytest.mark.parametrize(
    "data",
    [HEAD + b"Content-Length: 400\r\n\r\n{}", b"nonsense\r\n\r\n", b"", HEAD + b"Content-Encoding: gzip\r\n\r\n{}"],
    ids=["truncated", "not HTTP", "nothing", "not gzip"],
)
def test_half_an_answer_is_none(data: bytes) -> None:
    with server(lambda connection: connection.sendall(data)) as url, pytest.raises(ZohoUnavailable):
        fetch(url)


def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ZohoUnavailable):
        fetch(f"http://127.0.0.1:{port}/")


def compressed(size: int) -> bytes:
    body = gzip.compress(b"1" * size)
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_a_compressed_answer_is_read_up_to_its_limit() -> None:
    with server(lambda connection: connection.sendall(compressed(10_000))) as url:
        assert fetch(url).body == b"1" * 10_000
    with server(lambda connection: connection.sendall(compressed(10_001))) as url, pytest.raises(ZohoUnavailable):
        fetch(url)


def test_a_redirect_is_not_followed() -> None:
    reached = []
    moved = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
    with (
        server(lambda connection: reached.append(connection)) as elsewhere,
        server(lambda connection: connection.sendall(moved % elsewhere.encode())) as url,
    ):
        assert fetch(url).status == 302
    assert not reached


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with server(lambda connection: connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")) as url:
        assert fetch(url).body == b"{}"


def test_a_connection_has_one_time_for_tcp_and_tls_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A permit is used within two seconds or not at all; httpcore gives each step of a connection the whole time."""
    connect = httpcore.SyncBackend.connect_tcp

    def slow(*arguments: Any) -> httpcore.NetworkStream:
        time.sleep(0.8)
        return connect(*arguments)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", slow)
    with server(stall) as url, transport.client(connections=1) as http:
        request = http.build_request("GET", url.replace("http:", "https:"))
        began = time.monotonic()
        with pytest.raises(ZohoUnavailable):
            transport.send(http, request, time_left_s=10, connect_s=1, body_limit_bytes=10_000)
        assert time.monotonic() - began < 1.5
