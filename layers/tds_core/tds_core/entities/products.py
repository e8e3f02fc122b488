"""Products with their stock per location, of Zoho Inventory (Zoho's items)."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from tds_core.entities.model import Detail, Document, Element, Flag, JsonList, Listed, Money, Quantity, Text, ZohoId
from tds_core.entities.spec import BulkDetail, ChildTable, EntitySpec, WholeList


class Product(Document):
    """An item; its stock figures are sums over all locations and move without any version."""

    product_id: ZohoId = Field(alias="item_id")
    name: Text = None
    sku: Text = None
    unit: Text = None
    status: Text = None
    item_type: Text = None
    product_type: Text = None
    description: Text = None
    category_id: Text = None
    category_name: Text = None
    group_id: Text = None
    group_name: Text = None
    brand: Text = None
    manufacturer: Text = None
    upc: Text = None
    ean: Text = None
    isbn: Text = None
    part_number: Text = None
    rate: Money = None
    purchase_rate: Money = None
    purchase_description: Text = None
    tax_id: Text = None
    tax_name: Text = None
    tax_percentage: Quantity = None
    account_id: Text = None
    account_name: Text = None
    purchase_account_id: Text = None
    purchase_account_name: Text = None
    can_be_sold: Flag = None
    can_be_purchased: Flag = None
    track_inventory: Flag = None
    stock_on_hand: Quantity = None
    available_stock: Quantity = None
    actual_available_stock: Quantity = None
    reorder_level: Quantity = None
    vendor_name: Text = None
    image_name: Text = None
    image_type: Text = None
    image_document_id: Listed[Text] = None
    unit_id: Detail[Text] = None
    inventory_account_id: Detail[Text] = None
    vendor_id: Detail[Text] = None
    # the live list has none, or states them as keys of their own (cf_...)
    custom_fields: Detail[JsonList] = None


class StockLevel(Element):
    """One product's stock at one location; organisations that never migrated say warehouse for location."""

    location_id: ZohoId = Field(validation_alias=AliasChoices("location_id", "warehouse_id"))
    location_name: Text = Field(None, validation_alias=AliasChoices("location_name", "warehouse_name"))
    status: Text = None
    is_primary: Flag = Field(None, validation_alias=AliasChoices("is_primary", "is_primary_warehouse"))
    stock_on_hand: Quantity = Field(
        None, validation_alias=AliasChoices("location_stock_on_hand", "warehouse_stock_on_hand")
    )
    available_stock: Quantity = Field(
        None, validation_alias=AliasChoices("location_available_stock", "warehouse_available_stock")
    )
    actual_available_stock: Quantity = Field(
        None, validation_alias=AliasChoices("location_actual_available_stock", "warehouse_actual_available_stock")
    )


PRODUCTS = EntitySpec(
    name="products",
    model=Product,
    key="product_id",
    numbers=("sku", "name"),
    product="inventory",
    path="/items",
    list_key="items",
    detail_key="item",
    # one integration reports that the items list shows only active ones unless it is asked for all
    list_parameters={"filter_by": "Status.All"},
    bulk=BulkDetail(path="/itemdetails", ids_parameter="item_ids", list_key="items", size=100),
    changes=WholeList(),
    # no list shows pricebook_rate; the bulk answer and the single document both do
    document_keys=frozenset({"item_id", "name", "status", "unit", "rate", "purchase_rate", "pricebook_rate"}),
    critical=("name", "status", "rate"),
    compared=("status", "rate", "purchase_rate", "stock_on_hand", "available_stock", "actual_available_stock"),
    totals=("stock_on_hand",),
    moved=("stock_on_hand", "available_stock", "actual_available_stock"),
    freshness=timedelta(minutes=15),
    cadence="slow_poll",
    slower=("stock per location", timedelta(hours=4)),
    refetch="stock",  # it moves without any version
    walk_sort="",
    children=(
        ChildTable(table="stock_levels", source_keys=("locations", "warehouses"), key="location_id", model=StockLevel),
    ),
    webhook_modules=("items",),
)
