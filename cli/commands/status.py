"""tds status: what the mirror holds, what it misses, and how the work goes."""

from cli import output, render
from cli.deployment import Deployment
from cli.failure import ExitCode
from cli.options import AsJson, Region, Stack


@output.command
def status(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> ExitCode:
    """Show the verdict, rows, totals, backlog, calls left, circuit, webhooks, the last runs; exit 1 if it is bad."""
    deployment = Deployment.find(stack, region)
    figures = deployment.ask("status", {})
    dead = deployment.dead_letters()
    output.show(figures | {"dead_letters": dead}, render.status(figures, dead_letters=dead), as_json=as_json)
    return ExitCode.NOT_OK if figures["verdict"]["level"] == "bad" else ExitCode.OK
