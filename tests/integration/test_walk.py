"""Walks: complete, resumable at a page, and asked for again where it matters."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest

from tds_core.database import census, passes, runs
from tds_core.entities import scans
from tds_core.errors import ScopeMissing, ZohoUnavailable
from tds_core.priority import Priority
from tests.integration.road import Connect, Json, Road, Zoho, document, mirrored, row
from tests.zoho_fakes import error


def pages(entity: str, count: int, *, first: int = 900) -> list[list[Json]]:
    return [[row(entity, str(first + 2 * n)), row(entity, str(first + 2 * n + 1))] for n in range(count)]


def asked(zoho: Zoho, path: str) -> list[str]:
    return [url.params["page"] for url in zoho.calls if url.path.endswith(path)]


def walk(road: Road, remaining_s: Callable[[], float] = lambda: 30.0) -> dict[str, int]:
    return road.walk.run(remaining_s)


def cursor(road: Road, scan: str = "invoices") -> runs.Cursor:
    return runs.cursor(road.database, scan)


def test_a_walk_shows_every_row_and_requests_its_detail_as_backfill(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 3))
    runs.request_walk(road.database, "invoices")
    assert walk(road) == {"invoices.created": 6}
    assert len(mirrored(road.database, "invoices")) == 6
    assert {one["priority"] for one in road.backlog("invoices").values()} == {6}
    assert [url.params["sort_order"] for url in zoho.calls] == ["A", "A", "A"]
    assert zoho.calls[0].params["sort_column"] == "created_time"
    done = cursor(road)
    assert (done.walk_page, done.walk_requested_at) == (None, None)
    assert done.walked_at is not None
    assert walk(road) == {}
    assert len(zoho.calls) == 3


def test_a_second_walk_finds_everything_unchanged_and_asks_for_nothing(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 2))
    zoho.put("invoices", *(document("invoices", str(900 + n)) for n in range(4)))
    runs.request_walk(road.database, "invoices")
    walk(road)
    road.work()
    runs.request_walk(road.database, "invoices")
    assert walk(road) == {"invoices.unchanged": 4}
    assert road.backlog("invoices") == {}


def test_every_scan_can_be_walked(road: Road, zoho: Zoho) -> None:
    zoho.listing("products", *pages("products", 1, first=100))
    zoho.listing("customers", [row("customers", "200"), row("vendors", "201")])
    zoho.listing("invoices", *pages("invoices", 1, first=300))
    zoho.listing("payments", *pages("payments", 1, first=400))
    for scan in scans():
        runs.request_walk(road.database, scan)
    walk(road)
    found = {name: len(mirrored(road.database, name)) for name in ("products", "customers", "vendors", "invoices")}
    assert found == {"products": 2, "customers": 1, "vendors": 1, "invoices": 2}
    assert len(mirrored(road.database, "payments")) == 2


def test_products_are_walked_without_an_order(road: Road, zoho: Zoho) -> None:
    zoho.listing("products", *pages("products", 2))
    runs.request_walk(road.database, "products")
    walk(road)
    assert all("sort_column" not in url.params and "sort_order" not in url.params for url in zoho.calls)
    assert len(mirrored(road.database, "products")) == 4


def test_a_killed_walk_goes_on_at_its_page(road: Road, zoho: Zoho, connect: Connect) -> None:
    def kill(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    zoho.listing("invoices", *pages("invoices", 4))
    runs.request_walk(road.database, "invoices")
    zoho.answer("/invoices", zoho.usual, zoho.usual, kill)
    with pytest.raises(KeyboardInterrupt):
        walk(road)
    assert len(mirrored(road.database, "invoices")) == 4
    assert cursor(road).walked_at is None

    zoho.script.clear()
    another = Road(connect, zoho.http)
    walk(another)
    assert asked(zoho, "/invoices") == ["1", "2", "3", "3", "4"]
    assert len(mirrored(road.database, "invoices")) == 8
    assert road.database.execute("SELECT walked_rows FROM tds.cursors WHERE scan = 'invoices'") == [(8,)]


def test_a_walk_whose_time_is_up_goes_on_at_the_next_tick(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 3))
    runs.request_walk(road.database, "invoices")
    for expected in (["1"], ["1", "2"], ["1", "2", "3"]):
        left = iter([1.0, 1.0, 0.0])
        walk(road, lambda left=left: next(left, 0.0))  # type: ignore[misc]
        assert asked(zoho, "/invoices") == expected
    assert cursor(road).walked_at is not None


def test_a_walk_that_somebody_else_does_is_left_to_him(road: Road, zoho: Zoho) -> None:
    road.database.execute("INSERT INTO tds.leases VALUES ('walk', gen_random_uuid(), now() + interval '1 minute')")
    runs.request_walk(road.database, "invoices")
    assert walk(road) == {}
    assert zoho.calls == []


def test_a_request_during_the_pass_is_kept_for_the_next_pass(road: Road, zoho: Zoho, connect: Connect) -> None:
    other = connect()

    def meanwhile(request: httpx.Request) -> httpx.Response:
        runs.request_walk(other, "invoices")
        return zoho.usual(request)

    zoho.listing("invoices", *pages("invoices", 2))
    runs.request_walk(road.database, "invoices")
    zoho.answer("/invoices", zoho.usual, meanwhile, zoho.usual)
    walk(road)
    assert cursor(road).walk_requested_at is not None
    walk(road)
    assert asked(zoho, "/invoices") == ["1", "2", "2", "1"]
    assert cursor(road).walk_requested_at is None


def test_polling_without_a_cursor_starts_where_the_walk_began_not_where_it_ended(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 2))
    runs.request_walk(road.database, "invoices")
    zoho.answer("/invoices", zoho.usual, error(1000, status=500))
    with pytest.raises(ZohoUnavailable):
        walk(road)
    [(began,)] = road.database.execute(
        """
        UPDATE tds.cursors SET walk_started_at = walk_started_at - interval '2 hours' WHERE scan = 'invoices'
        RETURNING walk_started_at
        """
    )
    zoho.script.clear()
    walk(road)
    assert cursor(road).changed_since == began - timedelta(minutes=10)


def test_a_walk_leaves_the_cursor_of_polling_alone(road: Road, zoho: Zoho) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    road.database.execute("INSERT INTO tds.cursors (scan, changed_since) VALUES ('invoices', %s)", (since,))
    runs.request_walk(road.database, "invoices")
    walk(road)
    assert cursor(road).changed_since == since


# -- balances that move without a version


def touch(road: Road, zoho: Zoho, number: int) -> None:
    """A payment of now arrives, and moves its customer's balance."""
    payment = document("payments", str(number), updated_time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"))
    zoho.put("payments", payment)
    road.request("payments", str(number))
    road.work()


def ago(road: Road, interval: str) -> None:
    road.database.execute("UPDATE tds.cursors SET walked_at = now() - %s::interval", (interval,))


def test_contacts_are_walked_again_at_their_pace_for_balances_that_no_document_told_of(connect: Connect) -> None:
    zoho = Zoho()
    road = Road(connect, zoho.http, contacts_walk_interval_s=7_200)
    zoho.listing("customers", [row("customers", "801", outstanding_receivable_amount=1)])
    runs.request_walk(road.database, "contacts")
    walk(road)
    ago(road, "118 minutes")
    assert walk(road) == {}

    ago(road, "2 hours")
    zoho.listing("customers", [row("customers", "801", outstanding_receivable_amount=2)])
    road.database.execute("DELETE FROM tds.backlog")
    assert walk(road) == {"customers.updated": 1}
    assert asked(zoho, "/contacts") == ["1", "1"]
    assert {one["priority"] for one in road.backlog("customers").values()} == {2}


def test_touched_contacts_keep_the_pace_of_business_hours_at_night(road: Road, zoho: Zoho) -> None:
    zoho.listing("customers", [row("customers", "801")])
    runs.request_walk(road.database, "contacts")
    walk(road)
    touch(road, zoho, 701)
    assert cursor(road, "contacts").touched_at is not None
    walked_at = road.database.execute("SELECT walked_at FROM tds.cursors WHERE scan = 'contacts'")[0][0]
    evening = walked_at.replace(hour=19, minute=0) + timedelta(days=1)
    road.database.execute("UPDATE tds.cursors SET walked_at = %s WHERE scan = 'contacts'", (evening,))
    road.clock = evening + timedelta(hours=1)
    assert walk(road) == {}
    road.clock = evening + timedelta(hours=2)
    walk(road)
    assert asked(zoho, "/contacts") == ["1", "1"]
    assert cursor(road, "contacts").touched_at is None
    road.clock = road.clock + timedelta(hours=2)
    assert walk(road) == {}


def test_a_touch_during_the_pass_is_kept_for_the_next_pass(road: Road, zoho: Zoho, connect: Connect) -> None:
    other = Road(connect, zoho.http)

    def meanwhile(request: httpx.Request) -> httpx.Response:
        touch(other, zoho, 702)
        return zoho.usual(request)

    zoho.listing("customers", [row("customers", "801")])
    runs.request_walk(road.database, "contacts")
    walk(road)
    runs.request_walk(road.database, "contacts")
    zoho.answer("/contacts", meanwhile, zoho.usual)
    walk(road)
    assert cursor(road, "contacts").touched_at is not None


def test_a_touch_during_the_first_pass_ever_is_kept_too(road: Road, zoho: Zoho, connect: Connect) -> None:
    other = Road(connect, zoho.http)

    def meanwhile(request: httpx.Request) -> httpx.Response:
        touch(other, zoho, 702)
        return zoho.usual(request)

    zoho.listing("customers", [row("customers", "801")], [row("customers", "802")])
    runs.request_walk(road.database, "contacts")
    zoho.answer("/contacts", zoho.usual, meanwhile)
    walk(road)
    assert cursor(road, "contacts").touched_at is not None


# -- failures


def test_a_failing_walk_is_told_of_its_list_until_its_end_is_reached(road: Road, zoho: Zoho) -> None:
    zoho.answer("/invoices", error(1000, status=500))
    runs.request_walk(road.database, "invoices")
    with pytest.raises(ZohoUnavailable):
        walk(road)
    assert census.scan_figures(road.database)["invoices"]["walk_error"].startswith("ZohoUnavailable")
    zoho.script.clear()
    walk(road)
    assert census.scan_figures(road.database)["invoices"]["walk_error"] is None


# -- a history's lists before its documents


def history(road: Road, zoho: Zoho) -> None:
    """Two pages of invoices and one of payments, of which the walk has read one page."""
    for entity in ("invoices", "payments"):
        zoho.put(entity, *(document(entity, one) for one in ("901", "902")))
    zoho.listing("invoices", [row("invoices", "901")], [row("invoices", "902")])
    zoho.listing("payments", [row("payments", "901")])
    for scan in ("invoices", "payments"):
        runs.request_walk(road.database, scan)
    left = iter([30.0, 30.0])
    road.walk.run(lambda: next(left, 0.0))
    zoho.calls.clear()


def due(road: Road) -> dict[str, int]:
    told = census.backlog_figures(road.database)
    return {entity: told[entity]["due"] for entity in ("invoices", "payments") if entity in told}


def test_a_historys_documents_wait_for_its_last_page_and_what_is_urgent_does_not(road: Road, zoho: Zoho) -> None:
    history(road, zoho)
    road.request("payments", "902")
    assert due(road) == {"invoices": 0, "payments": 1}
    road.work()
    assert zoho.paths() == ["/customerpayments/902"]
    assert due(road)["invoices"] == 0
    walk(road)
    assert due(road) == {"invoices": 2, "payments": 1}
    zoho.calls.clear()
    road.work()
    assert sorted(zoho.paths()) == ["/customerpayments/901", "/invoices/901", "/invoices/902"]
    assert not any(due(road).values())


def test_a_list_that_fails_keeps_no_document_of_a_history_waiting_until_it_goes_on(road: Road, zoho: Zoho) -> None:
    history(road, zoho)
    zoho.answer("/invoices", error(1000, status=500))
    with pytest.raises(ZohoUnavailable):
        walk(road)
    assert due(road) == {"invoices": 1, "payments": 1}
    road.work()
    assert not any(due(road).values())
    zoho.script.clear()
    zoho.listing("invoices", [row("invoices", "901")], [row("invoices", "902")], [row("invoices", "903")])
    left = iter([30.0, 30.0])
    road.walk.run(lambda: next(left, 0.0))
    assert due(road) == {"invoices": 0}


def test_a_nights_walk_keeps_no_document_of_a_history_waiting(road: Road, zoho: Zoho) -> None:
    history(road, zoho)
    road.database.execute("UPDATE tds.cursors SET walk_priority = 3 WHERE walk_page IS NOT NULL")
    road.database.execute("UPDATE tds.cursors SET walk_requested_at = NULL WHERE walk_page IS NULL")
    assert due(road) == {"invoices": 1}
    road.work()
    assert zoho.paths() == ["/invoices/901"]


def test_a_list_that_waits_for_the_minute_at_the_end_of_a_run_has_not_failed(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, minute_limit=1)
    history(road, zoho)
    walk(road)
    assert zoho.calls == []
    assert census.scan_figures(road.database)["invoices"]["walk_error"] is None
    road.work()
    assert zoho.calls == []


# -- rows that move between pages


class Shelf:
    """A list of two rows a page, oldest first, that changes while it is read: `before[n]` happens before its n-th call.

    `served` are the ids that were shown, by pass of the walk.
    """

    def __init__(self, zoho: Zoho, ids: Iterable[int]) -> None:
        self.zoho = zoho
        self.ids = list(ids)
        self.before: dict[int, Callable[[], None]] = {}
        self.pages: list[int] = []
        zoho.answer("/invoices", self)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.before.get(len(self.pages), lambda: None)()
        number = int(request.url.params["page"])
        self.pages.append(number)
        self.zoho.listing("invoices", *(self._page(at) for at in range(0, max(len(self.ids), 1), 2)))
        return self.zoho.usual(request)

    def _page(self, at: int) -> list[Json]:
        return [row("invoices", str(one)) for one in self.ids[at : at + 2]]


def walked_once(road: Road, zoho: Zoho, ids: Iterable[int] = range(900, 908)) -> Shelf:
    """A list whose first pass is over; the mirror then forgets its rows, so that what a pass shows can be told."""
    shelf = Shelf(zoho, ids)
    runs.request_walk(road.database, "invoices")
    walk(road)
    road.database.execute("DELETE FROM erp.invoices")
    shelf.pages.clear()
    runs.request_walk(road.database, "invoices")
    return shelf


@pytest.mark.parametrize("gone", range(900, 908))
@pytest.mark.parametrize("call", range(1, 4))
def test_a_deletion_between_two_pages_costs_no_other_row_its_sight(
    road: Road, zoho: Zoho, gone: int, call: int
) -> None:
    shelf = walked_once(road, zoho)
    shelf.before[call] = lambda: shelf.ids.remove(gone)
    walk(road)
    assert {str(one) for one in shelf.ids} <= mirrored(road.database, "invoices").keys()


def test_deletions_at_every_page_neither_hide_a_row_nor_keep_the_walk_going(road: Road, zoho: Zoho) -> None:
    shelf = walked_once(road, zoho, range(900, 920))
    shelf.before = {call: partial(shelf.ids.remove, 899 + call) for call in range(1, 10)}
    walk(road)
    assert shelf.pages == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert {str(one) for one in shelf.ids} <= mirrored(road.database, "invoices").keys()
    assert cursor(road).walk_requested_at is None


def test_a_quiet_pass_costs_a_call_a_page(road: Road, zoho: Zoho) -> None:
    shelf = walked_once(road, zoho)
    walk(road)
    assert shelf.pages == [4, 3, 2, 1]
    assert len(mirrored(road.database, "invoices")) == 8
    assert cursor(road).walked_rows == 8


def test_a_list_that_has_grown_is_read_from_its_new_end(road: Road, zoho: Zoho) -> None:
    shelf = walked_once(road, zoho)
    shelf.ids += range(908, 913)
    shelf.before[2] = lambda: shelf.ids.remove(900)
    walk(road)
    assert shelf.pages == [4, 5, 6, 5, 4, 3, 2, 1]
    assert {str(one) for one in shelf.ids} <= mirrored(road.database, "invoices").keys()
    runs.request_walk(road.database, "invoices")
    walk(road)
    assert shelf.pages[8:] == [6, 5, 4, 3, 2, 1]
    assert cursor(road).walked_rows == 12


def test_a_list_that_has_shrunk_is_read_from_its_new_end_the_next_time(road: Road, zoho: Zoho) -> None:
    shelf = walked_once(road, zoho)
    del shelf.ids[3:]
    walk(road)
    assert sorted(mirrored(road.database, "invoices")) == ["900", "901", "902"]
    assert (cursor(road).walked_pages, cursor(road).walked_rows) == (2, 3)
    runs.request_walk(road.database, "invoices")
    walk(road)
    assert shelf.pages[4:] == [2, 1]


def test_an_emptied_list_is_walked_to_its_end(road: Road, zoho: Zoho) -> None:
    shelf = walked_once(road, zoho)
    shelf.ids.clear()
    walk(road)
    runs.request_walk(road.database, "invoices")
    walk(road)
    assert shelf.pages == [4, 3, 2, 1, 1]
    assert (cursor(road).walked_pages, cursor(road).walked_rows) == (1, 0)


def test_a_killed_pass_downwards_goes_on_at_its_page(road: Road, zoho: Zoho, connect: Connect) -> None:
    def kill() -> None:
        raise KeyboardInterrupt

    shelf = walked_once(road, zoho)
    shelf.before[2] = kill
    with pytest.raises(KeyboardInterrupt):
        walk(road)
    shelf.before.clear()
    walk(Road(connect, zoho.http))
    assert shelf.pages == [4, 3, 2, 1]
    assert cursor(road).walked_rows == 8


def test_a_first_pass_in_which_a_deletion_became_known_is_followed_by_one_more(road: Road, zoho: Zoho) -> None:
    def delete() -> None:
        shelf.ids.remove(900)
        road.request("invoices", "900")
        for _ in range(2):  # what one answer alone says is gone is asked for again
            road.work()
            road.hurry()

    shelf = Shelf(zoho, range(900, 908))
    zoho.put("invoices", *(document("invoices", str(one)) for one in range(901, 908)))
    shelf.before = {2: delete}
    runs.request_walk(road.database, "invoices")
    walk(road)
    assert "904" not in mirrored(road.database, "invoices")
    walk(road)
    assert sorted(mirrored(road.database, "invoices")) == [str(one) for one in range(901, 908)]
    assert shelf.pages == [1, 2, 3, 4, 4, 3, 2, 1]
    assert walk(road) == {}


# -- a worker that stalled


def test_a_worker_that_wakes_late_moves_no_page_of_a_pass_that_went_on_without_it(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 4))
    runs.request_walk(road.database, "invoices")
    left = iter([1.0, 1.0, 0.0])
    walk(road, lambda: next(left, 0.0))
    stalled = passes.resume(cursor(road), scans()["invoices"])
    assert stalled is not None and stalled.page == 2
    third = stalled.after(rows=2, has_more=True)
    over = stalled.after(rows=2, has_more=False)

    left = iter([1.0, 1.0, 1.0, 1.0, 0.0])
    walk(road, lambda: next(left, 0.0))
    assert cursor(road).walk_page == 4
    assert passes.advance(road.database, stalled, third, rows=2) is False
    assert passes.end(road.database, stalled, over, rows=2, overlap=timedelta(0)) is False
    assert cursor(road).walk_page == 4
    walk(road)
    assert road.database.execute("SELECT walked_rows FROM tds.cursors WHERE scan = 'invoices'") == [(8,)]


