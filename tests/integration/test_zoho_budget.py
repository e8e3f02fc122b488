"""The call budget: limits that hold in every interleaving, shares of the day, headers, a closed day's probe."""

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tds_core.database.connection import Database
from tds_core.errors import DatabaseUnavailable, PermitDenied, ZohoThrottled
from tds_core.priority import Priority
from tds_core.zoho import status
from tds_core.zoho.budget import Budget, Permit, Quota
from tests import zoho_fakes
from tests.integration.budget_model import DAY, QUARTER, SPREAD, Day, Window
from tests.integration.zoho_clock import START, PostgresClock

MINUTE, IN_FLIGHT, DAY_LIMIT = 4, 3, 100
MIDNIGHT = datetime(2026, 6, 2, 21, 0, tzinfo=UTC)  # in Baghdad
CALM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class World:
    """A budget whose PostgreSQL clock the test moves."""

    def __init__(self, clock: PostgresClock) -> None:
        self.clock = clock
        self.database = clock.connect()

    def budget(self, **values: Any) -> Budget:
        """A budget with these limits; nobody waits in it."""
        limits = {"minute_limit": MINUTE, "in_flight_limit": IN_FLIGHT, "day_limit": DAY_LIMIT} | values
        return Budget(zoho_fakes.settings(**limits), self.database)

    def end(self, budget: Budget, permit: Permit, *, quota: Quota | None = None, code: int = 0) -> None:
        """End a call that went well, or was throttled with `code`."""
        throttled = ZohoThrottled(code=code, retry_after_s=60) if code else None
        budget.end(permit, outcome="neutral" if code else "success", request="r", quota=quota, throttled=throttled)

    def call(
        self, budget: Budget, priority: Priority = Priority.POLL, *, product: Any = "books", **ending: Any
    ) -> Permit:
        """Take a permit and end its call at once."""
        permit = take(budget, priority, product)
        self.end(budget, permit, **ending)
        return permit


@pytest.fixture
def world(owner_conninfo: str, conninfo: str) -> Iterator[World]:
    clock = PostgresClock(owner_conninfo, conninfo)
    world = World(clock)
    yield world
    world.database.close()
    clock.close()


def take(budget: Budget, priority: Priority = Priority.POLL, product: Any = "books") -> Permit:
    return budget.take(product, priority, until=time.monotonic() - 1)


def ask(budget: Budget, priority: Priority = Priority.POLL) -> Permit | PermitDenied:
    """A permit, or why there is none."""
    try:
        return take(budget, priority)
    except PermitDenied as refusal:
        return refusal


def denied(budget: Budget, priority: Priority = Priority.POLL, product: Any = "books") -> PermitDenied:
    with pytest.raises(PermitDenied) as caught:
        take(budget, priority, product)
    return caught.value


def quota(remaining: int, *, limit: int = DAY_LIMIT, reset_s: float = 3_600) -> Quota:
    return Quota(limit=limit, remaining=remaining, reset_s=reset_s)


# One worker's step: it takes, ends, returns, or is killed holding a permit; between steps time passes. Workers 4 and 5
# are a history's.
WORKERS = st.integers(0, 5)
PAUSES = st.sampled_from([0.0] * 6 + [0.1, 0.2, 1.9, 7.3, 30.0, 59.8, 60.3, 61.6])
DEEDS = st.sampled_from(["take"] * 4 + ["end"] * 4 + ["return", "kill"])
STEPS = st.lists(st.tuples(DEEDS, WORKERS, PAUSES), min_size=40, max_size=120)


