"""Purchase bills, of Zoho Books."""

from datetime import timedelta

from pydantic import Field

from tds_core.entities.model import Day, Detail, Document, Instant, Integer, JsonList, JsonObject, Money, Text, ZohoId
from tds_core.entities.spec import STOCK_OF_LINES, EntitySpec, ModifiedSince, Touch


class Bill(Document):
    """A bill of a vendor; amounts are in the bill's currency."""

    bill_id: ZohoId
    bill_number: Text = None
    reference_number: Text = None
    vendor_id: Text = None
    vendor_name: Text = None
    bill_date: Day = Field(None, alias="date")
    due_date: Day = None
    status: Text = None
    currency: Text = Field(None, alias="currency_code")
    exchange_rate: Money = None
    total: Money = None
    balance: Money = None
    created_time: Instant = None
    subtotal: Detail[Money] = Field(None, alias="sub_total")
    tax_total: Detail[Money] = None
    discount_total: Detail[Money] = None
    adjustment: Detail[Money] = None
    payment_made: Detail[Money] = None
    vendor_credits_applied: Detail[Money] = None
    payment_terms: Detail[Integer] = None
    payment_terms_label: Detail[Text] = None
    line_items: Detail[JsonList] = None
    taxes: Detail[JsonList] = None
    payments: Detail[JsonList] = None
    vendor_credits: Detail[JsonList] = None
    billing_address: Detail[JsonObject] = None
    location_id: Detail[Text] = None
    location_name: Detail[Text] = None
    notes: Detail[Text] = None
    terms: Detail[Text] = None
    custom_fields: Detail[JsonList] = None


BILLS = EntitySpec(
    name="bills",
    model=Bill,
    key="bill_id",
    numbers=("bill_number",),
    product="books",
    path="/bills",
    list_key="bills",
    detail_key="bill",
    changes=ModifiedSince(),
    document_keys=frozenset({"bill_id", "vendor_id", "line_items", "sub_total", "total", "balance", "status"}),
    critical=("bill_number", "vendor_id", "bill_date", "status", "currency", "total", "balance"),
    compared=("total", "balance", "status"),
    totals=("total", "balance"),
    freshness=timedelta(minutes=5),
    volatile=STOCK_OF_LINES,
    touches=(
        Touch(entity="products", path="line_items[].item_id"),
        Touch(entity="purchase_orders", path="purchaseorders[].purchaseorder_id"),
        Touch(entity="vendors", path="vendor_id", refresh="walk"),
    ),
    webhook_modules=("bills",),
)
