"""What invoices, bills and credit notes have in common: they move stock and a balance, until they are settled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from cli.local.zoho_simulator.entities import contacts, products
from cli.local.zoho_simulator.entities.contacts import Account
from cli.local.zoho_simulator.entities.trade import Trade
from cli.local.zoho_simulator.money import ZERO
from cli.local.zoho_simulator.records import EntitySpec, Totals
from cli.local.zoho_simulator.world import World

UNPOSTED = frozenset({"draft", "void", "pending_approval", "approved", "rejected"})


@dataclass(slots=True, kw_only=True)
class Posting(Trade, ABC):
    """A document that moves stock (`brings` 1, or takes it with -1) and one `account` of its contact."""

    brings: ClassVar[int]
    account: ClassVar[Account]

    @property
    def posted(self) -> bool:
        """Whether it moves stock and balances."""
        return self.status not in UNPOSTED

    @property
    @abstractmethod
    def settled(self) -> Decimal:
        """What payments, credits or refunds have taken of it."""

    @property
    def balance(self) -> Decimal:
        """What is left of it."""
        return ZERO if self.status == "void" else self.total - self.settled

    @property
    def owed(self) -> Decimal:
        """What it adds to the contact's balance."""
        return self.balance if self.posted else ZERO


@dataclass(slots=True, kw_only=True)
class Debt(Posting):
    """A document that is to be paid until a day."""

    due_date: str
    terms: int

    def settled_status(self, today: str) -> str:
        """The status that its payments and its due date mean, "" for none."""
        if self.balance <= 0:
            return "paid"
        if self.due_date and self.due_date < today:
            return "overdue"
        return "partially_paid" if self.settled > 0 else ""

    @abstractmethod
    def settle(self, today: str) -> None:
        """Take the status that its payments and its due date mean."""

    def days_left(self, today: date) -> int | None:
        """Days until it is due, less than 0 when it is overdue; None when nothing is to be paid."""
        if self.balance <= 0 or not self.posted or not self.due_date:
            return None
        return (date.fromisoformat(self.due_date) - today).days


def post(world: World, document: Posting, sign: int) -> None:
    """Move stock and the contact's balance as the document says, or back with sign -1."""
    if not document.posted:
        return
    for line in document.lines:
        products.move_stock(world, line.item_id, document.location, line.quantity * document.brings * sign)
    contacts.post(world, document.contact_id, document.account, document.owed * sign)


def totals(document: Posting) -> Totals:
    """Totals and balances per currency."""
    return document.currency.code, {"total": document.total, "balance": document.balance}


def age(world: World, spec: EntitySpec[Any], today: str) -> None:
    """Time alone makes open documents overdue; whether that moves their version is a quirk."""
    moves = world.options.quirks.overdue_moves_version
    for record in list(world.table(spec).records.values()):
        if record.posted and record.balance > 0 and record.status != "overdue" and record.due_date < today:
            with world.editing(spec, record, version=moves, announce=False):
                record.settle(today)
