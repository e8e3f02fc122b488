"""tds plan: what a day's calls go to, and how long a history takes."""

from cli import output, planning
from cli.deployment import Deployment
from cli.options import AsJson, Region, Stack


@output.command
def plan(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> None:
    """Show a day's Zoho calls by purpose, what is left for the history, and the days that it takes."""
    figures = Deployment.find(stack, region).ask("plan", {})
    output.show(figures, planning.show(figures), as_json=as_json)
