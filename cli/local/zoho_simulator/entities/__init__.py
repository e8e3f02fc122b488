"""The collections that the simulator knows, in the order in which their data is made."""

from __future__ import annotations

from typing import Any

from cli.local.zoho_simulator.entities.adjustments import ADJUSTMENTS
from cli.local.zoho_simulator.entities.bills import BILLS
from cli.local.zoho_simulator.entities.contacts import CONTACTS
from cli.local.zoho_simulator.entities.creditnotes import CREDITNOTES
from cli.local.zoho_simulator.entities.invoices import INVOICES
from cli.local.zoho_simulator.entities.locations import PLACES
from cli.local.zoho_simulator.entities.payments import PAYMENTS
from cli.local.zoho_simulator.entities.pricebooks import PRICEBOOKS
from cli.local.zoho_simulator.entities.products import ITEMS
from cli.local.zoho_simulator.entities.purchaseorders import PURCHASE_ORDERS
from cli.local.zoho_simulator.entities.salesorders import ORDERS
from cli.local.zoho_simulator.entities.transfers import TRANSFERS
from cli.local.zoho_simulator.entities.users import USERS
from cli.local.zoho_simulator.records import EntitySpec, View

SPECS: tuple[EntitySpec[Any], ...] = (
    PLACES,
    USERS,
    ITEMS,
    CONTACTS,
    INVOICES,
    CREDITNOTES,
    PAYMENTS,
    ORDERS,
    BILLS,
    PURCHASE_ORDERS,
    PRICEBOOKS,
    ADJUSTMENTS,
    TRANSFERS,
)


def views() -> dict[str, tuple[EntitySpec[Any], View[Any]]]:
    """The project's entity names, each with its collection."""
    return {view.name: (spec, view) for spec in SPECS for view in spec.views}


__all__ = [
    "ADJUSTMENTS",
    "BILLS",
    "CONTACTS",
    "CREDITNOTES",
    "INVOICES",
    "ITEMS",
    "ORDERS",
    "PAYMENTS",
    "PLACES",
    "PRICEBOOKS",
    "PURCHASE_ORDERS",
    "SPECS",
    "TRANSFERS",
    "USERS",
    "views",
]