@CALM
@given(steps=STEPS)
def test_no_interleaving_exceeds_the_minute_or_the_calls_in_flight(
    world: World, steps: list[tuple[str, int, float]]
) -> None:
    world.clock.reset()
    budget = world.budget(day_limit=1_000_000)
    model = Window()
    holding: dict[int, Permit] = {}
    lost = 0
    for step, worker, pause in steps:
        world.clock.advance(pause)
        now = world.clock.now
        if step == "take" and worker not in holding:
            priority = Priority.BACKFILL if worker >= 4 else Priority.POLL
            permit = ask(budget, priority)
            if isinstance(permit, PermitDenied):
                if permit.limit == "minute":
                    is_full = model.in_window(now, slack=QUARTER) >= MINUTE
                    assert is_full or (priority is Priority.BACKFILL and model.holds_a_history_back(now))
                    if is_full and priority is Priority.POLL:
                        model.urgent_until = now + timedelta(seconds=permit.wait_s + 1)
                else:
                    assert permit.limit == "in_flight"
                    assert model.in_flight(now) >= IN_FLIGHT
                continue
            assert permit.taken_at == now
            assert priority is Priority.POLL or not model.in_window(now, window=SPREAD - QUARTER)
            holding[worker] = permit
            model.taken.append(now)
            model.held[worker] = now
            assert model.in_window(now) <= MINUTE
            assert model.in_flight(now) <= IN_FLIGHT
        elif worker in holding and step != "take":
            permit, taken_at = holding.pop(worker), model.held.pop(worker)
            if step == "end":
                world.end(budget, permit)
            elif step == "return" and model.in_flight(now) + 1 <= IN_FLIGHT and now - taken_at < timedelta(seconds=60):
                budget.give_back(permit)
                model.taken.remove(taken_at)
            else:
                lost += 1
                model.held[1_000 + lost] = taken_at


DAY_STEPS = st.lists(
    st.tuples(
        st.sampled_from(Priority),
        st.sampled_from([0.0, 1.0, 20.0, 700.0, 20_000.0]),
        st.integers(-30, 3),
        st.integers(0, 3),
    ),
    min_size=30,
    max_size=80,
)


