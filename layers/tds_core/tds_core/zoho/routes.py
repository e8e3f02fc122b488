"""Which webhooks belong to which entity: the only module table.

It stands alone (the entities' models would cost the receiver its fast start); a contract test holds it to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tds_core.lossless_json import JsonObject

EVENTS = ("created", "updated", "deleted")
_CONTACT_TYPES = MappingProxyType({"customer": "customers", "vendor": "vendors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One module's webhooks: a record in its `envelope` with its `id_key`, and the entities it may be.

    Where several entities share Zoho's record, `types` says which `type_key` means which entity. `title` is what Zoho
    calls the module in its workflow rules; an address without one is served, but no rule needs to be pointed at it.
    """

    module: str
    envelope: str
    id_key: str
    entities: tuple[str, ...]
    title: str = ""
    type_key: str = ""
    types: Mapping[str, str] = field(default_factory=dict)

    def entities_of(self, record: JsonObject) -> tuple[str, ...]:
        """The entity that the record is; all that it may be when its type is missing or unknown."""
        kind = record.get(self.type_key) if self.types else None
        if kind in (None, ""):
            return self.entities
        if isinstance(kind, str) and kind.lower() in self.types:
            return (self.types[kind.lower()],)
        return tuple(self.types.values())


def _contacts(module: str, *entities: str, title: str = "") -> Route:
    return Route(
        module=module,
        envelope="contact",
        id_key="contact_id",
        entities=entities,
        title=title,
        type_key="contact_type",
        types=_CONTACT_TYPES,
    )


ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        route.module: route
        for route in (
            Route(module="items", envelope="item", id_key="item_id", entities=("products",), title="Items"),
            _contacts("contacts", "customers", "vendors", title="Contacts"),
            _contacts("customers", "customers"),
            _contacts("vendors", "vendors"),
            Route(
                module="salesorders",
                envelope="salesorder",
                id_key="salesorder_id",
                entities=("sales_orders",),
                title="Sales Orders",
            ),
            Route(
                module="invoices",
                envelope="invoice",
                id_key="invoice_id",
                entities=("invoices",),
                title="Invoices",
            ),
            Route(
                module="customerpayments",
                envelope="payment",
                id_key="payment_id",
                entities=("payments",),
                title="Payments Received",
            ),
            Route(
                module="creditnotes",
                envelope="creditnote",
                id_key="creditnote_id",
                entities=("credit_notes",),
                title="Credit Notes",
            ),
            Route(
                module="bills",
                envelope="bill",
                id_key="bill_id",
                entities=("bills",),
                title="Bills",
            ),
            Route(
                module="purchaseorders",
                envelope="purchaseorder",
                id_key="purchaseorder_id",
                entities=("purchase_orders",),
                title="Purchase Orders",
            ),
            Route(
                module="inventoryadjustments",
                envelope="inventory_adjustment",
                id_key="inventory_adjustment_id",
                entities=("inventory",),
                title="Inventory Adjustments",
            ),
        )
    }
)
ENTITIES = tuple(dict.fromkeys(entity for route in ROUTES.values() for entity in route.entities))
