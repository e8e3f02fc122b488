"""How Zoho shows an invoice: the list row without lines, the detail without updated_time."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import zoho_date, zoho_time
from cli.local.zoho_simulator.entities.contact_documents import TERMS, TERMS_IDS, address, person_id
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.entities.order_ledger import Order, orders
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.receivables import Invoice
    from cli.local.zoho_simulator.entities.trade import Line
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017001"
RECEIVABLE_ACCOUNT = "2646610000000000364"
SALES_ACCOUNT = "2646610000000000388"


def _common(invoice: Invoice, customer: Contact) -> Json:
    staff = STAFF[invoice.salesperson] if invoice.salesperson < len(STAFF) else None
    return {
        "invoice_id": invoice.id,
        "invoice_number": invoice.number,
        "customer_id": invoice.customer_id,
        "customer_name": customer.name,
        "email": customer.email,
        "status": invoice.status,
        "current_sub_status": invoice.status,
        "reference_number": invoice.reference,
        "date": invoice.date,
        "due_date": invoice.due_date,
        "issued_date": "" if invoice.status == "draft" else invoice.date,
        "last_payment_date": invoice.last_payment_date,
        "currency_id": invoice.currency.currency_id,
        "currency_code": invoice.currency.code,
        "currency_symbol": invoice.currency.symbol,
        "exchange_rate": number(invoice.exchange_rate),
        "total": number(invoice.total),
        "balance": number(invoice.balance),
        "write_off_amount": number(invoice.written_off),
        "shipping_charge": number(invoice.shipping),
        "adjustment": number(invoice.adjustment),
        "salesperson_id": staff.user_id if staff else "",
        "salesperson_name": staff.name if staff else "",
        "template_id": TEMPLATE,
        "invoice_url": f"https://books.example.com/portal/secure?CInvoiceID=2-{invoice.id}",
        "created_time": zoho_time(invoice.created),
        "last_modified_time": zoho_time(invoice.modified),
    }


def _due_days(invoice: Invoice, today: date) -> str:
    if invoice.balance <= 0 or not invoice.posted or not invoice.due_date:
        return ""
    days = (date.fromisoformat(invoice.due_date) - today).days
    return f"Due in {days} day(s)" if days > 0 else "Due Today" if days == 0 else f"Overdue by {-days} days"


def _viewed(invoice: Invoice) -> Json:
    """Only invoices that were opened from a mail carry these keys."""
    if invoice.status == "draft" or int(invoice.id) % 5:
        return {}
    opened = zoho_time(invoice.created)
    return {"is_viewed_in_mail": True, "mail_first_viewed_time": opened, "mail_last_viewed_time": opened}


def row(world: World, invoice: Invoice, product: Product) -> Json:
    """A list row; its addresses say zipcode where the detail says zip."""
    base, customer = (shape("invoice_row"), world.last_state(CONTACTS, invoice.customer_id))
    shown = {
        **base,
        **_common(invoice, customer),
        "company_name": customer.company,
        "due_days": _due_days(invoice, world.today()),
        "country": "Iraq",
        "phone": customer.phone,
        "billing_address": address(customer, base["billing_address"]),
        "created_by": STAFF[1].name,
        **_viewed(invoice),
        "updated_time": zoho_time(invoice.modified),
    }
    return overlaid(
        shown, {name: value for name, value in invoice.overlay.items() if name in base or name[:3] == "cf_"}
    )


def _line(invoice: Invoice, line: Line, order: int, ordered: str) -> Json:
    rate = number(line.rate)
    return {
        **shape("invoice_line"),
        "line_item_id": line.line_id,
        "item_id": line.item_id,
        "item_order": order,
        "name": line.name,
        "unit": line.unit,
        "quantity": number(line.quantity),
        "rate": rate,
        "sales_rate": rate,
        "bcy_rate": number(invoice.base(line.rate)),
        "account_id": SALES_ACCOUNT,
        "item_total": number(invoice.line_total(line)),
        "salesorder_item_id": ordered,
    }


def _lines(invoice: Invoice, order: Order | None) -> list[Json]:
    ids = {line.item_id: line.line_id for line in order.lines} if order is not None else {}
    return [_line(invoice, line, at, ids.get(line.item_id, "")) for at, line in enumerate(invoice.lines, 1)]


def _of_order(order: Order | None) -> Json:
    if order is None:
        return {}
    shown = {
        "salesorder_id": order.id,
        "salesorder_number": order.number,
        "reference_number": order.reference,
        "date": order.date,
        "total": number(order.total),
    }
    return {"salesorder_id": order.id, "salesorder_number": order.number, "salesorders": [shown]}


def payments(world: World, invoice: Invoice, product: Product) -> list[Json]:
    """/invoices/{id}/payments."""
    known = world.tables["customerpayments"].records
    return [
        {
            "payment_id": payment_id,
            "payment_number": str(known[payment_id].number),
            "invoice_id": invoice.id,
            "payment_mode": known[payment_id].mode,
            "description": known[payment_id].description,
            "date": known[payment_id].date,
            "reference_number": known[payment_id].reference,
            "exchange_rate": number(known[payment_id].exchange_rate),
            "amount": number(amount),
        }
        for payment_id, amount in invoice.payments
    ]


def credits_applied(world: World, invoice: Invoice, product: Product) -> list[Json]:
    """/invoices/{id}/creditsapplied."""
    known = world.tables["creditnotes"].records
    return [
        {
            "creditnote_id": note_id,
            "creditnotes_invoice_id": next(entry[2] for entry in known[note_id].applied if entry[0] == invoice.id),
            "creditnotes_number": known[note_id].number,
            "credited_date": known[note_id].date,
            "amount_applied": number(amount),
        }
        for note_id, amount in invoice.credits
    ]


def _amounts(invoice: Invoice) -> Json:
    sub_total, shipping = number(invoice.sub_total), number(invoice.shipping)
    bcy_shipping = number(invoice.base(invoice.shipping))
    return {
        "sub_total": sub_total,
        "sub_total_inclusive_of_tax": 0.0,
        "discount_applied_on_amount": sub_total,
        "payment_made": number(invoice.paid),
        "credits_applied": number(invoice.credited),
        "price_precision": invoice.currency.precision,
        "shipping_charge_exclusive_of_tax": shipping,
        "shipping_charge_inclusive_of_tax": shipping,
        "shipping_charge_exclusive_of_tax_formatted": invoice.currency.text(invoice.shipping),
        "shipping_charge_inclusive_of_tax_formatted": invoice.currency.text(invoice.shipping),
        "bcy_shipping_charge": bcy_shipping,
        "bcy_adjustment": number(invoice.base(invoice.adjustment)),
        "bcy_sub_total": number(invoice.base(invoice.sub_total)),
        "bcy_total": number(invoice.base(invoice.total)),
    }


def document(world: World, invoice: Invoice, product: Product) -> Json:
    """The full invoice with its lines."""
    base, customer = (shape("invoice_document"), world.last_state(CONTACTS, invoice.customer_id))
    common, place, order = _common(invoice, customer), location(world, invoice.location), orders(world, invoice)
    contact_person = person_id(customer)
    shown = {
        **base,
        **{name: value for name, value in common.items() if name in base},
        **_amounts(invoice),
        "currency_name_formatted": invoice.currency.formatted,
        "payment_terms": invoice.terms,
        "payment_terms_label": TERMS.get(invoice.terms, ""),
        "payment_terms_id": TERMS_IDS.get(invoice.terms, ""),
        "line_items": _lines(invoice, order),
        **_of_order(order),
        "account_id": RECEIVABLE_ACCOUNT,
        "location_id": place.id,
        "location_name": place.name,
        "contact_persons": [contact_person] if contact_person else [],
        "contact": {
            **base["contact"],
            "customer_balance": number(customer.receivable),
            "unused_customer_credits": number(customer.unused),
        },
        "notes": invoice.notes,
        "billing_address": address(customer, base["billing_address"]),
        "customer_default_billing_address": address(customer, base["customer_default_billing_address"]),
        "created_date": zoho_date(invoice.created),
        "created_by_id": STAFF[1].user_id,
        "created_by_name": STAFF[1].name,
        "last_modified_by_id": STAFF[1].user_id,
    }
    if invoice.overlay:
        shown = overlaid(shown, invoice.overlay)
    return shown
