"""Verification: what differs is found, confirmed by a fetch and healed; what is in motion or lags is not called drift."""

import json
from typing import Any

import pytest

from tds_core.database import reckoning, verifications
from tds_core.entities import REGISTRY
from tests.integration.road import Connect, Json, Road, Zoho, document, mirrored, row

Report = dict[str, Any]


@pytest.fixture
def zoho() -> Zoho:
    return Zoho()


@pytest.fixture
def road(connect: Connect, zoho: Zoho) -> Road:
    return Road(connect, zoho.http, verification_margin_s=0)


def fill(road: Road, zoho: Zoho, entity: str, *ids: int, **changes: Any) -> None:
    """Let these records exist at Zoho, in its list and in the mirror, and nothing be in motion."""
    zoho.put(entity, *(document(entity, str(one), **changes) for one in ids))
    relist(zoho, entity)
    road.request(entity, *map(str, ids))
    road.work()
    road.database.execute("DELETE FROM tds.backlog")


def relist(zoho: Zoho, entity: str) -> None:
    """Let the list show what the documents say."""
    path = next(path for path in zoho.documents if path.endswith(REGISTRY[entity].path))
    zoho.listing(entity, [listed(entity, one) for one in zoho.documents[path].values()])


def listed(entity: str, whole: Json) -> Json:
    keys = row(entity, "1").keys()
    return {name: value for name, value in whole.items() if name in keys}


def verify(road: Road, *entities: str, heal: bool = True, drains: bool = True) -> Report:
    """A whole run, with the drain at work beside it."""
    names = entities or tuple(REGISTRY)
    number = verifications.request(road.database, names, cause="manual", heal=heal)
    for _ in range(20):
        road.verify.run(lambda: 30.0)
        shown = verifications.read(road.database, number)
        assert shown is not None
        if shown["ended_at"]:
            report: Report = json.loads(json.dumps(shown["report"], default=str))
            return report
        if drains:
            road.work()
            road.hurry()
    raise AssertionError(f"the run did not end: {shown}")


def spoil(road: Road, statement: str, *parameters: Any) -> None:
    """Corrupt the mirror."""
    road.database.execute(statement, parameters)


def found(report: Report, entity: str) -> dict[str, int]:
    return {
        name: n
        for name in ("missing", "extra", "mismatched", "healed", "remaining")
        if (n := report["entities"][entity][name])
    }


def kinds(road: Road, report: Report) -> list[tuple[str, str, str, str]]:
    rows = reckoning.differences(road.database, report["run_id"])
    return [(one["id"], one["kind"], one["field"], one["status"]) for one in rows]


