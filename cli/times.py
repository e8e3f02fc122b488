"""Moments as people see them: in the organisation's own zone, which is always named."""

from datetime import datetime
from zoneinfo import ZoneInfo


def moment(text: str | None, zone: str) -> str:
    """An ISO 8601 time to the second with its zone; "" for none."""
    return f"{bare(text, zone)} {zone}" if text else ""


def bare(text: str | None, zone: str) -> str:
    """The same where a heading names the zone."""
    return datetime.fromisoformat(text).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S") if text else ""
