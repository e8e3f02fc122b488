"""Publish the outbox on the EventBridge bus: one publisher at a time, at least once, each record in its order.

An event leaves the outbox when the bus has accepted it, so a publisher that is killed in between publishes it again. No
two events of a record travel in one call, and after the first one that the bus refuses the record's later ones wait.
EventBridge itself delivers in no order: the sequence in each event is what a consumer goes by.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from tds_core import aws, lossless_json
from tds_core.database import outbox, runs
from tds_core.database.connection import Database
from tds_core.database.outbox import Waiting
from tds_core.database.runs import Lease
from tds_core.errors import BusUnavailable
from tds_core.settings import Settings

METRIC = "OutboxAgeSeconds"
MODE = "publish"
SOURCE = "tds"
EVENTS_PER_CALL = 10  # EventBridge's limit; ten of ours stay far below its 256 KB
_EVENTS_PER_PAGE = 500
# so many records refused in one run are the bus's trouble, not theirs
_MOST_STOPPED = 100
_WORK_S = 20.0
_log = logging.getLogger(__name__)


class Bus(Protocol):
    """Where events go."""

    def put(self, entries: Sequence[dict[str, Any]]) -> list[str | None]:
        """Each entry's error code, None where it was accepted; raises BusUnavailable when nothing is known of them."""


class EventBridge:
    """The deployment's own bus."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.require("event_bus").event_bus
        self._client = aws.client("events")

    def put(self, entries: Sequence[dict[str, Any]]) -> list[str | None]:
        """Each entry's error code, None where it was accepted; raises BusUnavailable when nothing is known of them."""
        try:
            answer = self._client.put_events(Entries=[{"EventBusName": self._name, **entry} for entry in entries])
        except (BotoCoreError, ClientError) as exc:
            raise BusUnavailable(f"events not published: {aws.cause(exc)}") from exc
        codes = [told.get("ErrorCode") for told in answer["Entries"]]
        if len(codes) != len(entries):
            raise BusUnavailable("the bus did not answer for every event")
        return codes


class Publisher:
    """Works off the outbox, for `work_s` at most; what is left waits for the next run."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        bus: Bus,
        gauge: Callable[[str, float], None],
        work_s: float = _WORK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease_s = settings.lease_s
        self._database = database
        self._bus = bus
        self._gauge = gauge
        self._work_s = work_s
        self._clock = clock

    def run(self) -> dict[str, int]:
        """Publish what waits and tell the age of what is left; returns how many were published and refused.

        Raises BusUnavailable; what was accepted before has left the outbox.
        """
        counts = {"published": 0, "refused": 0}
        try:
            with runs.lease(self._database, MODE, duration_s=self._lease_s) as held:
                if held is not None:
                    self._publish(held, counts)
        finally:
            self._gauge(METRIC, outbox.figures(self._database)["age_s"])
        return counts

    def _publish(self, held: Lease, counts: dict[str, int]) -> None:
        until = self._clock() + self._work_s
        stopped: set[tuple[str, str]] = set()
        while page := outbox.waiting(self._database, limit=_EVENTS_PER_PAGE, without=stopped):
            for events in _calls(page, stopped):
                if self._clock() >= until or len(stopped) >= _MOST_STOPPED or not held.beat():
                    return
                codes = self._bus.put([_entry(event) for event in events])
                accepted = [event for event, code in zip(events, codes, strict=True) if code is None]
                refused = {event.record: code for event, code in zip(events, codes, strict=True) if code is not None}
                outbox.accept(self._database, accepted)
                stopped.update(refused)
                counts["published"] += len(accepted)
                counts["refused"] += len(refused)
                if refused:
                    _log.warning("events refused", extra={"codes": sorted(set(refused.values()))})


def _calls(page: Sequence[Waiting], stopped: set[tuple[str, str]]) -> Iterator[list[Waiting]]:
    """The events by call: the first of each record, then the second of each that was not stopped, and so on."""
    records: dict[tuple[str, str], list[Waiting]] = {}
    for event in page:
        records.setdefault(event.record, []).append(event)
    for turn in zip_longest(*records.values()):
        events = [event for event in turn if event is not None and event.record not in stopped]
        for first in range(0, len(events), EVENTS_PER_CALL):
            yield events[first : first + EVENTS_PER_CALL]


def _entry(event: Waiting) -> dict[str, Any]:
    detail = {
        "entity": event.entity,
        "id": event.id,
        "event": event.kind,
        "changed": event.changed,
        "sequence": event.sequence,
        "at": event.at,
        "trace_id": event.trace_id,
    }
    return {
        "Source": SOURCE,
        "DetailType": f"tds.entity.{event.kind}",
        "Time": event.at,
        "Detail": lossless_json.dumps(detail),
    }
