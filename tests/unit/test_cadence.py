"""The cadence: which row counts, when a round is due, and which lists a night takes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tds_core.entities.spec import Purpose
from tds_core.settings import Settings
from tds_core.sync.cadence import TABLE, Cadence, Listed, pages, row_of

BAGHDAD = ZoneInfo("Asia/Baghdad")
PURPOSES: tuple[Purpose, ...] = ("poll", "slow_poll", "stock", "balances", "prices", "daily")


def cadence(day_limit: int = 10_000, zone: str = "Asia/Baghdad", **settings: Any) -> Cadence:
    return Cadence.of(Settings(**settings), day_limit=day_limit, zone=zone)


def at(hour: int, minute: int = 0, *, day: int = 10) -> datetime:
    return datetime(2026, 6, day, hour, minute, tzinfo=BAGHDAD).astimezone(UTC)


def listed(scan: str, page_count: int, *, day: int | None = 1, hour: int = 12, under_way: bool = False) -> Listed:
    walked_at = None if day is None else at(hour, day=day)
    return Listed(scan=scan, rows=page_count * 200, walked_at=walked_at, is_under_way=under_way)


@pytest.mark.parametrize(
    ("day_limit", "row"),
    [(1, 1_000), (999, 1_000), (1_000, 1_000), (1_999, 1_000), (2_500, 2_000), (7_500, 5_000), (1_000_000, 10_000)],
)
def test_the_row_is_that_of_the_largest_limit_that_is_not_above_the_days(day_limit: int, row: int) -> None:
    assert row_of(day_limit).day_limit == row


def test_rows_get_slower_and_never_faster_with_a_smaller_limit() -> None:
    for larger, smaller in pairwise(TABLE):
        assert larger.nights <= smaller.nights
        for purpose in PURPOSES:
            assert larger.paces[purpose].busy <= smaller.paces[purpose].busy
            assert larger.paces[purpose].rest <= smaller.paces[purpose].rest


@pytest.mark.parametrize(("hour", "busy"), [(7, False), (8, True), (17, True), (18, False)])
def test_business_hours_are_the_organisations(hour: int, busy: bool) -> None:
    assert cadence().is_busy(at(hour, 59)) is busy
    assert cadence(zone="Asia/Tokyo").is_busy(at(2)) is True


def test_a_zone_that_nobody_knows_gives_way_to_the_one_that_is_set() -> None:
    assert cadence(zone="Mars/Olympus").zone == BAGHDAD


def test_what_was_never_asked_is_due_at_any_time() -> None:
    assert cadence().is_due("poll", None, at(23)) is True


@pytest.mark.parametrize(
    ("minutes", "hour", "due"),
    [
        pytest.param(5, 12, True, id="busy"),
        pytest.param(4.6, 12, True, id="a-tick-that-came-early"),
        pytest.param(4, 12, False, id="busy-too-early"),
        pytest.param(5, 20, False, id="rest-too-early"),
        pytest.param(15, 20, True, id="rest"),
    ],
)
def test_a_round_is_due_by_the_pace_of_the_hour(minutes: float, hour: int, due: bool) -> None:
    assert cadence().is_due("poll", at(hour, 30) - timedelta(minutes=minutes), at(hour, 30)) is due


@pytest.mark.parametrize(
    ("last", "now", "begins"),
    [
        pytest.param(None, at(12), True, id="never-yet"),
        pytest.param(at(12, 2), at(12, 7), False, id="within-a-quarter"),
        pytest.param(at(12, 12), at(12, 17), True, id="the-next-quarter"),
        pytest.param(at(19, 10), at(19, 25), False, id="within-an-hour-of-the-evening"),
        pytest.param(at(19, 55), at(20, 10), True, id="the-next-hour-of-the-evening"),
        pytest.param(at(17, 58), at(18, 3), True, id="after-business-hours"),
        pytest.param(at(12, 2), at(12, 2, day=11), True, id="a-day-later"),
    ],
)
def test_the_first_round_of_an_interval_does_more(last: datetime | None, now: datetime, begins: bool) -> None:
    assert cadence().begins("slow_poll", last, now) is begins


def test_a_hurried_round_keeps_the_pace_of_business_hours_at_night() -> None:
    last, now = at(20), at(22)
    assert cadence().is_due("balances", last, now) is False
    assert cadence().is_due("balances", last, now, is_hurried=True) is True


def test_a_parameter_replaces_its_cell_and_no_other_one() -> None:
    stated = cadence(contacts_walk_interval_s=5.0)
    assert stated.is_due("balances", at(12) - timedelta(seconds=5), at(12)) is True
    assert stated.is_due("balances", at(12) - timedelta(seconds=4), at(12)) is False
    assert [stated.wait(one, at(12)) == cadence().wait(one, at(12)) for one in PURPOSES].count(False) == 1


def test_every_parameter_replaces_a_cell() -> None:
    names = ("poll", "slow_poll", "stock", "contacts_walk", "prices", "daily")
    parameters: dict[str, Any] = {f"{name}_interval_s": 100.0 for name in names}
    stated = cadence(**parameters, deep_walk_nights=3)
    assert {stated.wait(one, at(12)) for one in PURPOSES} == {timedelta(seconds=90)}
    assert stated.row.nights == 3


def test_what_failed_by_chance_is_tried_sooner_than_what_a_person_has_to_see_to() -> None:
    slow = cadence(1_000)
    assert slow.retry_at("poll", at(12), is_transient=True) - at(12) < timedelta(minutes=31)
    assert slow.retry_at("poll", at(12), is_transient=False) - at(12) > timedelta(minutes=119)


# -- nights


def test_no_list_is_walked_by_day_nor_before_somebody_asked_for_its_history() -> None:
    assert cadence().tonight([listed("invoices", 120)], at(12)) == []
    assert cadence().tonight([listed("invoices", 120, day=None)], at(2)) == []


def test_with_a_night_for_all_every_list_is_walked_once_a_night() -> None:
    lists = [listed("a", 5), listed("b", 100, day=9), listed("c", 1, day=10, hour=2)]
    assert cadence().tonight(lists, at(2, 30)) == ["a", "b"]
    assert cadence().tonight([listed("a", 5, day=10, hour=2), listed("b", 100, day=9, under_way=True)], at(2, 30)) == []


def test_a_walk_of_yesterday_noon_is_no_walk_of_tonight() -> None:
    assert cadence().tonight([listed("a", 5, day=9)], at(2)) == ["a"]


def test_a_night_takes_its_share_of_the_pages_oldest_first() -> None:
    lists = [listed("a", 10, day=3), listed("b", 20, day=2), listed("c", 50, day=1), listed("d", 120, day=4)]
    assert cadence(2_000).tonight(lists, at(2)) == ["c"]
    assert cadence(2_000).tonight([listed("c", 50, day=10, hour=2), *lists[:2], lists[3]], at(2, 10)) == []
    assert cadence(2_000).tonight([listed("c", 50, day=10, hour=2), *lists[:2], lists[3]], at(2, day=11)) == ["b", "a"]


def test_a_list_larger_than_the_share_has_a_night_for_itself() -> None:
    lists = [listed("large", 300, day=1), listed("small", 1, day=2)]
    assert cadence(1_000).tonight(lists, at(2)) == ["large"]


def test_a_list_that_was_walked_lately_is_left_out_though_the_night_has_room() -> None:
    assert cadence(1_000).tonight([listed("a", 5, day=9), listed("b", 5, day=2)], at(2)) == ["b"]


@pytest.mark.parametrize("day_limit", [1_000, 2_000])
def test_lists_read_on_one_day_spread_over_the_nights_and_come_round(day_limit: int) -> None:
    sizes = {"a": 120, "b": 100, "c": 99, "d": 12, "e": 12, "f": 5, "g": 1}
    chosen = cadence(day_limit)
    walked = dict.fromkeys(sizes, at(12, day=1))
    seen: dict[str, list[int]] = {name: [] for name in sizes}
    a_night: list[int] = []
    for night in range(2, 60):
        now = at(2, day=1) + timedelta(days=night - 1)
        lists = [Listed(scan=name, rows=size * 200, walked_at=walked[name]) for name, size in sizes.items()]
        taken = chosen.tonight(lists, now)
        for name in taken:
            walked[name] = now
            seen[name].append(night)
        a_night.append(sum(sizes[name] for name in taken))
    assert max(a_night) == 120
    for nights in seen.values():
        gaps = {later - sooner for sooner, later in pairwise(nights[1:])}
        assert gaps == {chosen.row.nights}


@pytest.mark.parametrize(
    ("last", "hour", "due"),
    [(None, 12, False), (None, 2, True), (at(2), 3, False), (at(3, day=9), 2, True), (at(12, day=9), 2, True)],
    ids=["by-day", "never-yet", "tonight-already", "last-night", "yesterday"],
)
def test_what_is_fetched_anew_at_night_is_due_once_a_night(last: datetime | None, hour: int, due: bool) -> None:
    assert cadence().is_due("deep", last, at(hour, 30)) is due


@pytest.mark.parametrize(("rows", "count"), [(0, 1), (1, 1), (200, 1), (201, 2), (2_221, 12)])
def test_pages_of_a_list(rows: int, count: int) -> None:
    assert pages(rows) == count


def test_the_first_round_after_business_hours_still_comes_at_their_pace() -> None:
    assert cadence().is_due("slow_poll", at(17, 45), at(18)) is True
    assert cadence().is_due("slow_poll", at(18), at(18, 15)) is False
