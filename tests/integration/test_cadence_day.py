"""Simulated days: the schedules tick as they do, Zoho only counts, and a history takes what the budget leaves it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tds_core.database import runs
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.entities import REGISTRY, scans
from tds_core.entities.spec import EntitySpec, LookBack, WholeList
from tds_core.priority import Priority
from tds_core.sync import poll, verify, walk
from tds_core.sync.cadence import TABLE, pages, row_of
from tds_core.sync.image_proof import ImageProof
from tds_core.zoho.client import ListPage
from tds_core.zoho.organization import Organization
from tests import zoho_fakes
from tests.company import PAYMENTS_OF_A_FORTNIGHT, RECENT_ADJUSTMENTS, ROWS
from tests.integration.budget_model import Day
from tests.integration.road import Pictures

BAGHDAD = ZoneInfo("Asia/Baghdad")
MIDNIGHT = datetime(2026, 6, 2, tzinfo=BAGHDAD).astimezone(UTC)
TICK = timedelta(minutes=5)
LISTED = {scan: sum(ROWS[spec.name] for spec in specs) for scan, specs in scans().items()}
ANEW = {"products": 23, "price_lists": 7, "inventory": RECENT_ADJUSTMENTS}  # calls for documents that are fetched anew
CHANGES, MINUTE_LIMIT = 300, 90
FIXED = {10_000: 2_570, 5_000: 1_190, 2_000: 320, 1_000: 185}


@dataclass
class Company:
    """Zoho as a number of pages; every call is taken from the day as the budget would, and none may be denied."""

    limit: int
    now: datetime = MIDNIGHT
    day: Day = field(init=False)
    calls: Counter[Priority] = field(default_factory=Counter)
    heard: dict[str, list[datetime]] = field(default_factory=dict)
    walked: dict[str, list[datetime]] = field(default_factory=dict)
    looked_back: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin_day()

    def begin_day(self) -> None:
        """Zoho forgets yesterday's calls."""
        self.day = Day(resets_at=self.now + timedelta(days=1), limit=self.limit)

    def call(self, priority: Priority, count: int = 1) -> None:
        """Calls that the cadence or a change needs: never may the history have taken them."""
        for _ in range(count):
            assert self.take(priority), f"{priority.name} denied at {self.now.astimezone(BAGHDAD)}: {self.calls}"

    def take(self, priority: Priority) -> bool:
        """One call if the day allows it."""
        self.day.asked[priority] = self.now
        if not self.day.allows(priority, in_flight=0, now=self.now):
            return False
        self.day.used[priority] += 1
        self.calls[priority] += 1
        return True

    def organization(self, priority: Priority, *, permit_wait_s: float) -> Organization:
        self.call(priority)
        self.heard.setdefault("organization", []).append(self.now)
        return Organization.parse({"organization_id": "1"}, observed_at=self.now)

    def list_page(
        self,
        spec: EntitySpec,
        *,
        page: int,
        priority: Priority,
        parameters: Mapping[str, str] | None = None,
        permit_wait_s: float = 0.0,
    ) -> ListPage:
        self.call(priority)
        asked = parameters or {}
        last = pages(LISTED[spec.scan_name])
        is_newest = asked.get("sort_order") == "D"
        if is_newest:
            last = pages(PAYMENTS_OF_A_FORTNIGHT) if spec.name == "payments" else 1
        is_walk = not is_newest and (
            priority is not Priority.POLL or not isinstance(spec.changes, WholeList | LookBack)
        )
        if is_newest and page == last > 1:
            self.looked_back.append(self.now)
        if page == 1:
            (self.walked if is_walk else self.heard).setdefault(spec.scan_name, []).append(self.now)
        rows = min(200, LISTED[spec.scan_name] - 200 * (page - 1))
        return ListPage(
            rows=[{}] * rows,
            has_more=page < last,
            observed_at=self.now,
            served_at=self.now,
            sort_column=asked.get("sort_column"),
        )


