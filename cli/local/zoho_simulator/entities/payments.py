"""Payments received: one covers several invoices and may leave an unused rest; modes are what people typed."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import zoho_date
from cli.local.zoho_simulator.entities import contacts, payment_documents, receivables, trade
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.invoices import INVOICES
from cli.local.zoho_simulator.entities.receivables import Invoice, Payment
from cli.local.zoho_simulator.entities.refunds import MODES, Refund, given_refunds, new_refund, refunded
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.records import (
    Below,
    EntitySpec,
    Fields,
    InvalidValue,
    Listing,
    Predicate,
    Refused,
    Totals,
    View,
    date_filters,
    pick,
)
from cli.local.zoho_simulator.world import World

PAID_SHARE = 0.992
ADVANCE_EVERY, ADVANCE_AT = 20, 3  # the smallest organisation too has advances, one paid back, and a bad debt
REFUND_EVERY, BAD_DEBT_EVERY = 40, 25


def _new(world: World, random: Random, customer: Contact, *, number: int, at: int, amount: Decimal) -> Payment:
    return Payment(
        id=world.table(PAYMENTS).next_id(),
        created=at,
        modified=at,
        number=number,
        contact_id=customer.id,
        currency=customer.currency,
        exchange_rate=customer.currency.rate,
        amount=amount,
        date=zoho_date(at),
        mode=random.choice(vocabulary.PAYMENT_MODES),
        reference=f"{random.randrange(10**6):06d}" if random.random() < 0.3 else "",
        description=random.choice(vocabulary.NOTES) if random.random() < 0.2 else "",
    )


# -- history


class _Debts:
    """The invoices that will be paid, oldest first, and by customer."""

    def __init__(self, world: World, random: Random) -> None:
        invoices = [i for i in world.table(INVOICES).records.values() if i.posted and i.balance > 0]
        self.queue = deque(invoice for invoice in invoices if random.random() < PAID_SHARE)
        self.count = len(self.queue)
        self.by_customer: dict[str, deque[Invoice]] = defaultdict(deque)
        for invoice in self.queue:
            self.by_customer[invoice.contact_id].append(invoice)

    def take(self, size: int) -> list[Invoice]:
        """Up to `size` unpaid invoices of the customer whose invoice is the oldest."""
        while self.queue and self.queue[0].balance <= 0:
            self.queue.popleft()
        if not self.queue:
            return []
        owed = self.by_customer[self.queue[0].contact_id]
        while owed and owed[0].balance <= 0:
            owed.popleft()
        return [owed[position] for position in range(min(size, len(owed)))]


def _group(random: Random, ratio: float) -> int:
    """How many invoices one payment covers, `ratio` on the average."""
    if ratio <= 1 or random.random() > (ratio - 1) * 0.68:
        return 1
    return random.choice((2, 2, 3, 4))


def generate(world: World, random: Random) -> Iterator[Payment]:
    """Payments in the order of the debts; when these are paid, advances follow."""
    count = world.sizes["payments"]
    debts = _Debts(world, random)
    ratio = debts.count / max(count, 1)
    customers = [customer for customer in contacts.of_kind(world, "customer") if customer.documents]
    for index, created in enumerate(history.instants(random, count, end=world.history_end, days=1190)):
        taken = debts.take(_group(random, ratio))
        partial = bool(taken) and (random.random() < 0.004 or (ratio < 1 and random.random() < 0.9 * (1 - ratio)))
        yield _historical(world, random, customers, taken, number=index + 1, at=created, partial=partial)
    _write_off(world)


def _write_off(world: World) -> None:
    """Some of what nobody paid, the oldest first, is expected no more; Zoho's own day for that is in no document."""
    unpaid = [i for i in world.table(INVOICES).records.values() if i.owed > 0 and i.status == "overdue"]
    for invoice in unpaid[::BAD_DEBT_EVERY]:
        world.table(CONTACTS).records[invoice.contact_id].receivable -= invoice.owed
        invoice.written_off = invoice.owed
        invoice.modified = max(invoice.modified, world.history_end - 1)
        invoice.settle(world.base_date.isoformat())


