"""What invoices, orders, credit notes and bills have in common: a number, a currency, lines and their sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Self

from cli.local.zoho_simulator import fields
from cli.local.zoho_simulator.clock import zoho_date
from cli.local.zoho_simulator.entities.contacts import Contact
from cli.local.zoho_simulator.entities.line_items import Line, Pricing, given_lines, price
from cli.local.zoho_simulator.money import ZERO, Currency, decimal
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    InvalidValue,
    Predicate,
    Record,
    Totals,
    date_filters,
    everything,
)
from cli.local.zoho_simulator.world import World

SETTERS: dict[str, fields.Setter] = {  # of every such document
    "date": ("date", fields.text),
    "status": ("status", fields.text),
    "reference_number": ("reference", fields.text),
    "notes": ("notes", fields.text),
    "adjustment": ("adjustment", decimal),
    "exchange_rate": ("exchange_rate", decimal),
}
COMPUTED = frozenset({"total", "sub_total", "currency_code", "currency_id", "created_time"})  # of every one as well
SPELLED = {  # statuses in filter_by that are more than the status with capitals
    "PartiallyPaid": "partially_paid",
    "PartiallyInvoiced": "partially_invoiced",
    "PendingApproval": "pending_approval",
}
SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "created_time": lambda record: record.created,
    "date": lambda record: record.date,
    "total": lambda record: record.total,
}


@dataclass(slots=True, kw_only=True)
class Trade(Record):
    """A document with lines in the currency of its customer or vendor."""

    number: str
    contact_id: str
    currency: Currency
    exchange_rate: Decimal
    date: str
    lines: tuple[Line, ...]
    status: str = "draft"
    location: int = 0
    shipping: Decimal = ZERO
    adjustment: Decimal = ZERO
    reference: str = ""
    notes: str = ""
    sub_total: Decimal = ZERO
    total: Decimal = ZERO

    @classmethod
    def begin(cls, world: World, spec: EntitySpec[Self], contact: Contact, *, at: int, **further: Any) -> Self:
        """A new document of a contact, in its currency; of that instant and at Zoho's rate unless told otherwise."""
        usual = {"exchange_rate": contact.currency.rate, "date": zoho_date(at)}
        made = cls(
            id=world.table(spec).next_id(),
            created=at,
            modified=at,
            contact_id=contact.id,
            currency=contact.currency,
            **{**usual, **further},
        )
        made.add_up()
        return made

    def line_total(self, line: Line) -> Decimal:
        """Rate times quantity at the currency's precision."""
        return self.currency.rounded(line.rate * line.quantity)

    def add_up(self) -> None:
        """Recompute the totals from the lines."""
        self.sub_total = sum((self.line_total(line) for line in self.lines), ZERO)
        self.total = self.sub_total + self.shipping + self.adjustment

    def base(self, amount: Decimal) -> Decimal:
        """An amount at the document's own rate, in the base currency."""
        return (amount * self.exchange_rate).quantize(Decimal("0.001"))


def lines_of(world: World, document: Trade, given: Fields, *, priced: Pricing = price) -> tuple[Line, ...]:
    """The lines that a caller wants for a document, or those that it has."""
    if "line_items" not in given:
        return document.lines
    return given_lines(world, document.currency, given["line_items"], priced=priced)


def unused_number(world: World, spec: EntitySpec[Any], random: Random, *, digits: int) -> int:
    """A number that no document of the history has: 9 and so many digits."""
    beyond: int = 10**digits
    return 9 * beyond + len(world.table(spec)) + random.randrange(beyond)


def totals(document: Trade) -> Totals:
    """Totals per currency."""
    return document.currency.code, {"total": document.total}


def filters(
    number: str,
    party: str,
    statuses: tuple[str, ...],
    *,
    shown: Callable[[Any], str] = lambda record: record.status,
    further: Mapping[str, Predicate[Any]] | None = None,
) -> dict[str, Callable[[str], Predicate[Any]]]:
    """The filters of every list of such documents: by their number, by whose they are, by their status and their day.

    `statuses` are those that filter_by takes; `further` are names that no status has.
    """

    def by_status(value: str) -> Predicate[Any]:
        wanted = value.lower()
        return (further or {}).get(wanted, lambda record: shown(record) == wanted)

    def by_name(value: str) -> Predicate[Any]:
        if value == "Status.All":
            return everything
        name = value.removeprefix("Status.")
        if name not in statuses:
            raise InvalidValue(value)
        return by_status(SPELLED.get(name, name))

    return {
        number: lambda value: lambda record: record.number == value,
        party: lambda value: lambda record: record.contact_id == value,
        "status": by_status,
        "filter_by": by_name,
        **date_filters("date", lambda record: record.date),
    }
