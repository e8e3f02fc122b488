"""What people see of the call budget, and reopening it: who did it is kept, and Zoho's answers count as ever."""

import json
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tds_core.database.connection import Database
from tds_core.errors import PermitDenied, ZohoThrottled
from tds_core.priority import Priority
from tds_core.sync.budget_commands import BudgetCommands
from tds_core.zoho.budget import Budget, Permit, Quota
from tests import zoho_fakes
from tests.integration.road import Waker

LIMIT = 100


class Office:
    """The commands, and calls that end as a test says."""

    def __init__(self, database: Database, *, day_limit: int = LIMIT) -> None:
        self.database, self.waker = database, Waker()
        self.settings = zoho_fakes.settings(minute_limit=1_000, in_flight_limit=20, day_limit=day_limit)
        self.budget = Budget(self.settings, database)
        waker: Any = self.waker
        self.commands = BudgetCommands(self.settings, database=database, waker=waker)

    def call(self, *, outcome: Any = "success", request: str = "r", **ending: Any) -> None:
        permit = self.permit()
        self.budget.end(permit, outcome=outcome, request=request, **{"quota": None, "throttled": None} | ending)

    def permit(self, priority: Priority = Priority.MANUAL) -> Permit:
        return self.budget.take("books", priority, until=time.monotonic() - 1)

    def denied(self) -> str:
        with pytest.raises(PermitDenied) as caught:
            self.permit()
        return caught.value.limit

    def open_circuit(self) -> None:
        for request in ("a", "b", "c", "a", "b"):
            self.call(outcome="failure", request=request)

    def close_day(self) -> None:
        self.call(outcome="neutral", throttled=ZohoThrottled(code=45, retry_after_s=60))

    def spend_day(self) -> None:
        self.call(quota=Quota(limit=LIMIT, remaining=0, reset_s=3_600))

    def show(self) -> Any:
        return json.loads(json.dumps(self.commands.show()))


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def test_the_budget_shows_minute_flight_days_and_circuit(office: Office) -> None:
    office.call(quota=Quota(limit=90, remaining=60, reset_s=3_600))
    office.permit()
    shown = office.show()
    assert (shown["minute_used"], shown["minute_limit"]) == (2, 1000)
    assert (shown["in_flight"], shown["in_flight_limit"]) == (1, 20)
    [day] = shown["days"]
    assert (day["product"], day["limit"], day["remaining"], day["used"][Priority.MANUAL]) == ("books", 90, 60, 2)
    assert (shown["circuit"], shown["reopened"], shown["time_zone"]) == ("closed", None, "Asia/Baghdad")


@pytest.mark.parametrize(
    ("hold", "limit", "reason"),
    [
        (Office.open_circuit, "circuit", "circuit open after 5 failures"),
        (Office.close_day, "day", "books: 99 of 100 calls left, closed by Zoho, 1 of them ours"),
        (Office.spend_day, "day", "books: 0 of 100 calls left, open, 1 of them ours"),
    ],
    ids=["circuit", "closed-day", "spent-day"],
)
def test_reopening_lets_calls_go_on_and_keeps_who_did_it(
    office: Office, hold: Callable[[Office], None], limit: str, reason: str
) -> None:
    hold(office)
    assert office.denied() == limit
    assert office.commands.reopen(operator="sara") == {"reopened": [reason]}
    office.call()
    assert [mode for mode, _ in office.waker.started] == ["poll", "walk", "drain"]
    assert office.database.execute("SELECT operator, operation, subject, reason FROM tds.operations") == [
        ("sara", "reopen", "budget", reason)
    ]
    told = office.show()["reopened"]
    assert (told["operator"], told["reason"]) == ("sara", reason)


def test_where_nothing_holds_calls_back_nothing_is_done(office: Office) -> None:
    office.call(quota=Quota(limit=LIMIT, remaining=90, reset_s=3_600))
    assert office.commands.reopen(operator="sara") == {"reopened": []}
    assert office.waker.started == []
    assert office.database.execute("SELECT count(*) FROM tds.operations") == [(0,)]
    assert office.show()["days"][0]["remaining"] == 90, "an open day keeps its count"


def test_a_raised_quota_is_believed_after_reopening_only(database: Database) -> None:
    office = Office(database, day_limit=1_000)
    office.call(quota=Quota(limit=LIMIT, remaining=0, reset_s=3_600))
    office.commands.reopen(operator="sara")
    office.call(quota=Quota(limit=500, remaining=400, reset_s=3_600))
    [day] = office.show()["days"]
    assert (day["limit"], day["remaining"], day["ends_history"]) == (500, 400, False)


def test_what_zoho_says_after_reopening_counts_as_ever(office: Office) -> None:
    office.close_day()
    office.commands.reopen(operator="sara")
    office.close_day()
    assert office.denied() == "day"
    assert office.show()["days"][0]["is_closed"] is True


def test_a_call_that_began_before_the_reopening_says_nothing_of_the_day(office: Office) -> None:
    late = office.permit()
    office.close_day()
    office.commands.reopen(operator="sara")
    throttled = ZohoThrottled(code=45, retry_after_s=60)
    office.budget.end(late, outcome="neutral", request="r", quota=None, throttled=throttled)
    office.call()


def test_reopening_that_cannot_be_written_down_is_not_done(office: Office, owner_conninfo: str) -> None:
    office.open_circuit()
    with psycopg.connect(owner_conninfo, autocommit=True) as owner:
        owner.execute("REVOKE INSERT ON tds.operations FROM tds_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        office.commands.reopen(operator="sara")
    assert office.denied() == "circuit"
