"""How Zoho shows a payment: the list has last_modified_time and no currency, the detail updated_time and invoices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import zoho_time
from cli.local.zoho_simulator.entities.contacts import CONTACTS
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.receivables import Application, Payment
    from cli.local.zoho_simulator.world import World

CASH_ACCOUNT = "2646610000000000358"
ADVANCE_ACCOUNT = "2646610000000000376"
TEMPLATE = "2646610000000017013"


def _common(world: World, payment: Payment) -> Json:
    return {
        "payment_id": payment.id,
        "payment_number": str(payment.number),
        "customer_id": payment.contact_id,
        "customer_name": world.last_state(CONTACTS, payment.contact_id).name,
        "date": payment.date,
        "payment_mode": payment.mode,
        "amount": number(payment.amount),
        "unused_amount": number(payment.unused),
        "account_id": CASH_ACCOUNT,
        "reference_number": payment.reference,
        "description": payment.description,
        "created_time": zoho_time(payment.created),
    }


def _base(payment: Payment, amount: Decimal) -> float:
    return number((amount * payment.exchange_rate).quantize(Decimal("0.001")))


def row(world: World, payment: Payment, product: Product) -> Json:
    """A list row."""
    invoices = world.tables["invoices"].records
    numbers = [invoices[entry.invoice_id].number for entry in payment.applied if entry.invoice_id in invoices]
    shown = {
        **shape("payment_row"),
        **_common(world, payment),
        "invoice_numbers": ", ".join(numbers),
        "payment_mode_formatted": payment.mode,
        "bcy_amount": _base(payment, payment.amount),
        "bcy_unused_amount": _base(payment, payment.unused),
        "bcy_refunded_amount": _base(payment, payment.refunded),
        "last_modified_time": zoho_time(payment.modified),
    }
    return overlaid(shown, payment.overlay)


def _application(world: World, payment: Payment, entry: Application) -> Json:
    invoice = world.tables["invoices"].records.get(entry.invoice_id)
    known: Json = {}
    if invoice is not None:
        known = {
            "invoice_number": invoice.number,
            "total": number(invoice.total),
            "balance": number(invoice.balance),
            "date": invoice.date,
            "due_date": invoice.due_date,
        }
    return {
        **shape("payment_invoice"),
        **known,
        "invoice_payment_id": entry.application_id,
        "invoice_id": entry.invoice_id,
        "amount_applied": number(entry.amount),
        "price_precision": payment.currency.precision,
        "apply_date": payment.date,
    }


def refunds(world: World, payment: Payment, product: Product) -> list[Json]:
    """/customerpayments/{id}/refunds, and payment_refunds of the detail."""
    return [
        {
            "payment_refund_id": refund.refund_id,
            "payment_id": payment.id,
            "date": refund.date,
            "refund_mode": refund.mode,
            "reference_number": refund.reference,
            "payment_number": str(payment.number),
            "customer_name": world.last_state(CONTACTS, payment.contact_id).name,
            "amount_bcy": _base(payment, refund.amount),
            "amount_fcy": number(refund.amount),
        }
        for refund in payment.refunds
    ]


def document(world: World, payment: Payment, product: Product) -> Json:
    """The full payment."""
    shown = {
        **shape("payment_document"),
        **_common(world, payment),
        "created_by": STAFF[0].name,
        "updated_time": zoho_time(payment.modified),
        "payment_number_suffix": str(payment.number),
        "customer_advance_account_id": ADVANCE_ACCOUNT,
        "currency_id": payment.currency.currency_id,
        "currency_symbol": payment.currency.symbol,
        "currency_code": payment.currency.code,
        "exchange_rate": number(payment.exchange_rate),
        "template_id": TEMPLATE,
        "invoices": [_application(world, payment, entry) for entry in payment.applied],
        "payment_refunds": refunds(world, payment, product),
        "price_precision": payment.currency.precision,
    }
    return overlaid(shown, payment.overlay)
