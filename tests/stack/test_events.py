"""Every file of events/ runs in Lambda's own runtime interface emulator, with the deployed function's environment."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from cli.local.deploy import Cloud
from cli.local.emulator import CREDENTIALS
from tds_core import lossless_json
from tds_core.entities import REGISTRY
from tests.benchmarks import runtime
from tests.stack.running import Stack, wait_for

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


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """The receiver with a queue of the test's own in place of each of the stack's."""

    running: runtime.Runtime
    cloud: Cloud
    queues: Mapping[str, str]

    def taken(self) -> dict[str, list[Any]]:
        """The messages that were stored, by the name of their queue."""
        client, found = self.cloud.client("sqs"), {}
        for name, url in self.queues.items():
            messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            for message in messages:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if messages:
                found[name] = [lossless_json.loads(message["Body"]) for message in messages]
        return found


@pytest.fixture(scope="module")
def receiver(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    arn = stack.cloud.create_secret("events-webhook-secret", {"current": SIGNED_WITH})
    create = stack.cloud.client("sqs").create_queue
    variables = [name for name in stack.environment("WebhookReceiver") if name.startswith("TDS_QUEUE_NAME_")]
    queues = {name.rpartition("_")[2]: create(QueueName=f"events-{name}")["QueueUrl"] for name in variables}
    unrouted = create(QueueName="events-unrouted")["QueueUrl"]
    changed = {name: f"events-{name}" for name in variables} | {"TDS_UNROUTED_QUEUE_URL": unrouted}
    changed |= {"TDS_WEBHOOK_SECRET_ARN": arn, "TDS_ZOHO_ORGANIZATION_ID": ORGANIZATION}
    with started(
        stack, tmp_path_factory.mktemp("receiver"), "webhook_receiver", "WebhookReceiver", **changed
    ) as running:
        yield Receiver(running=running, cloud=stack.cloud, queues=queues | {"UNROUTED_QUEUE_URL": unrouted})


# file of events/webhook_receiver -> queue, operation, id, whether the message carries the document
STORED: dict[str, set[tuple[str, str, str, bool]]] = {
    "invoice_updated": {("Invoices", "upsert", "510200000000097000", True)},
    "invoice_chosen_fields": {("Invoices", "upsert", "510200000000097000", True)},
    "invoice_deleted": {("Invoices", "delete", "510200000000097000", False)},
    "item_updated_base64": {("Products", "upsert", "510200000000074001", True)},
    "contact_created": {("Customers", "upsert", "510200000000081001", True)},
    "contact_deleted_bare_id": {
        ("Customers", "delete", "510200000000081001", False),
        ("Vendors", "delete", "510200000000081001", False),
    },
    "vendor": {("Vendors", "upsert", "510200000000093001", True)},
    "payment_form": {("Payments", "upsert", "510200000000099000", True)},
    "sales_order_created": {("SalesOrders", "upsert", "510200000000101000", True)},
    "credit_note_updated": {("CreditNotes", "upsert", "510200000000103000", True)},
    "bill_created": {("Bills", "upsert", "510200000000104000", True)},
    "purchase_order_updated": {("PurchaseOrders", "upsert", "510200000000106000", True)},
    "inventory_adjustment_created": {("Inventory", "upsert", "510200000000107000", True)},
}


@pytest.mark.parametrize("name", sorted(STORED))
def test_a_webhook_event_is_stored_on_its_queue_before_it_is_answered(receiver: Receiver, name: str) -> None:
    answer, _ = receiver.running.invoke(event("webhook_receiver", name))
    assert answer["statusCode"] == 202
    taken = receiver.taken()
    stored = {
        (queue, message["op"], *message["ids"], bool(message.get("document")))
        for queue, messages in taken.items()
        for message in messages
    }
    assert stored == STORED[name]
    for messages in taken.values():
        for message in messages:
            document, spec = message.get("document"), REGISTRY[message["entity"]]
            assert not document or str(document[spec.zoho_key]) == message["ids"][0]


def test_an_event_that_is_not_understood_waits_in_the_bucket(stack: Stack, receiver: Receiver) -> None:
    sent = event("webhook_receiver", "unreadable")
    answer, _ = receiver.running.invoke(sent)
    assert answer["statusCode"] == 202
    taken = receiver.taken()
    assert list(taken) == ["UNROUTED_QUEUE_URL"]
    (message,) = taken["UNROUTED_QUEUE_URL"]
    assert stack.object(message["bucket"], message["key"]).decode() == sent["body"]


def test_an_event_with_a_wrong_signature_is_stored_nowhere(receiver: Receiver) -> None:
    answer, _ = receiver.running.invoke(event("webhook_receiver", "wrong_signature"))
    assert answer["statusCode"] == 401
    assert receiver.taken() == {}


def test_every_webhook_event_has_its_expectation() -> None:
    assert {*STORED, "unreadable", "wrong_signature"} == set(names("webhook_receiver"))


# columns that bear Zoho's own names, or column=Zoho's name
COLUMNS = {
    "products": ("name", "rate", "status", "stock_on_hand"),
    "inventory": ("date", "adjustment_type", "reason", "total"),
    "locations": ("location_name", "type"),
    "customers": ("customer_name=contact_name", "currency=currency_code", "outstanding_receivable_amount"),
    "vendors": ("vendor_name=contact_name", "currency=currency_code", "outstanding_payable_amount"),
    "sales_orders": ("salesorder_number", "customer_id", "date", "total", "line_items"),
    "invoices": ("invoice_number", "customer_id", "invoice_date=date", "total", "balance", "line_items"),
    "payments": ("payment_number", "customer_id", "payment_date=date", "payment_mode", "amount"),
    "credit_notes": ("creditnote_number", "customer_id", "date", "total", "balance"),
    "bills": ("bill_number", "vendor_id", "bill_date=date", "total", "balance", "line_items"),
    "purchase_orders": ("purchaseorder_number", "vendor_id", "date", "total"),
    "users": ("name", "email", "status"),
    "price_lists": ("name", "status", "pricebook_type"),
}


def own_ids(entity: str) -> dict[str, Any]:
    """The entity's event with ids that no other test's requests and answers name."""
    text = (EVENTS / "processor" / f"{entity}.json").read_text()
    loaded: dict[str, Any] = json.loads(text.replace("510200000", f"51{10 + list(REGISTRY).index(entity)}00000"))
    return loaded


@pytest.mark.parametrize("entity", [entity for entity in REGISTRY if entity in names("processor")])
def test_an_entitys_event_becomes_a_row_with_the_documents_values(stack: Stack, tmp_path: Path, entity: str) -> None:
    spec, given = REGISTRY[entity], own_ids(entity)
    logical_id = f"{''.join(part.title() for part in spec.queue.split('_'))}Processor"
    with started(stack, tmp_path, "processor", logical_id) as processor:
        answer, _ = processor.invoke(given)
    assert answer == {"batchItemFailures": []}
    message = lossless_json.loads(given["Records"][0]["body"])
    record, document = message["ids"][0], message["document"]
    assert stack.story(entity, record)[:1] == ["created"]
    pairs = {column.partition("=")[0]: column.rpartition("=")[2] for column in COLUMNS[entity]}
    row = stack.row(entity, record, "zoho", *pairs)
    assert row is not None
    assert row[0] == document
    shown = [value.isoformat() if isinstance(value, date) else value for value in row[1:]]
    assert shown == [document[name] for name in pairs.values()]
    for child in spec.children:
        elements = next(document[name] for name in child.source_keys if name in document)
        counted = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
            sql.Identifier("erp", child.table), sql.Identifier(spec.key)
        )
        assert stack.query(counted, [record]) == [(len(elements),)], child.table


def test_every_entity_has_an_event() -> None:
    assert set(names("processor")) == set(REGISTRY) == set(COLUMNS)


def test_backfill_events_poll_drain_and_walk(stack: Stack, tmp_path: Path) -> None:
    stack.backfill("invoices", "customers", "vendors")
    with started(stack, tmp_path, "backfill", "Backfill", TDS_POLL_INTERVAL_S="1") as backfill:
        invoice = stack.create("invoices", webhook=False)["invoice_id"]
        polled, _ = backfill.invoke(event("backfill", "poll"))
        assert polled.get("invoices.created", 0) >= 1, polled
        assert stack.row("invoices", invoice, "invoice_id", "detail_observed_at") == (invoice, None)
        drained, _ = backfill.invoke(event("backfill", "drain"))
        assert sum(count for name, count in drained.items() if name.startswith("invoices.")) >= 1, drained
        assert stack.row("invoices", invoice, "zoho") == (stack.document("invoices", invoice),)
        customer = stack.create("customers", webhook=False)["contact_id"]
        walked: dict[str, int] = {}
        wait_for(lambda: walked.update(backfill.invoke(event("backfill", "walk"))[0]) or walked, "no walk became due")
    truth = stack.zoho("GET", "/truth")
    contacts = {name: count for name, count in walked.items() if name.startswith(("customers.", "vendors."))}
    assert sum(contacts.values()) == truth["customers"]["count"] + truth["vendors"]["count"], walked
    assert contacts.get("customers.created") == 1, walked
    assert stack.row("customers", customer, "customer_id") == (customer,)
    assert {"poll", "walk", "drain"} == set(names("backfill"))


@pytest.mark.parametrize("name", names("image_sync"))
def test_an_image_event_whose_lease_is_gone_is_let_be(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "image_sync", "ImageSync") as image_sync:
        answer, _ = image_sync.invoke(event("image_sync", name))
    assert answer == {"batchItemFailures": []}


@pytest.mark.parametrize("name", sorted({*names("console")} - {"verification"}))
def test_a_console_event_is_answered(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "console", "Console") as console:
        answer, _ = console.invoke(event("console", name))
    assert answer["ok"], answer
    result = answer["result"]
    match name:
        case "dlq_list":
            assert set(result) == {"things", "totals", "time_zone"}
        case _:
            assert set(result["entities"]) == set(REGISTRY)


def test_the_console_tells_of_the_last_verification_or_that_there_was_none(stack: Stack, tmp_path: Path) -> None:
    with started(stack, tmp_path, "console", "Console") as console:
        answer, _ = console.invoke(event("console", "verification"))
    assert "run_id" in answer["result"] if answer["ok"] else answer["error"]["message"] == "nothing was verified yet"


@pytest.mark.parametrize("name", names("verification"))
def test_a_verification_event_goes_on_with_what_is_open(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "verification", "Verification") as verification:
        answer, _ = verification.invoke(event("verification", name))
    assert isinstance(answer, dict)


@pytest.mark.parametrize("name", names("gate"))
def test_a_gate_event_with_an_invented_login_is_refused(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "gate", "Gate") as gate, pytest.raises(RuntimeError, match=r"^Unauthorized\n"):
        gate.invoke(event("gate", name))


@pytest.mark.parametrize("name", names("page"))
def test_a_page_event_is_answered_in_the_language_that_it_asks_for(stack: Stack, tmp_path: Path, name: str) -> None:
    with started(stack, tmp_path, "page", "Page") as page:
        answer, _ = page.invoke(event("page", name))
    assert (answer["statusCode"], answer["headers"]["Content-Language"]) == (200, "ar")


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
    (answer,) = answers
    assert answer["Status"] == "SUCCESS", answer
    asked = event("migrate", name)
    assert all(answer[key] == asked[key] for key in ("StackId", "RequestId", "LogicalResourceId"))


def test_no_event_is_left_out() -> None:
    run = {"webhook_receiver", "processor", "backfill", "console", "housekeeping", "migrate", "image_sync"}
    run |= {"verification", "gate", "page"}
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
