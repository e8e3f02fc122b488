"""The drain: by priority, never losing a request, and never mistaking an error for an answer."""

import logging
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tds_core.database import backlog, runs
from tds_core.database.connection import Database
from tds_core.errors import CredentialsRejected, DatabaseUnavailable, OrganizationRejected, ScopeMissing
from tds_core.priority import Priority
from tds_core.sync import fetch
from tests.integration.road import Connect, Queued, Road, Zoho, document, later, message, mirrored, record, row, stumble
from tests.zoho_fakes import answer, error

MAINTENANCE = httpx.Response(503, text="<html>maintenance</html>")


def invoices(zoho: Zoho, *ids: int, **changes: Any) -> None:
    zoho.put("invoices", *(document("invoices", str(one), line_items=[], salesorder_id="", **changes) for one in ids))


# -- order and bulk


def test_ids_are_fetched_by_priority_whatever_their_entity(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, in_flight_limit=1)
    invoices(zoho, 901, 902)
    zoho.put("payments", document("payments", "701", invoices=[]))
    zoho.put("vendors", document("vendors", "801"))
    road.request("invoices", "901", priority=Priority.BACKFILL)
    road.request("vendors", "801", priority=Priority.POLL)
    road.request("payments", "701", priority=Priority.MANUAL)
    road.request("invoices", "902", priority=Priority.WEBHOOK)
    assert road.work() == {"invoices.created": 2, "payments.created": 1, "vendors.created": 1}
    assert zoho.paths() == ["/invoices/902", "/customerpayments/701", "/contacts/801", "/invoices/901"]


def test_what_a_webhook_asks_for_overtakes_a_history_that_waits(connect: Connect, zoho: Zoho) -> None:
    road, other = Road(connect, zoho.http, in_flight_limit=2), Road(connect, zoho.http)
    overtaken = threading.Event()
    in_time: list[bool] = []

    def slow(request: httpx.Request) -> httpx.Response:
        other.request("invoices", "950")
        in_time.append(overtaken.wait(10))
        return zoho.usual(request)

    def urgent(request: httpx.Request) -> httpx.Response:
        overtaken.set()
        return zoho.usual(request)

    history = range(901, 904)
    invoices(zoho, 950, *history)
    zoho.answer("/invoices/901", slow)
    zoho.answer("/invoices/950", urgent)
    road.request("invoices", *map(str, history), priority=Priority.BACKFILL)
    assert road.work() == {"invoices.created": 4}
    assert in_time == [True]
    assert road.backlog("invoices") == {}


def test_history_is_fetched_newest_request_first(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, in_flight_limit=1)
    invoices(zoho, 901, 902, 903)
    for one in ("902", "901", "903"):
        road.request("invoices", one, priority=Priority.BACKFILL)
        road.database.execute("UPDATE tds.backlog SET requested_at = requested_at - interval '1 minute'")
    road.work()
    assert sorted(zoho.paths()) == ["/invoices/901", "/invoices/902", "/invoices/903"]
    assert zoho.paths()[-1] == "/invoices/902"


def test_products_are_fetched_100_a_call(road: Road, zoho: Zoho) -> None:
    ids = [str(1000 + n) for n in range(250)]
    zoho.put("products", *(document("products", one) for one in ids))
    road.request("products", *ids)
    assert road.work() == {"products.created": 250}
    assert zoho.paths() == ["/itemdetails"] * 3
    assert [len(url.params["item_ids"].split(",")) for url in zoho.calls] == [100, 100, 50]
    assert road.database.execute("SELECT zoho_calls FROM tds.runs WHERE mode = 'drain'") == [(3,)]


def test_ids_that_a_bulk_answer_lacks_are_fetched_singly(road: Road, zoho: Zoho) -> None:
    def lacking(request: httpx.Request) -> httpx.Response:
        zoho.forget("products", "1002")
        told = zoho.usual(request)
        zoho.put("products", document("products", "1002"))
        return told

    zoho.put("products", *(document("products", str(1000 + n)) for n in range(4)))
    zoho.answer("/itemdetails", lacking)
    road.request("products", "1000", "1001", "1002", "1003")
    assert road.work() == {"products.created": 4}
    assert zoho.paths() == ["/itemdetails", "/items/1002"]
    assert road.backlog("products") == {}


