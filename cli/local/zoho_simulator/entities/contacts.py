"""Contacts: customers and vendors in one list; balances follow the documents without moving the contact's version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import spoken_date, zoho_date, zoho_time
from cli.local.zoho_simulator.money import (
    BASE,
    CURRENCIES,
    IQD,
    RMB,
    USD,
    ZERO,
    Currency,
    number,
)
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    InvalidValue,
    Json,
    Listing,
    Predicate,
    Product,
    Record,
    Refused,
    Totals,
    View,
    overlaid,
)
from cli.local.zoho_simulator.shapes import shape
from cli.local.zoho_simulator.world import World

TERMS = {0: "Due on Receipt", 15: "Net 15", 30: "Net 30", 45: "Net 45", 60: "Net 60"}
TERMS_IDS = {days: f"26466100000000{59_001 + days * 3:05d}" for days in TERMS}


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
    """Customers first, then vendors; what vendors are owed stands until bills move it."""
    for kind in ("customer", "vendor"):
        count = world.sizes[f"{kind}s"]
        for index, created in enumerate(history.instants(random, count, end=world.history_end, days=1400)):
            contact = _new(world, random, index, created, kind)
            contact.modified = history.later(random, created, end=world.history_end, share=0.5)
            contact.status = "active" if random.random() < 0.93 else "inactive"
            if kind == "vendor" and random.random() < 0.5:
                contact.payable = contact.currency.rounded(Decimal(random.randrange(1, 4_000_000)).scaleb(-2))
            yield contact


# -- what Zoho shows


def _amounts(contact: Contact) -> Json:
    return {
        "outstanding_receivable_amount": number(contact.receivable),
        "outstanding_receivable_amount_bcy": number(contact.base(contact.receivable)),
        "outstanding_payable_amount": number(contact.payable),
        "outstanding_payable_amount_bcy": number(contact.base(contact.payable)),
        "unused_credits_receivable_amount": number(contact.unused),
        "unused_credits_receivable_amount_bcy": number(contact.base(contact.unused)),
    }


def _common(contact: Contact) -> Json:
    return {
        "contact_id": contact.id,
        "contact_name": contact.name,
        "company_name": contact.company,
        "contact_type": contact.kind,
        "customer_sub_type": contact.sub_type if contact.kind == "customer" else "",
        "status": contact.status,
        "payment_terms": contact.terms,
        "payment_terms_label": TERMS.get(contact.terms, f"Net {contact.terms}"),
        "payment_terms_id": TERMS_IDS.get(contact.terms, ""),
        "currency_id": contact.currency.currency_id,
        "currency_code": contact.currency.code,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "phone": contact.phone,
        "mobile": contact.mobile,
        "created_time": zoho_time(contact.created),
        "last_modified_time": zoho_time(contact.modified),
        **_amounts(contact),
    }


def row(world: World, contact: Contact, product: Product) -> Json:
    """A list row: no addresses, no contact persons."""
    shown = {
        **shape("contact_row"),
        **_common(contact),
        "customer_name": contact.name if contact.kind == "customer" else "",
        "vendor_name": contact.name if contact.kind == "vendor" else "",
        "contact_type_formatted": contact.kind.capitalize(),
        "created_time_formatted": spoken_date(zoho_date(contact.created)),
        "last_modified_time_formatted": spoken_date(zoho_date(contact.modified)),
    }
    return overlaid(shown, contact.overlay)


def address(contact: Contact, base: Json) -> Json:
    """The contact's address in the shape of one of Zoho's addresses."""
    known = {
        "city": contact.city,
        "country": "Iraq",
        "country_code": "IQ",
        "phone": contact.phone,
    }
    return {
        **base,
        **{name: value for name, value in known.items() if name in base and contact.city},
    }


def _persons(contact: Contact) -> list[Json]:
    if not contact.first_name:
        return []
    return [
        {
            "contact_person_id": person_id(contact),
            "salutation": "",
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
            "phone": contact.phone,
            "mobile": contact.mobile,
            "designation": "",
            "department": "",
            "is_primary_contact": True,
            "communication_preference": {
                "is_sms_enabled": True,
                "is_whatsapp_enabled": True,
            },
        }
    ]


def person_id(contact: Contact) -> str:
    """The id of its only contact person, "" without one."""
    return str(int(contact.id) + 5_000_000) if contact.first_name else ""


def _summaries(contact: Contact) -> list[Json]:
    if contact.kind != "customer":
        return []
    return [
        {
            **shape("contact_currency_summary"),
            "currency_id": contact.currency.currency_id,
            "currency_code": contact.currency.code,
            "currency_symbol": contact.currency.symbol,
            "currency_name_formatted": contact.currency.formatted,
            "price_precision": contact.currency.precision,
            "is_base_currency": contact.currency is BASE,
            "outstanding_receivable_amount": number(contact.receivable),
            "unused_credits_receivable_amount": number(contact.unused),
        }
    ]


def document(world: World, contact: Contact, product: Product) -> Json:
    """The full contact."""
    base = shape("contact_document")
    shown = {
        **base,
        **{name: value for name, value in _common(contact).items() if name in base},
        "currency_symbol": contact.currency.symbol,
        "price_precision": contact.currency.precision,
        "has_transaction": contact.documents > 0,
        "primary_contact_id": person_id(contact),
        "contact_persons": _persons(contact),
        "entity_address_id": str(int(contact.id) + 1_000_000),
        "billing_address": {
            **address(contact, base["billing_address"]),
            "address_id": str(int(contact.id) + 1_000_000),
        },
        "shipping_address": {
            **base["shipping_address"],
            "address_id": str(int(contact.id) + 1_000_001),
        },
        "customer_currency_summaries": _summaries(contact),
        "notes": contact.notes,
        "created_date": spoken_date(zoho_date(contact.created)),
        "created_by_id": STAFF[0].user_id,
        "created_by_name": STAFF[0].name,
        "last_modified_by_id": STAFF[0].user_id,
    }
    return overlaid(shown, contact.overlay)


def totals(contact: Contact) -> Totals:
    """What customers owe, or what vendors are owed, in the contact's currency."""
    if contact.kind == "customer":
        return contact.currency.code, {"outstanding_receivable_amount": contact.receivable}
    return contact.currency.code, {"outstanding_payable_amount": contact.payable}


