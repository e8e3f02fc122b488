"""Webhooks as nobody expects them, through the deployed template: each has its clear answer, and nothing is lost."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

import pytest

from tds_core import lossless_json
from tests.integration.road import document, later
from tests.stack.running import Json, Stack, wait_for

BEYOND_DOUBLES = 9_007_199_254_740_993_001  # the nearest double is another number


@pytest.fixture
def record() -> str:
    """An id that Zoho does not know."""
    return f"7{secrets.randbelow(10**17):017}"


@pytest.fixture
def slow_zoho(stack: Stack) -> Iterator[None]:
    """A Zoho that takes its time, so that one can see what a row holds before its document is fetched."""
    stack.zoho("PUT", "/limits", {"latency_s": 2})
    yield
    stack.zoho("PUT", "/limits", {"latency_s": 0})


def invoice(record: str | int, **changes: Any) -> Json:
    """A webhook's body: an invoice in its envelope; None leaves a key out."""
    return {"invoice": document("invoices", record, **changes)}


# -- who may send, and where to


def test_a_rotated_secret_holds_and_the_previous_one_still_does(stack: Stack, record: str) -> None:
    before, after = stack.state.webhook_secret, secrets.token_hex(24)
    stack.sign_with(current=after, previous=before)
    try:
        stack.send("invoices/created", invoice(record), secret=before)
        # at once, unless a wrong signature had the secrets read again within the last minute
        wait_for(
            lambda: stack.post("invoices/updated", invoice(record), secret=after).status_code == 202,
            "the new secret is not accepted",
            timeout_s=75,
        )
        stack.send("invoices/updated", invoice(record), secret=before)
        assert stack.post("invoices/updated", invoice(record), secret="neither").status_code == 401
    finally:
        stack.sign_with(current=before, previous="")


@pytest.mark.parametrize("signature", ["", "0" * 64, "not hexadecimal"], ids=["missing", "wrong", "senseless"])
def test_what_is_not_signed_is_refused_without_a_word_and_stored_nowhere(
    stack: Stack, record: str, signature: str
) -> None:
    with stack.held("invoices"):
        answer = stack.post("invoices/created", invoice(record), signature=signature)
        assert (answer.status_code, answer.text) == (401, "")
        assert stack.deployment.queued() == {}


def test_a_changed_body_is_refused(stack: Stack, record: str) -> None:
    body = lossless_json.dumps(invoice(record)).encode()
    with stack.held("invoices"):
        sent = stack.post("invoices/created", invoice(record)).request
        answer = stack.post("invoices/created", body + b" ", signature=sent.headers["X-Zoho-Webhook-Signature"])
        assert answer.status_code == 401
        assert stack.deployment.queued() == {"Invoices": 1}


@pytest.mark.parametrize("path", ["expenses/created", "invoices/forgotten"], ids=["module", "event"])
def test_an_unknown_module_is_not_found_and_only_the_signed_are_told(stack: Stack, path: str) -> None:
    assert stack.post(path, {"expense": {"expense_id": "1"}}).status_code == 404
    assert stack.post(path, {"expense": {"expense_id": "1"}}, signature="").status_code == 401


def test_another_organisations_webhook_is_forbidden(stack: Stack, record: str) -> None:
    with stack.held("invoices"):
        assert stack.post("invoices/created", {"organization_id": "1", **invoice(record)}).status_code == 403
        assert stack.deployment.queued() == {}
        own = {"organization_id": stack.state.organization_id, **invoice(record)}
        assert stack.post("invoices/created", own).status_code == 202


# -- bodies


@pytest.mark.parametrize(
    "body",
    [
        b'{"invoice": {"invoice_id": "1", "tot',
        b"<html>busy</html>",
        b'{"invoice": {"total": 5}}',
        b'{"invoice_id": "0x1"}',
    ],
    ids=["cut off", "no JSON", "no id", "no id of Zoho's"],
)
def test_a_signed_body_that_is_not_understood_is_kept_whole(stack: Stack, body: bytes) -> None:
    stack.send("invoices/created", body)
    (message,) = stack.take("UnroutedQueue")
    note = json.loads(message["body"])
    assert note["key"].startswith("unrouted/")
    assert stack.object(note["bucket"], note["key"]) == body
    assert note["bucket"] == stack.deployment.output("UnroutedBucket")
    assert (note["module"], note["event"]) == ("invoices", "created")


def test_the_old_form_with_its_json_in_one_field_becomes_the_same_row(stack: Stack, record: str) -> None:
    body = invoice(record, notes="شكراً & 100 % + more")
    text = lossless_json.dumps(body)
    stack.send("invoices/created", f"JSONString={quote_plus(text)}".encode(), form=[("JSONString", text)])
    assert stack.until_row("invoices", record, "zoho") == (body["invoice"],)


def test_ids_that_are_numbers_keep_every_digit(stack: Stack) -> None:
    number = BEYOND_DOUBLES + secrets.randbelow(10**6) * 2
    body = invoice(number, customer_id=number + 2, total=lossless_json.loads("123456789012345.678"))
    stack.send("invoices/created", body)
    row = stack.until_row("invoices", str(number), "customer_id", "total", "zoho")
    as_text = {"invoice_id": str(number), "customer_id": str(number + 2)}
    assert row == (str(number + 2), Decimal("123456789012345.678"), body["invoice"] | as_text)


def test_what_is_empty_is_null_and_never_zero(stack: Stack, record: str) -> None:
    names = ("due_date", "last_payment_date", "exchange_rate", "tax_total", "shipping_charge", "reference_number")
    stack.send("invoices/created", invoice(record, **dict.fromkeys(names, "")))
    assert stack.until_row("invoices", record, *names) == (None,) * len(names)


