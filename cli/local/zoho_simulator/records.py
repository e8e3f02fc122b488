"""What an entity is to the simulator: a record's state, and a spec that says how the entity is listed and shown."""

from __future__ import annotations

import copy
import operator
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

if TYPE_CHECKING:
    from cli.local.zoho_simulator.world import World

Product = Literal["books", "inventory"]
Json = dict[str, Any]
Fields = Mapping[str, Any]
Totals = tuple[str, Mapping[str, Decimal]]


class Refused(Exception):
    """A change that the organisation's books do not allow."""


class InvalidValue(ValueError):
    """A query parameter that Zoho answers with code 2."""


@dataclass(slots=True, kw_only=True)
class Record:
    """The compact state from which list rows and documents are written.

    Values inside are replaced, never changed in place: a shallow copy is a snapshot. `overlay` holds fields that a
    caller of the control interface set and that follow from nothing else.
    """

    id: str
    created: int
    modified: int
    overlay: Mapping[str, Any] = field(default_factory=dict)
    rows: dict[Product, bytes] = field(default_factory=dict)  # encoded, until the record changes
    details: dict[Product, bytes] = field(default_factory=dict)  # as well, where many are read at once

    def forget(self) -> None:
        """What was encoded holds no longer."""
        self.rows, self.details = {}, {}

    def snapshot(self) -> Self:
        """The record as it is now, whatever happens to it later."""
        taken = copy.copy(self)
        taken.rows, taken.details = dict(self.rows), dict(self.details)
        return taken


R = TypeVar("R", bound=Record)
Predicate = Callable[[R], bool]


@dataclass(frozen=True, kw_only=True)
class View(Generic[R]):
    """The part of a Zoho list that the project calls an entity: customers and vendors are both contacts."""

    name: str
    shows: Predicate[R]
    sizes: Mapping[str, int]
    defaults: Fields = field(default_factory=dict)
    busy: bool = True  # staff change such records all day
    told: bool = True  # the truth is told about them: the project mirrors them


@dataclass(frozen=True, kw_only=True)
class Parts(Generic[R]):
    """What the project counts apart from the records that hold it: the prices of price lists."""

    name: str
    sizes: Mapping[str, int]
    of: Callable[[R], Iterable[Totals]]


@dataclass(frozen=True, kw_only=True)
class Below(Generic[R]):
    """What lies below a record or a list in the path: its key in the answer and its values.

    Without `key` the value is a whole answer: a type and bytes, or None when there is nothing.
    """

    key: str
    values: Callable[[World, R, Product], Any]
    paged: Callable[[World], bool] | None = None
    offered: Callable[[World], bool] = lambda world: True
    context: Fields = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[R]):
    """How a list behaves: what page_context names, which columns sort it, which parameters filter it."""

    report_name: str
    applied_filter: str
    sort_column: str
    sort_order: str
    sort_keys: Mapping[str, Callable[[R], Any]]
    filters: Mapping[str, Callable[[str], Predicate[R]]]
    filters_by_modified: Callable[[World], bool]
    context: Fields = field(default_factory=dict)
    paged: bool = True
    default: Callable[[World, R], bool] | None = None  # what the list shows of all, None: everything
    inventory_filters: bool = True  # False: Inventory ignores every filter of this list without a word


@dataclass(frozen=True, kw_only=True)
class EntitySpec(Generic[R]):
    """One of Zoho's collections; everything that differs between two of them is a field here."""

    name: str
    label: str
    path: str
    list_key: str
    detail_key: str
    id_key: str
    id_base: int
    scopes: Mapping[Product, str]
    listing: Listing[R]
    views: tuple[View[R], ...]
    chosen_fields: tuple[str, ...]  # of a webhook that carries only some
    row: Callable[[World, R, Product], Json]
    document: Callable[[World, R, Product], Json]
    totals: Callable[[R], Totals]
    generate: Callable[[World, Random], Iterable[R]]
    create: Callable[[World, Random, Fields], R]
    edit: Callable[[World, R, Fields, bool], None]
    random_edit: Callable[[World, R, Random], Fields]
    delete: Callable[[World, R], None]
    may_delete: Predicate[R]
    home: Product = "books"  # from which the project reads it
    announces: bool = True  # whether workflow rules exist for it
    reachable: Callable[[World, R], bool] = lambda world, record: True  # whether its detail is served
    offers_detail: Callable[[World], bool] = lambda world: True
    parts: Parts[R] | None = None
    below: Mapping[str, Below[R]] = field(default_factory=dict)
    beside: Mapping[str, Below[Any]] = field(default_factory=dict)  # of the whole collection
    list_extra: Callable[[World, R, Json, Mapping[str, str]], Json] | None = None  # a row that a query makes longer
    list_extra_of: frozenset[str] = frozenset()  # the parameters that do
    bereaved: Callable[[World, str, str], None] | None = None  # a record of another collection is gone
    bulk: tuple[str, str] | None = None  # a path that takes many ids in this parameter
    shown_in: tuple[str, ...] = ()  # the collections with `bulk` whose documents name its records
    age: Callable[[World, str], None] | None = None  # what a new day changes by itself


