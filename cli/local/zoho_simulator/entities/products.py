"""Items: list and detail differ between Books and Inventory; stock is held per location and moves without a version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from cli.local.zoho_simulator import fields, history, images, vocabulary
from cli.local.zoho_simulator.clock import zoho_date, zoho_time
from cli.local.zoho_simulator.money import ZERO, decimal, number
from cli.local.zoho_simulator.organisation import LOCATIONS
from cli.local.zoho_simulator.records import (
    Below,
    EntitySpec,
    Fields,
    InvalidValue,
    Json,
    Listing,
    Predicate,
    Product,
    Record,
    Totals,
    View,
    overlaid,
)
from cli.local.zoho_simulator.shapes import shape
from cli.local.zoho_simulator.world import World

PLACEHOLDER = Decimal(666_666)
SALES_ACCOUNT = "2646610000000000388"
COST_ACCOUNT = "2646610000000034003"
STOCK_ACCOUNT = "2646610000000034001"
UNIT_IDS = {"pcs": "2646610000000031001", "PCS": "2646610000000031003", "متر": "2646610000000031005", "": ""}
UNITS = ("pcs",) * 11 + ("PCS",) * 5 + ("متر",) * 3 + ("",)
IMAGE_ID_BASE = 2_646_610_021_000_000_000
IMAGE_SHARE = 1621 / 2221
EMPTY_STOCK = (ZERO,) * len(LOCATIONS)


@dataclass(slots=True, kw_only=True)
class Item(Record):
    """A product; `stock` follows the order of LOCATIONS."""

    name: str
    sku: str = ""
    unit: str = "pcs"
    rate: Decimal = ZERO
    purchase_rate: Decimal | None = None
    status: str = "active"
    category: str = ""
    brand: str = ""
    description: str = ""
    upc: str = ""
    reorder_level: Decimal | None = None
    tracked: bool = True
    stock: tuple[Decimal, ...] = EMPTY_STOCK
    committed: Decimal = ZERO
    image_id: str = ""  # of its image, "" without one

    @property
    def stock_on_hand(self) -> Decimal:
        """Over all locations."""
        return sum(self.stock, ZERO) if self.tracked else ZERO


def _sku(random: Random, index: int) -> str:
    if index in (11, 29):
        return f"TS-{index}-" + "LONG" * 13
    return "" if random.random() < 0.8 else f"TS-{index:05d}"


def _rate(random: Random, index: int) -> Decimal:
    if index % 97 == 5:
        return PLACEHOLDER
    if index % 19 == 3:
        return Decimal(random.randrange(20, 900)).scaleb(-3)
    return Decimal(int(random.lognormvariate(2.2, 1.1) * 100) + 25).scaleb(-2)


def _stock(random: Random, unit: str) -> tuple[Decimal, ...]:
    quantities = []
    for position in range(len(LOCATIONS)):
        if position and random.random() < 0.6:
            quantities.append(ZERO)
        elif unit == "متر":
            quantities.append(Decimal(random.randrange(1, 60_000)).scaleb(-2))
        else:
            quantities.append(Decimal(random.randrange(1, 400)))
    if random.random() < 0.06:
        quantities[random.randrange(len(quantities))] = Decimal(-random.randrange(1, 25))
    return tuple(quantities)


def _new(world: World, random: Random, index: int, created: int) -> Item:
    unit, rate = random.choice(UNITS), _rate(random, index)
    service = index % 24 == 23
    return Item(
        id=world.table(ITEMS).next_id(),
        created=created,
        modified=created,
        name=vocabulary.product_name(random, index),
        sku=_sku(random, index),
        unit=unit,
        rate=rate,
        purchase_rate=None if service else (rate * Decimal("0.8")).quantize(Decimal("0.001")),
        category=random.choice(vocabulary.CATEGORIES),
        brand=random.choice(vocabulary.BRANDS),
        description="" if random.random() < 0.7 else f"{random.choice(vocabulary.KINDS)} - {index}",
        upc="" if random.random() < 0.9 else f"62810{random.randrange(10**7):07d}",
        reorder_level=Decimal(random.randrange(5, 60)) if random.random() < 0.2 else None,
        tracked=not service,
    )


def generate(world: World, random: Random) -> Iterator[Item]:
    """59 % active, a few awaiting confirmation; every third active product is in stock, 73 % have an image."""
    count = world.sizes["products"]
    with_image = set(world.random("images").sample(range(count), round(count * IMAGE_SHARE)))
    for index, created in enumerate(history.instants(random, count, end=world.history_end, days=1500)):
        item = _new(world, random, index, created)
        item.modified = history.later(random, created, end=world.history_end, share=0.6)
        chance = random.random()
        item.status = "active" if chance < 0.59 else "confirmation_pending" if chance > 0.996 else "inactive"
        if item.tracked and item.status == "active" and random.random() < 0.38:
            item.stock = _stock(random, item.unit)
        if index in with_image:
            item.image_id = new_image(world)
        yield item


def new_image(world: World) -> str:
    """The id of another image."""
    world.memory["images"] = serial = world.memory.get("images", 0) + 1
    return str(IMAGE_ID_BASE + serial * 11)


# -- what Zoho shows


def _common(item: Item) -> Json:
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
        "category_id": f"26466100000000770{vocabulary.CATEGORIES.index(item.category):02d}"
        if item.category in vocabulary.CATEGORIES
        else "",
        "category_name": item.category,
        "upc": item.upc,
        "rate": number(item.rate),
        "sales_rate": number(item.rate),
        "pricebook_rate": number(item.rate),
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


def _totals(item: Item) -> Json:
    on_hand = item.stock_on_hand
    return {
        "stock_on_hand": number(on_hand),
        "available_stock": number(on_hand),
        "actual_available_stock": number(on_hand - item.committed),
        "reorder_level": "" if item.reorder_level is None else number(item.reorder_level),
    }


def row(world: World, item: Item, product: Product) -> Json:
    """A list row; only tracked items carry stock."""
    base = shape(f"{product}_item_row")
    known = _common(item)
    shown = {**base, **{name: known[name] for name in base if name in known}}
    return overlaid({**shown, **_totals(item)} if item.tracked else shown, item.overlay)


def _places(world: World, item: Item) -> Json:
    """Stock by location, or by warehouse where the organisation never migrated."""
    word = "warehouse" if world.options.quirks.warehouses else "location"
    places = []
    for place in world.tables["locations"].records.values():
        quantity = item.stock[place.position] if place.position < len(item.stock) else ZERO
        free = quantity - item.committed if place.position == 0 else quantity
        places.append(
            {
                f"{word}_id": place.id,
                f"{word}_name": place.name,
                "status": "active",
                "is_primary": place.position == 0,
                f"{word}_stock_on_hand": str(quantity),
                f"{word}_available_stock": str(quantity),
                f"{word}_actual_available_stock": str(free),
                f"{word}_available_for_sale_stock": str(free),
            }
        )
    return {f"{word}s": places}


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
    base = shape(f"{product}_item_document")
    known = _common(item)
    shown = {**base, **{name: known[name] for name in base if name in known}}
    shown["default_price_brackets"] = [
        {"start_quantity": 0.0, "end_quantity": 0.0, "pricebook_rate": number(item.rate)}
    ]
    if item.tracked:
        shown = {**shown, **_totals(item), **_places(world, item)}
    if world.options.quirks.details_name_images:
        shown["image_document_id"] = item.image_id
    if world.options.quirks.several_images:
        shown["documents"] = _further_images(world, item)
    return overlaid(shown, item.overlay)


def totals(item: Item) -> Totals:
    """Stock has no currency."""
    return "", {"stock_on_hand": item.stock_on_hand}


# -- changes

SETTERS: dict[str, fields.Setter] = {
    "name": ("name", fields.text),
    "sku": ("sku", fields.text),
    "unit": ("unit", fields.text),
    "status": ("status", fields.text),
    "description": ("description", fields.text),
    "brand": ("brand", fields.text),
    "category_name": ("category", fields.text),
    "upc": ("upc", fields.text),
    "rate": ("rate", decimal),
    "purchase_rate": ("purchase_rate", decimal),
    "reorder_level": ("reorder_level", decimal),
    "image_document_id": ("image_id", fields.text),
}
COMPUTED = frozenset({"item_id", "available_stock", "actual_available_stock", "locations", "created_time"}) | {
    "image_name",
    "image_type",
}
SHAPES = tuple(f"{product}_item_{kind}" for product in ("books", "inventory") for kind in ("row", "document"))


def create(world: World, random: Random, given: Fields) -> Item:
    """A new product, random but for the given fields; it has no stock unless that is given."""
    fields.check(given, {**SETTERS, "stock_on_hand": SETTERS["rate"]}, computed=COMPUTED, shapes=SHAPES)
    item = _new(world, random, 1 + random.randrange(10_000) * 24, world.seconds())
    _assign(item, given)
    return world.born(ITEMS, item)


def edit(world: World, item: Item, given: Fields, version: bool) -> None:
    """Set fields; stock_on_hand is brought about at the primary location."""
    fields.check(given, {**SETTERS, "stock_on_hand": SETTERS["rate"]}, computed=COMPUTED, shapes=SHAPES)
    with world.editing(ITEMS, item, version=version):
        _assign(item, given)


def _assign(item: Item, given: Fields) -> None:
    plain = {name: value for name, value in given.items() if name != "stock_on_hand"}
    fields.assign(item, plain, SETTERS)
    if "stock_on_hand" in given:
        difference = decimal(given["stock_on_hand"]) - item.stock_on_hand
        item.tracked = True
        item.stock = (item.stock[0] + difference, *item.stock[1:])


def random_edit(world: World, item: Item, random: Random) -> Fields:
    """What staff change: prices mostly."""
    choices: list[Fields] = [
        {"rate": str(_rate(random, random.randrange(90)))},
        {"status": "inactive" if item.status == "active" else "active"},
        {"name": vocabulary.product_name(random, random.randrange(10_000))},
        {"description": f"{random.choice(vocabulary.KINDS)} {random.randrange(1000)}"},
        {"reorder_level": random.randrange(100)},
        {"image_document_id": new_image(world)},
    ]
    return random.choices(choices, weights=(6, 1, 1, 1, 1, 1))[0]


def delete(world: World, item: Item) -> None:
    """Lines that name the item keep its name."""
    world.bury(ITEMS, item)


def move_stock(world: World, item_id: str, location: int, quantity: Decimal) -> None:
    """A document moved stock: the item's version does not follow, unless that quirk is on."""
    item = world.table(ITEMS).records.get(item_id)
    if item is None or not item.tracked or not quantity:
        return
    moved = world.options.quirks.stock_moves_item_version
    with world.editing(ITEMS, item, version=moved, announce=moved, derived=True):
        stock = [*item.stock, *(ZERO,) * (location + 1 - len(item.stock))]
        stock[location] += quantity
        item.stock = tuple(stock)