def test_a_bulk_call_that_zoho_refuses_is_asked_singly(road: Road, zoho: Zoho) -> None:
    zoho.put("products", document("products", "1000"), document("products", "1001"))
    zoho.answer("/itemdetails", error(1002, status=404))
    road.request("products", "1000", "1001", "1999")
    assert road.work() == {"products.created": 2, "products.deleted": 1}
    assert list(mirrored(road.database, "products")) == ["1000", "1001"]


def taking(zoho: Zoho, *, at_most: int = 100, never: str = "") -> list[int]:
    """Let Zoho refuse groups of more ids, and those with one id; returns the sizes of the groups asked for."""

    def limited(request: httpx.Request) -> httpx.Response:
        ids = request.url.params["item_ids"].split(",")
        asked.append(len(ids))
        return error(2, status=400) if len(ids) > at_most or never in ids else zoho.usual(request)

    asked: list[int] = []
    zoho.answer("/itemdetails", limited)
    return asked


def products(road: Road, zoho: Zoho, count: int, *, first: int = 1000) -> None:
    ids = [str(first + n) for n in range(count)]
    zoho.put("products", *(document("products", one) for one in ids))
    road.request("products", *ids)


@pytest.mark.parametrize(
    ("at_most", "learning", "afterwards"),
    [
        pytest.param(50, [100, 50, 50], [50, 50], id="half"),
        pytest.param(30, [100, 50, 25, 25, 50, 25, 25], [25] * 4, id="a-quarter"),
    ],
)
def test_a_number_of_ids_that_zoho_refuses_is_halved_and_the_one_it_takes_is_remembered(
    road: Road, zoho: Zoho, at_most: int, learning: list[int], afterwards: list[int]
) -> None:
    asked = taking(zoho, at_most=at_most)
    products(road, zoho, 100)
    assert road.work() == {"products.created": 100}
    assert asked == learning
    asked.clear()
    products(road, zoho, 100, first=2000)
    assert road.work() == {"products.created": 100}
    assert asked == afterwards
    assert zoho.paths("/items/") == []


def test_one_id_that_zoho_refuses_costs_few_calls_and_no_later_group_its_size(road: Road, zoho: Zoho) -> None:
    asked = taking(zoho, never="1077")
    products(road, zoho, 100)
    assert road.work() == {"products.created": 100}
    assert "/items/1077" in zoho.paths()
    assert len(zoho.paths()) < 20
    asked.clear()
    products(road, zoho, 100, first=2000)
    road.work()
    assert asked == [100]


def test_where_zoho_takes_no_group_at_all_it_is_not_asked_for_one_again(road: Road, zoho: Zoho) -> None:
    asked = taking(zoho, at_most=0)
    products(road, zoho, 100)
    assert road.work() == {"products.created": 100}
    asked.clear()
    products(road, zoho, 5, first=2000)
    assert road.work() == {"products.created": 5}
    assert asked == []


def test_an_outage_between_two_halves_keeps_what_came_and_asks_for_the_rest_again(road: Road, zoho: Zoho) -> None:
    def second(request: httpx.Request) -> httpx.Response:
        return error(1000, status=500)

    products(road, zoho, 100)
    zoho.answer("/itemdetails", error(2, status=400), zoho.usual, second)
    assert road.work() == {"products.created": 50}
    assert zoho.paths() == ["/itemdetails"] * 3
    waiting = road.backlog("products")
    assert len(waiting) == 50
    assert {one["reason"].split(":")[0] for one in waiting.values()} == {"ZohoUnavailable"}


def test_a_product_missing_in_bulk_is_deleted_only_by_its_own_1002(road: Road, zoho: Zoho) -> None:
    zoho.put("products", *(document("products", str(1000 + n)) for n in range(3)))
    road.request("products", "1000", "1001", "1002")
    road.work()
    zoho.forget("products", "1001")
    road.request("products", "1001")
    assert road.work() == {}, "Zoho is asked again, since nobody announced it"
    assert zoho.paths()[1:] == ["/itemdetails", "/items/1001"]
    road.hurry()
    assert road.work() == {"products.deleted": 1}
    assert list(mirrored(road.database, "products")) == ["1000", "1002"]


