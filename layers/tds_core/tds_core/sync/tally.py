"""What is counted while rows are recomputed: child rows on both sides, what nobody can read, references to nothing."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from decimal import Decimal
from typing import Any

from tds_core.database import stored
from tds_core.database.candidates import Candidate
from tds_core.database.connection import Database
from tds_core.database.ripples import values_at
from tds_core.database.stored import Stored
from tds_core.entities import entity
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.errors import InvalidId
from tds_core.ids import parse_id

_SAMPLES = 20


class Tally:
    """Figures that grow batch by batch and are kept with the run between them; amounts as exact text."""

    def __init__(self, figures: Mapping[str, Any] | None = None) -> None:
        self.figures: dict[str, Any] = deepcopy(dict(figures or {"children": {}, "orphans": {}}))

    def add(self, spec: EntitySpec, row: Stored, said: Candidate | None) -> None:
        """Count a row's children as its document states them and as the mirror has them, and what cannot be read."""
        unreadable = self.figures.setdefault("unreadable", {}).setdefault(spec.name, {})
        for column in said.unreadable if said else ():
            unreadable[column] = unreadable.get(column, 0) + 1
        for table in spec.children:
            theirs = said.children.get(table.table) if said else None
            ours = row.children[table.table]
            self._count(table.table, "zoho", ours if theirs is None else theirs)
            self._count(table.table, "erp", ours)

    def add_strays(self, table: ChildTable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count child rows that have no parent: only the mirror has them."""
        self._count(table.table, "erp", rows)

    def add_orphans(self, database: Database, spec: EntitySpec, rows: Iterable[Stored]) -> None:
        """Count the references of these documents to records that are not there."""
        told: dict[str, set[tuple[str, str]]] = {}
        for touch in spec.touches:
            known = told.setdefault(touch.entity, set())  # what another path of the same document led to
            named: dict[str, list[str]] = {}
            for row in rows:
                for value in values_at(row.zoho or {}, touch.path):
                    with suppress(InvalidId):  # a line without an item
                        if (referred := parse_id(value), row.id) not in known:
                            named.setdefault(referred, []).append(row.id)
            known |= {(referred, holder) for referred, holders in named.items() for holder in holders}
            lost = stored.unknown(database, entity(touch.entity), named)
            if lost:
                found = self.figures["orphans"].setdefault(spec.name, {"count": 0, "samples": []})
                found["count"] += sum(len(named[one]) for one in lost)
                for one in sorted(lost)[: _SAMPLES - len(found["samples"])]:
                    sample = {"id": named[one][0], "field": touch.path, "entity": touch.entity, "refers_to": one}
                    found["samples"].append(sample)

    def _count(self, table: str, side: str, rows: Iterable[Mapping[str, Any]]) -> None:
        empty: dict[str, Any] = {"count": 0, "totals": {}}
        figures = self.figures["children"].setdefault(table, {"zoho": deepcopy(empty), "erp": deepcopy(empty)})[side]
        for row in rows:
            figures["count"] += 1
            for name, value in row.items():
                if isinstance(value, Decimal):
                    figures["totals"][name] = str(Decimal(figures["totals"].get(name, "0")) + value)
