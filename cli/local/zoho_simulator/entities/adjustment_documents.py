"""How Zoho shows an adjustment: the row without lines and without a version, the detail with both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.local.zoho_simulator import vocabulary
from cli.local.zoho_simulator.clock import zoho_time
from cli.local.zoho_simulator.entities.locations import location
from cli.local.zoho_simulator.money import number
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import Json, Product, overlaid
from cli.local.zoho_simulator.shapes import shape

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.adjustments import Adjustment
    from cli.local.zoho_simulator.world import World

COST_ACCOUNT = "2646610000000034003"


def _common(world: World, made: Adjustment) -> Json:
    place, reasons = location(world, made.location), vocabulary.REASONS
    return {
        "inventory_adjustment_id": made.id,
        "date": made.date,
        "reason": made.reason,
        "reason_id": f"26466100000000490{reasons.index(made.reason):02d}" if made.reason in reasons else "",
        "description": made.description,
        "reference_number": made.reference,
        "adjustment_type": made.kind,
        "total": number(made.total),
        "created_by_id": STAFF[2].user_id,
        "created_by_name": STAFF[2].name,
        "created_time": zoho_time(made.created),
        "location_id": place.id,
        "location_name": place.name,
    }


def row(world: World, made: Adjustment, product: Product) -> Json:
    """A list row."""
    return overlaid({**shape("adjustment_row"), **_common(world, made)}, made.overlay)


def document(world: World, made: Adjustment, product: Product) -> Json:
    """The adjustment with its lines."""
    place, of_quantity = location(world, made.location), made.kind == "quantity"
    lines = [
        {
            **shape("adjustment_line"),
            "line_item_id": line.line_id,
            "item_id": line.item_id,
            "item_order": order,
            "name": line.name,
            "sku": line.sku,
            "unit": line.unit,
            "quantity_adjusted": number(line.quantity) if of_quantity else "",
            "value_adjusted": "" if of_quantity else number(line.worth),
            "item_total": number(line.worth),
            "adjustment_account_id": COST_ACCOUNT,
            "location_id": place.id,
            "location_name": place.name,
        }
        for order, line in enumerate(made.lines, 1)
    ]
    shown = {
        **shape("adjustment_document"),
        **_common(world, made),
        "line_items": lines,
        "last_modified_time": zoho_time(made.modified),
    }
    return overlaid(shown, made.overlay)
