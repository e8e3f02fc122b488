"""How Zoho shows a contact: the list row without addresses and persons, the detail with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import spoken_date, zoho_date, zoho_time
from cli.local.zoho_simulator.money import BASE, number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.contacts import Contact
    from cli.local.zoho_simulator.world import World

PERSONS_CONTEXT = {"sort_column": "contact_person_id", "sort_order": "A"}
TERMS = {0: "Due on Receipt", 15: "Net 15", 30: "Net 30", 45: "Net 45", 60: "Net 60"}
TERMS_IDS = {days: f"26466100000000{59_001 + days * 3:05d}" for days in TERMS}


def _amounts(contact: Contact) -> Json:
    return {
        "outstanding_receivable_amount": number(contact.receivable),
        "outstanding_receivable_amount_bcy": number(contact.base(contact.receivable)),
        "outstanding_payable_amount": number(contact.payable),
        "outstanding_payable_amount_bcy": number(contact.base(contact.payable)),
        "unused_credits_receivable_amount": number(contact.unused),
        "unused_credits_receivable_amount_bcy": number(contact.base(contact.unused)),
    }


def _language(world: World, contact: Contact) -> str:
    return "ar" if world.options.quirks.arabic_language_code and int(contact.id) % 2 else ""


def _common(world: World, contact: Contact) -> Json:
    return {
        "language_code": _language(world, contact),
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
        **_common(world, contact),
        "customer_name": contact.name if contact.kind == "customer" else "",
        "vendor_name": contact.name if contact.kind == "vendor" else "",
        "contact_type_formatted": contact.kind.capitalize(),
        "created_time_formatted": spoken_date(zoho_date(contact.created)),
        "last_modified_time_formatted": spoken_date(zoho_date(contact.modified)),
    }
    return overlaid(shown, contact.overlay)


def address_id(contact: Contact) -> str:
    """The id of its billing address."""
    return str(int(contact.id) + 1_000_000)


def address(contact: Contact, base: Json) -> Json:
    """The contact's address in the shape of one of Zoho's addresses."""
    known = {"city": contact.city, "country": "Iraq", "country_code": "IQ", "phone": contact.phone}
    return {**base, **{name: value for name, value in known.items() if name in base and contact.city}}


def persons(contact: Contact) -> list[Json]:
    """The contact persons: one, or none."""
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
            "communication_preference": {"is_sms_enabled": True, "is_whatsapp_enabled": True},
        }
    ]


def person_id(contact: Contact) -> str:
    """The id of its only contact person, "" without one."""
    return str(int(contact.id) + 5_000_000) if contact.first_name else ""


def person_ids(contact: Contact) -> list[str]:
    """The ids of all its contact persons."""
    return [person_id(contact)] if contact.first_name else []


def all_persons(contacts: Iterable[Contact]) -> list[Json]:
    """/contacts/contactpersons: everybody's."""
    return [
        {**person, "contact_id": contact.id, "contact_name": contact.name}
        for contact in contacts
        for person in persons(contact)
    ]


def addresses(contact: Contact) -> list[Json]:
    """/contacts/{id}/address."""
    base = shape("contact_document")["billing_address"]
    return [{**address(contact, base), "address_id": address_id(contact)}]


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


def _price_list(world: World, contact: Contact) -> Json:
    made = world.tables["pricebooks"].records.get(contact.pricebook_id)
    return {"pricebook_id": made.id, "pricebook_name": made.name} if made is not None else {}


def document(world: World, contact: Contact, product: Product) -> Json:
    """The full contact."""
    base = shape("contact_document")
    shown = {
        **base,
        **{name: value for name, value in _common(world, contact).items() if name in base},
        "currency_symbol": contact.currency.symbol,
        "price_precision": contact.currency.precision,
        "has_transaction": contact.documents > 0,
        "primary_contact_id": person_id(contact),
        **_price_list(world, contact),
        "contact_persons": persons(contact),
        "entity_address_id": address_id(contact),
        "billing_address": {
            **address(contact, base["billing_address"]),
            "address_id": address_id(contact),
        },
        "shipping_address": {**base["shipping_address"], "address_id": str(int(contact.id) + 1_000_001)},
        "customer_currency_summaries": _summaries(contact),
        "notes": contact.notes,
        "created_date": spoken_date(zoho_date(contact.created)),
        "created_by_id": STAFF[0].user_id,
        "created_by_name": STAFF[0].name,
        "last_modified_by_id": STAFF[0].user_id,
    }
    return overlaid(shown, contact.overlay)
