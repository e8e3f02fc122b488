"""tds trace: the story of one record."""

from typing import Annotated

import typer

from cli import output, render_trace
from cli.deployment import Deployment
from cli.failure import CommandFailed, ExitCode
from cli.options import AsJson, Region, Stack


@output.command
def trace(
    entity: Annotated[str, typer.Argument(help="As `tds status` names it: invoices, payments, ...")],
    record: Annotated[str, typer.Argument(help="Zoho's id, or the record's number or name.")],
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Tell one record's story in time order: what was heard of it, what changed from what to what, what still waits."""
    told = Deployment.find(stack, region).ask("trace", {"name": entity, "record": record})
    if as_json:
        output.print_json(told)
    elif told["id"]:
        output.console().print(render_trace.story(told))
    elif told["matches"]:
        output.console().print(render_trace.matches(told))
    else:
        raise CommandFailed(f"nothing is known of {record} in {entity}", ExitCode.NOT_OK)
    return ExitCode.OK if told["id"] else ExitCode.NOT_OK
