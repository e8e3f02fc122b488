"""The status page behind a small web server that does what API Gateway does: ask the gate, then hand over the event."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tds_core.page.access import Attempts, Gate, Logins, Unauthorized

STAGE = "/live"
VIEWER, OPERATOR = ("owner", "see-only"), ("operator", "may-act")
Handler = Callable[[Mapping[str, Any]], dict[str, Any]]


def logins() -> Logins:
    """One viewer and one operator."""
    return Logins(viewers=lambda: dict([VIEWER]), operators=lambda: dict([OPERATOR]))


@dataclass
class PageServer:
    """Who answers, and what was refused; `site` shows, `actions` act."""

    site: Handler
    actions: Handler
    refused: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, address: str, headers: Mapping[str, str], body: str) -> dict[str, Any]:
        """What API Gateway makes of a request."""
        split = urlsplit(address)
        path = split.path.removeprefix(STAGE)
        context: dict[str, Any] = {"identity": {"sourceIp": "127.0.0.1"}, "path": split.path}
        event = {
            "httpMethod": method,
            "resource": path,
            "path": path,
            "headers": dict(headers),
            "queryStringParameters": dict(parse_qsl(split.query)) or None,
            "requestContext": context,
            "body": body or None,
            "isBase64Encoded": False,
        }
        gate = Gate(logins(), count=lambda name, _: self.refused.append(name), attempts=Attempts())
        try:
            if not headers.get("Authorization"):
                raise Unauthorized
            admitted = gate.admit(event | {"methodArn": "arn:method", "type": "REQUEST"})
        except Unauthorized:
            challenge = {"WWW-Authenticate": 'Basic realm="TDS", charset="UTF-8"', "Content-Type": "application/json"}
            return {"statusCode": 401, "headers": challenge, "body": json.dumps({"message": "Unauthorized"})}
        context["authorizer"] = {"principalId": admitted["principalId"], **admitted["context"]}
        return (self.actions if path == "/status/action" else self.site)(event)


@contextmanager
def serving(server: PageServer) -> Iterator[PageServer]:
    """Serve on a free loopback port meanwhile."""

    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, body: str) -> None:
            told = server.answer(self.command, self.path, dict(self.headers), body)
            content = told["body"].encode()
            self.send_response(told["statusCode"])
            for name, value in told["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}{STAGE}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
