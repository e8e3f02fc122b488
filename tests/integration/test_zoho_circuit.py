"""The shared circuit: when it opens, whom it lets through, and what closes it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tds_core.database.connection import Database
from tds_core.errors import PermitDenied
from tds_core.priority import Priority
from tds_core.zoho import status
from tds_core.zoho.budget import Budget, Permit
from tds_core.zoho.circuit_breaker import Outcome
from tests import zoho_fakes
from tests.integration.zoho_clock import PostgresClock


class Calls:
    """Calls that end as the test says, on a clock that it moves."""

    def __init__(self, clock: PostgresClock) -> None:
        self.clock = clock
        self.database = clock.connect()
        self.settings = zoho_fakes.settings(minute_limit=1_000, in_flight_limit=20)
        self.budget = Budget(self.settings, self.database)

    def begin(self) -> Permit:
        return self.budget.take("books", Priority.POLL, until=time.monotonic() - 1)

    def end(self, permit: Permit, outcome: Outcome, request: str = "r") -> None:
        self.budget.end(permit, outcome=outcome, request=request, quota=None, throttled=None)

    def make(self, outcome: Outcome, *requests: str) -> None:
        for request in requests:
            self.end(self.begin(), outcome, request)

    def refused(self) -> PermitDenied:
        with pytest.raises(PermitDenied) as caught:
            self.begin()
        assert caught.value.limit == "circuit"
        return caught.value

    def open(self) -> None:
        self.make("failure", "a", "b", "c", "a", "b")

    @property
    def state(self) -> str:
        return status.read(self.settings, self.database).circuit


@pytest.fixture
def calls(owner_conninfo: str, conninfo: str) -> Iterator[Calls]:
    clock = PostgresClock(owner_conninfo, conninfo)
    calls = Calls(clock)
    yield calls
    calls.database.close()
    clock.close()


def test_five_failures_over_three_requests_open_it_for_60_seconds(calls: Calls) -> None:
    calls.make("failure", "a", "b", "c", "a")
    assert calls.state == "closed"
    calls.make("failure", "a")
    assert calls.state == "open"
    assert calls.refused().wait_s == 60
    calls.clock.advance(59.9)
    calls.refused()
    calls.clock.advance(0.1)
    calls.begin()


def test_one_poisonous_record_opens_nothing(calls: Calls) -> None:
    calls.make("failure", *(["a", "b"] * 50))
    assert calls.state == "closed"
    calls.make("failure", "c")
    assert calls.state == "open"


def test_a_success_between_failures_begins_the_count_again(calls: Calls) -> None:
    calls.make("failure", "a", "b", "c", "d")
    calls.make("success", "e")
    calls.make("failure", "a", "b", "c", "d")
    assert calls.state == "closed"


def test_what_does_not_count_neither_opens_nor_resets(calls: Calls) -> None:
    calls.make("neutral", *"abcdefgh")
    calls.make("failure", "a", "b", "c", "d")
    calls.make("neutral", "e")
    assert calls.state == "closed"
    calls.make("failure", "e")
    assert calls.state == "open"


def test_one_probe_at_a_time_and_two_successes_close_it(calls: Calls) -> None:
    calls.open()
    calls.clock.advance(60)
    probe = calls.begin()
    assert calls.state == "half_open"
    assert calls.refused().wait_s <= 1
    calls.end(probe, "success")
    second = calls.begin()
    calls.refused()
    calls.end(second, "success")
    assert calls.state == "closed"
    calls.make("failure", "a", "b", "c", "d")
    assert calls.state == "closed"


def test_a_failed_probe_opens_it_again_and_earlier_successes_do_not_count(calls: Calls) -> None:
    calls.open()
    calls.clock.advance(60)
    calls.make("success", "a")
    calls.make("failure", "a")
    assert calls.refused().wait_s == 60
    calls.clock.advance(60)
    calls.make("success", "a")
    assert calls.state == "half_open"


def test_a_probe_whose_answer_does_not_count_lets_the_next_one_through(calls: Calls) -> None:
    calls.open()
    calls.clock.advance(60)
    calls.make("neutral", "a", "b")
    assert calls.state == "half_open"
    calls.make("success", "c", "d")
    assert calls.state == "closed"


def test_a_killed_probe_is_followed_by_another_after_its_slot_ran_out(calls: Calls) -> None:
    calls.open()
    calls.clock.advance(60)
    calls.begin()
    calls.clock.advance(59)
    calls.refused()
    calls.clock.advance(1)
    calls.begin()


def test_an_unused_probe_lets_the_next_one_through(calls: Calls) -> None:
    calls.open()
    calls.clock.advance(60)
    calls.budget.give_back(calls.begin())
    calls.begin()


@pytest.mark.parametrize("late", ["success", "failure"])
def test_calls_that_began_before_it_opened_are_not_asked_any_more(calls: Calls, late: Outcome) -> None:
    begun = calls.begin()
    calls.open()
    calls.clock.advance(59)
    calls.end(begun, late)
    assert calls.refused().wait_s == 1
    calls.clock.advance(1)
    calls.begin()


def test_a_refused_probe_leaves_the_circuit_as_it_was(calls: Calls) -> None:
    """The minute is used up when the probe is due."""
    calls.open()
    calls.clock.advance(60)
    narrow = Budget(zoho_fakes.settings(minute_limit=5, in_flight_limit=20), calls.database)
    with pytest.raises(PermitDenied) as caught:
        narrow.take("books", Priority.POLL, until=time.monotonic() - 1)
    assert caught.value.limit == "minute"
    assert calls.state == "open"


def test_of_many_workers_at_once_one_probes(calls: Calls) -> None:
    calls.open()
    calls.clock.advance(60)
    fleet = [calls.clock.connect() for _ in range(12)]
    begun = threading.Barrier(len(fleet))

    def take(database: Database) -> Permit | PermitDenied:
        begun.wait(10)
        try:
            return Budget(calls.settings, database).take("books", Priority.POLL, until=time.monotonic() - 1)
        except PermitDenied as denied:
            return denied

    with ThreadPoolExecutor(len(fleet)) as pool:
        for successes in (0, 1):
            took = list(pool.map(take, fleet))
            [probe] = [one for one in took if isinstance(one, Permit)]
            assert {one.limit for one in took if isinstance(one, PermitDenied)} == {"circuit"}
            assert (calls.state, successes) == ("half_open", successes)
            calls.end(probe, "success")
    assert calls.state == "closed"
    for database in fleet:
        database.close()


def test_the_status_tells_since_when_and_when_the_next_probe_goes(calls: Calls) -> None:
    calls.open()
    shown = status.read(calls.settings, calls.database)
    assert (shown.circuit, shown.circuit_failures, shown.circuit_changed_at) == ("open", 5, calls.clock.now)
    assert shown.circuit_retry_at == calls.clock.now + timedelta(seconds=60)
    calls.clock.advance(61)
    assert status.read(calls.settings, calls.database).circuit_retry_at is None