# -- a detail endpoint that Zoho does not have


PRICES = [{"pricebook_item_id": "1", "item_id": "601", "pricebook_rate": 12.5, "price_brackets": []}]


def without_detail(road: Road, zoho: Zoho, **changes: Any) -> None:
    """Two price lists, of which Zoho shows rows only."""
    for document_id in ("500", "501"):
        zoho.answer(f"/pricebooks/{document_id}", error(5, status=404))
    zoho.listing("price_lists", [row("price_lists", "500", **changes), row("price_lists", "501", **changes)])
    road.request("price_lists", "500", "501")


def prices(road: Road) -> list[tuple[Any, ...]]:
    return road.database.execute("SELECT pricelist_id, product_id, rate FROM erp.price_list_items ORDER BY 1, 2")


def test_without_a_detail_endpoint_prices_are_asked_for_by_themselves(road: Road, zoho: Zoho) -> None:
    without_detail(road, zoho)
    zoho.answer("/pricebooks/items", answer({"pricebook_items": PRICES}))
    road.work()
    assert prices(road) == [("500", "601", Decimal("12.5")), ("501", "601", Decimal("12.5"))]
    asked = [url.params["pricebook_id"] for url in zoho.calls if url.path.endswith("/pricebooks/items")]
    assert sorted(asked) == ["500", "501"]
    assert road.backlog("price_lists") == {}


def test_without_a_detail_endpoint_prices_in_the_list_cost_no_further_call(road: Road, zoho: Zoho) -> None:
    without_detail(road, zoho, pricebook_items=PRICES)
    road.work()
    assert len(prices(road)) == 2
    assert "/pricebooks/items" not in zoho.paths()


def test_without_a_detail_endpoint_a_record_is_gone_that_the_list_shows_no_more(road: Road, zoho: Zoho) -> None:
    without_detail(road, zoho, pricebook_items=PRICES)
    road.work()
    zoho.listing("price_lists", [row("price_lists", "500", pricebook_items=PRICES)])
    road.request("price_lists", "501")
    road.work()
    assert list(mirrored(road.database, "price_lists")) == ["500", "501"], "one list may have slipped"
    road.hurry()
    road.work()
    assert list(mirrored(road.database, "price_lists")) == ["500"]


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(error(5, status=404), id="refused"),
        pytest.param(answer({"items": []}), id="another list"),
        pytest.param(answer({"pricebook_items": PRICES, "page_context": {"has_more_page": True}}), id="a part"),
    ],
)
def test_prices_that_nobody_gives_are_told_and_those_that_were_there_stay(
    road: Road, zoho: Zoho, answered: httpx.Response
) -> None:
    zoho.put("price_lists", document("price_lists", "500"))
    road.request("price_lists", "500")
    road.work()
    before = prices(road)
    assert before
    without_detail(road, zoho)
    zoho.answer("/pricebooks/items", answered)
    road.work()
    assert prices(road) == before
    assert {one["reason"].split(":")[0] for one in road.backlog("price_lists").values()} <= {
        "ZohoRejected",
        "InvalidDocument",
    }
    assert len(road.backlog("price_lists")) == 2


def test_another_refusal_than_a_missing_endpoint_is_no_reason_to_look_elsewhere(road: Road, zoho: Zoho) -> None:
    zoho.answer("/pricebooks/500", error(4, status=400))
    road.request("price_lists", "500")
    road.work()
    assert "/pricebooks" not in zoho.paths()
    assert road.backlog("price_lists")["500"]["reason"].startswith("ZohoRejected")


# -- no request is lost