def _historical(
    world: World, random: Random, customers: list[Contact], taken: list[Invoice], *, number: int, at: int, partial: bool
) -> Payment:
    customer = world.table(CONTACTS).records[taken[0].contact_id] if taken else random.choice(customers)
    at = min(max([at, *(invoice.created + 60 for invoice in taken)]), world.history_end - 1)
    payment = _new(world, random, customer, number=number, at=at, amount=ZERO)
    for invoice in taken:
        share = Decimal(random.randrange(20, 80)).scaleb(-2)
        amount = customer.currency.rounded(invoice.balance * share) if partial else invoice.balance
        receivables.apply_once(world, payment, invoice, amount)
        payment.amount += amount
    if not taken or number % ADVANCE_EVERY == ADVANCE_AT or random.random() < 0.02:
        rest = customer.currency.rounded(Decimal(random.randrange(5, 300)) / customer.currency.rate)
        payment.amount += rest
        if number % REFUND_EVERY == ADVANCE_AT:
            back = customer.currency.rounded(rest / 2) if number % (2 * REFUND_EVERY) == ADVANCE_AT else rest
            payment.refunds = (new_refund(world, {"refund_mode": MODES[number % len(MODES)]}, payment.date, back),)
        customer.unused += payment.unused
    payment.modified = history.later(random, at, end=world.history_end, share=0.05)
    customer.documents += 1
    return payment


# -- changes

