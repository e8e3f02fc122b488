"""Price lists: listed without their prices and without any version; the detail brings every price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from cli.local.zoho_simulator import fields, history
from cli.local.zoho_simulator.entities import pricebook_documents
from cli.local.zoho_simulator.entities.contacts import CONTACTS
from cli.local.zoho_simulator.entities.products import ITEMS, Item
from cli.local.zoho_simulator.money import IQD, USD, Currency, converted, currency, decimal
from cli.local.zoho_simulator.records import (
    Below,
    EntitySpec,
    Fields,
    InvalidValue,
    Listing,
    Parts,
    Predicate,
    Record,
    Refused,
    Totals,
    View,
)
from cli.local.zoho_simulator.world import World

PRICE_ID_BASE = 2_646_610_027_000_000_000
KNOWN: tuple[tuple[str, Currency, str], ...] = (
    ("Wholesale A", USD, "0.92"),
    ("Wholesale B", USD, "0.95"),
    ("Retailer", USD, "0.98"),
    ("Technician IQD", IQD, "0.97"),
    ("Technician USD", USD, "0.97"),
    ("Consumer IQD", IQD, "1.1"),
)


class Price(NamedTuple):
    """One item's price; `brackets` are (from, to, rate) of a price that depends on the quantity."""

    price_id: str
    item_id: str
    rate: Decimal
    discount: str = ""
    brackets: tuple[tuple[int, int, Decimal], ...] = ()


@dataclass(slots=True, kw_only=True)
class PriceList(Record):
    """A price list: a price per item, or a percentage on all."""

    name: str
    currency: Currency
    kind: str = "per_item"
    scheme: str = "unit"
    percentage: Decimal | None = None
    is_increase: bool = False
    purpose: str = "sales"
    status: str = "active"
    is_default: bool = False
    prices: tuple[Price, ...] = ()


# -- history


def _rounded(amount: Decimal, currency: Currency) -> Decimal:
    return converted(amount, currency) if currency is IQD else amount.quantize(Decimal("0.001"))


def _price(world: World, random: Random, item: Item, currency: Currency, factor: Decimal, scheme: str) -> Price:
    rate = _rounded(item.rate * factor, currency)
    brackets: tuple[tuple[int, int, Decimal], ...] = ()
    if scheme == "volume":
        steps = ((1, 9, rate), (10, 99, _rounded(rate * Decimal("0.97"), currency)))
        brackets = (*steps, (100, 9999, _rounded(rate * Decimal("0.94"), currency))) if random.random() < 0.5 else steps
    return Price(
        price_id=world.counter("prices", PRICE_ID_BASE),
        item_id=item.id,
        rate=rate,
        discount=f"{random.choice((5, 10, '2.5'))}%" if random.random() < 0.05 else "",
        brackets=brackets,
    )


def _of_percentage(world: World, index: int, at: int) -> PriceList:
    table = world.table(PRICEBOOKS)
    return PriceList(
        id=table.next_id(),
        created=at,
        modified=at,
        name="Old stock" if index == len(KNOWN) else f"Percentage {index}",
        currency=USD,
        kind="fixed_percentage",
        percentage=Decimal("12.5") + index,
        status="inactive",
    )


def generate(world: World, random: Random) -> Iterator[PriceList]:
    """Six lists with prices for the items that are sold most, the rest with percentages."""
    count = world.sizes["price_lists"]
    items = sorted(world.table(ITEMS).records.values(), key=lambda item: (item.status != "active", item.id))
    filled = min(count, len(KNOWN))
    wanted = world.size("price_list_items", most=filled * len(items), needs="products and price lists")
    for index, at in enumerate(history.instants(random, count, end=world.history_end, days=700)):
        if index >= len(KNOWN):
            yield _of_percentage(world, index, at)
            continue
        name, currency, factor = KNOWN[index]
        scheme = "volume" if index == 1 else "unit"
        share = wanted // filled + (index < wanted % filled)
        prices = tuple(_price(world, random, item, currency, Decimal(factor), scheme) for item in items[:share])
        made = PriceList(
            id=world.table(PRICEBOOKS).next_id(),
            created=at,
            modified=at,
            name=name,
            currency=currency,
            scheme=scheme,
            prices=prices,
            is_default=index == len(KNOWN) - 1,
        )
        if name.startswith("Wholesale"):
            _give(world, random, made)
        yield made


def _give(world: World, random: Random, made: PriceList) -> None:
    """A tenth of the customers buy by this list."""
    for contact in world.table(CONTACTS).records.values():
        if contact.kind == "customer" and not contact.pricebook_id and random.random() < 0.1:
            contact.pricebook_id = made.id


# -- changes


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return value


SETTERS: dict[str, fields.Setter] = {
    "name": ("name", fields.text),
    "currency_code": ("currency", currency),
    "pricebook_type": ("kind", fields.text),
    "pricing_scheme": ("scheme", fields.text),
    "percentage": ("percentage", decimal),
    "is_increase": ("is_increase", _flag),
    "is_default": ("is_default", _flag),
    "sales_or_purchase_type": ("purpose", fields.text),
    "status": ("status", fields.text),
}
COMPUTED = frozenset({"pricebook_id", "currency_id"})
SPECIAL = ("pricebook_items",)
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=("pricebook",), special=SPECIAL)


