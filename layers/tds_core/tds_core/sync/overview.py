"""The one read model of `tds status`, /status.json and the status page: every figure that people look at."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tds_core.database import announcements, census, checks, images, outbox, sizes, watch
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, scans
from tds_core.plain import plain
from tds_core.settings import Settings
from tds_core.sync import aging, plan, poll, signals
from tds_core.sync.cadence import Cadence
from tds_core.sync.verdict import Verdict, verdict
from tds_core.words import words
from tds_core.zoho.status import Day

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
SHOWN, HOURS, DAYS = 20, 24, 7


def read(settings: Settings, database: Database, *, since: datetime | None = None) -> dict[str, Any]:
    """The figures of now in plain values, times as ISO 8601; latency and outcomes since then, or of an hour."""
    look = signals.read(settings, database)
    found, day = look.signals, look.day
    since = since or found.now - _HOUR
    # in the order of the work: what leaves a list is on the backlog, and what left that by now is no longer pending
    cursors, backlog = census.scan_figures(database), census.backlog_figures(database)
    figures = {
        "now": found.now,
        "time_zone": day.zone,
        "verdict": explained(verdict(found)),
        "days_without_failure": watch.days_without_failure(database, zone=day.zone),
        "without_failure": census.days_without_failure(database, zone=day.zone),
        "days": watch.days(database, number=DAYS),
        "entities": {name: census.entity_figures(database, spec) for name, spec in REGISTRY.items()},
        "backlog": backlog,
        "eta_s": _eta_s(settings, database, day) if found.pending_history else None,
        "images": images.figures(database),
        "scans": {name: one for name, one in cursors.items() if name in scans()},
        "organization": cursors.get(poll.ORGANIZATION),
        "places": {place.name: place for place in look.places},
        "dead": watch.dead(database, limit=SHOWN),
        "verification": {"is_running": checks.is_running(database), "compared": look.compared},
        "drift": checks.differences(database, look.compared, limit=SHOWN),
        "webhooks": census.webhook_latency(database, since=since),
        "webhooks_24h": announcements.heard(database, since=found.now - _DAY),
        "hours": checks.hours(database, number=HOURS),
        "silence": look.silence,
        "outcomes": census.outcome_figures(database, since=since),
        "outbox": outbox.figures(database),
        "working": census.working(database),
        "runs": census.recent_runs(database),
        "zoho": look.zoho,
    }
    plainly: dict[str, Any] = plain(figures)
    return plainly


def _eta_s(settings: Settings, database: Database, day: Day) -> float | None:
    """The seconds until the history is whole; None when nothing of the day is left for it."""
    # not `plan.read`, which makes cursors that are not there yet: the page only reads
    planned = plan.plan(
        Cadence.of(settings, day_limit=day.limit, zone=day.zone),
        {name: sizes.read(database, spec) for name, spec in REGISTRY.items()},
        day_limit=day.limit,
        is_told=day.is_told,
        minute_limit=settings.minute_limit,
        aged_a_day=aging.calls_a_day(settings, day.limit),
    )
    return None if planned.history.days is None else planned.history.days * _DAY.total_seconds()


def explained(judged: Verdict) -> dict[str, Any]:
    """The verdict in plain English words, each reason with what to do; the page says the same in its language."""
    say = words("en")
    return {
        "level": judged.level,
        "text": say(f"verdict.{judged.level}"),
        "reasons": [
            {
                "code": reason.code,
                "level": reason.level,
                "values": reason.values,
                "text": say(message_key(reason.code, reason.values), **_shown(reason.values)),
                "todo": say(f"reason.{reason.code}.todo"),
            }
            for reason in judged.reasons
        ],
    }


def message_key(code: str, values: Mapping[str, Any]) -> str:
    """Which message a reason has: what never happened has no age."""
    return f"reason.{code}.never" if values.get("age_s", 0) is None else f"reason.{code}"


def _shown(values: Mapping[str, Any]) -> dict[str, str]:
    """The values for a terminal: seconds as h, min and s."""
    spoken = {}
    for name, value in values.items():
        if name.endswith("_s"):
            spoken[name.removesuffix("_s")] = _duration(value or 0.0)
        else:
            spoken[name] = f"{value:.1%}" if name == "share" else str(value)
    return spoken


def _duration(seconds: float) -> str:
    whole = int(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
