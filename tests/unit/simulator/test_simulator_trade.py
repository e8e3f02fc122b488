"""Orders, credit notes, bills and adjustments move balances and stock as in a real ledger."""

from decimal import Decimal
from typing import Any

import pytest

from cli.local.zoho_simulator.entities import BILLS, CREDITNOTES, INVOICES, ORDERS
from cli.local.zoho_simulator.options import Quirks
from tests.ledger import agrees
from tests.zoho_caller import Caller, simulated


def tracked(zoho: Caller) -> str:
    rows = zoho.rows("/items", "items", product="inventory/v1")
    return str(next(row["item_id"] for row in rows if row["track_inventory"]))


def stock(zoho: Caller, item_id: str) -> tuple[Decimal, Decimal]:
    """On hand, and free of commitments."""
    item = zoho.get(f"/items/{item_id}", product="inventory/v1").json()["item"]
    return Decimal(str(item["stock_on_hand"])), Decimal(str(item["actual_available_stock"]))


def created(zoho: Caller, entity: str, **given: Any) -> dict[str, Any]:
    return dict(zoho.control("POST", f"/documents/{entity}", given, status=201)["document"])


def order_of_ten(zoho: Caller) -> tuple[dict[str, Any], str]:
    item_id = tracked(zoho)
    return created(zoho, "sales_orders", line_items=[{"item_id": item_id, "quantity": 10, "rate": 25}]), item_id


def test_an_open_order_commits_stock_until_it_is_invoiced(zoho: Caller) -> None:
    before = stock(zoho, tracked(zoho))
    order, item_id = order_of_ten(zoho)
    assert stock(zoho, item_id) == (before[0], before[1] - 10)
    zoho.clock.time += 60
    invoice = created(zoho, "invoices", salesorder_id=order["salesorder_id"])
    assert stock(zoho, item_id) == (before[0] - 10, before[1] - 10)
    assert invoice["salesorder_id"] == order["salesorder_id"]
    assert invoice["line_items"][0]["salesorder_item_id"] == order["line_items"][0]["line_item_id"]
    after = zoho.get(f"/salesorders/{order['salesorder_id']}").json()["salesorder"]
    assert (order["status"], after["status"], after["invoiced_status"]) == ("open", "invoiced", "invoiced")
    assert [entry["invoice_id"] for entry in after["invoices"]] == [invoice["invoice_id"]]
    assert after["line_items"][0]["quantity_invoiced"] == 10.0
    assert after["last_modified_time"] == invoice["created_time"] > order["last_modified_time"]
    agrees(zoho.service.world)


def test_an_invoice_that_goes_away_opens_its_order_again(zoho: Caller) -> None:
    order, item_id = order_of_ten(zoho)
    before = stock(zoho, item_id)
    invoice = created(zoho, "invoices", salesorder_id=order["salesorder_id"])
    zoho.control("DELETE", f"/documents/sales_orders/{order['salesorder_id']}", status=409)
    zoho.control("DELETE", f"/documents/invoices/{invoice['invoice_id']}")
    assert zoho.get(f"/salesorders/{order['salesorder_id']}").json()["salesorder"]["status"] == "open"
    assert stock(zoho, item_id) == before
    zoho.control("DELETE", f"/documents/sales_orders/{order['salesorder_id']}")
    assert zoho.get(f"/salesorders/{order['salesorder_id']}").json()["code"] == 1002
    agrees(zoho.service.world)


def test_inventory_says_confirmed_and_fulfilled_where_books_says_open_and_invoiced(zoho: Caller) -> None:
    order, _ = order_of_ten(zoho)
    path = f"/salesorders/{order['salesorder_id']}"
    shown = [zoho.get(path, product=product).json()["salesorder"] for product in ("books/v3", "inventory/v1")]
    assert [document["status"] for document in shown] == ["open", "confirmed"]
    created(zoho, "invoices", salesorder_id=order["salesorder_id"])
    assert zoho.get(path, product="inventory/v1").json()["salesorder"]["status"] == "fulfilled"


@pytest.mark.parametrize("moves", [False, True])
def test_whether_a_payment_moves_the_orders_version_is_a_quirk(moves: bool) -> None:
    with simulated(quirks=Quirks(invoices_move_order_version=moves)) as zoho:
        order, _ = order_of_ten(zoho)
        invoice = created(zoho, "invoices", salesorder_id=order["salesorder_id"])
        zoho.clock.time += 60
        created(zoho, "payments", invoices=[{"invoice_id": invoice["invoice_id"]}])
        row = zoho.rows("/salesorders", "salesorders", salesorder_ids=order["salesorder_id"])[0]
        assert row["paid_status"] == "paid"
        assert (row["last_modified_time"] > order["last_modified_time"]) is moves