def test_a_worker_that_wakes_in_the_next_pass_moves_nothing_of_it(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 2))
    before = cursor(road)
    runs.request_walk(road.database, "invoices")
    left = iter([1.0, 1.0, 0.0])
    walk(road, lambda: next(left, 0.0))
    stalled = passes.resume(cursor(road), scans()["invoices"])
    assert stalled is not None
    third = stalled.after(rows=2, has_more=True)
    over = stalled.after(rows=2, has_more=False)
    walk(road)
    assert passes.begin(road.database, before, scans()["invoices"], priority=Priority.BACKFILL) is None
    assert cursor(road).walk_page is None

    runs.request_walk(road.database, "invoices")
    left = iter([1.0, 1.0, 0.0])
    walk(road, lambda: next(left, 0.0))
    road.database.execute("UPDATE tds.cursors SET walk_page = %s WHERE scan = 'invoices'", (stalled.page,))
    assert passes.advance(road.database, stalled, third, rows=2) is False
    assert passes.end(road.database, stalled, over, rows=2, overlap=timedelta(0)) is False
    assert cursor(road).walk_page == stalled.page


def test_a_worker_whose_page_took_too_long_stops_where_another_one_went_on(
    road: Road, zoho: Zoho, connect: Connect
) -> None:
    def stall(request: httpx.Request) -> httpx.Response:
        other.database.execute("DELETE FROM tds.leases")
        left = iter([1.0, 1.0, 1.0, 0.0])
        walk(other, lambda: next(left, 0.0))
        return zoho.usual(request)

    other = Road(connect, zoho.http)
    zoho.listing("invoices", *pages("invoices", 4))
    runs.request_walk(road.database, "invoices")
    zoho.answer("/invoices", stall, zoho.usual)
    walk(road)
    assert asked(zoho, "/invoices") == ["1", "1", "2"]
    assert cursor(road).walk_page == 3


