"""What customers and vendors share: both are Zoho's contacts, one list that contact_type splits."""

from pydantic import Field

from tds_core.entities.model import Detail, Document, Integer, JsonList, JsonObject, Money, Text

CONTACTS_SCAN = "contacts"
CONTACT_DOCUMENT_KEYS = frozenset(
    {"contact_id", "contact_name", "contact_type", "status", "currency_code", "billing_address", "contact_persons"}
)


class Contact(Document):
    """A contact; balances are in its own currency and change without moving its version."""

    company_name: Text = None
    first_name: Text = None
    last_name: Text = None
    email: Text = None
    phone: Text = None
    mobile: Text = None
    website: Text = None
    status: Text = None
    payment_terms: Integer = None
    payment_terms_label: Text = None
    currency: Text = Field(None, alias="currency_code")
    contact_persons: Detail[JsonList] = None
    address: Detail[JsonObject] = Field(None, alias="billing_address")
    shipping_address: Detail[JsonObject] = None
    credit_limit: Detail[Money] = None
    owner_id: Detail[Text] = None
    owner_name: Detail[Text] = None
    notes: Detail[Text] = None
    # the list has them too, but whether with the same members is not known
    custom_fields: Detail[JsonList] = None
