"""Polling: each list by its own means, and a cursor that moves only after a round's last page."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tds_core.database import census
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, scans
from tds_core.errors import (
    DatabaseUnavailable,
    FilterIgnored,
    OrganizationRejected,
    ScopeMissing,
    TdsError,
    ZohoUnavailable,
)
from tds_core.zoho import status
from tests.integration.road import Connect, Json, Road, Zoho, document, later, mirrored, row, zoho_time
from tests.zoho_fakes import answer, error

DATE = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)  # what the scripted Zoho's Date header says
OVERLAP = timedelta(minutes=10)


def queries(zoho: Zoho, path: str) -> list[dict[str, str]]:
    return [dict(url.params) for url in zoho.calls if url.path.endswith(path)]


def cursor(road: Road, scan: str) -> datetime | None:
    rows = road.database.execute("SELECT changed_since FROM tds.cursors WHERE scan = %s", (scan,))
    return rows[0][0] if rows else None


def start_at(road: Road, scan: str, since: datetime) -> None:
    road.database.execute("INSERT INTO tds.cursors (scan, changed_since) VALUES (%s, %s)", (scan, since))


# -- the cursor


def test_the_next_cursor_is_zohos_date_of_the_first_page_minus_the_overlap(road: Road, zoho: Zoho) -> None:
    def second(request: httpx.Request) -> httpx.Response:
        zoho.date = "Sat, 14 Mar 2026 13:00:00 GMT"
        return zoho.usual(request)

    start_at(road, "invoices", DATE - timedelta(days=1))
    zoho.listing("invoices", [row("invoices", "901")], [row("invoices", "902")])
    zoho.answer("/invoices", zoho.usual, second)
    road.poll.run()
    assert [query["page"] for query in queries(zoho, "/invoices")] == ["1", "2", "1"]
    assert cursor(road, "invoices") == DATE - OVERLAP


def test_a_server_whose_clock_is_ahead_lets_nothing_be_passed_over(road: Road, zoho: Zoho) -> None:
    zoho.date = "Sat, 14 Mar 2122 13:00:00 GMT"
    start_at(road, "invoices", DATE - timedelta(days=1))
    zoho.listing("invoices", [row("invoices", "901")])
    road.poll.run()
    ((now,),) = road.database.execute("SELECT clock_timestamp()")
    reached = cursor(road, "invoices")
    assert reached is not None and reached <= now - OVERLAP


def test_a_failing_page_leaves_the_cursor_where_it_was_and_keeps_what_was_read(road: Road, zoho: Zoho) -> None:
    since = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
    start_at(road, "invoices", since)
    zoho.listing("invoices", [row("invoices", "901")], [row("invoices", "902")])
    zoho.answer("/invoices", zoho.usual, error(1000, status=500))
    with pytest.raises(ZohoUnavailable):
        road.poll.run()
    assert cursor(road, "invoices") == since
    assert list(mirrored(road.database, "invoices")) == ["901"]
    assert road.database.execute("SELECT polled_at FROM tds.cursors WHERE scan = 'invoices'") == [(None,)]

    zoho.script.clear()
    road.poll.run(force=True)
    assert cursor(road, "invoices") == DATE - OVERLAP
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(answer({"page_context": {"page": 1, "has_more_page": False}}), id="without-list-key"),
        pytest.param(answer({"invoices": []}), id="without-page-context"),
        pytest.param(answer({"invoices": {}, "page_context": {"page": 1, "has_more_page": False}}), id="no-list"),
        pytest.param(answer({"invoices": [], "page_context": {"page": 1}}), id="no-word-on-more"),
        pytest.param(answer({"invoices": [], "page_context": {"page": 7, "has_more_page": False}}), id="other-page"),
        pytest.param(answer({"invoices": [], "page_context": {"page": 1, "has_more_page": True}}), id="empty-and-more"),
        pytest.param(httpx.Response(200, text="<html>maintenance</html>"), id="html"),
        pytest.param(httpx.Response(200, text=""), id="nothing"),
    ],
)
def test_a_page_that_is_none_is_an_error_and_never_an_empty_end(road: Road, zoho: Zoho, broken: httpx.Response) -> None:
    since = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
    start_at(road, "invoices", since)
    zoho.answer("/invoices", broken)
    with pytest.raises(ZohoUnavailable):
        road.poll.run()
    assert cursor(road, "invoices") == since


def test_an_empty_page_ends_a_round(road: Road) -> None:
    start_at(road, "invoices", DATE - timedelta(days=1))
    road.poll.run()
    assert cursor(road, "invoices") == DATE - OVERLAP


def test_a_first_round_that_follows_an_unfinished_walk_begins_where_the_walk_began(road: Road, zoho: Zoho) -> None:
    began = road.database.execute(
        """
        INSERT INTO tds.cursors (scan, walk_started_at, walk_page) VALUES ('invoices', now() - interval '3 hours', 4)
        RETURNING walk_started_at
        """
    )[0][0]
    road.poll.run()
    asked = datetime.fromisoformat(queries(zoho, "/invoices")[0]["last_modified_time"])
    assert asked == (began - OVERLAP).replace(microsecond=0)


# -- rows that slip onto another page while a round reads

MOVING = pytest.mark.parametrize(("entity", "path"), [("bills", "/bills"), ("customers", "/contacts")])


def numbered(entity: str, *ids: int) -> list[Json]:
    """Rows newest first, as their numbers are: 300 is the newest."""
    return [row(entity, str(one), last_modified_time=zoho_time(DATE - timedelta(seconds=400 - one))) for one in ids]


def begin_moving(road: Road, entity: str) -> datetime:
    since = DATE - timedelta(days=1)
    start_at(road, REGISTRY[entity].scan_name, since)
    return since


@MOVING
def test_a_row_that_a_deletion_moves_onto_a_page_that_was_read_is_found_in_the_same_round(
    road: Road, zoho: Zoho, entity: str, path: str
) -> None:
    def second(request: httpx.Request) -> httpx.Response:
        zoho.listing(entity, numbered(entity, 299, 298, 297), numbered(entity, 296, 295))
        return zoho.usual(request)

    since = begin_moving(road, entity)
    zoho.listing(entity, numbered(entity, 300, 299, 298), numbered(entity, 297, 296, 295))
    zoho.answer(path, zoho.usual, second, zoho.usual)
    road.poll.run()
    assert list(mirrored(road.database, entity)) == ["295", "296", "297", "298", "299", "300"]
    assert cursor(road, REGISTRY[entity].scan_name) == since, "what the second look showed was not proved complete"
    road.poll.run(force=True)
    assert cursor(road, REGISTRY[entity].scan_name) == DATE - OVERLAP


@MOVING
def test_a_row_that_slips_back_and_forth_between_both_looks_is_found_by_the_next_round(
    road: Road, zoho: Zoho, entity: str, path: str
) -> None:
    def second(request: httpx.Request) -> httpx.Response:
        zoho.listing(entity, numbered(entity, 299, 298), numbered(entity, 297, 296), numbered(entity, 295))
        return zoho.usual(request)  # 298 slips onto the first page

    def again(request: httpx.Request) -> httpx.Response:
        zoho.listing(entity, numbered(entity, 301, 299), numbered(entity, 298, 297), numbered(entity, 296, 295))
        return zoho.usual(request)  # and a new row pushes it back before the first page is read again

    since = begin_moving(road, entity)
    zoho.listing(entity, numbered(entity, 300, 299), numbered(entity, 298, 297), numbered(entity, 296, 295))
    zoho.answer(path, zoho.usual, second, zoho.usual, zoho.usual, again, zoho.usual)
    road.poll.run()
    assert [query["page"] for query in queries(zoho, path)] == ["1", "2", "3", "2", "1"]
    assert "298" not in mirrored(road.database, entity)
    assert cursor(road, REGISTRY[entity].scan_name) == since
    road.poll.run(force=True)
    assert list(mirrored(road.database, entity)) == ["295", "296", "297", "298", "299", "300", "301"]
    assert cursor(road, REGISTRY[entity].scan_name) == DATE - OVERLAP


@MOVING
def test_a_round_of_one_page_is_one_call(road: Road, zoho: Zoho, entity: str, path: str) -> None:
    begin_moving(road, entity)
    zoho.listing(entity, numbered(entity, 300, 299))
    road.poll.run()
    assert len(queries(zoho, path)) == 1
    assert cursor(road, REGISTRY[entity].scan_name) == DATE - OVERLAP


# -- by filter


def test_the_filter_is_sent_in_utc_and_the_order_is_newest_first(road: Road, zoho: Zoho) -> None:
    start_at(road, "invoices", datetime(2026, 3, 14, 8, 0, 0, 900_000, tzinfo=UTC))
    road.poll.run()
    [query] = queries(zoho, "/invoices")
    assert query["last_modified_time"] == "2026-03-14T08:00:00+0000"
    assert (query["sort_order"], query["per_page"]) == ("D", "200")


def test_a_row_of_the_cursors_own_second_is_no_ignored_filter(road: Road, zoho: Zoho) -> None:
    since = datetime(2026, 3, 14, 8, 0, 0, 900_000, tzinfo=UTC)
    start_at(road, "invoices", since)
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=zoho_time(since))])
    road.poll.run()
    assert cursor(road, "invoices") == DATE - OVERLAP


def test_a_filter_that_is_ignored_is_told_after_its_rows_were_used(road: Road, zoho: Zoho) -> None:
    since = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
    start_at(road, "invoices", since)
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=later(7200)), row("invoices", "902")])
    with pytest.raises(FilterIgnored):
        road.poll.run()
    assert cursor(road, "invoices") == since
    assert list(mirrored(road.database, "invoices")) == ["901", "902"]
    [(told,)] = road.database.execute("SELECT error FROM tds.runs")
    assert told.startswith("FilterIgnored")


# -- newest first


def contacts(*minutes: int) -> list[Json]:
    return [row("customers", str(800 + one), last_modified_time=later(-60 * one)) for one in minutes]


def test_newest_first_stops_at_the_page_that_reaches_the_cursor(road: Road, zoho: Zoho) -> None:
    start_at(road, "contacts", datetime(2026, 3, 14, 8, 30, tzinfo=UTC))
    zoho.listing("customers", contacts(0, 10), contacts(20, 40), contacts(50, 60))
    road.poll.run()
    asked = queries(zoho, "/contacts")
    assert [query["page"] for query in asked] == ["1", "2", "1"]
    assert (asked[0]["sort_column"], asked[0]["sort_order"]) == ("last_modified_time", "D")
    assert list(mirrored(road.database, "customers")) == ["800", "810", "820", "840"]
    assert cursor(road, "contacts") == DATE - OVERLAP


def test_newest_first_reads_the_whole_list_when_the_order_is_ignored(road: Road, zoho: Zoho) -> None:
    start_at(road, "contacts", datetime(2026, 3, 14, 8, 30, tzinfo=UTC))
    zoho.listing("customers", contacts(50, 60), contacts(20, 40), contacts(0, 10))
    zoho.unsorted.add("/books/v3/contacts")
    road.poll.run()
    assert len(queries(zoho, "/contacts")) == 3
    assert len(mirrored(road.database, "customers")) == 6


def test_one_scan_of_contacts_feeds_customers_and_vendors(road: Road, zoho: Zoho) -> None:
    zoho.listing("customers", [row("customers", "801"), row("vendors", "802"), row("customers", "803")])
    road.poll.run()
    assert len(queries(zoho, "/contacts")) == 1
    assert list(mirrored(road.database, "customers")) == ["801", "803"]
    assert list(mirrored(road.database, "vendors")) == ["802"]


# -- look-back and whole lists


def payments(road: Road, *days: int) -> list[Json]:
    """Payments of so many days ago, in the organisation's calendar."""
    [(today,)] = road.database.execute("SELECT (now() AT TIME ZONE 'Asia/Baghdad')::date")
    return [row("payments", str(700 + one), date=(today - timedelta(days=one)).isoformat()) for one in days]


