"""What bills and purchase orders have in common: lines at what the items cost."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from cli.local.zoho_simulator.entities import trade
from cli.local.zoho_simulator.entities.products import ITEMS, Item
from cli.local.zoho_simulator.entities.trade import Line
from cli.local.zoho_simulator.money import Currency
from cli.local.zoho_simulator.world import World


def cost(item: Item, currency: Currency) -> Decimal:
    """What the item is bought for, in the vendor's currency."""
    return trade.converted(item.purchase_rate or item.rate, currency)


def random_lines(world: World, random: Random, currency: Currency) -> tuple[Line, ...]:
    """Some lines, seven on the average."""
    count = 1 + int(random.expovariate(0.15))
    next_id, items = trade.line_ids(world), trade.sellable(world)
    chosen = [random.choice(items) for _ in range(count)]
    return tuple(
        Line(
            line_id=next_id(),
            item_id=item.id,
            name=item.name,
            unit=item.unit,
            quantity=Decimal(random.randrange(1, 40) * 10),
            rate=cost(item, currency),
            sku=item.sku,
        )
        for item in chosen
    )


def given_lines(world: World, currency: Currency, given: Any) -> tuple[Line, ...]:
    """Lines that a caller of the control interface wants; those without a rate at what they cost."""
    priced = []
    for entry in given:
        item = world.table(ITEMS).records.get(str(entry.get("item_id", "")))
        rate = {"rate": str(cost(item, currency))} if item is not None else {}
        priced.append({**rate, **entry})
    return trade.given_lines(world, currency, priced)
