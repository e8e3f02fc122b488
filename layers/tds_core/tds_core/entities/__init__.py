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


def scans() -> dict[str, tuple[EntitySpec, ...]]:
    """Zoho's lists with the entities that each one shows: customers and vendors come from one scan of contacts."""
    names = dict.fromkeys(spec.scan_name for spec in REGISTRY.values())
    return {name: tuple(spec for spec in REGISTRY.values() if spec.scan_name == name) for name in names}