def test_a_document_without_a_version_is_a_row(stack: Stack, record: str) -> None:
    stack.send("invoices/created", invoice(record, last_modified_time=None))
    row = stack.until_row("invoices", record, "detail_version", "last_modified_time", "invoice_number")
    assert row == (None, None, document("invoices", record)["invoice_number"])


def test_keys_and_statuses_that_nobody_knows_are_kept(stack: Stack, record: str) -> None:
    new = {"status": "awaiting_the_moon", "brand_new_key": {"depth": [1, {"of": "field"}]}}
    stack.send("invoices/created", invoice(record, **new))
    status, zoho = stack.until_row("invoices", record, "status", "zoho")
    assert (status, zoho["brand_new_key"]) == (new["status"], new["brand_new_key"])


@pytest.mark.usefixtures("slow_zoho")
def test_a_body_of_chosen_fields_wipes_nothing_and_has_the_document_fetched(stack: Stack) -> None:
    record, before = next(iter(stack.documents("invoices").items()))
    stack.send("invoices/created", {"invoice": before})
    stack.until_equal("invoices", before)
    after = stack.edit("invoices", record, {"notes": "agreed by telephone"}, webhook=False)
    chosen = {name: after[name] for name in ("invoice_id", "invoice_number", "status", "total", "balance")}
    stack.send("invoices/updated", {"invoice": chosen})
    wait_for(lambda: "requested" in stack.story("invoices", record), "the document was not requested")
    assert stack.row("invoices", record, "zoho", "line_items") == (before, before["line_items"])
    stack.until_equal("invoices", after)


# -- what is large, early or twice


def test_a_document_of_300_lines_arrives_with_all_of_them(stack: Stack) -> None:
    products = list(stack.documents("products"))
    lines = [{"item_id": products[place % len(products)], "quantity": 1 + place} for place in range(300)]
    made = stack.create("invoices", {"line_items": lines})
    stack.until_equal("invoices", made)
    assert stack.story("invoices", made["invoice_id"])[0] == "created"
    counted = stack.query(
        "SELECT count(*), sum(quantity) FROM erp.invoice_lines WHERE invoice_id = %s", [made["invoice_id"]]
    )
    assert counted == [(300, sum(range(1, 301)))]


def test_a_document_larger_than_a_message_arrives_by_its_id(stack: Stack) -> None:
    made = stack.create("invoices", {"notes": "x" * 500_000}, webhook=False)
    stack.send("invoices/created", {"invoice": made})
    stack.until_equal("invoices", made)
    assert stack.story("invoices", made["invoice_id"]) == ["requested", "created"]


def test_an_invoice_may_come_before_its_customer(stack: Stack) -> None:
    customer = stack.create("customers", webhook=False)
    made = stack.create("invoices", {"customer_id": customer["contact_id"]}, webhook=False)
    stack.send("invoices/created", {"invoice": made})
    stack.until_equal("invoices", made)
    assert stack.row("customers", customer["contact_id"], "customer_name") is None
    stack.send("contacts/created", {"contact": stack.document("customers", customer["contact_id"])})
    stack.until_row("customers", customer["contact_id"], "customer_name")
    joined = stack.query(
        "SELECT c.customer_name FROM erp.invoices JOIN erp.customers AS c USING (customer_id) WHERE invoice_id = %s",
        [made["invoice_id"]],
    )
    assert joined == [(made["customer_name"],)]


@pytest.mark.parametrize("arrival", [(1, 2), (2, 1)], ids=["in order", "reversed"])
def test_of_two_webhooks_for_one_record_in_one_batch_the_later_state_stands(
    stack: Stack, record: str, arrival: tuple[int, int]
) -> None:
    with stack.held("invoices"):
        for number in arrival:
            changes = {"notes": f"state {number}", "last_modified_time": later(number)}
            stack.send("invoices/updated", invoice(record, **changes))
        assert stack.deployment.queued() == {"Invoices": 2}
    assert stack.until_row("invoices", record, "notes") == ("state 2",)
    wait_for(lambda: not stack.deployment.queued(), "a message stays on the queue")
    assert stack.row("invoices", record, "notes") == ("state 2",)


def test_a_poison_document_costs_its_99_neighbours_nothing(stack: Stack) -> None:
    poison = stack.create("invoices", webhook=False)
    first = BEYOND_DOUBLES + 10**9 + secrets.randbelow(10**9) * 100
    good = [str(first + number) for number in range(99)]
    with stack.held("invoices"):
        bodies = [invoice(record) for record in good]
        bodies.insert(50, {"invoice": poison | {"date": "the day after tomorrow"}})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda body: stack.send("invoices/created", body), bodies))
        assert stack.deployment.queued() == {"Invoices": 100}
    wait_for(lambda: not stack.deployment.queued().get("Invoices"), "the batch was not worked off")
    assert stack.query("SELECT count(*) FROM erp.invoices WHERE invoice_id = ANY(%s)", [good]) == [(99,)]
    (dead,) = stack.take("InvoicesDeadLetterQueue")
    attributes = dead["attributes"]
    assert json.loads(dead["body"])["document"]["date"] == "the day after tomorrow"
    assert (attributes["entity"], attributes["ids"]) == ("invoices", poison["invoice_id"])
    assert "date" in attributes["reason"]
    assert attributes.keys() == {"reason", "entity", "ids", "first_seen", "trace_id", "redrives"}
    stack.until_equal("invoices", poison)
    assert stack.story("invoices", poison["invoice_id"]) == ["requested", "created"]
