"""Purchase orders: they show what has come of them and what is billed; stock and debts follow the bills alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import days_after, zoho_date
from cli.local.zoho_simulator.entities import contacts, line_items, purchaseorder_documents, purchases, trade
from cli.local.zoho_simulator.entities.contacts import Contact
from cli.local.zoho_simulator.entities.line_items import Line
from cli.local.zoho_simulator.entities.trade import Trade
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.records import EntitySpec, Fields, Listing, Refused, View
from cli.local.zoho_simulator.world import World

STATES = ("draft", "open", "billed", "cancelled")
ODD = {2: "draft", 5: "cancelled"}  # the smallest organisation too has them
SHIP_VIA = ("Sea", "Air", "شحن بحري", "")


@dataclass(slots=True, kw_only=True)
class PurchaseOrder(Trade):
    """An order in its vendor's currency; `share` of each line has been received, `status` is one of STATES."""

    delivery_date: str
    terms: int
    share: Decimal = ZERO
    ship_via: str = ""

    def received(self, line: Line) -> Decimal:
        """How much of a line has come, in whole pieces but for the last one."""
        return line.quantity if self.share == 1 else (line.quantity * self.share).quantize(Decimal(1))

    @property
    def quantity(self) -> Decimal:
        """What was ordered, of all lines."""
        return sum((line.quantity for line in self.lines), ZERO)

    @property
    def arrived(self) -> Decimal:
        """What has come, of all lines."""
        return sum((self.received(line) for line in self.lines), ZERO)


def _new(world: World, random: Random, vendor: Contact, *, index: int, at: int) -> PurchaseOrder:
    number, due = f"PO-{index:05d}", days_after(zoho_date(at), random.randrange(20, 75))
    order = purchases.begin(
        PurchaseOrder, world, random, PURCHASE_ORDERS, vendor, at=at, number=number, delivery_date=due
    )
    order.ship_via = random.choice(SHIP_VIA)
    return order


def generate(world: World, random: Random) -> Iterator[PurchaseOrder]:
    """Nearly all came and were billed; the last ones are on their way, some of them in part."""
    count = purchases.possible(world, "purchase_orders")
    for index, (created, vendor) in enumerate(purchases.occasions(world, random, count)):
        order = _new(world, random, vendor, index=index + 1, at=created)
        order.modified = history.later(random, created, end=world.history_end, share=0.6)
        if index in ODD or random.random() < 0.02:
            order.status = ODD.get(index, "cancelled")
        elif index < 0.9 * count:
            order.status, order.share = "billed", Decimal(1)
        elif index % 2:
            order.share = Decimal("0.4")
        vendor.documents += 1
        yield order


# -- changes


def _share(value: object) -> Decimal:
    share = decimal(value)
    if not 0 <= share <= 1:
        raise ValueError("received_share: from 0 to 1")
    return share


SETTERS: dict[str, fields.Setter] = {
    **trade.SETTERS,
    "purchaseorder_number": ("number", fields.text),
    "delivery_date": ("delivery_date", fields.text),
    "status": ("status", fields.one_of("status", *STATES)),
    "received_share": ("share", _share),
    "ship_via": ("ship_via", fields.text),
}
SPECIAL = ("vendor_id", "line_items")
COMPUTED = trade.COMPUTED | {
    "purchaseorder_id",
    "vendor_name",
    "order_status",
    "billed_status",
    "received_status",
    "total_quantity",
    "total_ordered_quantity",
    "quantity_yet_to_receive",
}
SHAPES = ("purchaseorder_row", "purchaseorder_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def _set(world: World, order: PurchaseOrder, given: Fields, plain: Fields) -> None:
    order.lines = trade.lines_of(world, order, given, priced=purchases.cost)
    FIELDS.assign(order, plain)
    order.add_up()


def create(world: World, random: Random, given: Fields) -> PurchaseOrder:
    """A new order to a random or given vendor."""
    plain = FIELDS.check(given)
    vendor = contacts.somebody(world, random, "vendor", str(given.get("vendor_id", "")))
    number = trade.unused_number(world, PURCHASE_ORDERS, random, digits=4)
    order = _new(world, random, vendor, index=number, at=world.seconds())
    _set(world, order, given, plain)
    world.born(PURCHASE_ORDERS, order)
    contacts.post(world, vendor.id, "documents", 1)
    return order


def edit(world: World, order: PurchaseOrder, given: Fields, version: bool) -> None:
    """Set fields, lines, or what has come (`received_share`)."""
    plain = FIELDS.check(given)
    fields.keep(given, "vendor_id", order.contact_id, "a purchase order keeps its vendor")
    _set(world, order.snapshot(), given, plain)  # what is refused changes nothing
    with world.editing(PURCHASE_ORDERS, order, version=version):
        _set(world, order, given, plain)


def random_edit(world: World, order: PurchaseOrder, random: Random) -> Fields:
    """What staff change: goods come, and orders are billed."""
    choices: list[Callable[[], Fields]] = [
        lambda: {"notes": vocabulary.remark(random)},
        lambda: {"delivery_date": days_after(order.date, random.randrange(20, 90))},
    ]
    if order.status == "open":
        choices += [lambda: {"received_share": random.choice(("0.5", "1"))}, lambda: {"status": "billed"}]
    if order.status in ("draft", "cancelled"):
        choices.append(lambda: {"status": "open"})
    if not order.share:
        choices.append(lambda: {"line_items": line_items.wanted_lines(world, random)})
    return random.choice(choices)()


def delete(world: World, order: PurchaseOrder) -> None:
    """An order that was billed stays."""
    if order.status == "billed":
        raise Refused("a purchase order that was billed cannot be deleted")
    contacts.post(world, order.contact_id, "documents", -1)
    world.bury(PURCHASE_ORDERS, order)


PURCHASE_ORDERS: EntitySpec[PurchaseOrder] = EntitySpec(
    name="purchaseorders",
    label="Purchase Order",
    path="purchaseorders",
    list_key="purchaseorders",
    detail_key="purchaseorder",
    id_key="purchaseorder_id",
    id_base=2_646_610_012_000_000_000,
    scopes={"books": "ZohoBooks.purchaseorders.READ", "inventory": "ZohoInventory.purchaseorders.READ"},
    listing=Listing(
        report_name="Purchase Orders",
        applied_filter="Status.All",
        sort_column="created_time",
        sort_order="D",
        sort_keys={
            **trade.SORT_KEYS,
            "last_modified_time": lambda order: order.modified,
            "delivery_date": lambda order: order.delivery_date,
            "purchaseorder_number": lambda order: order.number,
        },
        filters=trade.filters("purchaseorder_number", "vendor_id", tuple(state.capitalize() for state in STATES)),
        filters_by_modified=lambda world: True,
    ),
    views=(View(name="purchase_orders", shows=lambda order: True, sizes={"small": 12, "demo": 300, "tsh": 600}),),
    chosen_fields=("purchaseorder_id", "purchaseorder_number", "status", "total"),
    row=purchaseorder_documents.row,
    document=purchaseorder_documents.document,
    totals=trade.totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda order: order.status != "billed",
)
