"""tds backfill: read whole lists and every document that they show."""

from typing import Annotated

import typer

from cli import output
from cli.deployment import Deployment
from cli.display import Display
from cli.failure import ExitCode
from cli.follow import Follower
from cli.options import AsJson, Region, Stack, Timeout, Wait
from cli.outcome import ended, requested


@output.command
def backfill(
    entities: Annotated[list[str] | None, typer.Argument(help="Entities; none means all.")] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Read whole lists from Zoho and every document that they show; details follow newest first."""
    deployment = Deployment.find(stack, region)
    names = entities or []
    scans = deployment.ask("backfill", {"entities": names})["scans"]
    if not wait:
        return requested({"scans": scans}, f"walks asked for: {', '.join(scans)}", as_json=as_json)
    with Display(output.console(stderr=as_json)) as display:
        snapshot = Follower(deployment.ask, timeout_s=timeout).until_over(display.show, entities=names, scans=scans)
    return ended(snapshot, as_json=as_json)
