"""tds refetch: fetch documents anew."""

from typing import Annotated

import typer

from cli import output
from cli.deployment import Deployment
from cli.failure import ExitCode
from cli.options import AsJson, Region, Stack
from cli.outcome import requested


@output.command
def refetch(
    entity: Annotated[str, typer.Argument(help="As `tds status` names it: invoices, payments, ...")],
    ids: Annotated[list[str], typer.Argument(help="Zoho's ids.")],
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Fetch documents anew, before everything else but webhooks."""
    result = Deployment.find(stack, region).ask("refetch", {"name": entity, "ids": ids})
    return requested(result, f"{result['requested']} of {entity} will be fetched anew", as_json=as_json)
