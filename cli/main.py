"""The `tds` command: the same against the local stack and AWS."""

import typer

from cli.commands import budget, deletions, dlq, images, simulate, webhook
from cli.commands.backfill import backfill
from cli.commands.doctor import doctor
from cli.commands.down import down
from cli.commands.info import info
from cli.commands.migrate import migrate
from cli.commands.plan import plan
from cli.commands.poll import poll
from cli.commands.refetch import refetch
from cli.commands.simulator import simulator
from cli.commands.status import status
from cli.commands.trace import trace
from cli.commands.up import up
from cli.commands.verify import verify

app = typer.Typer(
    name="tds",
    help="TDS Core: an exact mirror of Zoho Books and Zoho Inventory in PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (up, down, info, backfill, poll, verify, status, plan, doctor, trace, refetch, migrate):
    app.command()(command)
# the simulator reads its own options
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    simulator
)
app.add_typer(budget.app, name="budget")
app.add_typer(deletions.app, name="deletions")
app.add_typer(images.app, name="images")
app.add_typer(dlq.app, name="dlq")
app.add_typer(webhook.app, name="webhook")
app.add_typer(simulate.app, name="simulate")
