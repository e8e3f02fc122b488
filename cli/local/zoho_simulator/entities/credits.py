"""Credit notes: goods come back, the customer's debts or the cash go down by what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from cli.local.zoho_simulator.entities import contacts, products, receivables
from cli.local.zoho_simulator.entities.receivables import UNPOSTED, Invoice
from cli.local.zoho_simulator.entities.refunds import Refund, refunded
from cli.local.zoho_simulator.entities.trade import Trade, counter
from cli.local.zoho_simulator.money import ZERO
from cli.local.zoho_simulator.world import World

APPLICATION_ID_BASE = 2_646_610_023_000_000_000


class Application(NamedTuple):
    """What an invoice takes of a credit note."""

    invoice_id: str
    amount: Decimal
    application_id: str
    date: str


@dataclass(slots=True, kw_only=True)
class CreditNote(Trade):
    """Credit in the customer's currency, for goods of an invoice that came back."""

    customer_id: str
    invoice_id: str = ""
    salesperson: int = 0
    applied: tuple[Application, ...] = ()
    refunds: tuple[Refund, ...] = ()

    @property
    def posted(self) -> bool:
        """Whether it moves stock and balances."""
        return self.status not in UNPOSTED

    @property
    def used(self) -> Decimal:
        """What invoices have taken."""
        return sum((entry.amount for entry in self.applied), ZERO)

    @property
    def refunded(self) -> Decimal:
        """What was paid back."""
        return refunded(self.refunds)

    @property
    def balance(self) -> Decimal:
        """What is left of it."""
        return ZERO if self.status == "void" else self.total - self.used - self.refunded

    @property
    def unused(self) -> Decimal:
        """What it adds to the customer's unused credits."""
        return self.balance if self.posted else ZERO

    def settle(self) -> None:
        """A credit note without balance is closed."""
        if self.posted:
            self.status = "open" if self.balance > 0 else "closed"


def post(world: World, note: CreditNote, sign: int) -> None:
    """Bring its goods back and give the customer the credit, or take both away with sign -1."""
    if not note.posted:
        return
    for line in note.lines:
        products.move_stock(world, line.item_id, note.location, line.quantity * sign)
    contacts.post(world, note.customer_id, unused=note.unused * sign)


def _application(world: World, note: CreditNote, invoice_id: str, amount: Decimal, day: str) -> Application:
    """One that is known keeps its id and its date."""
    held = next((entry for entry in note.applied if entry.invoice_id == invoice_id), None)
    if held is not None:
        return held._replace(amount=amount)
    return Application(invoice_id, amount, counter(world, "credits applied", APPLICATION_ID_BASE), day)


def apply(world: World, note: CreditNote, wanted: Mapping[str, Decimal]) -> None:
    """Say anew which invoices it covers, inside an edit of it: they move with their versions."""
    held = {entry.invoice_id: entry.amount for entry in note.applied}
    day = world.today().isoformat()
    note.applied = tuple(_application(world, note, *entry, day) for entry in wanted.items())
    for invoice_id in {**held, **wanted}:
        now = wanted.get(invoice_id, ZERO)
        if held.get(invoice_id, ZERO) != now:
            invoice: Invoice = receivables.invoices(world).records[invoice_id]
            receivables.settle(world, invoice, {note.id: now}, day="", kind="credits")
