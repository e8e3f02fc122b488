"""What people see of Zoho's call budget."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.render import circuit, table, token
from cli.times import moment
from tds_core.priority import Priority


def budget(figures: Mapping[str, Any], *, now: datetime | None = None) -> Group:
    """The day by product and purpose, then what else decides whether Zoho may be called now."""
    zone = figures["time_zone"]
    shown = Table.grid(padding=(0, 2))
    shown.add_row("this minute", f"{figures['minute_used']} of {figures['minute_limit']}")
    shown.add_row("in flight", f"{figures['in_flight']} of {figures['in_flight_limit']}")
    shown.add_row("circuit", circuit(figures, now=now or datetime.now(UTC)))
    shown.add_row("token", token(figures))
    if last := figures["reopened"]:
        shown.add_row("reopened", Text(f"{moment(last['at'], zone)} by {last['operator']}: {last['reason']}"))
    return Group(_days(figures, zone), shown)


def reopened(held: Sequence[str]) -> Text:
    """What held calls back until now."""
    if not held:
        return Text("nothing held calls back, so nothing was done")
    return Text("\n".join(("reopened, what waits goes on:", *held)))


def _days(figures: Mapping[str, Any], zone: str) -> Table:
    made = table("day of", "left", "of", "resets at", "state", "our own calls", numbers=("left", "of"))
    for day in figures["days"]:
        own = ", ".join(f"{one.name.lower()} {day['used'][one]:,}" for one in Priority if day["used"][one])
        state = (
            "closed by Zoho" if day["is_closed"] else "nothing left for the history" if day["ends_history"] else "open"
        )
        made.add_row(
            day["product"],
            f"{day['remaining']:,}",
            f"{day['limit']:,}",
            moment(day["resets_at"], zone),
            state,
            own or "-",
        )
    return made
