"""What documents quote of other records: it is as old as they are, and moves neither their version nor their list row.

An invoice quotes its customer's balance and first contact person, a payment its invoices; what of it is a column is
compared as such. The simulator also quotes the customer's present address in old invoices. The days until something is
due are as old as the document, too: they move at every midnight.
"""

from tds_core.entities.spec import EntitySpec

_QUOTED = frozenset(
    {
        "contact",
        "contact_person_details",
        "contact_persons",
        "contact_persons_associated",
        "email",
        "has_transaction",
        "invoices",
        "salesorders",
        "billing_address",
        "customer_default_billing_address",
        "due_by_days",
        "due_days",
    }
)


def quoted(spec: EntitySpec) -> frozenset[str]:
    """The keys by which a document of this entity may be older than what it quotes; a contact's persons are its own."""
    return _QUOTED - {"contact_persons"} if "contact_persons" in spec.model.model_fields else _QUOTED
