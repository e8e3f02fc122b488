"""Where dead things lie: queues of SQS and the parked part of the backlog, each looked at and cleared in one way."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from tds_core.database import parked
from tds_core.database.connection import Database
from tds_core.errors import DatabaseUnavailable, NoDeadLetter, TdsError
from tds_core.sync import dead_things
from tds_core.sync.dead_queue import LOOK_S, DeadMessage, DeadQueue
from tds_core.sync.dead_things import DeadThing
from tds_core.sync.revival import Payload

Ending = Literal["redrive", "drop"]
Note = Callable[[Ending, DeadThing], None]
SEARCHED = 10_000


class Place(Protocol):
    """One place; the ids of what lies there begin with `prefix`."""

    @property
    def prefix(self) -> str:
        """Such as dead_letters/invoices."""

    def total(self) -> int:
        """About how many things lie there."""

    def look(self, limit: int) -> list[DeadThing]:
        """Some of them, at most so many."""

    def show(self, id: str) -> tuple[DeadThing, Payload | None]:
        """One of them with what it carries; raises NoDeadLetter."""

    def settle(self, ids: Collection[str], ending: Ending, note: Note) -> dict[str, TdsError | None]:
        """Bring these back or delete them; says of each why it stays, or None.

        `note` writes down what is about to be done; what cannot be written down is not done.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """A queue of dead messages: what they are, what they carry, and how one comes back.

    `look` may leave out what somebody else looks at in the same moment, and one thing is searched among the first
    10,000 messages that SQS gives.
    """

    prefix: str
    queue: Callable[[], DeadQueue]
    describe: Callable[[DeadMessage], DeadThing]
    payload: Callable[[DeadMessage], Payload]
    revive: Callable[[DeadThing, DeadMessage], None]

    def total(self) -> int:
        """About how many messages lie there."""
        return self.queue().count()

    def look(self, limit: int) -> list[DeadThing]:
        """The first messages that SQS gives, in no order."""
        with self.queue().visit(limit=limit) as visit:
            return [self.describe(message) for message in visit]

    def show(self, id: str) -> tuple[DeadThing, Payload | None]:
        """One message with what it carries; raises NoDeadLetter."""
        with self.queue().visit(limit=SEARCHED) as visit:
            for message in visit:
                if self._id(message) == id:
                    return self.describe(message), self.payload(message)
        raise NoDeadLetter(f"{id} is not there, or not among the messages that SQS gave in {LOOK_S:.0f} s")

    def settle(self, ids: Collection[str], ending: Ending, note: Note) -> dict[str, TdsError | None]:
        """Bring these back or delete them; killed between both, a message is there twice, which is harmless."""
        wanted = set(ids)
        return self.sweep(lambda id, message: ending if id in wanted else None, note, limit=SEARCHED, wanted=wanted)

    def sweep(
        self,
        choose: Callable[[str, DeadMessage], Ending | None],
        note: Note,
        *,
        limit: int,
        wanted: Collection[str] = (),
    ) -> dict[str, TdsError | None]:
        """Look through the queue and end what `choose` says; stops when everything wanted was met."""
        done: dict[str, TdsError | None] = {}
        with self.queue().visit(limit=limit) as visit:
            for message in visit:
                id = self._id(message)
                ending = choose(id, message)
                if ending is None:
                    continue
                try:
                    self._end(ending, message, note)
                    visit.delete(message)
                    done[id] = None
                except TdsError as exc:
                    done[id] = exc
                    if isinstance(exc, DatabaseUnavailable):  # the next one would only wait as long
                        break
                if wanted and len(done) == len(wanted):
                    break
        return done

    def _end(self, ending: Ending, message: DeadMessage, note: Note) -> None:
        thing = self.describe(message)
        note(ending, thing)
        if ending == "redrive":
            self.revive(thing, message)

    def _id(self, message: DeadMessage) -> str:
        return f"{self.prefix}/{message.message_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedPlace:
    """The requests on the backlog that were given up for now."""

    database: Database
    revive: Callable[[DeadThing], None]
    prefix: str = dead_things.BACKLOG

    def total(self) -> int:
        """How many are parked."""
        return parked.total(self.database)

    def look(self, limit: int) -> list[DeadThing]:
        """Those that were parked first."""
        return [dead_things.parked(row) for row in parked.parked(self.database, limit=limit)]

    def show(self, id: str) -> tuple[DeadThing, Payload | None]:
        """One of them; it carries nothing."""
        return self._find(id), None

    def settle(self, ids: Collection[str], ending: Ending, note: Note) -> dict[str, TdsError | None]:
        """Have these fetched anew, or forget them."""
        done: dict[str, TdsError | None] = {}
        for id in ids:
            try:
                thing = self._find(id)
                note(ending, thing)
                self._end(ending, thing)
                done[id] = None
            except TdsError as exc:
                done[id] = exc
        return done

    def _find(self, id: str) -> DeadThing:
        _, _, rest = id.partition("/")
        entity, _, document_id = rest.partition("/")
        row = parked.find(self.database, entity, document_id)
        if row is None:
            raise NoDeadLetter(f"{id} is not parked")
        return dead_things.parked(row)

    def _end(self, ending: Ending, thing: DeadThing) -> None:
        if ending == "redrive":
            self.revive(thing)
        elif thing.entity is not None:
            parked.forget(self.database, thing.entity, thing.ids[0])