def test_an_equal_mirror_is_ok_and_costs_the_lists_only(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    fill(road, zoho, "products", 101, 102)
    zoho.calls.clear()
    report = verify(road, "invoices", "products")
    assert report["ok"] is True, report
    assert kinds(road, report) == []
    assert zoho.paths() == ["/items", "/invoices"]
    assert report["zoho_calls"] == 2
    assert (report["entities"]["invoices"]["zoho"], report["entities"]["invoices"]["erp"]) == (2, 2)
    assert road.told == []


def test_an_empty_mirror_of_an_empty_zoho_is_ok(road: Road) -> None:
    assert verify(road)["ok"] is True


@pytest.mark.parametrize(
    ("statement", "expected", "kind"),
    [
        ("DELETE FROM erp.invoices WHERE invoice_id = '901'", {"missing": 1, "healed": 1}, "missing"),
        (
            "UPDATE erp.invoices SET deleted_at = '2026-01-01' WHERE invoice_id = '901'",
            {"missing": 1, "healed": 1},
            "missing",
        ),
        (
            "UPDATE erp.invoices SET total = total + 1 WHERE invoice_id = '901'",
            {"mismatched": 1, "healed": 1},
            "mismatched",
        ),
        (
            "UPDATE erp.invoices SET balance = NULL WHERE invoice_id = '901'",
            {"mismatched": 1, "healed": 1},
            "mismatched",
        ),
        ("UPDATE erp.invoices SET tax_total = 77 WHERE invoice_id = '901'", {"mismatched": 1, "healed": 1}, "local"),
        (
            "UPDATE erp.invoices SET line_items = line_items - 0 WHERE invoice_id = '901'",
            {"mismatched": 1, "healed": 1},
            "local",
        ),
        ("UPDATE erp.invoices SET zoho = NULL WHERE invoice_id = '901'", {"mismatched": 1, "healed": 1}, "local"),
        (
            "UPDATE erp.invoices SET zoho = jsonb_set(zoho, '{notes}', '\"x\"'), notes = 'x' WHERE invoice_id = '901'",
            {"mismatched": 1, "healed": 1},
            "local",
        ),
    ],
    ids=["lost", "buried", "total", "balance-gone", "tax", "line-lost", "document-lost", "document-edited"],
)
def test_what_was_spoiled_is_found_and_healed(
    road: Road, zoho: Zoho, statement: str, expected: dict[str, int], kind: str
) -> None:
    fill(road, zoho, "invoices", 901, 902)
    before = mirrored(road.database, "invoices", "total", "balance", "tax_total", "line_items", "zoho", "notes")
    spoil(road, statement)
    report = verify(road, "invoices")
    assert found(report, "invoices") == expected, kinds(road, report)
    assert {part[1] for part in kinds(road, report)} >= {kind}
    assert report["ok"] is True, report
    assert mirrored(road.database, "invoices", "total", "balance", "tax_total", "line_items", "zoho", "notes") == before
    again = verify(road, "invoices")
    assert (again["ok"], kinds(road, again)) == (True, [])


def test_a_row_that_zoho_does_not_know_is_extra_and_is_deleted(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    spoil(road, "INSERT INTO erp.invoices (invoice_id, total) VALUES ('999', 5)")
    report = verify(road, "invoices")
    assert found(report, "invoices") == {"extra": 1, "healed": 1}
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]


def test_child_rows_are_proved_against_their_document(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "products", 101, 102)
    fill(road, zoho, "payments", 701, 702)
    before = road.database.execute("SELECT * FROM erp.stock_levels ORDER BY 1, 2")
    spoil(road, "UPDATE erp.stock_levels SET stock_on_hand = stock_on_hand + 60 WHERE product_id = '101'")
    spoil(road, "DELETE FROM erp.payment_invoices WHERE payment_id = '702'")
    report = verify(road, "products", "payments")
    assert found(report, "products") == {"mismatched": 1, "healed": 1}
    assert found(report, "payments") == {"mismatched": 1, "healed": 1}
    assert road.database.execute("SELECT * FROM erp.stock_levels ORDER BY 1, 2") == before
    assert report["stock_differences"][0]["id"] == "101"
    stock = report["entities"]["products"]["children"]["stock_levels"]
    assert stock["zoho"]["count"] == stock["erp"]["count"]
    assert stock["zoho"]["totals"] != stock["erp"]["totals"]


def test_without_healing_nothing_is_written_and_every_suspicion_is_asked(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902, 903)
    spoil(road, "UPDATE erp.invoices SET total = 1 WHERE invoice_id = '901'")
    spoil(road, "UPDATE erp.invoices SET tax_total = 1 WHERE invoice_id = '903'")
    spoil(road, "INSERT INTO erp.invoices (invoice_id) VALUES ('999')")
    zoho.calls.clear()
    before = road.database.execute("SELECT * FROM erp.invoices ORDER BY 1")
    report = verify(road, "invoices", heal=False, drains=False)
    assert found(report, "invoices") == {"extra": 1, "mismatched": 2, "remaining": 3}
    assert report["ok"] is False
    assert road.database.execute("SELECT * FROM erp.invoices ORDER BY 1") == before
    assert road.backlog("invoices") == {}
    # the list, two suspicions, and a live witness of the deletion
    assert sorted(zoho.paths()) == ["/invoices", "/invoices/901", "/invoices/903", "/invoices/999"]


def test_beyond_the_bound_suspicions_stay_suspicions(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, verification_margin_s=0, verification_fetches=1)
    fill(road, zoho, "invoices", 901, 902, 903)
    spoil(road, "UPDATE erp.invoices SET total = 1")
    report = verify(road, "invoices", heal=False, drains=False)
    assert found(report, "invoices") == {"mismatched": 3, "remaining": 3}
    assert sorted(one[3] for one in kinds(road, report)).count("confirmed") < 6
    assert report["ok"] is False


@pytest.mark.parametrize("heal", [True, False])
def test_a_list_that_lags_is_no_drift(road: Road, zoho: Zoho, heal: bool) -> None:
    fill(road, zoho, "invoices", 901, 902)
    zoho.listing("invoices", [row("invoices", "901", total=1), row("invoices", "555")])
    report = verify(road, "invoices", heal=heal)
    assert found(report, "invoices") == {}, kinds(road, report)
    assert {part[3] for part in kinds(road, report)} == {"dismissed"}
    assert report["ok"] is True, report
    assert (report["entities"]["invoices"]["zoho"], report["entities"]["invoices"]["erp"]) == (2, 2)
    totals = report["entities"]["invoices"]["totals"]
    assert totals and all(float(one["zoho"]) == float(one["erp"]) for one in totals)
