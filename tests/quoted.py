"""What documents quote of other records: it is as old as they are, and moves neither their version nor their list row.

An invoice quotes its customer's balance and first contact person, a payment its invoices; what of it is a column is
compared as such. The simulator also quotes the customer's present address in old invoices. The days until something is
due are as old as the document, too: they move at every midnight.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tds_core.entities.spec import EntitySpec

Json = dict[str, Any]
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

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


def differing(
    spec: EntitySpec, stored: Mapping[str, Json | None], documents: Mapping[str, Json]
) -> dict[str, list[str]]:
    """The keys by which stored documents differ from Zoho's, by id; what is quoted does not count."""
    found: dict[str, list[str]] = {}
    for one in stored.keys() | documents.keys():
        some, other = _spelled(stored.get(one) or {}), _spelled(documents.get(one, {}))
        keys = sorted(key for key in (some.keys() | other.keys()) - quoted(spec) if some.get(key) != other.get(key))
        found |= {one: keys} if keys else {}
    return found


def _spelled(value: Any) -> Any:
    """Without the spelling of numbers: what says "0.0" where the stored one says "0" is not stored anew."""
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
