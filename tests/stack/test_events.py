"""Every file of events/ runs in Lambda's own runtime interface emulator, with the deployed function's environment."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.local.emulator import CREDENTIALS
from tds_core.entities import REGISTRY
from tests.benchmarks import runtime
from tests.stack.running import Stack

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
SIGNED_WITH, ORGANIZATION = "eventsAreSignedWithThis", "10234695"


def names(function: str) -> list[str]:
    return sorted(path.stem for path in (EVENTS / function).glob("*.json"))


def event(function: str, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / function / f"{name}.json").read_text())
    return loaded


@contextmanager
def started(
    stack: Stack, folder: Path, function: str, logical_id: str, **environment: str
) -> Iterator[runtime.Runtime]:
    """The function in the emulator, in the environment that the template gives it."""
    variables = {**stack.environment(logical_id), **CREDENTIALS, "AWS_ENDPOINT_URL": stack.state.aws_endpoint_url}
    variables |= {"AWS_REGION": stack.state.region, **environment}
    with runtime.running(ROOT / "functions" / function, folder, environment=variables) as running:
        yield running


@pytest.fixture(scope="module")
def receiver(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[runtime.Runtime]:
    arn = stack.cloud.create_secret("events-webhook-secret", {"current": SIGNED_WITH})
    folder = tmp_path_factory.mktemp("receiver")
    secret = {"TDS_WEBHOOK_SECRET_ARN": arn, "TDS_ZOHO_ORGANIZATION_ID": ORGANIZATION}
    with started(stack, folder, "webhook_receiver", "WebhookReceiver", **secret) as running:
        yield running


@pytest.mark.parametrize("name", names("webhook_receiver"))
def test_a_webhook_event_is_stored_or_refused(receiver: runtime.Runtime, name: str) -> None:
    answer, _ = receiver.invoke(event("webhook_receiver", name))
    assert answer["statusCode"] == (401 if name == "wrong_signature" else 202)


@pytest.mark.parametrize("entity", names("processor"))
def test_an_entitys_event_becomes_a_row(stack: Stack, tmp_path: Path, entity: str) -> None:
    logical_id = f"{''.join(part.title() for part in REGISTRY[entity].queue.split('_'))}Processor"
    with started(stack, tmp_path, "processor", logical_id) as processor:
        answer, _ = processor.invoke(event("processor", entity))
    assert answer == {"batchItemFailures": []}
    message = json.loads(event("processor", entity)["Records"][0]["body"])
    with psycopg.connect(stack.state.database_dsn) as connection:
        told = connection.execute(
            "SELECT outcome FROM tds.change_log WHERE entity = %s AND id = %s", [entity, message["ids"][0]]
        ).fetchall()
    assert told, "no outcome was recorded"


def test_backfill_events_poll_walk_and_drain(stack: Stack, tmp_path: Path) -> None:
    with started(stack, tmp_path, "backfill", "Backfill") as backfill:
        for name in ("poll", "walk", "drain"):
            answer, _ = backfill.invoke(event("backfill", name))
            assert isinstance(answer, dict)
    assert {"poll", "walk", "drain"} == set(names("backfill"))


@pytest.mark.parametrize("name", names("console"))
def test_a_console_event_is_answered(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "console", "Console") as console:
        answer, _ = console.invoke(event("console", name))
    assert answer["ok"], answer


@pytest.mark.parametrize("name", names("housekeeping"))
def test_a_housekeeping_event_is_done(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "housekeeping", "Housekeeping") as housekeeping:
        answer, _ = housekeeping.invoke(event("housekeeping", name))
    assert isinstance(answer, dict)
    assert not [outcome for outcome in answer if outcome.endswith(".failed")], answer


@pytest.mark.parametrize("name", names("migrate"))
def test_a_migrate_event_answers_cloudformation(stack: Stack, tmp_path: Path, name: str) -> None:
    with cloudformation() as (url, answers), started(stack, tmp_path, "migrate", "Migrate") as migrate:
        migrate.invoke(event("migrate", name) | {"ResponseURL": url})
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]


def test_no_event_is_left_out() -> None:
    run = {"webhook_receiver", "processor", "backfill", "console", "housekeeping", "migrate"}
    assert {path.name for path in EVENTS.iterdir() if path.is_dir()} == run


@contextmanager
def cloudformation() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address at which CloudFormation takes answers, and those that came."""
    answers: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
