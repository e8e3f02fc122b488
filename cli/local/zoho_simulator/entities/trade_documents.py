"""What Zoho shows alike of every document with lines: its head in rows and documents, its body, a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.local.zoho_simulator.clock import zoho_time
from cli.local.zoho_simulator.entities.contact_documents import address
from cli.local.zoho_simulator.entities.contacts import Contact
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.records import Json
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.line_items import Line
    from cli.local.zoho_simulator.entities.trade import Trade
    from cli.local.zoho_simulator.world import World


def head(document: Trade, name: str, contact: Contact, **further: Any) -> Json:
    """What the row and the document of a collection show; `name` is what its keys begin with."""
    return {
        f"{name}_id": document.id,
        f"{name}_number": document.number,
        f"{contact.kind}_id": contact.id,
        f"{contact.kind}_name": contact.name,
        "status": document.status,
        "current_sub_status": document.status,
        "reference_number": document.reference,
        "date": document.date,
        "currency_id": document.currency.currency_id,
        "currency_code": document.currency.code,
        "total": number(document.total),
        "created_time": zoho_time(document.created),
        "last_modified_time": zoho_time(document.modified),
        **further,
    }


def body(world: World, document: Trade, contact: Contact, base: Json) -> Json:
    """What the document alone shows, beside its lines."""
    place, sub_total = location(world, document.location), number(document.sub_total)
    return {
        "currency_symbol": document.currency.symbol,
        "sub_total": sub_total,
        "discount_applied_on_amount": sub_total,
        "adjustment": number(document.adjustment),
        "location_id": place.id,
        "location_name": place.name,
        "billing_address": address(contact, base["billing_address"]),
        "notes": document.notes,
    }


def line(document: Trade, kind: str, line: Line, position: int, **further: Any) -> Json:
    """A line in the shape `kind`; positions begin with 1."""
    return {
        **shape(kind),
        "line_item_id": line.line_id,
        "item_id": line.item_id,
        "item_order": position,
        "name": line.name,
        "unit": line.unit,
        "quantity": number(line.quantity),
        "rate": number(line.rate),
        "bcy_rate": number(document.base(line.rate)),
        "item_total": number(document.line_total(line)),
        **further,
    }


def shipping(document: Trade) -> Json:
    """What the documents of customers show of shipping; there is no tax on it."""
    charge, text = number(document.shipping), document.currency.text(document.shipping)
    return {
        "shipping_charge": charge,
        "shipping_charge_exclusive_of_tax": charge,
        "shipping_charge_inclusive_of_tax": charge,
        "shipping_charge_exclusive_of_tax_formatted": text,
        "shipping_charge_inclusive_of_tax_formatted": text,
    }


def balances(customer: Contact, base: Json) -> Json:
    """The customer inside a document."""
    return {
        **base["contact"],
        "customer_balance": number(customer.receivable),
        "unused_customer_credits": number(customer.unused),
    }


def due(days: int) -> str:
    """How long there is time, for people; less than 0 days when it is too late."""
    return f"Due in {days} day(s)" if days > 0 else f"Overdue by {-days} days" if days else "Due Today"
