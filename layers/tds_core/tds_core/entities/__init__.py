"""The registry: every entity of the mirror, in the order in which a first backfill walks them."""

from tds_core.entities.bills import BILLS
from tds_core.entities.credit_notes import CREDIT_NOTES
from tds_core.entities.customers import CUSTOMERS
from tds_core.entities.inventory import INVENTORY, LOCATIONS
from tds_core.entities.invoices import INVOICES
from tds_core.entities.payments import PAYMENTS
from tds_core.entities.price_lists import PRICE_LISTS
from tds_core.entities.products import PRODUCTS
from tds_core.entities.purchase_orders import PURCHASE_ORDERS
from tds_core.entities.sales_orders import SALES_ORDERS
from tds_core.entities.spec import EntitySpec
from tds_core.entities.users import USERS
from tds_core.entities.vendors import VENDORS
from tds_core.errors import UnknownEntity

REGISTRY: dict[str, EntitySpec] = {
    spec.name: spec
    for spec in (
        # a few calls each, and what all others name
        LOCATIONS,
        USERS,
        PRICE_LISTS,
        PRODUCTS,
        CUSTOMERS,
        VENDORS,
        # the documents, what people ask for first before the rest
        INVOICES,
        PAYMENTS,
        SALES_ORDERS,
        CREDIT_NOTES,
        BILLS,
        PURCHASE_ORDERS,
        INVENTORY,
    )
}


def entity(name: str) -> EntitySpec:
    """The spec of that name; raises UnknownEntity."""
    try:
        return REGISTRY[name]
    except KeyError as exc:
        raise UnknownEntity(f"no entity {name!r}; there are {', '.join(REGISTRY)}") from exc


def queued(name: str) -> tuple[EntitySpec, ...]:
    """The entities whose messages the queue of that name carries; raises UnknownEntity."""
    specs = tuple(spec for spec in REGISTRY.values() if spec.queue == name)
    if not specs:
        raise UnknownEntity(f"no queue {name!r}; there are {', '.join(queues())}")
    return specs


def queues() -> tuple[str, ...]:
    """The queues, each named after one of its entities."""
    return tuple(dict.fromkeys(spec.queue for spec in REGISTRY.values()))


def scans() -> dict[str, tuple[EntitySpec, ...]]:
    """Zoho's lists with the entities that each one shows: customers and vendors come from one scan of contacts."""
    names = dict.fromkeys(spec.scan_name for spec in REGISTRY.values())
    return {name: tuple(spec for spec in REGISTRY.values() if spec.scan_name == name) for name in names}
