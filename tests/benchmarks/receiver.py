"""How long a webhook waits for its answer: the receiver and an empty function on the real runtime emulator."""

import hashlib
import json
import statistics
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tds_core.zoho.routes import ENTITIES
from tests.benchmarks.runtime import ROOT, Runtime, running

STARTS = 10
CALLS = 100
LIMIT_S = 0.5
_EVENTS = ROOT / "events" / "webhook_receiver"
_SECRET = {"current": "eventsAreSignedWithThis"}
_EMPTY = """def handler(event, context):
    return {"statusCode": 202}
"""


class Stub(BaseHTTPRequestHandler):
    """SQS and Secrets Manager as far as the receiver needs them: it measures the receiver, not them."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet, or each answer waits 40 ms for an acknowledgement
    sent = 0

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: dict[str, str] = {"SecretString": json.dumps(_SECRET), "Name": "webhook", "ARN": "webhook"}
        if self.headers["X-Amz-Target"] == "AmazonSQS.SendMessage":
            type(self).sent += 1
            digest = hashlib.md5(request["MessageBody"].encode(), usedforsecurity=False).hexdigest()
            answer = {"MessageId": str(self.sent), "MD5OfMessageBody": digest}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: its lines would be the benchmark's."""


def run(*, starts: int = STARTS, calls: int = CALLS) -> dict[str, float]:
    """Milliseconds per webhook over `starts` cold starts with `calls` calls each, cold ones included.

    Raises RuntimeError when an answer is not 202 or not every webhook was sent to its queue.
    """
    names = ("invoice_updated", "item_updated_base64", "contact_created", "payment_form")
    events = [json.loads((_EVENTS / f"{name}.json").read_text()) for name in names]
    with tempfile.TemporaryDirectory() as folder, _stub() as url:
        empty = Path(folder) / "empty"
        empty.mkdir()
        (empty / "app.py").write_text(_EMPTY)
        receiver = ROOT / "functions" / "webhook_receiver"
        figures = _figures("receiver", _measure(receiver, Path(folder), _environment(url), events, starts, calls))
        if Stub.sent != starts * calls:
            raise RuntimeError(f"{Stub.sent} of {starts * calls} webhooks were sent to a queue")
        return figures | _figures("empty", _measure(empty, Path(folder), {}, events, starts, calls))


def _measure(
    function: Path, folder: Path, environment: Mapping[str, str], events: list[Any], starts: int, calls: int
) -> list[list[float]]:
    rounds = []
    for _ in range(starts):
        with running(function, folder, environment=environment) as runtime:
            rounds.append([_post(runtime, events[call % len(events)]) for call in range(calls)])
    return rounds


def _post(runtime: Runtime, event: Any) -> float:
    answer, seconds = runtime.invoke(event)
    if answer["statusCode"] != 202:
        raise RuntimeError(f"answered {answer}")
    return seconds


def _figures(name: str, rounds: list[list[float]]) -> dict[str, float]:
    every = sorted(seconds for calls in rounds for seconds in calls)
    cold = [calls[0] for calls in rounds]
    figures = {
        "p50_ms": statistics.median(every),
        "p99_ms": every[int(len(every) * 0.99)],
        "cold_p50_ms": statistics.median(cold),
        "cold_max_ms": max(cold),
    }
    return {f"{name}_{key}": round(seconds * 1_000, 1) for key, seconds in figures.items()}


def _environment(url: str) -> dict[str, str]:
    return {f"TDS_QUEUE_NAME_{entity}": entity for entity in ENTITIES} | {
        "TDS_WEBHOOK_SECRET_ARN": "webhook",
        "TDS_UNROUTED_QUEUE_URL": f"{url}/1/unrouted",
        "TDS_UNROUTED_BUCKET": "unrouted",
        "TDS_ZOHO_ORGANIZATION_ID": "10234695",
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
    }


@contextmanager
def _stub() -> Iterator[str]:
    Stub.sent = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:24}{value:10,.1f}")