@CALM
@given(steps=DAY_STEPS)
def test_the_shares_of_the_day_are_kept(world: World, steps: list[tuple[Priority, float, int, int]]) -> None:
    """Headers come late (up to three calls behind), others use the quota too, and the day may end in between."""
    world.clock.reset()
    budget = world.budget(minute_limit=1_000, in_flight_limit=100)
    model = Day(resets_at=MIDNIGHT, limit=DAY_LIMIT)
    truth = DAY_LIMIT
    late: list[tuple[Permit, Quota]] = []
    for priority, pause, others, lag in steps:
        world.clock.advance(pause)
        now = world.clock.now
        if now >= model.resets_at:
            resets_at = MIDNIGHT + DAY * (1 + (now - MIDNIGHT) // DAY)
            model = Day(resets_at=resets_at, limit=DAY_LIMIT, asked=model.asked)
            truth = DAY_LIMIT
        if priority >= Priority.BACKFILL and model.asked.get(priority, START - DAY) < now - timedelta(minutes=1):
            model.asked[priority] = now
        in_flight = sum(now - permit.taken_at < timedelta(seconds=60) for permit, _ in late)
        if model.left(0) <= 0:
            assert denied(budget, priority).limit == "day"
            break
        if not model.allows(priority, in_flight=in_flight, now=now):
            assert denied(budget, priority).limit == "day"
            continue
        permit = take(budget, priority)
        model.used[priority] += 1
        truth = max(truth - 1 + min(others, 0), 0)
        late.append((permit, quota(truth, reset_s=(model.resets_at - now).total_seconds())))
        while len(late) > lag:
            ended, header = late.pop(len(late) // 2)
            age = now - ended.taken_at
            header = Quota(limit=header.limit, remaining=header.remaining, reset_s=header.reset_s - age.total_seconds())
            is_of_today = ended.taken_at >= model.resets_at - DAY
            if age < timedelta(seconds=60):
                world.end(budget, ended, quota=header if header.reset_s >= 0 else None)
                if is_of_today:
                    model.remaining = (
                        min(model.remaining, header.remaining) if model.remaining is not None else header.remaining
                    )


def saturate(world: World, budget: Budget, *, for_s: float, webhooks: list[float]) -> tuple[list[float], list[float]]:
    """Five workers of a history call one after the other, half a second each, while webhooks come at these seconds.

    Returns when calls were made, all of them, and how long each webhook waited, in seconds.
    """
    began = world.clock.now
    turns = [(0.0, n, Priority.BACKFILL) for n in range(5)] + [(at, -1, Priority.WEBHOOK) for at in webhooks]
    came = iter(sorted(webhooks))
    heapq.heapify(turns)
    calls, waits = [], []
    while turns[0][0] < for_s:
        at, worker, priority = heapq.heappop(turns)
        world.clock.set(began + timedelta(seconds=at))
        permit = ask(budget, priority)
        if isinstance(permit, PermitDenied):
            assert permit.limit == "minute"
            heapq.heappush(turns, (at + permit.wait_s, worker, priority))
            continue
        world.end(budget, permit)
        calls.append(at)
        if priority is Priority.WEBHOOK:
            waits.append(at - next(came))
        else:
            heapq.heappush(turns, (at + 0.5, worker, priority))
    return calls, waits


def test_a_webhook_waits_seconds_while_a_history_takes_what_it_may(world: World) -> None:
    budget = world.budget(minute_limit=100, day_limit=100_000)
    webhooks = [70.0, 93.0, 117.3, 171.0, 171.1, 240.9, 288.0, 333.3]
    calls, waits = saturate(world, budget, for_s=372, webhooks=webhooks)
    assert len(waits) == len(webhooks)
    assert max(waits) <= 12.5
    assert len(calls) >= 0.95 * 6.2 * 100
    assert max(sum(at <= one <= at + 60 for one in calls) for at in calls) <= 100


def test_a_history_takes_a_sixth_of_the_minute_in_ten_seconds_and_others_take_what_they_need(world: World) -> None:
    budget = world.budget(minute_limit=10, day_limit=100_000)
    for _ in range(2):
        world.call(budget, Priority.BACKFILL)
    refusal = denied(budget, Priority.IMAGES)
    assert refusal.limit == "minute"
    world.call(budget, Priority.RIPPLE)
    world.clock.advance(refusal.wait_s)
    world.call(budget, Priority.BACKFILL)
    for _ in range(3):
        world.call(budget, Priority.POLL)
    refusal = denied(budget, Priority.BACKFILL)
    assert 9.5 <= refusal.wait_s <= 10
    world.clock.advance(refusal.wait_s)
    world.call(budget, Priority.BACKFILL)


def test_the_permit_that_runs_out_next_is_of_who_is_urgent(world: World) -> None:
    budget = world.budget(minute_limit=1, day_limit=100_000)
    world.call(budget, Priority.BACKFILL)
    world.clock.advance(30)
    first, second = denied(budget, Priority.WEBHOOK), denied(budget, Priority.WEBHOOK)
    world.clock.advance(first.wait_s)
    refusal = denied(budget, Priority.BACKFILL)
    assert (refusal.limit, refusal.wait_s) == ("minute", 0.25)
    assert first.wait_s == second.wait_s
    world.call(budget, Priority.WEBHOOK)


def test_two_who_are_urgent_are_both_served_before_a_history(world: World) -> None:
    budget = world.budget(minute_limit=2, day_limit=100_000)
    world.call(budget)
    world.call(budget)
    refusals = [denied(budget, Priority.WEBHOOK), denied(budget, Priority.WEBHOOK)]
    world.clock.advance(refusals[0].wait_s)
    world.call(budget, Priority.WEBHOOK)
    world.clock.advance(0.1)
    denied(budget, Priority.BACKFILL)
    world.call(budget, Priority.WEBHOOK)


def test_who_waits_and_is_killed_keeps_a_history_back_for_a_second(world: World) -> None:
    budget = world.budget(minute_limit=1, day_limit=100_000)
    world.call(budget)
    killed = denied(budget, Priority.WEBHOOK)
    world.clock.advance(killed.wait_s + 0.9)
    denied(budget, Priority.BACKFILL)
    world.clock.advance(0.2)
    world.call(budget, Priority.BACKFILL)


def test_a_steady_caller_gets_the_whole_minute(world: World) -> None:
    budget = world.budget(minute_limit=90, day_limit=100_000)
    began, calls = world.clock.now, 0
    while world.clock.now - began < timedelta(minutes=5):
        try:
            world.call(budget)
            calls += 1
            world.clock.advance(0.05)
        except PermitDenied as refusal:
            world.clock.advance(refusal.wait_s)
    assert 0.95 * 5 * 90 <= calls <= 5 * 90


def test_a_killed_workers_slot_is_free_after_60_seconds(world: World) -> None:
    budget = world.budget(in_flight_limit=1)
    killed = take(budget)
    world.clock.advance(59.9)
    assert denied(budget).limit == "in_flight"
    world.clock.advance(0.2)
    heir = take(budget)
    world.end(budget, killed)  # comes back after all: the slot is its heir's now
    assert denied(budget).limit == "in_flight"
    world.end(budget, heir)
    take(budget)


def test_a_returned_permit_leaves_nothing_behind(world: World) -> None:
    budget = world.budget(minute_limit=1, day_limit=1)
    budget.give_back(take(budget, Priority.WEBHOOK))
    world.call(budget, Priority.WEBHOOK)


def test_a_permit_that_took_long_to_come_is_returned_and_taken_again(world: World) -> None:
    ticks = iter([0.0, 3.0, 3.0, 3.1, 3.1])
    limits = zoho_fakes.settings(minute_limit=1, in_flight_limit=1)
    permit = Budget(limits, world.database, clock=lambda: next(ticks)).take("books", Priority.POLL, until=0)
    assert permit.started == 3.0


def test_a_caller_waits_for_its_permit_as_long_as_it_says(world: World) -> None:
    now = 0.0
    naps = []

    def sleep(seconds: float) -> None:
        nonlocal now
        naps.append(seconds)
        now += seconds
        world.clock.advance(seconds)

    limits = zoho_fakes.settings(minute_limit=1)
    budget = Budget(limits, world.database, clock=lambda: now, sleep=sleep)
    world.end(budget, budget.take("books", Priority.POLL, until=0))
    with pytest.raises(PermitDenied):
        budget.take("books", Priority.POLL, until=30)
    assert not naps
    budget.take("books", Priority.POLL, until=70)
    assert 62 <= sum(naps) <= 62.5


def test_webhooks_and_manual_work_have_the_last_15_percent(world: World) -> None:
    budget = world.budget()
    world.call(budget, quota=quota(16, reset_s=15 * 3_600))
    world.call(budget, quota=quota(15, reset_s=15 * 3_600))
    for priority in Priority:
        if priority > Priority.MANUAL:
            assert denied(budget, priority).limit == "day"
    world.call(budget, Priority.WEBHOOK, quota=quota(14))
    world.call(budget, Priority.MANUAL, quota=quota(0))
    assert denied(budget, Priority.WEBHOOK).limit == "day"


def test_what_polls_still_need_is_held_from_ripples(world: World) -> None:
    budget = world.budget(minute_limit=1_000)
    world.call(budget, quota=quota(65, reset_s=15 * 3_600))  # 15 for the urgent, 49 for polls, this one was used
    take(budget, Priority.RIPPLE)
    assert denied(budget, Priority.RIPPLE).limit == "day"
    take(budget, Priority.VERIFICATION)


def test_what_webhooks_used_is_not_held_for_them_any_more(world: World) -> None:
    budget = world.budget(minute_limit=1_000)
    for _ in range(10):
        world.call(budget, Priority.WEBHOOK)
    world.call(budget, quota=quota(6, reset_s=15 * 3_600))
    take(budget, Priority.POLL)
    assert denied(budget, Priority.POLL).limit == "day"


def test_towards_the_days_end_polls_may_take_what_webhooks_left_and_a_history_may_not(world: World) -> None:
    budget = world.budget(minute_limit=1_000)
    world.call(budget, quota=quota(15, reset_s=15 * 3_600))
    assert denied(budget, Priority.POLL).limit == "day"
    world.clock.advance(14 * 3_600)
    assert denied(budget, Priority.BACKFILL).limit == "day"
    take(budget, Priority.POLL)


@pytest.mark.parametrize(("day_limit", "got"), [(10_000, 6_000), (2_000, 1_200), (1_000, 350), (100, 35)])
def test_at_small_limits_more_than_a_quarter_is_held_for_polls(world: World, day_limit: int, got: int) -> None:
    [(spare,)] = world.database.execute(
        """
        SELECT tds.spare_calls(tds.current_day('books', clock_timestamp(), 'Asia/Baghdad'), 6, %s, %s,
            clock_timestamp())
        """,
        (day_limit, day_limit),
    )
    assert spare == pytest.approx(got)


def test_what_polls_hold_shrinks_as_the_day_ends(world: World) -> None:
    budget = world.budget(minute_limit=1_000)
    world.call(budget, quota=quota(30, reset_s=15 * 3_600))
    assert denied(budget, Priority.BACKFILL).limit == "day"
    world.clock.advance(14 * 3_600)
    take(budget, Priority.BACKFILL)


def share_out(world: World, budget: Budget, *wishes: Priority) -> dict[Priority, int]:
    """Calls that each gets when all ask in turn until nobody gets any more."""
    got = dict.fromkeys(wishes, 0)
    for priority in wishes:
        if priority >= Priority.BACKFILL:
            world.call(budget, priority)
            got[priority] += 1
    hungry = list(wishes)
    while hungry:
        for priority in list(hungry):
            try:
                world.call(budget, priority)
                got[priority] += 1
            except PermitDenied:
                hungry.remove(priority)
    return got


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ((Priority.BACKFILL, Priority.IMAGES), {Priority.BACKFILL: 280, Priority.IMAGES: 70}),
        ((Priority.IMAGES, Priority.BACKFILL), {Priority.BACKFILL: 280, Priority.IMAGES: 70}),
        ((Priority.BACKFILL,), {Priority.BACKFILL: 350}),
        ((Priority.IMAGES,), {Priority.IMAGES: 350}),
    ],
    ids=["both", "both, images first", "backfill alone", "images alone"],
)
def test_backfill_and_images_share_what_is_left(
    world: World, wishes: tuple[Priority, ...], expected: dict[Priority, int]
) -> None:
    budget = world.budget(minute_limit=10_000, day_limit=1_000)
    assert share_out(world, budget, *wishes) == expected


