"""Sales orders: open ones commit stock, an invoice of an order takes it over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import DAY_S, days_after, zoho_date
from cli.local.zoho_simulator.entities import contacts, line_items, order_ledger, salesorder_documents, trade
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.invoices import INVOICES
from cli.local.zoho_simulator.entities.line_items import Line
from cli.local.zoho_simulator.entities.order_ledger import Order
from cli.local.zoho_simulator.entities.products import ITEMS
from cli.local.zoho_simulator.entities.receivables import Invoice
from cli.local.zoho_simulator.money import decimal
from cli.local.zoho_simulator.organisation import LOCATIONS, STAFF
from cli.local.zoho_simulator.records import EntitySpec, Fields, Listing, Predicate, Refused, View, date_filters
from cli.local.zoho_simulator.world import World

INVOICED_SHARE = 0.93
OLD_STATES, OLD_WEIGHTS = ("void", "draft", "closed", "open"), (4, 1, 2, 3)


def _new(world: World, random: Random, customer: Contact, lines: tuple[Line, ...], *, index: int, at: int) -> Order:
    return Order.begin(
        world,
        ORDERS,
        customer,
        at=at,
        number=f"SO-{index:06d}",
        terms=customer.terms,
        lines=lines,
        status="open",
        location=random.choices(range(len(LOCATIONS)), weights=(5, 3, 2, 1, 0))[0],
        salesperson=random.randrange(len(STAFF) + 1),
        shipment_date=days_after(zoho_date(at), random.randrange(1, 9)) if random.random() < 0.3 else "",
        reference=f"PO-{random.randrange(10**4):04d}" if random.random() < 0.1 else "",
        notes=random.choice(vocabulary.NOTES),
    )


# -- history


def _of_invoice(world: World, random: Random, invoice: Invoice, index: int) -> Order:
    """The order that became an invoice; one in twenty-five asked for more than was delivered."""
    more = random.random() < 0.04
    lines = tuple(
        line._replace(line_id=line_items.next_id(world), quantity=line.quantity + (at % 2) if more else line.quantity)
        for at, line in enumerate(invoice.lines, 1)
    )
    customer = world.table(CONTACTS).records[invoice.contact_id]
    created = invoice.created - int(random.random() ** 3 * 3 * DAY_S) - 60
    order = _new(world, random, customer, lines, index=index, at=created)
    order.exchange_rate, order.location = invoice.exchange_rate, invoice.location
    order.shipping, order.adjustment = invoice.shipping, invoice.adjustment
    order.add_up()
    order.modified = invoice.modified
    quantities = tuple(line.quantity for line in invoice.lines)
    invoice.order_id, invoice.ordered, invoice.reference = order.id, quantities, order.number
    if invoice.status != "void":
        order.invoiced = ((invoice.id, quantities),)
    return order


def _waiting(world: World, random: Random, *, index: int, at: int) -> Order:
    """An order without an invoice: open ones are recent."""
    customers = contacts.of_kind(world, "customer")
    customer = customers[int(random.random() ** 2.5 * len(customers))]
    count = line_items.line_count(random)
    lines = line_items.random_lines(world, random, line_items.sellable(world), customer.currency, count)
    order = _new(world, random, customer, lines, index=index, at=at)
    order.status = random.choices(OLD_STATES, OLD_WEIGHTS)[0]
    order.modified = history.later(random, at, end=world.history_end, share=0.4)
    return order


def generate(world: World, random: Random) -> Iterator[Order]:
    """Most orders became invoices; the others are void, closed, drafts, or commit stock."""
    invoices = list(world.table(INVOICES).records.values())
    possible = line_items.sold(world) and contacts.of_kind(world, "customer")
    count = world.size("sales_orders", most=None if possible else 0, needs="customers and products")
    invoiced = min(len(invoices), round(count * INVOICED_SHARE), max(0, count - 2 * len(OLD_STATES)))
    ordered = sorted(random.sample(range(len(invoices)), invoiced))
    waiting = history.instants(random, count - len(ordered), end=world.history_end, days=900)
    for index, position in enumerate(ordered, 1):
        yield _started(world, _of_invoice(world, random, invoices[position], index))
    for index, at in enumerate(waiting):
        order = _waiting(world, random, index=len(ordered) + index + 1, at=at)
        order.status = OLD_STATES[index] if index < len(OLD_STATES) else order.status
        yield _started(world, order)


def _started(world: World, order: Order) -> Order:
    """The order's stock is committed from the beginning."""
    items = world.table(ITEMS).records
    if order.status == "open" and order.state != "invoiced":
        for line, quantity in zip(order.lines, order.committed, strict=True):
            items[line.item_id].committed += quantity
    world.table(CONTACTS).records[order.contact_id].documents += 1
    return order


# -- changes