def test_a_look_back_reads_the_newest_pages_of_14_days_whatever_the_cursor_says(road: Road, zoho: Zoho) -> None:
    start_at(road, "payments", DATE + timedelta(days=365))
    zoho.listing("payments", payments(road, 0, 7), payments(road, 13, 14), payments(road, 14, 15), payments(road, 30))
    road.poll.run()
    assert [query["page"] for query in queries(zoho, "/customerpayments")] == ["1", "2", "3"]
    assert queries(zoho, "/customerpayments")[0]["sort_column"] == "date"
    assert list(mirrored(road.database, "payments")) == ["700", "707", "713", "714", "715"]


def test_the_pages_behind_the_first_one_are_looked_back_over_at_the_pace_of_the_items(road: Road, zoho: Zoho) -> None:
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    days = [(road.clock - timedelta(days=ago)).date().isoformat() for ago in (0, 10, 20)]
    zoho.listing("payments", *([row("payments", f"70{n}", date=day)] for n, day in enumerate(days)))
    asked = []
    for _ in range(7):
        before = len(queries(zoho, "/customerpayments"))
        road.poll.run()
        asked.append(len(queries(zoho, "/customerpayments")) - before)
        road.clock += timedelta(minutes=5)
    assert asked == [3, 1, 1, 3, 1, 1, 3]
    road.poll.run(force=True)
    assert len(queries(zoho, "/customerpayments")) == sum(asked) + 3