def test_the_status_says_when_the_day_ends_the_history_and_when_it_goes_on(world: World) -> None:
    budget = world.budget(minute_limit=1_000)

    def ends_history() -> bool:
        """As the status says, and as the budget does."""
        told = status.read(zoho_fakes.settings(day_limit=DAY_LIMIT), world.database).days[0].ends_history
        if told:
            assert denied(budget, Priority.BACKFILL).limit == "day"
        else:
            budget.give_back(take(budget, Priority.BACKFILL))
        return told

    world.call(budget, quota=quota(99, reset_s=15 * 3_600))
    assert not ends_history()
    world.call(budget, quota=quota(60, reset_s=15 * 3_600))
    assert ends_history()
    take(budget, Priority.POLL)
    world.call(budget, code=45)
    assert ends_history()
    world.clock.advance(15 * 3_600 + 60)
    assert not ends_history()


def test_the_status_says_when_images_wait_because_the_rest_of_the_day_is_the_historys(world: World) -> None:
    budget = world.budget(minute_limit=1_000)
    for priority in (Priority.BACKFILL, Priority.IMAGES):
        world.call(budget, priority, product="inventory", quota=quota(100, reset_s=15 * 3_600))

    def ends_images() -> bool:
        (day,) = status.read(zoho_fakes.settings(day_limit=DAY_LIMIT), world.database).days
        return day.ends_images

    assert not ends_images()
    while not ends_images():
        world.call(budget, Priority.IMAGES, product="inventory")
    assert denied(budget, Priority.IMAGES, "inventory").limit == "day"
    budget.give_back(take(budget, Priority.BACKFILL, "inventory"))


