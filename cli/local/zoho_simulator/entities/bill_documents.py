"""How Zoho shows a bill and the payments made for it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import spoken_date, zoho_date, zoho_time
from cli.local.zoho_simulator.entities.contact_documents import TERMS, address
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.bills import Bill
    from cli.local.zoho_simulator.entities.trade import Line
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017049"
PAYABLE_ACCOUNT = "2646610000000000370"
STOCK_ACCOUNT = "2646610000000034001"
BANK_ACCOUNT = "2646610000000000358"


def _common(bill: Bill, vendor: Contact) -> Json:
    return {
        "bill_id": bill.id,
        "bill_number": bill.number,
        "vendor_id": bill.contact_id,
        "vendor_name": vendor.name,
        "status": bill.status,
        "current_sub_status": bill.status,
        "reference_number": bill.reference,
        "date": bill.date,
        "due_date": bill.due_date,
        "currency_id": bill.currency.currency_id,
        "currency_code": bill.currency.code,
        "price_precision": bill.currency.precision,
        "exchange_rate": number(bill.exchange_rate),
        "total": number(bill.total),
        "balance": number(bill.balance),
        "created_time": zoho_time(bill.created),
        "last_modified_time": zoho_time(bill.modified),
    }


def _days_left(world: World, bill: Bill) -> int | None:
    if bill.balance <= 0 or not bill.posted:
        return None
    return (date.fromisoformat(bill.due_date) - world.today()).days


def row(world: World, bill: Bill, product: Product) -> Json:
    """A list row; is_opening_balance carries the bill's id, as seen live."""
    base, vendor = shape("bill_row"), world.last_state(CONTACTS, bill.contact_id)
    days = _days_left(world, bill)
    late = f"Overdue by {-(days or 0)} days" if (days or 0) < 0 else f"Due in {days} day(s)" if days else "Due Today"
    shown = {
        **base,
        **_common(bill, vendor),
        "due_days": "" if days is None else late,
        "created_time_formatted": spoken_date(zoho_date(bill.created)),
        "last_modified_time_formatted": spoken_date(zoho_date(bill.modified)),
        "created_by": STAFF[0].name,
        "last_modified_by": STAFF[0].name,
        "is_opening_balance": bill.id,
        "balance_due": number(bill.balance),
    }
    return overlaid(shown, {name: value for name, value in bill.overlay.items() if name in base or name[:3] == "cf_"})


def _line(bill: Bill, line: Line, order: int) -> Json:
    return {
        **shape("bill_line"),
        "line_item_id": line.line_id,
        "item_id": line.item_id,
        "name": line.name,
        "account_id": STOCK_ACCOUNT,
        "account_name": "Inventory Asset",
        "unit": line.unit,
        "item_order": order,
        "quantity": number(line.quantity),
        "rate": number(line.rate),
        "bcy_rate": number(bill.base(line.rate)),
        "item_total": number(bill.line_total(line)),
    }


def payments(world: World, bill: Bill, product: Product) -> list[Json]:
    """/bills/{id}/payments."""
    vendor = world.last_state(CONTACTS, bill.contact_id)
    return [
        {
            "payment_id": paid.payment_id,
            "bill_id": bill.id,
            "bill_payment_id": paid.bill_payment_id,
            "vendor_id": bill.contact_id,
            "vendor_name": vendor.name,
            "payment_mode": paid.mode,
            "description": "",
            "date": paid.date,
            "reference_number": paid.reference,
            "exchange_rate": number(bill.exchange_rate),
            "amount": number(paid.amount),
            "paid_through": "Petty Cash",
            "is_single_bill_payment": True,
        }
        for paid in bill.payments
    ]


def _payments(bill: Bill) -> list[Json]:
    return [
        {
            "payment_id": paid.payment_id,
            "bill_id": bill.id,
            "bill_payment_id": paid.bill_payment_id,
            "payment_mode": paid.mode,
            "payment_number": paid.payment_id[-6:],
            "description": "",
            "date": paid.date,
            "reference_number": paid.reference,
            "exchange_rate": number(bill.exchange_rate),
            "amount": number(paid.amount),
            "paid_through_account_id": BANK_ACCOUNT,
            "paid_through_account_name": "Petty Cash",
            "is_single_bill_payment": True,
        }
        for paid in bill.payments
    ]


def document(world: World, bill: Bill, product: Product) -> Json:
    """The full bill."""
    base, vendor = shape("bill_document"), world.last_state(CONTACTS, bill.contact_id)
    common, place, days = _common(bill, vendor), location(world, bill.location), _days_left(world, bill)
    sub_total = number(bill.sub_total)
    shown = {
        **base,
        **{name: value for name, value in common.items() if name in base},
        "payment_terms": bill.terms,
        "payment_terms_label": TERMS.get(bill.terms, ""),
        "due_by_days": -days if days is not None and days < 0 else "",
        "due_in_days": days if days is not None and days >= 0 else "",
        "currency_symbol": bill.currency.symbol,
        "currency_name_formatted": bill.currency.formatted,
        "line_items": [_line(bill, line, order) for order, line in enumerate(bill.lines, 1)],
        "location_id": place.id,
        "location_name": place.name,
        "adjustment": number(bill.adjustment),
        "discount_applied_on_amount": sub_total,
        "sub_total": sub_total,
        "sub_total_inclusive_of_tax": sub_total,
        "payment_made": number(bill.paid),
        "billing_address_id": str(int(vendor.id) + 1_000_000),
        "billing_address": address(vendor, base["billing_address"]),
        "payments": _payments(bill),
        "created_by_id": STAFF[0].user_id,
        "last_modified_id": STAFF[0].user_id,
        "notes": bill.notes,
        "template_id": TEMPLATE,
        "account_id": PAYABLE_ACCOUNT,
        "account_name": "Accounts Payable",
    }
    return overlaid(shown, bill.overlay)
