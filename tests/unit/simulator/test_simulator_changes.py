"""Changes through the control interface keep the books consistent, with Zoho's versions or without them."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from cli.local.zoho_simulator.entities import CONTACTS, INVOICES, PAYMENTS, SPECS, views
from cli.local.zoho_simulator.options import Quirks
from cli.local.zoho_simulator.records import Refused
from cli.local.zoho_simulator.world import World
from tests.ledger import agrees
from tests.zoho_caller import Caller, simulated


def customer_of(zoho: Caller, invoice: dict[str, Any]) -> dict[str, Any]:
    return dict(zoho.get(f"/contacts/{invoice['customer_id']}").json()["contact"])


def open_invoice(zoho: Caller) -> dict[str, Any]:
    """A new invoice of 10 pieces at 25."""
    item = next(row for row in zoho.rows("/items", "items", product="inventory/v1") if row["track_inventory"])
    line = {"item_id": item["item_id"], "quantity": 10, "rate": 25}
    given = {"line_items": [line], "status": "sent", "shipping_charge": 0}
    return dict(zoho.control("POST", "/documents/invoices", given, status=201)["document"])


def total_stock(zoho: Caller, item_id: str) -> tuple[Decimal, str]:
    item = zoho.get(f"/items/{item_id}", product="inventory/v1").json()["item"]
    return Decimal(str(item["stock_on_hand"])), item["last_modified_time"]


def test_an_invoice_moves_stock_and_balance_without_their_versions(zoho: Caller) -> None:
    item = next(row for row in zoho.rows("/items", "items", product="inventory/v1") if row["track_inventory"])
    stock, version = total_stock(zoho, item["item_id"])
    invoice = open_invoice(zoho)
    assert total_stock(zoho, item["item_id"]) == (stock - 10, version)
    customer = customer_of(zoho, invoice)
    assert customer["outstanding_receivable_amount"] >= invoice["balance"] == 250.0
    assert customer["last_modified_time"] < invoice["last_modified_time"]


def test_whether_stock_moves_the_items_version_is_a_quirk() -> None:
    with simulated(quirks=Quirks(stock_moves_item_version=True)) as zoho:
        invoice = open_invoice(zoho)
        item_id = invoice["line_items"][0]["item_id"]
        assert total_stock(zoho, item_id)[1] == invoice["last_modified_time"]


def test_a_payment_lowers_the_balance_and_moves_the_invoices_version(zoho: Caller) -> None:
    invoice = open_invoice(zoho)
    before = customer_of(zoho, invoice)
    zoho.clock.time += 60
    applied = [{"invoice_id": invoice["invoice_id"], "amount_applied": 100}]
    payment = zoho.control("POST", "/documents/payments", {"invoices": applied, "amount": 130}, status=201)["document"]
    assert (payment["amount"], payment["unused_amount"]) == (130.0, 30.0)
    after = zoho.get(f"/invoices/{invoice['invoice_id']}").json()["invoice"]
    assert (after["balance"], after["payment_made"]) == (150.0, 100.0)
    assert after["status"] in ("partially_paid", "overdue")
    assert after["last_modified_time"] == payment["updated_time"] > invoice["last_modified_time"]
    customer = customer_of(zoho, invoice)
    assert before["outstanding_receivable_amount"] - customer["outstanding_receivable_amount"] == 100
    assert customer["unused_credits_receivable_amount"] - before["unused_credits_receivable_amount"] == 30
    assert customer["last_modified_time"] == before["last_modified_time"]


def test_deleting_a_payment_opens_its_invoices_again(zoho: Caller) -> None:
    invoice = open_invoice(zoho)
    applied = [{"invoice_id": invoice["invoice_id"]}]
    payment = zoho.control("POST", "/documents/payments", {"invoices": applied}, status=201)
    assert zoho.get(f"/invoices/{invoice['invoice_id']}").json()["invoice"]["status"] == "paid"
    zoho.control("DELETE", f"/documents/payments/{payment['id']}")
    assert zoho.get(f"/invoices/{invoice['invoice_id']}").json()["invoice"]["balance"] == 250.0
    assert zoho.get(f"/customerpayments/{payment['id']}").json()["code"] == 1002
    agrees(zoho.service.world)


def test_deleting_an_invoice_leaves_what_was_paid_unused(zoho: Caller) -> None:
    paid = next(i for i in zoho.service.world.table(INVOICES).records.values() if i.payments)
    payment_id, amount = paid.payments[0]
    before = zoho.service.world.table(PAYMENTS).records[payment_id].unused
    zoho.control("DELETE", f"/documents/invoices/{paid.id}")
    assert zoho.service.world.table(PAYMENTS).records[payment_id].unused == before + amount
    assert zoho.get(f"/invoices/{paid.id}").json()["code"] == 1002
    agrees(zoho.service.world)


def test_two_edits_in_one_second_have_the_same_version(zoho: Caller) -> None:
    record_id = zoho.rows("/invoices", "invoices")[0]["invoice_id"]
    first = zoho.control("PATCH", f"/documents/invoices/{record_id}", {"notes": "one"})["document"]
    zoho.clock.time += 0.4
    second = zoho.control("PATCH", f"/documents/invoices/{record_id}", {"notes": "two"})["document"]
    assert first["last_modified_time"] == second["last_modified_time"]
    assert (first["notes"], second["notes"]) == ("one", "two")


def test_an_edit_can_leave_the_version_alone(zoho: Caller) -> None:
    row = zoho.rows("/items", "items", product="inventory/v1")[0]
    zoho.control("PATCH", f"/documents/products/{row['item_id']}", {"rate": 12.345}, version="false")
    after = zoho.rows("/items", "items", product="inventory/v1")[0]
    assert (after["rate"], after["last_modified_time"]) == (12.345, row["last_modified_time"])


def test_a_renamed_customer_shows_in_its_invoices_at_once(zoho: Caller) -> None:
    row = zoho.rows("/invoices", "invoices")[0]
    zoho.control("PATCH", f"/documents/customers/{row['customer_id']}", {"contact_name": "New Name"})
    after = zoho.rows("/invoices", "invoices")[0]
    assert (after["customer_name"], after["last_modified_time"]) == ("New Name", row["last_modified_time"])


def test_a_field_without_meaning_of_its_own_is_shown_where_it_belongs(zoho: Caller) -> None:
    row = zoho.rows("/items", "items", product="inventory/v1")[0]
    changed = zoho.control(
        "PATCH", f"/documents/products/{row['item_id']}", {"image_document_id": "2646610000000999001", "cf_x": "y"}
    )
    assert changed["list_row"]["image_document_id"] == "2646610000000999001"
    assert "image_document_id" not in changed["document"]
    assert changed["document"]["cf_x"] == "y"


@pytest.mark.parametrize(
    ("entity", "given", "status"),
    [
        ("invoices", {"balance": 1}, 409),
        ("invoices", {"nonsense": 1}, 409),
        ("products", {"rate": "abc"}, 400),
        ("customers", {"outstanding_receivable_amount": 5}, 409),
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(
    zoho: Caller, entity: str, given: dict[str, Any], status: int
) -> None:
    before = zoho.control("GET", f"/documents/{entity}", limit=1)[0]
    zoho.control("PATCH", f"/documents/{entity}/{before['id']}", given, status=status)
    assert zoho.control("GET", f"/documents/{entity}/{before['id']}") == before


def test_a_contact_with_transactions_cannot_be_deleted(zoho: Caller) -> None:
    contact = next(c for c in zoho.service.world.table(CONTACTS).records.values() if c.documents)
    zoho.control("DELETE", f"/documents/customers/{contact.id}", status=409)


def test_the_truth_is_exact_and_knows_live_records_only(zoho: Caller) -> None:
    truth = zoho.control("GET", "/truth")
    small = {name: view.sizes["small"] for name, (_, view) in views().items() if view.told}
    assert {name: told["count"] for name, told in truth.items()} == small | {"price_list_items": 150}
    invoice = open_invoice(zoho)
    code = invoice["currency_code"]
    after = zoho.control("GET", "/truth")["invoices"]["totals"][code]
    assert Decimal(after["total"]) - Decimal(truth["invoices"]["totals"][code]["total"]) == 250
    zoho.control("DELETE", f"/documents/invoices/{invoice['invoice_id']}")
    assert zoho.control("GET", "/truth") == truth


def work(world: World, random: Random, steps: int) -> None:
    """Random changes of every kind."""
    for _ in range(steps):
        spec, view = random.choice(list(views().values()))
        action, records = (random.choice("ccced"), [r for r in world.table(spec).records.values() if view.shows(r)])
        try:
            with world.change():
                if action == "c" or not records:
                    spec.create(world, random, dict(view.defaults))
                elif action == "e":
                    record = random.choice(records)
                    spec.edit(world, record, spec.random_edit(world, record, random), True)
                else:
                    spec.delete(world, random.choice(records))
        except Refused:
            continue


@pytest.mark.parametrize("seed", range(6))
def test_the_books_agree_after_any_changes(seed: int) -> None:
    with simulated(seed=seed + 1) as zoho:
        work(zoho.service.world, Random(seed), 250)
        agrees(zoho.service.world)
        for spec in SPECS:
            for record in zoho.service.world.table(spec).records.values():
                fresh = record.snapshot()
                fresh.rows = {}
                assert zoho.service.world.row_bytes(spec, record, spec.home) == zoho.service.world.row_bytes(
                    spec, fresh, spec.home
                )


@pytest.mark.parametrize("moves", [False, True])
def test_time_alone_makes_an_invoice_overdue_and_its_version_is_a_quirk(zoho: Caller, moves: bool) -> None:
    zoho.control("PUT", "/quirks", {"overdue_moves_version": moves})
    invoice = open_invoice(zoho)
    zoho.control("PATCH", f"/documents/invoices/{invoice['invoice_id']}", {"due_date": "2026-03-05", "status": "sent"})
    zoho.clock.time += 60
    zoho.control("POST", "/new-day", {"today": "2026-03-06"})
    after = zoho.get(f"/invoices/{invoice['invoice_id']}").json()["invoice"]
    assert after["status"] == "overdue"
    assert (after["last_modified_time"] > invoice["last_modified_time"]) is moves
    agrees(zoho.service.world)


def test_lists_and_details_as_they_were(zoho: Caller) -> None:
    world = zoho.service.world
    record_id = zoho.rows("/invoices", "invoices")[0]["invoice_id"]
    notes = zoho.get(f"/invoices/{record_id}").json()["invoice"]["notes"]
    zoho.clock.time += 100
    zoho.control("PATCH", f"/documents/invoices/{record_id}", {"notes": "new"})
    created = zoho.control("POST", "/documents/invoices", {}, status=201)["id"]
    deleted = zoho.rows("/invoices", "invoices")[-1]["invoice_id"]
    zoho.control("DELETE", f"/documents/invoices/{deleted}")
    zoho.clock.time += 10
    before = world.as_of(INVOICES, 30)
    assert before[record_id].notes == notes
    assert created not in before
    assert deleted in before
    shown = INVOICES.document(world, before[deleted], "books")
    assert shown["invoice_id"] == deleted
    assert world.as_of(INVOICES, 5).keys() == world.table(INVOICES).records.keys()


def test_kept_item_documents_show_a_renamed_and_a_new_location_at_once(zoho: Caller) -> None:
    item = zoho.rows("/items", "items", product="inventory/v1")[0]["item_id"]

    def places() -> list[str]:
        (document,) = zoho.rows("/itemdetails", "items", product="inventory/v1", item_ids=item)
        return [place["location_name"] for place in document["locations"]]

    known = places()
    place = zoho.control("GET", "/documents/locations")[0]["id"]
    zoho.control("PATCH", f"/documents/locations/{place}", {"location_name": "Moved"})
    assert places() == ["Moved", *known[1:]]
    zoho.control("POST", "/documents/locations", {"location_name": "New"}, status=201)
    assert places() == ["Moved", *known[1:], "New"]


def test_kept_item_documents_show_stock_that_moved(zoho: Caller) -> None:
    row = next(row for row in zoho.rows("/items", "items", product="inventory/v1") if row["track_inventory"])

    def stock() -> float:
        (document,) = zoho.rows("/itemdetails", "items", product="inventory/v1", item_ids=row["item_id"])
        return float(document["stock_on_hand"])

    before = stock()
    lines = [{"item_id": row["item_id"], "quantity": 3}]
    zoho.control("POST", "/documents/invoices", {"line_items": lines}, status=201)
    assert stock() == before - 3


@pytest.mark.parametrize("order", ["A", "D"])
def test_a_list_stays_in_order_while_its_records_change(zoho: Caller, order: str) -> None:
    def totals() -> list[float]:
        rows = zoho.rows("/invoices", "invoices", sort_column="total", sort_order=order)
        return [row["total"] for row in rows]

    zoho.rows("/invoices", "invoices", sort_column="total", sort_order=order)
    made = zoho.control("POST", "/documents/invoices", {}, status=201)["id"]
    zoho.control("PATCH", f"/documents/invoices/{made}", {"shipping_charge": 9_000_000_000})
    assert totals()[0 if order == "D" else -1] > 9_000_000_000
    zoho.control("DELETE", f"/documents/invoices/{made}")
    assert max(totals()) < 9_000_000_000
    assert totals() == sorted(totals(), reverse=order == "D")
