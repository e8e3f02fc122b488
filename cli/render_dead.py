"""What people see of dead things."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.render import table
from cli.times import bare, moment

_GOOD, _BAD = "green", "bold red"


def listing(things: Sequence[Mapping[str, Any]], *, zone: str) -> RenderableType:
    """One line each, times in `zone`; an id is copied, so it is never cut."""
    if not things:
        return Text("nothing is dead", style=_GOOD)
    made = table("id", "entity", "ids", f"first seen ({zone})", "redrives", "reason", numbers=("redrives",))
    made.columns[0].no_wrap = made.columns[3].no_wrap = True
    made.columns[0].min_width = max(len(thing["id"]) for thing in things)
    for thing in things:
        made.add_row(
            thing["id"],
            thing["entity"] or "-",
            Text(", ".join(thing["ids"]) or "-"),
            bare(thing["first_seen"], zone),
            str(thing["redrives"]),
            Text(thing["reason"]),
        )
    return made


def left_out(found: Mapping[str, Any]) -> str:
    """What a list does not show of each place; "" when it shows all."""
    shown: dict[str, int] = {}
    for thing in found["things"]:
        place = thing["id"].rpartition("/")[0] if thing["where"] != "backlog" else "backlog"
        shown[place] = shown.get(place, 0) + 1
    parts = [
        f"{place} {shown.get(place, 0):,} of about {total:,}"
        for place, total in found["totals"].items()
        if total > shown.get(place, 0)
    ]
    return f"not all is shown: {', '.join(parts)}" if parts else ""


def thing(shown: Mapping[str, Any]) -> Group:
    """Everything about one, and what it carries."""
    made = Table.grid(padding=(0, 2))
    for name in ("id", "where", "entity", "ids", "reason", "first_seen", "redrives", "trace_id"):
        value = moment(shown[name], shown["time_zone"]) if name == "first_seen" else shown[name]
        made.add_row(name, Text(", ".join(value) if isinstance(value, list) else str("-" if value is None else value)))
    payload = shown["payload"]
    if payload is None:
        return Group(made)
    cut = len(payload.encode()) < shown["bytes"]
    return Group(made, Text(f"\n{shown['bytes']:,} bytes{', cut' if cut else ''}:"), Text(payload))


def settled(ids: Sequence[str], stays: Mapping[str, str]) -> Text:
    """What was done, and what was not."""
    said = Text(f"{len(ids):,} done", style=_GOOD if not stays else "")
    for id, reason in stays.items():
        said.append(f"\n{id} stays: {reason}", style=_BAD)
    return said
