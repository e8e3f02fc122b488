"""Items: list and detail differ between Books and Inventory; stock is held per location and moves without a version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.entities import product_documents
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.organisation import LOCATIONS
from cli.local.zoho_simulator.records import (
    Below,
    EntitySpec,
    Fields,
    Listing,
    Predicate,
    Record,
    Totals,
    View,
    choice,
    everything,
)
from cli.local.zoho_simulator.world import World

PLACEHOLDER = Decimal(666_666)
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
    return world.counter("images", IMAGE_ID_BASE, step=11)


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


FILTERS: dict[str, Predicate[Item]] = {
    "Status.All": everything,
    "Status.Active": lambda item: item.status == "active",
    "Status.Inactive": lambda item: item.status == "inactive",
}


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
        filters={"filter_by": choice(FILTERS)},
        filters_by_modified=lambda world: world.options.quirks.items_filter_by_modified,
    ),
    views=(View(name="products", shows=lambda item: True, sizes={"small": 60, "demo": 2221, "tsh": 2221}),),
    chosen_fields=("item_id", "name", "rate", "status"),
    row=product_documents.row,
    document=product_documents.document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda item: True,
    home="inventory",
    below={
        "image": Below(key="", values=product_documents.image),
        "documents": Below(
            key="", values=product_documents.further_image, offered=lambda world: world.options.quirks.several_images
        ),
    },
    bulk=("itemdetails", "item_ids"),
)
