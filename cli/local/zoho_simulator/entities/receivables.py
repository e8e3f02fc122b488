"""The ledger between invoices, payments and credit notes: who owes what, and which stock left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal

from cli.local.zoho_simulator.entities import contacts, order_ledger
from cli.local.zoho_simulator.entities.contacts import Account
from cli.local.zoho_simulator.entities.postings import Debt
from cli.local.zoho_simulator.money import ZERO, Currency
from cli.local.zoho_simulator.records import Record, Table
from cli.local.zoho_simulator.world import World


@dataclass(slots=True, kw_only=True)
class Invoice(Debt):
    """A sales invoice in its customer's currency.

    `payments` are (payment_id, amount), `credits` (creditnote_id, amount), in order of application. `ordered` is what
    it takes of each line of its sales order.
    """

    brings: ClassVar[int] = -1
    account: ClassVar[Account] = "receivable"

    salesperson: int = 0
    payments: tuple[tuple[str, Decimal], ...] = ()
    credits: tuple[tuple[str, Decimal], ...] = ()
    last_payment_date: str = ""
    paid: Decimal = ZERO
    credited: Decimal = ZERO
    order_id: str = ""
    ordered: tuple[Decimal, ...] = ()

    @property
    def settled(self) -> Decimal:
        """What payments and credit notes have taken of it."""
        return self.paid + self.credited

    def settle(self, today: str) -> None:
        """Give an open invoice the status that its payments and its due date mean."""
        if self.posted:
            before = "sent" if self.status in ("paid", "partially_paid", "overdue") else self.status
            self.status = self.settled_status(today) or before


@dataclass(slots=True, kw_only=True)
class Payment(Record):
    """Money received in the customer's currency. `applied` are (invoice_id, amount, invoice_payment_id)."""

    number: int
    contact_id: str
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
    contacts.post(world, invoice.contact_id, "receivable", invoice.owed - before)
    order_ledger.follow(world, invoice, present=invoice.status != "void")


def release(world: World, invoice: Invoice) -> None:
    """An invoice goes away: what was applied to it is unused again, and the versions of that move."""
    for kind, table in (("payments", payments(world)), ("credits", creditnotes(world))):
        for key, amount in getattr(invoice, kind):
            source: Any = table.records[key]
            with world.editing(table.spec, source, derived=True):
                source.applied = tuple(entry for entry in source.applied if entry[0] != invoice.id)
                source.settle()
            contacts.post(world, invoice.contact_id, "unused", amount)
    for kind in LEDGERS:
        if entries := getattr(invoice, kind):
            settle(world, invoice, {key: ZERO for key, _ in entries}, day="", kind=kind)