def test_late_headers_do_not_raise_what_is_left(world: World) -> None:
    budget = world.budget()
    early, later = take(budget), take(budget)
    world.end(budget, later, quota=quota(20))
    world.end(budget, early, quota=quota(80))
    remaining = world.database.execute("SELECT remaining FROM tds.api_budget")
    assert remaining == [(20,)]


def test_a_header_from_before_the_reset_does_not_lower_the_new_day(world: World) -> None:
    budget = world.budget()
    world.call(budget, quota=quota(50, reset_s=30))
    before = take(budget)
    world.clock.advance(31)
    world.call(budget, quota=quota(99, reset_s=86_000))
    world.end(budget, before, quota=quota(3, reset_s=1))
    assert world.database.execute("SELECT remaining FROM tds.api_budget") == [(99,)]


def test_a_call_of_yesterday_does_not_close_today(world: World) -> None:
    budget = world.budget()
    world.call(budget, quota=quota(50, reset_s=30))
    yesterday = take(budget)
    world.clock.advance(31)
    world.call(budget)
    world.end(budget, yesterday, code=45)
    take(budget)


def test_an_answer_after_zohos_reset_begins_the_new_day(world: World) -> None:
    """Zoho's clock is a little ahead of ours."""
    budget = world.budget()
    world.call(budget, quota=quota(2, reset_s=5))
    world.call(budget, Priority.WEBHOOK, quota=quota(99, reset_s=86_390))
    assert world.database.execute("SELECT remaining, used FROM tds.api_budget") == [(99, [0] * 8)]


