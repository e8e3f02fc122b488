"""Sales orders, of Zoho Books."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from tds_core.entities.model import (
    Day,
    Detail,
    Document,
    Instant,
    Integer,
    JsonList,
    JsonObject,
    Listed,
    Money,
    Quantity,
    Text,
    ZohoId,
)
from tds_core.entities.spec import STOCK_OF_LINES, EntitySpec, ModifiedSince, Touch


class SalesOrder(Document):
    """An order of a customer; amounts are in the order's currency. Zoho tells its progress in several statuses."""

    salesorder_id: ZohoId
    salesorder_number: Text = None
    reference_number: Text = None
    customer_id: Text = None
    customer_name: Text = None
    date: Day = None
    shipment_date: Day = None
    status: Text = None
    order_status: Text = None
    invoiced_status: Text = None
    paid_status: Text = None
    shipped_status: Text = None
    current_sub_status: Text = None
    currency: Text = Field(None, alias="currency_code")
    total: Money = None
    bcy_total: Money = None
    balance: Money = None
    # the list says quantity, documents total_quantity
    quantity: Quantity = Field(None, validation_alias=AliasChoices("quantity", "total_quantity"))
    delivery_method: Text = None
    sales_channel: Text = None
    source: Text = None
    created_time: Instant = None
    delivery_date: Listed[Day] = None
    quantity_invoiced: Listed[Quantity] = None
    quantity_packed: Listed[Quantity] = None
    quantity_shipped: Listed[Quantity] = None
    total_invoiced_amount: Listed[Money] = None
    exchange_rate: Detail[Money] = None
    subtotal: Detail[Money] = Field(None, alias="sub_total")
    tax_total: Detail[Money] = None
    discount_total: Detail[Money] = None
    shipping_charge: Detail[Money] = None
    adjustment: Detail[Money] = None
    bcy_sub_total: Detail[Money] = None
    bcy_tax_total: Detail[Money] = None
    line_items: Detail[JsonList] = None
    taxes: Detail[JsonList] = None
    packages: Detail[JsonList] = None
    billing_address: Detail[JsonObject] = None
    shipping_address: Detail[JsonObject] = None
    payment_terms: Detail[Integer] = None
    payment_terms_label: Detail[Text] = None
    # without a salesperson a list may say "-1" where the document says ""
    salesperson_id: Detail[Text] = None
    salesperson_name: Detail[Text] = None
    location_id: Detail[Text] = None
    location_name: Detail[Text] = None
    pricebook_id: Detail[Text] = None
    estimate_id: Detail[Text] = None
    notes: Detail[Text] = None
    terms: Detail[Text] = None
    custom_fields: Detail[JsonList] = None


SALES_ORDERS = EntitySpec(
    name="sales_orders",
    model=SalesOrder,
    key="salesorder_id",
    numbers=("salesorder_number",),
    product="books",
    path="/salesorders",
    list_key="salesorders",
    detail_key="salesorder",
    changes=ModifiedSince(),
    document_keys=frozenset({"salesorder_id", "customer_id", "line_items", "sub_total", "total", "status"}),
    critical=("salesorder_number", "customer_id", "date", "status", "currency", "total"),
    compared=("total", "status"),
    totals=("total",),
    moved=(
        "balance",
        "current_sub_status",
        "invoiced_status",
        "order_status",
        "paid_status",
        "quantity_invoiced",
        "quantity_packed",
        "quantity_shipped",
        "shipped_status",
        "status",
        "total_invoiced_amount",
    ),
    freshness=timedelta(minutes=5),
    volatile=STOCK_OF_LINES | {"is_fulfillable"},
    # an open order commits stock; it changes no balance
    touches=(Touch(entity="products", path="line_items[].item_id"),),
    webhook_modules=("salesorders",),
)
