"""How Zoho shows a purchase order."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.entities import trade_documents
from cli.local.zoho_simulator.entities.contact_documents import TERMS, address_id
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.locations import Place, location
from cli.local.zoho_simulator.money import ZERO, number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.line_items import Line
    from cli.local.zoho_simulator.entities.purchaseorders import PurchaseOrder
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017061"
STOCK_ACCOUNT = "2646610000000034001"
ORDER_STATUS = {"open": "issued", "billed": "closed"}


def _received_status(order: PurchaseOrder) -> str:
    if order.status in ("draft", "cancelled"):
        return ""
    return "received" if order.share == 1 else "partially_received" if order.share else "to_be_received"


def _common(order: PurchaseOrder, vendor: Contact) -> Json:
    return trade_documents.head(
        order,
        "purchaseorder",
        vendor,
        order_status=ORDER_STATUS.get(order.status, order.status),
        billed_status={"open": "to_be_billed", "billed": "billed"}.get(order.status, ""),
        received_status=_received_status(order),
        delivery_date=order.delivery_date,
        is_po_marked_as_received=order.share == 1,
    )


def row(world: World, order: PurchaseOrder, product: Product) -> Json:
    """A list row; its price_precision is a text, and it has no exchange rate."""
    base, vendor = shape("purchaseorder_row"), world.last_state(CONTACTS, order.contact_id)
    days = (date.fromisoformat(order.delivery_date) - world.today()).days if order.status == "open" else 0
    shown = {
        **base,
        **_common(order, vendor),
        "company_name": vendor.company,
        "delivery_days": trade_documents.due(days) if days else "",
        "price_precision": str(order.currency.precision),
        "total_ordered_quantity": number(order.quantity),
        "quantity_yet_to_receive": number(order.quantity - order.arrived),
        "quantity_marked_as_received": number(order.arrived),
    }
    return overlaid(shown, order.overlay, base=base)


def _line(order: PurchaseOrder, line: Line, position: int, place: Place) -> Json:
    return trade_documents.line(
        order,
        "purchaseorder_line",
        line,
        position,
        sku=line.sku,
        account_id=STOCK_ACCOUNT,
        account_name="Inventory Asset",
        quantity_received=number(order.received(line)),
        quantity_billed=number(line.quantity if order.status == "billed" else ZERO),
        location_id=place.id,
        location_name=place.name,
    )


def document(world: World, order: PurchaseOrder, product: Product) -> Json:
    """The full purchase order."""
    base, vendor = shape("purchaseorder_document"), world.last_state(CONTACTS, order.contact_id)
    place = location(world, order.location)
    shown = {
        **base,
        **_common(order, vendor),
        **trade_documents.body(world, order, vendor, base),
        "exchange_rate": number(order.exchange_rate),
        "price_precision": order.currency.precision,
        "is_received": order.share == 1,
        "total_quantity": number(order.quantity),
        "line_items": [_line(order, line, position, place) for position, line in enumerate(order.lines, 1)],
        "sub_total_inclusive_of_tax": number(order.sub_total),
        "billing_address_id": address_id(vendor),
        "payment_terms": order.terms,
        "payment_terms_label": TERMS.get(order.terms, ""),
        "ship_via": order.ship_via,
        "template_id": TEMPLATE,
        "created_by_id": STAFF[0].user_id,
        "can_mark_as_bill": order.status == "open",
        "can_mark_as_unbill": order.status == "billed",
    }
    return overlaid(shown, order.overlay)
