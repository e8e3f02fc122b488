"""Purchase orders: they show what has come of them and what is billed; stock and debts follow the bills alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import zoho_date
from cli.local.zoho_simulator.entities import contacts, purchaseorder_documents, purchases, trade
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.trade import Line, Trade
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.organisation import LOCATIONS
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    InvalidValue,
    Listing,
    Predicate,
    Refused,
    Totals,
    View,
)
from cli.local.zoho_simulator.world import World

STATES = ("draft", "open", "billed", "cancelled")
ODD = {2: "draft", 5: "cancelled"}  # the smallest organisation too has them
SHIP_VIA = ("Sea", "Air", "شحن بحري", "")


@dataclass(slots=True, kw_only=True)
class PurchaseOrder(Trade):
    """An order in its vendor's currency; `share` of each line has been received, `status` is one of STATES."""

    vendor_id: str
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
    day = zoho_date(at)
    order = PurchaseOrder(
        id=world.table(PURCHASE_ORDERS).next_id(),
        created=at,
        modified=at,
        number=f"PO-{index:05d}",
        vendor_id=vendor.id,
        currency=vendor.currency,
        exchange_rate=vendor.currency.rate,
        date=day,
        delivery_date=_after(day, random.randrange(20, 75)),
        terms=vendor.terms,
        lines=purchases.random_lines(world, random, vendor.currency),
        status="open",
        location=random.choices(range(len(LOCATIONS)), weights=(6, 1, 0, 3, 0))[0],
        reference=f"CTN-{random.randrange(10**4)}" if random.random() < 0.2 else "",
        notes=random.choice(vocabulary.NOTES) if random.random() < 0.2 else "",
        ship_via=random.choice(SHIP_VIA),
    )
    order.add_up()
    return order


def _after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def generate(world: World, random: Random) -> Iterator[PurchaseOrder]:
    """Nearly all came and were billed; the last ones are on their way, some of them in part."""
    vendors = [contact for contact in world.table(CONTACTS).records.values() if contact.kind == "vendor"]
    most = None if vendors and trade.sold(world) else 0
    count = world.size("purchase_orders", most=most, needs="vendors and products")
    for index, created in enumerate(history.instants(random, count, end=world.history_end, days=1250)):
        vendor = vendors[int(random.random() ** 1.7 * len(vendors))]
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


def _status(value: object) -> str:
    if value not in STATES:
        raise ValueError(f"status: one of {', '.join(STATES)}")
    return str(value)


def _share(value: object) -> Decimal:
    share = decimal(value)
    if not 0 <= share <= 1:
        raise ValueError("received_share: from 0 to 1")
    return share


SETTERS: dict[str, fields.Setter] = {
    "purchaseorder_number": ("number", fields.text),
    "date": ("date", fields.text),
    "delivery_date": ("delivery_date", fields.text),
    "status": ("status", _status),
    "received_share": ("share", _share),
    "reference_number": ("reference", fields.text),
    "notes": ("notes", fields.text),
    "ship_via": ("ship_via", fields.text),
    "adjustment": ("adjustment", decimal),
    "exchange_rate": ("exchange_rate", decimal),
}
SPECIAL = ("vendor_id", "line_items")
COMPUTED = frozenset({"purchaseorder_id", "total", "sub_total", "vendor_name", "created_time", "currency_code"}) | {
    "currency_id",
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
    if "line_items" in given:
        order.lines = purchases.given_lines(world, order.currency, given["line_items"])
    FIELDS.assign(order, plain)
    order.add_up()


def create(world: World, random: Random, given: Fields) -> PurchaseOrder:
    """A new order to a random or given vendor."""
    plain = FIELDS.check(given)
    vendor = contacts.somebody(world, random, "vendor", str(given.get("vendor_id", "")))
    number = 90_000 + len(world.table(PURCHASE_ORDERS)) + random.randrange(10**4)
    order = _new(world, random, vendor, index=number, at=world.seconds())
    _set(world, order, given, plain)
    world.born(PURCHASE_ORDERS, order)
    contacts.post(world, vendor.id, documents=1)
    return order


def edit(world: World, order: PurchaseOrder, given: Fields, version: bool) -> None:
    """Set fields, lines, or what has come (`received_share`)."""
    plain = FIELDS.check(given)
    if str(given.get("vendor_id", order.vendor_id)) != order.vendor_id:
        raise Refused("a purchase order keeps its vendor")
    _set(world, order.snapshot(), given, plain)  # what is refused changes nothing
    with world.editing(PURCHASE_ORDERS, order, version=version):
        _set(world, order, given, plain)


def random_edit(world: World, order: PurchaseOrder, random: Random) -> Fields:
    """What staff change: goods come, and orders are billed."""
    choices: list[Callable[[], Fields]] = [
        lambda: {"notes": f"{random.choice(vocabulary.NOTES)} {random.randrange(1000)}".strip()},
        lambda: {"delivery_date": _after(order.date, random.randrange(20, 90))},
    ]
    if order.status == "open":
        choices += [lambda: {"received_share": random.choice(("0.5", "1"))}, lambda: {"status": "billed"}]
    if order.status in ("draft", "cancelled"):
        choices.append(lambda: {"status": "open"})
    if not order.share:
        choices.append(lambda: {"line_items": trade.wanted_lines(world, random)})
    return random.choice(choices)()


def delete(world: World, order: PurchaseOrder) -> None:
    """An order that was billed stays."""
    if order.status == "billed":
        raise Refused("a purchase order that was billed cannot be deleted")
    contacts.post(world, order.vendor_id, documents=-1)
    world.bury(PURCHASE_ORDERS, order)


def totals(order: PurchaseOrder) -> Totals:
    """Totals per currency."""
    return order.currency.code, {"total": order.total}


def _filter_by(value: str) -> Predicate[PurchaseOrder]:
    if value == "Status.All":
        return lambda order: True
    name = value.removeprefix("Status.").lower()
    if name not in STATES:
        raise InvalidValue(value)
    return lambda order: order.status == name


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
        filters={
            **trade.filters("purchaseorder_number", "vendor_id"),
            "status": lambda value: lambda order: order.status == value.lower(),
            "filter_by": _filter_by,
        },
        filters_by_modified=lambda world: True,
    ),
    views=(View(name="purchase_orders", shows=lambda order: True, sizes={"small": 12, "demo": 300, "tsh": 600}),),
    chosen_fields=("purchaseorder_id", "purchaseorder_number", "status", "total"),
    row=purchaseorder_documents.row,
    document=purchaseorder_documents.document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda order: order.status != "billed",
)
