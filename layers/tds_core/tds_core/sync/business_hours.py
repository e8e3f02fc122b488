"""When people are at work, on any day of the week: polls are frequent then, and only then can webhooks be missed."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8), time(18)


def length() -> timedelta:
    """The business hours of a day."""
    return timedelta(hours=CLOSES.hour - OPENS.hour)


def is_open(at: datetime, zone: ZoneInfo) -> bool:
    """Whether people are at work."""
    return OPENS <= at.astimezone(zone).time() < CLOSES


def between(start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
    """How much of the time between lies within business hours."""
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    total = timedelta(0)
    while day <= last:
        opens, closes = datetime.combine(day, OPENS, zone), datetime.combine(day, CLOSES, zone)
        total += max(min(end, closes) - max(start, opens), timedelta(0))
        day += timedelta(days=1)
    return total
