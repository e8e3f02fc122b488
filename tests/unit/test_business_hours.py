"""Business hours: one definition, in the organisation's zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tds_core.settings import Settings
from tds_core.sync import business_hours
from tds_core.sync.cadence import Cadence

BAGHDAD = ZoneInfo("Asia/Baghdad")


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 6, 10, hour, minute, tzinfo=BAGHDAD)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param(at(9), at(13), 4, id="within-a-day"),
        pytest.param(at(17), at(9) + timedelta(days=1), 2, id="over-a-night"),
        pytest.param(at(19), at(7) + timedelta(days=1), 0, id="at-night"),
        pytest.param(at(7), at(20) + timedelta(days=2), 30, id="three-days"),
        pytest.param(at(9).astimezone(UTC), at(9).astimezone(UTC), 0, id="no-time"),
        pytest.param(at(22).astimezone(UTC), at(8, 30).astimezone(UTC) + timedelta(days=1), 0.5, id="utc"),
    ],
)
def test_only_business_hours_count(start: datetime, end: datetime, hours: float) -> None:
    assert business_hours.between(start, end, BAGHDAD) == timedelta(hours=hours)


def test_other_hours_move_the_pace_of_polls_and_the_measure_of_silence_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    cadence = Cadence.of(Settings(), day_limit=10_000, zone="Asia/Baghdad")
    rounds = cadence.times_a_day("poll")
    assert cadence.is_busy(at(8, 30)) is True
    monkeypatch.setattr(business_hours, "OPENS", time(9))
    assert cadence.is_busy(at(8, 30)) is False
    assert cadence.times_a_day("poll") == rounds - 12 + 4
    assert business_hours.between(at(8), at(10), BAGHDAD) == timedelta(hours=1)
