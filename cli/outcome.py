"""What commands say at their end."""

from collections.abc import Mapping
from typing import Any

from cli import output
from cli.failure import ExitCode
from cli.progress import Snapshot


def requested(result: Mapping[str, Any], sentence: str, *, as_json: bool) -> ExitCode:
    """Something was asked for and goes on by itself."""
    output.show({"ok": True, **result}, sentence, as_json=as_json)
    return ExitCode.OK


def ended(snapshot: Snapshot, *, as_json: bool, **more: Any) -> ExitCode:
    """What was waited for is over; good only if every document is there."""
    if as_json:
        entities = {
            part.entity: {"erp": part.total, "details_pending": part.pending, "parked": part.parked}
            for part in snapshot.details
        }
        output.print_json({"ok": snapshot.is_complete, "entities": entities, **more})
    else:
        output.console().print(_sentence(snapshot), highlight=False)
    return ExitCode.OK if snapshot.is_complete else ExitCode.NOT_OK


def _sentence(snapshot: Snapshot) -> str:
    if snapshot.parked:
        left = ", ".join(f"{entity} {count}" for entity, count in snapshot.parked.items())
        return f"[bold red]done, but documents were given up for now[/]: {left}"
    if not snapshot.is_complete:
        return "[bold red]done, but documents are missing[/]"
    return f"[green]done[/]: {sum(part.total for part in snapshot.details):,} rows, no document pending"