# -- failures


def test_a_failing_scan_costs_no_other_one_its_pass_and_goes_on_at_its_page(road: Road, zoho: Zoho) -> None:
    zoho.listing("products", *pages("products", 2, first=100))
    zoho.listing("invoices", *pages("invoices", 1))
    zoho.answer("/items", zoho.usual, error(1000, status=500))
    for scan in ("products", "invoices"):
        runs.request_walk(road.database, scan)
    with pytest.raises(ZohoUnavailable):
        walk(road)
    assert len(mirrored(road.database, "invoices")) == 2
    assert cursor(road, "products").walk_page == 2
    zoho.script.clear()
    walk(road)
    assert asked(zoho, "/items") == ["1", "2", "2"]
    assert len(mirrored(road.database, "products")) == 4


def test_a_missing_scope_is_raised_after_the_other_scans_were_walked(road: Road, zoho: Zoho) -> None:
    zoho.answer("/items", error(57, status=401))
    zoho.listing("invoices", *pages("invoices", 1))
    for scan in ("products", "invoices"):
        runs.request_walk(road.database, scan)
    with pytest.raises(ScopeMissing):
        walk(road)
    assert len(mirrored(road.database, "invoices")) == 2


@pytest.mark.parametrize("code", [44, 45])
def test_a_throttled_walk_asks_for_nothing_more(road: Road, zoho: Zoho, code: int) -> None:
    zoho.answer("/items", error(code, status=429))
    for scan in ("products", "invoices"):
        runs.request_walk(road.database, scan)
    walk(road)
    assert zoho.paths() == ["/items"]
    assert cursor(road).walk_requested_at is not None


def test_a_page_without_its_rows_ends_no_walk(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", *pages("invoices", 2))
    zoho.answer("/invoices", zoho.usual, error(0, status=200))
    runs.request_walk(road.database, "invoices")
    with pytest.raises(ZohoUnavailable):
        walk(road)
    assert (cursor(road).walk_page, cursor(road).walked_at) == (2, None)
