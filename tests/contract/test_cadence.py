"""The promises and the cadence agree, and a day's calls are those that the limits were designed for."""

from datetime import timedelta
from math import ceil

import pytest

from tds_core.database.sizes import Size
from tds_core.entities import REGISTRY, scans
from tds_core.entities.spec import ROWS_PER_PAGE, EntitySpec, LookBack, ModifiedSince
from tds_core.settings import Settings
from tds_core.sync.cadence import TABLE, Cadence
from tds_core.sync.plan import Plan, calls_each, plan
from tests.company import PAYMENTS_OF_A_FORTNIGHT, RECENT_ADJUSTMENTS, ROWS

# what a document changes a day, and what is read anew
KNOWN: dict[str, dict[str, int]] = {
    "price_lists": {"refetched": ROWS["price_lists"]},
    "products": {"refetched": ROWS["products"]},
    "invoices": {"changed_a_day": 120},
    "payments": {"changed_a_day": 60, "looked_back": PAYMENTS_OF_A_FORTNIGHT},
    "sales_orders": {"changed_a_day": 100},
    "credit_notes": {"changed_a_day": 5},
    "bills": {"changed_a_day": 15},
    "purchase_orders": {"changed_a_day": 3},
    "inventory": {"looked_back": RECENT_ADJUSTMENTS, "refetched": RECENT_ADJUSTMENTS},
}
COMPANY = {
    name: Size(
        rows=ROWS[name],
        history=ROWS[name] if isinstance(spec.changes, ModifiedSince | LookBack) else 0,
        **KNOWN.get(name, {}),
    )
    for name, spec in REGISTRY.items()
}
TOP = TABLE[0]
ENTITIES = pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))


def planned(day_limit: int) -> Plan:
    cadence = Cadence.of(Settings(), day_limit=day_limit, zone="Asia/Baghdad")
    return plan(cadence, COMPANY, day_limit=day_limit, is_told=True, minute_limit=90, aged_a_day=day_limit // 20)


@pytest.mark.parametrize(
    ("day_limit", "fixed"), [(10_000, 2_570), (5_000, 1_190), (2_000, 320), (1_000, 185)], ids=lambda value: f"{value}"
)
def test_what_is_asked_by_the_clock_is_what_the_limit_was_designed_for(day_limit: int, fixed: int) -> None:
    told = planned(day_limit)
    assert told.fixed_a_day == pytest.approx(fixed, rel=0.15)
    assert told.fixed_a_day <= 0.3 * day_limit
    assert told.fixed_a_day + told.changes_a_day + told.held + told.left_a_day <= day_limit


def test_at_the_largest_limit_no_call_by_the_clock_is_wasted() -> None:
    purchase_orders = 54 + 3  # polls and pages of the night; the 2,570 are without this list
    assert planned(10_000).fixed_a_day == pytest.approx(2_570 + purchase_orders, rel=0.03)


@pytest.mark.parametrize(
    ("day_limit", "days"),
    [
        pytest.param(10_000, (12, 18), id="about two weeks"),
        pytest.param(5_000, (28, 42), id="about five weeks"),
        pytest.param(2_000, (60, 150), id="months"),
    ],
)
def test_the_time_of_a_history_is_told_as_it_is(day_limit: int, days: tuple[int, int]) -> None:
    history = planned(day_limit).history
    assert history.days is not None
    assert days[0] <= history.days <= days[1]
    assert not history.headers_only


def test_the_smallest_limit_promises_headers_only() -> None:
    assert planned(1_000).history.headers_only is True


def test_a_limit_that_leaves_nothing_promises_no_end() -> None:
    assert planned(300).history.days is None


def test_a_round_of_polls_is_a_call_a_list_and_the_older_page_of_payments_comes_with_the_items() -> None:
    calls = calls_each(COMPANY)
    assert calls["poll"] == 7
    assert (calls["slow_poll"], calls["stock"], calls["balances"], calls["prices"]) == (12 + 1 + 1, 23, 13, 8)
    assert calls["daily"] == 3, "locations, users, and the organisation itself"
    whole = {  # the contacts are walked for their balances
        scan: ceil(sum(ROWS[spec.name] for spec in specs) / ROWS_PER_PAGE)
        for scan, specs in scans().items()
        if scan != "contacts"
    }
    assert (whole["products"], whole["invoices"], whole["payments"]) == (12, 120, 100)
    assert calls["deep"] == sum(whole.values()) + RECENT_ADJUSTMENTS


# -- what a spec says


@ENTITIES
def test_freshness_is_what_the_largest_row_gives_in_business_hours(spec: EntitySpec) -> None:
    assert TOP.paces[spec.cadence].busy <= spec.freshness
    deeper = spec.changes.deeper if isinstance(spec.changes, LookBack) else None
    is_deeper_slow = deeper is not None and TOP.paces[deeper].busy > spec.freshness
    assert (spec.slower is not None) == (spec.walk is not None or spec.refetch == "stock" or is_deeper_slow)
    for purpose in (spec.walk, spec.refetch, deeper):
        if purpose in TOP.paces and purpose is not None:
            promised = spec.slower[1] if spec.slower else spec.freshness
            assert TOP.paces[purpose].busy <= promised


@pytest.mark.parametrize("specs", scans().values(), ids=list(scans()))
def test_entities_of_one_list_have_one_cadence(specs: tuple[EntitySpec, ...]) -> None:
    assert len({(spec.cadence, spec.walk) for spec in specs}) == 1
    assert sum(spec.refetch is not None for spec in specs) <= 1, "a list has one time at which it was fetched anew"


def test_every_row_has_every_pace_that_a_spec_names_but_the_nights() -> None:
    named = {spec.cadence for spec in REGISTRY.values()}
    named |= {one for spec in REGISTRY.values() for one in (spec.walk, spec.refetch) if one}
    for row in TABLE:
        assert set(row.paces) == named - {"deep"}
        assert all(pace.busy > timedelta(0) < pace.rest for pace in row.paces.values())
