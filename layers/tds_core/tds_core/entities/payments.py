"""Payments received with the invoices they pay and what was paid back, of Zoho Books (Zoho's customer payments)."""

from datetime import timedelta

from pydantic import Field

from tds_core.entities.model import Day, Detail, Document, Element, JsonList, Listed, Money, Text, ZohoId
from tds_core.entities.spec import ChildTable, EntitySpec, LookBack, Touch


class Payment(Document):
    """A payment of a customer; amounts are in the payment's currency, `unused_amount` is not applied to anything."""

    payment_id: ZohoId
    payment_number: Text = None
    customer_id: Text = None
    customer_name: Text = None
    payment_date: Day = Field(None, alias="date")
    amount: Money = None
    unused_amount: Money = None
    payment_mode: Text = None
    reference_number: Text = None
    notes: Text = Field(None, alias="description")
    account_id: Text = None
    account_name: Text = None
    tax_amount_withheld: Money = None
    bcy_amount: Listed[Money] = None
    bcy_unused_amount: Listed[Money] = None
    bcy_refunded_amount: Listed[Money] = None
    currency: Detail[Text] = Field(None, alias="currency_code")
    payment_status: Detail[Text] = None
    exchange_rate: Detail[Money] = None
    bank_charges: Detail[Money] = None
    discount_amount: Detail[Money] = None
    custom_fields: Detail[JsonList] = None


class PaymentInvoice(Element):
    """What of a payment is applied to one invoice, added up; `invoice_payment_id` is the last application's."""

    invoice_id: ZohoId
    invoice_payment_id: Text = None
    invoice_number: Text = None
    amount_applied: Money = None
    tax_amount_withheld: Money = None
    discount_amount: Money = None
    apply_date: Day = None


class PaymentRefund(Element):
    """What of a payment was paid back, in its currency and in the organisation's."""

    payment_refund_id: ZohoId
    date: Day = None
    refund_mode: Text = None
    amount_fcy: Money = None
    amount_bcy: Money = None
    reference_number: Text = None


PAYMENTS = EntitySpec(
    name="payments",
    model=Payment,
    key="payment_id",
    numbers=("payment_number",),
    product="books",
    path="/customerpayments",
    list_key="customerpayments",
    detail_key="payment",
    document_version="updated_time",
    changes=LookBack(date_column="date", days=14),
    document_keys=frozenset(
        {"payment_id", "customer_id", "date", "amount", "unused_amount", "currency_code", "invoices"}
    ),
    critical=("payment_number", "customer_id", "payment_date", "payment_mode", "amount", "currency"),
    compared=("amount", "unused_amount", "payment_mode"),
    totals=("amount", "unused_amount"),
    freshness=timedelta(minutes=5),
    slower=("dated before the newest 200", timedelta(minutes=15)),
    children=(
        ChildTable(
            table="payment_invoices",
            source_keys=("invoices",),
            key="invoice_id",
            model=PaymentInvoice,
            # a payment may be applied to one invoice more than once: each application has its own id
            part="invoice_payment_id",
            added=("amount_applied", "tax_amount_withheld", "discount_amount"),
        ),
        ChildTable(
            table="payment_refunds", source_keys=("payment_refunds",), key="payment_refund_id", model=PaymentRefund
        ),
    ),
    touches=(
        Touch(entity="invoices", path="invoices[].invoice_id"),
        Touch(entity="customers", path="customer_id", refresh="walk"),
    ),
    webhook_modules=("customerpayments",),
)
