"""The registry: every entity of the mirror, in the order in which a first backfill walks them."""

from tds_core.entities.customers import CUSTOMERS
from tds_core.entities.invoices import INVOICES
from tds_core.entities.payments import PAYMENTS
from tds_core.entities.products import PRODUCTS
from tds_core.entities.spec import EntitySpec
from tds_core.entities.vendors import VENDORS
from tds_core.errors import UnknownEntity

REGISTRY: dict[str, EntitySpec] = {spec.name: spec for spec in (PRODUCTS, CUSTOMERS, VENDORS, INVOICES, PAYMENTS)}


def entity(name: str) -> EntitySpec:
    """The spec of that name; raises UnknownEntity."""
    try:
        return REGISTRY[name]
    except KeyError as exc:
        raise UnknownEntity(f"no entity {name!r}; there are {', '.join(REGISTRY)}") from exc