# -- changes


def _currency(value: object) -> Currency:
    code = str(value)
    if code not in CURRENCIES:
        raise ValueError(f"unknown currency {code}")
    return CURRENCIES[code]


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
    "currency_code": ("currency", _currency),
}
COMPUTED = frozenset(
    {
        "contact_id",
        "created_time",
        "has_transaction",
        *(name for name in shape("contact_row") if "amount" in name),
    }
)
SHAPES = ("contact_row", "contact_document")


def create(world: World, random: Random, given: Fields) -> Contact:
    """A new contact, a customer unless contact_type says otherwise."""
    fields.check(given, SETTERS, computed=COMPUTED, shapes=SHAPES)
    kind = str(given.get("contact_type", "customer"))
    if kind not in ("customer", "vendor"):
        raise Refused(f"unknown contact_type {kind}")
    contact = _new(world, random, 10_000 + random.randrange(90_000), world.seconds(), kind)
    fields.assign(contact, given, SETTERS)
    return world.born(CONTACTS, contact)


def edit(world: World, contact: Contact, given: Fields, version: bool) -> None:
    """Set fields; a new name shows in the contact's documents at once, without a new version of theirs."""
    fields.check(given, SETTERS, computed=COMPUTED, shapes=SHAPES)
    if contact.documents and {"contact_type", "currency_code"} & set(given):
        raise Refused("a contact with transactions keeps its type and its currency")
    with world.editing(CONTACTS, contact, version=version):
        fields.assign(contact, given, SETTERS)
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


def post(
    world: World,
    contact_id: str,
    *,
    receivable: Decimal = ZERO,
    unused: Decimal = ZERO,
    documents: int = 0,
) -> None:
    """A document moved the contact's balance: no version, no webhook."""
    contact = world.table(CONTACTS).records.get(contact_id)
    if contact is None or not (receivable or unused or documents):
        return
    with world.editing(CONTACTS, contact, version=False, announce=False):
        contact.receivable += receivable
        contact.unused += unused
        contact.documents += documents


def _contact_type(value: str) -> Predicate[Contact]:
    if value not in ("customer", "vendor"):
        raise InvalidValue(value)
    return lambda contact: contact.kind == value


def _filter_by(value: str) -> Predicate[Contact]:
    predicates: dict[str, Predicate[Contact]] = {
        "Status.All": lambda contact: True,
        "Status.Active": lambda contact: contact.status == "active",
        "Status.Inactive": lambda contact: contact.status == "inactive",
        "Status.Customers": lambda contact: contact.kind == "customer",
        "Status.Vendors": lambda contact: contact.kind == "vendor",
        "Invoice.Unpaid": lambda contact: contact.receivable > 0,
    }
    if value not in predicates:
        raise InvalidValue(value)
    return predicates[value]


CONTACTS: EntitySpec[Contact] = EntitySpec(
    name="contacts",
    label="Contact",
    path="contacts",
    list_key="contacts",
    detail_key="contact",
    id_key="contact_id",
    id_base=2_646_610_002_000_000_000,
    scopes={
        "books": "ZohoBooks.contacts.READ",
        "inventory": "ZohoInventory.contacts.READ",
    },
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
        filters={"contact_type": _contact_type, "filter_by": _filter_by},
        filters_by_modified=lambda world: world.options.quirks.contacts_filter_by_modified,
    ),
    views=(
        View(
            name="customers",
            shows=lambda contact: contact.kind == "customer",
            sizes={"small": 25, "tsh": 2503},
            defaults={"contact_type": "customer"},
        ),
        View(
            name="vendors",
            shows=lambda contact: contact.kind == "vendor",
            sizes={"small": 6, "tsh": 81},
            defaults={"contact_type": "vendor"},
        ),
    ),
    chosen_fields=("contact_id", "contact_name", "contact_type", "email"),
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