SETTERS: dict[str, fields.Setter] = {
    **trade.SETTERS,
    "salesorder_number": ("number", fields.text),
    "shipment_date": ("shipment_date", fields.text),
    "status": ("status", fields.one_of("status", *sorted(OLD_STATES), note="; the others follow from invoices")),
    "shipping_charge": ("shipping", decimal),
}
SPECIAL = ("customer_id", "line_items")
COMPUTED = trade.COMPUTED | {
    "salesorder_id",
    "customer_name",
    "balance",
    "bcy_total",
    "order_status",
    "invoiced_status",
    "paid_status",
    "invoices",
    "quantity",
    "quantity_invoiced",
}
SHAPES = ("salesorder_row", "salesorder_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def create(world: World, random: Random, given: Fields) -> Order:
    """A new order of a random or given customer."""
    plain = FIELDS.check(given)
    customer = contacts.somebody(world, random, "customer", str(given.get("customer_id", "")))
    if "line_items" in given:
        lines = line_items.given_lines(world, customer.currency, given["line_items"])
    else:
        count = line_items.line_count(random)
        lines = line_items.random_lines(world, random, line_items.sellable(world), customer.currency, count)
    number = trade.unused_number(world, ORDERS, random, digits=5)
    order = _new(world, random, customer, lines, index=number, at=world.seconds())
    FIELDS.assign(order, plain)
    order.add_up()
    world.born(ORDERS, order)
    contacts.post(world, customer.id, "documents", 1)
    order_ledger.post(world, order, 1)
    return order


def edit(world: World, order: Order, given: Fields, version: bool) -> None:
    """Set fields; lines only while nothing is invoiced."""
    plain = FIELDS.check(given)
    fields.keep(given, "customer_id", order.contact_id, "a sales order keeps its customer")
    if order.invoiced and ("line_items" in given or plain.get("status", "open") != "open"):
        raise Refused("an invoiced sales order keeps its lines and its status")
    lines = trade.lines_of(world, order, given)
    order_ledger.post(world, order, -1)
    with world.editing(ORDERS, order, version=version):
        order.lines = lines
        FIELDS.assign(order, plain)
        order.add_up()
    order_ledger.post(world, order, 1)


def random_edit(world: World, order: Order, random: Random) -> Fields:
    """What staff change."""
    choices: list[Callable[[], Fields]] = [
        lambda: {"notes": vocabulary.remark(random)},
        lambda: {"shipment_date": days_after(order.date, random.randrange(1, 30))},
        lambda: {"reference_number": f"PO-{random.randrange(10**4):04d}"},
    ]
    if not order.invoiced:
        choices.append(lambda: {"line_items": line_items.wanted_lines(world, random)})
        choices.append(lambda: {"status": random.choice(("open", "void", "closed"))})
    return random.choice(choices)()


def delete(world: World, order: Order) -> None:
    """Only an order without invoices can be deleted."""
    if order.invoiced:
        raise Refused("a sales order with invoices cannot be deleted")
    order_ledger.post(world, order, -1)
    contacts.post(world, order.contact_id, "documents", -1)
    world.bury(ORDERS, order)


# -- the list


STATUSES = ("Open", "Draft", "PartiallyInvoiced", "Invoiced", "Void", "Closed", "OverDue")


def _ids(value: str) -> Predicate[Order]:
    wanted = {part.strip() for part in value.split(",")}
    return lambda order: order.id in wanted


ORDERS: EntitySpec[Order] = EntitySpec(
    name="salesorders",
    label="Sales Order",
    path="salesorders",
    list_key="salesorders",
    detail_key="salesorder",
    id_key="salesorder_id",
    id_base=2_646_610_005_000_000_000,
    scopes={"books": "ZohoBooks.salesorders.READ", "inventory": "ZohoInventory.salesorders.READ"},
    listing=Listing(
        report_name="Sales Orders",
        applied_filter="Status.All",
        sort_column="created_time",
        sort_order="D",
        sort_keys={
            **trade.SORT_KEYS,
            "last_modified_time": lambda order: order.modified,
            "salesorder_number": lambda order: order.number,
        },
        filters={
            **trade.filters("salesorder_number", "customer_id", STATUSES, shown=lambda order: order.state),
            "salesorder_ids": _ids,
            **date_filters("created_date", lambda order: zoho_date(order.created)),
        },
        filters_by_modified=lambda world: True,
    ),
    views=(View(name="sales_orders", shows=lambda order: True, sizes={"small": 36, "demo": 1000, "tsh": 19636}),),
    chosen_fields=("salesorder_id", "salesorder_number", "status", "total"),
    row=salesorder_documents.row,
    document=salesorder_documents.document,
    totals=trade.totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda order: not order.invoiced,
    list_extra=salesorder_documents.with_lines,
    list_extra_of=frozenset({"salesorder_ids"}),
)
