"""The ordering rule against a simulated Zoho: in whatever order things arrive, the mirror ends equal to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tds_core.database.ordering import Clock, Decision, Kind, Moment, Observation, Outcome, Record, advance, decide
from tests.ordering_world import COMPARABLE, INCOMPARABLE, UNVERSIONED, Dialect, Sight, World, instant

EXAMPLES = 1500
BATCHES = 4
MOST_BLIND = 0.15
_LEASE_S = 120.0
_LAG_S = 60.0
_DAY_S = 86_400.0


@dataclass(slots=True)
class Waiting:
    """A backlog row, as section 6 of the design states it."""

    requested: float
    not_before: float
    leased_at: float | None = None
    lags: int = 0


@dataclass(slots=True)
class Row:
    """A mirror row with the states that each track was written from."""

    record: Record
    shared: int | None = None
    listed: int | None = None
    detail: int | None = None
    header: Sight | None = None
    list_row: Sight | None = None
    document: Sight | None = None


class PureMirror:
    """The rule on plain objects; every write is checked for safety on its way."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.rows: dict[str, Row] = {}
        self.backlog: dict[str, Waiting] = {}

    def apply(self, sights: Sequence[Sight], *, now: float) -> None:
        for sight in sights:
            lagging = self._apply(sight, now)
            waiting = self.backlog.get(sight.id)
            if sight.leased and waiting is not None:
                self._end_lease(sight, waiting, lagging, now)

    def request(self, ids: Sequence[str], *, now: float) -> None:
        for document_id in ids:
            waiting = self.backlog.setdefault(document_id, Waiting(now, now))
            waiting.requested, waiting.not_before = now, min(waiting.not_before, now)

    def lease(self, *, now: float) -> list[str]:
        due = [
            document_id
            for document_id, waiting in self.backlog.items()
            if waiting.not_before <= now and (waiting.leased_at is None or now - waiting.leased_at > _LEASE_S)
        ]
        for document_id in due:
            self.backlog[document_id].leased_at = now
        return due

    def next_due(self) -> float | None:
        times = [
            max(waiting.not_before, waiting.leased_at + _LEASE_S if waiting.leased_at is not None else 0)
            for waiting in self.backlog.values()
        ]
        return min(times, default=None)

    def live(self) -> dict[str, tuple[int, int | None, int | None]]:
        return {
            document_id: (row.shared or 0, row.listed, row.detail)
            for document_id, row in self.rows.items()
            if row.record.exists and row.record.deleted_at is None
        }

    def _apply(self, sight: Sight, now: float) -> bool:
        row = self.rows.setdefault(sight.id, Row(Record()))
        seen = self._observation(sight)
        before = row.record
        decision = decide(before, seen)
        row.record = advance(before, seen, decision)
        self._check(sight, row, before, decision)
        if decision.write_header and sight.state is not None:
            if row.shared != sight.state.shared or row.header is None:
                row.shared, row.header = sight.state.shared, sight
            if sight.kind == "list_row":
                row.listed, row.list_row = sight.state.listed, sight
        if decision.write_document and sight.state is not None:
            row.detail, row.document = sight.state.detail, sight
        if decision.request:
            self.request([sight.id], now=now)
        return decision.lagging

    def _end_lease(self, sight: Sight, waiting: Waiting, lagging: bool, now: float) -> None:
        waiting.leased_at = None
        if lagging:
            waiting.lags += 1
            waiting.not_before = now + (_LAG_S if waiting.lags < 3 else _DAY_S)
        elif waiting.requested < sight.observed:
            del self.backlog[sight.id]

    def _observation(self, sight: Sight) -> Observation:
        observed = Moment(at=instant(sight.observed), clock=Clock.WEBHOOK if sight.webhook else Clock.FETCH)
        state = sight.state
        if state is None or sight.kind in ("gone", "mention"):
            return Observation(kind=Kind(sight.kind), observed=observed)
        listed = sight.kind == "list_row"
        version = self.dialect.list_version(state) if listed else self.dialect.document_version(state)
        return Observation(
            kind=Kind(sight.kind),
            observed=observed,
            version=None if sight.versionless else version,
            hash=repr((state.shared, state.listed if listed else state.detail, listed)).encode(),
            comparable=self.dialect.comparable,
            shared={"shared": state.shared},
        )

    def _check(self, sight: Sight, row: Row, before: Record, decision: Decision) -> None:
        """What must hold of every single step."""
        if sight.webhook and before.deleted_at is not None:
            assert not decision.write_header and not decision.write_document, "a webhook resurrects a deleted record"
            assert row.record.deleted_at == before.deleted_at
        if decision.outcome is Outcome.TIE:
            assert row.record == before and decision.request, "a tie writes or is not settled"
        if decision.write_header and row.shared != getattr(sight.state, "shared", None):
            assert not self._is_wronged(sight, row.header, decision), "an older state overwrites a newer header"
        if decision.write_header and sight.kind == "list_row":
            assert not self._is_wronged(sight, row.list_row, decision), "an older list row overwrites a newer one"
        if decision.write_document:
            assert not self._is_wronged(sight, row.document, decision), "an older document overwrites a newer one"

    def _is_wronged(self, sight: Sight, written: Sight | None, decision: Decision) -> bool:
        """Whether what was written is overwritten by what is older by its version, and that could be known."""
        if written is None or written.state is None or sight.state is None:
            return False
        if sight.state.second >= written.state.second or decision.outcome is Outcome.RESTORED:
            return False
        alike = sight.kind == written.kind or self.dialect.comparable
        if self.dialect.versioned and alike and not sight.versionless and not written.versionless:
            return True
        # without versions to compare, a lagging replica is believed, and so is the later one of two calls at a time
        return not sight.lagging and (written.webhook or written.as_of < sight.observed)


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("dialect", [COMPARABLE, INCOMPARABLE, UNVERSIONED], ids=lambda dialect: dialect.name)
def test_the_mirror_ends_equal_to_zoho_whatever_the_order(dialect: Dialect, batch: int) -> None:
    blind = records = 0
    for example in range(EXAMPLES // BATCHES):
        seed = batch * EXAMPLES + example
        # short histories first: the first failure is then easy to read
        world = World(seed, dialect, PureMirror(dialect), ids=("1", "2")[: 1 + seed % 2])
        try:
            world.run(3 + example // 8)
            world.settle()
            world.check()
        except AssertionError as exc:
            raise AssertionError("\n".join([f"seed {seed}", str(exc), *world.log])) from exc
        blind, records = blind + world.blind, records + len(world.ids)
    assert blind < MOST_BLIND * records, f"{blind} of {records} records are excluded, so little is proved"
