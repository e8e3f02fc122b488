"""Inventory adjustments: in Inventory alone, listed without lines and without a version; they move stock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import zoho_date
from cli.local.zoho_simulator.entities import adjustment_documents, line_items, products
from cli.local.zoho_simulator.entities.products import Item
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.organisation import LOCATIONS
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    InvalidValue,
    Listing,
    Predicate,
    Record,
    Refused,
    Totals,
    View,
    date_filters,
)
from cli.local.zoho_simulator.world import World


class AdjustedLine(NamedTuple):
    """What one item was adjusted by, and what that is worth."""

    line_id: str
    item_id: str
    name: str
    unit: str
    sku: str
    quantity: Decimal
    worth: Decimal


@dataclass(slots=True, kw_only=True)
class Adjustment(Record):
    """A correction of quantities, or of their value alone."""

    date: str
    reason: str
    lines: tuple[AdjustedLine, ...]
    kind: str = "quantity"
    location: int = 0
    reference: str = ""
    description: str = ""

    @property
    def total(self) -> Decimal:
        """What the stock is worth more, or less."""
        return sum((line.worth for line in self.lines), ZERO)


def _line(world: World, item: Item, quantity: Decimal) -> AdjustedLine:
    worth = ((item.purchase_rate or ZERO) * quantity).quantize(Decimal("0.001"))
    return AdjustedLine(line_items.next_id(world), item.id, item.name, item.unit, item.sku, quantity, worth)


def _lines(world: World, random: Random) -> tuple[AdjustedLine, ...]:
    items = [item for item in line_items.sellable(world) if item.tracked]
    if not items:
        raise Refused("no product in stock")
    chosen = random.sample(items, min(len(items), 1 + int(random.expovariate(0.5))))
    return tuple(_line(world, item, _quantity(random, item)) for item in chosen)


def _quantity(random: Random, item: Item) -> Decimal:
    amount = Decimal(random.randrange(1, 400)).scaleb(-1) if item.unit == "متر" else Decimal(random.randrange(1, 25))
    return -amount if random.random() < 0.6 else amount


def _new(world: World, random: Random, *, at: int) -> Adjustment:
    return Adjustment(
        id=world.table(ADJUSTMENTS).next_id(),
        created=at,
        modified=at,
        date=zoho_date(at),
        reason=random.choice(vocabulary.REASONS),
        lines=_lines(world, random),
        kind="quantity",
        location=random.choices(range(len(LOCATIONS)), weights=(6, 2, 1, 1, 1))[0],
        reference=f"REF-IA-{random.randrange(10**5):05d}" if random.random() < 0.4 else "",
        description="" if random.random() < 0.7 else "تعديل بعد الجرد",
    )


def generate(world: World, random: Random) -> Iterator[Adjustment]:
    """Mostly quantities; every twelfth corrects a value alone."""
    count = world.size("inventory", most=None if line_items.sold(world) else 0, needs="products")
    for index, at in enumerate(history.instants(random, count, end=world.history_end, days=900)):
        made = _new(world, random, at=at)
        made.modified = history.later(random, at, end=world.history_end, share=0.1)
        if index % 12 == 5:
            made.kind = "value"
        yield made


# -- changes


SETTERS: dict[str, fields.Setter] = {
    "date": ("date", fields.text),
    "reason": ("reason", fields.text),
    "description": ("description", fields.text),
    "reference_number": ("reference", fields.text),
    "adjustment_type": ("kind", fields.one_of("adjustment_type", "quantity", "value")),
}
COMPUTED = frozenset({"inventory_adjustment_id", "total", "reason_id", "created_time", "location_name"})
SHAPES = ("adjustment_row", "adjustment_document")
SPECIAL = ("line_items", "location_id")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def _given_lines(world: World, given: Any) -> tuple[AdjustedLine, ...]:
    return tuple(
        _line(world, item, decimal(entry.get("quantity_adjusted", 1)))
        for entry, item in line_items.named_items(world, given)
    )


def _position(world: World, given: Fields, default: int) -> int:
    if "location_id" not in given:
        return default
    place = world.tables["locations"].records.get(str(given["location_id"]))
    if place is None:
        raise Refused("no such location")
    return int(place.position)


def _post(world: World, made: Adjustment, sign: int) -> None:
    """Move the stock, or move it back with sign -1."""
    if made.kind == "quantity":
        for line in made.lines:
            products.move_stock(world, line.item_id, made.location, line.quantity * sign)


def create(world: World, random: Random, given: Fields) -> Adjustment:
    """A new adjustment, of random items unless lines are given."""
    plain = FIELDS.check(given)
    made = _new(world, random, at=world.seconds())
    made.location = _position(world, given, made.location)
    made.lines = _given_lines(world, given["line_items"]) if "line_items" in given else made.lines
    FIELDS.assign(made, plain)
    world.born(ADJUSTMENTS, made)
    _post(world, made, 1)
    return made


def edit(world: World, made: Adjustment, given: Fields, version: bool) -> None:
    """Set fields or lines; what was moved before is moved back first."""
    plain = FIELDS.check(given)
    place = _position(world, given, made.location)
    lines = _given_lines(world, given["line_items"]) if "line_items" in given else made.lines
    _post(world, made, -1)
    with world.editing(ADJUSTMENTS, made, version=version):
        made.lines, made.location = lines, place
        FIELDS.assign(made, plain)
    _post(world, made, 1)


def random_edit(world: World, made: Adjustment, random: Random) -> Fields:
    """What staff change."""
    choices: list[Fields] = [
        {"description": f"تعديل {random.randrange(1000)}"},
        {"reason": random.choice(vocabulary.REASONS)},
        {"reference_number": f"REF-IA-{random.randrange(10**5):05d}"},
    ]
    return random.choice(choices)


def delete(world: World, made: Adjustment) -> None:
    """The stock is as if it had never been."""
    _post(world, made, -1)
    world.bury(ADJUSTMENTS, made)


def totals(made: Adjustment) -> Totals:
    """What all adjustments are worth, in the base currency."""
    return "", {"total": made.total}


def _by_day(made: Adjustment) -> tuple[str, int]:
    return date.fromisoformat(made.date).isoformat(), made.created


def _filter_by(value: str) -> Predicate[Adjustment]:
    kinds = {"All": "", "ByQuantity": "quantity", "ByValue": "value"}
    name = value.partition(".")[2]
    if name not in kinds:
        raise InvalidValue(value)
    return lambda made: kinds[name] in ("", made.kind)


ADJUSTMENTS: EntitySpec[Adjustment] = EntitySpec(
    name="inventoryadjustments",
    label="Inventory Adjustment",
    path="inventoryadjustments",
    list_key="inventory_adjustments",
    detail_key="inventory_adjustment",
    id_key="inventory_adjustment_id",
    id_base=2_646_610_010_000_000_000,
    scopes={"inventory": "ZohoInventory.inventoryadjustments.READ"},
    listing=Listing(
        report_name="Inventory Adjustments",
        applied_filter="AdjustmentType.All",
        sort_column="date",
        sort_order="D",
        sort_keys={"date": _by_day, "created_time": lambda made: made.created, "reason": lambda made: made.reason},
        filters={"filter_by": _filter_by, **date_filters("date", lambda made: made.date)},
        filters_by_modified=lambda world: False,
    ),
    views=(View(name="inventory", shows=lambda made: True, sizes={"small": 10, "demo": 100, "tsh": 600}),),
    chosen_fields=("inventory_adjustment_id", "date", "reason", "total"),
    row=adjustment_documents.row,
    document=adjustment_documents.document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda made: True,
    home="inventory",
)
