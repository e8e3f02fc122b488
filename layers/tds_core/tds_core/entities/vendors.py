"""Vendors, of Zoho Books: the contacts of type vendor."""

from datetime import timedelta

from pydantic import AliasChoices, AliasPath, Field

from tds_core.entities.contacts import CONTACT_DOCUMENT_KEYS, CONTACTS_SCAN, Contact
from tds_core.entities.model import Detail, Money, Text, ZohoId
from tds_core.entities.spec import EntitySpec, NewestFirst


class Vendor(Contact):
    """A contact that is bought from."""

    vendor_id: ZohoId = Field(alias="contact_id")
    # documents have contact_name only, lists both, equal
    vendor_name: Text = Field(None, validation_alias=AliasChoices("contact_name", "vendor_name"))
    # Zoho has no second-language name; an organisation may keep it in a custom field of this name
    vendor_name_ar: Detail[Text] = Field(
        None, validation_alias=AliasChoices(AliasPath("custom_field_hash", "cf_vendor_name_ar"), "cf_vendor_name_ar")
    )
    outstanding_payable_amount: Money = None
    outstanding_payable_amount_bcy: Money = None
    unused_credits_payable_amount: Money = None
    unused_credits_payable_amount_bcy: Money = None


VENDORS = EntitySpec(
    name="vendors",
    model=Vendor,
    key="vendor_id",
    numbers=("vendor_name",),
    product="books",
    path="/contacts",
    list_key="contacts",
    detail_key="contact",
    scan=CONTACTS_SCAN,
    discriminator=("contact_type", "vendor"),
    changes=NewestFirst(sort_column="last_modified_time"),
    document_keys=CONTACT_DOCUMENT_KEYS,
    critical=("vendor_name", "status", "currency"),
    compared=("status", "outstanding_payable_amount", "unused_credits_payable_amount"),
    totals=("outstanding_payable_amount",),
    moved=(
        "outstanding_payable_amount",
        "outstanding_payable_amount_bcy",
        "unused_credits_payable_amount",
        "unused_credits_payable_amount_bcy",
    ),
    freshness=timedelta(minutes=15),
    slower=("balances", timedelta(hours=2)),
    walk="balances",  # they move without any version
    webhook_modules=("contacts", "vendors"),
)
