"""tds status: what the mirror holds, what it misses, and how the work goes."""

from cli import output, render
from cli.deployment import Deployment
from cli.options import AsJson, Region, Stack


@output.command
def status(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> None:
    """Show rows, pending details, totals, backlog, calls left, circuit, webhooks and the last runs."""
    deployment = Deployment.find(stack, region)
    figures = deployment.ask("status", {})
    dead = deployment.dead_letters()
    output.show(figures | {"dead_letters": dead}, render.status(figures, dead_letters=dead), as_json=as_json)
