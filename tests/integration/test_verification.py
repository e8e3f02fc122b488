"""Verification: what differs is found, confirmed by a fetch and healed; what is in motion or lags is no drift."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, ClassVar

import httpx
import pytest

from cli import spoil as demo
from tds_core.database import checks, reckoning, runs, verifications
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.entities.spec import EntitySpec
from tds_core.errors import TdsError
from tds_core.sync.image_check import ImageReport
from tests.integration.proving import Report, fill, found, kinds, listed, relist, spoil, verify
from tests.integration.road import (
    VERSION,
    Connect,
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


def test_a_contact_that_changed_its_type_is_extra_here_and_missing_there_and_both_are_healed(
    road: Road, zoho: Zoho
) -> None:
    fill(road, zoho, "customers", 901, 902)
    zoho.put("customers", document("customers", "901", contact_type="vendor"))
    relist(zoho, "customers")
    report = verify(road, "customers", "vendors")
    assert found(report, "customers") == {"extra": 1, "healed": 1}
    assert found(report, "vendors") == {"missing": 1, "healed": 1}
    assert [list(mirrored(road.database, name)) for name in ("customers", "vendors")] == [["902"], ["901"]]
    assert report["ok"] is True


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


_WRONG = {
    "text": "'wrong'",
    "numeric": "-7.77",
    "integer": "-7",
    "date": "'2001-01-01'",
    "timestamp with time zone": "'2001-01-01'",
    "boolean": "NOT coalesce({}, false)",
    "jsonb": """'["wrong"]'""",
}


@pytest.mark.parametrize("entity", [name for name, spec in REGISTRY.items() if not spec.rows_are_documents])
def test_every_column_that_the_list_shows_is_found_wrong_and_healed(road: Road, zoho: Zoho, entity: str) -> None:
    spec = REGISTRY[entity]
    fill(road, zoho, entity, 901, 902)
    verify(road, entity)  # now the list was seen later than the document, and its row is known by its hash
    names = sorted(spec.header_columns & listed_columns(spec, zoho) - {spec.key})
    before = mirrored(road.database, entity, *names)
    types = column_types(road, spec)
    wrong = ", ".join(f"{name} = {_WRONG[types[name]].format(name)}" for name in names)
    spoil(road, f"UPDATE erp.{spec.table} SET {wrong} WHERE {spec.key} = '901'")
    report = verify(road, entity)
    assert {field for _, kind, field, _ in kinds(road, report) if kind == "mismatched"} == set(names)
    assert (report["ok"], found(report, entity)["healed"]) == (True, 1)
    assert mirrored(road.database, entity, *names) == before
    again = verify(road, entity)
    assert (again["ok"], kinds(road, again)) == (True, [])


def listed_columns(spec: EntitySpec, zoho: Zoho) -> set[str]:
    """The columns that the list's rows fill."""
    path = next(path for path in zoho.documents if path.endswith(spec.path))
    shown = (listed(spec.name, one) for one in zoho.documents[path].values())
    return {name for one in shown for name in spec.model.parse(one).columns()}


@pytest.mark.parametrize("balance", [None, "1,250.00 IQD"], ids=["dropped", "unreadable"])
def test_sums_that_the_list_does_not_tell_are_not_equal_whatever_else_is_in_motion(
    connect: Connect, zoho: Zoho, balance: str | None
) -> None:
    road = Road(connect, zoho.http, critical_topic_arn="critical")
    fill(road, zoho, "invoices", 901, 902, 903, 904)
    lag = row("invoices", "904", total=1)  # a suspicion that will be dismissed
    zoho.listing("invoices", [*(row("invoices", one, balance=balance) for one in ("901", "902", "903")), lag])
    road.request("invoices", "903")
    road.database.execute("UPDATE tds.backlog SET reason = 'x', not_before = now() + interval '1 h'")
    number = verifications.request(road.database, ["invoices"], cause="manual", heal=False)
    for _ in range(5):
        road.verify.run(lambda: 30.0)
    road.database.execute("DELETE FROM tds.backlog")
    shown = verifications.read(road.database, number)
    assert shown is not None
    part = shown["report"]["entities"]["invoices"]
    assert (part["in_motion"], part["dismissed"], part["remaining"]) == (1, 1, 0)
    assert part["untold"].get("balance") == 2
    told = {one["column"]: float(one["zoho"]) for one in part["unexplained"]}
    assert told["balance"] == 0
    assert shown["report"]["ok"] is False
    assert any("the list does not tell" in text and "balance of 2" in text for _, _, text in road.told)


def test_what_is_in_motion_or_was_told_late_makes_no_sum_unexplained(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902, 903)
    changed = row("invoices", "902", total=7, last_modified_time=now(-3))
    zoho.listing("invoices", [row("invoices", "901", total=1), changed, row("invoices", "903")])
    report = verify(road, "invoices", heal=False)
    part = report["entities"]["invoices"]
    assert (part["in_motion"], part["dismissed"], part["unexplained"], part["untold"]) == (1, 1, [], {})
    assert report["ok"] is True


