"""How Zoho shows a credit note, what it was applied to and what was paid back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.local.zoho_simulator.entities import trade_documents
from cli.local.zoho_simulator.entities.contact_documents import person_ids
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF, staff
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.credits import CreditNote
    from cli.local.zoho_simulator.entities.line_items import Line
    from cli.local.zoho_simulator.entities.refunds import Refund
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017035"
RECEIVABLE_ACCOUNT = "2646610000000000364"
SALES_ACCOUNT = "2646610000000000388"


def _common(note: CreditNote, customer: Contact) -> Json:
    seller = staff(note.salesperson)
    return trade_documents.head(
        note,
        "creditnote",
        customer,
        issued_date=note.date if note.posted else "",
        balance=number(note.balance),
        salesperson_id=seller.user_id if seller else "-1",
        salesperson_name=seller.name if seller else "",
        exchange_rate=number(note.exchange_rate),
        price_precision=note.currency.precision,
        template_id=TEMPLATE,
    )


def row(world: World, note: CreditNote, product: Product) -> Json:
    """A list row; its applied_invoices is empty text whatever was applied."""
    base, customer = shape("creditnote_row"), world.last_state(CONTACTS, note.contact_id)
    shown = {**base, **_common(note, customer)}
    return overlaid(shown, note.overlay, base=base)


def _line(note: CreditNote, line: Line, position: int) -> Json:
    further = {"invoice_id": note.invoice_id, "account_id": SALES_ACCOUNT, "account_name": "Sales"}
    return trade_documents.line(note, "creditnote_line", line, position, **further)


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
        "customer_name": world.last_state(CONTACTS, note.contact_id).name,
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
    base, customer = shape("creditnote_document"), world.last_state(CONTACTS, note.contact_id)
    common = _common(note, customer)
    shown = {
        **base,
        **{name: value for name, value in common.items() if name in base},
        **trade_documents.body(world, note, customer, base),
        **trade_documents.shipping(note),
        "invoice_id": note.invoice_id,
        "invoices_credited": invoices(world, note, product),
        "creditnote_refunds": refunds(world, note, product),
        "contact_persons": person_ids(customer),
        "currency_name_formatted": note.currency.formatted,
        "account_id": RECEIVABLE_ACCOUNT,
        "account_name": "Accounts Receivable",
        "line_items": [_line(note, line, order) for order, line in enumerate(note.lines, 1)],
        "total_credits_used": number(note.used),
        "total_refunded_amount": number(note.refunded),
        "created_by_id": STAFF[1].user_id,
        "created_by_name": STAFF[1].name,
        "last_modified_by_id": STAFF[1].user_id,
    }
    return overlaid(shown, note.overlay)
