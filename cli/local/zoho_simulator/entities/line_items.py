"""The lines of documents: items with a quantity and a rate, random or as a caller wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from cli.local.zoho_simulator.entities.products import ITEMS, PLACEHOLDER, Item
from cli.local.zoho_simulator.money import Currency, converted, decimal
from cli.local.zoho_simulator.records import Json, Refused
from cli.local.zoho_simulator.world import World

LINE_ID_BASE = 2_646_610_013_000_000_000


class Line(NamedTuple):
    """One line; name, unit and sku are as they were when it was written."""

    line_id: str
    item_id: str
    name: str
    unit: str
    quantity: Decimal
    rate: Decimal
    sku: str = ""


def next_id(world: World) -> str:
    """The id of another line; a document that is saved again gets new ones."""
    return world.counter("lines", LINE_ID_BASE, step=3)


def line(world: World, item: Item, *, quantity: Decimal, rate: Decimal, name: str | None = None) -> Line:
    """A new line; it keeps the item's name, unit and sku as they are now."""
    return Line(next_id(world), item.id, item.name if name is None else name, item.unit, quantity, rate, item.sku)


def price(item: Item, currency: Currency) -> Decimal:
    """The item's price in the customer's currency."""
    return converted(item.rate, currency)


Pricing = Callable[[Item, Currency], Decimal]


def _is_sold(item: Item) -> bool:
    return item.rate != PLACEHOLDER and item.rate > 0


def sold(world: World) -> bool:
    """Whether there is anything to sell, and to keep in stock."""
    return any(_is_sold(item) and item.tracked for item in world.table(ITEMS).records.values())


def sellable(world: World) -> list[Item]:
    """Items that documents name; placeholders are not sold."""
    items = [item for item in world.table(ITEMS).records.values() if _is_sold(item)]
    if not items:
        raise Refused("no product to sell")
    return items


def quantity_of(random: Random, item: Item) -> Decimal:
    """How much of an item one line takes."""
    if item.unit == "متر":
        return Decimal(random.randrange(5, 3000)).scaleb(-1)
    return Decimal(int(random.lognormvariate(2.2, 1.2)) + 1)


def random_lines(world: World, random: Random, items: list[Item], currency: Currency, count: int) -> tuple[Line, ...]:
    """Some lines; the first items are named most."""
    lines = []
    for _ in range(count):
        item = items[int(random.random() ** 2 * len(items))]
        quantity = quantity_of(random, item)
        lines.append(line(world, item, quantity=quantity, rate=price(item, currency)))
    return tuple(lines)


def line_count(random: Random) -> int:
    """How many lines a document has, three on the average."""
    return min(12, 1 + int(random.expovariate(0.3)))


def named_items(world: World, given: Any) -> Iterator[tuple[Json, Item]]:
    """Each line that a caller of the control interface wants, and its item; raises Refused."""
    if not isinstance(given, list) or not given:
        raise Refused("line_items: a list with at least one line")
    for entry in given:
        item = world.table(ITEMS).records.get(str(entry.get("item_id", "")))
        if item is None:
            raise Refused(f"line_items: unknown item {entry.get('item_id')}")
        yield entry, item


def given_lines(world: World, currency: Currency, given: Any, *, priced: Pricing = price) -> tuple[Line, ...]:
    """Lines that a caller wants; those without a rate at what the item is `priced`."""
    lines = []
    for entry, item in named_items(world, given):
        rate = decimal(entry["rate"]) if "rate" in entry else priced(item, currency)
        quantity = decimal(entry.get("quantity", 1))
        lines.append(line(world, item, quantity=quantity, rate=rate, name=str(entry.get("name", item.name))))
    return tuple(lines)


def wanted_lines(world: World, random: Random) -> list[Json]:
    """Lines as a caller would give them."""
    items = sellable(world)
    return [
        {"item_id": random.choice(items).id, "quantity": random.randrange(1, 60)} for _ in range(random.randrange(1, 9))
    ]
