"""Invoices: balance follows the payments, stock and the customer's balance follow the invoice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import days_after, zoho_date
from cli.local.zoho_simulator.entities import (
    contacts,
    invoice_documents,
    line_items,
    order_ledger,
    postings,
    receivables,
    trade,
)
from cli.local.zoho_simulator.entities.contacts import Contact
from cli.local.zoho_simulator.entities.line_items import Line
from cli.local.zoho_simulator.entities.order_ledger import Order
from cli.local.zoho_simulator.entities.postings import UNPOSTED
from cli.local.zoho_simulator.entities.products import Item
from cli.local.zoho_simulator.entities.receivables import Invoice
from cli.local.zoho_simulator.money import IQD, ZERO, Currency, decimal
from cli.local.zoho_simulator.organisation import LOCATIONS, STAFF
from cli.local.zoho_simulator.records import Below, EntitySpec, Fields, Listing, Refused, View, date_filters
from cli.local.zoho_simulator.world import World

OPEN = ("sent", "sent", "sent", "viewed", "unpaid")
ODD = {7: "draft", 11: "void", 13: "pending_approval"}  # the smallest organisation too has them
LONG_EVERY, LONG_LINES = 6000, 300
INVOICED_ORDERS = 0.3


# -- making


def exchange_rate(random: Random, currency: Currency) -> Decimal:
    """Zoho's rate of the day."""
    if currency is IQD and random.random() < 0.3:
        return Decimal("0.0008")
    return currency.rate


def _new(
    world: World, random: Random, customer: Contact, items: list[Item], *, index: int, at: int, lines: int
) -> Invoice:
    day = days_after(zoho_date(at), -random.randrange(1, 4) if random.random() < 0.1 else 0)
    return Invoice.begin(
        world,
        INVOICES,
        customer,
        at=at,
        number=f"INV-{index:06d}",
        exchange_rate=exchange_rate(random, customer.currency),
        date=day,
        due_date=days_after(day, customer.terms),
        terms=customer.terms,
        lines=line_items.random_lines(world, random, items, customer.currency, lines),
        location=random.choices(range(len(LOCATIONS)), weights=(5, 3, 2, 1, 0))[0],
        salesperson=random.randrange(len(STAFF) + 1),
        shipping=customer.currency.rounded(Decimal(random.randrange(1, 40))) if random.random() < 0.05 else ZERO,
        reference=f"SO-{random.randrange(10**5):05d}" if random.random() < 0.6 else "",
        notes=random.choice(vocabulary.NOTES),
        status=random.choice(OPEN),
    )


def _line_count(random: Random, index: int) -> int:
    if index % LONG_EVERY == 17:
        return LONG_LINES
    return line_items.line_count(random)


