"""What people see of product images."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.render import table

_SHOWN = 20
_GOOD, _BAD = "green", "bold red"


def status(figures: Mapping[str, Any]) -> Group:
    """How many there are, and each that makes trouble with its reason."""
    counts = ", ".join(f"{figures[name]:,} {name}" for name in ("expected", "stored", "linked", "pending"))
    return Group(
        Text(counts),
        Text(f"served at {figures['image_base_url']}/product-images/ITEM_ID.jpg"),
        *_reasons("tried again soon", figures["troubles"]),
        *_reasons("given up for now, tried again by itself", figures["parked"]),
    )


def report(found: Mapping[str, Any]) -> Group:
    """The verification's result."""
    counts = ", ".join(f"{found[name]:,} {name}" for name in ("expected", "stored", "linked", "reachable"))
    others = ", ".join(f"{found[name]:,} {name}" for name in ("pending", "unchecked", "healed") if found[name])
    verdict = Text("all images are as they have to be", style=_GOOD)
    if not found["ok"]:
        verdict = Text("not all images are as they have to be", style=_BAD)
    return Group(
        Text(counts + (f"; {others}" if others else "")),
        *_reasons("wrong", found["faults"]),
        *_unserved(len(found["unserved"])),
        *_reasons("given up for now, tried again by itself", found["parked"]),
        verdict,
    )


def _unserved(count: int) -> Iterable[Text]:
    if count:
        yield Text(f"{count:,} of them are right everywhere but on the web: see to its name, certificate and rights")


def _reasons(title: str, reasons: Mapping[str, str]) -> Iterable[Table | Text]:
    """The first of them, and how many more there are."""
    if not reasons:
        return
    made = table("product", "reason", title=f"{title}: {len(reasons):,}")
    for product_id, reason in islice(reasons.items(), _SHOWN):
        made.add_row(product_id, reason)
    yield made
    if len(reasons) > _SHOWN:
        yield Text(f"and {len(reasons) - _SHOWN:,} more; --json lists all")
