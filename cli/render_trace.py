"""What people see of one record: where it stands, and its story line by line in their own time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.render import table
from cli.times import bare

_GOOD, _BAD, _FAINT = "green", "bold red", "dim"
_STYLES = {"created": _GOOD, "restored": _GOOD, "rejected": _BAD, "deleted": _BAD, "parked": _BAD, "tie": "yellow"}
_STYLES |= {"suspected": "yellow", "undecided": "yellow", "confirmed": _BAD, "healed": _GOOD}
_LONGEST = 60


def matches(told: Mapping[str, Any]) -> Table:
    """Several records that go by one name, to choose from by id."""
    numbers = [name for name in told["matches"][0] if name not in ("id", "deleted_at")]
    made = table("id", *numbers, "", title=f"Several {told['entity']} go by that name: give one's id")
    for match in told["matches"]:
        made.add_row(match["id"], *(match[name] or "" for name in numbers), "deleted" if match["deleted_at"] else "")
    return made


def story(told: Mapping[str, Any]) -> Group:
    """The record's state and its entries, the oldest first."""
    zone = told["time_zone"]
    made = table(told["time_zone"], "what", "by", "version", "event", "what changed", title=_title(told))
    for entry in told["story"]:
        name = entry.get("outcome") or entry["what"]
        event = f"#{entry['sequence']}" if entry.get("sequence") else ""
        made.add_row(
            bare(entry["at"], zone),
            Text(name, style=_STYLES.get(name, "")),
            _by(entry),
            bare(entry.get("version"), zone),
            event,
            Text("\n").join(map(Text, _details(entry, zone))),
        )
    cut = [Text("older outcomes are left out", style=_FAINT)] if told["is_cut"] else []
    return Group(made, *cut, Text(_state(told["record"], zone), style=_FAINT))


def _title(told: Mapping[str, Any]) -> str:
    names = [
        str(value) for key, value in (told["matches"] or [{}])[0].items() if key not in ("id", "deleted_at") and value
    ]
    return " · ".join((f"{told['entity']} {told['id']}", *names))


def _state(record: Mapping[str, Any] | None, zone: str) -> str:
    if record is None:
        return "the mirror has no row of it"
    if record["deleted_at"]:
        return f"deleted {bare(record['deleted_at'], zone)}"
    detail = "its document was never seen"
    if record["detail_observed_at"]:
        by = record["detail_observed_by"]
        detail = f"its document is as of {bare(record['detail_observed_at'], zone)}, by {by}"
    return f"Zoho's version {bare(record['last_modified_time'], zone) or 'unknown'}; {detail}"


def _by(entry: Mapping[str, Any]) -> str:
    """Which way it came: a webhook by its address, a poll, a walk, a fetch."""
    if "run" in entry:
        return f"verification {entry['run']}, {entry['kind']}"
    if entry["what"] != "outcome":
        return str(entry.get("cause") or "")
    way = f"{entry['source']} {entry['webhook']}" if entry["webhook"] else entry["source"]
    return f"{way}, {entry['kind'].replace('_', ' ')}"


def _details(entry: Mapping[str, Any], zone: str) -> Iterator[str]:
    """One line for each thing that there is to say."""
    for column, change in (entry.get("changes") or {}).items():
        yield from _change(column, change)
    match entry["what"]:
        case "suspected":
            for field, sides in sorted(entry["values"].items()):
                yield f"{field or 'whole record'}: ERP {_short(sides['erp'])}, Zoho {_short(sides['zoho'])}"
        case "requested":
            held = ", being fetched" if entry["is_leased"] else ""
            yield f"due {bare(entry['not_before'], zone)}, {entry['attempts']} attempts so far{held}"
        case "tombstone":
            yield f"evidence {_short(entry['evidence'])}"
        case "unpublished":
            yield f"{entry['event']} waits to be published"
    if entry.get("reason"):
        yield str(entry["reason"])


def _change(column: str, change: Any) -> Iterator[str]:
    if isinstance(change, list):
        yield f"{column}: {_short(change[0])} → {_short(change[1])}"
    elif "cut_bytes" in change:
        yield f"{column}: changed, too long to keep ({change['cut_bytes']:,} bytes)"
    elif change.keys() <= {"added", "removed", "changed", "reordered"}:
        for name, keys in change.get("changed", {}).items():
            yield from (f"{column} {name} {line}" for line in _pairs(keys))
        yield from (f"{column} + {_short(element)}" for element in change.get("added", ()))
        yield from (f"{column} - {_short(element)}" for element in change.get("removed", ()))
        if change.get("reordered"):
            yield f"{column}: in another order"
    else:
        yield from (f"{column} {line}" for line in _pairs(change))


def _pairs(keys: Any) -> Iterator[str]:
    for name, (old, new) in keys.items() if isinstance(keys, Mapping) else [("", keys)]:
        yield f"{name}: {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
