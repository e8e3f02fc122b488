"""What could hide from a verification or mislead it: each was once called equal, or drift, or was healed wrongly."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tds_core.database import verifications
from tds_core.entities import REGISTRY
from tds_core.priority import Priority
from tds_core.zoho.answers import NO_ENDPOINT_CODE
from tests.integration.proving import age, drain, fill, finish, found, kinds, relist, spoil, verify
from tests.integration.road import (
    VERSION,
    Json,
    Queued,
    Road,
    Zoho,
    document,
    later,
    message,
    mirrored,
    record,
    row,
    zoho_time,
)
from tests.zoho_fakes import error

TOO_LATE = "2026-06-01 00:00+03"


def arrive(road: Road, zoho: Zoho, entity: str, *documents: Json) -> None:
    """Let them be at Zoho, in its list and in the mirror for a day."""
    zoho.put(entity, *documents)
    relist(zoho, entity)
    road.request(entity, *(str(one[REGISTRY[entity].zoho_key]) for one in documents))
    road.work()
    verify(road, entity)
    age(road, entity)


def walk(road: Road, scan: str) -> None:
    road.database.execute(
        """
        INSERT INTO tds.cursors (scan, walk_requested_at) VALUES (%(scan)s, now())
        ON CONFLICT (scan) DO UPDATE SET walk_requested_at = now()
        """,
        {"scan": scan},
    )
    road.walk.run(lambda: 30.0)


def begin(road: Road, *entities: str) -> int:
    """A healing run, as far as it comes before anything is fetched."""
    number = verifications.request(road.database, entities, cause="manual", heal=True)
    road.verify.run(lambda: 30.0)
    return number


def end(road: Road, number: int) -> list[tuple[str, str, str, str]]:
    return kinds(road, finish(road, number, between=lambda _: drain(road)))


# -- hidden


def test_a_document_older_than_its_rows_list_version_is_found(road: Road, zoho: Zoho) -> None:
    """The request for it was lost after a walk had shown the change."""
    arrive(road, zoho, "invoices", document("invoices", "901"), document("invoices", "902"))
    zoho.put("invoices", document("invoices", "901", last_modified_time=later(3600), notes="new"))
    relist(zoho, "invoices")
    walk(road, "invoices")
    spoil(road, "DELETE FROM tds.backlog")
    report = verify(road, "invoices")
    assert (report["ok"], kinds(road, report)) == (True, [("901", "local", "detail_version", "confirmed")])
    assert mirrored(road.database, "invoices", "notes")["901"] == ("new",)


def test_a_version_too_late_that_the_stored_document_states_too_is_healed(road: Road, zoho: Zoho) -> None:
    arrive(road, zoho, "invoices", document("invoices", "901"), document("invoices", "902"))
    before = mirrored(road.database, "invoices", "notes", "detail_version", "zoho")
    spoil(
        road,
        "UPDATE erp.invoices SET notes = 'wrong', detail_version = %s,"
        " zoho = zoho || '{\"last_modified_time\": \"2026-06-01T00:00:00+0300\"}' WHERE invoice_id = '901'",
        TOO_LATE,
    )
    assert verify(road, "invoices")["ok"] is True
    assert mirrored(road.database, "invoices", "notes", "detail_version", "zoho") == before


def test_a_deleted_record_whose_mark_was_taken_away_goes_again(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", *range(901, 920))
    zoho.forget("invoices", "901")
    relist(zoho, "invoices")
    verify(road, "invoices")
    assert "901" not in mirrored(road.database, "invoices")
    spoil(road, "UPDATE erp.invoices SET deleted_at = NULL WHERE invoice_id = '901'")
    report = verify(road, "invoices")
    assert (report["ok"], found(report, "invoices")["healed"]) == (True, 1), kinds(road, report)
    assert "901" not in mirrored(road.database, "invoices")
    assert kinds(road, verify(road, "invoices")) == []


def test_a_live_records_tombstone_goes(road: Road, zoho: Zoho) -> None:
    arrive(road, zoho, "invoices", document("invoices", "901"), document("invoices", "902"))
    spoil(road, "INSERT INTO tds.tombstones VALUES ('invoices', '901', now() - interval '1 h', '{}')")
    report = verify(road, "invoices")
    assert (report["ok"], kinds(road, report)) == (True, [("901", "local", "tombstone", "confirmed")])
    assert road.database.execute("SELECT id FROM tds.tombstones WHERE entity = 'invoices'") == []
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]


def test_a_column_that_the_list_leaves_out_is_held_against_the_document(road: Road, zoho: Zoho) -> None:
    """Also where a list row was seen after the document, and agreed with it."""
    fill(road, zoho, "invoices", 901, 902)
    age(road, "invoices")
    before = mirrored(road.database, "invoices", "reference_number")
    zoho.listing("invoices", [row("invoices", one, reference_number=None) for one in ("901", "902")])
    verify(road, "invoices")
    age(road, "invoices", ago="2 h")
    spoil(road, "UPDATE erp.invoices SET reference_number = 'wrong' WHERE invoice_id = '901'")
    assert found(verify(road, "invoices"), "invoices") == {"mismatched": 1, "healed": 1}
    assert mirrored(road.database, "invoices", "reference_number") == before


@pytest.mark.parametrize(
    ("entity", "column", "value"),
    [
        ("payments", "bcy_amount", "1"),
        ("sales_orders", "total_invoiced_amount", "7"),
        ("products", "image_document_id", "5"),
    ],
)
def test_a_column_of_lists_alone_is_healed_beside_a_version_too_late(
    road: Road, zoho: Zoho, entity: str, column: str, value: str
) -> None:
    fill(road, zoho, entity, 901, 902)
    zoho.listing(entity, [row(entity, str(one), **{column: "10"}) for one in (901, 902)])
    verify(road, entity)
    age(road, entity)
    before = mirrored(road.database, entity, column, "last_modified_time")
    spec = REGISTRY[entity]
    spoil(
        road,
        f"UPDATE erp.{spec.table} SET {column} = %s, last_modified_time = %s WHERE {spec.key} = '901'",
        value,
        TOO_LATE,
    )
    assert verify(road, entity)["ok"] is True
    assert mirrored(road.database, entity, column, "last_modified_time") == before


@pytest.mark.parametrize(
    ("waits", "priority"), [("now()", Priority.BACKFILL), ("'2099-01-01'", Priority.POLL)], ids=["history", "for-ever"]
)
def test_a_request_that_may_take_weeks_excuses_nothing(road: Road, zoho: Zoho, waits: str, priority: Priority) -> None:
    arrive(road, zoho, "invoices", document("invoices", "901"), document("invoices", "902"))
    spoil(
        road,
        "INSERT INTO tds.backlog (entity, id, priority, cause, not_before)"
        f" VALUES ('invoices', '901', %s, 'test', {waits})",
        int(priority),
    )
    spoil(road, "UPDATE erp.invoices SET total = 1 WHERE invoice_id = '901'")
    number = begin(road, "invoices")
    assert ("901", "mismatched", "total", "suspected") in kinds(road, {"run_id": number})


# -- misled


def test_a_list_that_lags_lets_no_older_row_in(road: Road, zoho: Zoho) -> None:
    """A run compares with it, and a walk reads it again, before the record itself is fetched."""
    arrive(road, zoho, "invoices", document("invoices", "901", total=100), document("invoices", "902"))
    zoho.put("invoices", document("invoices", "901", total=200, last_modified_time=later(3600)))
    road.request("invoices", "901")
    road.work()
    age(road, "invoices", ago="10 min")
    begin(road, "invoices")
    walk(road, "invoices")
    assert mirrored(road.database, "invoices", "total")["901"] == (200,)


@pytest.mark.parametrize(
    "damage",
    [
        "detail_observed_by = NULL",
        "detail_observed_at = NULL",
        'zoho = zoho || \'{"last_modified_time": "2026-03-14T12:00:00+0300"}\'',
    ],
    ids=["clock", "sight", "document"],
)
def test_a_late_webhook_of_an_older_state_is_not_let_in_by_a_spoiled_track(road: Road, zoho: Zoho, damage: str) -> None:
    new = document("invoices", "901", last_modified_time=later(3600), notes="new")
    arrive(road, zoho, "invoices", new, document("invoices", "902"))
    spoil(road, f"UPDATE erp.invoices SET {damage} WHERE invoice_id = '901'")
    begin(road, "invoices")
    old = document("invoices", "901", last_modified_time=later(1800), notes="old")
    Queued("invoices", road.database).handle(record(message("invoices", old)))
    assert mirrored(road.database, "invoices", "notes")["901"] == ("new",)


@pytest.mark.parametrize("entity", ["users", "price_lists"])
def test_one_list_without_a_record_deletes_nothing(road: Road, zoho: Zoho, entity: str) -> None:
    """Of an entity whose records stand in its list alone, or that Zoho gives no details of."""
    fill(road, zoho, entity, 901, 902, 903)
    before = mirrored(road.database, entity)
    spec = REGISTRY[entity]
    whole = list(next(held for path, held in zoho.documents.items() if path.endswith(spec.path)).values())
    zoho.answer(f"{spec.path}/901", error(NO_ENDPOINT_CODE, status=404))
    zoho.listing(entity, whole[1:])
    zoho.forget(entity, "901")
    road.request(entity, "901")
    road.work()
    assert mirrored(road.database, entity) == before
    zoho.put(entity, whole[0])
    relist(zoho, entity)
    road.hurry()
    road.work()
    assert mirrored(road.database, entity) == before


# -- no drift


def test_a_payment_that_a_webhook_brought_is_no_drift_to_the_lists_newer_version(road: Road, zoho: Zoho) -> None:
    """Its document never moves the version of lists."""
    old = document("payments", "901", last_modified_time=zoho_time(VERSION))
    arrive(road, zoho, "payments", old, document("payments", "902", last_modified_time=zoho_time(VERSION)))
    changed_at = zoho_time(datetime.now(UTC) - timedelta(minutes=30))
    new = old | {"updated_time": changed_at, "last_modified_time": changed_at, "reference_number": "new"}
    zoho.put("payments", new)
    relist(zoho, "payments")
    seen_at = (datetime.now(UTC) - timedelta(minutes=29)).isoformat()
    body = {name: value for name, value in new.items() if name != "last_modified_time"}
    Queued("payments", road.database).handle(record(message("payments", body, observed_at=seen_at)))
    road.hurry()
    road.work()
    age(road, "payments", ago="20 min")
    assert kinds(road, verify(road, "payments")) == []


@pytest.mark.parametrize(
    ("touched", "changes", "moved"),
    [
        ("products", {"line_items": []}, {"stock_on_hand": 5, "available_stock": 5}),
        ("customers", {"customer_id": "102"}, {"outstanding_receivable_amount": 0}),
    ],
)
def test_what_a_document_touched_before_is_moved_by_it_too(
    road: Road, zoho: Zoho, touched: str, changes: dict[str, Any], moved: dict[str, Any]
) -> None:
    """A line was taken out, another customer was named; the webhook comes after the comparison."""
    fill(road, zoho, touched, 101, 102)
    line = document("invoices", "901")["line_items"][0] | {"item_id": "101", "line_item_id": "1"}
    invoice = document("invoices", "901", customer_id="101", line_items=[line])
    arrive(road, zoho, "invoices", invoice)
    spoil(road, "DELETE FROM tds.backlog")
    age(road, touched, ago="10 min")
    new = invoice | changes | {"last_modified_time": zoho_time(datetime.now(UTC))}
    zoho.put("invoices", new)
    zoho.put(touched, document(touched, "101", **moved))
    relist(zoho, touched)
    number = begin(road, touched)
    Queued("invoices", road.database).handle(record(message("invoices", new)))
    told = end(road, number)
    assert told
    assert {status for *_, status in told} == {"dismissed"}
