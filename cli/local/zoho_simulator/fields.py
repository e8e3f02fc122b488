"""Fields that a caller sets on a record: some change its state, some only what is shown, some follow from others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.local.zoho_simulator.records import Fields, Record, Refused
from cli.local.zoho_simulator.shapes import shape

Setter = tuple[str, Callable[[Any], Any]]


def text(value: object) -> str:
    """A text as Zoho stores it: never null."""
    if value is None:
        return ""
    if isinstance(value, (dict, list, bool)):
        raise TypeError(f"not a text: {value!r}")
    return str(value)


def one_of(name: str, *values: str, note: str = "") -> Callable[[object], str]:
    """A field that takes these texts alone."""

    def parse(value: object) -> str:
        if value not in values:
            raise ValueError(f"{name}: one of {', '.join(values)}{note}")
        return str(value)

    return parse


def check(fields: Fields, setters: Mapping[str, Setter], *, computed: frozenset[str], shapes: tuple[str, ...]) -> None:
    """Refuse what cannot be set before anything is changed."""
    shown = {name for shape_name in shapes for name in shape(shape_name)}
    for name in fields:
        if name in computed:
            raise Refused(f"{name} follows from other records and cannot be set")
        if name not in setters and name not in shown and not name.startswith("cf_"):
            raise Refused(f"unknown field {name}")
        if name in setters:
            setters[name][1](fields[name])


def keep(given: Fields, name: str, held: str, refusal: str) -> None:
    """Refuse another value of a field that a record keeps for good."""
    if str(given.get(name, held)) != held:
        raise Refused(refusal)


def assign(record: Record, fields: Fields, setters: Mapping[str, Setter]) -> None:
    """Put checked fields into the record's state, and all others into its overlay."""
    overlay = dict(record.overlay)
    for name, value in fields.items():
        if name in setters:
            attribute, convert = setters[name]
            setattr(record, attribute, convert(value))
        else:
            overlay[name] = value
    record.overlay = overlay


@dataclass(frozen=True, slots=True, kw_only=True)
class Settable:
    """What a caller may set on an entity's records; the fields named by `special` the entity treats itself."""

    setters: Mapping[str, Setter]
    computed: frozenset[str]
    shapes: tuple[str, ...]
    special: tuple[str, ...] = ()

    def check(self, given: Fields) -> Fields:
        """The given fields without the special ones; raises Refused before anything is changed."""
        plain = {name: value for name, value in given.items() if name not in self.special}
        check(plain, self.setters, computed=self.computed, shapes=self.shapes)
        return plain

    def assign(self, record: Record, given: Fields) -> None:
        """Put what `check` returned into the record."""
        assign(record, given, self.setters)
