"""tds deletions: what Zoho says is gone, what of it is believed, and a person's word on it."""

import getpass
from typing import Annotated, Any

import typer
from rich.console import Group

from cli import output
from cli.deployment import Deployment
from cli.failure import ExitCode
from cli.options import AsJson, Region, Stack
from cli.outcome import requested
from cli.render import table
from cli.times import bare

app = typer.Typer(help="Deletions held back by the brake, and those done.", no_args_is_help=True)


@app.command("list")
@output.command
def show(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> None:
    """Show the deletions that are held back, and the newest ones with their evidence."""
    found = Deployment.find(stack, region).ask("deletions", {})
    if as_json:
        output.print_json(found)
        return
    zone = found["time_zone"]
    held = table("held back", "id", f"since ({zone})", "why")
    for one in found["withheld"]:
        held.add_row(one["entity"], one["id"], bare(one["requested_at"], zone), one["reason"])
    done = table("deleted", "id", f"when ({zone})", "live witness")
    for one in found["done"]:
        done.add_row(one["entity"], one["id"], bare(one["deleted_at"], zone), _witness(one["evidence"]))
    output.console().print(Group(held, done))


@app.command()
@output.command
def approve(
    entity: Annotated[str, typer.Argument(help="invoices, payments, ... as `tds status` has them, or product_images.")],
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Let what is held back of an entity now be deleted; Zoho is asked again for each."""
    asked = {"name": entity, "by": getpass.getuser()}
    result = Deployment.find(stack, region).ask("approve_deletions", asked)
    return requested(result, f"{result['approved']} deletions of {entity} approved", as_json=as_json)


def _witness(evidence: dict[str, Any]) -> str:
    if owner := evidence.get("belongs_to"):
        return f"is one of {owner} now"
    return str(evidence.get("witness") or "had no live row")
