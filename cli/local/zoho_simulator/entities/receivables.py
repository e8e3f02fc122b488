"""The ledger between invoices and payments: who owes what, and which stock left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from cli.local.zoho_simulator.entities import contacts, products
from cli.local.zoho_simulator.money import ZERO, Currency
from cli.local.zoho_simulator.records import Record, Table
from cli.local.zoho_simulator.world import World

UNPOSTED = frozenset({"draft", "void", "pending_approval", "approved", "rejected"})


class Line(NamedTuple):
    """One line; name and unit are as they were when it was written."""

    line_id: str
    item_id: str
    name: str
    unit: str
    quantity: Decimal
    rate: Decimal


@dataclass(slots=True, kw_only=True)
class Invoice(Record):
    """A sales invoice in its customer's currency. `payments` are (payment_id, amount) in order of application."""

    number: str
    customer_id: str
    currency: Currency
    exchange_rate: Decimal
    date: str
    due_date: str
    terms: int
    lines: tuple[Line, ...]
    status: str = "sent"
    location: int = 0
    salesperson: int = 0
    shipping: Decimal = ZERO
    adjustment: Decimal = ZERO
    reference: str = ""
    notes: str = ""
    payments: tuple[tuple[str, Decimal], ...] = ()
    last_payment_date: str = ""
    sub_total: Decimal = ZERO
    total: Decimal = ZERO
    paid: Decimal = ZERO

    @property
    def posted(self) -> bool:
        """Whether it moves stock and balances."""
        return self.status not in UNPOSTED

    @property
    def balance(self) -> Decimal:
        """What is still to be paid."""
        return ZERO if self.status == "void" else self.total - self.paid

    @property
    def owed(self) -> Decimal:
        """What it adds to its customer's balance."""
        return self.balance if self.posted else ZERO

    def line_total(self, line: Line) -> Decimal:
        """Rate times quantity at the currency's precision."""
        return self.currency.rounded(line.rate * line.quantity)

    def add_up(self) -> None:
        """Recompute the totals from the lines."""
        self.sub_total = sum((self.line_total(line) for line in self.lines), ZERO)
        self.total = self.sub_total + self.shipping + self.adjustment

    def settle(self, today: str) -> None:
        """Give an open invoice the status that its payments and its due date mean."""
        if not self.posted:
            return
        if self.balance <= 0:
            self.status = "paid"
        elif self.due_date and self.due_date < today:
            self.status = "overdue"
        elif self.paid > 0:
            self.status = "partially_paid"
        elif self.status in ("paid", "partially_paid", "overdue"):
            self.status = "sent"


@dataclass(slots=True, kw_only=True)
class Payment(Record):
    """Money received in the customer's currency. `applied` are (invoice_id, amount, invoice_payment_id)."""

    number: int
    customer_id: str
    currency: Currency
    exchange_rate: Decimal
    amount: Decimal
    date: str
    mode: str
    applied: tuple[tuple[str, Decimal, str], ...] = ()
    reference: str = ""
    description: str = ""

    @property
    def unused(self) -> Decimal:
        """What no invoice has taken."""
        return self.amount - sum((amount for _, amount, _ in self.applied), ZERO)


def invoices(world: World) -> Table[Any]:
    """The invoices, by name: payments and invoices refer to each other."""
    return world.tables["invoices"]


def payments(world: World) -> Table[Any]:
    """The payments received."""
    return world.tables["customerpayments"]


def post(world: World, invoice: Invoice, sign: int) -> None:
    """Move stock and the customer's balance as the invoice says, or back with sign -1."""
    if not invoice.posted:
        return
    for line in invoice.lines:
        products.move_stock(world, line.item_id, invoice.location, -line.quantity * sign)
    contacts.post(world, invoice.customer_id, receivable=invoice.owed * sign)


def settle(world: World, invoice: Invoice, taken: dict[str, Decimal], *, day: str) -> None:
    """Put what payments (by id) have now taken on an invoice: balance, status and version move."""
    with world.editing(invoices(world).spec, invoice, derived=True):
        before = invoice.owed
        kept = {**dict(invoice.payments), **taken}
        invoice.payments = tuple((key, amount) for key, amount in kept.items() if amount)
        invoice.paid = sum((amount for _, amount in invoice.payments), ZERO)
        invoice.last_payment_date = day if invoice.paid else ""
        invoice.settle(world.today().isoformat())
    contacts.post(world, invoice.customer_id, receivable=invoice.owed - before)


def release(world: World, invoice: Invoice) -> None:
    """An invoice goes away: what payments had applied to it is unused again, and their versions move."""
    if not invoice.payments:
        return
    table = payments(world)
    for payment_id, amount in invoice.payments:
        payment: Payment = table.records[payment_id]
        with world.editing(table.spec, payment, derived=True):
            payment.applied = tuple(entry for entry in payment.applied if entry[0] != invoice.id)
        contacts.post(world, invoice.customer_id, unused=amount)
    settle(world, invoice, {payment_id: ZERO for payment_id, _ in invoice.payments}, day="")
