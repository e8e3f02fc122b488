"""A verification's report for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.progress import duration
from cli.render import amount, table, warned

_SHOWN = 10


def report(made: Mapping[str, Any]) -> Group:
    """The table of entities, the totals that differ, what is left, and the verdict."""
    return Group(_entities(made), *_totals(made), *map(Text, _sentences(made)), _verdict(made))


def _entities(made: Mapping[str, Any]) -> Table:
    numbers = ("Zoho", "ERP", "missing", "extra", "different", "pending", "healed", "left", "share")
    shown = table("entity", *numbers, "totals", numbers=numbers)
    for name, part in made["entities"].items():
        unequal = sum(one["zoho"] != one["erp"] and amount(one["zoho"]) != amount(one["erp"]) for one in part["totals"])
        shown.add_row(
            name,
            f"{part['zoho']:,}",
            f"{part['erp']:,}",
            *(warned(part[key]) for key in ("missing", "extra", "mismatched", "details_pending")),
            f"{part['healed']:,}",
            warned(part["remaining"]),
            f"{part['mismatch_ratio']:.2%}",
            Text(part["error"], style="bold red")
            if part["error"]
            else f"{unequal} of {len(part['totals'])} differed"
            if unequal
            else "equal"
            if part["totals"]
            else "",
        )
    return shown


def _totals(made: Mapping[str, Any]) -> list[Table]:
    """The sums that differed when they were compared."""
    numbers = ("Zoho", "ERP")
    shown = table("entity", "currency", "status", "sum of", *numbers, title="sums that differed", numbers=numbers)
    for name, part in made["entities"].items():
        for one in part["totals"]:
            if amount(one["zoho"]) != amount(one["erp"]):
                shown.add_row(
                    name, one["currency"], one["status"], one["column"], amount(one["zoho"]), amount(one["erp"])
                )
    return [shown] if shown.row_count else []


def _sentences(made: Mapping[str, Any]) -> list[str]:
    said = [
        f"left: {one['entity']} {one['id']}, {one['field'] or one['kind']}: {one['how'] or 'not confirmed'}"
        for one in made["remaining"][:_SHOWN]
    ]
    for name, part in made["entities"].items():
        if part["orphans"]["count"]:
            said.append(f"{name}: {part['orphans']['count']:,} references lead to records that are not there")
        if part["nulls"]:
            said.append(f"{name}: {part['nulls']:,} rows lack a critical value")
        said += [
            f"{name}: {count:,} documents say something in {column} that cannot be read; it is NULL"
            for column, count in part.get("unreadable", {}).items()
        ]
    oldest = made["oldest_documents"]
    if oldest["documents"]:
        cycle = f"{oldest['cycle_days']} days" if oldest["cycle_days"] else "no time: no calls are left for it"
        said.append(
            f"lines are equal as of their last fetch, the oldest {oldest['oldest_days']} days ago; "
            f"fetching all {oldest['documents']:,} anew takes {cycle}"
        )
    if images := made.get("images"):
        said.append(
            f"images: {images['expected']:,} expected, {images['stored']:,} stored, {images['reachable']:,} reachable, "
            f"{images['pending']:,} on their way, {images['healed']:,} healed"
        )
        said += [f"images could not be compared: {images['error']}"] if images["error"] else []
        said += [f"image of {one}: {fault}" for one, fault in list(images["faults"].items())[:_SHOWN]]
    return [*said, f"{made['zoho_calls']:,} Zoho calls, {duration(made['seconds'])}"]


def _verdict(made: Mapping[str, Any]) -> Text:
    healed = sum(part["healed"] for part in made["entities"].values())
    if made["ok"]:
        return Text(f"equal{f', after {healed:,} records were healed' if healed else ''}", style="bold green")
    return Text(f"not equal: {'; '.join(_reasons(made))}", style="bold red")


def _reasons(made: Mapping[str, Any]) -> list[str]:
    """Why the two sides are not called equal; never nothing."""
    parts = made["entities"]
    remaining, pending = (sum(part[key] for part in parts.values()) for key in ("remaining", "details_pending"))
    said = [f"the list of {name} could not be compared whole" for name, part in parts.items() if part["error"]]
    said += [f"{remaining:,} records differ"] if remaining else []
    said += [f"{pending:,} documents wait to be fetched"] if pending else []
    said += [
        f"sums of {name} differ without a record that does" for name, part in parts.items() if part.get("unexplained")
    ]
    said += [
        f"the list of {name} does not tell {column} of {count:,} records"
        for name, part in parts.items()
        for column, count in part.get("untold", {}).items()
    ]
    if (images := made.get("images")) and not images["ok"]:
        said.append("not all images are as they have to be")
    return said