@pytest.mark.parametrize("column", ["detail_version", "observed_at", "detail_observed_at"])
def test_a_time_that_cannot_be_is_told_and_without_healing_left_as_it_is(road: Road, zoho: Zoho, column: str) -> None:
    fill(road, zoho, "invoices", 901, 902)
    before = mirrored(road.database, "invoices", "detail_version")
    spoil(road, f"UPDATE erp.invoices SET {column} = '2099-01-01' WHERE invoice_id = '901'")
    wrong = mirrored(road.database, "invoices", column)
    looked = verify(road, "invoices", heal=False)
    assert kinds(road, looked) == [("901", "local", column, "confirmed")]
    assert looked["ok"] is False
    assert mirrored(road.database, "invoices", column) == wrong
    assert found(verify(road, "invoices"), "invoices") == {"mismatched": 1, "healed": 1}
    assert mirrored(road.database, "invoices", "detail_version") == before
    assert kinds(road, verify(road, "invoices")) == []


def test_a_tombstone_of_the_future_hides_no_record(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    before = mirrored(road.database, "invoices", "total", "zoho")
    spoil(road, "DELETE FROM erp.invoices WHERE invoice_id = '901'")
    spoil(road, "INSERT INTO tds.tombstones VALUES ('invoices', '901', '2099-01-01', '{}')")
    assert found(verify(road, "invoices"), "invoices")["healed"] == 1
    assert mirrored(road.database, "invoices", "total", "zoho") == before
    assert kinds(road, verify(road, "invoices")) == []


_TRACKS = {
    "last_modified_time": (None, "2001-01-01", "2026-03-14 12:00", "2099-01-01"),
    "detail_version": (None, "2001-01-01", "2026-03-14 12:00", "2099-01-01"),
    "observed_at": (None, "2001-01-01", "2099-01-01"),
    "detail_observed_at": (None, "2001-01-01", "2099-01-01"),
    "observed_by": (None, "webhook"),
    "detail_observed_by": (None, "webhook"),
    "list_hash": (None, b"0"),
    "content_hash": (None, b"0"),
    "deleted_at": ("2001-01-01", "2099-01-01"),
}


@pytest.mark.parametrize("entity", ["invoices", "payments", "products", "users"])
def test_whatever_a_rows_tracks_say_of_it_what_is_wrong_is_healed(road: Road, zoho: Zoho, entity: str) -> None:
    """A record for each value in a column of the machinery: alone, and beside a wrong column of list and document."""
    spec = REGISTRY[entity]
    types = column_types(road, spec)
    kept = [spec.header_columns - {spec.key}, spec.detail_columns - spec.header_columns - {"zoho"}]
    others = [None, *(min(name for name in names if types[name] == "text") for names in kept if names)]
    tracks = [(column, value) for column, values in _TRACKS.items() for value in values]
    spoiled = dict(enumerate(product(tracks, others), 1001))
    fill(road, zoho, entity, *spoiled, last_modified_time=zoho_time(VERSION))
    verify(road, entity)
    ago = ", ".join(f"{name} = {name} - interval '1 day'" for name in ("observed_at", "detail_observed_at"))
    spoil(road, f"UPDATE erp.{spec.table} SET {ago}")
    shown = sorted(spec.model.model_fields.keys() | {"zoho", "detail_version", "content_hash"})
    before = mirrored(road.database, entity, *shown)
    for document_id, ((column, value), other) in spoiled.items():
        wrong = {column: value} | ({other: "wrong"} if other else {})
        values = ", ".join(f"{name} = %s" for name in wrong)
        spoil(road, f"UPDATE erp.{spec.table} SET {values} WHERE {spec.key} = %s", *wrong.values(), str(document_id))
    report = verify(road, entity)
    assert report["ok"] is True, kinds(road, report)
    assert mirrored(road.database, entity, *shown) == before
    again = verify(road, entity)
    assert (again["ok"], kinds(road, again)) == (True, [])


def column_types(road: Road, spec: EntitySpec) -> dict[str, str]:
    return dict(
        road.database.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'erp'"
            " AND table_name = %s",
            (spec.table,),
        )
    )


def test_what_the_demo_spoils_is_found_and_healed(road: Road, zoho: Zoho, conninfo: str) -> None:
    entities = [name for name, spec in REGISTRY.items() if not spec.rows_are_documents]
    for number, entity in enumerate(entities, 1):
        fill(road, zoho, entity, 1000 + number)
    spoiled = demo.spoil(conninfo, each=1)
    assert spoiled == 7, "each damage befalls a record"
    report = verify(road, *entities)
    assert sum(part["healed"] for part in report["entities"].values()) == spoiled
    assert report["ok"] is True, report


def test_the_demo_spares_what_a_document_shows_to_have_changed_just_now(road: Road, zoho: Zoho, conninfo: str) -> None:
    for entity in ("invoices", "payments"):
        fill(road, zoho, entity, 901)
    fill(road, zoho, "payments", 901, updated_time=zoho_time(datetime.now(UTC)))  # its list row stays as old as it was
    road.work()
    before = mirrored(road.database, "payments", "amount", "deleted_at", "last_modified_time")
    demo.spoil(conninfo, each=1)
    assert mirrored(road.database, "payments", "amount", "deleted_at", "last_modified_time") == before


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


CHILDREN = [(spec.name, table.table, spec.key) for spec in REGISTRY.values() for table in spec.children]


