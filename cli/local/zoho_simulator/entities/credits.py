"""Credit notes: goods come back, the customer's debts or the cash go down by what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from cli.local.zoho_simulator.entities.contacts import Account
from cli.local.zoho_simulator.entities.postings import Posting
from cli.local.zoho_simulator.entities.receivables import Application, Kind, taken_of
from cli.local.zoho_simulator.money import ZERO
from cli.local.zoho_simulator.world import World

REFUND_ID_BASE = 2_646_610_024_000_000_000


class Refund(NamedTuple):
    """Money given back for a credit note, in its currency."""

    refund_id: str
    date: str
    mode: str
    amount: Decimal
    reference: str = ""


@dataclass(slots=True, kw_only=True)
class CreditNote(Posting):
    """Credit in the customer's currency, for goods of an invoice that came back."""

    brings: ClassVar[int] = 1
    account: ClassVar[Account] = "unused"
    kind: ClassVar[Kind] = "credits"
    series: ClassVar[tuple[str, int]] = ("credits applied", 2_646_610_023_000_000_000)

    invoice_id: str = ""
    salesperson: int = 0
    applied: tuple[Application, ...] = ()
    refunds: tuple[Refund, ...] = ()

    @property
    def used(self) -> Decimal:
        """What invoices have taken."""
        return sum(taken_of(self).values(), ZERO)

    @property
    def refunded(self) -> Decimal:
        """What was paid back."""
        return sum((refund.amount for refund in self.refunds), ZERO)

    @property
    def settled(self) -> Decimal:
        """What invoices have taken and what was paid back."""
        return self.used + self.refunded

    def settle(self) -> None:
        """A credit note without balance is closed."""
        if self.posted:
            self.status = "open" if self.balance > 0 else "closed"


def refund(world: World, given: Mapping[str, Any], day: str, amount: Decimal) -> Refund:
    """A refund with a new id."""
    return Refund(
        refund_id=world.counter("refunds", REFUND_ID_BASE),
        date=str(given.get("date", day)),
        mode=str(given.get("refund_mode", "cash")),
        amount=amount,
        reference=str(given.get("reference_number", "")),
    )
