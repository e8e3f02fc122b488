"""How Zoho shows a purchase order."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cli.local.zoho_simulator.clock import zoho_time
from cli.local.zoho_simulator.entities.contact_documents import TERMS, address
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.money import ZERO, number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.purchaseorders import PurchaseOrder
    from cli.local.zoho_simulator.entities.trade import Line
    from cli.local.zoho_simulator.world import World

TEMPLATE = "2646610000000017061"
STOCK_ACCOUNT = "2646610000000034001"
ORDER_STATUS = {"open": "issued", "billed": "closed"}


def _received_status(order: PurchaseOrder) -> str:
    if order.status in ("draft", "cancelled"):
        return ""
    return "received" if order.share == 1 else "partially_received" if order.share else "to_be_received"


def _common(order: PurchaseOrder, vendor: Contact) -> Json:
    return {
        "purchaseorder_id": order.id,
        "purchaseorder_number": order.number,
        "vendor_id": order.contact_id,
        "vendor_name": vendor.name,
        "status": order.status,
        "order_status": ORDER_STATUS.get(order.status, order.status),
        "billed_status": {"open": "to_be_billed", "billed": "billed"}.get(order.status, ""),
        "received_status": _received_status(order),
        "current_sub_status": order.status,
        "reference_number": order.reference,
        "date": order.date,
        "delivery_date": order.delivery_date,
        "currency_id": order.currency.currency_id,
        "currency_code": order.currency.code,
        "is_po_marked_as_received": order.share == 1,
        "total": number(order.total),
        "created_time": zoho_time(order.created),
        "last_modified_time": zoho_time(order.modified),
    }


def row(world: World, order: PurchaseOrder, product: Product) -> Json:
    """A list row; its price_precision is a text, and it has no exchange rate."""
    base, vendor = shape("purchaseorder_row"), world.last_state(CONTACTS, order.contact_id)
    days = (date.fromisoformat(order.delivery_date) - world.today()).days if order.status == "open" else 0
    shown = {
        **base,
        **_common(order, vendor),
        "company_name": vendor.company,
        "delivery_days": f"Due in {days} day(s)" if days > 0 else f"Overdue by {-days} days" if days else "",
        "price_precision": str(order.currency.precision),
        "total_ordered_quantity": number(order.quantity),
        "quantity_yet_to_receive": number(order.quantity - order.arrived),
        "quantity_marked_as_received": number(order.arrived),
    }
    return overlaid(shown, {name: value for name, value in order.overlay.items() if name in base or name[:3] == "cf_"})


def _line(order: PurchaseOrder, line: Line, position: int, place: tuple[str, str]) -> Json:
    return {
        **shape("purchaseorder_line"),
        "line_item_id": line.line_id,
        "item_id": line.item_id,
        "sku": line.sku,
        "name": line.name,
        "account_id": STOCK_ACCOUNT,
        "account_name": "Inventory Asset",
        "item_order": position,
        "bcy_rate": number(order.base(line.rate)),
        "rate": number(line.rate),
        "quantity": number(line.quantity),
        "quantity_received": number(order.received(line)),
        "quantity_billed": number(line.quantity if order.status == "billed" else ZERO),
        "unit": line.unit,
        "item_total": number(order.line_total(line)),
        "location_id": place[0],
        "location_name": place[1],
    }


def document(world: World, order: PurchaseOrder, product: Product) -> Json:
    """The full purchase order."""
    base, vendor = shape("purchaseorder_document"), world.last_state(CONTACTS, order.contact_id)
    place, sub_total = location(world, order.location), number(order.sub_total)
    shown = {
        **base,
        **_common(order, vendor),
        "currency_symbol": order.currency.symbol,
        "exchange_rate": number(order.exchange_rate),
        "price_precision": order.currency.precision,
        "is_received": order.share == 1,
        "total_quantity": number(order.quantity),
        "line_items": [
            _line(order, line, position, (place.id, place.name)) for position, line in enumerate(order.lines, 1)
        ],
        "adjustment": number(order.adjustment),
        "discount_applied_on_amount": sub_total,
        "sub_total": sub_total,
        "sub_total_inclusive_of_tax": sub_total,
        "billing_address_id": str(int(vendor.id) + 1_000_000),
        "billing_address": address(vendor, base["billing_address"]),
        "notes": order.notes,
        "payment_terms": order.terms,
        "payment_terms_label": TERMS.get(order.terms, ""),
        "ship_via": order.ship_via,
        "location_id": place.id,
        "location_name": place.name,
        "template_id": TEMPLATE,
        "created_by_id": STAFF[0].user_id,
        "can_mark_as_bill": order.status == "open",
        "can_mark_as_unbill": order.status == "billed",
    }
    return overlaid(shown, order.overlay)