def stray(road: Road, table: str, key: str, *, of: str, parent: str) -> None:
    """Copy the child rows of a record to another one."""
    names = [
        name
        for (name,) in road.database.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'erp' AND table_name = %s",
            (table,),
        )
    ]
    values = ", ".join(f"'{parent}'" if name == key else name for name in names)
    spoil(road, f"INSERT INTO erp.{table} ({', '.join(names)}) SELECT {values} FROM erp.{table} WHERE {key} = %s", of)


@pytest.mark.parametrize(("entity", "table", "key"), CHILDREN, ids=[table for _, table, _ in CHILDREN])
def test_child_rows_that_belong_to_no_live_row_are_found_and_removed(
    road: Road, zoho: Zoho, entity: str, table: str, key: str
) -> None:
    fill(road, zoho, entity, 101, 102)
    before = road.database.execute(f"SELECT * FROM erp.{table} ORDER BY 1, 2")
    assert before, "the example has such rows"
    stray(road, table, key, of="101", parent="555")
    zoho.calls.clear()
    looked = verify(road, entity, heal=False, drains=False)
    assert found(looked, entity) == {"mismatched": 1, "remaining": 1}
    counts = looked["entities"][entity]["children"][table]
    assert counts["erp"]["count"] > counts["zoho"]["count"] == len(before)
    report = verify(road, entity)
    assert found(report, entity) == {"mismatched": 1, "healed": 1}
    [(_, kind, field, _), *_] = kinds(road, report)
    assert (kind, field.partition(".")[0]) == ("local", table)
    assert road.database.execute(f"SELECT * FROM erp.{table} ORDER BY 1, 2") == before
    assert zoho.paths("/") == [REGISTRY[entity].path] * 2, "nobody had to be asked"
    assert verify(road, entity)["ok"] is True


def test_child_rows_of_a_deleted_row_are_removed_and_those_of_a_missing_one_come_back_with_it(
    road: Road, zoho: Zoho
) -> None:
    fill(road, zoho, "products", 101, 102, 103)
    before = road.database.execute("SELECT * FROM erp.stock_levels WHERE product_id <> '103' ORDER BY 1, 2")
    zoho.forget("products", "103")
    relist(zoho, "products")
    spoil(road, "UPDATE erp.products SET deleted_at = now() WHERE product_id = '103'")
    spoil(road, "DELETE FROM erp.products WHERE product_id = '102'")
    report = verify(road, "products")
    assert found(report, "products") == {"missing": 1, "mismatched": 1, "healed": 2}, kinds(road, report)
    assert road.database.execute("SELECT * FROM erp.stock_levels ORDER BY 1, 2") == before
    assert report["ok"] is True


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
    assert len(zoho.calls) == 4
    assert {"/invoices", "/invoices/901", "/invoices/999"} < {*zoho.paths()}


def test_beyond_the_bound_suspicions_stay_suspicions(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, verification_fetches=1)
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


# -- while things move


