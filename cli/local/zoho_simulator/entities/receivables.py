"""The ledger between invoices, payments and credit notes: who owes what, and which stock left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from cli.local.zoho_simulator.entities import contacts, order_ledger
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Account
from cli.local.zoho_simulator.entities.postings import Debt
from cli.local.zoho_simulator.entities.refunds import Refund, refunded
from cli.local.zoho_simulator.money import ZERO, Currency, decimal
from cli.local.zoho_simulator.records import Fields, Record, Refused, Table
from cli.local.zoho_simulator.world import World

Kind = Literal["payments", "credits"]
LEDGERS: tuple[Kind, ...] = ("payments", "credits")


@dataclass(slots=True, kw_only=True)
class Invoice(Debt):
    """A sales invoice in its customer's currency.

    `payments` are (payment_id, amount), `credits` (creditnote_id, amount), in order of application. `written_off` is
    what nobody expects any more. `ordered` is what it takes of each line of its sales order.
    """

    brings: ClassVar[int] = -1
    account: ClassVar[Account] = "receivable"

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
    def settled(self) -> Decimal:
        """What was paid, credited or written off."""
        return self.paid + self.credited + self.written_off

    def take(self, kind: Kind, amounts: Mapping[str, Decimal], *, day: str) -> None:
        """Say anew what was taken on that day of these payments or credit notes (by id)."""
        kept = {**dict(getattr(self, kind)), **amounts}
        setattr(self, kind, tuple((key, amount) for key, amount in kept.items() if amount))
        self.paid = sum((amount for _, amount in self.payments), ZERO)
        self.credited = sum((amount for _, amount in self.credits), ZERO)
        if kind == "payments":
            self.last_payment_date = day if self.paid else ""

    def settle(self, today: str) -> None:
        """Give an open invoice the status that its payments and its due date mean."""
        if self.posted:
            before = "sent" if self.status in ("paid", "partially_paid", "overdue") else self.status
            self.status = self.settled_status(today) or before


class Application(NamedTuple):
    """What an invoice takes of a payment or a credit note."""

    invoice_id: str
    amount: Decimal
    application_id: str
    date: str


class Source(Protocol):
    """A payment or a credit note; `kind` is where an invoice keeps it, `series` names its applications' ids."""

    kind: ClassVar[Kind]
    series: ClassVar[tuple[str, int]]
    id: str
    created: int
    contact_id: str
    date: str
    applied: tuple[Application, ...]


@dataclass(slots=True, kw_only=True)
class Payment(Record):
    """Money received in the customer's currency."""

    kind: ClassVar[Kind] = "payments"
    series: ClassVar[tuple[str, int]] = ("applications", 2_646_610_014_000_000_000)

    number: int
    contact_id: str
    currency: Currency
    exchange_rate: Decimal
    amount: Decimal
    date: str
    mode: str
    applied: tuple[Application, ...] = ()
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
        return self.amount - sum(taken_of(self).values(), ZERO) - self.refunded

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


def taken_of(source: Source) -> dict[str, Decimal]:
    """invoice_id -> what the invoice takes of a payment or a credit note."""
    return {entry.invoice_id: entry.amount for entry in source.applied}


def wanted(
    world: World, source: Source, given: Iterable[Fields], *, amount: str, most: Decimal | None = None
) -> dict[str, Decimal]:
    """invoice_id -> amount of what a caller wants, checked against what the invoices still take; raises Refused.

    Without `amount`, the field, an invoice takes its balance, or `most` if that is less.
    """
    held, found = taken_of(source), {}
    for entry in given:
        invoice = invoices(world).records.get(str(entry["invoice_id"]))
        if invoice is None or not invoice.posted or invoice.contact_id != source.contact_id:
            raise Refused(f"invoice {entry['invoice_id']} is not this customer's, or not posted")
        usual = invoice.balance if most is None else min(invoice.balance, most)
        share = decimal(entry.get(amount, usual))
        if share <= 0 or share > invoice.balance + held.get(invoice.id, ZERO):
            raise Refused(f"invoice {invoice.id} does not take {share}")
        found[invoice.id] = share
    return found


def apply(world: World, source: Source, amounts: Mapping[str, Decimal]) -> None:
    """Say anew what invoices (by id) take of it, inside an edit of it: they move with their versions.

    An application that is known keeps its id and its date.
    """
    held = {entry.invoice_id: entry for entry in source.applied}
    today = world.today().isoformat()
    source.applied = tuple(
        held[invoice_id]._replace(amount=amount)
        if invoice_id in held
        else Application(invoice_id, amount, world.counter(*source.series), today)
        for invoice_id, amount in amounts.items()
    )
    for invoice_id in {**held, **amounts}:
        now = amounts.get(invoice_id, ZERO)
        if invoice_id not in held or held[invoice_id].amount != now:
            settle(world, invoices(world).records[invoice_id], {source.id: now}, day=source.date, kind=source.kind)


def apply_once(world: World, source: Source, invoice: Invoice, amount: Decimal) -> None:
    """What happened before the simulation: an invoice took something when the payment or the credit note was made."""
    source.applied += (Application(invoice.id, amount, world.counter(*source.series), source.date),)
    invoice.take(source.kind, {source.id: amount}, day=source.date)
    invoice.modified = max(invoice.modified, source.created)
    invoice.settle(world.base_date.isoformat())
    world.table(CONTACTS).records[invoice.contact_id].receivable -= amount


def settle(world: World, invoice: Invoice, amounts: Mapping[str, Decimal], *, day: str, kind: Kind) -> None:
    """Put what payments or credit notes (by id) have now taken on an invoice: balance, status and version move."""
    with world.editing(invoices(world).spec, invoice, derived=True):
        before = invoice.owed
        invoice.take(kind, amounts, day=day)
        invoice.settle(world.today().isoformat())
    contacts.post(world, invoice.contact_id, "receivable", invoice.owed - before)
    order_ledger.follow(world, invoice, present=invoice.status != "void")


def release(world: World, invoice: Invoice) -> None:
    """An invoice goes away: what was applied to it is unused again, and the versions of that move."""
    for kind, table in (("payments", payments(world)), ("credits", creditnotes(world))):
        for key, amount in getattr(invoice, kind):
            source: Any = table.records[key]
            with world.editing(table.spec, source, derived=True):
                source.applied = tuple(entry for entry in source.applied if entry.invoice_id != invoice.id)
                source.settle()
            contacts.post(world, invoice.contact_id, "unused", amount)
    for kind in LEDGERS:
        if entries := getattr(invoice, kind):
            settle(world, invoice, {key: ZERO for key, _ in entries}, day="", kind=kind)
