"""How Zoho shows an item: Books and Inventory differ in list and detail; and its images."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cli.local.zoho_simulator import images, vocabulary
from cli.local.zoho_simulator.clock import zoho_date, zoho_time
from cli.local.zoho_simulator.money import ZERO, number, plain
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.products import Item
    from cli.local.zoho_simulator.world import World

SALES_ACCOUNT = "2646610000000000388"
COST_ACCOUNT = "2646610000000034003"
STOCK_ACCOUNT = "2646610000000034001"
CATEGORY_IDS = {name: f"26466100000000770{at:02d}" for at, name in enumerate(vocabulary.CATEGORIES)}
UNIT_IDS = {"pcs": "2646610000000031001", "PCS": "2646610000000031003", "متر": "2646610000000031005", "": ""}


def _common(item: Item) -> Json:
    rate = number(item.rate)
    return {
        "item_id": item.id,
        "name": item.name,
        "item_name": item.name,
        "sku": item.sku,
        "unit": item.unit,
        "unit_id": UNIT_IDS.get(item.unit, ""),
        "status": item.status,
        "description": item.description,
        "brand": item.brand,
        "category_id": CATEGORY_IDS.get(item.category, ""),
        "category_name": item.category,
        "upc": item.upc,
        "rate": rate,
        "sales_rate": rate,
        "pricebook_rate": rate,
        "purchase_rate": "" if item.purchase_rate is None else number(item.purchase_rate),
        "account_id": SALES_ACCOUNT,
        "account_name": "Sales",
        "purchase_account_id": COST_ACCOUNT,
        "purchase_account_name": "Cost of Goods Sold",
        "inventory_account_id": STOCK_ACCOUNT if item.tracked else "",
        "inventory_account_name": "Inventory Asset" if item.tracked else "",
        "track_inventory": item.tracked,
        "item_type": "inventory" if item.tracked else "sales",
        "product_type": "goods" if item.tracked else "service",
        "can_be_purchased": item.tracked,
        "image_name": f"{item.sku or item.id}.{images.kind_of(item.image_id)}" if item.image_id else "",
        "image_type": images.kind_of(item.image_id) if item.image_id else "",
        "image_document_id": item.image_id,
        "created_at": zoho_date(item.created),
        "created_time": zoho_time(item.created),
        "last_modified_time": zoho_time(item.modified),
    }


def _known(item: Item, base: Json) -> Json:
    """What is known of the item under the keys of one of Zoho's shapes, in their order."""
    shown = dict(base)
    shown.update({name: value for name, value in _common(item).items() if name in base})
    return shown


def _totals(item: Item) -> Json:
    on_hand = number(item.stock_on_hand)
    return {
        "stock_on_hand": on_hand,
        "available_stock": on_hand,
        "actual_available_stock": number(item.stock_on_hand - item.committed),
        "reorder_level": "" if item.reorder_level is None else number(item.reorder_level),
    }


def row(world: World, item: Item, product: Product) -> Json:
    """A list row; only tracked items carry stock."""
    shown = _known(item, shape(f"{product}_item_row"))
    return overlaid({**shown, **_totals(item)} if item.tracked else shown, item.overlay)


def _places(world: World, item: Item) -> Json:
    """Stock by location, or by warehouse where the organisation never migrated."""
    word = "warehouse" if world.options.quirks.warehouses else "location"
    keys = _place_keys(word)
    places = []
    for place in world.tables["locations"].records.values():
        quantity = item.stock[place.position] if place.position < len(item.stock) else ZERO
        first = place.position == 0
        held = plain(quantity)
        free = plain(quantity - item.committed) if first else held
        places.append(dict(zip(keys, (place.id, place.name, "active", first, held, held, free, free), strict=True)))
    return {f"{word}s": places}


@cache
def _place_keys(word: str) -> tuple[str, ...]:
    stocks = ("stock_on_hand", "available_stock", "actual_available_stock", "available_for_sale_stock")
    return (f"{word}_id", f"{word}_name", "status", "is_primary", *(f"{word}_{stock}" for stock in stocks))


def _further_images(world: World, item: Item) -> list[Json]:
    """Beyond the first image: one for every third item that has one."""
    if not item.image_id or int(item.image_id) % 3:
        return []
    document_id = str(int(item.image_id) + 1)
    kind = images.kind_of(document_id)
    return [{"document_id": document_id, "file_name": f"2.{kind}", "file_type": kind, "attachment_order": 2}]


def image(world: World, item: Item, product: Product) -> tuple[str, bytes] | None:
    """GET /items/{id}/image."""
    return images.image(item.image_id) if item.image_id else None


def further_image(world: World, item: Item, product: Product) -> dict[str, tuple[str, bytes]]:
    """GET /items/{id}/documents/{document_id}."""
    return {entry["document_id"]: images.image(entry["document_id"]) for entry in _further_images(world, item)}


def document(world: World, item: Item, product: Product) -> Json:
    """The full item: the row's image_document_id is not in it, stock per location is."""
    shown = _known(item, shape(f"{product}_item_document"))
    shown["default_price_brackets"] = [
        {"start_quantity": 0.0, "end_quantity": 0.0, "pricebook_rate": number(item.rate)}
    ]
    if item.tracked:
        shown.update(_totals(item))
        shown.update(_places(world, item))
    if world.options.quirks.details_name_images:
        shown["image_document_id"] = item.image_id
    if world.options.quirks.several_images:
        shown["documents"] = _further_images(world, item)
    return overlaid(shown, item.overlay)