def test_a_round_that_failed_on_a_page_behind_the_first_one_reads_it_the_next_time(road: Road, zoho: Zoho) -> None:
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    days = [(road.clock - timedelta(days=ago)).date().isoformat() for ago in (0, 10)]
    zoho.listing("payments", *([row("payments", f"70{n}", date=day)] for n, day in enumerate(days)))
    zoho.answer("/customerpayments", zoho.usual, error(1000, status=500))
    with pytest.raises(ZohoUnavailable):
        road.poll.run()
    zoho.script.clear()
    road.clock += timedelta(minutes=5)
    road.poll.run()
    assert list(mirrored(road.database, "payments")) == ["700", "701"]


def test_products_are_found_by_reading_the_whole_list(road: Road, zoho: Zoho) -> None:
    zoho.listing("products", *[[row("products", str(600 + page))] for page in range(4)])
    road.poll.run()
    asked = queries(zoho, "/items")
    assert [query["page"] for query in asked] == ["1", "2", "3", "4"]
    assert all("last_modified_time" not in query and query["filter_by"] == "Status.All" for query in asked)
    assert len(mirrored(road.database, "products")) == 4


def test_stock_that_moved_without_a_version_is_written_and_fetched(road: Road, zoho: Zoho) -> None:
    zoho.listing("products", [row("products", "600", stock_on_hand=5)])
    zoho.put("products", document("products", "600", stock_on_hand=5))
    road.poll.run()
    road.work()
    assert road.backlog("products") == {}
    zoho.listing("products", [row("products", "600", stock_on_hand=4)])
    road.poll.run(force=True)
    assert mirrored(road.database, "products", "stock_on_hand") == {"600": (Decimal(4),)}
    assert list(road.backlog("products")) == ["600"]