def test_a_request_while_its_fetch_is_in_flight_is_fetched_again(road: Road, zoho: Zoho, connect: Connect) -> None:
    other = Road(connect, zoho.http)

    def meanwhile(request: httpx.Request) -> httpx.Response:
        told = zoho.usual(request)
        invoices(zoho, 901, balance=0, last_modified_time=later(60))
        other.request("invoices", "901")
        return told

    invoices(zoho, 901)
    zoho.answer("/invoices/901", meanwhile, zoho.usual)
    road.request("invoices", "901")
    assert road.work() == {"invoices.created": 1, "invoices.updated": 1}
    assert mirrored(road.database, "invoices", "balance") == {"901": (Decimal(0),)}
    assert len(zoho.calls) == 2
    assert road.backlog("invoices") == {}


def test_a_request_during_a_fetch_that_fails_is_not_lost(road: Road, zoho: Zoho, connect: Connect) -> None:
    other = Road(connect, zoho.http)

    def meanwhile(request: httpx.Request) -> httpx.Response:
        other.request("invoices", "901")
        return MAINTENANCE

    invoices(zoho, 901)
    zoho.answer("/invoices/901", meanwhile, zoho.usual)
    road.request("invoices", "901", priority=Priority.BACKFILL)
    road.work()
    assert road.backlog("invoices")["901"]["priority"] == 0
    road.hurry()
    assert road.work() == {"invoices.created": 1}


