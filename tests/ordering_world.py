"""A simulated Zoho and all that stands between it and a mirror, for the proofs of the ordering rule.

Written from the rule's text, not from its code. Zoho's truth changes with versions of one second, within one second,
and without any version; webhooks are lost, doubled, late, reordered, without document or without version, and stamped
by a clock that is off by up to a second; pages and fetches are read at one time, applied at another, and now and then
come from a replica that lags behind. `World.check` then holds the mirror against the truth.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, Protocol

START = datetime(2026, 1, 2, 12, tzinfo=UTC)
_PAUSES = (0.05, 0.2, 0.3, 0.4, 0.7, 1.0, 2.5, 6.0, 12.0, 70.0)
_MOST_FETCHES = 60


def instant(seconds: float) -> datetime:
    """The world's time as a date."""
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one entity behaves: a document's version may be on another scale than the list's, or there is none.

    `listed`: whether there is a column that only lists show.
    """

    name: str
    versioned: bool = True
    comparable: bool = True
    listed: bool = True

    def list_version(self, state: "State") -> datetime | None:
        return instant(state.second) if self.versioned else None

    def document_version(self, state: "State") -> datetime | None:
        if not self.versioned:
            return None
        return instant(state.second) if self.comparable else instant(state.second) - timedelta(days=3)


COMPARABLE = Dialect(name="comparable")
INCOMPARABLE = Dialect(name="incomparable", comparable=False)
UNVERSIONED = Dialect(name="unversioned", versioned=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What Zoho holds of a record from `at` on: a value in lists and documents, one in lists, one in documents."""

    n: int
    at: float
    second: int
    alive: bool = True
    shared: int = 0
    listed: int = 0
    detail: int = 0

    @property
    def row(self) -> tuple[int, int, int]:
        return self.shared, self.listed, self.detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One observation on its way to the mirror, `observed` at what its clock said and true `as_of` another time.

    `leased` when it ends a fetch of the backlog.
    """

    id: str
    kind: Literal["list_row", "document", "gone", "mention"]
    state: State | None
    observed: float
    as_of: float
    webhook: bool = False
    versionless: bool = False
    lagging: bool = False
    leased: bool = False


class System(Protocol):
    """What is proved: a mirror with its backlog."""

    def apply(self, sights: Sequence[Sight], *, now: float) -> None:
        """Apply a batch; the leases of what is `leased` end with it."""

    def request(self, ids: Sequence[str], *, now: float) -> None:
        """Ask for documents from outside the rule."""

    def lease(self, *, now: float) -> list[str]:
        """Ids to fetch now."""

    def next_due(self) -> float | None:
        """When the next backlog row is due; None when there is none."""

    def live(self) -> dict[str, tuple[int, int | None, int | None]]:
        """The mirror's live rows: shared, listed and detail value."""


@dataclass(slots=True, kw_only=True)
class _Known:
    """What has left Zoho about one record, for `is_blind`."""

    documents: list[Sight] = field(default_factory=list)
    hinted: int = -1


