"""Credit notes with the invoices they are applied to and their refunds, of Zoho Books."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from tds_core.entities.model import (
    Day,
    Detail,
    Document,
    Element,
    Instant,
    JsonList,
    JsonObject,
    Money,
    Text,
    ZohoId,
    distinct,
)
from tds_core.entities.spec import STOCK_OF_LINES, ChildTable, EntitySpec, ModifiedSince, Touch


class CreditNote(Document):
    """A credit to a customer; amounts are in its currency, `balance` is what is neither applied nor refunded."""

    creditnote_id: ZohoId
    creditnote_number: Text = None
    reference_number: Text = None
    customer_id: Text = None
    customer_name: Text = None
    date: Day = None
    status: Text = None
    currency: Text = Field(None, alias="currency_code")
    exchange_rate: Money = None
    total: Money = None
    balance: Money = None
    created_time: Instant = None
    invoice_id: Detail[Text] = None
    refund_mode: Detail[Annotated[str | None, distinct("refund_mode")]] = Field(None, alias="creditnote_refunds")
    subtotal: Detail[Money] = Field(None, alias="sub_total")
    tax_total: Detail[Money] = None
    discount: Detail[Text] = None
    shipping_charge: Detail[Money] = None
    adjustment: Detail[Money] = None
    total_credits_used: Detail[Money] = None
    total_refunded_amount: Detail[Money] = None
    line_items: Detail[JsonList] = None
    taxes: Detail[JsonList] = None
    billing_address: Detail[JsonObject] = None
    shipping_address: Detail[JsonObject] = None
    # without a salesperson the list may say "-1" where the document says ""
    salesperson_id: Detail[Text] = None
    salesperson_name: Detail[Text] = None
    location_id: Detail[Text] = None
    location_name: Detail[Text] = None
    notes: Detail[Text] = None
    terms: Detail[Text] = None
    custom_fields: Detail[JsonList] = None


class CreditNoteInvoice(Element):
    """What of a credit note was applied to an invoice, once."""

    creditnote_invoice_id: ZohoId
    invoice_id: Text = None
    invoice_number: Text = None
    credited_amount: Money = None
    date: Day = None


class CreditNoteRefund(Element):
    """What of a credit note was paid back, in its currency and in the organisation's."""

    creditnote_refund_id: ZohoId
    date: Day = None
    refund_mode: Text = None
    amount_fcy: Money = None
    amount_bcy: Money = None
    reference_number: Text = None
    description: Text = None


CREDIT_NOTES = EntitySpec(
    name="credit_notes",
    model=CreditNote,
    key="creditnote_id",
    numbers=("creditnote_number",),
    product="books",
    path="/creditnotes",
    list_key="creditnotes",
    detail_key="creditnote",
    changes=ModifiedSince(),
    document_keys=frozenset({"creditnote_id", "customer_id", "line_items", "sub_total", "total", "balance", "status"}),
    critical=("creditnote_number", "customer_id", "date", "status", "currency", "total", "balance"),
    compared=("total", "balance", "status"),
    totals=("total", "balance"),
    freshness=timedelta(minutes=5),
    volatile=STOCK_OF_LINES,
    children=(
        ChildTable(
            table="credit_note_invoices",
            source_keys=("invoices_credited",),
            key="creditnote_invoice_id",
            model=CreditNoteInvoice,
        ),
        ChildTable(
            table="credit_note_refunds",
            source_keys=("creditnote_refunds",),
            key="creditnote_refund_id",
            model=CreditNoteRefund,
        ),
    ),
    touches=(
        Touch(entity="products", path="line_items[].item_id"),
        Touch(entity="invoices", path="invoices_credited[].invoice_id"),
        Touch(entity="customers", path="customer_id", refresh="walk"),
    ),
    webhook_modules=("creditnotes",),
)
