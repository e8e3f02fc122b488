"""Time as the organisation sees it: Asia/Baghdad, one-second resolution, no daylight saving."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

ZONE_NAME = "Asia/Baghdad"
OFFSET_S = 3 * 3600
ZONE = timezone(timedelta(seconds=OFFSET_S))
DAY_S = 86_400

Now = Callable[[], float]


@lru_cache(1 << 10)
def zoho_time(epoch: int) -> str:
    """2026-01-02T03:04:05+0300, as every time in Zoho's answers is written."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+0300", time.gmtime(epoch + OFFSET_S))


@lru_cache(1 << 10)
def zoho_date(epoch: int) -> str:
    """The organisation's calendar day of an instant."""
    return time.strftime("%Y-%m-%d", time.gmtime(epoch + OFFSET_S))


def spoken_date(day: str) -> str:
    """02 Jan 2026, as Zoho writes dates meant for people."""
    return date.fromisoformat(day).strftime("%d %b %Y") if day else ""


def days_after(day: str, days: int) -> str:
    """The calendar day so many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def parse_zoho_time(text: str) -> int:
    """The instant of yyyy-mm-ddThh:mm:ss+hhmm; an offset with a colon is refused, as Zoho refuses it."""
    if ":" in text[19:] or len(text) != 24:
        raise ValueError(f"not a Zoho time: {text!r}")
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp())


def midnight(day: date) -> int:
    """The instant at which a day of the organisation begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp())


def day_number(now: float) -> int:
    """Counts the organisation's days, so that two instants of one day have the same number."""
    return int((now + OFFSET_S) // DAY_S)


def seconds_to_midnight(now: float) -> int:
    """Seconds until the day's quota is given anew."""
    return DAY_S - int(now + OFFSET_S) % DAY_S


def http_date(now: float) -> bytes:
    """The Date header's form."""
    return datetime.fromtimestamp(now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()


def today(now: float) -> date:
    """The organisation's calendar day."""
    return datetime.fromtimestamp(now, ZONE).date()