def refetched(road: Road, scan: str, ago: str) -> None:
    road.database.execute("UPDATE tds.cursors SET refetched_at = now() - %s::interval WHERE scan = %s", (ago, scan))


def test_documents_that_change_without_a_version_are_requested_anew_when_their_time_has_come(connect: Connect) -> None:
    zoho = Zoho()
    road = Road(connect, zoho.http, stock_interval_s=3_600)
    zoho.put("products", document("products", "600"), document("products", "601"))
    road.poll.run()
    road.request("products", "600", "601")
    road.work()
    refetched(road, "products", "58 minutes")
    road.poll.run()
    assert road.backlog("products") == {}
    refetched(road, "products", "60 minutes")
    road.poll.run()
    assert list(road.backlog("products")) == ["600", "601"]
    assert {one["priority"] for one in road.backlog("products").values()} == {2}
    road.work()
    road.poll.run()
    assert road.backlog("products") == {}


def test_a_forced_poll_has_documents_fetched_anew_too(road: Road, zoho: Zoho) -> None:
    zoho.put("products", document("products", "600"))
    zoho.put("price_lists", document("price_lists", "500"))
    for entity, document_id in (("products", "600"), ("price_lists", "500")):
        road.request(entity, document_id)
    road.work()
    road.poll.run(force=True)
    assert (list(road.backlog("products")), list(road.backlog("price_lists"))) == (["600"], ["500"])


