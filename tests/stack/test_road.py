"""From Zoho to the row through the deployed template: history, webhooks as they suffer, and an outage."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cli.progress import Snapshot
from cli.reckoning import accounts, least_calls
from tds_core.entities import REGISTRY
from tests.stack.comparison import FAIR_WEATHER, assert_equal, catch_up, empty, is_answering, told
from tests.stack.running import PROMISE_S, Json, Stack, wait_for

OUTAGE_S = 20.0
ANNOUNCED = [name for name, spec in REGISTRY.items() if spec.webhook_modules]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How the history came: where it ended, for how many calls, and what Zoho showed then and there."""

    snapshot: Snapshot
    calls: int
    truth: Json
    documents: dict[str, dict[str, Json]]
    stored: dict[str, dict[str, Json | None]]
    entities: Json
    images: int


@pytest.fixture(scope="module")
def history(stack: Stack) -> History:
    """An empty mirror into which the whole history was read."""
    empty(stack)
    stack.zoho("POST", "/stats/reset")
    snapshot = stack.backfill()
    figures = stack.deployment.ask("status", {})
    return History(
        snapshot=snapshot,
        calls=stack.zoho("GET", "/stats")["total_calls"],
        truth=stack.zoho("GET", "/truth"),
        documents={name: stack.documents(name) for name in REGISTRY},
        stored={name: stack.stored(name) for name in REGISTRY},
        entities=figures["entities"],
        images=figures["images"]["expected"],
    )


@pytest.fixture
def company(stack: Stack, history: History) -> Iterator[Stack]:
    """The stack, its mirror equal to Zoho before and nothing dead after."""
    assert history.snapshot.is_complete
    stack.zoho("POST", "/webhooks/reset")
    stack.zoho("PUT", "/webhooks", FAIR_WEATHER)
    yield stack
    stack.zoho("PUT", "/webhooks", FAIR_WEATHER)
    assert {name: stack.take(f"{name}Queue") for name in stack.deployment.dead_letters()} == {}


# -- history


def test_a_history_arrives_whole(history: History) -> None:
    assert history.snapshot.is_complete
    assert history.snapshot.parked == {}
    for name in REGISTRY:
        assert history.stored[name] == history.documents[name], name


def test_the_totals_of_a_history_are_zohos_own(history: History) -> None:
    compared = accounts(history.truth, history.entities)
    counts = {part.entity: (part.zoho, part.erp, part.details_pending) for part in compared}
    for name in REGISTRY:
        assert counts[name] == (len(history.documents[name]), len(history.documents[name]), 0), name
    assert [part.sums for part in compared if not part.is_equal] == []
    assert sum(len(part.sums) for part in compared) > len(REGISTRY)


def test_a_history_costs_no_call_too_many(history: History) -> None:
    least = least_calls({name: len(found) for name, found in history.documents.items()}) + history.images
    assert least <= history.calls <= 1.02 * least


# -- webhooks


@pytest.mark.parametrize("entity", ANNOUNCED)
def test_what_is_created_or_edited_in_zoho_is_a_row_within_the_promise(company: Stack, entity: str) -> None:
    company.until_equal(entity, company.create(entity))
    record, before = next(iter(company.documents(entity).items()))
    edited = company.edit(entity, record)
    assert edited != before
    company.until_equal(entity, edited)
    assert_prompt(company)


def test_of_two_changes_within_a_second_the_later_one_is_the_row_within_the_promise(company: Stack) -> None:
    """Their versions are equal, and a fetch can tell only seconds later: nobody has to wait for the next tick."""
    made = company.create("invoices")
    company.until_equal("invoices", made)
    company.until_equal("invoices", company.edit("invoices", made["invoice_id"], {"notes": "once more"}))


def test_a_payment_reaches_its_own_row_and_the_balance_of_its_invoice(company: Stack) -> None:
    invoice = company.create("invoices", {"status": "sent"})
    company.until_equal("invoices", invoice)
    applied = {"invoice_id": invoice["invoice_id"], "amount_applied": float(invoice["total"])}
    customer, amount = invoice["customer_id"], float(invoice["total"])
    payment = company.create("payments", {"customer_id": customer, "invoices": [applied], "amount": amount})
    company.until_equal("payments", payment)
    company.until_equal("invoices", company.document("invoices", invoice["invoice_id"]))
    assert company.row("invoices", invoice["invoice_id"], "balance", "status", "total") == (0, "paid", invoice["total"])
    children = "SELECT invoice_id, amount_applied FROM erp.payment_invoices WHERE payment_id = %s"
    assert company.query(children, [payment["payment_id"]]) == [(invoice["invoice_id"], invoice["total"])]
    assert_prompt(company)