class World:
    """One random history."""

    def __init__(self, seed: int, dialect: Dialect, system: System, *, ids: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.dialect = dialect
        self.system = system
        self.ids = ids
        self.log: list[str] = []
        self.blind = 0
        self._skew = self.random.uniform(-1, 1)
        self._history: dict[str, list[State]] = {document_id: [] for document_id in ids}
        self._known: dict[str, _Known] = {document_id: _Known() for document_id in ids}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._inbox: list[Sight] = []
        self._sequence = 0

    def run(self, steps: int) -> None:
        """Let things happen."""
        for _ in range(steps):
            happening = self.random.choices(
                (self._change, self._read_list, self._fetch_leased, self._fetch_unasked), (6, 3, 4, 1)
            )[0]
            happening()
            self._pass(self.random.choice(_PAUSES))

    def settle(self) -> None:
        """Let everything under way arrive and fetch what is asked for, then poll twice and fetch again."""
        while self._events:
            self._pass(self._events[0][0] - self.now)
        self._flush()
        self._drain()
        for pause in (self.random.uniform(0, 12), 12.0):
            self._pass(pause)
            self._poll_and_drain()

    def check(self) -> None:
        """Hold the mirror against the truth, and see that it is at rest."""
        live = self.system.live()
        for document_id in self.ids:
            state = self._state(document_id, self.now)
            if state is None or not state.alive:
                assert document_id not in live, self._story(f"{document_id} is deleted and live")
            elif self._is_blind(document_id, state):
                self.blind += 1
                assert live.get(document_id, ())[:2] == state.row[:2], self._story(f"{document_id} differs in its list")
            else:
                assert live.get(document_id) == state.row, self._story(f"{document_id}: {live.get(document_id)}")
        self._pass(12.0)
        self._apply_list()
        assert self.system.next_due() is None, self._story("a poll that shows nothing new asks for documents")

    def _story(self, message: str) -> str:
        return "\n".join([message, *self.log])

    # Zoho

    def _change(self) -> None:
        document_id = self.random.choice(self.ids)
        history = self._history[document_id]
        state = self._next(history[-1]) if history else self._first()
        history.append(state)
        self.log.append(f"{self.now:8.2f} truth {document_id} {state}")
        self._announce(document_id, state)

    def _first(self) -> State:
        return State(n=0, at=self.now, second=int(self.now))

    def _next(self, last: State) -> State:
        bumped = replace(last, n=last.n + 1, at=self.now, second=int(self.now))
        if not last.alive:
            return replace(bumped, alive=True, second=self.random.choice((last.second, bumped.second)))
        what = self.random.choices(("edit", "silent", "delete"), (5, 5, 1))[0]
        if what == "delete":
            return replace(bumped, alive=False)
        names = ("shared", "listed", "detail") if self.dialect.listed else ("shared", "detail")
        changed = {name: self.random.randrange(3) for name in names if self.random.random() < 0.5}
        edited = replace(bumped, **changed)  # type: ignore[arg-type]
        return edited if what == "edit" else replace(edited, second=last.second)

    def _state(self, document_id: str, at: float) -> State | None:
        return next((state for state in reversed(self._history[document_id]) if state.at <= at), None)

    # webhooks

    def _announce(self, document_id: str, state: State) -> None:
        if self.random.random() < 0.2:
            return
        composed = self.now + self.random.choice((0, 0, self.random.uniform(0, 3)))
        form = self.random.choices(("document", "versionless", "mention"), (6, 1, 2))[0]
        for _ in range(self.random.choice((1, 1, 1, 2))):
            received = composed + self.random.choice((0.02, self.random.uniform(0, 3), self.random.uniform(0, 100)))
            self._at(received, partial(self._receive, document_id, form, composed, received))

    def _receive(self, document_id: str, form: str, composed: float, received: float) -> None:
        state = self._state(document_id, composed)
        full = form != "mention" and state is not None and state.alive
        sight = Sight(
            id=document_id,
            kind="document" if full else "mention",
            state=state,
            observed=received + self._skew,
            as_of=composed,
            webhook=True,
            versionless=form == "versionless",
        )
        known, current = self._known[document_id], self._state(document_id, received)
        if full:
            known.documents.append(sight)
        elif current is not None:
            known.hinted = current.n
        self._at(received + self.random.choice((0.01, self.random.uniform(0, 5))), lambda: self._deliver(sight))

    # lists and fetches

    def _read_list(self) -> None:
        permit, read, applied, lagging = self._times()

        def arrive() -> None:
            for document_id in self.ids:
                state = self._state(document_id, read)
                if state is not None and state.alive:
                    self._deliver(
                        Sight(
                            id=document_id, kind="list_row", state=state, observed=permit, as_of=read, lagging=lagging
                        )
                    )

        self._at(applied, arrive)

    def _fetch_leased(self) -> None:
        for document_id in self.system.lease(now=self.now):
            self._fetch(document_id, leased=True)

    def _fetch_unasked(self) -> None:
        self._fetch(self.random.choice(self.ids), leased=False)

    def _fetch(self, document_id: str, *, leased: bool) -> None:
        permit, read, applied, lagging = self._times()
        self._at(applied, lambda: self._deliver(self._answer(document_id, permit, read, lagging, leased)))

    def _times(self) -> tuple[float, float, float, bool]:
        """When the permit was taken, as of when Zoho answered, when the answer is applied, and whether it lagged."""
        lagging = self.random.random() < 0.15
        served = self.now + self.random.choice((0.02, self.random.uniform(0, 1)))
        read = self.now - self.random.uniform(0, 30) if lagging else served
        return self.now, read, served + self.random.choice((0.02, 0.5, self.random.uniform(0, 20))), lagging

    def _answer(self, document_id: str, permit: float, read: float, lagging: bool, leased: bool) -> Sight:
        state = self._state(document_id, read)
        alive = state is not None and state.alive
        sight = Sight(
            id=document_id,
            kind="document" if alive else "gone",
            state=state,
            observed=permit,
            as_of=read,
            lagging=lagging,
            leased=leased,
        )
        if alive:
            self._known[document_id].documents.append(sight)
        return sight

    # time

    def _at(self, time: float, event: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (time, self._sequence, event))

    def _pass(self, seconds: float) -> None:
        until = self.now + max(seconds, 0)
        while self._events and self._events[0][0] <= until:
            time, _, event = heapq.heappop(self._events)
            self.now = max(self.now, time)
            event()
        self.now = until

    def _deliver(self, sight: Sight) -> None:
        """Most sights are applied at once, some in one batch with what comes next."""
        self._inbox.append(sight)
        if sight.leased or self.random.random() < 0.7:
            self._flush()

    def _flush(self) -> None:
        batch, self._inbox = self._inbox, []
        self.random.shuffle(batch)
        self.log.extend(f"{self.now:8.2f} apply {sight}" for sight in batch)
        if batch:
            self.system.apply(batch, now=self.now)

    # the end

    def _apply_list(self) -> None:
        for document_id in self.ids:
            state = self._state(document_id, self.now)
            if state is not None and state.alive:
                self._inbox.append(
                    Sight(id=document_id, kind="list_row", state=state, observed=self.now, as_of=self.now)
                )
        self._flush()

    def _poll_and_drain(self) -> None:
        self._apply_list()
        absent = [
            document_id
            for document_id in self.system.live()
            if not ((state := self._state(document_id, self.now)) and state.alive)
        ]
        self.system.request(absent, now=self.now)
        self._drain()

    def _drain(self) -> None:
        """Fetch until nothing is asked for; whatever was fetched is then as Zoho holds it."""
        fetched: set[str] = set()
        for _ in range(_MOST_FETCHES):
            due = self.system.next_due()
            if due is None:
                self._check_fetched(fetched)
                return
            self._pass(max(due - self.now, 0.5))
            permit = self.now
            leased = self.system.lease(now=permit)
            fetched.update(leased)
            self._pass(0.3)
            self._inbox = [self._answer(document_id, permit, permit, False, True) for document_id in leased]
            self._flush()
        raise AssertionError(self._story("the backlog never becomes empty"))

    def _check_fetched(self, ids: set[str]) -> None:
        live = self.system.live()
        for document_id in ids:
            state = self._state(document_id, self.now)
            found = live.get(document_id)
            expected = (state.shared, state.detail) if state is not None and state.alive else None
            assert (found and (found[0], found[2])) == expected, self._story(f"{document_id}: {found} after its fetch")

    def _is_blind(self, document_id: str, final: State) -> bool:
        """Whether Zoho gave no way to tell that the document changed after one that it served.

        Such a change shows in no list (same shared value, no newer version than the served document's, or none that
        can be compared). Then only its webhook tells; and after a fetch from a lagging replica not even that.
        """
        known = self._known[document_id]
        told = any(sight.webhook and sight.state is not None and sight.state.n == final.n for sight in known.documents)
        told = told or known.hinted == final.n
        for sight in known.documents:
            state = sight.state
            if state is None or state.detail == final.detail or state.shared != final.shared:
                continue
            tellable = self.dialect.versioned and self.dialect.comparable and not sight.versionless
            if tellable and state.second < final.second:
                continue
            if not told or (not sight.webhook and sight.observed >= final.at):
                return True
        return False