def test_a_request_that_arrives_while_the_drain_is_ending_is_worked_off(
    road: Road, zoho: Zoho, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its wake finds the lease taken and goes away; the ending drain has to look once more."""
    invoices(zoho, 901, 902)
    other = Road(connect, zoho.http)
    woken: list[dict[str, int]] = []
    ending = runs._end

    def end(database: Database, current: runs.Run, *, error: str | None) -> None:
        ending(database, current, error=error)
        if database is road.database and not woken:
            other.request("invoices", "902")
            woken.append(other.work())

    monkeypatch.setattr(runs, "_end", end)
    road.request("invoices", "901")
    road.work()
    assert woken == [{}]
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]


def test_two_drains_at_once_fetch_everything_once(road: Road, zoho: Zoho, connect: Connect) -> None:
    ids = [str(900 + n) for n in range(30)]
    invoices(zoho, *map(int, ids))
    road.request("invoices", *ids)
    other = Road(connect, zoho.http)
    threads = [threading.Thread(target=one.work) for one in (road, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(zoho.paths()) == [f"/invoices/{one}" for one in ids]
    assert len(mirrored(road.database, "invoices")) == 30


def test_a_killed_drains_ids_are_fetched_once_its_leases_have_run_out(
    road: Road, zoho: Zoho, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoices(zoho, 901)
    road.request("invoices", "901")
    with monkeypatch.context() as patch:
        patch.setattr(road.drain, "_complete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            road.work()
    another = Road(connect, zoho.http)
    assert another.work() == {}
    another.database.execute("UPDATE tds.backlog SET leased_until = now() - interval '1 second'")
    assert another.work() == {"invoices.created": 1}
    assert another.backlog("invoices") == {}


def test_a_drain_whose_time_is_up_gives_its_ids_back(road: Road, zoho: Zoho) -> None:
    invoices(zoho, *range(900, 940))
    road.request("invoices", *map(str, range(900, 940)))
    left = iter([30.0] * 12)
    road.drain.run(lambda: next(left, 0.0))
    done, waiting = len(mirrored(road.database, "invoices")), road.backlog("invoices")
    assert 0 < done < 40
    assert done + len(waiting) == 40
    assert not any(one["held"] or one["attempts"] for one in waiting.values())
    road.work()
    assert len(mirrored(road.database, "invoices")) == 40


def test_what_an_unknown_entity_left_behind_keeps_no_drain_spinning(road: Road) -> None:
    road.request("moon_phases", "1")
    assert road.work() == {}
    assert road.database.execute("SELECT count(*) FROM tds.runs") == [(0,)]


def spoil(road: Road) -> None:
    road.database.execute("UPDATE erp.invoices SET balance = 7, notes = 'spoilt'")


def is_healed(road: Road) -> bool:
    return mirrored(road.database, "invoices", "balance", "notes = 'spoilt'") == {"901": (Decimal("492.5"), False)}


def test_a_fetch_that_finds_a_refetch_wanted_writes_even_where_nothing_differs(road: Road, zoho: Zoho) -> None:
    invoices(zoho, 901)
    road.request("invoices", "901")
    road.work()
    spoil(road)
    road.request("invoices", "901", priority=Priority.MANUAL)
    road.work()
    assert not is_healed(road)
    road.request("invoices", "901", priority=Priority.MANUAL, forced=True)
    road.work()
    assert is_healed(road)


@pytest.mark.parametrize("webhook_first", [True, False])
def test_a_refetch_of_what_a_webhook_asks_for_too_writes_all_the_same(
    road: Road, zoho: Zoho, webhook_first: bool
) -> None:
    invoices(zoho, 901)
    road.request("invoices", "901")
    road.work()
    spoil(road)
    for is_webhook in (webhook_first, not webhook_first):
        priority = Priority.WEBHOOK if is_webhook else Priority.MANUAL
        road.request("invoices", "901", priority=priority, forced=not is_webhook)
    assert road.backlog("invoices")["901"]["priority"] == Priority.WEBHOOK
    road.work()
    assert is_healed(road)
    assert road.backlog("invoices") == {}


def test_a_refetch_asked_for_while_the_fetch_is_under_way_is_obeyed_by_the_next_one(
    road: Road, zoho: Zoho, connect: Connect
) -> None:
    def meanwhile(request: httpx.Request) -> httpx.Response:
        with other.transaction() as connection:
            backlog.request(connection, "invoices", ["901"], priority=Priority.MANUAL, cause="refetch", forced=True)
        return zoho.usual(request)

    other = connect()
    invoices(zoho, 901)
    road.request("invoices", "901")
    road.work()
    spoil(road)
    zoho.answer("/invoices/901", meanwhile, zoho.usual)
    road.request("invoices", "901")
    road.work()
    assert is_healed(road)
    assert zoho.paths() == ["/invoices/901"] * 3
    assert road.backlog("invoices") == {}


# -- what is no answer


def test_a_lagging_detail_is_asked_again_three_times_and_then_parked(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", [row("invoices", "901", balance=0, last_modified_time=later(3600))])
    invoices(zoho, 901)
    runs.request_walk(road.database, "invoices")
    road.walk.run(lambda: 30.0)
    for lags in (1, 2, 3):
        road.work()
        waiting = road.backlog("invoices")["901"]
        assert (waiting["lags"], waiting["parked"], waiting["attempts"]) == (lags, lags == 3, 0)
        assert waiting["reason"] == "ZohoLagging"
        assert (50 < waiting["wait_s"] <= 60) == (lags < 3)
        road.hurry()
    # what the list said stays, and so does what only the older document says
    assert mirrored(road.database, "invoices", "balance", "detail_version < last_modified_time") == {
        "901": (Decimal(0), True)
    }
    invoices(zoho, 901, balance=0, last_modified_time=later(3600))
    assert road.work() == {"invoices.updated": 1}
    assert road.backlog("invoices") == {}


def test_an_invalid_document_is_parked_with_its_reason_after_six_attempts(road: Road, zoho: Zoho) -> None:
    invoices(zoho, 901, 902)
    zoho.put("invoices", document("invoices", "901", date="31/12/2026"))
    road.request("invoices", "901", "902")
    waits = []
    for attempts in range(1, 7):
        road.work()
        waiting = road.backlog("invoices")["901"]
        assert (waiting["attempts"], waiting["parked"]) == (attempts, attempts == 6)
        assert waiting["reason"] == "InvalidDocument: Invoice: cannot read date"
        waits.append(round(waiting["wait_s"] / 60))
        road.hurry()
    assert waits == [1, 2, 4, 8, 16, 24 * 60]
    assert list(mirrored(road.database, "invoices")) == ["902"]

    invoices(zoho, 901)
    road.hurry()
    road.work()
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]


def test_a_document_that_nobody_foresaw_is_postponed_alone(
    road: Road, zoho: Zoho, monkeypatch: pytest.MonkeyPatch
) -> None:
    stumble(monkeypatch, fetch, "902")
    invoices(zoho, 901, 902, 903)
    road.request("invoices", "901", "902", "903")
    assert road.work() == {"invoices.created": 2}
    waiting = road.backlog("invoices")
    assert (list(waiting), waiting["902"]["attempts"]) == (["902"], 1)
    assert waiting["902"]["reason"].startswith("Unforeseen: LookupError in road.py:")


@pytest.mark.parametrize("huge", ["1e999999", "1e1000000"])
def test_a_document_that_postgresql_refuses_is_postponed_alone(road: Road, zoho: Zoho, huge: str) -> None:
    invoices(zoho, 901, 902, 903)
    zoho.put("invoices", document("invoices", "902", strange=Decimal(huge)))
    road.request("invoices", "901", "902", "903")
    assert road.work() == {"invoices.created": 2, "invoices.rejected": 1}
    waiting = road.backlog("invoices")
    assert list(waiting) == ["902"]
    assert (waiting["902"]["attempts"], waiting["902"]["held"]) == (1, False)
    assert waiting["902"]["reason"].endswith("22003")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(MAINTENANCE, id="html"),
        pytest.param(error(1000, status=500), id="500"),
        pytest.param(httpx.Response(200, text=""), id="empty"),
        pytest.param(error(0, status=200), id="without-its-document"),
        pytest.param(error(4, status=400), id="400"),
    ],
)
def test_a_failed_fetch_is_tried_again_later_and_costs_no_neighbour(
    road: Road, zoho: Zoho, broken: httpx.Response
) -> None:
    invoices(zoho, 901, 902)
    zoho.answer("/invoices/901", broken)
    road.request("invoices", "901", "902")
    assert road.work() == {"invoices.created": 1}
    waiting = road.backlog("invoices")
    assert (list(waiting), waiting["901"]["attempts"], waiting["901"]["held"]) == (["901"], 1, False)
    assert waiting["901"]["reason"].startswith("Zoho")


def test_another_record_than_the_one_asked_for_is_not_taken(road: Road, zoho: Zoho) -> None:
    def swapped(request: httpx.Request) -> httpx.Response:
        return zoho.usual(httpx.Request("GET", str(request.url).replace("901", "902")))

    invoices(zoho, 901, 902)
    zoho.answer("/invoices/901", swapped)
    road.request("invoices", "901")
    assert road.work() == {}
    assert mirrored(road.database, "invoices") == {}
    assert road.backlog("invoices")["901"]["attempts"] == 1


def test_a_doubt_that_only_time_settles_is_not_asked_about_again_at_once(road: Road, zoho: Zoho) -> None:
    """Within five seconds of a webhook no fetch can tell which of two states of one second is the later one."""
    told = document("invoices", "901", line_items=[], salesorder_id="", balance=400)
    Queued("invoices", road.database).handle(record(message("invoices", told)))
    invoices(zoho, 901, balance=0)
    road.request("invoices", "901")
    assert road.work() == {"invoices.tie": 1}
    assert len(zoho.calls) == 1
    waiting = road.backlog("invoices")["901"]
    assert 4 < waiting["wait_s"] <= 5
    assert (waiting["held"], waiting["parked"]) == (False, False)
    road.database.execute(
        """
        UPDATE erp.invoices SET observed_at = observed_at - interval '6 seconds',
            detail_observed_at = detail_observed_at - interval '6 seconds'
        """
    )
    road.hurry()
    assert road.work() == {"invoices.updated": 1}
    assert mirrored(road.database, "invoices", "balance") == {"901": (Decimal(0),)}
    assert road.backlog("invoices") == {}


def test_a_webhooks_doubt_is_settled_by_the_same_drain(connect: Connect, zoho: Zoho) -> None:
    """The next tick may be a minute away, and what a webhook announces is promised within thirty seconds."""
    road = Road(connect, zoho.http, patience_s=5)
    told = document("invoices", "901", line_items=[], balance=400)
    Queued("invoices", road.database).handle(record(message("invoices", told)))
    invoices(zoho, 901, balance=0)
    road.request("invoices", "901")
    assert road.work() == {"invoices.updated": 1}
    assert road.outcome("invoices", "901") == ["created", "tie", "updated"]
    assert 4 < road.slept_s <= 5
    assert road.backlog("invoices") == {}


def test_what_no_webhook_asked_for_is_not_waited_for(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, patience_s=5)
    with road.database.transaction() as connection:
        backlog.request(connection, "invoices", ["901"], priority=Priority.RIPPLE, cause="test", hold_s=3)
    assert road.work() == {}
    assert (road.slept_s, zoho.calls, list(road.backlog("invoices"))) == (0, [], ["901"])


# -- when the budget says stop


def untried(road: Road, *ids: str) -> None:
    waiting = road.backlog("invoices")
    assert list(waiting) == list(ids)
    assert not any(one["held"] or one["attempts"] or one["parked"] for one in waiting.values())


@pytest.mark.parametrize("code", [44, 45, 1070])
def test_a_throttled_drain_gives_its_ids_back_untried(road: Road, zoho: Zoho, code: int) -> None:
    for one in (901, 902, 903):
        zoho.answer(f"/invoices/{one}", error(code, status=429))
    road.request("invoices", "901", "902", "903")
    assert road.drain.run(lambda: 4.0) == {}
    untried(road, "901", "902", "903")


def test_a_drain_without_permits_gives_its_ids_back_untried(road: Road, zoho: Zoho) -> None:
    invoices(zoho, 901, 902)
    road.database.execute("UPDATE tds.circuit SET paused_until = now() + interval '1 hour'")
    road.request("invoices", "901", "902")
    assert road.work() == {}
    assert zoho.calls == []
    untried(road, "901", "902")
    road.database.execute("UPDATE tds.circuit SET paused_until = now() - interval '1 second'")
    assert road.work() == {"invoices.created": 2}


def test_an_open_circuit_gives_ids_back_untried_and_says_so(
    connect: Connect, zoho: Zoho, caplog: pytest.LogCaptureFixture
) -> None:
    road = Road(connect, zoho.http, breaker_failures=2, breaker_requests=2, in_flight_limit=1)
    for one in range(901, 909):
        zoho.answer(f"/invoices/{one}", MAINTENANCE)
    road.request("invoices", *map(str, range(901, 909)))
    with caplog.at_level(logging.WARNING):
        road.work()
    waiting = road.backlog("invoices")
    assert len(zoho.calls) == 2
    assert sorted(one["attempts"] for one in waiting.values()) == [0, 0, 0, 0, 0, 0, 1, 1]
    assert not any(one["held"] for one in waiting.values())
    assert "drain stopped" in caplog.messages


def test_a_refused_credential_surfaces_and_costs_no_attempt(road: Road, zoho: Zoho, connect: Connect) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"error": "invalid_code"})

    refused = Road(connect, httpx.Client(transport=httpx.MockTransport(refuse)))
    refused.request("invoices", "901")
    with pytest.raises(CredentialsRejected):
        refused.work()
    untried(refused, "901")
    [(told,)] = refused.database.execute("SELECT error FROM tds.runs WHERE ended_at IS NOT NULL")
    assert told.startswith("CredentialsRejected")


def test_a_wrong_organisation_surfaces_and_costs_no_attempt(road: Road, zoho: Zoho) -> None:
    zoho.answer("/invoices/901", error(6041, status=400))
    road.request("invoices", "901")
    with pytest.raises(OrganizationRejected):
        road.work()
    untried(road, "901")


def test_a_missing_scope_surfaces_and_starves_no_other_entity(road: Road, zoho: Zoho) -> None:
    zoho.answer("/itemdetails", error(57, status=401))
    invoices(zoho, 901)
    road.request("products", "1001", priority=Priority.WEBHOOK)
    road.request("invoices", "901", priority=Priority.BACKFILL)
    with pytest.raises(ScopeMissing):
        road.work()
    assert list(mirrored(road.database, "invoices")) == ["901"]
    waiting = road.backlog("products")["1001"]
    assert (waiting["attempts"], waiting["held"]) == (1, False)
    assert waiting["reason"].startswith("ScopeMissing")


def test_postgresql_down_during_a_fetch_loses_nothing(road: Road, zoho: Zoho, connect: Connect) -> None:
    where = road.database._conninfo()

    def cut(request: httpx.Request) -> httpx.Response:
        road.database._conninfo = lambda: "host=127.0.0.1 port=1"
        road.database.close()
        return zoho.usual(request)

    invoices(zoho, 901)
    zoho.answer("/invoices/901", cut, zoho.usual)
    road.request("invoices", "901")
    with pytest.raises(DatabaseUnavailable):
        road.work()
    road.database._conninfo = lambda: where
    road.database.execute("UPDATE tds.backlog SET leased_until = now() - interval '1 second'")
    road.database.execute("UPDATE tds.leases SET until = now() - interval '1 second'")
    assert road.work() == {"invoices.created": 1}


# -- contacts


def test_a_contact_asked_for_in_the_wrong_entity_is_passed_on(road: Road, zoho: Zoho) -> None:
    zoho.put("vendors", document("vendors", "801"))
    road.request("customers", "801", priority=Priority.MANUAL)
    assert road.work() == {"vendors.created": 1}
    assert mirrored(road.database, "customers") == {}
    assert list(mirrored(road.database, "vendors")) == ["801"]
    assert road.backlog("customers") == road.backlog("vendors") == {}
    assert zoho.paths() == ["/contacts/801"] * 2


@pytest.mark.parametrize(("was", "turned"), [("customers", "vendors"), ("vendors", "customers")])
def test_a_contact_that_changes_its_type_changes_sides(road: Road, zoho: Zoho, was: str, turned: str) -> None:
    def turn(name: str) -> dict[str, int]:
        zoho.put(name, document(name, "801"))
        road.request(was, "801")
        return road.work()

    turn(was)
    assert turn(turned) == {f"{was}.deleted": 1, f"{turned}.created": 1}
    assert (mirrored(road.database, was), list(mirrored(road.database, turned))) == ({}, ["801"])
    evidence = road.database.execute("SELECT entity, evidence FROM tds.tombstones")
    assert evidence == [(was, {"belongs_to": turned})]
    assert road.backlog("customers") == road.backlog("vendors") == {}
    assert zoho.paths() == ["/contacts/801"] * 3  # no witness is asked
    assert turn(was) == {f"{was}.restored": 1}


def test_a_contact_seen_as_the_other_kind_since_the_fetch_began_stays(road: Road, zoho: Zoho, connect: Connect) -> None:
    zoho.put("customers", document("customers", "801"))
    road.request("customers", "801")
    road.work()

    def meanwhile(request: httpx.Request) -> httpx.Response:
        connect().execute("UPDATE erp.customers SET observed_at = clock_timestamp()")
        return zoho.usual(request)

    zoho.put("vendors", document("vendors", "801"))
    zoho.answer("/contacts/801", meanwhile, zoho.usual)
    road.request("customers", "801")
    road.work()
    assert list(mirrored(road.database, "customers")) == ["801"]
    assert "801" in road.backlog("customers")  # it is asked for again


def test_a_contact_of_no_known_type_is_not_asked_for_for_ever(road: Road, zoho: Zoho) -> None:
    zoho.put("customers", document("customers", "801", contact_type="partner"))
    road.request("customers", "801")
    road.request("vendors", "801")
    assert road.work() == {}
    assert road.backlog("customers") == road.backlog("vendors") == {}


# -- ripples


def test_a_written_invoice_requests_the_products_of_its_lines_after_a_while(road: Road, zoho: Zoho) -> None:
    fresh = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    zoho.put("invoices", document("invoices", "901", last_modified_time=fresh, salesorder_id=""))
    road.request("invoices", "901")
    road.work()
    waiting = road.backlog("products")
    assert sorted(waiting) == ["510200000000074001", "510200000000074019"]
    assert all(50 < one["wait_s"] <= 60 and one["priority"] == 4 for one in waiting.values())
    zoho.put("products", *(document("products", one) for one in waiting))
    assert road.work() == {}
    road.hurry()
    assert road.work() == {"products.created": 2}