def test_what_is_deleted_in_zoho_is_no_row_any_more(company: Stack) -> None:
    made = company.create("products")
    company.until_equal("products", made)
    company.zoho("DELETE", f"/documents/products/{made['item_id']}")
    wait_for(lambda: company.row("products", made["item_id"], "zoho") is None, "the deleted product stays")
    assert company.story("products", made["item_id"])[-1] == "deleted"


def test_duplicated_and_reordered_webhooks_end_right(company: Stack) -> None:
    weather = {"duplication": 0.3, "reordering": 0.4, "reorder_s": 2, "concurrency": 4}
    company.zoho("PUT", "/webhooks", weather)
    company.zoho("POST", "/activity", {"events": 60, "per_second": 12, "mix": {"create": 25, "edit": 55, "pay": 20}})
    wait_for(company.is_at_rest, "the webhooks are not worked off", timeout_s=60)
    counts = company.zoho("GET", "/webhooks")["counts"]
    assert counts["accepted"] == counts["sent"] > 60
    assert counts["duplicated"] > 5 < counts["reordered"]
    assert_prompt(company)
    catch_up(company)
    assert_equal(company)


def test_what_lost_webhooks_told_of_is_found_by_poll(company: Stack) -> None:
    company.zoho("PUT", "/webhooks", {"loss": 1})
    made = {name: company.create(name) for name in REGISTRY}
    # an adjustment has no version, so an old one that is edited shows only when its list is walked
    edited = {name: company.edit(name, next(iter(company.documents(name)))) for name in REGISTRY if name != "inventory"}
    counts = company.zoho("GET", "/webhooks")["counts"]
    assert counts["lost"] == counts["events"] >= 2 * len(ANNOUNCED) - 1
    for name, spec in REGISTRY.items():
        assert company.row(name, made[name][spec.zoho_key], "zoho") is None
    for name, document in edited.items():
        assert company.stored(name)[document[REGISTRY[name].zoho_key]] != document
    catch_up(company)
    assert_equal(company)


# -- PostgreSQL is away


def test_webhooks_of_an_outage_are_all_applied_by_themselves_once_postgresql_is_back(company: Stack) -> None:
    wait_for(company.is_at_rest, "the stack does not come to rest", timeout_s=60)
    began = datetime.now(UTC)
    company.local.stop_database()
    try:
        wait_for(lambda: not is_answering(company), "PostgreSQL still answers")
        plan = {"events": 20, "per_second": 20 / OUTAGE_S, "seed": 2, "mix": {"create": 40, "edit": 60}}
        company.zoho("POST", "/activity", plan)
        time.sleep(OUTAGE_S)
        sent = told(company)
        assert len(sent) >= 15
        assert {delivery["status"] for delivery in sent} == {202}
        assert sum(company.deployment.queued().values()) >= 15
        assert not is_answering(company)
    finally:
        company.local.start_database()
    wait_for(company.is_at_rest, "what came during the outage is not applied", timeout_s=60)
    sent = told(company)
    assert {delivery["status"] for delivery in sent} == {202}
    statement = "SELECT count(*) FROM tds.change_log WHERE source = 'webhook' AND observed_at >= %s"
    assert company.query(statement, [began]) == [(len(sent),)]
    company.take("FailedRunsQueue")  # a drain that was at work when PostgreSQL went says so; its schedule is its retry
    catch_up(company)
    assert_equal(company)


def assert_prompt(stack: Stack) -> None:
    """Every webhook since the test began had its outcome committed within the promised time."""
    wait_for(stack.is_at_rest, "the webhooks are not worked off")
    sent = told(stack)
    assert sent
    for delivery in sent:
        sent_at = datetime.fromtimestamp(float(delivery["sent_at"]), UTC)
        entities = tuple(spec.name for spec in REGISTRY.values() if delivery["module"] in spec.webhook_modules)
        statement = (
            "SELECT min(at) FROM tds.change_log WHERE source = 'webhook' AND id = %s AND entity = ANY(%s) AND at > %s"
        )
        ((committed_at,),) = stack.query(statement, [delivery["id"], list(entities), sent_at])
        assert committed_at is not None, f"no outcome: {delivery}"
        assert (committed_at - sent_at).total_seconds() < PROMISE_S, delivery