def now(seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S+0000")


def test_what_zoho_changed_just_now_is_in_motion_and_no_suspicion(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    zoho.put("invoices", document("invoices", "901", total=5, last_modified_time=now(-3)), document("invoices", "903"))
    relist(zoho, "invoices")
    zoho.lists["/books/v3/invoices"][0][2]["last_modified_time"] = now(-3)
    report = verify(road, "invoices", heal=False)
    assert kinds(road, report) == []
    assert report["entities"]["invoices"]["in_motion"] == 2


def test_a_version_that_the_mirror_has_seen_excuses_no_difference(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902, last_modified_time=now(-3))
    spoil(road, "UPDATE erp.invoices SET total = 5 WHERE invoice_id = '901'")
    assert found(verify(road, "invoices"), "invoices") == {"mismatched": 1, "healed": 1}


def test_what_waits_on_the_backlog_is_in_motion_and_pending(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    zoho.listing("invoices", [row("invoices", "901", total=5), row("invoices", "902")])
    road.request("invoices", "901")
    report = verify(road, "invoices", heal=False, drains=False)
    assert kinds(road, report) == []
    assert report["ok"] is False
    assert report["entities"]["invoices"]["details_pending"] == 1


def test_a_webhook_that_comes_while_it_is_compared_explains_the_difference(
    road: Road, zoho: Zoho, connect: Connect
) -> None:
    fill(road, zoho, "invoices", 901, 902)
    changed = document("invoices", "901", total=5, last_modified_time=later(9))
    zoho.put("invoices", changed)
    relist(zoho, "invoices")

    def announced(request: httpx.Request) -> httpx.Response:
        Queued("invoices", connect()).handle(record(message("invoices", changed)))
        return zoho.usual(request)

    zoho.answer("/invoices/901", announced, zoho.usual)
    report = verify(road, "invoices")
    assert {part[3] for part in kinds(road, report)} == {"dismissed"}
    assert (report["ok"], found(report, "invoices")) == (True, {})


LATE = {
    "duplicate": document("invoices", "901"),
    "older": document("invoices", "901", last_modified_time=later(-9)),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
@pytest.mark.parametrize("heal", [True, False], ids=["heal", "look"])
def test_a_late_webhook_that_says_nothing_new_explains_no_difference(
    road: Road, zoho: Zoho, connect: Connect, heal: bool, late: Json
) -> None:
    fill(road, zoho, "invoices", 901, 902)
    zoho.put("invoices", document("invoices", "901", total=5, last_modified_time=later(9)))
    relist(zoho, "invoices")

    def answered(request: httpx.Request) -> httpx.Response:
        Queued("invoices", connect()).handle(record(message("invoices", late)))
        return zoho.usual(request)

    zoho.answer("/invoices/901", answered, zoho.usual)
    report = verify(road, "invoices", heal=heal, drains=heal)
    assert found(report, "invoices") == {"mismatched": 1, ("healed" if heal else "remaining"): 1}
    assert report["ok"] is heal
    assert (mirrored(road.database, "invoices", "total")["901"] == (5,)) is heal


@pytest.mark.parametrize("heal", [True, False], ids=["heal", "look"])
def test_a_webhook_that_comes_after_the_fetch_that_confirmed_it_explains_the_difference(
    connect: Connect, zoho: Zoho, heal: bool
) -> None:
    road = Road(connect, zoho.http, announced_within_s=30)
    fill(road, zoho, "invoices", 901, 902)
    changed = document("invoices", "901", total=5, last_modified_time=later(9))
    zoho.put("invoices", changed)
    zoho.forget("invoices", "902")
    relist(zoho, "invoices")
    number = reporting(road, heal=heal)
    Queued("invoices", connect()).handle(record(message("invoices", changed)))
    assert found(waited_for(road, number), "invoices") == {"extra": 1, ("healed" if heal else "remaining"): 1}


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "never"])
@pytest.mark.parametrize("heal", [True, False], ids=["heal", "look"])
def test_a_deletion_is_drift_only_if_nobody_announces_it_even_after_it_was_confirmed(
    connect: Connect, zoho: Zoho, heal: bool, is_announced: bool
) -> None:
    road = Road(connect, zoho.http, announced_within_s=30)
    fill(road, zoho, "invoices", 901, 902)
    zoho.forget("invoices", "901")
    relist(zoho, "invoices")
    number = reporting(road, heal=heal)
    assert [one["status"] for one in reckoning.differences(road.database, number)] == ["confirmed"]
    if is_announced:
        Queued("invoices", connect()).handle(record(message("invoices", op="delete", ids=["901"])))
    report = waited_for(road, number)
    expected = {"extra": 1, ("healed" if heal else "remaining"): 1}
    assert found(report, "invoices") == ({} if is_announced else expected)
    assert report["ok"] is heal, "without healing it still waits to be deleted"


def reporting(road: Road, *, heal: bool) -> int:
    """Verify the invoices until only the report is left, which waits for webhooks; returns the run's number."""
    number = verifications.request(road.database, ["invoices"], cause="manual", heal=heal)
    for _ in range(5):
        road.verify.run(lambda: 30.0)
        road.work()
    shown = verifications.read(road.database, number)
    assert shown is not None and (shown["phase"], shown["ended_at"]) == ("report", None), "it waits for the webhook"
    return number


def waited_for(road: Road, number: int) -> Report:
    """The run's report after the time in which a webhook has to come."""
    road.database.execute("UPDATE tds.drift SET suspected_at = suspected_at - interval '30 s'")
    road.verify.run(lambda: 30.0)
    shown = verifications.read(road.database, number)
    assert shown is not None and shown["ended_at"] is not None
    report: Report = shown["report"]
    return report


def seen_an_hour_ago(road: Road, table: str) -> None:
    road.database.execute(
        f"UPDATE erp.{table} SET observed_at = now() - interval '1 h', detail_observed_at = now() - interval '1 h'"
    )


def test_a_balance_that_a_later_payment_moved_is_explained_by_it(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "customers", 801, 802)
    customer = document("customers", "801")["contact_id"]
    seen_an_hour_ago(road, "customers")
    fill(road, zoho, "payments", 701, customer_id=customer, updated_time=now(-300))
    zoho.put("customers", document("customers", "801", outstanding_receivable_amount=77))
    relist(zoho, "customers")
    report = verify(road, "customers")
    assert kinds(road, report) == [("801", "mismatched", "outstanding_receivable_amount", "dismissed")]
    assert mirrored(road.database, "customers", "outstanding_receivable_amount")["801"] == (77,)


def test_a_total_that_no_payment_moves_is_drift_however_late_the_payment_is(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    fill(road, zoho, "payments", 701, invoices=[{"invoice_id": "901", "amount_applied": 1}], updated_time=now(-300))
    spoil(road, "UPDATE erp.invoices SET total = total + 0.01, balance = balance + 0.01 WHERE invoice_id = '901'")
    seen_an_hour_ago(road, "invoices")
    report = verify(road, "invoices")
    assert kinds(road, report) == [
        ("901", "mismatched", "balance", "dismissed"),
        ("901", "mismatched", "total", "confirmed"),
    ]
    assert found(report, "invoices") == {"mismatched": 1, "healed": 1}


def test_a_balance_that_nothing_moved_is_drift(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "customers", 801, 802)
    spoil(road, "UPDATE erp.customers SET outstanding_receivable_amount = 77 WHERE customer_id = '801'")
    assert found(verify(road, "customers"), "customers") == {"mismatched": 1, "healed": 1}


# -- killed


class Mortal(Database):
    """A connection whose process is killed at its n-th use."""

    left: ClassVar[int] = 10**9

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._live()
        return super().execute(*args, **kwargs)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._live()
        with super().transaction() as connection:
            yield connection
            self._live()

    def _live(self) -> None:
        Mortal.left -= 1
        if Mortal.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("share", [n / 12 for n in range(1, 13)])
def test_killed_anywhere_a_run_goes_on_and_reports_the_same(
    connect: Connect, conninfo: str, zoho: Zoho, share: float
) -> None:
    def mortal() -> Database:
        return Mortal(lambda: conninfo, application_name="mortal")

    road = Road(connect, zoho.http)
    fill(road, zoho, "invoices", 901, 902, 903, 904)
    fill(road, zoho, "products", 101, 102)

    def damage() -> None:
        spoil(road, "UPDATE erp.invoices SET total = 1 WHERE invoice_id = '901'")
        spoil(road, "DELETE FROM erp.invoices WHERE invoice_id = '902'")
        spoil(road, "DELETE FROM tds.tombstones")
        spoil(road, "DELETE FROM erp.invoices WHERE invoice_id = '999'")
        spoil(road, "INSERT INTO erp.invoices (invoice_id) VALUES ('999')")
        spoil(road, "UPDATE erp.stock_levels SET stock_on_hand = 1 WHERE product_id = '101'")

    expected = {"missing": 1, "extra": 1, "mismatched": 1, "healed": 3}
    damage()
    Mortal.left = uses = 10**6
    assert found(verify(Road(mortal, zoho.http), "invoices", "products"), "invoices") == expected
    uses -= Mortal.left
    damage()
    killed = Road(mortal, zoho.http)
    number = verifications.request(road.database, ["products", "invoices"], cause="manual", heal=True)
    Mortal.left = int(uses * share) or 1
    with suppress(KeyboardInterrupt):
        for _ in range(20):
            killed.verify.run(lambda: 30.0)
            road.work()
    road.database.execute("DELETE FROM tds.leases")
    for _ in range(20):
        road.verify.run(lambda: 30.0)
        road.work()
    shown = verifications.read(road.database, number)
    assert shown is not None and shown["ended_at"] is not None
    assert found(shown["report"], "invoices") == expected, kinds(road, shown["report"])
    assert found(shown["report"], "products") == {"mismatched": 1, "healed": 1}
    assert shown["report"]["ok"] is True


# -- nights


NIGHT = datetime(2027, 3, 15, 0, 30, tzinfo=UTC)  # half past three in Baghdad, and later than any request


def walked(road: Road, *scans: str) -> None:
    for scan in scans:
        runs.cursor(road.database, scan)
        road.database.execute(
            "UPDATE tds.cursors SET walked_at = %s, walked_rows = 2 WHERE scan = %s", (NIGHT - timedelta(days=1), scan)
        )


def tick(road: Road, at: datetime) -> None:
    road.clock = at
    for _ in range(3):
        road.verify.run(lambda: 30.0)
        road.work()


def test_at_night_every_list_that_has_a_history_is_verified_and_healed_once(road: Road, zoho: Zoho) -> None:
    zoho.put("invoices", document("invoices", "901"))
    relist(zoho, "invoices")
    walked(road, "invoices", "bills", "contacts")
    tick(road, NIGHT - timedelta(hours=1))
    assert verifications.read(road.database) is None
    tick(road, NIGHT)
    assert sorted(zoho.paths()) == ["/bills", "/contacts", "/invoices", "/invoices/901"]
    shown = verifications.read(road.database)
    assert shown is not None
    assert (shown["cause"], shown["heal"], shown["report"]["ok"]) == ("night", True, True)
    assert found(shown["report"], "invoices") == {"missing": 1, "healed": 1}
    tick(road, NIGHT + timedelta(minutes=40))
    assert len(zoho.calls) == 4
    assert runs.cursor(road.database, "invoices").walked_at == NIGHT, "it was the walk of that list, too"


def test_a_document_that_was_edited_without_a_version_is_found_and_healed_within_the_stated_cycle(
    connect: Connect, zoho: Zoho
) -> None:
    calls_a_night = 2
    road = Road(connect, zoho.http, verification_share=calls_a_night / 1_000_000)
    ids = [str(one) for one in range(901, 906)]
    for one in ids:  # one after the other, so that the last one is surely the youngest
        fill(road, zoho, "invoices", int(one))
    before = mirrored(road.database, "invoices", "notes", "line_items", "detail_version")
    walked(road, "invoices")
    edited = document("invoices", "905", notes="edited in silence")
    zoho.put("invoices", edited)
    for line in edited["line_items"]:
        line["quantity"] = 4321
    reports = []
    for night in range(3):
        tick(road, NIGHT + timedelta(days=night))
        shown = verifications.read(road.database)
        assert shown is not None and shown["report"]["ok"] is True
        reports.append(shown["report"])
        cycle = shown["report"]["oldest_documents"]
        assert (cycle["documents"], cycle["calls_a_day"], cycle["cycle_days"]) == (5, calls_a_night, 3)
        assert shown["report"]["zoho_calls"] == 1 + calls_a_night
    told = [(one["entities"]["invoices"]["unannounced"], found(one, "invoices")) for one in reports]
    assert told == [(0, {}), (0, {}), (1, {"mismatched": 1, "healed": 1})], "nothing else was called wrong"
    after = mirrored(road.database, "invoices", "notes", "line_items", "detail_version")
    notes, lines, version = after.pop("905")
    assert (notes, version) == ("edited in silence", before.pop("905")[2])
    assert {line["quantity"] for line in lines} == {4321}
    assert after == before
    assert sorted(path for path in {*zoho.paths("/invoices/")}) == [f"/invoices/{one}" for one in ids]


def test_the_stated_cycle_holds_where_lists_have_their_turn_every_other_night(connect: Connect, zoho: Zoho) -> None:
    share = 2 / 1_000_000
    road = Road(connect, zoho.http, verification_share=share, deep_walk_nights=2)
    for number in range(901, 906):
        fill(road, zoho, "invoices", number)
    fill(road, zoho, "bills", 801)
    walked(road, "invoices", "bills")
    alone = verify(road, "bills")["oldest_documents"]
    assert (alone["documents"], alone["cycle_days"]) == (6, 6), "the calls are not the bills' alone"
    wanted = {*(f"/invoices/{one}" for one in range(901, 906)), "/bills/801"}
    zoho.calls.clear()
    nights = 0
    while wanted - {*zoho.paths("/")}:
        tick(road, NIGHT + timedelta(days=nights))
        nights += 1
        assert nights <= alone["cycle_days"]
    assert nights > len(wanted) / 2, "this is what would be stated if all lists had their turn each night"


def test_a_document_that_changed_with_its_version_is_no_silent_change(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    walked(road, "invoices")
    zoho.put("invoices", document("invoices", "901", notes="new", last_modified_time=later(9)))
    tick(road, NIGHT)
    shown = verifications.read(road.database)
    assert shown is not None and shown["report"]["entities"]["invoices"]["unannounced"] == 0
    assert mirrored(road.database, "invoices", "notes")["901"] == ("new",)


def test_a_nights_run_that_is_cut_off_goes_on_though_the_night_is_over(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", [row("invoices", "901")], [row("invoices", "902")])
    walked(road, "invoices")
    road.clock = NIGHT
    left = iter([1.0] * 3)
    road.verify.run(lambda: next(left, 0.0))
    assert zoho.paths() == ["/invoices"]
    tick(road, NIGHT + timedelta(hours=5))
    assert [url.params.get("page") for url in zoho.calls if url.path.endswith("/invoices")][:2] == ["1", "2"]


def test_a_small_limit_spreads_the_lists_over_the_nights(connect: Connect) -> None:
    zoho = Zoho()
    road = Road(connect, zoho.http, day_limit=1_000)
    walked(road, "invoices", "bills", "payments")
    asked = []
    for night in range(9):
        tick(road, NIGHT + timedelta(days=night))
        asked.append(len(zoho.calls))
    assert asked == [1, 2, 3, 3, 3, 3, 3, 4, 5]


def test_a_list_that_may_not_be_read_costs_no_other_one_its_verification(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    zoho.answer("/bills", error(57, status=401))
    report = verify(road, "invoices", "bills")
    assert report["ok"] is False
    assert report["entities"]["bills"]["error"].startswith("ScopeMissing")
    assert report["entities"]["invoices"]["zoho"] == 2
    assert any("bills" in text for _, _, text in road.told) or not road.settings.critical_topic_arn


def test_what_its_own_documents_prove_of_a_list_that_cannot_be_read_is_in_the_verdict(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901, 902)
    verify(road, "invoices")
    spoil(road, "UPDATE erp.invoices SET tax_total = 77 WHERE invoice_id = '901'")
    zoho.answer("/invoices", error(57, status=401))
    verify(road, "invoices", heal=False)
    newest = checks.compared(road.database)
    assert checks.remaining(road.database, newest) == {"invoices": 1}
    assert [one["field"] for one in checks.differences(road.database, newest, limit=5)] == ["tax_total"]
    verify(road, "invoices")
    assert checks.remaining(road.database, checks.compared(road.database)) == {}


# -- at random

DAMAGES = (
    ("missing", "invoices", "DELETE FROM erp.invoices WHERE invoice_id = %s"),
    ("missing", "invoices", "UPDATE erp.invoices SET deleted_at = now() WHERE invoice_id = %s"),
    ("extra", "payments", "INSERT INTO erp.payments (payment_id, amount) VALUES ('9' || %s, 5)"),
    ("mismatched", "invoices", "UPDATE erp.invoices SET total = total + 0.01 WHERE invoice_id = %s"),
    ("mismatched", "invoices", "UPDATE erp.invoices SET status = 'imagined' WHERE invoice_id = %s"),
    ("mismatched", "payments", "UPDATE erp.payments SET amount = NULL WHERE payment_id = %s"),
    (
        "mismatched",
        "invoices",
        "UPDATE erp.invoices SET line_items = line_items - 0 || (line_items -> 0) WHERE invoice_id = %s",
    ),
    ("mismatched", "payments", "UPDATE erp.payments SET zoho = zoho || '{\"amount\": 1}' WHERE payment_id = %s"),
    ("mismatched", "payments", "DELETE FROM erp.payment_invoices WHERE payment_id = %s"),
    ("mismatched", "products", "UPDATE erp.stock_levels SET stock_on_hand = stock_on_hand - 7 WHERE product_id = %s"),
    ("mismatched", "products", "UPDATE erp.products SET stock_on_hand = 123456 WHERE product_id = %s"),
)


def test_two_hundred_random_corruptions_are_found_and_healed_in_one_run_and_nothing_else_is_touched(
    connect: Connect, zoho: Zoho
) -> None:
    road = Road(connect, zoho.http, deletion_share=0.5)
    ids = {"invoices": range(10_000, 10_200), "payments": range(20_000, 20_150), "products": range(30_000, 30_100)}
    for entity, numbers in ids.items():
        fill(road, zoho, entity, *numbers)

    def held() -> list[Any]:
        names = {"invoices": "total, status, line_items, zoho", "payments": "amount, zoho", "products": "stock_on_hand"}
        rows = [
            road.database.execute(
                f"SELECT {REGISTRY[entity].key}, {columns} FROM erp.{entity} WHERE deleted_at IS NULL ORDER BY 1"
            )
            for entity, columns in names.items()
        ]
        children = ("stock_levels", "payment_invoices")
        return [*rows, *(road.database.execute(f"SELECT * FROM erp.{one} ORDER BY 1, 2") for one in children)]

    before, chance = held(), random.Random(20_261_122)
    victims = chance.sample([(entity, str(one)) for entity, numbers in ids.items() for one in numbers], 200)
    expected: Counter[tuple[str, str]] = Counter()
    for entity, victim in victims:
        kind, _, statement = chance.choice([damage for damage in DAMAGES if damage[1] == entity])
        road.database.execute(statement, (victim,))
        expected[entity, kind] += 1
    report = verify(road, *ids)
    parts = report["entities"]
    assert {(e, k): parts[e][k] for e in ids for k in ("missing", "extra", "mismatched") if parts[e][k]} == expected
    assert sum(part["healed"] for part in parts.values()) == 200
    assert report["ok"] is True
    assert held() == before, "nothing is healed wrongly"
    again = verify(road, *ids)
    assert (again["ok"], kinds(road, again)) == (True, [])


# -- what must delete and heal nothing, and what people are told


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(error(57, status=401), id="401"),
        pytest.param(error(1000, status=500), id="500"),
        pytest.param(httpx.Response(200, text="<html>maintenance</html>"), id="html"),
        pytest.param(httpx.Response(200, json={"code": 0}), id="no-list"),
        pytest.param(httpx.Response(200, json={"code": 0, "invoices": []}), id="no-page-context"),
    ],
)
def test_a_list_that_is_none_makes_nothing_extra(road: Road, zoho: Zoho, answered: httpx.Response) -> None:
    fill(road, zoho, "invoices", 901, 902)
    zoho.answer("/invoices", answered)
    verifications.request(road.database, ["invoices"], cause="manual", heal=True)
    for _ in range(3):
        with suppress(TdsError):
            road.verify.run(lambda: 30.0)
        road.work()
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]
    assert road.database.execute("SELECT count(*) FROM tds.drift") == [(0,)]


def test_an_empty_list_deletes_nothing_while_the_records_answer(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", *range(901, 911))
    zoho.listing("invoices", [])
    report = verify(road, "invoices")
    assert (found(report, "invoices"), len(mirrored(road.database, "invoices"))) == ({}, 10)
    assert report["ok"] is True


def test_another_organisations_data_deletes_nothing_and_is_told(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, critical_topic_arn="critical", warning_topic_arn="warning")
    fill(road, zoho, "invoices", *range(901, 911))
    zoho.forget("invoices", *map(str, range(901, 911)))
    zoho.put("invoices", *(document("invoices", str(n)) for n in range(501, 511)))
    relist(zoho, "invoices")
    report = verify(road, "invoices", heal=False)
    assert list(mirrored(road.database, "invoices")) == [str(n) for n in range(901, 911)]
    assert report["ok"] is False
    assert report["entities"]["invoices"]["remaining"] == 20
    [(_, _, text)] = [one for one in road.told if one[0] == "critical"]
    assert "invoices: 100.0% of the records differed" in text
    assert road.gauges["DriftRemaining"] == 20
    assert verify(road, "users")["ok"] is True
    assert road.gauges["DriftRemaining"] == 20, "what one run finds good says nothing of the others"
    assert checks.differences(road.database, checks.compared(road.database), limit=50), "nor does it hide what differs"


def test_the_age_is_that_of_the_entity_that_was_compared_longest_ago(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http)
    fill(road, zoho, "invoices", 901)
    verify(road, "invoices")
    verify(road, "users")
    run = "UPDATE tds.verifications SET ended_at = ended_at - interval '40 hours' WHERE 'invoices' = ANY(entities)"
    road.database.execute(run)
    road.verify.run(lambda: 30.0)
    assert road.gauges["VerificationAgeHours"] == pytest.approx(40, abs=0.1)
    patient = Road(connect, zoho.http, deep_walk_nights=2)
    patient.verify.run(lambda: 30.0)
    assert patient.gauges["VerificationAgeHours"] == pytest.approx(16, abs=0.1), "its turn is every other night"


def test_deletions_that_the_brake_holds_back_are_told_with_what_to_do(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, critical_topic_arn="critical", warning_topic_arn="warning")
    fill(road, zoho, "invoices", *range(901, 921))
    zoho.forget("invoices", *map(str, range(901, 911)))
    relist(zoho, "invoices")
    report = verify(road, "invoices")
    assert found(report, "invoices") == {"extra": 10, "healed": 5, "remaining": 5}
    [(_, _, text)] = [one for one in road.told if one[0] == "critical"]
    assert "Deletions are held back: invoices 9" in text
    assert "tds deletions approve" in text


def test_people_are_told_of_stock_and_orphans_with_ids_and_what_to_do(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, critical_topic_arn="critical", warning_topic_arn="warning")
    fill(road, zoho, "products", 101, 102)
    fill(road, zoho, "invoices", 901)
    spoil(road, "UPDATE erp.stock_levels SET stock_on_hand = stock_on_hand + 51 WHERE product_id = '102'")
    verify(road, "products", "invoices")
    warnings = [text for topic, _, text in road.told if topic == "warning"]
    assert len(warnings) == 1, "once a run"
    assert "Stock differed by more than 50 units: 102 stock_levels." in warnings[0]
    assert "references to records that are not there (901 -> " in warnings[0]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ImageReport(expected=3, faults={"102": "not stored"}), "1 product images are not as Zoho has them (102: not"),
        (ImageReport(expected=3, pending=1), ""),
    ],
    ids=["missing", "on-its-way"],
)
def test_images_are_a_part_of_the_verdict(connect: Connect, zoho: Zoho, fault: ImageReport, said: str) -> None:
    road = Road(connect, zoho.http, critical_topic_arn="critical", warning_topic_arn="warning")
    fill(road, zoho, "products", 101, 102)
    road.pictures.found = ImageReport(expected=3, stored=3, reachable=3)
    good = verify(road, "products", heal=False)
    assert good["ok"] is True and good["images"] == good["images"] | {"expected": 3, "stored": 3, "reachable": 3}
    road.told.clear()
    road.pictures.found = fault
    report = verify(road, "products", heal=False)
    assert (report["ok"], report["images"]["ok"]) == (False, False)
    assert [said in text for topic, _, text in road.told if topic == "warning" and said] == [True] * bool(said)
    assert verify(road, "invoices", heal=False)["images"] is None, "no images there"


# -- deletions that name nobody


def nameless(road: Road, connect: Connect, entity: str) -> Queued:
    queued = Queued(entity, connect())
    assert queued.handle(record(message(entity, op="delete", ids=[], document=None))) == []
    assert queued.queue.buried == []
    return queued


def test_a_deletion_that_names_nobody_is_found_by_what_the_list_shows_no_more(
    road: Road, zoho: Zoho, connect: Connect
) -> None:
    fill(road, zoho, "invoices", 901, 902)
    verify(road, "invoices")
    road.database.execute("UPDATE tds.verifications SET started_at = started_at - interval '1 day'")
    zoho.forget("invoices", "902")
    relist(zoho, "invoices")
    nameless(road, connect, "invoices")
    for _ in range(5):
        road.verify.run(lambda: 30.0)
        road.hurry()
        road.work()
    assert list(mirrored(road.database, "invoices")) == ["901"]
    assert road.database.execute("SELECT count(*) FROM tds.verifications WHERE ended_at IS NULL") == [(0,)]


def test_many_deletions_that_name_nobody_are_one_run_within_a_share_of_the_days_calls(
    road: Road, zoho: Zoho, connect: Connect
) -> None:
    fill(road, zoho, "invoices", 901)
    verify(road, "invoices")
    road.database.execute("UPDATE tds.api_budget SET day_limit = 2000")
    road.database.execute("UPDATE tds.cursors SET walked_rows = 5000 WHERE scan = 'invoices'")  # 25 of 100 calls a day
    for _ in range(3):
        nameless(road, connect, "invoices")
    [(wait_s, heal, entities)] = road.database.execute(
        """
        SELECT extract(epoch FROM requested_at - (SELECT max(started_at) FROM tds.verifications))::float8,
            heal, entities
        FROM tds.verifications WHERE ended_at IS NULL
        """
    )
    assert (wait_s, heal, entities) == (pytest.approx(6 * 3600), True, ["invoices"])
    before = len(zoho.calls)
    road.verify.run(lambda: 30.0)
    assert len(zoho.calls) == before, "its time has not come"
    assert not checks.is_running(road.database)
    shown = verifications.read(road.database)
    assert shown is not None and shown["ended_at"], "the newest run is the one that has begun"
    verify(road, "invoices")  # whoever asks for one has it begun at once
    assert road.database.execute("SELECT count(*) FROM tds.verifications WHERE ended_at IS NULL") == [(0,)]


def test_a_run_whose_time_comes_while_another_one_is_under_way_waits_for_its_end(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, "invoices", 901)
    early = verifications.request(road.database, ["invoices"], cause="manual", heal=True)
    road.database.execute("UPDATE tds.verifications SET requested_at = now() + interval '1 hour'")
    later_one = verifications.request(road.database, ["bills"], cause="manual", heal=True)
    begun = verifications.current(road.database)
    road.database.execute("UPDATE tds.verifications SET requested_at = now() - interval '1 hour'")
    again = verifications.current(road.database)
    assert begun is not None and again is not None
    assert (begun.run_id, again.run_id) == (later_one, later_one)
    verifications.close(road.database, again, {})
    following = verifications.current(road.database)
    assert following is not None and following.run_id == early


def test_a_list_that_was_never_walked_is_not_verified_for_a_deletion_without_a_name(
    road: Road, connect: Connect
) -> None:
    nameless(road, connect, "bills")
    assert road.database.execute("SELECT count(*) FROM tds.verifications") == [(0,)]