class Ordering(Generic[R]):
    """The live records of a collection by one column; a record that changed finds its new place alone."""

    def __init__(self, key: Callable[[R], Any], records: Mapping[str, R]) -> None:
        self._key = key
        self._key_of = {record.id: (key(record), record.id) for record in records.values()}
        self._keys = sorted(self._key_of.values())
        self._rows = [records[record_id] for _, record_id in self._keys]
        self._changed: set[str] = set()

    def change(self, record_id: str) -> None:
        """A record is new, gone or another."""
        self._changed.add(record_id)

    def rows(self, records: Mapping[str, R], order: str) -> list[R]:
        """The records, ascending or (D) descending; callers never change the list."""
        for record_id in self._changed:
            self._take_out(record_id)
            if record_id in records:
                self._put_in(records[record_id])
        self._changed.clear()
        return self._rows[::-1] if order == "D" else self._rows

    def _take_out(self, record_id: str) -> None:
        if record_id in self._key_of:
            at = bisect_left(self._keys, self._key_of.pop(record_id))
            del self._keys[at], self._rows[at]

    def _put_in(self, record: R) -> None:
        key = self._key_of[record.id] = (self._key(record), record.id)
        at = bisect_left(self._keys, key)
        self._keys.insert(at, key)
        self._rows.insert(at, record)


class Table(Generic[R]):
    """All live records of one collection, with the orders in which they were asked for."""

    def __init__(self, spec: EntitySpec[R]) -> None:
        self.spec = spec
        self.records: dict[str, R] = {}
        self._serial = 0
        self._orders: dict[str, Ordering[R]] = {}

    def __len__(self) -> int:
        return len(self.records)

    def next_id(self) -> str:
        """A new id; ids of 19 digits overflow a double, as Zoho's do."""
        self._serial += 1
        return str(self.spec.id_base + 100_000 + self._serial * 17)

    def add(self, record: R) -> R:
        """Make a record live."""
        self.records[record.id] = record
        self.changed(record.id)
        return record

    def remove(self, record: R) -> None:
        """Let a record be no more."""
        del self.records[record.id]
        self.changed(record.id)

    def changed(self, record_id: str) -> None:
        """A record may have another place in every order now."""
        for order in self._orders.values():
            order.change(record_id)

    def ordered(self, column: str, order: str) -> list[R]:
        """Every live record by a column; ties stand in the order of their ids."""
        known = self._orders.get(column)
        if known is None:
            known = self._orders[column] = Ordering(self.spec.listing.sort_keys[column], self.records)
        return known.rows(self.records, order)


def pick(records: Iterable[R], random: Random, holds: Predicate[R]) -> R | None:
    """A random record that holds; a few are tried before all are looked at, since most changes want any of many."""
    known = list(records)
    for _ in range(min(len(known), 200)):
        record = random.choice(known)
        if holds(record):
            return record
    fitting = [record for record in known if holds(record)]
    return random.choice(fitting) if fitting else None


def sort_records(records: Iterable[R], listing: Listing[R], column: str, order: str) -> list[R]:
    """The records by one column of the list, the id deciding between equals."""
    key = listing.sort_keys[column]
    return sorted(records, key=lambda record: (key(record), record.id), reverse=order == "D")


def overlaid(document: Json, overlay: Mapping[str, Any], *, base: Json | None = None) -> Json:
    """The document with what was set by hand: custom fields, and keys of it, or of its `base` if that is given."""
    known = document if base is None else base
    for name, value in overlay.items():
        if name in known or name.startswith("cf_"):
            document[name] = value
    return document


def everything(record: Record) -> bool:
    """What a filter that leaves nothing out holds of a record."""
    return True


def choice(predicates: Mapping[str, Predicate[R]]) -> Callable[[str], Predicate[R]]:
    """A parameter that takes these values and no others."""

    def parse(value: str) -> Predicate[R]:
        if value not in predicates:
            raise InvalidValue(value)
        return predicates[value]

    return parse


def date_filters(name: str, day: Callable[[R], str]) -> dict[str, Callable[[str], Predicate[R]]]:
    """`name`, `name_start`, `name_end`, `name_before` and `name_after`, as Zoho's lists take them."""

    def filter_of(holds: Callable[[str, str], bool]) -> Callable[[str], Predicate[R]]:
        def parse(value: str) -> Predicate[R]:
            try:
                wanted = date.fromisoformat(value).isoformat()
            except ValueError as exc:
                raise InvalidValue(value) from exc
            return lambda record: holds(day(record), wanted)

        return parse

    return {
        name: filter_of(operator.eq),
        f"{name}_start": filter_of(operator.ge),
        f"{name}_end": filter_of(operator.le),
        f"{name}_before": filter_of(operator.lt),
        f"{name}_after": filter_of(operator.gt),
    }