@pytest.mark.parametrize("brings", [False, True])
def test_whether_rows_by_id_bring_lines_is_a_quirk(zoho: Caller, brings: bool) -> None:
    zoho.control("PUT", "/quirks", {"salesorder_ids_bring_lines": brings})
    ids = [row["salesorder_id"] for row in zoho.rows("/salesorders", "salesorders")[:3]]
    rows = zoho.rows("/salesorders", "salesorders", salesorder_ids=",".join(ids))
    assert sorted(row["salesorder_id"] for row in rows) == sorted(ids)
    assert all(("line_items" in row) is brings for row in rows)
    assert not any("line_items" in row for row in zoho.rows("/salesorders", "salesorders"))


# -- credit notes


def invoice_of(zoho: Caller, quantity: int) -> dict[str, Any]:
    line = {"item_id": tracked(zoho), "quantity": quantity, "rate": 25}
    return created(zoho, "invoices", line_items=[line], shipping_charge=0, status="sent")


def contact(zoho: Caller, contact_id: str) -> dict[str, Any]:
    return dict(zoho.get(f"/contacts/{contact_id}").json()["contact"])


def test_a_credit_note_lowers_its_invoices_balance_and_brings_stock_back(zoho: Caller) -> None:
    invoice = invoice_of(zoho, 10)
    item_id, before = invoice["line_items"][0]["item_id"], contact(zoho, invoice["customer_id"])
    held = stock(zoho, item_id)
    zoho.clock.time += 60
    note = created(
        zoho,
        "credit_notes",
        invoice_id=invoice["invoice_id"],
        line_items=[{"item_id": item_id, "quantity": 4, "rate": 25}],
        invoices_credited=[{"invoice_id": invoice["invoice_id"], "credited_amount": 60}],
        creditnote_refunds=[{"amount_fcy": 15, "refund_mode": "Zain Cash"}],
    )
    assert (note["total"], note["balance"], note["status"]) == (100.0, 25.0, "open")
    assert (note["total_credits_used"], note["total_refunded_amount"]) == (60.0, 15.0)
    after = zoho.get(f"/invoices/{invoice['invoice_id']}").json()["invoice"]
    assert (after["balance"], after["credits_applied"], after["payment_made"]) == (190.0, 60.0, 0.0)
    assert after["last_modified_time"] == note["last_modified_time"] > invoice["last_modified_time"]
    assert stock(zoho, item_id)[0] == held[0] + 4
    customer = contact(zoho, invoice["customer_id"])
    assert before["outstanding_receivable_amount"] - customer["outstanding_receivable_amount"] == 60
    assert customer["unused_credits_receivable_amount"] - before["unused_credits_receivable_amount"] == 25
    assert customer["last_modified_time"] == before["last_modified_time"]
    agrees(zoho.service.world)


def test_what_lies_below_a_credit_note_is_what_its_detail_shows(zoho: Caller) -> None:
    refunds = []
    for row in zoho.rows("/creditnotes", "creditnotes"):
        path = f"/creditnotes/{row['creditnote_id']}"
        note = zoho.get(path).json()["creditnote"]
        assert zoho.rows(f"{path}/invoices", "invoices_credited") == note["invoices_credited"]
        assert zoho.rows(f"{path}/refunds", "creditnote_refunds") == note["creditnote_refunds"]
        assert row["applied_invoices"] == ""
        refunds += note["creditnote_refunds"]
    listed = zoho.rows("/creditnotes/refunds", "creditnote_refunds", per_page=2, page=2)
    assert len(refunds) >= 3
    assert listed[0] in refunds
    statuses = {row["status"] for row in zoho.rows("/creditnotes", "creditnotes")}
    assert statuses == {"open", "closed", "void", "draft"}


def test_a_deleted_credit_note_opens_its_invoices_again(zoho: Caller) -> None:
    world = zoho.service.world
    note = next(note for note in world.table(CREDITNOTES).records.values() if note.applied)
    invoice = world.table(INVOICES).records[note.applied[0].invoice_id]
    before, amount = invoice.balance, note.applied[0].amount
    zoho.control("DELETE", f"/documents/credit_notes/{note.id}")
    assert invoice.balance == before + amount
    assert zoho.get(f"/creditnotes/{note.id}").json()["code"] == 1002
    agrees(world)


