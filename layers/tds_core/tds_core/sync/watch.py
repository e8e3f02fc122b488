"""Keeps, every minute, what only a function with rights on the queues can see, and counts the verdict of the moment."""

from collections.abc import Callable, Mapping

from tds_core import aws
from tds_core.database import watch
from tds_core.database.connection import Database
from tds_core.settings import Settings
from tds_core.sync import signals, verdict
from tds_core.sync.dead_letters import Places
from tds_core.sync.dead_queue import DeadQueue

VERDICT, STALE, DRIFT = "VerdictBad", "StaleLists", "DriftRatio"
SHOWN = 20


class Watch:
    """One look a minute; what it keeps is what the status page shows."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        places: Places,
        queues: Mapping[str, Callable[[], int]],
        gauge: Callable[[str, float], None],
    ) -> None:
        self._settings = settings
        self._database = database
        self._places = places
        self._queues = queues
        self._gauge = gauge

    def look(self) -> dict[str, int]:
        """Count, keep, judge and tell; raises QueueUnavailable or DatabaseUnavailable, and then nothing new is kept."""
        dead = (*self._places.letters, self._places.unrouted, self._places.failed_runs)
        totals = {place.prefix: place.total() for place in dead}
        shown = [thing.line for place in dead if totals[place.prefix] for thing in place.look(SHOWN)]
        waiting = {f"{signals.QUEUE}/{name}": count() for name, count in self._queues.items()}
        watch.store(self._database, waiting | totals)
        watch.store_dead(self._database, shown)
        self._judge()
        return {}

    def _judge(self) -> None:
        look = signals.read(self._settings, self._database)
        found = look.signals
        judged = verdict.verdict(found)
        grave = sorted({reason.code for reason in judged.reasons if reason.level == "bad"})
        watch.count_look(self._database, level=judged.level, reasons=grave, zone=look.day.zone)
        codes = [reason.code for reason in judged.reasons]
        self._gauge(VERDICT, float(judged.level == "bad"))
        self._gauge(STALE, float(codes.count("stale") + codes.count("unread")))
        self._gauge(DRIFT, max((one.share for one in found.checked.values()), default=0.0))


def counters(settings: Settings) -> dict[str, Callable[[], int]]:
    """How each entity's queue is counted."""
    sqs = aws.client("sqs")
    return {name: DeadQueue(sqs, url).count for name, url in settings.queue_urls}
