"""How Zoho shows an invoice: the list row without lines, the detail without updated_time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import zoho_date, zoho_time
from cli.local.zoho_simulator.entities import trade_documents
from cli.local.zoho_simulator.entities.contact_documents import TERMS, TERMS_IDS, address, person_ids
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.order_ledger import Order, orders
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF, staff
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.receivables import Invoice
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017001"
RECEIVABLE_ACCOUNT = "2646610000000000364"
SALES_ACCOUNT = "2646610000000000388"


def _common(invoice: Invoice, customer: Contact) -> Json:
    seller = staff(invoice.salesperson)
    return trade_documents.head(
        invoice,
        "invoice",
        customer,
        email=customer.email,
        due_date=invoice.due_date,
        issued_date="" if invoice.status == "draft" else invoice.date,
        last_payment_date=invoice.last_payment_date,
        currency_symbol=invoice.currency.symbol,
        exchange_rate=number(invoice.exchange_rate),
        balance=number(invoice.balance),
        write_off_amount=number(invoice.written_off),
        shipping_charge=number(invoice.shipping),
        adjustment=number(invoice.adjustment),
        salesperson_id=seller.user_id if seller else "",
        salesperson_name=seller.name if seller else "",
        template_id=TEMPLATE,
        invoice_url=f"https://books.example.com/portal/secure?CInvoiceID=2-{invoice.id}",
    )


def _viewed(invoice: Invoice) -> Json:
    """Only invoices that were opened from a mail carry these keys."""
    if invoice.status == "draft" or int(invoice.id) % 5:
        return {}
    opened = zoho_time(invoice.created)
    return {"is_viewed_in_mail": True, "mail_first_viewed_time": opened, "mail_last_viewed_time": opened}


def row(world: World, invoice: Invoice, product: Product) -> Json:
    """A list row; its addresses say zipcode where the detail says zip."""
    base, customer = shape("invoice_row"), world.last_state(CONTACTS, invoice.contact_id)
    days = invoice.days_left(world.today())
    shown = {
        **base,
        **_common(invoice, customer),
        "company_name": customer.company,
        "due_days": "" if days is None else trade_documents.due(days),
        "country": "Iraq",
        "phone": customer.phone,
        "billing_address": address(customer, base["billing_address"]),
        "created_by": STAFF[1].name,
        **_viewed(invoice),
        "updated_time": zoho_time(invoice.modified),
    }
    return overlaid(shown, invoice.overlay, base=base)


def _lines(invoice: Invoice, order: Order | None) -> list[Json]:
    ids = {line.item_id: line.line_id for line in order.lines} if order is not None else {}
    return [
        trade_documents.line(
            invoice,
            "invoice_line",
            line,
            position,
            sales_rate=number(line.rate),
            account_id=SALES_ACCOUNT,
            salesorder_item_id=ids.get(line.item_id, ""),
        )
        for position, line in enumerate(invoice.lines, 1)
    ]


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
            "creditnotes_invoice_id": next(
                entry.application_id for entry in known[note_id].applied if entry.invoice_id == invoice.id
            ),
            "creditnotes_number": known[note_id].number,
            "credited_date": known[note_id].date,
            "amount_applied": number(amount),
        }
        for note_id, amount in invoice.credits
    ]


def _amounts(invoice: Invoice) -> Json:
    return {
        "sub_total_inclusive_of_tax": 0.0,
        "payment_made": number(invoice.paid),
        "credits_applied": number(invoice.credited),
        "price_precision": invoice.currency.precision,
        "bcy_shipping_charge": number(invoice.base(invoice.shipping)),
        "bcy_adjustment": number(invoice.base(invoice.adjustment)),
        "bcy_sub_total": number(invoice.base(invoice.sub_total)),
        "bcy_total": number(invoice.base(invoice.total)),
    }


def document(world: World, invoice: Invoice, product: Product) -> Json:
    """The full invoice with its lines."""
    base, customer = shape("invoice_document"), world.last_state(CONTACTS, invoice.contact_id)
    common, order = _common(invoice, customer), orders(world, invoice)
    shown = {
        **base,
        **{name: value for name, value in common.items() if name in base},
        **trade_documents.body(world, invoice, customer, base),
        **trade_documents.shipping(invoice),
        **_amounts(invoice),
        "currency_name_formatted": invoice.currency.formatted,
        "payment_terms": invoice.terms,
        "payment_terms_label": TERMS.get(invoice.terms, ""),
        "payment_terms_id": TERMS_IDS.get(invoice.terms, ""),
        "line_items": _lines(invoice, order),
        **_of_order(order),
        "account_id": RECEIVABLE_ACCOUNT,
        "contact_persons": person_ids(customer),
        "contact": trade_documents.balances(customer, base),
        "customer_default_billing_address": address(customer, base["customer_default_billing_address"]),
        "created_date": zoho_date(invoice.created),
        "created_by_id": STAFF[1].user_id,
        "created_by_name": STAFF[1].name,
        "last_modified_by_id": STAFF[1].user_id,
    }
    return overlaid(shown, invoice.overlay)
