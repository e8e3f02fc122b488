"""From Zoho to the row in one process: the simulator's staff work, webhooks suffer, and the mirror equals Zoho."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from cli.local.zoho_simulator import Limits, Options, Simulator
from cli.reckoning import least_calls
from tds_core import lossless_json
from tds_core.database import census, runs
from tds_core.database.candidates import from_document
from tds_core.database.connection import Database
from tds_core.database.ordering import Clock, Moment
from tds_core.entities import REGISTRY, scans
from tds_core.entities.spec import EntitySpec
from tds_core.sync.receive import Receiver
from tds_core.zoho.auth import ZohoCredentials
from tds_core.zoho.routes import ENTITIES
from tds_core.zoho.webhook_secrets import WebhookSecrets
from tests.integration.road import Connect, Json, Queued, Road, record
from tests.quoted import differing
from tests.webhook_events import SECRET, receiver_settings

NOW = Moment(at=datetime(2026, 1, 1, tzinfo=UTC), clock=Clock.FETCH)


@dataclass
class Queues:
    """The receiver's storage: the messages of each entity, in the order of their arrival."""

    messages: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in ENTITIES})
    unrouted: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, queue_url: str, message: str) -> None:
        with self.lock:
            self.messages.get(queue_url.removeprefix("queue/"), self.unrouted).append(message)

    def keep(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        raise AssertionError(f"not understood: {body[:200]!r}")

    def take(self, entity: str) -> list[str]:
        with self.lock:
            taken, self.messages[entity] = self.messages[entity], []
        return taken


def endpoint(receiver: Receiver) -> ThreadingHTTPServer:
    """The receiver behind HTTP, as API Gateway would call it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            module, _, event = self.path.strip("/").partition("/")
            answer = receiver.handle(
                {
                    "headers": dict(self.headers.items()),
                    "pathParameters": {"module": module} | ({"event": event} if event else {}),
                    "requestContext": {"requestId": str(time.monotonic_ns())},
                    "body": self.rfile.read(int(self.headers["Content-Length"])).decode(),
                    "isBase64Encoded": False,
                }
            )
            self.send_response(answer["statusCode"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *values: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Business:
    """A simulated organisation with its webhooks, and the whole road behind them."""

    def __init__(self, connect: Connect, simulator: Simulator) -> None:
        zoho = simulator.details
        self.control = httpx.Client(base_url=zoho.control_url, timeout=30)
        self.road = Road(
            connect,
            httpx.Client(timeout=30),
            zoho_api_url=zoho.api_url,
            zoho_accounts_url=zoho.accounts_url,
            zoho_organization_id=zoho.organization_id,
            deletion_floor=1000,
        )
        self.road.client._tokens._credentials = lambda: ZohoCredentials(
            client_id=zoho.client_id, client_secret=zoho.client_secret, refresh_token=zoho.refresh_token
        )
        self.queues = Queues()
        self.queued = {name: Queued(name, connect()) for name in ENTITIES}
        self.random = random.Random(7)
        receiver = Receiver(
            receiver_settings(zoho_organization_id=zoho.organization_id),
            secrets=WebhookSecrets(lambda: json.dumps({"current": SECRET})),
            storage=self.queues,
            count=lambda name, number: None,
        )
        self.server = endpoint(receiver)
        self.webhooks(base_url=f"http://127.0.0.1:{self.server.server_address[1]}", secret=SECRET, concurrency=3)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.control.close()

    def webhooks(self, **settings: Any) -> None:
        self.control.put("/webhooks", json=settings).raise_for_status()

    def act(self, events: int, **plan: Any) -> None:
        """Let staff work; returns at once."""
        self.control.post("/activity", json={"events": events, **plan}).raise_for_status()

    @property
    def is_at_work(self) -> bool:
        activity = self.control.get("/activity").json()
        assert activity["error"] == ""
        return bool(activity["running"] or self.control.get("/webhooks").json()["pending"])

    def process(self) -> None:
        """Process what is on the queues, shuffled: SQS promises no order."""
        for name, queued in self.queued.items():
            messages = self.queues.take(name)
            self.random.shuffle(messages)
            for start in range(0, len(messages), 100):
                assert queued.handle(*map(record, messages[start : start + 100])) == []
            assert queued.queue.buried == []

    def walk(self) -> None:
        for scan in scans():
            runs.request_walk(self.road.database, scan)
        self.road.walk.run(lambda: 60.0)

    def settle(self) -> None:
        """Let everything come to its end: queues, a poll, a walk, and the backlog."""
        while self.is_at_work:
            self.process()
        self.process()
        self.road.poll.run(force=True)
        self.walk()
        self.drain()

    def drain(self) -> None:
        """Fetch all that is asked for, as if the time had passed."""
        until = time.monotonic() + 30
        # images wait for a function of their own
        waiting = "SELECT entity, id, reason FROM tds.backlog WHERE entity <> 'product_images'"
        while left := self.road.database.execute(waiting):
            assert time.monotonic() < until, left
            self.road.database.execute(
                "UPDATE tds.backlog SET not_before = now() WHERE starts_with(cause, 'ripple:') OR reason IS NOT NULL"
            )
            self.road.work()
            time.sleep(0.05)

    def verify(self) -> None:
        """Let the verifications that were asked for come to their end."""
        for _ in range(20):
            self.road.verify.run(lambda: 30.0)
            self.drain()
            if not self.road.database.execute("SELECT run_id FROM tds.verifications WHERE ended_at IS NULL"):
                return
        raise AssertionError("a verification did not end")

    @property
    def calls(self) -> int:
        return int(self.control.get("/stats").json()["total_calls"])

    def documents(self, name: str) -> dict[str, Json]:
        answer = self.control.get(f"/documents/{name}", params={"limit": 100_000})
        shown = "list_row" if REGISTRY[name].rows_are_documents else "document"
        return {one["id"]: one[shown] for one in lossless_json.loads(answer.content)}

    def assert_equal(self) -> None:
        """Every record, column, child row and total equals Zoho's."""
        truth = lossless_json.loads(self.control.get("/truth").content)
        for name, spec in REGISTRY.items():
            documents = self.documents(name)
            assert differing(spec, stored_columns(self.road.database, spec), expected_columns(spec, documents)) == {}, (
                name
            )
            for table in spec.children:
                expected = {one: table.read(whole)[0] or [] for one, whole in documents.items()}
                assert stored_children(self.road.database, spec, table.table) == expected, table.table
            stored = self.road.database.execute(
                f"SELECT {spec.key}, zoho FROM erp.{spec.table} WHERE deleted_at IS NULL"
            )
            assert differing(spec, dict(stored), documents) == {}, name
            figures = census.entity_figures(self.road.database, spec)
            assert (figures["erp"], figures["details_pending"], figures["nulls"]) == (truth[name]["count"], 0, 0)
            assert amounts(figures["totals"]) == amounts(truth[name]["totals"])
            for table_name, own in figures["children"].items():
                known = truth[table_name]
                assert (own["erp"], amounts(own["totals"])) == (known["count"], amounts(known["totals"])), table_name


def expected_columns(spec: EntitySpec, documents: dict[str, Json]) -> dict[str, Json]:
    """What the mirror has to hold of these documents, without the columns that count only as lists have them."""
    names = spec.shared_columns | spec.detail_columns
    found = {one: from_document(spec, whole, moment=NOW, source="").columns for one, whole in documents.items()}
    return {one: {name: value for name, value in columns.items() if name in names} for one, columns in found.items()}


def stored_columns(database: Database, spec: EntitySpec) -> dict[str, Json]:
    names = sorted((spec.shared_columns | spec.detail_columns) - {"last_modified_time"})
    rows = database.execute(f"SELECT zoho, {', '.join(names)} FROM erp.{spec.table} WHERE deleted_at IS NULL")
    found = {}
    for whole, *values in rows:
        row = dict(zip(names, values, strict=True))
        present = from_document(spec, whole, moment=NOW, source="").columns
        found[row[spec.key]] = {name: value for name, value in row.items() if name in present}
    return found


def stored_children(database: Database, spec: EntitySpec, table: str) -> dict[str, list[Json]]:
    child = next(child for child in spec.children if child.table == table)
    names = sorted(child.model.model_fields)
    found: dict[str, list[Json]] = {}
    for (one,) in database.execute(f"SELECT {spec.key} FROM erp.{spec.table} WHERE deleted_at IS NULL"):
        found[one] = []
    for one, *values in database.execute(f"SELECT {spec.key}, {', '.join(names)} FROM erp.{table} ORDER BY 1"):
        found[one].append(dict(zip(names, values, strict=True)))
    return {one: sorted(rows, key=lambda row: str(row[child.key])) for one, rows in found.items()}


def amounts(totals: dict[str, dict[str, str]]) -> dict[str, dict[str, Decimal]]:
    return {currency: {name: Decimal(value) for name, value in sums.items()} for currency, sums in totals.items()}


@pytest.fixture
def business(connect: Callable[[], Database]) -> Iterator[Business]:
    limits = Limits(per_minute=None, in_flight=None, per_day=1_000_000)
    with Simulator(Options(limits=limits)) as simulator:
        opened = Business(connect, simulator)
        yield opened
        opened.close()


def test_a_history_arrives_whole_for_the_fewest_calls(business: Business) -> None:
    business.walk()
    lists = len(scans())
    assert business.calls == lists  # a page a scan
    business.settle()
    business.assert_equal()
    counts = {name: len(business.documents(name)) for name in REGISTRY}
    # two walks, and a poll, of the lists; an adjustment without version has its products looked at once more
    assert least_calls(counts) + 2 * lists <= business.calls <= least_calls(counts) + 2 * lists + 2


def test_while_staff_work_and_webhooks_suffer_the_mirror_becomes_zoho(business: Business) -> None:
    business.webhooks(duplication=0.3, reordering=0.4, reorder_s=0.5, loss=0.2)
    business.settle()
    for seed, style in enumerate(("default", "numbers", "fields")):
        business.webhooks(style=style)
        business.act(30, per_second=40, seed=seed, mix={"create": 25, "edit": 50, "pay": 25})
        while business.is_at_work:
            business.process()
            business.road.work()
            business.road.poll.run(force=True)
    # a deletion that no webhook tells of is found by verification, so these arrive
    business.webhooks(loss=0.0, style="default")
    business.act(25, per_second=40, seed=7, mix={"edit": 40, "delete": 60})
    before = business.calls
    business.settle()
    business.assert_equal()
    assert business.calls - before < 200, "the same was asked again and again"
