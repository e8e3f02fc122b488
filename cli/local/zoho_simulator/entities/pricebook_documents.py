"""How Zoho shows a price list: the row without its prices, unless by a quirk, the detail with them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.entities.products import ITEMS
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.records import InvalidValue, Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.pricebooks import Price, PriceList
    from cli.local.zoho_simulator.world import World


def _common(made: PriceList) -> Json:
    return {
        **shape("pricebook"),
        "pricebook_id": made.id,
        "name": made.name,
        "currency_id": made.currency.currency_id,
        "currency_code": made.currency.code,
        "pricebook_type": made.kind,
        "percentage": "" if made.percentage is None else number(made.percentage),
        "is_increase": made.is_increase,
        "decimal_place": min(3, made.currency.precision) or 1,
        "sales_or_purchase_type": made.purpose,
        "is_default": made.is_default,
        "status": made.status,
        "pricing_scheme": made.scheme if made.kind == "per_item" else "",
    }


def _bracket(price: Price, step: tuple[int, int, Decimal]) -> Json:
    start, end, rate = step
    return {
        "pricebook_item_id": price.price_id,
        "start_quantity": float(start),
        "end_quantity": float(end),
        "pricebook_rate": number(rate),
        "pricebook_discount": price.discount,
    }


def prices(world: World, made: PriceList, product: Product) -> list[Json]:
    """pricebook_items."""
    items = world.table(ITEMS).records
    return [
        {
            **shape("pricebook_item"),
            "pricebook_item_id": price.price_id,
            "item_id": price.item_id,
            "name": items[price.item_id].name,
            "pricebook_rate": number(price.rate),
            "pricebook_discount": price.discount,
            "pricing_scheme": made.scheme,
            "price_brackets": [_bracket(price, step) for step in price.brackets],
        }
        for price in made.prices
    ]


def row(world: World, made: PriceList, product: Product) -> Json:
    """A list row; whether it brings the prices is a quirk."""
    shown = _common(made)
    if world.options.quirks.pricebooks_list_prices:
        shown["pricebook_items"] = prices(world, made, product)
    return overlaid(shown, {name: value for name, value in made.overlay.items() if name != "pricebook_items"})


def document(world: World, made: PriceList, product: Product) -> Json:
    """The price list with its prices."""
    return overlaid({**_common(made), "pricebook_items": prices(world, made, product)}, made.overlay)


def items_of(world: World, query: Mapping[str, str], product: Product) -> list[Json]:
    """/pricebooks/items?pricebook_id=; its answer is documented nowhere."""
    made = world.tables["pricebooks"].records.get(str(query.get("pricebook_id", "")))
    if made is None:
        raise InvalidValue("pricebook_id")
    return prices(world, made, product)