# -- rounds


def test_one_failing_scan_costs_no_other_one_its_round(road: Road, zoho: Zoho) -> None:
    zoho.answer("/items", error(1000, status=500))
    zoho.answer("/contacts", httpx.Response(502, text="<html>"))
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=zoho_time(datetime.now(UTC)))])
    zoho.listing("payments", payments(road, 0))
    with pytest.raises(ZohoUnavailable):
        road.poll.run()
    assert list(mirrored(road.database, "invoices")) == ["901"]
    assert list(mirrored(road.database, "payments")) == ["700"]
    assert cursor(road, "payments") == DATE - OVERLAP
    assert cursor(road, "products") is None


def test_a_missing_scope_is_raised_after_the_other_scans_had_their_round(road: Road, zoho: Zoho) -> None:
    zoho.answer("/items", error(57, status=401))
    zoho.listing("payments", payments(road, 0))
    with pytest.raises(ScopeMissing):
        road.poll.run()
    assert list(mirrored(road.database, "payments")) == ["700"]


def test_a_scan_is_polled_when_its_cadence_makes_it_due_or_when_forced(road: Road, zoho: Zoho) -> None:
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    road.poll.run()
    first = len(zoho.calls)
    assert first == len(scans())
    road.poll.run()
    assert len(zoho.calls) == first
    road.clock += timedelta(minutes=5)
    road.poll.run()
    due = sorted(specs[0].path for specs in scans().values() if specs[0].cadence == "poll")
    assert sorted(zoho.paths()[first:]) == due
    assert "/invoices" in due and "/items" not in due
    road.poll.run(force=True)
    assert len(zoho.calls) == first + len(due) + len(scans())


def test_at_night_a_scan_waits_longer(road: Road, zoho: Zoho) -> None:
    road.clock = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
    road.poll.run()
    first = len(zoho.calls)
    road.clock += timedelta(minutes=5)
    road.poll.run()
    assert len(zoho.calls) == first
    road.clock += timedelta(minutes=10)
    road.poll.run()
    assert len(zoho.calls) > first


def test_the_limit_that_zohos_headers_tell_decides_before_the_one_that_is_set(road: Road, zoho: Zoho) -> None:
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    road.poll.run()
    first = len(zoho.calls)
    road.database.execute("UPDATE tds.api_budget SET day_limit = 1000 WHERE product = 'books'")
    road.clock += timedelta(minutes=30)
    road.poll.run()
    assert len(zoho.calls) == first
    road.clock += timedelta(minutes=90)
    road.poll.run()
    assert len(zoho.calls) > first


def told(road: Road, scan: str) -> str | None:
    found: str | None = census.scan_figures(road.database)[scan]["poll_error"]
    return found


