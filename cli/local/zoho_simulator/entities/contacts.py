"""Contacts: customers and vendors in one list; balances follow the documents without moving the contact's version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.entities.contact_documents import (
    PERSONS_CONTEXT,
    TERMS,
    addresses,
    all_persons,
    document,
    persons,
    row,
)
from cli.local.zoho_simulator.money import IQD, RMB, USD, ZERO, Currency, currency
from cli.local.zoho_simulator.records import (
    Below,
    EntitySpec,
    Fields,
    Listing,
    Predicate,
    Record,
    Refused,
    Totals,
    View,
    choice,
    everything,
    pick,
)
from cli.local.zoho_simulator.shapes import shape
from cli.local.zoho_simulator.world import World

Account = Literal["receivable", "unused", "payable", "documents"]


@dataclass(slots=True, kw_only=True)
class Contact(Record):
    """A customer or a vendor; amounts are in its currency. `documents` counts what refers to it."""

    name: str
    kind: str
    currency: Currency
    company: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    mobile: str = ""
    city: str = ""
    status: str = "active"
    terms: int = 0
    sub_type: str = "business"
    notes: str = ""
    receivable: Decimal = ZERO
    unused: Decimal = ZERO
    payable: Decimal = ZERO
    documents: int = 0
    pricebook_id: str = ""

    def base(self, amount: Decimal) -> Decimal:
        """An amount of the contact in the base currency."""
        return self.currency.to_base(amount)


def _new(world: World, random: Random, index: int, created: int, kind: str) -> Contact:
    customer = kind == "customer"
    first, last = vocabulary.person(random)
    shop = vocabulary.company(random, index) if customer else vocabulary.vendor(random, index)
    individual = customer and random.random() < 0.3
    currencies, weights = ((IQD, USD, RMB), (60, 39, 1)) if customer else ((RMB, USD, IQD), (60, 35, 5))
    return Contact(
        id=world.table(CONTACTS).next_id(),
        created=created,
        modified=created,
        name=f"{first} {last} {index}" if individual else shop,
        kind=kind,
        currency=random.choices(currencies, weights=weights)[0],
        company="" if individual else shop,
        first_name=first if random.random() < 0.7 else "",
        last_name=last if random.random() < 0.6 else "",
        email="" if random.random() < 0.57 else f"contact{index}@example.com",
        phone=vocabulary.phone(random),
        mobile=vocabulary.phone(random),
        city=random.choice(vocabulary.CITIES),
        terms=random.choices(tuple(TERMS), weights=(6, 2, 3, 1, 1))[0],
        sub_type="individual" if individual else "business",
        notes=random.choice(vocabulary.NOTES) if random.random() < 0.2 else "",
    )


def generate(world: World, random: Random) -> Iterator[Contact]:
    """Customers first, then vendors."""
    for kind in ("customer", "vendor"):
        count = world.sizes[f"{kind}s"]
        for index, created in enumerate(history.instants(random, count, end=world.history_end, days=1400)):
            contact = _new(world, random, index, created, kind)
            contact.modified = history.later(random, created, end=world.history_end, share=0.5)
            contact.status = "active" if random.random() < 0.93 else "inactive"
            yield contact


def totals(contact: Contact) -> Totals:
    """What customers owe, or what vendors are owed, in the contact's currency."""
    if contact.kind == "customer":
        return contact.currency.code, {"outstanding_receivable_amount": contact.receivable}
    return contact.currency.code, {"outstanding_payable_amount": contact.payable}


# -- changes


