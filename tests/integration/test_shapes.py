"""What an entity's spec may say of its list and documents: rows that are documents, no pages, children, no version."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tds_core.database import census, stored
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.errors import ZohoUnavailable
from tds_core.priority import Priority
from tds_core.sync.tally import Tally
from tests.integration.road import Json, Queued, Road, Zoho, document, later, message, mirrored, record, row
from tests.zoho_fakes import answer

LISTED = pytest.mark.parametrize("name", ["users", "locations"])
NAMES = {"users": "name", "locations": "location_name"}


def listed(entity: str, /, *ids: str, **changes: Any) -> list[Json]:
    return [row(entity, one, last_modified_time=None, **changes) for one in ids]


def walk(road: Road, *scans: str) -> dict[str, int]:
    for scan in scans:
        road.database.execute("INSERT INTO tds.cursors (scan, walk_requested_at) VALUES (%s, now())", (scan,))
    return road.walk.run(lambda: 30.0)


def poll_again(road: Road) -> dict[str, int]:
    road.database.execute("UPDATE tds.cursors SET polled_at = polled_at - interval '25 hours'")
    return road.poll.run()


def path(name: str) -> str:
    return REGISTRY[name].path


def children(database: Database, table: str, *columns: str) -> Sequence[tuple[Any, ...]]:
    return database.execute(f"SELECT {', '.join(columns)} FROM erp.{table} ORDER BY 1, 2")


# -- lists whose rows are documents


@LISTED
def test_a_row_that_is_a_document_leaves_nothing_to_fetch(road: Road, zoho: Zoho, name: str) -> None:
    zoho.listing(name, listed(name, "901", "902"))
    assert walk(road, name) == {f"{name}.created": 2}
    assert (road.backlog(name), zoho.paths(path(name))) == ({}, [path(name)])
    figures = census.entity_figures(road.database, REGISTRY[name])
    assert (figures["erp"], figures["details_pending"], figures["nulls"], figures["totals"]) == (2, 0, 0, {})
    [(raw,)] = road.database.execute(f"SELECT zoho FROM erp.{name} WHERE {REGISTRY[name].key} = '901'")
    assert raw == listed(name, "901")[0]


@LISTED
def test_a_change_is_found_by_the_daily_list_without_any_version(road: Road, zoho: Zoho, name: str) -> None:
    zoho.listing(name, listed(name, "901", "902"))
    road.poll.run()
    assert road.poll.run() == {}, "not before a day has passed"
    zoho.listing(name, [*listed(name, "901"), *listed(name, "902", **{NAMES[name]: "اسم آخر"})])
    outcomes = poll_again(road)
    assert (outcomes[f"{name}.unchanged"], outcomes[f"{name}.updated"]) == (1, 1)
    assert mirrored(road.database, name, NAMES[name])["902"] == ("اسم آخر",)
    assert road.backlog(name) == {}


@LISTED
def test_a_request_is_answered_by_reading_the_list_once_for_all(road: Road, zoho: Zoho, name: str) -> None:
    zoho.listing(name, listed(name, "901", "902", "903"))
    road.request(name, "901", "902", priority=Priority.MANUAL)
    assert road.work() == {f"{name}.created": 2}
    assert (zoho.paths(path(name)), road.backlog(name)) == ([path(name)], {})


def test_a_request_reads_every_page_of_the_list(road: Road, zoho: Zoho) -> None:
    zoho.listing("users", listed("users", "901"), listed("users", "902"))
    road.request("users", "902")
    assert road.work() == {"users.created": 1}
    assert [url.params["page"] for url in zoho.calls] == ["1", "2"]


@LISTED
def test_a_record_is_gone_when_its_list_shows_another_without_it(road: Road, zoho: Zoho, name: str) -> None:
    zoho.listing(name, listed(name, "901", "902"))
    walk(road, name)
    zoho.listing(name, listed(name, "901"))
    road.request(name, "902")
    assert road.work() == {}
    assert road.backlog(name)["902"]["reason"].startswith("DeletionDoubted")
    road.hurry()
    assert road.work() == {f"{name}.deleted": 1}
    assert list(mirrored(road.database, name)) == ["901"]


@LISTED
@pytest.mark.parametrize("shown", [[], ["999"]], ids=["an empty list", "nobody known"])
def test_a_list_that_shows_no_known_record_deletes_nothing(road: Road, zoho: Zoho, name: str, shown: list[str]) -> None:
    zoho.listing(name, listed(name, "901", "902"))
    walk(road, name)
    zoho.listing(name, listed(name, *shown))
    road.request(name, "902")
    for _ in range(2):
        road.hurry()
        road.work()
    assert list(mirrored(road.database, name)) == ["901", "902"]
    assert road.backlog(name)["902"]["reason"].startswith("DeletionUnconfirmed")


@LISTED
def test_a_list_that_fails_deletes_nothing(road: Road, zoho: Zoho, name: str) -> None:
    zoho.listing(name, listed(name, "901", "902"))
    walk(road, name)
    zoho.answer(path(name), httpx.Response(503, text="<html>"))
    road.request(name, "902")
    road.work()
    assert list(mirrored(road.database, name)) == ["901", "902"]
    assert road.backlog(name)["902"]["attempts"] == 1


def test_a_row_that_is_no_whole_document_is_not_written(road: Road, zoho: Zoho) -> None:
    zoho.listing("users", [{"user_id": "901", "name": "N"}, *listed("users", "902")])
    walk(road, "users")
    assert list(mirrored(road.database, "users")) == ["902"]
    road.work()
    assert road.backlog("users")["901"]["reason"].startswith("InvalidDocument")


# -- a list without pages


def test_a_list_without_pages_is_asked_for_none_and_is_whole(road: Road, zoho: Zoho) -> None:
    zoho.listing("locations", listed("locations", "901"), listed("locations", "902"))
    assert walk(road, "locations") == {"locations.created": 2}
    [url] = zoho.calls
    assert not {"page", "per_page"} & url.params.keys()


@pytest.mark.parametrize("context", [{"has_more_page": True}, {}, None, "x"], ids=str)
def test_a_list_without_pages_that_says_otherwise_is_an_error(road: Road, zoho: Zoho, context: Any) -> None:
    zoho.answer("/locations", answer({"locations": listed("locations", "901"), "page_context": context}))
    with pytest.raises(ZohoUnavailable):
        walk(road, "locations")
    assert mirrored(road.database, "locations") == {}


def test_a_list_with_pages_needs_its_page_context(road: Road, zoho: Zoho) -> None:
    zoho.answer("/users", answer({"users": listed("users", "901")}))
    with pytest.raises(ZohoUnavailable):
        walk(road, "users")


# -- children as a set, and a column that is derived from them


def credit_note(document_id: str, *refunds: tuple[str, str], applied: Sequence[str] = (), **changes: Any) -> Json:
    return document(
        "credit_notes",
        document_id,
        invoices_credited=[
            {"creditnote_invoice_id": f"{document_id}{one}", "invoice_id": one, "credited_amount": Decimal("0.055")}
            for one in applied
        ],
        creditnote_refunds=[
            {"creditnote_refund_id": one, "refund_mode": mode, "amount_fcy": 1, "amount_bcy": ""}
            for one, mode in refunds
        ],
        **changes,
    )


def test_applications_and_refunds_are_replaced_with_their_credit_note(road: Road, zoho: Zoho) -> None:
    zoho.put("credit_notes", credit_note("901", ("1", "cash"), ("2", "bank"), applied=("7", "8")), credit_note("902"))
    road.request("credit_notes", "901", "902")
    road.work()
    applied = children(road.database, "credit_note_invoices", "creditnote_id", "invoice_id", "credited_amount")
    assert applied == [("901", "7", Decimal("0.055")), ("901", "8", Decimal("0.055"))]
    assert mirrored(road.database, "credit_notes", "refund_mode") == {"901": ("bank, cash",), "902": (None,)}
    zoho.put("credit_notes", credit_note("901", ("2", "bank"), applied=("8",), last_modified_time=later(60)))
    road.request("credit_notes", "901")
    road.work()
    assert children(road.database, "credit_note_invoices", "creditnote_id", "invoice_id") == [("901", "8")]
    refunds = children(road.database, "credit_note_refunds", "creditnote_refund_id", "refund_mode", "amount_bcy")
    assert refunds == [("2", "bank", None)]
    assert mirrored(road.database, "credit_notes", "refund_mode")["901"] == ("bank",)


def test_a_refund_alone_is_a_change_even_without_a_newer_version(road: Road, zoho: Zoho) -> None:
    zoho.put("credit_notes", credit_note("901"))
    road.request("credit_notes", "901")
    road.work()
    zoho.put("credit_notes", credit_note("901", ("1", "cash")))
    road.request("credit_notes", "901")
    assert road.work() == {"credit_notes.updated": 1}
    assert mirrored(road.database, "credit_notes", "refund_mode") == {"901": ("cash",)}


def test_a_credit_note_without_its_lists_leaves_the_child_rows_alone(road: Road, zoho: Zoho) -> None:
    zoho.put("credit_notes", credit_note("901", ("1", "cash"), applied=("7",)))
    road.request("credit_notes", "901")
    road.work()
    silent = credit_note("901", total=5, last_modified_time=later(60))
    zoho.put("credit_notes", {k: v for k, v in silent.items() if k not in ("invoices_credited", "creditnote_refunds")})
    road.request("credit_notes", "901")
    assert road.work() == {"credit_notes.updated": 1}
    assert mirrored(road.database, "credit_notes", "total", "refund_mode") == {"901": (Decimal(5), "cash")}
    assert len(children(road.database, "credit_note_invoices", "creditnote_id", "invoice_id")) == 1


def test_prices_are_replaced_with_their_price_list_and_keep_every_digit(road: Road, zoho: Zoho) -> None:
    zoho.put("price_lists", document("price_lists", "901"), document("price_lists", "902"))
    road.request("price_lists", "901", "902")
    road.work()
    prices = children(road.database, "price_list_items", "pricelist_id", "product_id", "rate::text", "discount")
    assert len(prices) == 4
    assert prices[1] == ("901", "510200000000074019", "0.055", "5%")
    figures = census.entity_figures(road.database, REGISTRY["price_lists"])["children"]
    assert figures == {"price_list_items": {"erp": 4, "totals": {"": {"rates": "117.110"}}}}
    brackets = road.database.execute(
        "SELECT price_brackets -> 1 ->> 'pricebook_rate' FROM erp.price_list_items "
        "WHERE pricelist_id = '901' AND product_id = '510200000000074019'"
    )
    assert brackets == [("0.0475",)]
    zoho.put("price_lists", document("price_lists", "901", pricebook_items=[]))
    road.request("price_lists", "901")
    road.work()
    left = children(road.database, "price_list_items", "pricelist_id", "product_id")
    assert {pricelist for pricelist, _ in left} == {"902"}


@pytest.mark.parametrize("items", [None, []], ids=["absent", "empty"])
def test_a_price_list_that_turns_into_one_percentage_loses_its_prices(
    road: Road, zoho: Zoho, items: list[Json] | None
) -> None:
    zoho.put("price_lists", document("price_lists", "901"))
    road.request("price_lists", "901")
    road.work()
    assert len(children(road.database, "price_list_items", "pricelist_id", "product_id")) == 2
    turned = document("price_lists", "901", pricebook_type="fixed_percentage", percentage=5, pricebook_items=items)
    zoho.put("price_lists", turned)
    road.request("price_lists", "901")
    assert road.work() == {"price_lists.updated": 1}
    assert children(road.database, "price_list_items", "pricelist_id", "product_id") == []


# -- documents without a version


def today() -> date:
    return datetime.now(UTC).date()


def adjustment(document_id: str, day: date, **changes: Any) -> Json:
    return document("inventory", document_id, date=day.isoformat(), last_modified_time=None, **changes)


def test_only_recent_adjustments_are_fetched_anew_each_night(road: Road, zoho: Zoho) -> None:
    days = {"901": today(), "902": today() - timedelta(days=29), "903": today() - timedelta(days=32)}
    zoho.put("inventory", *(adjustment(one, day) for one, day in days.items()))
    road.request("inventory", *days)
    road.work()
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    road.poll.run()
    assert road.backlog("inventory") == {}
    road.clock = datetime(2026, 3, 14, 23, 30, tzinfo=UTC)  # half past two in Baghdad
    zoho.put("inventory", adjustment("902", days["902"], description="نص آخر"))
    road.poll.run()
    assert list(road.backlog("inventory")) == ["901", "902"]
    assert road.work() == {"inventory.unchanged": 1, "inventory.updated": 1}
    assert mirrored(road.database, "inventory", "description")["902"] == ("نص آخر",)
    road.clock += timedelta(minutes=30)
    road.poll.run()
    assert road.backlog("inventory") == {}


def test_newest_adjustments_are_found_by_date(road: Road, zoho: Zoho) -> None:
    rows = [row("inventory", one, date=day.isoformat(), last_modified_time=None) for one, day in
            (("901", today()), ("902", today() - timedelta(days=40)))]  # fmt: skip
    zoho.listing("inventory", rows, rows)
    road.poll.run()
    assert zoho.paths("/inventoryadjustments") == ["/inventoryadjustments"]
    assert list(road.backlog("inventory")) == ["901", "902"]


def test_price_lists_are_fetched_anew_every_four_hours(road: Road, zoho: Zoho) -> None:
    zoho.put("price_lists", document("price_lists", "901", last_modified_time=None))
    road.request("price_lists", "901")
    road.work()
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    road.poll.run()
    assert list(road.backlog("price_lists")) == ["901"]
    assert road.work() == {"price_lists.unchanged": 1}
    road.poll.run()
    assert road.backlog("price_lists") == {}


# -- what a document touches


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        ("sales_orders", {"products": ["510200000000074001", "510200000000074019"]}),
        (
            "credit_notes",
            {"products": ["510200000000074001"], "invoices": ["510200000000096200", "510200000000097000"]},
        ),
        ("bills", {"products": ["510200000000074001"], "purchase_orders": ["510200000000106000"]}),
        ("purchase_orders", {"products": ["510200000000074001"]}),
        (
            "invoices",
            {"products": ["510200000000074001", "510200000000074019"], "sales_orders": ["510200000000095000"]},
        ),
        ("inventory", {"products": ["510200000000074001"]}),
    ],
)
def test_a_document_requests_what_it_touches(road: Road, name: str, touched: dict[str, list[str]]) -> None:
    Queued(name, road.database).handle(record(message(name, document(name, "901"))))
    waiting = {other: list(road.backlog(other)) for other in REGISTRY}
    assert {other: ids for other, ids in waiting.items() if ids} == touched


@pytest.mark.parametrize("own", ["", "701"])
def test_an_invoice_of_several_orders_requests_each_of_them_once(road: Road, own: str) -> None:
    listed = [{"salesorder_id": "701"}, {"salesorder_id": "702"}]
    invoice = document("invoices", "901", salesorder_id=own, salesorders=listed, line_items=[])
    Queued("invoices", road.database).handle(record(message("invoices", invoice)))
    assert list(road.backlog("sales_orders")) == ["701", "702"]


def test_an_order_that_is_not_there_is_one_orphan_however_its_invoice_names_it(road: Road, zoho: Zoho) -> None:
    listed = [{"salesorder_id": "701"}, {"salesorder_id": "702"}]
    zoho.put("invoices", document("invoices", "901", salesorder_id="701", salesorders=listed, line_items=[]))
    road.request("invoices", "901")
    road.work()
    tally = Tally()
    tally.add_orphans(
        road.database, REGISTRY["invoices"], stored.batch(road.database, REGISTRY["invoices"], after="", limit=9)
    )
    assert sorted(
        one["refers_to"] for one in tally.figures["orphans"]["invoices"]["samples"] if one["entity"] == "sales_orders"
    ) == ["701", "702"]


@pytest.mark.parametrize(
    ("name", "walked"), [("sales_orders", False), ("credit_notes", True), ("bills", True), ("purchase_orders", False)]
)
def test_balances_are_walked_for_what_changes_them(road: Road, zoho: Zoho, name: str, walked: bool) -> None:
    walk(road, "contacts")
    changed = document(name, "901", last_modified_time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"))
    Queued(name, road.database).handle(record(message(name, changed)))
    [(touched_at,)] = road.database.execute("SELECT touched_at FROM tds.cursors WHERE scan = 'contacts'")
    assert (touched_at is not None) == walked


# -- two entities on one queue


def test_a_queue_carries_the_messages_of_each_of_its_entities(database: Database) -> None:
    queued = Queued("inventory", database)
    given = [record(message(name, document(name, "901"))) for name in ("inventory", "locations")]
    assert queued.handle(*given, record(message("invoices", document("invoices", "901")))) == []
    assert list(mirrored(database, "inventory")) == list(mirrored(database, "locations")) == ["901"]
    [(_, attributes)] = queued.queue.buried
    assert (attributes["entity"], attributes["reason"]) == (
        "inventory",
        "InvalidDocument: a message of invoices on the queue of inventory",
    )
