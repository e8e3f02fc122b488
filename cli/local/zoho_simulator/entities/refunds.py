"""Money given back: of credit notes, and of what was paid in advance."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.records import Refused
from cli.local.zoho_simulator.world import World

REFUND_ID_BASE = 2_646_610_024_000_000_000
MODES = ("cash", "Cash", "banktransfer", "Zain Cash", "نقد")


class Refund(NamedTuple):
    """Money given back, in the currency of what it is given back for."""

    refund_id: str
    date: str
    mode: str
    amount: Decimal
    reference: str = ""


def new_refund(world: World, given: Mapping[str, Any], day: str, amount: Decimal) -> Refund:
    """A refund with a new id."""
    return Refund(
        refund_id=world.counter("refunds", REFUND_ID_BASE),
        date=str(given.get("date", day)),
        mode=str(given.get("refund_mode", "cash")),
        amount=amount,
        reference=str(given.get("reference_number", "")),
    )


def given_refunds(
    world: World, held: tuple[Refund, ...], wanted: list[Mapping[str, Any]], *, key: str, rest: Decimal
) -> tuple[Refund, ...]:
    """What a caller of the control interface wants; one with a known id (under `key`) keeps it, a new one takes `rest`.

    Raises Refused for a refund of nothing.
    """
    by_id, refunds = {refund.refund_id: refund for refund in held}, []
    for entry in wanted:
        known = by_id.get(str(entry.get(key, "")))
        amount = decimal(entry.get("amount_fcy", known.amount if known else rest))
        if amount <= 0:
            raise Refused("a refund needs an amount")
        fresh = known or new_refund(world, entry, world.today().isoformat(), amount)
        refunds.append(fresh._replace(amount=amount, mode=str(entry.get("refund_mode", fresh.mode))))
    return tuple(refunds)


def refunded(refunds: tuple[Refund, ...]) -> Decimal:
    """What was given back in all."""
    return sum((refund.amount for refund in refunds), ZERO)