SETTERS: dict[str, fields.Setter] = {
    "contact_name": ("name", fields.text),
    "company_name": ("company", fields.text),
    "contact_type": ("kind", fields.text),
    "first_name": ("first_name", fields.text),
    "last_name": ("last_name", fields.text),
    "email": ("email", fields.text),
    "phone": ("phone", fields.text),
    "mobile": ("mobile", fields.text),
    "status": ("status", fields.text),
    "notes": ("notes", fields.text),
    "payment_terms": ("terms", int),
    "currency_code": ("currency", currency),
}
COMPUTED = frozenset(
    {"contact_id", "created_time", "has_transaction", *(name for name in shape("contact_row") if "amount" in name)}
)
SHAPES = ("contact_row", "contact_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES)


def create(world: World, random: Random, given: Fields) -> Contact:
    """A new contact, a customer unless contact_type says otherwise."""
    FIELDS.check(given)
    kind = str(given.get("contact_type", "customer"))
    if kind not in ("customer", "vendor"):
        raise Refused(f"unknown contact_type {kind}")
    contact = _new(world, random, 10_000 + random.randrange(90_000), world.seconds(), kind)
    FIELDS.assign(contact, given)
    return world.born(CONTACTS, contact)


def edit(world: World, contact: Contact, given: Fields, version: bool) -> None:
    """Set fields; a new name shows in the contact's documents at once, without a new version of theirs."""
    FIELDS.check(given)
    if contact.documents and {"contact_type", "currency_code"} & set(given):
        raise Refused("a contact with transactions keeps its type and its currency")
    with world.editing(CONTACTS, contact, version=version):
        FIELDS.assign(contact, given)
    if "contact_name" in given:
        world.forget_rows(contact.id)


def random_edit(world: World, contact: Contact, random: Random) -> Fields:
    """What staff change."""
    first, last = vocabulary.person(random)
    choices: list[Fields] = [
        {"phone": vocabulary.phone(random)},
        {"first_name": first, "last_name": last},
        {"email": f"new{random.randrange(10**6)}@example.com"},
        {"payment_terms": random.choice(tuple(TERMS))},
        {"notes": random.choice(vocabulary.NOTES)},
        {"status": "inactive" if contact.status == "active" else "active"},
    ]
    return random.choices(choices, weights=(4, 2, 2, 2, 2, 1))[0]


def delete(world: World, contact: Contact) -> None:
    """Only a contact without transactions can be deleted."""
    if contact.documents:
        raise Refused("a contact with transactions cannot be deleted")
    world.bury(CONTACTS, contact)


def of_kind(world: World, kind: str) -> list[Contact]:
    """All customers, or all vendors."""
    return [contact for contact in world.table(CONTACTS).records.values() if contact.kind == kind]


def somebody(world: World, random: Random, kind: str, contact_id: str) -> Contact:
    """The contact with this id, or any of its kind; raises Refused without one."""
    known = world.table(CONTACTS).records
    if contact_id:
        found = known.get(contact_id)
    else:
        found = pick(known.values(), random, lambda contact: contact.kind == kind)
    if found is None or found.kind != kind:
        raise Refused(f"no such {kind}")
    return found


def post(world: World, contact_id: str, account: Account, amount: Decimal | int) -> None:
    """A document moved one of the contact's balances, or is one more or less: no version, no webhook."""
    contact = world.table(CONTACTS).records.get(contact_id)
    if contact is None or not amount:
        return
    with world.editing(CONTACTS, contact, version=False, announce=False):
        setattr(contact, account, getattr(contact, account) + amount)


TYPES: dict[str, Predicate[Contact]] = {
    "customer": lambda contact: contact.kind == "customer",
    "vendor": lambda contact: contact.kind == "vendor",
}
FILTERS: dict[str, Predicate[Contact]] = {
    "Status.All": everything,
    "Status.Active": lambda contact: contact.status == "active",
    "Status.Inactive": lambda contact: contact.status == "inactive",
    "Status.Customers": TYPES["customer"],
    "Status.Vendors": TYPES["vendor"],
    "Invoice.Unpaid": lambda contact: contact.receivable > 0,
}


CONTACTS: EntitySpec[Contact] = EntitySpec(
    name="contacts",
    label="Contact",
    path="contacts",
    list_key="contacts",
    detail_key="contact",
    id_key="contact_id",
    id_base=2_646_610_002_000_000_000,
    scopes={"books": "ZohoBooks.contacts.READ", "inventory": "ZohoInventory.contacts.READ"},
    listing=Listing(
        report_name="Contacts",
        applied_filter="Status.All",
        sort_column="contact_name",
        sort_order="A",
        sort_keys={
            "contact_name": lambda contact: contact.name.casefold(),
            "first_name": lambda contact: contact.first_name.casefold(),
            "last_name": lambda contact: contact.last_name.casefold(),
            "email": lambda contact: contact.email,
            "outstanding_receivable_amount": lambda contact: contact.receivable,
            "outstanding_payable_amount": lambda contact: contact.payable,
            "created_time": lambda contact: contact.created,
            "last_modified_time": lambda contact: contact.modified,
        },
        filters={"contact_type": choice(TYPES), "filter_by": choice(FILTERS)},
        filters_by_modified=lambda world: world.options.quirks.contacts_filter_by_modified,
    ),
    views=(
        View(
            name="customers",
            shows=TYPES["customer"],
            sizes={"small": 25, "demo": 503, "tsh": 2503},
            defaults={"contact_type": "customer"},
        ),
        View(
            name="vendors",
            shows=TYPES["vendor"],
            sizes={"small": 6, "demo": 81, "tsh": 81},
            defaults={"contact_type": "vendor"},
        ),
    ),
    chosen_fields=("contact_id", "contact_name", "contact_type", "email"),
    below={
        "contactpersons": Below(
            key="contact_persons",
            values=lambda world, contact, product: persons(contact),
            paged=lambda world: True,
            context=PERSONS_CONTEXT,
        ),
        "address": Below(key="addresses", values=lambda world, contact, product: addresses(contact)),
    },
    beside={
        "contactpersons": Below(
            key="contact_persons",
            values=lambda world, query, product: all_persons(world.table(CONTACTS).records.values()),
            paged=lambda world: world.options.quirks.contactpersons_paged,
            context=PERSONS_CONTEXT,
        )
    },
    row=row,
    document=document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda contact: contact.documents == 0,
)