SETTERS: dict[str, fields.Setter] = {
    "payment_mode": ("mode", fields.text),
    "date": ("date", fields.text),
    "reference_number": ("reference", fields.text),
    "description": ("description", fields.text),
    "amount": ("amount", decimal),
}
SPECIAL = ("customer_id", "invoices", "payment_refunds")
COMPUTED = frozenset(
    {"payment_id", "unused_amount", "bcy_amount", "bcy_unused_amount", "currency_code", "currency_id", "created_time"}
) | {"bcy_refunded_amount"}
SHAPES = ("payment_row", "payment_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def _refunds(world: World, payment: Payment, given: Fields) -> tuple[Refund, ...]:
    """As given, or as they stand; one with a known payment_refund_id keeps it."""
    if "payment_refunds" not in given:
        return payment.refunds
    wanted = given["payment_refunds"]
    return given_refunds(world, payment.refunds, wanted, key="payment_refund_id", rest=payment.unused)


def _refuse_overdrawn(amount: Decimal, applied: dict[str, Decimal], refunds: tuple[Refund, ...]) -> None:
    if sum(applied.values(), ZERO) + refunded(refunds) > amount:
        raise Refused("more applied or paid back than paid")


def create(world: World, random: Random, given: Fields) -> Payment:
    """A new payment: of the given invoices, of the given customer as an advance, or of a random open invoice."""
    plain = FIELDS.check(given)
    customer, entries = _whom(world, random, given)
    number = trade.unused_number(world, PAYMENTS, random, digits=5)
    payment = _new(world, random, customer, number=number, at=world.seconds(), amount=ZERO)
    wanted = receivables.wanted(world, payment, entries, amount="amount_applied")
    FIELDS.assign(payment, plain)
    if "amount" not in given:
        applied = sum(wanted.values(), ZERO)
        payment.amount = applied or customer.currency.rounded(Decimal(100) / customer.currency.rate)
    refunds = _refunds(world, payment, given)
    _refuse_overdrawn(payment.amount, wanted, refunds)
    payment.refunds = refunds
    world.born(PAYMENTS, payment)
    receivables.apply(world, payment, wanted)
    contacts.post(world, customer.id, "unused", payment.unused)
    contacts.post(world, customer.id, "documents", 1)
    return payment


def _whom(world: World, random: Random, given: Fields) -> tuple[Contact, list[Any]]:
    """Who pays, and which invoices: of nobody in particular mostly an open one."""
    customers, invoices = world.table(CONTACTS).records, world.table(INVOICES).records
    entries = list(given.get("invoices", ()))
    if entries and "customer_id" not in given:
        invoice = invoices.get(str(entries[0].get("invoice_id", "")))
        if invoice is None:
            raise Refused("no such invoice")
        return customers[invoice.contact_id], entries
    if "customer_id" not in given:
        owed = pick(invoices.values(), random, lambda invoice: invoice.owed > 0)
        if owed is not None and random.random() < 0.9:
            return customers[owed.contact_id], [{"invoice_id": owed.id}]
    return contacts.somebody(world, random, "customer", str(given.get("customer_id", ""))), entries


def edit(world: World, payment: Payment, given: Fields, version: bool) -> None:
    """Set fields, or say anew which invoices it covers and what was paid back."""
    plain = FIELDS.check(given)
    fields.keep(given, "customer_id", payment.contact_id, "a payment keeps its customer")
    wanted = receivables.taken_of(payment)
    if "invoices" in given:
        wanted = receivables.wanted(world, payment, given["invoices"], amount="amount_applied")
    refunds = _refunds(world, payment, given)
    _refuse_overdrawn(decimal(plain.get("amount", payment.amount)), wanted, refunds)
    before = payment.unused
    with world.editing(PAYMENTS, payment, version=version):
        FIELDS.assign(payment, plain)
        payment.refunds = refunds
        receivables.apply(world, payment, wanted)
    contacts.post(world, payment.contact_id, "unused", payment.unused - before)


def random_edit(world: World, payment: Payment, random: Random) -> Fields:
    """What staff change."""
    choices: list[Fields] = [
        {"payment_mode": random.choice(vocabulary.PAYMENT_MODES)},
        {"reference_number": f"{random.randrange(10**6):06d}"},
        {"description": vocabulary.remark(random)},
        {"amount": str(payment.amount + payment.currency.rounded(Decimal(10) / payment.currency.rate))},
    ]
    if payment.unused > 0:
        held: list[Any] = [{"payment_refund_id": refund.refund_id} for refund in payment.refunds]
        choices.append({"payment_refunds": [*held, {"refund_mode": random.choice(MODES)}]})
    return random.choice(choices)


def delete(world: World, payment: Payment) -> None:
    """Its invoices are open again, with new versions."""
    unused = payment.unused
    world.bury(PAYMENTS, payment)
    receivables.apply(world, payment, {})
    contacts.post(world, payment.contact_id, "unused", -unused)
    contacts.post(world, payment.contact_id, "documents", -1)


def totals(payment: Payment) -> Totals:
    """Amounts and unused rests per currency."""
    return payment.currency.code, {"amount": payment.amount, "unused_amount": payment.unused}


def _filter_by(value: str) -> Predicate[Payment]:
    if value == "PaymentMode.All":
        return lambda payment: True
    if not value.startswith("PaymentMode."):
        raise InvalidValue(value)
    wanted = value.removeprefix("PaymentMode.").lower()
    return lambda payment: payment.mode.replace(" ", "").lower() == wanted


PAYMENTS: EntitySpec[Payment] = EntitySpec(
    name="customerpayments",
    label="Payment",
    path="customerpayments",
    list_key="customerpayments",
    detail_key="payment",
    id_key="payment_id",
    id_base=2_646_610_004_000_000_000,
    scopes={"books": "ZohoBooks.customerpayments.READ", "inventory": "ZohoInventory.customerpayments.READ"},
    listing=Listing(
        report_name="Payments Received",
        applied_filter="PaymentMode.All",
        sort_column="date",
        sort_order="D",
        sort_keys={
            "date": lambda payment: payment.date,
            "created_time": lambda payment: payment.created,
            "amount": lambda payment: payment.amount,
            "payment_number": lambda payment: payment.number,
        },
        filters={
            "filter_by": _filter_by,
            "customer_id": lambda value: lambda payment: payment.contact_id == value,
            **date_filters("date", lambda payment: payment.date),
        },
        filters_by_modified=lambda world: world.options.quirks.payments_filter_by_modified,
    ),
    views=(View(name="payments", shows=lambda payment: True, sizes={"small": 30, "demo": 1000, "tsh": 20000}),),
    chosen_fields=("payment_id", "payment_number", "amount", "date"),
    row=payment_documents.row,
    document=payment_documents.document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda payment: True,
    below={"refunds": Below(key="payment_refunds", values=payment_documents.refunds)},
)
