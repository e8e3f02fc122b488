"""All dead things as one list, wherever they lie: shown, brought back, dropped.

What is done is written to tds.operations first, with the name that the caller gave; no payload is ever logged.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from tds_core import aws
from tds_core.database import operations
from tds_core.database.connection import Database
from tds_core.database.operations import Operation
from tds_core.errors import NoDeadLetter, TdsError
from tds_core.settings import Settings
from tds_core.sync import dead_things
from tds_core.sync.dead_queue import DeadQueue
from tds_core.sync.dead_things import DeadThing
from tds_core.sync.places import Ending, ParkedPlace, Place, QueuePlace
from tds_core.sync.revival import Payload, Revival, Starter

LISTED, LISTED_AT_MOST = 100, 400
_NAME_LENGTH = 200
_AT_ONCE = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Dead things, the oldest first, and about how many lie in each place that holds any."""

    things: Sequence[DeadThing]
    totals: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places by their kind."""

    letters: Sequence[QueuePlace]
    unrouted: QueuePlace
    failed_runs: QueuePlace
    backlog: ParkedPlace

    @property
    def all(self) -> Sequence[Place]:
        """Every place."""
        return (*self.letters, self.unrouted, self.failed_runs, self.backlog)

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        database: Database,
        starter: Starter | None = None,
        storage: aws.Storage | None = None,
    ) -> "Places":
        """The places of these settings; without a `starter` nothing that is parked or failed can be started again.

        Raises ConfigurationError when a queue is missing.
        """
        settings.require("queue_urls", "unrouted_queue_url", "failed_runs_queue_url")
        sqs = aws.client("sqs")
        revival = Revival(settings, sqs=sqs, storage=storage or aws.Storage(), database=database, starter=starter)
        return cls(
            letters=[
                QueuePlace(
                    prefix=f"{dead_things.DEAD_LETTERS}/{name}",
                    queue=cache(partial(DeadQueue.of, sqs, url)),
                    describe=partial(dead_things.letter, name),
                    payload=revival.text,
                    revive=partial(revival.letter, name),
                )
                for name, url in settings.queue_urls
            ],
            unrouted=QueuePlace(
                prefix=dead_things.UNROUTED,
                queue=cache(partial(DeadQueue, sqs, settings.unrouted_queue_url)),
                describe=dead_things.unrouted,
                payload=revival.webhook_body,
                revive=revival.unrouted,
            ),
            failed_runs=QueuePlace(
                prefix=dead_things.FAILED_RUNS,
                queue=cache(partial(DeadQueue, sqs, settings.failed_runs_queue_url)),
                describe=dead_things.failed_run,
                payload=revival.text,
                revive=revival.failed_run,
            ),
            backlog=ParkedPlace(database=database, revive=revival.parked),
        )


class DeadLetters:
    """The one list of `tds dlq`."""

    def __init__(self, places: Sequence[Place], database: Database) -> None:
        self._places = places
        self._database = database

    def list(self, limit: int = LISTED) -> Listing:
        """At most so many of each place (400 at most); `totals` tells whether that is all.

        A message that somebody else looks at in the same moment may be missing. Raises QueueUnavailable.
        """
        bounded = max(1, min(limit, LISTED_AT_MOST))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            totals = pool.map(lambda place: place.total(), self._places)
            looks = list(pool.map(lambda place: place.look(bounded), self._places))
        # the count of SQS lags behind what was just seen
        counted = {
            place.prefix: max(total, len(look)) for place, total, look in zip(self._places, totals, looks, strict=True)
        }
        things = sorted((thing for look in looks for thing in look), key=lambda thing: (thing.first_seen, thing.id))
        return Listing(things=things, totals={prefix: total for prefix, total in counted.items() if total})

    def show(self, id: str) -> tuple[DeadThing, Payload | None]:
        """One dead thing and what it carries; raises NoDeadLetter."""
        return self._place(id).show(id)

    def settle(self, ids: Collection[str], ending: Ending, *, operator: str) -> dict[str, TdsError | None]:
        """Bring these back or delete them; says of each why it stays, or None. One failure costs no other its turn."""
        note = noting(self._database, operator)
        done: dict[str, TdsError | None] = {}
        by_place: dict[str, tuple[Place, list[str]]] = {}
        for id in dict.fromkeys(ids):
            try:
                place = self._place(id)
                by_place.setdefault(place.prefix, (place, []))[1].append(id)
            except NoDeadLetter as exc:
                done[id] = exc
        for place, wanted in by_place.values():
            try:
                done |= place.settle(wanted, ending, note)
            except TdsError as exc:
                done |= dict.fromkeys(wanted, exc)
            done |= {id: NoDeadLetter("it was not found: see `tds dlq list`") for id in wanted if id not in done}
        return done

    def _place(self, id: str) -> Place:
        for place in self._places:
            if id.startswith(f"{place.prefix}/"):
                return place
        raise NoDeadLetter(f"{id!r} is no id of `tds dlq list`")


def noting(database: Database, operator: str) -> Callable[[Ending, DeadThing], None]:
    """Writes down and logs what the operator is about to do."""
    name = operator[:_NAME_LENGTH] or "unknown"

    def note(ending: Ending, thing: DeadThing) -> None:
        done: dict[str, Any] = {"operator": name, "entity": thing.entity, "reason": thing.reason}
        done |= {"ids": thing.ids, "trace_id": thing.trace_id, "operation": ending, "subject": thing.id}
        operations.record(database, Operation(**done))
        _log.info("dead letter settled", extra=done)

    return note