def test_without_headers_our_own_calls_count_until_the_organizations_midnight(world: World) -> None:
    budget = world.budget(day_limit=3, minute_limit=100)
    for _ in range(3):
        world.call(budget, Priority.WEBHOOK)
    assert denied(budget, Priority.WEBHOOK).limit == "day"
    world.clock.set(MIDNIGHT)
    world.call(budget, Priority.WEBHOOK)


def test_a_deployments_own_limit_is_kept_though_zoho_gives_more(world: World) -> None:
    budget = world.budget(day_limit=3, minute_limit=100)
    for left in (9_999, 9_998, 9_997):
        world.call(budget, Priority.WEBHOOK, quota=quota(left, limit=10_000))
    assert denied(budget, Priority.WEBHOOK).limit == "day"


def test_a_deployments_own_limit_holds_for_all_products_together(world: World) -> None:
    budget = world.budget(day_limit=4, minute_limit=100)
    for product in ("books", "inventory"):
        world.call(budget, Priority.WEBHOOK, product=product, quota=quota(9_999, limit=10_000))
        world.call(budget, Priority.WEBHOOK, product=product, quota=quota(9_998, limit=10_000))
    for product in ("books", "inventory"):
        assert denied(budget, Priority.WEBHOOK, product).limit == "day"
    days = status.read(zoho_fakes.settings(day_limit=4), world.database).days
    assert [(day.product, day.remaining, sum(day.used)) for day in days] == [("books", 0, 2), ("inventory", 0, 2)]
    world.clock.advance(3_600)
    world.call(budget, Priority.WEBHOOK, product="inventory")


def test_the_shares_of_the_day_are_of_all_products_calls_together(world: World) -> None:
    """Books' history leaves Inventory's images theirs, and what Inventory's webhooks used is not held in Books."""
    budget = world.budget(minute_limit=10_000, day_limit=1_000)
    for _ in range(150):
        world.call(budget, Priority.WEBHOOK, product="inventory")
    world.call(budget, Priority.IMAGES, product="inventory")
    calls = 0
    while isinstance(permit := ask(budget, Priority.BACKFILL), Permit):
        world.end(budget, permit)
        calls += 1
    assert calls == 280
    for _ in range(69):
        world.call(budget, Priority.IMAGES, product="inventory")
    assert denied(budget, Priority.IMAGES, "inventory").limit == "day"