def test_a_failed_round_is_told_of_its_list_until_one_is_good(road: Road, zoho: Zoho) -> None:
    zoho.answer("/invoices", error(57, status=401))
    with pytest.raises(ScopeMissing):
        road.poll.run()
    assert (told(road, "invoices") or "").startswith("ScopeMissing")
    assert told(road, "payments") is None
    zoho.script.clear()
    road.poll.run(force=True)
    assert told(road, "invoices") is None


@pytest.mark.parametrize(
    ("answered", "minutes"),
    [pytest.param(error(57, status=401), 60, id="a-person"), pytest.param(error(1000, status=500), 15, id="chance")],
)
def test_a_failing_list_takes_no_more_calls_than_its_cadence_gives_it(
    connect: Connect, answered: httpx.Response, minutes: int
) -> None:
    zoho = Zoho()
    road = Road(connect, zoho.http, poll_interval_s=3_600)
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    zoho.answer("/invoices", answered)
    asked = []
    for _ in range(13):
        before = len(zoho.paths("/invoices"))
        with suppress(TdsError):
            road.poll.run()
        asked.append(len(zoho.paths("/invoices")) - before)
        road.clock += timedelta(minutes=5)
    assert [tick * 5 for tick, calls in enumerate(asked) if calls] == list(range(0, 61, minutes))


def test_an_ignored_filter_is_seen_and_its_newest_page_is_read_at_each_round(road: Road, zoho: Zoho) -> None:
    road.clock = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    start_at(road, "invoices", datetime(2026, 3, 14, 8, 0, tzinfo=UTC))
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=later(-86_400))], [row("invoices", "800")])
    for _ in range(2):
        with pytest.raises(FilterIgnored):
            road.poll.run()
        road.clock += timedelta(minutes=5)
    assert [query["page"] for query in queries(zoho, "/invoices")] == ["1", "1"]
    assert (told(road, "invoices") or "").startswith("FilterIgnored")
    assert cursor(road, "invoices") == datetime(2026, 3, 14, 8, 0, tzinfo=UTC)


def test_a_long_list_that_ignores_its_order_is_not_read_whole_at_every_round(road: Road, zoho: Zoho) -> None:
    start_at(road, "payments", DATE)
    road.database.execute("UPDATE tds.cursors SET walked_rows = 20000 WHERE scan = 'payments'")
    zoho.listing("payments", payments(road, 0), payments(road, 1), payments(road, 2))
    zoho.unsorted.add("/books/v3/customerpayments")
    with pytest.raises(FilterIgnored):
        road.poll.run()
    assert len(queries(zoho, "/customerpayments")) == 1
    assert list(mirrored(road.database, "payments")) == ["700"]


def test_a_round_whose_time_is_up_keeps_what_it_read_and_is_begun_anew_by_the_next_tick_behind_the_others(
    road: Road, zoho: Zoho
) -> None:
    def left() -> float:
        return 2.0 - len(zoho.paths("/items"))

    since = DATE - timedelta(days=1)
    start_at(road, "products", since)
    zoho.listing("products", *[[row("products", str(600 + page))] for page in range(4)])
    road.poll.run(left)
    assert [query["page"] for query in queries(zoho, "/items")] == ["1", "2"]
    assert list(mirrored(road.database, "products")) == ["600", "601"]
    assert (told(road, "products") or "").startswith("OutOfTime")
    assert cursor(road, "products") == since
    before = len(zoho.calls)
    road.poll.run(lambda: 30.0)
    following = zoho.paths()[before:]
    assert following[-4:] == ["/items"] * 4
    assert "/invoices" in following, "what was behind it in the first round"
    assert list(mirrored(road.database, "products")) == ["600", "601", "602", "603"]
    assert (told(road, "products"), cursor(road, "products")) == (None, DATE - OVERLAP)


