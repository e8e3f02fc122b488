"""How Zoho shows a credit note, what it was applied to and what was paid back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import zoho_time
from cli.local.zoho_simulator.entities.contact_documents import address, person_id
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.credits import CreditNote
    from cli.local.zoho_simulator.entities.refunds import Refund
    from cli.local.zoho_simulator.entities.trade import Line
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017035"
RECEIVABLE_ACCOUNT = "2646610000000000364"
SALES_ACCOUNT = "2646610000000000388"


def _common(note: CreditNote, customer: Contact) -> Json:
    staff = STAFF[note.salesperson] if note.salesperson < len(STAFF) else None
    return {
        "creditnote_id": note.id,
        "creditnote_number": note.number,
        "status": note.status,
        "current_sub_status": note.status,
        "reference_number": note.reference,
        "date": note.date,
        "issued_date": note.date if note.posted else "",
        "total": number(note.total),
        "balance": number(note.balance),
        "customer_id": note.customer_id,
        "customer_name": customer.name,
        "salesperson_id": staff.user_id if staff else "-1",
        "salesperson_name": staff.name if staff else "",
        "currency_id": note.currency.currency_id,
        "currency_code": note.currency.code,
        "exchange_rate": number(note.exchange_rate),
        "price_precision": note.currency.precision,
        "template_id": TEMPLATE,
        "created_time": zoho_time(note.created),
        "last_modified_time": zoho_time(note.modified),
    }


def row(world: World, note: CreditNote, product: Product) -> Json:
    """A list row; its applied_invoices is empty text whatever was applied."""
    base, customer = shape("creditnote_row"), world.last_state(CONTACTS, note.customer_id)
    shown = {**base, **_common(note, customer)}
    return overlaid(shown, {name: value for name, value in note.overlay.items() if name in base or name[:3] == "cf_"})


def _line(note: CreditNote, line: Line, order: int) -> Json:
    return {
        **shape("creditnote_line"),
        "line_item_id": line.line_id,
        "item_id": line.item_id,
        "invoice_id": note.invoice_id,
        "account_id": SALES_ACCOUNT,
        "account_name": "Sales",
        "name": line.name,
        "unit": line.unit,
        "item_order": order,
        "quantity": number(line.quantity),
        "rate": number(line.rate),
        "bcy_rate": number(note.base(line.rate)),
        "item_total": number(note.line_total(line)),
    }


def invoices(world: World, note: CreditNote, product: Product) -> list[Json]:
    """/creditnotes/{id}/invoices, and invoices_credited of the detail."""
    known = world.tables["invoices"].records
    return [
        {
            "creditnote_id": note.id,
            "invoice_id": entry.invoice_id,
            "creditnote_invoice_id": entry.application_id,
            "date": entry.date,
            "invoice_number": known[entry.invoice_id].number,
            "creditnote_number": note.number,
            "credited_amount": number(entry.amount),
        }
        for entry in note.applied
        if entry.invoice_id in known
    ]


def _refund(world: World, note: CreditNote, refund: Refund) -> Json:
    return {
        "creditnote_refund_id": refund.refund_id,
        "creditnote_id": note.id,
        "date": refund.date,
        "refund_mode": refund.mode,
        "payment_form": refund.mode,
        "reference_number": refund.reference,
        "creditnote_number": note.number,
        "customer_name": world.last_state(CONTACTS, note.customer_id).name,
        "description": "",
        "amount_bcy": number(note.base(refund.amount)),
        "amount_fcy": number(refund.amount),
    }


def refunds(world: World, note: CreditNote, product: Product) -> list[Json]:
    """/creditnotes/{id}/refunds, and creditnote_refunds of the detail."""
    return [_refund(world, note, refund) for refund in note.refunds]


def all_refunds(world: World, product: Product) -> list[Json]:
    """/creditnotes/refunds: the organisation's, newest first."""
    notes = world.tables["creditnotes"].records.values()
    found = [_refund(world, note, refund) for note in notes for refund in note.refunds]
    return sorted(found, key=lambda shown: (shown["date"], shown["creditnote_refund_id"]), reverse=True)


def document(world: World, note: CreditNote, product: Product) -> Json:
    """The full credit note."""
    base, customer = shape("creditnote_document"), world.last_state(CONTACTS, note.customer_id)
    common, place, person = _common(note, customer), location(world, note.location), person_id(customer)
    sub_total, shipping = number(note.sub_total), note.currency.text(note.shipping)
    shown = {
        **base,
        **{name: value for name, value in common.items() if name in base},
        "invoice_id": note.invoice_id,
        "invoices_credited": invoices(world, note, product),
        "creditnote_refunds": refunds(world, note, product),
        "contact_persons": [person] if person else [],
        "currency_symbol": note.currency.symbol,
        "currency_name_formatted": note.currency.formatted,
        "account_id": RECEIVABLE_ACCOUNT,
        "account_name": "Accounts Receivable",
        "line_items": [_line(note, line, order) for order, line in enumerate(note.lines, 1)],
        "location_id": place.id,
        "location_name": place.name,
        "discount_applied_on_amount": sub_total,
        "sub_total": sub_total,
        "shipping_charge": number(note.shipping),
        "shipping_charge_exclusive_of_tax": number(note.shipping),
        "shipping_charge_inclusive_of_tax": number(note.shipping),
        "shipping_charge_exclusive_of_tax_formatted": shipping,
        "shipping_charge_inclusive_of_tax_formatted": shipping,
        "adjustment": number(note.adjustment),
        "total_credits_used": number(note.used),
        "total_refunded_amount": number(note.refunded),
        "notes": note.notes,
        "billing_address": address(customer, base["billing_address"]),
        "created_by_id": STAFF[1].user_id,
        "created_by_name": STAFF[1].name,
        "last_modified_by_id": STAFF[1].user_id,
    }
    return overlaid(shown, note.overlay)
