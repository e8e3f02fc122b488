"""Credit notes: goods come back, the customer's debts or the cash go down by what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from cli.local.zoho_simulator.entities.contacts import Account
from cli.local.zoho_simulator.entities.postings import Posting
from cli.local.zoho_simulator.entities.receivables import Application, Kind, taken_of
from cli.local.zoho_simulator.entities.refunds import Refund, refunded
from cli.local.zoho_simulator.money import ZERO


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
        return refunded(self.refunds)

    @property
    def settled(self) -> Decimal:
        """What invoices have taken and what was paid back."""
        return self.used + self.refunded

    def settle(self) -> None:
        """A credit note without balance is closed."""
        if self.posted:
            self.status = "open" if self.balance > 0 else "closed"
