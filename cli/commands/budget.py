"""tds budget: the calls that Zoho still takes, what holds them back, and going on after all."""

import typer

from cli import output, render_budget
from cli.deployment import Deployment
from cli.options import AsJson, Region, Stack

app = typer.Typer(
    no_args_is_help=True, help="Zoho's calls: what is left, what holds them back, and going on after all."
)


@app.command()
@output.command
def show(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> None:
    """Show the budget of the minute and of each product's day, the calls in flight, the circuit and the token."""
    figures = Deployment.find(stack, region).ask("budget", {})
    if as_json:
        output.print_json(figures)
    else:
        output.console().print(render_budget.budget(figures), highlight=False)


@app.command()
@output.command
def reopen(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> None:
    """Close an open circuit and begin a used-up day anew: after Zoho raised or reset the quota. Who did is kept."""
    deployment = Deployment.find(stack, region)
    reopened = deployment.ask("reopen_budget", {"operator": deployment.caller()})["reopened"]
    if as_json:
        output.print_json({"ok": True, "reopened": reopened})
    else:
        output.console().print(render_budget.reopened(reopened), highlight=False)
