"""What people see of a deployment's check."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from cli.render import table

_WORDS = {
    "good": ("good", "green"),
    "look": ("look at this", "yellow"),
    "broken": ("broken", "bold red"),
    "not checked": ("not checked", "dim"),
}


def findings(found: Mapping[str, Any]) -> Group:
    """One line for each finding, with what to do beneath it, and how many there are of each kind."""
    made = table("", "check", "what was found")
    made.columns[0].no_wrap = made.columns[1].no_wrap = True
    for one in found["checks"]:
        word, style = _WORDS[one["grade"]]
        name = f"{one['check']}: {one['about']}" if one["about"] else one["check"]
        said = Text(one["says"])
        if one["todo"]:
            said.append(f"\n-> {one['todo']}", style="bold")
        made.add_row(Text(word, style=style), Text(name), said)
    counts = Counter(one["grade"] for one in found["checks"])
    told = ", ".join(f"{counts[grade]} {word}" for grade, (word, _) in _WORDS.items() if counts[grade])
    return Group(made, Text(told, style="green" if found["ok"] else "bold red"))
