"""How Zoho shows a sales order: Books and Inventory differ in the status, the list carries quantities but no lines."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import zoho_date
from cli.local.zoho_simulator.entities import trade_documents
from cli.local.zoho_simulator.entities.contact_documents import TERMS, TERMS_IDS, address_id, person_id
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.products import ITEMS
from cli.local.zoho_simulator.money import ZERO, number
from cli.local.zoho_simulator.organisation import STAFF, staff
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.order_ledger import Order
    from cli.local.zoho_simulator.entities.receivables import Invoice
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017021"
INVENTORY_STATUS = {"open": "confirmed", "partially_invoiced": "confirmed", "invoiced": "fulfilled"}


def _invoices(world: World, order: Order) -> list[Invoice]:
    known = world.tables["invoices"].records
    return [known[invoice_id] for invoice_id, _ in order.invoiced if invoice_id in known]


def _paid(invoices: list[Invoice]) -> str:
    if not invoices:
        return ""
    if not any(invoice.balance for invoice in invoices):
        return "paid"
    return "partially_paid" if any(invoice.balance < invoice.total for invoice in invoices) else "unpaid"


def _common(world: World, order: Order, customer: Contact, product: Product) -> Json:
    invoices, state, seller = _invoices(world, order), order.state, staff(order.salesperson)
    live = order.status == "open"
    shown = INVENTORY_STATUS.get(state, state) if product == "inventory" else state
    paid = sum((invoice.total - invoice.balance for invoice in invoices), ZERO)
    return trade_documents.head(
        order,
        "salesorder",
        customer,
        status=shown,
        current_sub_status=shown,
        order_status="confirmed" if live and product == "inventory" else order.status,
        invoiced_status=state if state in ("invoiced", "partially_invoiced") else "not_invoiced" if live else "",
        paid_status=_paid(invoices),
        shipped_status=("fulfilled" if state == "invoiced" else "pending") if live else "",
        shipment_date=order.shipment_date,
        bcy_total=number(order.base(order.total)),
        balance=number(max(ZERO, order.total - paid)),
        salesperson_name=seller.name if seller else "",
    )


def _shares(order: Order) -> tuple[Decimal, Decimal]:
    """Quantities ordered and invoiced, over all lines."""
    invoiced = sum((order.taken(position) for position in range(len(order.lines))), ZERO) if order.invoiced else ZERO
    return sum((line.quantity for line in order.lines), ZERO), invoiced


def row(world: World, order: Order, product: Product) -> Json:
    """A list row."""
    base, customer = shape("salesorder_row"), world.last_state(CONTACTS, order.contact_id)
    quantity, invoiced = _shares(order)
    invoices = _invoices(world, order)
    shown = {
        **base,
        **_common(world, order, customer, product),
        "email": customer.email,
        "company_name": customer.company,
        "quantity": number(quantity),
        "quantity_invoiced": number(invoiced),
        "quantity_shipped": number(invoiced),
        "total_invoiced_amount": number(sum((invoice.total for invoice in invoices), ZERO)),
    }
    return overlaid(shown, order.overlay, base=base)


def lines(world: World, order: Order) -> list[Json]:
    """The order's lines with what is invoiced of them."""
    return [_line(world, order, position) for position in range(len(order.lines))]


def _line(world: World, order: Order, position: int) -> Json:
    line, taken = order.lines[position], order.taken(position)
    item = world.table(ITEMS).records.get(line.item_id)
    tracked = item is None or item.tracked
    return trade_documents.line(
        order,
        "salesorder_line",
        line,
        position + 1,
        variant_id=line.item_id,
        product_id=line.item_id,
        sku=line.sku,
        group_name=line.name,
        sales_rate=number(line.rate),
        item_sub_total=number(order.line_total(line)),
        product_type="goods" if tracked else "service",
        line_item_type="goods" if tracked else "service",
        item_type="inventory" if tracked else "sales",
        is_invoiced=bool(taken),
        quantity_invoiced=number(taken),
        quantity_shipped=number(taken),
        is_fulfillable=1,
    )


def _invoice(invoice: Invoice) -> Json:
    return {
        "invoice_id": invoice.id,
        "invoice_number": invoice.number,
        "reference_number": invoice.reference,
        "status": invoice.status,
        "date": invoice.date,
        "due_date": invoice.due_date,
        "total": number(invoice.total),
        "balance": number(invoice.balance),
    }


def _amounts(order: Order) -> Json:
    sub_total = number(order.sub_total)
    return {
        "exchange_rate": number(order.exchange_rate),
        "price_precision": order.currency.precision,
        "sub_total_inclusive_of_tax": sub_total,
        "sub_total_exclusive_of_discount": sub_total,
        "bcy_sub_total": number(order.base(order.sub_total)),
        "bcy_shipping_charge": number(order.base(order.shipping)),
        "bcy_adjustment": number(order.base(order.adjustment)),
        "total_quantity": number(_shares(order)[0]),
    }


def _persons(customer: Contact) -> Json:
    found = person_id(customer)
    if not found:
        return {}
    known = {
        "contact_person_id": found,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "mobile": customer.mobile,
    }
    preference = {"communication_preference": {"is_email_enabled": True}}
    return {
        "contact_persons": [found],
        "contact_persons_associated": [{**known, "contact_person_email": customer.email, **preference}],
        "contact_person_details": [{**known, "phone": customer.phone, "email": customer.email}],
    }


def document(world: World, order: Order, product: Product) -> Json:
    """The full order."""
    base, customer = shape("salesorder_document"), world.last_state(CONTACTS, order.contact_id)
    author, seller = STAFF[1], staff(order.salesperson)
    shown = {
        **base,
        **_common(world, order, customer, product),
        **trade_documents.body(world, order, customer, base),
        **trade_documents.shipping(order),
        **_amounts(order),
        **_persons(customer),
        "line_items": lines(world, order),
        "payment_terms": order.terms,
        "payment_terms_label": TERMS.get(order.terms, ""),
        "payment_terms_id": TERMS_IDS.get(order.terms, ""),
        "salesperson_id": seller.user_id if seller else "",
        "billing_address_id": address_id(customer),
        "shipping_address_id": str(int(address_id(customer)) + 1),
        "template_id": TEMPLATE,
        "invoices": [_invoice(invoice) for invoice in _invoices(world, order)],
        "contact": trade_documents.balances(customer, base),
        "created_date": zoho_date(order.created),
        "created_by_id": author.user_id,
        "created_by_name": author.name,
        "created_by_email": "",
        "last_modified_by_id": author.user_id,
    }
    return overlaid(shown, order.overlay)


def with_lines(world: World, order: Order, shown: Json, query: Mapping[str, str]) -> Json:
    """A row of /salesorders?salesorder_ids= may bring the lines: whether it does is a quirk."""
    return {**shown, "line_items": lines(world, order)} if world.options.quirks.salesorder_ids_bring_lines else shown
