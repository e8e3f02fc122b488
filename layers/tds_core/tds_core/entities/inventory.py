"""Inventory adjustments and the locations they happen at, of Zoho Inventory; they share one queue."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from tds_core.entities.model import Day, Detail, Document, Flag, JsonList, JsonObject, Money, Text, ZohoId
from tds_core.entities.spec import EntitySpec, LookBack, Recent, Touch, WholeList

_DAYS = 30


class InventoryAdjustment(Document):
    """A correction of stock by quantity or by value; Zoho gives it no version."""

    adjustment_id: ZohoId = Field(alias="inventory_adjustment_id")
    date: Day = None
    adjustment_type: Text = None
    reason: Text = None
    reason_id: Text = None
    reference_number: Text = None
    description: Text = None
    total: Money = None
    status: Detail[Text] = None
    location_id: Detail[Text] = Field(None, validation_alias=AliasChoices("location_id", "warehouse_id"))
    location_name: Detail[Text] = Field(None, validation_alias=AliasChoices("location_name", "warehouse_name"))
    line_items: Detail[JsonList] = None
    custom_fields: Detail[JsonList] = None


class Location(Document):
    """A warehouse or shop; the list shows all there is to know."""

    location_id: ZohoId
    location_name: Text = None
    type: Text = None
    status: Text = None
    is_primary: Flag = Field(None, validation_alias=AliasChoices("is_primary", "is_primary_location"))
    email: Text = None
    phone: Text = None
    address: JsonObject = None
    parent_location_id: Text = None
    is_all_users_selected: Flag = None
    associated_users: JsonList = None


INVENTORY = EntitySpec(
    name="inventory",
    table="inventory_adjustments",
    model=InventoryAdjustment,
    key="adjustment_id",
    numbers=("reference_number",),
    product="inventory",
    path="/inventoryadjustments",
    list_key="inventory_adjustments",
    detail_key="inventory_adjustment",
    changes=LookBack(date_column="date", days=_DAYS),
    walk_sort="date",
    document_keys=frozenset({"inventory_adjustment_id", "date", "adjustment_type", "total", "line_items"}),
    critical=("date", "adjustment_type", "total"),
    compared=("date", "adjustment_type", "total"),
    totals=("total",),
    freshness=timedelta(minutes=15),
    # the list shows no lines, and nothing tells that they changed
    refetch="deep",
    refetch_only=Recent(date_column="date", days=_DAYS),
    touches=(Touch(entity="products", path="line_items[].item_id"),),
    webhook_modules=("inventoryadjustments",),
)

LOCATIONS = EntitySpec(
    name="locations",
    queue="inventory",
    model=Location,
    key="location_id",
    numbers=("location_name",),
    product="inventory",
    path="/locations",
    scope="settings",
    list_key="locations",
    detail_key="",
    rows_are_documents=True,
    paged=False,
    changes=WholeList(),
    walk_sort="",
    document_keys=frozenset({"location_id", "location_name", "type"}),
    critical=("location_name",),
    compared=("location_name", "type"),
    totals=(),
    freshness=timedelta(hours=24),
    cadence="daily",
)
