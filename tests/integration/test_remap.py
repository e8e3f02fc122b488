"""A deploy that reads more of Zoho's documents: rows are filled from what is stored, without a call."""

from typing import Any

import pytest

from tds_core.database import mappings, verifications
from tds_core.database.candidates import Result, from_list_row
from tds_core.database.ordering import Outcome
from tds_core.entities import REGISTRY
from tds_core.entities.mapping import described, remapping
from tds_core.priority import Priority
from tds_core.sync.remap import Remap
from tests.integration.road import Connect, Json, Queued, Road, Zoho, document, message, mirrored, record, row

NAME = "purchase_orders"
TRACKS = ("last_modified_time", "observed_at", "detail_version", "detail_observed_at", "detail_observed_by")


def remap(road: Road, **bounds: int) -> dict[str, int]:
    return Remap(road.database, road.mirror, **bounds).run()


def fill(road: Road, zoho: Zoho, name: str, *ids: str, **changes: Any) -> dict[str, Json]:
    """Let these records be there, and their mapping known."""
    whole = {one: document(name, one, **changes) for one in ids}
    zoho.put(name, *whole.values())
    road.request(name, *ids)
    road.work()
    road.database.execute("DELETE FROM tds.backlog")
    remap(road)
    return whole


def forget(road: Road, name: str, *columns: str, part: str = "columns") -> None:
    """Let the rows be by an older code, which knew nothing of these columns."""
    spec = REGISTRY[name]
    table = spec.table if part == "columns" else part.split(",")[1]
    for column in columns:
        road.database.execute(f"UPDATE erp.{table} SET {column} = NULL")
        road.database.execute(
            "UPDATE tds.mappings SET known = known #- %s::text[] WHERE entity = %s", (f"{{{part},{column}}}", name)
        )
    road.database.execute(rf"UPDATE erp.{spec.table} SET content_hash = '\x00', list_hash = '\x01'")


def test_a_new_column_is_filled_from_the_stored_document_without_a_call(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, NAME, "901", "902")
    before = mirrored(road.database, NAME, "ship_via", "line_items", *TRACKS)
    forget(road, NAME, "ship_via", "line_items")
    zoho.calls.clear()
    assert mappings.outdated(road.database, REGISTRY.values()) == [NAME]
    assert remap(road) == {NAME: 2}
    assert mirrored(road.database, NAME, "ship_via", "line_items", *TRACKS) == before
    assert before["901"][0] == "Sea"
    assert mappings.outdated(road.database, REGISTRY.values()) == []
    assert remap(road) == {}
    assert (zoho.paths(), road.backlog(NAME), road.backlog("products")) == ([], {}, {})


def test_what_was_filled_is_equal_to_a_webhook_of_the_same_state(road: Road, zoho: Zoho, connect: Connect) -> None:
    whole = fill(road, zoho, NAME, "901")
    forget(road, NAME, "ship_via")
    remap(road)
    Queued(NAME, connect()).handle(record(message(NAME, whole["901"])))
    assert road.outcome(NAME, "901")[-1] == "unchanged"
    assert road.backlog(NAME) == {}


def test_a_filled_column_is_an_event_and_tells_its_story(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, NAME, "901")
    forget(road, NAME, "ship_via")
    remap(road)
    query = "SELECT outcome, source, changes, sequence FROM tds.change_log WHERE source = 'mapping'"
    assert road.database.execute(query) == [("updated", "mapping", {"ship_via": [None, "Sea"]}, 2)]
    assert road.database.execute("SELECT kind, changed FROM tds.outbox WHERE sequence = 2") == [
        ("updated", ["ship_via"])
    ]


def test_a_new_column_of_lists_asks_for_nothing_when_the_list_is_read_next(road: Road, zoho: Zoho) -> None:
    def listed() -> list[Result]:
        [(now,)] = road.database.execute("SELECT clock_timestamp()")
        shown = row(NAME, "901", quantity_yet_to_receive=5)
        seen = from_list_row(REGISTRY[NAME], shown, observed_at=now, source="poll")
        return road.mirror.apply(REGISTRY[NAME], [seen], priority=Priority.POLL)

    zoho.put(NAME, document(NAME, "901"))
    listed()
    fill(road, zoho, NAME, "901")
    listed()
    before = mirrored(road.database, NAME, "delivery_date", "quantity_yet_to_receive")
    forget(road, NAME, "delivery_date", "quantity_yet_to_receive")
    remap(road)
    [seen] = listed()
    assert (seen.outcome, seen.requested) == (Outcome.UNCHANGED, False)
    assert mirrored(road.database, NAME, "delivery_date", "quantity_yet_to_receive") == before
    assert (before["901"][1], road.backlog(NAME)) == (5, {})


