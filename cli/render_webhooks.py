"""What people see of Zoho's webhooks: what to enter, what arrived, and what to look at when nothing does."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import webhooks
from cli.render import table
from cli.times import bare
from cli.webhooks import Heard, Rule

_GOOD, _BAD, _FAINT = "green", "bold red", "dim"


def setup(plan: Mapping[str, Any], rules: Sequence[Rule]) -> Group:
    """The workflow rules to make in Zoho, and how far Zoho's limits carry."""
    made = table("in", "module", "event", "URL", title="One workflow rule with one webhook for each line")
    made.columns[-1].min_width = max(len(rule.url) for rule in rules)
    for rule in rules:
        made.add_row(rule.app, rule.zoho_module, rule.zoho_event, rule.url)
    return Group(made, _entries(plan), Text(), _limits(plan))


def heard(state: Heard) -> Table:
    """Each address with what arrived there."""
    made = table("webhook", "arrived", f"first at ({state.time_zone})", numbers=("arrived",))
    for ear in state.ears:
        style = _GOOD if ear.count else "" if ear.is_wanted else _FAINT
        made.add_row(Text(ear.address, style=style), f"{ear.count:,}", bare(ear.first_at, state.time_zone) or "-")
    if state.missing:
        made.caption = f"waiting for {', '.join(state.missing)}"
    return made


def heard_line(state: Heard) -> str:
    """The same in one line, where there is no terminal."""
    arrived = ", ".join(f"{ear.address} {ear.count:,}" for ear in state.ears if ear.count) or "nothing yet"
    return f"arrived: {arrived} | waiting for: {', '.join(state.missing) or '-'}"


def verdict(state: Heard, advice: Sequence[str]) -> Text:
    """How the listening ended, with what to look at."""
    if not state.missing:
        return Text("every webhook that was waited for has arrived", style=_GOOD)
    said = Text(f"not heard: {', '.join(state.missing)}", style=_BAD)
    for sentence in advice:
        said.append(f"\n- {sentence}", style="default not bold")
    return said


def _entries(plan: Mapping[str, Any]) -> Table:
    made = Table.grid(padding=(0, 2))
    made.add_row("where", "Settings > Automation > Workflow Actions > Webhooks, then a Workflow Rule with the event")
    made.add_row("", "in the app in which staff enter the record: the other one's rules do not fire for it")
    made.add_row("method", webhooks.METHOD)
    made.add_row("body", webhooks.BODY)
    made.add_row(
        "id", "behind an address that ends with =, + New Placeholder: the record's ID, since a deletion's body"
    )
    made.add_row("", "may not name it; without it each deletion costs a comparison of the whole list")
    made.add_row("secret", Text(plan["secret"] or "the same for all; --show-secret prints it"))
    if not plan["secret_fits"]:
        refused = f"Zoho will refuse this secret: it takes {webhooks.TAKEN}; write another into the stack's secret"
        made.add_row("", Text(refused, style=_BAD))
    return made


def _limits(plan: Mapping[str, Any]) -> Table:
    limits, load, never = plan["limits"], plan["load"], plan["never_announced"]
    made = Table.grid(padding=(0, 2))
    rules = f"{limits['rules_needed_per_module']} of {limits['rules_per_module']} a module, one webhook each"
    made.add_row("rules", rules)
    made.add_row("webhooks", Text(f"{limits['webhooks_a_day']:,} a day in the organisation; ").append(_load(load)))
    made.add_row(
        "never sent", f"for {', '.join(never['entities'])}; by {', '.join(never['changes'])}: polls find these"
    )
    return made


def _load(load: Mapping[str, Any]) -> Text:
    if load["suffices"] is None:
        return Text(f"how many are needed is not known: the mirror holds no change of the last {load['days']} days")
    changes = f"{load['busiest']:,} changes on the busiest day ({load['busiest_day']}), {load['mean']:,} on average"
    enough = ("that suffices", _GOOD) if load["suffices"] else ("too few: what Zoho drops is found by polls", _BAD)
    return Text.assemble(f"{changes}: ", enough)
