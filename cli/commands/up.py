"""tds up: the whole stack on this machine."""

import os
import signal
import time
from typing import Annotated, Literal

import typer

from cli import output
from cli.commands.info import describe
from cli.failure import CommandFailed
from cli.local import deploy
from cli.local.stack import LocalStack, Wish, ZohoServer, parse_pairs
from cli.local.zoho_simulator.options import Size
from cli.options import AsJson


@output.command
def up(
    zoho_url: Annotated[str, typer.Option(help="Another Zoho-compatible server; ZOHO_* hold its credentials.")] = "",
    accounts_url: Annotated[str, typer.Option(help="The token host of --zoho-url.")] = "",
    size: Annotated[Size, typer.Option(help="The simulator's company.")] = "small",
    seed: Annotated[int, typer.Option(help="The simulator's seed.")] = 1,
    count: Annotated[list[str] | None, typer.Option(help="How many of an entity it has: invoices=1000.")] = None,
    rate: Annotated[int | None, typer.Option(help="Calls a minute, for simulator and stack.", min=1)] = None,
    in_flight: Annotated[int | None, typer.Option(help="Calls at the same time, for both.", min=1)] = None,
    day_limit: Annotated[int, typer.Option(help="Calls a day, for both.", min=1)] = 10_000,
    param: Annotated[list[str] | None, typer.Option(help="A template parameter: KEY=VALUE.")] = None,
    schedules: Annotated[Literal["on", "off"], typer.Option(help="off leaves every run to the commands.")] = "on",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start with an empty database.")] = False,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and end the stack with Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start PostgreSQL, the AWS emulator and a Zoho simulator, and deploy the template there."""
    if bool(zoho_url) != bool(accounts_url):
        raise CommandFailed("--zoho-url and --accounts-url go together")
    parameters = parse_pairs(param or [])
    deploy.check_parameters(parameters)
    wish = Wish(
        zoho=ZohoServer.from_environment(api_url=zoho_url, accounts_url=accounts_url, environment=os.environ)
        if zoho_url
        else None,
        size=size,
        seed=seed,
        counts={name: _number(value) for name, value in parse_pairs(count or []).items()},
        minute_limit=rate,
        in_flight_limit=in_flight,
        day_limit=day_limit,
        schedules=schedules == "on",
        fresh=fresh,
        parameters=parameters,
    )
    screen = output.console(stderr=True)
    started = time.monotonic()
    stack = LocalStack(report=lambda text: screen.print(f"{time.monotonic() - started:5.1f} s  {text}"))
    state = stack.up(wish, tethered=foreground)
    screen.print(f"{time.monotonic() - started:5.1f} s  healthy; `tds info` shows its credentials, `tds down` ends it")
    describe(state, as_json=as_json)
    if foreground:
        _stay(stack)


def _stay(stack: LocalStack) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        stack.down()


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise CommandFailed(f"not a number: {text}") from exc
