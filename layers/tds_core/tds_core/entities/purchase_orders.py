"""Purchase orders, of Zoho Books."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from tds_core.entities.model import (
    Day,
    Detail,
    Document,
    Flag,
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


class PurchaseOrder(Document):
    """An order to a vendor; amounts are in the order's currency. What has come of it, each line tells."""

    purchaseorder_id: ZohoId
    purchaseorder_number: Text = None
    reference_number: Text = None
    vendor_id: Text = None
    vendor_name: Text = None
    date: Day = None
    delivery_date: Day = None
    expected_delivery_date: Day = None
    status: Text = None
    order_status: Text = None
    billed_status: Text = None
    received_status: Text = None
    current_sub_status: Text = None
    currency: Text = Field(None, alias="currency_code")
    total: Money = None
    # lists say total_ordered_quantity, documents total_quantity
    quantity: Quantity = Field(None, validation_alias=AliasChoices("total_ordered_quantity", "total_quantity"))
    quantity_yet_to_receive: Listed[Quantity] = None
    quantity_marked_as_received: Listed[Quantity] = None
    is_drop_shipment: Flag = None
    is_backorder: Flag = None
    created_time: Instant = None
    exchange_rate: Detail[Money] = None
    subtotal: Detail[Money] = Field(None, alias="sub_total")
    tax_total: Detail[Money] = None
    discount_amount: Detail[Money] = None
    adjustment: Detail[Money] = None
    line_items: Detail[JsonList] = None
    taxes: Detail[JsonList] = None
    purchasereceives: Detail[JsonList] = None
    bills: Detail[JsonList] = None
    salesorders: Detail[JsonList] = None
    payment_terms: Detail[Integer] = None
    payment_terms_label: Detail[Text] = None
    ship_via: Detail[Text] = None
    attention: Detail[Text] = None
    billing_address: Detail[JsonObject] = None
    delivery_address: Detail[JsonObject] = None
    location_id: Detail[Text] = None
    location_name: Detail[Text] = None
    notes: Detail[Text] = None
    terms: Detail[Text] = None
    custom_fields: Detail[JsonList] = None


PURCHASE_ORDERS = EntitySpec(
    name="purchase_orders",
    model=PurchaseOrder,
    key="purchaseorder_id",
    numbers=("purchaseorder_number",),
    product="books",
    path="/purchaseorders",
    list_key="purchaseorders",
    detail_key="purchaseorder",
    changes=ModifiedSince(),
    document_keys=frozenset({"purchaseorder_id", "vendor_id", "line_items", "sub_total", "total", "status"}),
    critical=("purchaseorder_number", "vendor_id", "date", "status", "currency", "total"),
    compared=("total", "status", "billed_status", "received_status"),
    totals=("total",),
    moved=(
        "billed_status",
        "current_sub_status",
        "order_status",
        "quantity_marked_as_received",
        "quantity_yet_to_receive",
        "received_status",
        "status",
    ),
    freshness=timedelta(minutes=15),
    cadence="slow_poll",
    volatile=STOCK_OF_LINES,
    # what was received of it is stock; items do not show what is on order, and only the bill is owed
    touches=(Touch(entity="products", path="line_items[].item_id"),),
    webhook_modules=("purchaseorders",),
)