def _given(world: World, made: PriceList, given: Any) -> tuple[Price, ...]:
    held, result = {price.item_id: price for price in made.prices}, []
    for entry in given:
        item_id = str(entry["item_id"])
        if item_id not in world.table(ITEMS).records:
            raise Refused(f"unknown item {item_id}")
        known = held.get(item_id)
        brackets = tuple(
            (int(step["start_quantity"]), int(step["end_quantity"]), decimal(step["pricebook_rate"]))
            for step in entry.get("price_brackets", ())
        )
        result.append(
            Price(
                price_id=known.price_id if known else world.counter("prices", PRICE_ID_BASE),
                item_id=item_id,
                rate=decimal(entry["pricebook_rate"]),
                discount=str(entry.get("pricebook_discount", "")),
                brackets=brackets,
            )
        )
    if len({price.item_id for price in result}) < len(result):
        raise Refused("an item has one price in a list")
    return tuple(result)


def _assign(world: World, made: PriceList, given: Fields) -> None:
    plain = FIELDS.check(given)
    if "pricebook_items" in given:
        made.prices = _given(world, made, given["pricebook_items"])
    FIELDS.assign(made, plain)


def create(world: World, random: Random, given: Fields) -> PriceList:
    """A new list, empty unless `pricebook_items` are given."""
    at = world.seconds()
    name = f"List {random.randrange(10**4)}"
    made = PriceList(id=world.table(PRICEBOOKS).next_id(), created=at, modified=at, name=name, currency=USD)
    _assign(world, made, given)
    return world.born(PRICEBOOKS, made)


def edit(world: World, made: PriceList, given: Fields, version: bool) -> None:
    """Set fields, or all prices anew (`pricebook_items`)."""
    _assign(world, made.snapshot(), given)
    with world.editing(PRICEBOOKS, made, version=version):
        _assign(world, made, given)


def random_edit(world: World, made: PriceList, random: Random) -> Fields:
    """What staff change: one price, or one price less."""
    if not made.prices:
        return {"name": f"List {random.randrange(10**4)}"}
    shown = pricebook_documents.prices(world, made, "books")
    chosen = random.randrange(len(shown))
    if random.random() < 0.2:
        return {"pricebook_items": shown[:chosen] + shown[chosen + 1 :]}
    rate = _rounded(made.prices[chosen].rate * Decimal(random.randrange(80, 120)) / 100, made.currency)
    shown[chosen] = {**shown[chosen], "pricebook_rate": str(rate)}
    return {"pricebook_items": shown}


def delete(world: World, made: PriceList) -> None:
    """Its customers have no price list any more."""
    world.bury(PRICEBOOKS, made)
    for contact in list(world.table(CONTACTS).records.values()):
        if contact.pricebook_id == made.id:
            with world.editing(CONTACTS, contact, version=False, announce=False):
                contact.pricebook_id = ""


def drop_item(world: World, collection: str, record_id: str) -> None:
    """A deleted item has no price any more."""
    if collection != "items":
        return
    for made in list(world.table(PRICEBOOKS).records.values()):
        if any(price.item_id == record_id for price in made.prices):
            with world.editing(PRICEBOOKS, made, version=False):
                made.prices = tuple(price for price in made.prices if price.item_id != record_id)


def totals(made: PriceList) -> Totals:
    """A list itself has no amounts."""
    return "", {}


def rates(made: PriceList) -> Iterable[Totals]:
    """Every price's rate, whatever its currency."""
    return (("", {"rates": price.rate}) for price in made.prices)


def _filter_by(value: str) -> Predicate[PriceList]:
    purposes = {"All": None, "Sales": "sales", "Purchases": "purchases"}
    name = value.removeprefix("SalesOrPurchaseType.").removeprefix("Status.")
    if name not in purposes:
        raise InvalidValue(value)
    wanted = purposes[name]
    return lambda made: wanted is None or made.purpose == wanted


PRICEBOOKS: EntitySpec[PriceList] = EntitySpec(
    name="pricebooks",
    label="Price list",
    path="pricebooks",
    list_key="pricebooks",
    detail_key="pricebook",
    id_key="pricebook_id",
    id_base=2_646_610_009_000_000_000,
    scopes={"books": "ZohoBooks.settings.READ", "inventory": "ZohoInventory.settings.READ"},
    listing=Listing(
        report_name="Pricebooks",
        applied_filter="SalesOrPurchaseType.All",
        sort_column="name",
        sort_order="A",
        sort_keys={"name": lambda made: made.name.casefold()},
        filters={"filter_by": _filter_by},
        filters_by_modified=lambda world: False,
    ),
    views=(View(name="price_lists", shows=lambda made: True, sizes={"small": 7, "demo": 7, "tsh": 7}, busy=False),),
    parts=Parts(name="price_list_items", sizes={"small": 150, "demo": 150, "tsh": 7825}, of=rates),
    chosen_fields=("pricebook_id", "name", "status"),
    row=pricebook_documents.row,
    document=pricebook_documents.document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda made: True,
    announces=False,
    offers_detail=lambda world: world.options.quirks.pricebook_detail,
    beside={"items": Below(key="pricebook_items", values=pricebook_documents.items_of)},
    bereaved=drop_item,
)
