"""Sales orders and what their invoices take of them: an order commits stock until it is invoiced."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from cli.local.zoho_simulator.entities import products
from cli.local.zoho_simulator.entities.line_items import next_id
from cli.local.zoho_simulator.entities.trade import Trade
from cli.local.zoho_simulator.money import ZERO
from cli.local.zoho_simulator.records import Refused, pick
from cli.local.zoho_simulator.world import World

if TYPE_CHECKING:
    from cli.local.zoho_simulator.entities.receivables import Invoice


@dataclass(slots=True, kw_only=True)
class Order(Trade):
    """A sales order; `status` is draft, open, closed or void, what invoices take of it shows in `state`.

    `invoiced` are (invoice_id, what it takes of each line).
    """

    terms: int
    salesperson: int = 0
    shipment_date: str = ""
    invoiced: tuple[tuple[str, tuple[Decimal, ...]], ...] = ()

    def taken(self, position: int) -> Decimal:
        """How much of a line is invoiced."""
        return sum((quantities[position] for _, quantities in self.invoiced), ZERO)

    def rest(self, position: int) -> Decimal:
        """How much of a line is still to be invoiced."""
        return max(ZERO, self.lines[position].quantity - self.taken(position))

    @property
    def rests(self) -> tuple[Decimal, ...]:
        """What is still to be invoiced, line by line."""
        return tuple(self.rest(position) for position in range(len(self.lines)))

    @property
    def state(self) -> str:
        """The status as Books shows it."""
        if self.status != "open" or not self.invoiced:
            return self.status
        return "partially_invoiced" if any(self.rests) else "invoiced"

    @property
    def committed(self) -> tuple[Decimal, ...]:
        """The stock that it keeps for itself, line by line."""
        return self.rests if self.status == "open" else (ZERO,) * len(self.lines)


def post(world: World, order: Order, sign: int) -> None:
    """Commit the order's stock, or free it with sign -1."""
    for line, quantity in zip(order.lines, order.committed, strict=True):
        products.commit_stock(world, line.item_id, quantity * sign)


def orders(world: World, invoice: Invoice) -> Order | None:
    """The order of an invoice."""
    found: Any = world.tables["salesorders"].records.get(invoice.order_id)
    return found  # type: ignore[no-any-return]


def _open(order: Order) -> bool:
    return order.status == "open" and any(order.rests)


def any_open(world: World, random: Random) -> Order | None:
    """Some order that can be invoiced."""
    return pick(world.tables["salesorders"].records.values(), random, _open)


def invoiceable(world: World, order_id: str, customer_id: str) -> Order:
    """The order with this id; raises Refused when nothing of it can be invoiced."""
    found: Order | None = world.tables["salesorders"].records.get(order_id)
    if found is None or not _open(found) or customer_id not in ("", found.contact_id):
        raise Refused(f"sales order {order_id} cannot be invoiced")
    return found


def take(world: World, order: Order, invoice: Invoice) -> None:
    """Put what is left of an order on a new invoice."""
    left = [(line, quantity) for line, quantity in zip(order.lines, order.rests, strict=True) if quantity]
    invoice.lines = tuple(line._replace(line_id=next_id(world), quantity=quantity) for line, quantity in left)
    invoice.order_id, invoice.ordered, invoice.reference = order.id, order.rests, order.number
    invoice.exchange_rate, invoice.location = order.exchange_rate, order.location
    invoice.shipping, invoice.adjustment = order.shipping, order.adjustment


def follow(world: World, invoice: Invoice, *, present: bool) -> None:
    """An invoice changed or went away: its order shows it; whether the order's version moves is a quirk."""
    order = orders(world, invoice)
    if order is None:
        return
    moves = world.options.quirks.invoices_move_order_version
    post(world, order, -1)
    with world.editing(world.tables["salesorders"].spec, order, version=moves, announce=moves, derived=True):
        others = tuple(entry for entry in order.invoiced if entry[0] != invoice.id)
        order.invoiced = (*others, (invoice.id, invoice.ordered)) if present else others
    post(world, order, 1)