def commit_stock(world: World, item_id: str, quantity: Decimal) -> None:
    """A sales order keeps stock for itself, or frees it; the version follows as with stock that moves."""
    item = world.table(ITEMS).records.get(item_id)
    if item is None or not quantity:
        return
    moved = world.options.quirks.stock_moves_item_version
    with world.editing(ITEMS, item, version=moved, announce=moved, derived=True):
        item.committed += quantity


def _filter_by(value: str) -> Predicate[Item]:
    statuses = {"Status.All": None, "Status.Active": "active", "Status.Inactive": "inactive"}
    if value not in statuses:
        raise InvalidValue(value)
    wanted = statuses[value]
    return lambda item: wanted is None or item.status == wanted


def _by_name(item: Item) -> Any:
    return item.name.casefold()


ITEMS: EntitySpec[Item] = EntitySpec(
    name="items",
    label="Item",
    path="items",
    list_key="items",
    detail_key="item",
    id_key="item_id",
    id_base=2_646_610_001_000_000_000,
    scopes={"books": "ZohoBooks.settings.READ", "inventory": "ZohoInventory.items.READ"},
    listing=Listing(
        report_name="Items",
        applied_filter="Status.All",
        sort_column="name",
        sort_order="A",
        sort_keys={"name": _by_name, "rate": lambda item: item.rate, "created_time": lambda item: item.created},
        filters={"filter_by": _filter_by},
        filters_by_modified=lambda world: world.options.quirks.items_filter_by_modified,
    ),
    views=(View(name="products", shows=lambda item: True, sizes={"small": 60, "tsh": 2221}),),
    chosen_fields=("item_id", "name", "rate", "status"),
    row=row,
    document=document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda item: True,
    home="inventory",
    below={
        "image": Below(key="", values=image),
        "documents": Below(key="", values=further_image, offered=lambda world: world.options.quirks.several_images),
    },
    bulk=("itemdetails", "item_ids"),
)
