"""Sales invoices, of Zoho Books."""

from datetime import timedelta

from pydantic import Field

from tds_core.entities.model import Day, Detail, Document, Instant, JsonList, JsonObject, Money, Text, ZohoId
from tds_core.entities.spec import STOCK_OF_LINES, EntitySpec, ModifiedSince, Touch


class Invoice(Document):
    """A sales invoice; amounts are in the invoice's currency."""

    invoice_id: ZohoId
    invoice_number: Text = None
    reference_number: Text = None
    customer_id: Text = None
    customer_name: Text = None
    invoice_date: Day = Field(None, alias="date")
    due_date: Day = None
    status: Text = None
    currency: Text = Field(None, alias="currency_code")
    exchange_rate: Money = None
    total: Money = None
    balance: Money = None
    salesperson_id: Text = None
    salesperson_name: Text = None
    last_payment_date: Day = None
    write_off_amount: Money = None
    shipping_charge: Money = None
    adjustment: Money = None
    created_time: Instant = None
    subtotal: Detail[Money] = Field(None, alias="sub_total")
    tax_total: Detail[Money] = None
    discount_total: Detail[Money] = None
    payment_made: Detail[Money] = None
    credits_applied: Detail[Money] = None
    bcy_total: Detail[Money] = None
    bcy_sub_total: Detail[Money] = None
    bcy_tax_total: Detail[Money] = None
    line_items: Detail[JsonList] = None
    taxes: Detail[JsonList] = None
    # the list writes zipcode and the detail zip, so the address counts as the document's
    billing_address: Detail[JsonObject] = None
    shipping_address: Detail[JsonObject] = None
    salesorder_id: Detail[Text] = None
    notes: Detail[Text] = None
    terms: Detail[Text] = None


INVOICES = EntitySpec(
    name="invoices",
    model=Invoice,
    key="invoice_id",
    numbers=("invoice_number",),
    product="books",
    path="/invoices",
    list_key="invoices",
    detail_key="invoice",
    changes=ModifiedSince(sort_column="created_time"),
    document_keys=frozenset({"invoice_id", "customer_id", "line_items", "sub_total", "total", "balance", "status"}),
    critical=("invoice_number", "customer_id", "invoice_date", "status", "currency", "total", "balance"),
    compared=("total", "balance", "status"),
    totals=("total", "balance"),
    moved=("balance", "status", "last_payment_date", "write_off_amount"),
    freshness=timedelta(minutes=5),
    volatile=STOCK_OF_LINES | {"reminders_sent"},
    touches=(
        Touch(entity="products", path="line_items[].item_id"),
        # being invoiced or paid moves an order's statuses, perhaps without moving its version; an invoice of several
        # orders need not name one as its own, and one of a single order need not list it
        Touch(entity="sales_orders", path="salesorder_id"),
        Touch(entity="sales_orders", path="salesorders[].salesorder_id"),
        Touch(entity="customers", path="customer_id", refresh="walk"),
    ),
    webhook_modules=("invoices",),
)
