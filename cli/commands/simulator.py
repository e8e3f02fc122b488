"""tds simulator: Zoho's stand-in, alone in the foreground."""

import typer

from cli.local.zoho_simulator.__main__ import main


def simulator(context: typer.Context) -> None:
    """Run the Zoho simulator alone; it prints its URL and credentials as one JSON line."""
    main(context.args, program="tds simulator")
