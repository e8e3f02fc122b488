"""One value that nobody can read: its column is NULL, the record is there, and people are told by the column's name."""

import logging
from typing import Any

import pytest

from tds_core.database import verifications
from tds_core.database.candidates import from_list_row
from tds_core.entities import entity
from tds_core.priority import Priority
from tds_core.sync.trace import trace
from tests.integration.road import Connect, Json, Queued, Road, Zoho, document, later, message, mirrored, record, row

ID = "901"
ODD = "260815000000108002"


def fetch(road: Road, zoho: Zoho, name: str, **changes: Any) -> Json:
    whole = document(name, ID, **changes)
    zoho.put(name, whole)
    road.request(name, ID)
    road.work()
    return whole


def listed(road: Road, **changes: Any) -> None:
    """Let a list show the purchase order now."""
    spec = entity("purchase_orders")
    [(now,)] = road.database.execute("SELECT clock_timestamp()")
    seen = from_list_row(spec, row(spec.name, ID, **changes), observed_at=now, source="poll")
    road.mirror.apply(spec, [seen], priority=Priority.POLL)


def verified(road: Road, name: str) -> Json:
    verifications.request(road.database, [name], cause="manual", heal=True)
    for _ in range(6):
        road.verify.run(lambda: 30.0)
        road.hurry()
        road.work()
    run = verifications.read(road.database, None)
    assert run is not None
    report: Json = run["report"]
    return report


@pytest.mark.parametrize(
    ("name", "key", "value", "column"),
    [
        ("purchase_orders", "is_drop_shipment", ODD, "is_drop_shipment"),
        ("purchase_orders", "payment_terms", "Net 30", "payment_terms"),
        ("customers", "credit_limit", "1,000", "credit_limit"),
        ("customers", "created_time", "09 Jun 2026", None),
        ("bills", "due_date", "next week", "due_date"),
        ("bills", "created_time", "09 Jun 2026", "created_time"),
        ("bills", "custom_fields", "none", "custom_fields"),
        ("invoices", "sub_total", "12,480.75", "subtotal"),
        ("invoices", "notes", ["a"], "notes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_unreadable_value_that_nobody_relies_on_is_null_and_keeps_no_record_out(
    road: Road, zoho: Zoho, name: str, key: str, value: Any, column: str | None
) -> None:
    whole = fetch(road, zoho, name, **{key: value})
    shown = [column] if column in entity(name).model.model_fields else []
    assert mirrored(road.database, name, *shown) == {ID: (None,) * len(shown)}
    assert mirrored(road.database, name, f"zoho ->> '{key}'")[ID][0] in (value, '["a"]')
    assert whole[key] == value
    assert road.backlog(name) == {}


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("bills", "total", "1,000"),
        ("bills", "date", "next week"),
        ("bills", "last_modified_time", "09 Jun 2026"),
        ("bills", "line_items", "none"),
        ("sales_orders", "customer_id", ["7"]),
        ("purchase_orders", "billed_status", {}),
    ],
    ids=str,
)
def test_an_unreadable_value_that_people_rely_on_is_refused(
    road: Road, zoho: Zoho, name: str, key: str, value: Any
) -> None:
    fetch(road, zoho, name, **{key: value})
    assert mirrored(road.database, name) == {}
    assert road.backlog(name)[ID]["reason"].endswith(f"cannot read {key}")


def test_people_are_told_the_column_and_never_the_value(
    road: Road, zoho: Zoho, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fetch(road, zoho, "customers", credit_limit="1,000", payment_terms="soon")
    [told] = [one for one in caplog.records if one.message == "columns cannot be read"]
    assert (told.entity, told.id, told.columns) == ("customers", ID, ("credit_limit", "payment_terms"))  # type: ignore[attr-defined]
    assert "1,000" not in str(told.__dict__)
    entry = trace(road.database, entity("customers"), ID)["story"][0]
    assert (entry["outcome"], entry["reason"]) == ("created", "cannot read credit_limit, payment_terms")


def test_a_value_that_becomes_unreadable_is_null_and_one_that_is_mended_comes_back(road: Road, zoho: Zoho) -> None:
    for seconds, value in enumerate((1_000, "1,000", 2_000)):
        fetch(road, zoho, "customers", credit_limit=value, last_modified_time=later(60 * seconds))
        assert mirrored(road.database, "customers", "credit_limit") == {ID: (value if value != "1,000" else None,)}


def test_lists_and_documents_that_disagree_on_what_can_be_read_cost_no_calls(road: Road, zoho: Zoho) -> None:
    expected = ((ODD, True, True), (True, ODD, True), (ODD, ODD, None), (ODD, False, False), (True, True, True))
    for shown, said, column in expected:
        listed(road, is_drop_shipment=shown)
        for _ in range(3):
            fetch(road, zoho, "purchase_orders", is_drop_shipment=said)
            assert mirrored(road.database, "purchase_orders", "is_drop_shipment") == {ID: (column,)}
            listed(road, is_drop_shipment=shown)
            assert mirrored(road.database, "purchase_orders", "is_drop_shipment") == {ID: (column,)}
            assert road.backlog("purchase_orders") == {}


def test_an_unreadable_value_of_a_list_only_is_null(road: Road, zoho: Zoho) -> None:
    for value in (5, "5 of 7"):
        listed(road, quantity_yet_to_receive=value)
        fetch(road, zoho, "purchase_orders")
    assert mirrored(road.database, "purchase_orders", "quantity_yet_to_receive") == {ID: (None,)}


def test_an_unreadable_value_of_a_child_row_costs_neither_the_row_nor_the_document(road: Road, zoho: Zoho) -> None:
    stock = [{"location_id": "7", "location_stock_on_hand": 3, "is_primary": ODD}]
    fetch(road, zoho, "products", locations=stock)
    assert road.database.execute("SELECT stock_on_hand, is_primary FROM erp.stock_levels") == [(3, None)]
    assert trace(road.database, entity("products"), ID)["story"][0]["reason"] == "cannot read stock_levels.is_primary"


@pytest.mark.parametrize(("shown", "said"), [(ODD, ODD), (True, ODD), (ODD, True)], ids=["both", "document", "list"])
def test_verification_finds_nothing_wrong_and_counts_what_cannot_be_read(
    road: Road, zoho: Zoho, shown: Any, said: Any
) -> None:
    zoho.listing("purchase_orders", [row("purchase_orders", ID, is_drop_shipment=shown)])
    listed(road, is_drop_shipment=shown)
    fetch(road, zoho, "purchase_orders", is_drop_shipment=said)
    calls = len(zoho.paths("/purchaseorders"))
    report = verified(road, "purchase_orders")
    assert report["ok"]
    counted = {"is_drop_shipment": 1} if said == ODD else {}
    assert report["entities"]["purchase_orders"]["unreadable"] == counted
    assert zoho.paths("/purchaseorders")[calls:] == ["/purchaseorders"]


def test_a_webhook_and_a_fetch_of_one_odd_state_are_equal(road: Road, zoho: Zoho, connect: Connect) -> None:
    whole = fetch(road, zoho, "customers", credit_limit="1,000")
    Queued("customers", connect()).handle(record(message("customers", whole)))
    assert road.outcome("customers", ID) == ["created", "unchanged"]