def test_two_polls_at_once_make_one_round(road: Road, zoho: Zoho, connect: Connect) -> None:
    road.database.execute("INSERT INTO tds.leases VALUES ('poll', gen_random_uuid(), now() + interval '1 minute')")
    assert road.poll.run(force=True) == {}
    assert zoho.calls == []
    road.database.execute("UPDATE tds.leases SET until = now() - interval '1 second'")
    road.poll.run(force=True)
    assert len(zoho.calls) == len(scans())


def test_a_poll_that_lost_its_lease_stops(road: Road, zoho: Zoho) -> None:
    def steal(request: httpx.Request) -> httpx.Response:
        thief.execute("UPDATE tds.leases SET holder = gen_random_uuid() WHERE name = 'poll'")
        return zoho.usual(request)

    thief = Database(road.database._conninfo, application_name="thief")
    (first, *_), *_ = scans().values()
    zoho.answer(first.path, steal)
    road.poll.run()
    assert zoho.paths() == [first.path]
    assert thief.execute("SELECT count(*) FROM tds.leases") == [(1,)]
    thief.close()


def test_a_poll_that_lost_its_lease_within_a_list_reads_no_further_page_and_moves_no_cursor(
    road: Road, zoho: Zoho
) -> None:
    def steal(request: httpx.Request) -> httpx.Response:
        thief.execute("UPDATE tds.leases SET holder = gen_random_uuid() WHERE name = 'poll'")
        return zoho.usual(request)

    thief = Database(road.database._conninfo, application_name="thief")
    zoho.listing("products", *[[row("products", str(600 + page))] for page in range(4)])
    zoho.answer("/items", zoho.usual, steal)
    road.poll.run()
    assert [query["page"] for query in queries(zoho, "/items")] == ["1", "2"]
    assert zoho.paths()[-1] == "/items"
    assert cursor(road, "products") is None
    thief.close()


def test_a_long_list_keeps_its_lease_page_by_page(road: Road, zoho: Zoho) -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        left.append(other.execute("SELECT extract(epoch FROM until - now())::float8 FROM tds.leases")[0][0])
        other.execute("UPDATE tds.leases SET until = until - interval '100 seconds'")
        return zoho.usual(request)

    left: list[float] = []
    other = Database(road.database._conninfo, application_name="other")
    zoho.listing("products", *[[row("products", str(600 + page))] for page in range(3)])
    zoho.answer("/items", slow)
    road.poll.run()
    assert len(left) == 3
    assert min(left) > road.settings.lease_s - 10
    other.close()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"date": "31/12/2026"}, id="date"),
        pytest.param({"total": []}, id="amount"),
        pytest.param({"last_modified_time": "0001-01-01T00:00:00+05:00"}, id="time"),
    ],
)
def test_a_row_that_cannot_be_read_is_requested_and_costs_no_other_row(
    road: Road, zoho: Zoho, broken: dict[str, Any]
) -> None:
    fresh = zoho_time(datetime.now(UTC))
    rows = [row("invoices", str(900 + n), last_modified_time=fresh) for n in range(3)]
    rows[1] |= broken
    del rows[2]["invoice_id"]
    zoho.listing("invoices", rows)
    road.poll.run()
    assert list(mirrored(road.database, "invoices")) == ["900"]
    assert list(road.backlog("invoices")) == ["900", "901"]
    assert road.backlog("invoices")["901"]["priority"] == 2


def test_what_a_poll_finds_is_requested_by_its_priority(road: Road, zoho: Zoho) -> None:
    zoho.listing("payments", payments(road, 0))
    outcomes = road.poll.run()
    assert outcomes["payments.created"] == 1
    assert road.backlog("payments")["700"]["priority"] == 2
    [(calls, stored)] = road.database.execute("SELECT zoho_calls, outcomes FROM tds.runs WHERE ended_at IS NOT NULL")
    assert (calls, stored) == (len(zoho.calls), outcomes)