def generate(world: World, random: Random) -> Iterator[Invoice]:
    """Four years of business; the last tenth of the customers never bought anything."""
    count = world.sizes["invoices"]
    customers = contacts.of_kind(world, "customer")
    buyers = customers[: max(1, len(customers) * 9 // 10)]
    if count and not customers:
        raise ValueError("invoices need customers")
    items = line_items.sellable(world) if count else []
    for index, created in enumerate(history.instants(random, count, end=world.history_end, days=1200)):
        customer = buyers[int(random.random() ** 2.5 * len(buyers))]
        lines = _line_count(random, index)
        invoice = _new(world, random, customer, items, index=index + 1, at=created, lines=lines)
        invoice.modified = history.later(random, created, end=world.history_end, share=0.15)
        chance = random.random()
        if chance < 0.015:
            invoice.status = ("draft", "void", "pending_approval")[int(chance * 200)]
        invoice.status = ODD.get(index, invoice.status)
        invoice.settle(world.base_date.isoformat())
        customer.documents += 1
        if invoice.posted:
            customer.receivable += invoice.balance
        yield invoice


# -- changes


SETTERS: dict[str, fields.Setter] = {
    **trade.SETTERS,
    "invoice_number": ("number", fields.text),
    "due_date": ("due_date", fields.text),
    "shipping_charge": ("shipping", decimal),
    "write_off_amount": ("written_off", decimal),
}
SPECIAL = ("customer_id", "line_items", "salesorder_id")
COMPUTED = trade.COMPUTED | {
    "invoice_id",
    "customer_name",
    "balance",
    "payment_made",
    "credits_applied",
    "last_payment_date",
    "bcy_total",
    "bcy_sub_total",
}
SHAPES = ("invoice_row", "invoice_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def _order(world: World, random: Random, given: Fields) -> Order | None:
    """The sales order that is invoiced: the given one, sometimes any open one."""
    if "salesorder_id" in given:
        return order_ledger.invoiceable(world, str(given["salesorder_id"]), str(given.get("customer_id", "")))
    if set(SPECIAL) & set(given) or random.random() >= INVOICED_ORDERS:
        return None
    return order_ledger.any_open(world, random)


def create(world: World, random: Random, given: Fields) -> Invoice:
    """A new invoice, of a sales order or not; it takes stock unless its status is draft."""
    plain, order = FIELDS.check(given), _order(world, random, given)
    whose = order.contact_id if order is not None else str(given.get("customer_id", ""))
    customer = contacts.somebody(world, random, "customer", whose)
    number = trade.unused_number(world, INVOICES, random, digits=5)
    lines = line_items.line_count(random)
    invoice = _new(world, random, customer, line_items.sellable(world), index=number, at=world.seconds(), lines=lines)
    if order is not None:
        order_ledger.take(world, order, invoice)
    invoice.lines = trade.lines_of(world, invoice, given)
    _refuse_below_paid(invoice, plain, invoice.lines)
    FIELDS.assign(invoice, plain)
    invoice.add_up()
    invoice.settle(world.today().isoformat())
    world.born(INVOICES, invoice)
    contacts.post(world, customer.id, "documents", 1)
    postings.post(world, invoice, 1)
    order_ledger.follow(world, invoice, present=invoice.status != "void")
    return invoice


def edit(world: World, invoice: Invoice, given: Fields, version: bool) -> None:
    """Set fields or lines; what the invoice posted before is taken back first."""
    plain = FIELDS.check(given)
    fields.keep(given, "customer_id", invoice.contact_id, "an invoice keeps its customer")
    fields.keep(given, "salesorder_id", invoice.order_id, "an invoice keeps its sales order")
    lines = trade.lines_of(world, invoice, given)
    _refuse_below_paid(invoice, plain, lines)
    before = (invoice.status, invoice.total, invoice.balance)
    postings.post(world, invoice, -1)
    with world.editing(INVOICES, invoice, version=version):
        invoice.lines = lines
        FIELDS.assign(invoice, plain)
        invoice.add_up()
        invoice.settle(world.today().isoformat())
    postings.post(world, invoice, 1)
    if before != (invoice.status, invoice.total, invoice.balance):
        order_ledger.follow(world, invoice, present=invoice.status != "void")


def _refuse_below_paid(invoice: Invoice, plain: Fields, lines: tuple[Line, ...]) -> None:
    shipping = decimal(plain.get("shipping_charge", invoice.shipping))
    adjustment = decimal(plain.get("adjustment", invoice.adjustment))
    total = sum((invoice.line_total(line) for line in lines), ZERO) + shipping + adjustment
    written_off = decimal(plain.get("write_off_amount", invoice.written_off))
    settled = invoice.paid + invoice.credited + written_off
    if written_off < 0 or total < settled:
        raise Refused("the total would fall below what was paid or written off")
    if settled and plain.get("status", invoice.status) in UNPOSTED:
        raise Refused("an invoice of which something was paid or written off cannot become a draft or void")


def random_edit(world: World, invoice: Invoice, random: Random) -> Fields:
    """What staff change: texts mostly, lines while nothing is paid."""
    choices: list[Callable[[], Fields]] = [
        lambda: {"notes": vocabulary.remark(random)},
        lambda: {"reference_number": f"SO-{random.randrange(10**5):05d}"},
        lambda: {"due_date": days_after(invoice.date, random.randrange(60))},
    ]
    if not invoice.settled:
        choices.append(lambda: {"line_items": line_items.wanted_lines(world, random)})
        choices.append(lambda: {"line_items": line_items.wanted_lines(world, random)})
        if invoice.status != "void":
            choices.append(lambda: {"status": "void"})
    return random.choice(choices)()


def delete(world: World, invoice: Invoice) -> None:
    """What was paid becomes unused in its payments."""
    receivables.release(world, invoice)
    postings.post(world, invoice, -1)
    contacts.post(world, invoice.contact_id, "documents", -1)
    order_ledger.follow(world, invoice, present=False)
    world.bury(INVOICES, invoice)


# -- the list


STATUSES = ("Draft", "Sent", "OverDue", "Paid", "Void", "Unpaid", "PartiallyPaid", "Viewed", "PendingApproval")
FURTHER = {"unpaid": lambda invoice: invoice.posted and invoice.balance > 0}


INVOICES: EntitySpec[Invoice] = EntitySpec(
    name="invoices",
    label="Invoice",
    path="invoices",
    list_key="invoices",
    detail_key="invoice",
    id_key="invoice_id",
    id_base=2_646_610_003_000_000_000,
    scopes={"books": "ZohoBooks.invoices.READ", "inventory": "ZohoInventory.invoices.READ"},
    listing=Listing(
        report_name="Invoices",
        applied_filter="Status.All",
        sort_column="created_time",
        sort_order="D",
        sort_keys={
            **trade.SORT_KEYS,
            "due_date": lambda invoice: invoice.due_date,
            "invoice_number": lambda invoice: invoice.number,
            "balance": lambda invoice: invoice.balance,
        },
        filters={
            **trade.filters("invoice_number", "customer_id", STATUSES, further=FURTHER),
            **date_filters("due_date", lambda invoice: invoice.due_date),
            **date_filters("created_date", lambda invoice: zoho_date(invoice.created)),
        },
        filters_by_modified=lambda world: True,
        context={"seller_app_sales_channels": ""},
    ),
    # the demo has more of them than are paid, so that balances stay open
    views=(View(name="invoices", shows=lambda invoice: True, sizes={"small": 40, "demo": 1250, "tsh": 23972}),),
    chosen_fields=("invoice_id", "invoice_number", "status", "total", "balance"),
    row=invoice_documents.row,
    document=invoice_documents.document,
    totals=postings.totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda invoice: True,
    below={
        "payments": Below(key="payments", values=invoice_documents.payments),
        "creditsapplied": Below(key="credits", values=invoice_documents.credits_applied),
    },
    age=lambda world, today: postings.age(world, INVOICES, today),
)
