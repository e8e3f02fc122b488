"""Transfer orders: in Inventory alone, without versions; stock goes from one location to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from cli.local.zoho_simulator import fields, history
from cli.local.zoho_simulator.clock import zoho_date, zoho_time
from cli.local.zoho_simulator.entities import line_items, products
from cli.local.zoho_simulator.entities.line_items import Line
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.money import ZERO, number
from cli.local.zoho_simulator.organisation import LOCATIONS
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    Json,
    Listing,
    Product,
    Record,
    Totals,
    View,
    overlaid,
)
from cli.local.zoho_simulator.shapes import shape
from cli.local.zoho_simulator.world import World


@dataclass(slots=True, kw_only=True)
class Transfer(Record):
    """Goods on their way, or arrived; `source` and `target` are positions of locations."""

    number: str
    date: str
    source: int
    target: int
    lines: tuple[Line, ...]
    in_transit: bool = False


def _new(world: World, random: Random, *, index: int, at: int) -> Transfer:
    source, target = random.sample(range(len(LOCATIONS)), 2)
    items = [item for item in line_items.sellable(world) if item.tracked]
    chosen = random.sample(items, min(len(items), random.randrange(1, 5)))
    return Transfer(
        id=world.table(TRANSFERS).next_id(),
        created=at,
        modified=at,
        number=f"TO-{index:05d}",
        date=zoho_date(at),
        source=source,
        target=target,
        lines=tuple(
            line_items.line(world, item, quantity=Decimal(random.randrange(1, 50)), rate=ZERO) for item in chosen
        ),
        in_transit=random.random() < 0.1,
    )


def generate(world: World, random: Random) -> Iterator[Transfer]:
    """Goods go from the warehouse to the shops."""
    count = world.size("transfer_orders", most=None if line_items.sold(world) else 0, needs="products")
    for index, at in enumerate(history.instants(random, count, end=world.history_end, days=600)):
        yield _new(world, random, index=index + 1, at=at)


def row(world: World, made: Transfer, product: Product) -> Json:
    """A list row."""
    source, target = location(world, made.source), location(world, made.target)
    shown = {
        **shape("transfer_row"),
        "transfer_order_id": made.id,
        "transfer_order_number": made.number,
        "date": made.date,
        "from_location_id": source.id,
        "from_location_name": source.name,
        "to_location_id": target.id,
        "to_location_name": target.name,
        "is_intransit_order": made.in_transit,
    }
    return overlaid(shown, made.overlay)


def document(world: World, made: Transfer, product: Product) -> Json:
    """The transfer with its lines."""
    lines = [
        {
            "line_item_id": line.line_id,
            "item_id": line.item_id,
            "name": line.name,
            "description": "",
            "quantity_transfer": number(line.quantity),
            "unit": line.unit,
        }
        for line in made.lines
    ]
    return {**row(world, made, product), "line_items": lines, "last_modified_time": zoho_time(made.modified)}


SETTERS: dict[str, fields.Setter] = {"date": ("date", fields.text), "transfer_order_number": ("number", fields.text)}
COMPUTED = frozenset(shape("transfer_row")) - set(SETTERS)
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=("transfer_row",))


def _post(world: World, made: Transfer, sign: int) -> None:
    """Move the stock, or move it back with sign -1; what is in transit has left and not arrived."""
    for line in made.lines:
        products.move_stock(world, line.item_id, made.source, -line.quantity * sign)
        if not made.in_transit:
            products.move_stock(world, line.item_id, made.target, line.quantity * sign)


def create(world: World, random: Random, given: Fields) -> Transfer:
    """A new transfer of random items."""
    FIELDS.check(given)
    made = _new(world, random, index=9000 + len(world.table(TRANSFERS)), at=world.seconds())
    FIELDS.assign(made, given)
    world.born(TRANSFERS, made)
    _post(world, made, 1)
    return made


def edit(world: World, made: Transfer, given: Fields, version: bool) -> None:
    """Set fields."""
    FIELDS.check(given)
    with world.editing(TRANSFERS, made, version=version):
        FIELDS.assign(made, given)


def random_edit(world: World, made: Transfer, random: Random) -> Fields:
    """What staff change."""
    return {"date": zoho_date(made.created - random.randrange(5) * 86_400)}


def delete(world: World, made: Transfer) -> None:
    """The stock is where it was."""
    _post(world, made, -1)
    world.bury(TRANSFERS, made)


def totals(made: Transfer) -> Totals:
    """There is nothing to add up."""
    return "", {}


TRANSFERS: EntitySpec[Transfer] = EntitySpec(
    name="transferorders",
    label="Transfer Order",
    path="transferorders",
    list_key="transfer_orders",
    detail_key="transfer_order",
    id_key="transfer_order_id",
    id_base=2_646_610_011_000_000_000,
    scopes={"inventory": "ZohoInventory.transferorders.READ"},
    listing=Listing(
        report_name="Transfer Orders",
        applied_filter="Status.All",
        sort_column="date",
        sort_order="D",
        sort_keys={"date": lambda made: made.date, "created_time": lambda made: made.created},
        filters={},
        filters_by_modified=lambda world: False,
    ),
    views=(
        View(
            name="transfer_orders",
            shows=lambda made: True,
            sizes={"small": 4, "demo": 4, "tsh": 150},
            busy=False,
            told=False,
        ),
    ),
    chosen_fields=("transfer_order_id", "transfer_order_number", "date"),
    row=row,
    document=document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda made: True,
    home="inventory",
    announces=False,
)
