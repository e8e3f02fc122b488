"""The organisation: its tables, its history of changes, and the one way in which anything changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any, TypeVar

import msgspec

from cli.local.zoho_simulator import clock
from cli.local.zoho_simulator.options import Options
from cli.local.zoho_simulator.organisation import Organisation
from cli.local.zoho_simulator.records import EntitySpec, Json, Product, Record, Table

R = TypeVar("R", bound=Record)
HISTORY_S = 900
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change that may be announced; `document` is what the detail showed when it happened."""

    spec: EntitySpec[Any]
    event: str
    id: str
    document: Json
    derived: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What a record was until an instant; None when it did not exist."""

    until: float
    spec: EntitySpec[Any]
    id: str
    state: Record | None


SETTINGS_SCOPES = frozenset({"ZohoBooks.settings.READ", "ZohoInventory.settings.READ"})


def all_scopes(specs: tuple[EntitySpec[Any], ...]) -> frozenset[str]:
    """What the project's own client may read."""
    return SETTINGS_SCOPES.union(scope for spec in specs for scope in spec.scopes.values())


def encode(value: object) -> bytes:
    """JSON as Zoho sends it: compact, not escaped to ASCII."""
    return _ENCODER.encode(value)


class World:
    """One organisation; not thread-safe, everything happens in the server's event loop."""

    def __init__(self, options: Options, specs: tuple[EntitySpec[Any], ...], now: clock.Now) -> None:
        self.options = options
        self.now = now
        self.base_date = options.base_date or clock.today(now())
        self.organisation = Organisation(seed=options.seed, opened=self.base_date)
        self.specs = specs
        self.sizes = self._sizes(specs)
        self.scopes = options.scopes if options.scopes is not None else all_scopes(specs)
        self.tables: dict[str, Table[Any]] = {spec.name: Table(spec) for spec in specs}
        self.memory: dict[str, Any] = {}  # counters that an entity keeps
        self.listeners: list[Callable[[Event], None]] = []
        self.past: deque[Past] = deque()
        self._pending: list[tuple[EntitySpec[Any], Record, str, bool]] | None = None
        self._gone: list[Event] = []
        for spec in specs:
            table = self.tables[spec.name]
            for record in spec.generate(self, self.random(spec.name)):
                table.add(record)

    def _sizes(self, specs: tuple[EntitySpec[Any], ...]) -> dict[str, int]:
        known = {view.name: view.sizes[self.options.size] for spec in specs for view in spec.views}
        known.update({spec.parts.name: spec.parts.sizes[self.options.size] for spec in specs if spec.parts})
        if unknown := set(self.options.counts) - set(known):
            raise ValueError(f"unknown entity in counts: {', '.join(sorted(unknown))}")
        return {**known, **self.options.counts}

    def size(self, name: str, *, most: int | None = None, needs: str = "") -> int:
        """How many records to make; what the others do not allow is left out unless it was asked for."""
        wanted = self.sizes[name]
        if most is None or wanted <= most:
            return wanted
        if name in self.options.counts:
            raise ValueError(f"{name} need {needs}: there can be {most}")
        return most

    def random(self, purpose: str) -> Random:
        """A source of its own for each purpose, so that more invoices do not change the items."""
        return Random(f"{self.options.seed}/{purpose}")  # noqa: S311 (seeded data, no secret)

    def counter(self, name: str, base: int, *, step: int = 7) -> str:
        """The next id of something that is no record of its own: an application, a refund, an image."""
        self.memory[name] = serial = self.memory.get(name, 0) + 1
        return str(base + serial * step)

    def table(self, spec: EntitySpec[R]) -> Table[R]:
        """The live records of a collection."""
        return self.tables[spec.name]

    @property
    def history_end(self) -> int:
        """The instant before which everything generated happened."""
        return clock.midnight(self.base_date)

    def seconds(self) -> int:
        """The current instant at Zoho's resolution."""
        return int(self.now())

    def today(self) -> date:
        """The organisation's calendar day."""
        return clock.today(self.now())

    # -- changes

    @contextmanager
    def change(self, *, webhook: bool = True) -> Iterator[None]:
        """One change and all that follows from it; it is announced when it is complete."""
        if self._pending is not None:
            yield
            return
        self._pending, self._gone = [], []
        try:
            yield
            events = self._events() if webhook else []
        finally:
            self._pending = None
        for event in events:
            for listener in self.listeners:
                listener(event)

    @contextmanager
    def editing(
        self, spec: EntitySpec[R], record: R, *, version: bool = True, announce: bool = True, derived: bool = False
    ) -> Iterator[R]:
        """Change a record inside; `version=False` leaves last_modified_time where it is."""
        self._remember(spec, record.id, record.snapshot())
        yield record
        if version:
            record.modified = max(self.seconds(), record.created)
        record.forget()
        self.table(spec).changed(record.id)
        self._forget_shown(spec)
        if announce and spec.announces and self._pending is not None:
            self._pending.append((spec, record, "updated", derived))

    def born(self, spec: EntitySpec[R], record: R, *, derived: bool = False) -> R:
        """Make a new record live."""
        self._remember(spec, record.id, None)
        self.table(spec).add(record)
        self._forget_shown(spec)
        if spec.announces and self._pending is not None:
            self._pending.append((spec, record, "created", derived))
        return record

    def bury(self, spec: EntitySpec[R], record: R) -> None:
        """Take a record away; Zoho keeps no trace of it."""
        self._remember(spec, record.id, record.snapshot())
        if spec.announces and self._pending is not None:
            document = spec.document(self, record, spec.home)
            self._gone.append(Event(spec=spec, event="deleted", id=record.id, document=document, derived=False))
        self.table(spec).remove(record)
        self._forget_shown(spec)
        for other in self.specs:
            if other.bereaved is not None:
                other.bereaved(self, spec.name, record.id)

    def forget_rows(self, contact_id: str) -> None:
        """A contact was renamed: what shows its name is written anew, without a new version."""
        for table in self.tables.values():
            for record in table.records.values():
                if contact_id == getattr(record, "contact_id", None):
                    record.forget()

    def _forget_shown(self, spec: EntitySpec[Any]) -> None:
        for name in spec.shown_in:
            for record in self.tables[name].records.values():
                record.forget()

    def _remember(self, spec: EntitySpec[Any], record_id: str, state: Record | None) -> None:
        now = self.now()
        self.past.append(Past(now, spec, record_id, state))
        while self.past and self.past[0].until < now - HISTORY_S:
            self.past.popleft()

    def _events(self) -> list[Event]:
        """Created swallows updated; a record that is gone again is not announced as changed."""
        best: dict[tuple[str, str], tuple[EntitySpec[Any], Record, str, bool]] = {}
        for spec, record, event, derived in self._pending or ():
            known = best.get((spec.name, record.id))
            if known is not None:
                event, derived = known[2], known[3] and derived
            best[(spec.name, record.id)] = (spec, record, event, derived)
        events = [
            Event(
                spec=spec, event=event, id=record.id, document=spec.document(self, record, spec.home), derived=derived
            )
            for spec, record, event, derived in best.values()
            if record.id in self.tables[spec.name].records
        ]
        return [*events, *self._gone]

    # -- reading

    def last_state(self, spec: EntitySpec[R], record_id: str) -> R:
        """A record, or what it was before it was deleted; raises KeyError when it never was."""
        live = self.table(spec).records.get(record_id)
        if live is not None:
            return live
        for past in reversed(self.past):
            if past.spec is spec and past.id == record_id and past.state is not None:
                found: Any = past.state
                return found  # type: ignore[no-any-return]
        raise KeyError(record_id)

    def row_bytes(self, spec: EntitySpec[R], record: R, product: Product) -> bytes:
        """A list row, encoded once per state of the record."""
        encoded = record.rows.get(product)
        if encoded is None:
            encoded = record.rows[product] = encode(spec.row(self, record, product))
        return encoded

    def document_bytes(self, spec: EntitySpec[R], record: R, product: Product) -> bytes:
        """A document; where many are read at once it is encoded once per state of the record."""
        encoded = record.details.get(product)
        if encoded is None:
            encoded = encode(spec.document(self, record, product))
            if spec.bulk is not None:
                record.details[product] = encoded
        return encoded

    def encode_all(self) -> None:
        """Encode what is kept encoded and the project reads: first answers are as fast as later ones."""
        for spec in self.specs:
            for record in self.table(spec).records.values():
                self.row_bytes(spec, record, spec.home)
                if spec.bulk is not None:
                    self.document_bytes(spec, record, spec.home)

    def states_before(self, spec: EntitySpec[R], lag_s: float) -> Mapping[str, Record | None]:
        """What the records that changed in the last `lag_s` seconds were before; None: not there yet."""
        limit, before = self.now() - lag_s, {}
        for past in reversed(self.past):
            if past.until < limit:
                break
            if past.spec is spec:
                before[past.id] = past.state
        return before

    def as_of(self, spec: EntitySpec[R], lag_s: float) -> dict[str, R]:
        """Every record of a collection as it was `lag_s` seconds ago."""
        records: dict[str, Any] = dict(self.table(spec).records)
        for record_id, state in self.states_before(spec, lag_s).items():
            if state is None:
                records.pop(record_id, None)
            else:
                records[record_id] = state
        return records
