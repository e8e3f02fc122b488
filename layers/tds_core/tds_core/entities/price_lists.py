"""Price lists with their prices, of Zoho Books (Zoho's pricebooks)."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from tds_core.entities.model import (
    Document,
    Element,
    Flag,
    Integer,
    JsonList,
    Money,
    Quantity,
    Text,
    ZohoId,
)
from tds_core.entities.spec import ChildTable, EntitySpec, Parts, WholeList


class PriceList(Document):
    """A price list: prices per item, or one percentage for all. Zoho gives it no version."""

    pricelist_id: ZohoId = Field(alias="pricebook_id")
    name: Text = None
    description: Text = None
    status: Text = None
    currency: Text = Field(None, alias="currency_code")
    currency_id: Text = None
    pricebook_type: Text = None
    sales_or_purchase_type: Text = None
    percentage: Quantity = None
    is_increase: Flag = None
    is_default: Flag = None
    rounding_type: Text = None
    decimal_place: Integer = None
    pricing_scheme: Text = None


class PriceListItem(Element):
    """One product's price; where it depends on the quantity, `price_brackets` has a price for each range."""

    product_id: ZohoId = Field(alias="item_id")
    pricebook_item_id: Text = None
    name: Text = Field(None, validation_alias=AliasChoices("name", "item_name"))
    rate: Money = Field(None, alias="pricebook_rate")
    discount: Text = Field(None, alias="pricebook_discount")
    pricing_scheme: Text = None
    price_brackets: JsonList = None


PRICE_LISTS = EntitySpec(
    name="price_lists",
    model=PriceList,
    key="pricelist_id",
    numbers=("name",),
    product="books",
    path="/pricebooks",
    scope="settings",
    list_key="pricebooks",
    detail_key="pricebook",
    changes=WholeList(),
    # Zoho's documents name no detail endpoint, and do not say what this one answers
    parts=Parts(
        key="pricebook_items", path="/pricebooks/items", id_parameter="pricebook_id", list_key="pricebook_items"
    ),
    walk_sort="",
    # a list of one percentage may come without pricebook_items
    document_keys=frozenset({"pricebook_id", "name", "pricebook_type", "status"}),
    critical=("name", "status", "pricebook_type"),
    compared=("name", "status", "pricebook_type", "percentage"),
    totals=(),
    freshness=timedelta(hours=4),
    cadence="prices",
    refetch="prices",  # they move without any version
    children=(
        ChildTable(
            table="price_list_items",
            source_keys=("pricebook_items",),
            key="product_id",
            model=PriceListItem,
            totals={"rates": "rate"},
            none_where=("pricebook_type", "fixed_percentage"),
        ),
    ),
)
