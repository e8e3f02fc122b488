"""What invoices, orders, credit notes and bills have in common: a number, a currency, lines and their sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, NamedTuple, Self

from cli.local.zoho_simulator import fields
from cli.local.zoho_simulator.clock import zoho_date
from cli.local.zoho_simulator.entities.contacts import Contact
from cli.local.zoho_simulator.entities.products import ITEMS, PLACEHOLDER, Item
from cli.local.zoho_simulator.money import IQD, RMB, ZERO, Currency, decimal
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    InvalidValue,
    Json,
    Predicate,
    Record,
    Refused,
    Totals,
    date_filters,
    everything,
)
from cli.local.zoho_simulator.world import World

LINE_ID_BASE = 2_646_610_013_000_000_000
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


class Line(NamedTuple):
    """One line; name, unit and sku are as they were when it was written."""

    line_id: str
    item_id: str
    name: str
    unit: str
    quantity: Decimal
    rate: Decimal
    sku: str = ""


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


class LineIds:
    """Line ids are never used twice: a document that is saved again gets new ones."""

    def __init__(self) -> None:
        self._serial = 0

    def __call__(self) -> str:
        """The next one."""
        self._serial += 1
        return str(LINE_ID_BASE + self._serial * 3)


def line_ids(world: World) -> LineIds:
    """The organisation's counter of line ids."""
    known: LineIds = world.memory.setdefault("line ids", LineIds())
    return known


def counter(world: World, name: str, base: int) -> str:
    """The next id of something that is no record of its own: an application, a refund."""
    world.memory[name] = serial = world.memory.get(name, 0) + 1
    return str(base + serial * 7)


def converted(amount: Decimal, currency: Currency) -> Decimal:
    """An amount in the base currency as a trader writes it in another, rounded as traders round."""
    if currency is IQD:
        return max(Decimal(250), (amount * 1310 / 250).quantize(Decimal(1), ROUND_HALF_UP) * 250)
    if currency is RMB:
        return (amount * Decimal("7.1")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return amount


def price(item: Item, currency: Currency) -> Decimal:
    """The item's price in the customer's currency."""
    return converted(item.rate, currency)


Pricing = Callable[[Item, Currency], Decimal]


def _is_sold(item: Item) -> bool:
    return item.rate != PLACEHOLDER and item.rate > 0


def sold(world: World) -> bool:
    """Whether there is anything to sell, and to keep in stock."""
    return any(_is_sold(item) and item.tracked for item in world.table(ITEMS).records.values())


def sellable(world: World) -> list[Item]:
    """Items that documents name; placeholders are not sold."""
    items = [item for item in world.table(ITEMS).records.values() if _is_sold(item)]
    if not items:
        raise Refused("no product to sell")
    return items


def quantity_of(random: Random, item: Item) -> Decimal:
    """How much of an item one line takes."""
    if item.unit == "متر":
        return Decimal(random.randrange(5, 3000)).scaleb(-1)
    return Decimal(int(random.lognormvariate(2.2, 1.2)) + 1)


def random_lines(world: World, random: Random, items: list[Item], currency: Currency, count: int) -> tuple[Line, ...]:
    """Some lines; the first items are named most."""
    next_id = line_ids(world)
    lines = []
    for _ in range(count):
        item = items[int(random.random() ** 2 * len(items))]
        quantity = quantity_of(random, item)
        lines.append(Line(next_id(), item.id, item.name, item.unit, quantity, price(item, currency), item.sku))
    return tuple(lines)


def line_count(random: Random) -> int:
    """How many lines a document has, three on the average."""
    return min(12, 1 + int(random.expovariate(0.3)))


def named_items(world: World, given: Any) -> Iterator[tuple[Json, Item]]:
    """Each line that a caller of the control interface wants, and its item; raises Refused."""
    if not isinstance(given, list) or not given:
        raise Refused("line_items: a list with at least one line")
    for entry in given:
        item = world.table(ITEMS).records.get(str(entry.get("item_id", "")))
        if item is None:
            raise Refused(f"line_items: unknown item {entry.get('item_id')}")
        yield entry, item


def given_lines(world: World, currency: Currency, given: Any, *, priced: Pricing = price) -> tuple[Line, ...]:
    """Lines that a caller wants; those without a rate at what the item is `priced`."""
    next_id, lines = line_ids(world), []
    for entry, item in named_items(world, given):
        rate = decimal(entry["rate"]) if "rate" in entry else priced(item, currency)
        quantity = decimal(entry.get("quantity", 1))
        lines.append(Line(next_id(), item.id, str(entry.get("name", item.name)), item.unit, quantity, rate, item.sku))
    return tuple(lines)


def lines_of(world: World, document: Trade, given: Fields, *, priced: Pricing = price) -> tuple[Line, ...]:
    """The lines that a caller wants for a document, or those that it has."""
    if "line_items" not in given:
        return document.lines
    return given_lines(world, document.currency, given["line_items"], priced=priced)


def wanted_lines(world: World, random: Random) -> list[Json]:
    """Lines as a caller would give them."""
    items = sellable(world)
    return [
        {"item_id": random.choice(items).id, "quantity": random.randrange(1, 60)} for _ in range(random.randrange(1, 9))
    ]


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