def test_products_are_counted_apart(world: World) -> None:
    budget = world.budget()
    world.call(budget, code=45)
    assert denied(budget, Priority.WEBHOOK).limit == "day"
    take(budget, Priority.WEBHOOK, "inventory")


def test_a_closed_day_is_probed_once_an_hour_and_opens_at_the_reset(world: World) -> None:
    budget = world.budget()
    world.call(budget, code=45)  # no header: it is closed until midnight in the organisation's zone
    calls = 0
    while world.clock.now < MIDNIGHT - timedelta(minutes=1):
        world.clock.advance(60)
        permit = ask(budget)
        if isinstance(permit, PermitDenied):
            assert permit.limit == "day"
        else:
            world.end(budget, permit, code=45)
            calls += 1
    assert calls == 14
    world.clock.advance(61)
    world.call(budget)
    world.call(budget)


def test_a_probe_that_gets_through_opens_the_day_with_what_it_was_told(world: World) -> None:
    budget = world.budget()
    world.call(budget, code=45, quota=quota(0, reset_s=7_200))
    world.clock.advance(3_601)
    world.call(budget, quota=quota(900, limit=1_000, reset_s=3_599))
    assert world.database.execute("SELECT remaining, day_limit, closed FROM tds.api_budget") == [(900, 1_000, False)]


def test_an_unused_probe_is_not_lost_for_an_hour(world: World) -> None:
    budget = world.budget()
    world.call(budget, code=45)
    world.clock.advance(3_601)
    budget.give_back(take(budget))
    take(budget)


def test_the_organizations_own_zone_counts(world: World) -> None:
    world.database.execute(
        "INSERT INTO tds.organization (organization_id, time_zone, observed_at) VALUES ('1', 'Asia/Tokyo', now())"
    )
    world.call(world.budget())
    assert world.database.execute("SELECT resets_at FROM tds.api_budget") == [(datetime(2026, 6, 2, 15, tzinfo=UTC),)]


def test_threads_of_many_processes_never_exceed_the_limits(connect: Callable[[], Database]) -> None:
    """On the real clock, with a connection each, some of them dying with a permit in their hands."""
    limits = zoho_fakes.settings(minute_limit=120, in_flight_limit=4, day_limit=100_000)
    lock = threading.Lock()
    flying, most, taken = 0, 0, 0

    def work(number: int) -> None:
        nonlocal flying, most, taken
        budget = Budget(limits, connect())
        for turn in range(40):
            try:
                permit = take(budget)
            except PermitDenied as refusal:
                time.sleep(min(refusal.wait_s, 0.01))
                continue
            with lock:
                flying, taken = flying + 1, taken + 1
                most = max(most, flying)
            if number == 0 and turn == 0:
                return  # killed: its slot stays taken
            with lock:
                flying -= 1
            budget.end(permit, outcome="success", request="r", quota=None, throttled=None)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, range(10)))
    assert most <= 4
    assert taken == 120


def test_permits_are_given_one_after_the_other(connect: Callable[[], Database]) -> None:
    """While one worker is being served the others wait, and then see what it took."""
    limits = zoho_fakes.settings(in_flight_limit=1)
    with ThreadPoolExecutor(8) as pool:
        with connect().transaction() as served:
            served.execute("SELECT FROM tds.circuit FOR UPDATE")
            others = [pool.submit(ask, Budget(limits, connect())) for _ in range(8)]
            time.sleep(0.5)
            assert not any(other.done() for other in others)
        answers = [other.result() for other in others]
    assert sum(isinstance(one, Permit) for one in answers) == 1


def test_a_permit_needs_a_database() -> None:
    unreachable = Database(lambda: "host=127.0.0.1 port=1", application_name="test")
    with pytest.raises(DatabaseUnavailable):
        take(Budget(zoho_fakes.settings(), unreachable))
