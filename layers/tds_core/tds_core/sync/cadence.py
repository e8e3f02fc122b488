"""How often Zoho is asked: by the day's limit, so that what is asked without a cause stays near a quarter of it.

The table is data, the rest are pure functions of it. A spec names its cadences; nothing here knows an entity.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tds_core.entities.spec import ROWS_PER_PAGE, Purpose
from tds_core.settings import Settings
from tds_core.sync import business_hours

NIGHT_FROM_H, NIGHT_UNTIL_H = 2, 4
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# schedules tick a little early or late; a tick that comes this early is not made to wait for the next one
_EARLY = timedelta(seconds=30)
# what failed by chance is tried again sooner than its pace, but never at every tick of a small budget
_RETRY_SHARE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The time between two rounds, in business hours and in the rest of the day."""

    busy: timedelta
    rest: timedelta

    @property
    def times_a_day(self) -> float:
        """How many rounds a day has."""
        return business_hours.length() / self.busy + (_DAY - business_hours.length()) / self.rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The cadence of a day's limit; each list is read whole, at night, once in so many `nights`.

    `headers_only`: what is left of the day fetches a long history's documents in no time that could be promised.
    """

    day_limit: int
    paces: Mapping[Purpose, Pace]
    nights: int
    headers_only: bool = False


def _every(busy: str, rest: str = "") -> Pace:
    return Pace(busy=_time(busy), rest=_time(rest or busy))


def _time(text: str) -> timedelta:
    number, unit = text.split()
    return timedelta(hours=float(number)) if unit == "h" else timedelta(minutes=float(number))


TABLE = (
    Row(
        day_limit=10_000,
        nights=1,
        paces={
            "poll": _every("5 min", "15 min"),
            "slow_poll": _every("15 min", "60 min"),
            "stock": _every("4 h"),
            "balances": _every("2 h", "2.8 h"),
            "prices": _every("4 h"),
            "daily": _every("24 h"),
        },
    ),
    Row(
        day_limit=5_000,
        nights=1,
        paces={
            "poll": _every("15 min", "60 min"),
            "slow_poll": _every("30 min", "2 h"),
            "stock": _every("12 h"),
            "balances": _every("5 h", "7 h"),
            "prices": _every("12 h"),
            "daily": _every("24 h"),
        },
    ),
    Row(
        day_limit=2_000,
        nights=4,
        paces={
            "poll": _every("60 min", "3.5 h"),
            "slow_poll": _every("2.5 h", "7 h"),
            "stock": _every("24 h"),
            "balances": _every("10 h", "14 h"),
            "prices": _every("24 h"),
            "daily": _every("24 h"),
        },
    ),
    Row(
        day_limit=1_000,
        nights=7,
        headers_only=True,
        paces={
            "poll": _every("2 h", "7 h"),
            "slow_poll": _every("5 h", "14 h"),
            "stock": _every("24 h"),
            "balances": _every("24 h"),
            "prices": _every("24 h"),
            "daily": _every("24 h"),
        },
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the choice of tonight's lists rests on: a list's size, and when its last walk began."""

    scan: str
    rows: int
    walked_at: datetime | None
    is_under_way: bool = False

    @property
    def pages(self) -> int:
        """The calls of one pass."""
        return pages(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """A row of the table in the organisation's zone, with what the parameters replaced in it."""

    row: Row
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: Settings, *, day_limit: int, zone: str) -> Self:
        """The cadence for a day's limit; a parameter that is not 0 replaces its cell of the table."""
        row = row_of(day_limit)
        stated: dict[Purpose, float] = {
            "poll": settings.poll_interval_s,
            "slow_poll": settings.slow_poll_interval_s,
            "stock": settings.stock_interval_s,
            "balances": settings.contacts_walk_interval_s,
            "prices": settings.prices_interval_s,
            "daily": settings.daily_interval_s,
        }
        paces = dict(row.paces)
        for purpose, seconds in stated.items():
            if seconds:
                paces[purpose] = Pace(busy=timedelta(seconds=seconds), rest=timedelta(seconds=seconds))
        nights = settings.deep_walk_nights or row.nights
        whole = Row(day_limit=row.day_limit, paces=paces, nights=nights, headers_only=row.headers_only)
        return cls(row=whole, zone=zone_info(zone, otherwise=settings.zoho_time_zone))

    def is_busy(self, at: datetime) -> bool:
        """Whether people are at work."""
        return business_hours.is_open(at, self.zone)

    def is_night(self, at: datetime) -> bool:
        """Whether it is the time for heavy work."""
        return NIGHT_FROM_H <= at.astimezone(self.zone).hour < NIGHT_UNTIL_H

    def times_a_day(self, purpose: Purpose) -> float:
        """How many rounds of this purpose a day has."""
        return 1 / self.row.nights if purpose == "deep" else self.row.paces[purpose].times_a_day

    def wait(self, purpose: Purpose, at: datetime) -> timedelta:
        """The time that must have passed since the last round."""
        pace = self.row.paces[purpose]
        return _early(pace.busy if self.is_busy(at) else pace.rest)

    def is_due(self, purpose: Purpose, last: datetime | None, at: datetime, *, is_hurried: bool = False) -> bool:
        """Whether another round is due; `is_hurried` keeps the pace of business hours through the night.

        "deep" has no pace: it is due on the night that its turn comes.
        """
        if purpose == "deep":
            return self.is_night(at) and (last is None or self._is_turn(last, at))
        if last is None:
            return True
        # the first round after business hours is still theirs: it shows what was done in their last minutes
        wait = min(self.wait(purpose, at), self.wait(purpose, last))
        return at - last >= (min(wait, _early(self.row.paces[purpose].busy)) if is_hurried else wait)

    def begins(self, purpose: Purpose, last: datetime | None, at: datetime) -> bool:
        """Whether this round is the first of another interval: so some rounds can do more, with no time of their own.

        Intervals are those of the clock; the first round after business hours is still theirs.
        """
        if last is None:
            return True
        pace = self.row.paces[purpose]
        interval = min(pace.busy if self.is_busy(one) else pace.rest for one in (last, at))
        return (at - _EPOCH) // interval > (last - _EPOCH) // interval

    def retry_at(self, purpose: Purpose, at: datetime, *, is_transient: bool) -> datetime:
        """When to try again what failed: soon if time may heal it, else at its pace, for a person has to act."""
        return at + self.wait(purpose, at) / (_RETRY_SHARE if is_transient else 1)

    def tonight(self, lists: Iterable[Listed], at: datetime) -> list[str]:
        """The lists whose walk is due now, the one walked longest ago first.

        A night takes its share of all pages and at least one list, so that the lists spread over the nights though
        their history was read on one day. A list that was never walked waits until somebody asks for its history.
        """
        if not self.is_night(at):
            return []
        known = [one for one in lists if one.walked_at is not None]
        share = ceil(sum(one.pages for one in known) / self.row.nights)
        taken = sum(one.pages for one in known if self._is_of_tonight(one, at))
        chosen: list[str] = []
        for one in sorted(known, key=lambda one: one.walked_at or at):
            is_free = not one.is_under_way and one.walked_at is not None and self._is_turn(one.walked_at, at)
            if is_free and (not taken or taken + one.pages <= share):
                chosen.append(one.scan)
                taken += one.pages
        return chosen

    def _is_turn(self, last: datetime, at: datetime) -> bool:
        return (self._day(at) - self._day(last)).days >= self.row.nights

    def _is_of_tonight(self, one: Listed, at: datetime) -> bool:
        walked_at = one.walked_at
        return one.is_under_way or (
            walked_at is not None and self._day(walked_at) == self._day(at) and self.is_night(walked_at)
        )

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()


def row_of(day_limit: int) -> Row:
    """The row of the largest limit that is not above this one; the smallest row below all of them."""
    return next((row for row in TABLE if row.day_limit <= day_limit), TABLE[-1])


def pages(rows: int) -> int:
    """The calls that a list of so many rows takes; an empty one takes one, too."""
    return max(1, ceil(rows / ROWS_PER_PAGE))


def _early(wait: timedelta) -> timedelta:
    return wait - min(_EARLY, wait / 10)


def zone_info(name: str, *, otherwise: str) -> ZoneInfo:
    """The organisation's zone, or the one that is set where its name is not known here."""
    try:
        return ZoneInfo(name or otherwise)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(otherwise)