def test_a_deleted_invoice_leaves_its_credit_unused(zoho: Caller) -> None:
    world = zoho.service.world
    note = next(note for note in world.table(CREDITNOTES).records.values() if note.applied)
    before, amount = note.balance, note.applied[0].amount
    zoho.control("DELETE", f"/documents/invoices/{note.applied[0].invoice_id}")
    assert (note.balance, note.status) == (before + amount, "open")
    agrees(world)


@pytest.mark.parametrize(
    "given",
    [
        {"invoices_credited": [{"invoice_id": "1", "credited_amount": 1}]},
        {"creditnote_refunds": [{"amount_fcy": 10**9}]},
        {"balance": 3},
    ],
    ids=str,
)
def test_no_more_is_credited_than_there_is(zoho: Caller, given: dict[str, Any]) -> None:
    note = next(n for n in zoho.service.world.table(CREDITNOTES).records.values() if n.status == "open")
    before = zoho.get(f"/creditnotes/{note.id}").content
    zoho.control("PATCH", f"/documents/credit_notes/{note.id}", given, status=409)
    assert zoho.get(f"/creditnotes/{note.id}").content == before


# -- what is paid back, and what is written off


def test_an_advance_that_is_paid_back_is_no_unused_credit_any_more(zoho: Caller) -> None:
    customer = created(zoho, "customers", currency_code="USD")
    payment = created(zoho, "payments", customer_id=customer["contact_id"], amount=50)
    path = f"/documents/payments/{payment['payment_id']}"
    refunds = [{"amount_fcy": 20, "refund_mode": "Zain Cash"}]
    after = zoho.control("PATCH", path, {"payment_refunds": refunds})["document"]
    [refund] = after["payment_refunds"]
    assert (after["amount"], after["unused_amount"], refund["amount_fcy"]) == (50.0, 30.0, 20.0)
    assert contact(zoho, customer["contact_id"])["unused_credits_receivable_amount"] == 30
    [row] = zoho.rows("/customerpayments", "customerpayments", customer_id=customer["contact_id"])
    assert (row["bcy_refunded_amount"], row["unused_amount"]) == (20.0, 30.0)
    below = zoho.rows(f"/customerpayments/{payment['payment_id']}/refunds", "payment_refunds")
    assert below == after["payment_refunds"]
    zoho.control("PATCH", path, {"payment_refunds": [*after["payment_refunds"], {"amount_fcy": 31}]}, status=409)
    zoho.control("PATCH", path, {"amount": 19}, status=409)
    rest = zoho.control("PATCH", path, {"payment_refunds": [*after["payment_refunds"], {}]})["document"]
    assert (rest["unused_amount"], rest["payment_refunds"][0]) == (0.0, refund)
    agrees(zoho.service.world)


def test_what_is_written_off_is_owed_no_more(zoho: Caller) -> None:
    invoice = invoice_of(zoho, 10)
    path = f"/documents/invoices/{invoice['invoice_id']}"
    before = contact(zoho, invoice["customer_id"])["outstanding_receivable_amount"]
    zoho.control("PATCH", path, {"write_off_amount": 251}, status=409)
    after = zoho.control("PATCH", path, {"write_off_amount": 250})["document"]
    assert (after["total"], after["balance"], after["write_off_amount"], after["status"]) == (250.0, 0.0, 250.0, "paid")
    assert before - contact(zoho, invoice["customer_id"])["outstanding_receivable_amount"] == 250
    zoho.control("PATCH", path, {"status": "void"}, status=409)
    agrees(zoho.service.world)
    zoho.control("DELETE", path)
    agrees(zoho.service.world)


def test_the_smallest_company_has_an_advance_that_was_paid_back_and_a_bad_debt(zoho: Caller) -> None:
    records = zoho.service.world.tables
    assert any(payment.refunds for payment in records["customerpayments"].records.values())
    assert any(invoice.written_off for invoice in records["invoices"].records.values())


# -- bills