def test_a_new_column_of_child_rows_is_filled(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "payments", "901")
    before = road.database.execute("SELECT * FROM erp.payment_invoices ORDER BY 2")
    forget(road, "payments", "invoice_number", part="children,payment_invoices,columns")
    assert remap(road) == {"payments": 1}
    assert road.database.execute("SELECT * FROM erp.payment_invoices ORDER BY 2") == before


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE erp.purchase_orders SET total = total + 1 WHERE purchaseorder_id = '901'",
        """UPDATE erp.purchase_orders SET zoho = zoho || '{"total": 7}' WHERE purchaseorder_id = '901'""",
        """UPDATE erp.purchase_orders SET zoho = zoho - 'line_items' WHERE purchaseorder_id = '901'""",
        "INSERT INTO tds.backlog (entity, id, priority, cause) VALUES ('purchase_orders', '901', 2, 'test')",
        "UPDATE erp.purchase_orders SET zoho = NULL WHERE purchaseorder_id = '901'",
    ],
    ids=["column", "document", "no-document", "waiting", "none"],
)
def test_a_row_that_is_no_true_image_of_its_document_is_left_to_verification(
    road: Road, zoho: Zoho, spoiled: str
) -> None:
    fill(road, zoho, NAME, "901", "902")
    forget(road, NAME, "ship_via")
    road.database.execute(spoiled)
    assert remap(road) == {NAME: 1}
    assert mirrored(road.database, NAME, "ship_via") == {"901": (None,), "902": ("Sea",)}
    assert mappings.outdated(road.database, REGISTRY.values()) == []


def test_a_pass_is_bounded_goes_on_where_it_ended_and_starts_anew_for_another_mapping(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, NAME, *map(str, range(901, 908)))
    forget(road, NAME, "ship_via")
    assert remap(road, rows=3, batch=2) == {NAME: 4}
    assert [one for (one,) in mirrored(road.database, NAME, "ship_via").values()] == ["Sea"] * 4 + [None] * 3
    road.database.execute("""UPDATE tds.mappings SET towards = '{"columns": {}}' WHERE entity = %s""", (NAME,))
    assert remap(road, rows=3, batch=2) == {NAME: 4}
    assert remap(road, rows=3, batch=2) == {NAME: 3}
    assert {one for (one,) in mirrored(road.database, NAME, "ship_via").values()} == {"Sea"}
    assert mappings.outdated(road.database, REGISTRY.values()) == []


def test_a_document_seen_while_a_row_is_rewritten_stands(
    road: Road, zoho: Zoho, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(road, zoho, NAME, "901")
    forget(road, NAME, "ship_via")
    restate = road.mirror.restate

    def late(*arguments: Any) -> int:
        zoho.put(NAME, document(NAME, "901", ship_via="Air"))
        road.request(NAME, "901", forced=True)
        road.work()
        return restate(*arguments)

    monkeypatch.setattr(road.mirror, "restate", late)
    assert remap(road) == {NAME: 0}
    assert mirrored(road.database, NAME, "ship_via") == {"901": ("Air",)}


def test_verification_waits_for_rows_of_another_mapping(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, NAME, "901")
    zoho.listing(NAME, [row(NAME, "901")])
    forget(road, NAME, "ship_via")
    number = verifications.request(road.database, [NAME], cause="manual", heal=True)
    zoho.calls.clear()
    assert road.verify.run(lambda: 30.0) == {}
    assert zoho.paths() == []
    remap(road)
    for _ in range(6):
        road.verify.run(lambda: 30.0)
        road.hurry()
        road.work()
    ended = verifications.read(road.database, number)
    assert ended is not None
    local = road.database.execute("SELECT field FROM tds.drift WHERE kind = 'local'")
    assert (ended["ended_at"] is not None, local) == (True, [])


@pytest.mark.parametrize("name", REGISTRY)
def test_a_mapping_is_the_same_each_time_and_survives_the_database(road: Road, name: str) -> None:
    remap(road)
    known = mappings.known(road.database)[name]
    assert known.mapping == described(REGISTRY[name])
    change = remapping(REGISTRY[name], known.mapping)
    assert (change.columns, change.children, change.in_lists) == (frozenset(), frozenset(), False)
