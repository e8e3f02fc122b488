"""What bills and purchase orders have in common: vendors, and lines at what the items cost."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from cli.local.zoho_simulator import history, vocabulary
from cli.local.zoho_simulator.entities import contacts, line_items
from cli.local.zoho_simulator.entities.contacts import Contact
from cli.local.zoho_simulator.entities.line_items import Line
from cli.local.zoho_simulator.entities.products import Item
from cli.local.zoho_simulator.entities.trade import Trade
from cli.local.zoho_simulator.money import Currency, converted
from cli.local.zoho_simulator.organisation import LOCATIONS
from cli.local.zoho_simulator.records import EntitySpec
from cli.local.zoho_simulator.world import World

T = TypeVar("T", bound=Trade)


def cost(item: Item, currency: Currency) -> Decimal:
    """What the item is bought for, in the vendor's currency."""
    return converted(item.purchase_rate or item.rate, currency)


def random_lines(world: World, random: Random, currency: Currency) -> tuple[Line, ...]:
    """Some lines, seven on the average."""
    count, items = 1 + int(random.expovariate(0.15)), line_items.sellable(world)
    chosen = [random.choice(items) for _ in range(count)]
    return tuple(
        line_items.line(world, item, quantity=Decimal(random.randrange(1, 40) * 10), rate=cost(item, currency))
        for item in chosen
    )


def possible(world: World, name: str) -> int:
    """How many documents of a kind can be made; without vendors or products there are none."""
    can_be = contacts.of_kind(world, "vendor") and line_items.sold(world)
    return world.size(name, most=None if can_be else 0, needs="vendors and products")


def occasions(world: World, random: Random, count: int) -> Iterator[tuple[int, Contact]]:
    """When something was bought before the simulation, and of whom; the first vendors are named most."""
    vendors = contacts.of_kind(world, "vendor")
    for at in history.instants(random, count, end=world.history_end, days=1250):
        yield at, vendors[int(random.random() ** 1.7 * len(vendors))]


def begin(
    kind: type[T], world: World, random: Random, spec: EntitySpec[T], vendor: Contact, *, at: int, **further: Any
) -> T:
    """A new document of a vendor, open and with random lines."""
    return kind.begin(
        world,
        spec,
        vendor,
        at=at,
        terms=vendor.terms,
        lines=random_lines(world, random, vendor.currency),
        status="open",
        location=random.choices(range(len(LOCATIONS)), weights=(6, 1, 0, 3, 0))[0],
        reference=f"CTN-{random.randrange(10**4)}" if random.random() < 0.2 else "",
        notes=random.choice(vocabulary.NOTES) if random.random() < 0.2 else "",
        **further,
    )