def test_a_bill_raises_what_its_vendor_is_owed_and_brings_stock(zoho: Caller) -> None:
    item_id = tracked(zoho)
    held = stock(zoho, item_id)
    bill = created(zoho, "bills", line_items=[{"item_id": item_id, "quantity": 7, "rate": 3}], status="open")
    owed = contact(zoho, bill["vendor_id"])
    assert (bill["total"], bill["balance"]) == (21.0, 21.0)
    assert stock(zoho, item_id)[0] == held[0] + 7
    zoho.clock.time += 60
    paid = zoho.control("PATCH", f"/documents/bills/{bill['bill_id']}", {"payments": [{"amount": 20}]})["document"]
    assert (paid["balance"], paid["payment_made"]) == (1.0, 20.0)
    vendor = contact(zoho, bill["vendor_id"])
    assert owed["outstanding_payable_amount"] - vendor["outstanding_payable_amount"] == 20
    assert vendor["last_modified_time"] == owed["last_modified_time"]
    assert [row["amount"] for row in zoho.rows(f"/bills/{bill['bill_id']}/payments", "payments")] == [20.0]
    zoho.control("PATCH", f"/documents/bills/{bill['bill_id']}", {"payments": [{"amount": 22}]}, status=409)
    zoho.control("DELETE", f"/documents/bills/{bill['bill_id']}", status=409)
    agrees(zoho.service.world)


def test_time_alone_makes_a_bill_overdue(zoho: Caller) -> None:
    bill = created(zoho, "bills", due_date="2026-03-05", status="open")
    zoho.control("POST", "/new-day", {"today": "2026-03-06"})
    after = zoho.get(f"/bills/{bill['bill_id']}").json()["bill"]
    assert (bill["status"], after["status"]) == ("open", "overdue")
    assert after["last_modified_time"] == bill["last_modified_time"]


@pytest.mark.parametrize(("heeds", "rows"), [(False, 14), (True, 0)])
def test_inventory_ignores_the_filters_of_bills(zoho: Caller, heeds: bool, rows: int) -> None:
    zoho.control("PUT", "/quirks", {"inventory_bills_filter": heeds})
    since = {"last_modified_time": "2030-01-01T00:00:00+0300"}
    assert len(zoho.rows("/bills", "bills", product="inventory/v1", **since)) == rows
    assert zoho.rows("/bills", "bills", **since) == []


# -- purchase orders


def test_a_purchase_order_shows_what_came_of_it_and_moves_neither_stock_nor_debts(zoho: Caller) -> None:
    item_id = tracked(zoho)
    held = stock(zoho, item_id)
    order = created(zoho, "purchase_orders", line_items=[{"item_id": item_id, "quantity": 7, "rate": 3}])
    path, owed = f"/documents/purchase_orders/{order['purchaseorder_id']}", contact(zoho, order["vendor_id"])
    shown = zoho.control("PATCH", path, {"received_share": "0.5"})
    line, row = shown["document"]["line_items"][0], shown["list_row"]
    assert (order["total"], order["received_status"], order["billed_status"]) == (
        21.0,
        "to_be_received",
        "to_be_billed",
    )
    assert (shown["document"]["received_status"], line["quantity_received"]) == ("partially_received", 4.0)
    assert (row["total_ordered_quantity"], row["quantity_yet_to_receive"]) == (7.0, 3.0)
    billed = zoho.control("PATCH", path, {"received_share": 1, "status": "billed"})["document"]
    assert (billed["received_status"], billed["order_status"]) == ("received", "closed")
    assert (stock(zoho, item_id), contact(zoho, order["vendor_id"])) == (held, owed)


@pytest.mark.parametrize(
    "given", [{"received_share": 2}, {"status": "sent"}, {"line_items": [{"item_id": "1"}]}], ids=str
)
def test_what_a_purchase_order_cannot_be_changes_nothing(zoho: Caller, given: dict[str, Any]) -> None:
    order = created(zoho, "purchase_orders")
    path = f"/documents/purchase_orders/{order['purchaseorder_id']}"
    before = zoho.control("GET", path)
    assert zoho.request("PATCH", f"/_simulator{path}", json={"notes": "x", **given}).status_code in (400, 409)
    assert zoho.control("GET", path) == before


def test_a_purchase_order_that_was_billed_cannot_be_deleted(zoho: Caller) -> None:
    order = created(zoho, "purchase_orders", status="billed")
    zoho.control("DELETE", f"/documents/purchase_orders/{order['purchaseorder_id']}", status=409)
    zoho.control("PATCH", f"/documents/purchase_orders/{order['purchaseorder_id']}", {"status": "open"})
    zoho.control("DELETE", f"/documents/purchase_orders/{order['purchaseorder_id']}")
    assert zoho.get(f"/purchaseorders/{order['purchaseorder_id']}").json()["code"] == 1002


# -- adjustments and transfers


