"""HTTP whose calls end at a deadline, however slowly the other side drips, and whose answers have a largest size.

httpx limits each read; a server that sends a byte every few seconds, in its headers or its body, passes such a
limit for ever. Here every operation on the socket gets what is left until the deadline of the calling thread.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from tds_core.errors import ZohoUnavailable


class AnswerTooLarge(ZohoUnavailable):
    """The answer has more bytes than its caller takes; the rest was not read."""


_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
_connected_by: ContextVar[float | None] = ContextVar("connected_by", default=None)
_IDLE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, its body decompressed."""

    status: int
    headers: httpx.Headers
    body: bytes


def client(*, connections: int) -> httpx.Client:
    """The HTTP client that calls Zoho: it follows no redirect and heeds no proxy, so the token goes nowhere else."""
    return httpx.Client(transport=DeadlineTransport(connections=connections), follow_redirects=False, trust_env=False)


def send(
    http: httpx.Client, request: httpx.Request, *, time_left_s: float, connect_s: float, body_limit_bytes: int
) -> Answer:
    """Send a request and read its whole answer within `time_left_s`; it must be on its way within `connect_s`.

    Raises ZohoUnavailable when there is no whole answer, AnswerTooLarge for more than `body_limit_bytes`.
    """
    now = time.monotonic()
    until = now + time_left_s
    request.extensions["timeout"] = dict.fromkeys(("read", "write"), time_left_s) | dict.fromkeys(
        ("connect", "pool"), min(connect_s, time_left_s)
    )
    try:
        with _at(_deadline, until), _at(_connected_by, now + connect_s):
            response = http.send(request, stream=True)
            try:
                body = _read(response, until=until, limit=body_limit_bytes)
            finally:
                response.close()
    except (httpx.HTTPError, httpx.StreamError) as exc:
        raise ZohoUnavailable(f"no whole answer: {type(exc).__name__}") from None
    return Answer(status=response.status_code, headers=response.headers, body=body)


def _read(response: httpx.Response, *, until: float, limit: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > limit:
            raise AnswerTooLarge(f"an answer of more than {limit} bytes")
        if time.monotonic() > until:
            raise ZohoUnavailable("no whole answer before the deadline")
    return bytes(body)


@contextmanager
def _at(limit: ContextVar[float | None], at: float) -> Iterator[None]:
    token = limit.set(at)
    try:
        yield
    finally:
        limit.reset(token)


class DeadlineTransport(httpx.BaseTransport):
    """httpx over a connection pool that keeps the thread's deadline; no proxies, HTTP/1.1."""

    def __init__(self, *, connections: int) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=connections,
            keepalive_expiry=_IDLE_S,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body is read while the response is."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _as_transport_error():
            response = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_transport_error():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left_to_connect(timeout)
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _left_to_connect(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left_to_connect(timeout: float | None) -> float | None:
    """What the wait for a place in the pool, TCP and TLS have together: httpcore would give the whole to each."""
    return _left(_left(timeout, httpcore.ConnectTimeout), httpcore.ConnectTimeout, limit=_connected_by)


def _left(
    timeout: float | None,
    too_late: type[httpcore.TimeoutException],
    *,
    limit: ContextVar[float | None] = _deadline,
) -> float | None:
    at = limit.get()
    if at is None:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise too_late("deadline")
    return left if timeout is None else min(left, timeout)


@contextmanager
def _as_transport_error() -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as exc:
        raise httpx.TimeoutException(type(exc).__name__) from exc
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as exc:
        raise httpx.TransportError(type(exc).__name__) from exc
