"""How Zoho shows a bill and the payments made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.local.zoho_simulator.clock import spoken_date, zoho_date
from cli.local.zoho_simulator.entities import trade_documents
from cli.local.zoho_simulator.entities.contact_documents import TERMS, address_id
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.bills import Bill, BillPayment
    from cli.local.zoho_simulator.entities.line_items import Line
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017049"
PAYABLE_ACCOUNT = "2646610000000000370"
STOCK_ACCOUNT = "2646610000000034001"
BANK_ACCOUNT = "2646610000000000358"


def _common(bill: Bill, vendor: Contact) -> Json:
    return trade_documents.head(
        bill,
        "bill",
        vendor,
        due_date=bill.due_date,
        price_precision=bill.currency.precision,
        exchange_rate=number(bill.exchange_rate),
        balance=number(bill.balance),
    )


def row(world: World, bill: Bill, product: Product) -> Json:
    """A list row; is_opening_balance carries the bill's id, as seen live."""
    base, vendor = shape("bill_row"), world.last_state(CONTACTS, bill.contact_id)
    days = bill.days_left(world.today())
    shown = {
        **base,
        **_common(bill, vendor),
        "due_days": "" if days is None else trade_documents.due(days),
        "created_time_formatted": spoken_date(zoho_date(bill.created)),
        "last_modified_time_formatted": spoken_date(zoho_date(bill.modified)),
        "created_by": STAFF[0].name,
        "last_modified_by": STAFF[0].name,
        "is_opening_balance": bill.id,
        "balance_due": number(bill.balance),
    }
    return overlaid(shown, bill.overlay, base=base)


def _line(bill: Bill, line: Line, position: int) -> Json:
    account = {"account_id": STOCK_ACCOUNT, "account_name": "Inventory Asset"}
    return trade_documents.line(bill, "bill_line", line, position, **account)


def _paid(bill: Bill, paid: BillPayment, **further: Any) -> Json:
    return {
        "payment_id": paid.payment_id,
        "bill_id": bill.id,
        "bill_payment_id": paid.bill_payment_id,
        "payment_mode": paid.mode,
        "description": "",
        "date": paid.date,
        "reference_number": paid.reference,
        "exchange_rate": number(bill.exchange_rate),
        "amount": number(paid.amount),
        "is_single_bill_payment": True,
        **further,
    }


def payments(world: World, bill: Bill, product: Product) -> list[Json]:
    """/bills/{id}/payments."""
    vendor = world.last_state(CONTACTS, bill.contact_id)
    known = {"vendor_id": vendor.id, "vendor_name": vendor.name, "paid_through": "Petty Cash"}
    return [_paid(bill, paid, **known) for paid in bill.payments]


def _payments(bill: Bill) -> list[Json]:
    known = {"paid_through_account_id": BANK_ACCOUNT, "paid_through_account_name": "Petty Cash"}
    return [_paid(bill, paid, payment_number=paid.payment_id[-6:], **known) for paid in bill.payments]


def document(world: World, bill: Bill, product: Product) -> Json:
    """The full bill."""
    base, vendor = shape("bill_document"), world.last_state(CONTACTS, bill.contact_id)
    common, days = _common(bill, vendor), bill.days_left(world.today())
    shown = {
        **base,
        **{name: value for name, value in common.items() if name in base},
        **trade_documents.body(world, bill, vendor, base),
        "payment_terms": bill.terms,
        "payment_terms_label": TERMS.get(bill.terms, ""),
        "due_by_days": -days if days is not None and days < 0 else "",
        "due_in_days": days if days is not None and days >= 0 else "",
        "currency_name_formatted": bill.currency.formatted,
        "line_items": [_line(bill, line, order) for order, line in enumerate(bill.lines, 1)],
        "sub_total_inclusive_of_tax": number(bill.sub_total),
        "payment_made": number(bill.paid),
        "billing_address_id": address_id(vendor),
        "payments": _payments(bill),
        "created_by_id": STAFF[0].user_id,
        "last_modified_id": STAFF[0].user_id,
        "template_id": TEMPLATE,
        "account_id": PAYABLE_ACCOUNT,
        "account_name": "Accounts Payable",
    }
    return overlaid(shown, bill.overlay)