def test_postgresql_down_in_a_round_is_raised_and_moves_no_cursor(road: Road, zoho: Zoho) -> None:
    where = road.database._conninfo()

    def cut(request: httpx.Request) -> httpx.Response:
        road.database._conninfo = lambda: "host=127.0.0.1 port=1"
        road.database.close()
        return zoho.usual(request)

    start_at(road, "invoices", DATE)
    zoho.answer("/items", cut)
    with pytest.raises(DatabaseUnavailable):
        road.poll.run()
    road.database._conninfo = lambda: where
    assert cursor(road, "invoices") == DATE


# -- the organisation


def test_the_organisation_is_checked_once_a_day(road: Road, zoho: Zoho) -> None:
    road.know_organization(ago="23 hours")
    road.poll.run()
    assert zoho.paths("/organizations") == []
    road.know_organization(ago="24 hours")
    for _ in range(3):
        road.poll.run(force=True)
    assert zoho.paths("/organizations") == ["/organizations"]
    [(priorities,)] = road.database.execute("SELECT used FROM tds.api_budget WHERE product = 'books'")
    assert priorities[2] == len([url for url in zoho.calls if url.path.startswith("/books/")])


def test_the_organisations_zone_decides_its_midnight_its_hours_and_its_calendar(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, poll_interval_s=3_600)
    road.know_organization(ago="24 hours")
    zoho.organization = {"time_zone": "Pacific/Kiritimati"}  # 14 hours before UTC: today is tomorrow there
    far = ZoneInfo("Pacific/Kiritimati")
    today = datetime.now(far).date()
    days = [row("payments", str(700 + ago), date=(today - timedelta(days=ago)).isoformat()) for ago in (14, 15)]
    zoho.listing("payments", days[:1], days[1:], payments(road, 40))
    road.database.execute("UPDATE tds.api_budget SET resets_at = now() - interval '1 second'")
    road.poll.run(force=True)
    assert [query["page"] for query in queries(zoho, "/customerpayments")] == ["1", "2"]
    assert status.day(road.settings, road.database).zone == "Pacific/Kiritimati"
    road.database.execute("UPDATE tds.api_budget SET resets_at = now() - interval '1 second'")
    road.poll.run(force=True)
    resets = [at.astimezone(far) for (at,) in road.database.execute("SELECT resets_at FROM tds.api_budget")]
    assert {(at.hour, at.date()) for at in resets} == {(0, datetime.now(far).date() + timedelta(days=1))}


def test_another_organisation_than_the_tokens_is_told_and_asked_about_again_when_a_person_polls(
    road: Road, zoho: Zoho
) -> None:
    road.know_organization(ago="24 hours")
    zoho.organization = {"organization_id": "77"}
    zoho.listing("payments", payments(road, 0))
    with pytest.raises(OrganizationRejected, match=f"{road.settings.zoho_organization_id} is none of the token's: 77"):
        road.poll.run()
    assert (told(road, "organization") or "").startswith("OrganizationRejected: the configured organization id")
    assert list(mirrored(road.database, "payments")) == ["700"]
    road.poll.run()
    assert len(zoho.paths("/organizations")) == 1
    zoho.organization = {}
    road.poll.run(force=True)
    assert (len(zoho.paths("/organizations")), told(road, "organization")) == (2, None)


# -- what a list shows of deleted records


def test_a_user_whom_the_list_shows_as_deleted_is_gone(road: Road, zoho: Zoho) -> None:
    zoho.listing("users", [row("users", "1"), row("users", "2"), row("users", "3", status="Deleted")])
    road.poll.run(force=True)
    assert list(mirrored(road.database, "users")) == ["1", "2"]
    zoho.listing("users", [row("users", "1"), row("users", "2", status="deleted")])
    road.poll.run(force=True)
    road.request("users", "2")
    for _ in range(2):
        road.hurry()
        road.work()
    assert list(mirrored(road.database, "users")) == ["1"]