@dataclass
class Clockwork:
    """The schedules: a poll every five minutes, a walk with it, what changed and the history in between."""

    company: Company
    database: Database
    refetched: dict[str, list[datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = zoho_fakes.settings(day_limit=self.company.limit)
        parts: dict[str, Any] = {
            "database": self.database,
            "mirror": Mirror(self.database),
            "client": self.company,
            "clock": lambda: self.company.now,
        }
        self.poll, self.walk = poll.Poll(settings, **parts), walk.Walk(settings, **parts)
        idle: Any = SimpleNamespace(calls=0, wake=lambda: None, tell=lambda _: None, gauge=lambda *_: None)
        images = ImageProof(self.database, check=Pictures(), waker=idle)
        self.verify = verify.Verify(settings, **parts, fetcher=idle, waker=idle, alert=idle, images=images)
        for scan, rows in LISTED.items():
            self.database.execute(
                "INSERT INTO tds.cursors (scan, walked_at, walked_rows) VALUES (%s, %s, %s)",
                (scan, MIDNIGHT - timedelta(hours=9), rows),
            )

    def run(self, days: int) -> list[int]:
        """So many days; returns each day's calls by the clock."""
        fixed = []
        for _ in range(days):
            self.company.begin_day()
            changes = 0.0
            self.company.calls.clear()
            for _ in range(timedelta(days=1) // TICK):
                self.poll.run()
                self._refetch()
                self.walk.run(lambda: 60.0)
                self.verify.run(lambda: 60.0)
                changes += CHANGES / (timedelta(days=1) / TICK)
                while changes >= 1:
                    changes -= 1
                    self.company.call(Priority.WEBHOOK)
                self._read_history()
                self.company.now += TICK
            calls = self.company.calls
            assert calls.total() <= self.company.limit
            fixed.append(calls[Priority.POLL] + calls[Priority.VERIFICATION])
        return fixed

    def _refetch(self) -> None:
        for scan, cursor in runs.cursors(self.database, ANEW).items():
            assert cursor.refetched_at is not None or scan == "inventory"
            known = self.refetched.setdefault(scan, [])
            if cursor.refetched_at and known[-1:] != [cursor.refetched_at]:
                known.append(cursor.refetched_at)
                self.company.call(Priority.POLL, ANEW[scan])

    def _read_history(self) -> None:
        for _ in range(MINUTE_LIMIT * int(TICK / timedelta(minutes=1))):
            if not self.company.take(Priority.BACKFILL):
                break


@pytest.fixture
def clockwork(request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    for module in (poll, walk):
        monkeypatch.setattr(module, "apply_page", lambda *_, **__: False)
    monkeypatch.setattr(verify, "read_page", lambda *_, **__: [])
    return Clockwork(Company(request.param), database)


def longest_wait(times: list[datetime], *, last_day: datetime) -> timedelta:
    """How long a change of business hours stays unseen at most."""
    opens = last_day.astimezone(BAGHDAD).replace(hour=8, minute=0)
    closes = opens + timedelta(hours=10)
    seen = [at for at in times if at >= opens]
    points = [opens, *seen]
    return max(later - sooner for sooner, later in pairwise(points) if sooner < closes)


@pytest.mark.parametrize("clockwork", [10_000], indirect=True)
def test_every_promise_holds_in_business_hours_at_the_largest_limit(clockwork: Clockwork) -> None:
    clockwork.run(1)
    last_day = clockwork.company.now
    clockwork.run(2)
    company = clockwork.company
    payments = REGISTRY["payments"].slower
    assert payments is not None
    assert longest_wait(company.looked_back, last_day=last_day) <= payments[1]
    for spec in REGISTRY.values():
        assert longest_wait(company.heard[spec.scan_name], last_day=last_day) <= spec.freshness, spec.name
        if spec.walk:
            assert spec.slower is not None
            assert longest_wait(company.walked[spec.scan_name], last_day=last_day) <= spec.slower[1], spec.name
        if spec.refetch in TABLE[0].paces:
            promised = spec.slower[1] if spec.slower else spec.freshness
            assert longest_wait(clockwork.refetched[spec.name], last_day=last_day) <= promised, spec.name


@pytest.mark.parametrize("clockwork", FIXED, indirect=True)
def test_a_day_keeps_its_limit_and_what_the_clock_asks_stays_near_a_quarter(clockwork: Clockwork) -> None:
    limit = clockwork.company.limit
    nights = row_of(limit).nights
    clockwork.run(1)  # a start, at which everything is due at once
    fixed = clockwork.run(2 * nights)
    assert sum(fixed) / len(fixed) == pytest.approx(FIXED[limit], rel=0.15)
    assert max(fixed) <= 0.3 * limit
    assert len(clockwork.company.heard["organization"]) == 2 * nights + 1, "the organisation is checked once a day"
    walked = clockwork.company.walked
    for scan, specs in scans().items():
        assert scan in walked, "every list is read whole"
        if not specs[0].walk:
            gaps = {later.date() - sooner.date() for sooner, later in pairwise(walked[scan])}
            assert gaps <= {timedelta(days=nights)}