def test_an_adjustment_moves_stock_at_its_location_and_is_inventorys_alone(zoho: Caller) -> None:
    item_id = tracked(zoho)
    places = zoho.rows("/locations", "locations")
    held = zoho.get(f"/items/{item_id}", product="inventory/v1").json()["item"]
    lines = [{"item_id": item_id, "quantity_adjusted": "-2.5"}]
    made = created(zoho, "inventory", line_items=lines, location_id=places[3]["location_id"])
    after = zoho.get(f"/items/{item_id}", product="inventory/v1").json()["item"]
    assert after["last_modified_time"] == held["last_modified_time"]
    moved = [
        Decimal(now["location_stock_on_hand"]) - Decimal(then["location_stock_on_hand"])
        for now, then in zip(after["locations"], held["locations"], strict=True)
    ]
    assert moved == [0, 0, 0, Decimal("-2.5"), 0]
    assert made["line_items"][0]["quantity_adjusted"] == -2.5
    path = f"/inventoryadjustments/{made['inventory_adjustment_id']}"
    assert zoho.get(path).json()["code"] == 5
    zoho.control("DELETE", f"/documents/inventory/{made['inventory_adjustment_id']}")
    assert zoho.get(path, product="inventory/v1").json()["code"] == 1002
    assert zoho.get(f"/items/{item_id}", product="inventory/v1").json()["item"] == held


def test_the_newest_adjustments_come_first(zoho: Caller) -> None:
    made = created(zoho, "inventory")
    rows = zoho.rows("/inventoryadjustments", "inventory_adjustments", product="inventory/v1")
    assert rows[0]["inventory_adjustment_id"] == made["inventory_adjustment_id"]
    assert [row["date"] for row in rows] == sorted((row["date"] for row in rows), reverse=True)


def test_a_transfer_leaves_the_total_as_it_was(zoho: Caller) -> None:
    made = zoho.control("POST", "/documents/transfer_orders", {}, status=201)["document"]
    truth = zoho.control("GET", "/truth")
    zoho.control("DELETE", f"/documents/transfer_orders/{made['transfer_order_id']}")
    if not made["is_intransit_order"]:
        assert zoho.control("GET", "/truth")["products"] == truth["products"]
    assert "transfer_orders" not in truth


# -- the truth


def test_the_truth_is_what_the_documents_add_up_to(zoho: Caller) -> None:
    truth = zoho.control("GET", "/truth")
    for entity, path, key, one, amounts in (
        ("sales_orders", "/salesorders", "salesorders", "salesorder", ("total",)),
        ("credit_notes", "/creditnotes", "creditnotes", "creditnote", ("total", "balance")),
        ("bills", "/bills", "bills", "bill", ("total", "balance")),
        ("purchase_orders", "/purchaseorders", "purchaseorders", "purchaseorder", ("total",)),
    ):
        totals: dict[str, dict[str, Decimal]] = {}
        rows = zoho.rows(path, key)
        for row in rows:
            document = zoho.get(f"{path}/{row[f'{one}_id']}").json()[one]
            known = totals.setdefault(document["currency_code"], dict.fromkeys(amounts, Decimal(0)))
            for name in amounts:
                known[name] += Decimal(str(document[name]))
        assert truth[entity]["count"] == len(rows)
        told = truth[entity]["totals"]
        assert {code: {name: Decimal(told[code][name]) for name in amounts} for code in told} == totals
    prices = [
        price["pricebook_rate"]
        for row in zoho.rows("/pricebooks", "pricebooks")
        for price in zoho.get(f"/pricebooks/{row['pricebook_id']}").json()["pricebook"]["pricebook_items"]
    ]
    assert truth["price_list_items"]["count"] == len(prices) == 150
    rates = Decimal(truth["price_list_items"]["totals"][""]["rates"])
    assert rates == sum(Decimal(str(price)) for price in prices)
    adjusted = zoho.rows("/inventoryadjustments", "inventory_adjustments", product="inventory/v1")
    assert Decimal(truth["inventory"]["totals"][""]["total"]) == sum(Decimal(str(row["total"])) for row in adjusted)
    assert truth["users"] == {"count": 8, "totals": {}}


def test_every_state_is_there_even_in_the_smallest_organisation(zoho: Caller) -> None:
    world = zoho.service.world
    assert {order.state for order in world.table(ORDERS).records.values()} >= {"open", "invoiced", "void", "draft"}
    assert {bill.status for bill in world.table(BILLS).records.values()} >= {"paid", "overdue", "void", "draft"}
