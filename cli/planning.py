"""The plan of a day's calls, for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.progress import duration
from cli.render import table

_DAY_S = 86_400.0
_PURPOSES = {
    "poll": "lists of what changed",
    "slow_poll": "lists that change seldom, the items, older pages of payments",
    "stock": "stock per location: every item",
    "balances": "balances: every contact's row",
    "prices": "price lists with their prices",
    "daily": "lists that are read daily",
    "deep": "every list whole, at night",
}


def show(figures: Mapping[str, Any]) -> Group:
    """Calls a day by purpose, and what they leave for the history."""
    return Group(_calls(figures), Text(), _history(figures))


def _calls(figures: Mapping[str, Any]) -> Table:
    numbers = ("calls each time", "times a day", "calls a day")
    made = table("what for", *numbers, numbers=numbers, title=_title(figures))
    for part in figures["parts"]:
        purpose, times = part["purpose"], part["times_a_day"]
        a_day = figures["calls_a_day"][purpose]
        made.add_row(_PURPOSES.get(purpose, purpose), f"{part['calls']:,}", f"{times:,.3g}", f"{a_day:,.0f}")
    made.add_section()
    limit = figures["day_limit"]
    made.add_row("by the clock, together", "", f"{figures['fixed_a_day'] / limit:.0%}", f"{figures['fixed_a_day']:,}")
    made.add_row("documents that change (mean of 7 days)", "", "", f"{figures['changes_a_day']:,}")
    made.add_row("documents not seen for longest, fetched anew", "", "", f"{figures['aged_a_day']:,}")
    made.add_row("held for webhooks and manual work", "", f"{figures['held'] / limit:.0%}", f"{figures['held']:,}")
    made.add_row("left", "", "", f"{figures['left_a_day']:,}")
    return made


def _title(figures: Mapping[str, Any]) -> str:
    told = "as Zoho tells it" if figures["is_told"] else "as it is set"
    return f"{figures['day_limit']:,} calls a day, {told}; the cadence is that of {figures['row']:,}"


def _history(figures: Mapping[str, Any]) -> Text:
    history = figures["history"]
    lines = [
        f"of what is left a history surely gets {figures['history_a_day']:,} calls a day, more if nothing else asks"
    ]
    if history["documents"]:
        lines.append(f"history: {history['documents']:,} documents in {history['calls']:,} calls, {_eta(history)}")
    else:
        lines.append("history: no document of it waits")
    if images := figures["images"]["to_fetch"]:
        a_day = figures["images"]["a_day"]
        lines.append(f"images: {images:,} to fetch, one call each, {a_day:,} a day: {_eta(figures['images'])}")
    else:
        lines.append("images: none waits")
    if history["headers_only"]:
        lines.append(
            "with this limit a long history is one of headers only: every record with its totals, lines newest first"
        )
    if history["never_walked"]:
        lines.append(f"not read yet: {', '.join(history['never_walked'])}; `tds backfill` reads them")
    return Text("\n".join(lines))


def _eta(history: Mapping[str, Any]) -> str:
    if history["days"] is None:
        return "for which nothing of the day is left"
    return f"at most {duration(history['days'] * _DAY_S)} at that rate"
