"""tds dlq: all dead things as one list, looked at, brought back or dropped."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from cli import output, render_dead
from cli.deployment import Deployment
from cli.failure import CommandFailed, ExitCode
from cli.options import AsJson, Region, Stack
from cli.progress import IMAGES
from tds_core.entities import REGISTRY

_AT_ONCE = 100
_ENTITIES = (*REGISTRY, IMAGES)

app = typer.Typer(no_args_is_help=True, help="Dead letters of every kind: list, show, redrive, drop.")


def _known(entity: str) -> str:
    if entity and entity not in _ENTITIES:
        raise typer.BadParameter(f"there are {', '.join(_ENTITIES)}")
    return entity


Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `tds dlq list` shows them.")]
Limit = Annotated[int, typer.Option(min=1, max=400, help="At most so many of each place.")]
All = Annotated[bool, typer.Option("--all", help="All that `tds dlq list` shows, of --where and --entity if given.")]
Where = Annotated[
    Literal["", "dead_letters", "unrouted", "failed_runs", "backlog"], typer.Option(help="Of this place only.")
]
Entity = Annotated[str, typer.Option(callback=_known, help="Of this entity only.")]


@app.command("list")
@output.command
def list_(
    limit: Limit = 100,
    where: Where = "",
    entity: Entity = "",
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> None:
    """Show dead messages, webhooks that nobody understood, failed runs and parked requests, the oldest first."""
    found = Deployment.find(stack, region).ask("dlq_list", {"limit": limit})
    things = _chosen(found["things"], where=where, entity=entity)
    output.show(things, render_dead.listing(things, zone=found["time_zone"]), as_json=as_json)
    if left := render_dead.left_out(found):
        output.console(stderr=True).print(left, highlight=False)


@app.command()
@output.command
def show(
    id: Annotated[str, typer.Argument(help="As `tds dlq list` shows it.")],
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> None:
    """Show one dead thing with what it carries, cut after 64 KiB."""
    thing = Deployment.find(stack, region).ask("dlq_show", {"id": id})
    output.show(thing, render_dead.thing(thing), as_json=as_json)


@app.command()
@output.command
def redrive(
    ids: Ids = None,
    every: All = False,
    where: Where = "",
    entity: Entity = "",
    limit: Limit = 100,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Bring back: messages to their queue, webhooks read anew, requests fetched at once, runs started."""
    deployment = Deployment.find(stack, region)
    wanted = _wanted(deployment, ids, every=every, where=where, entity=entity, limit=limit)
    return _settle(deployment, "dlq_redrive", wanted, as_json=as_json)


@app.command()
@output.command
def drop(
    ids: Ids = None,
    every: All = False,
    where: Where = "",
    entity: Entity = "",
    limit: Limit = 100,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Delete for good; tds.operations keeps what it was and who dropped it."""
    deployment = Deployment.find(stack, region)
    wanted = _wanted(deployment, ids, every=every, where=where, entity=entity, limit=limit)
    return _settle(deployment, "dlq_drop", wanted, as_json=as_json)


def _wanted(
    deployment: Deployment, ids: Sequence[str] | None, *, every: bool, where: str, entity: str, limit: int
) -> list[str]:
    """The ids that were given, or of all that is listed; raises CommandFailed unless it is one of both."""
    if bool(ids) == every:
        raise CommandFailed("give either IDs or --all")
    if ids:
        return list(ids)
    found = deployment.ask("dlq_list", {"limit": limit})
    return [thing["id"] for thing in _chosen(found["things"], where=where, entity=entity)]


def _chosen(things: Sequence[Mapping[str, Any]], *, where: str, entity: str) -> list[Mapping[str, Any]]:
    return [one for one in things if where in ("", one["where"]) and entity in ("", one["entity"])]


def _settle(deployment: Deployment, command: str, ids: Sequence[str], *, as_json: bool) -> ExitCode:
    """Do it in parts, each short enough for one call of the console; good only if nothing stays."""
    settled: list[str] = []
    stays: dict[str, str] = {}
    for first in range(0, len(ids), _AT_ONCE):
        arguments = {"ids": list(ids[first : first + _AT_ONCE]), "operator": deployment.caller()}
        done = deployment.ask(command, arguments)
        settled += done["settled"]
        stays |= done["stays"]
    result = {"ok": not stays, "settled": settled, "stays": stays}
    output.show(result, render_dead.settled(settled, stays), as_json=as_json)
    return ExitCode.NOT_OK if stays else ExitCode.OK
