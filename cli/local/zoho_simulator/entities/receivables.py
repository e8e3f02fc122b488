"""The ledger between invoices, payments and credit notes: who owes what, and which stock left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from cli.local.zoho_simulator.entities import contacts, order_ledger, products
from cli.local.zoho_simulator.entities.refunds import Refund, refunded
from cli.local.zoho_simulator.entities.trade import Trade
from cli.local.zoho_simulator.money import ZERO, Currency
from cli.local.zoho_simulator.records import Record, Table
from cli.local.zoho_simulator.world import World

UNPOSTED = frozenset({"draft", "void", "pending_approval", "approved", "rejected"})


@dataclass(slots=True, kw_only=True)
class Invoice(Trade):
    """A sales invoice in its customer's currency.

    `payments` are (payment_id, amount), `credits` (creditnote_id, amount), in order of application. `written_off` is
    what nobody expects any more. `ordered` is what it takes of each line of its sales order.
    """

    customer_id: str
    due_date: str
    terms: int
    salesperson: int = 0
    payments: tuple[tuple[str, Decimal], ...] = ()
    credits: tuple[tuple[str, Decimal], ...] = ()
    last_payment_date: str = ""
    paid: Decimal = ZERO
    credited: Decimal = ZERO
    written_off: Decimal = ZERO
    order_id: str = ""
    ordered: tuple[Decimal, ...] = ()

    @property
    def posted(self) -> bool:
        """Whether it moves stock and balances."""
        return self.status not in UNPOSTED

    @property
    def taken(self) -> Decimal:
        """What was paid, credited or written off."""
        return self.paid + self.credited + self.written_off

    @property
    def balance(self) -> Decimal:
        """What is still to be paid."""
        return ZERO if self.status == "void" else self.total - self.taken

    @property
    def owed(self) -> Decimal:
        """What it adds to its customer's balance."""
        return self.balance if self.posted else ZERO

    def settle(self, today: str) -> None:
        """Give an open invoice the status that its payments and its due date mean."""
        if not self.posted:
            return
        if self.balance <= 0:
            self.status = "paid"
        elif self.due_date and self.due_date < today:
            self.status = "overdue"
        elif self.taken > 0:
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
    refunds: tuple[Refund, ...] = ()

    @property
    def refunded(self) -> Decimal:
        """What was paid back."""
        return refunded(self.refunds)

    @property
    def unused(self) -> Decimal:
        """What no invoice has taken and nobody got back."""
        return self.amount - sum((amount for _, amount, _ in self.applied), ZERO) - self.refunded

    def settle(self) -> None:
        """Nothing but the rest follows from what was applied."""


def invoices(world: World) -> Table[Any]:
    """The invoices, by name: payments and invoices refer to each other."""
    return world.tables["invoices"]


def payments(world: World) -> Table[Any]:
    """The payments received."""
    return world.tables["customerpayments"]


def creditnotes(world: World) -> Table[Any]:
    """The credit notes."""
    return world.tables["creditnotes"]


def post(world: World, invoice: Invoice, sign: int) -> None:
    """Move stock and the customer's balance as the invoice says, or back with sign -1."""
    if not invoice.posted:
        return
    for line in invoice.lines:
        products.move_stock(world, line.item_id, invoice.location, -line.quantity * sign)
    contacts.post(world, invoice.customer_id, receivable=invoice.owed * sign)


Kind = Literal["payments", "credits"]
LEDGERS: tuple[Kind, ...] = ("payments", "credits")


def settle(world: World, invoice: Invoice, taken: dict[str, Decimal], *, day: str, kind: Kind = "payments") -> None:
    """Put what payments or credit notes (by id) have now taken on an invoice: balance, status and version move."""
    with world.editing(invoices(world).spec, invoice, derived=True):
        before = invoice.owed
        kept = {**dict(getattr(invoice, kind)), **taken}
        setattr(invoice, kind, tuple((key, amount) for key, amount in kept.items() if amount))
        invoice.paid = sum((amount for _, amount in invoice.payments), ZERO)
        invoice.credited = sum((amount for _, amount in invoice.credits), ZERO)
        if kind == "payments":
            invoice.last_payment_date = day if invoice.paid else ""
        invoice.settle(world.today().isoformat())
    contacts.post(world, invoice.customer_id, receivable=invoice.owed - before)
    order_ledger.follow(world, invoice, present=invoice.status != "void")


def release(world: World, invoice: Invoice) -> None:
    """An invoice goes away: what was applied to it is unused again, and the versions of that move."""
    for kind, table in (("payments", payments(world)), ("credits", creditnotes(world))):
        for key, amount in getattr(invoice, kind):
            source: Any = table.records[key]
            with world.editing(table.spec, source, derived=True):
                source.applied = tuple(entry for entry in source.applied if entry[0] != invoice.id)
                source.settle()
            contacts.post(world, invoice.customer_id, unused=amount)
    for kind in LEDGERS:
        if entries := getattr(invoice, kind):
            settle(world, invoice, {key: ZERO for key, _ in entries}, day="", kind=kind)
