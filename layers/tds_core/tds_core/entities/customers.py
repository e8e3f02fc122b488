"""Customers, of Zoho Books: the contacts of type customer."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from tds_core.entities.contacts import CONTACT_DOCUMENT_KEYS, CONTACTS_SCAN, Contact
from tds_core.entities.model import Detail, Money, Text, ZohoId
from tds_core.entities.spec import EntitySpec, NewestFirst


class Customer(Contact):
    """A contact that buys."""

    customer_id: ZohoId = Field(alias="contact_id")
    # documents have contact_name only, lists both, equal
    customer_name: Text = Field(None, validation_alias=AliasChoices("contact_name", "customer_name"))
    customer_sub_type: Text = None
    outstanding_receivable_amount: Money = None
    outstanding_receivable_amount_bcy: Money = None
    unused_credits_receivable_amount: Money = None
    unused_credits_receivable_amount_bcy: Money = None
    pricebook_id: Detail[Text] = None
    pricebook_name: Detail[Text] = None


CUSTOMERS = EntitySpec(
    name="customers",
    model=Customer,
    key="customer_id",
    numbers=("customer_name",),
    product="books",
    path="/contacts",
    list_key="contacts",
    detail_key="contact",
    scan=CONTACTS_SCAN,
    discriminator=("contact_type", "customer"),
    changes=NewestFirst(sort_column="last_modified_time"),
    document_keys=CONTACT_DOCUMENT_KEYS,
    critical=("customer_name", "status", "currency"),
    compared=("status", "outstanding_receivable_amount", "unused_credits_receivable_amount"),
    totals=("outstanding_receivable_amount",),
    moved=(
        "outstanding_receivable_amount",
        "outstanding_receivable_amount_bcy",
        "unused_credits_receivable_amount",
        "unused_credits_receivable_amount_bcy",
    ),
    freshness=timedelta(minutes=15),
    slower=("balances", timedelta(hours=2)),
    walk="balances",  # they move without any version
    webhook_modules=("contacts", "customers"),
)
