"""tds webhook: how Zoho's webhooks are set up, whether they arrive, and sending some as Zoho does."""

import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import httpx
import typer

from cli import output, render_webhooks, webhooks
from cli.deployment import Deployment
from cli.display import Screen
from cli.failure import CommandFailed, ExitCode
from cli.options import AsJson, Region, Stack
from tds_core.zoho.routes import EVENTS, ROUTES
from tds_core.zoho.webhooks import SIGNATURE_HEADER, sign

_TIMEOUT_S = 30.0

app = typer.Typer(no_args_is_help=True, help="Set up Zoho's webhooks, see them arrive, or send some.")


@app.command()
@output.command
def send(
    module: Annotated[str, typer.Argument(help=f"One of {', '.join(ROUTES)}.")],
    event: Annotated[str, typer.Option(help=f"One of {', '.join(EVENTS)}; empty for the address without event.")] = "",
    file: Annotated[str, typer.Option(help="File with the body; - reads standard input.")] = "",
    id: Annotated[str, typer.Option(help="A body that names this record and nothing else.")] = "",
    count: Annotated[int, typer.Option(min=1, help="Send it so often.")] = 1,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Sign a body with the stack's secret, post it to the API, and print the status codes."""
    body = _body(module, file=file, id=id)
    deployment = Deployment.find(stack, region)
    url = "/".join(part for part in (f"{deployment.api_url}/webhooks/zoho", module, event) if part)
    statuses, seconds = post(url, body, secret=deployment.webhook_secret(), count=count)
    is_ok = all(200 <= status < 300 for status in statuses)
    told = ", ".join(f"{status} x {number}" for status, number in sorted(Counter(statuses).items()))
    result = {"ok": is_ok, "statuses": statuses, "seconds": round(seconds, 3)}
    output.show(result, f"{told} in {seconds:.2f} s", as_json=as_json)
    return ExitCode.OK if is_ok else ExitCode.NOT_OK


@app.command()
@output.command
def urls(
    show_secret: Annotated[bool, typer.Option("--show-secret", help="Print the secret, too.")] = False,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Tell what to enter in Zoho's workflow rules, and what Zoho's limits allow; not good if it refuses the secret."""
    deployment = Deployment.find(stack, region)
    rules, secret = webhooks.rules(deployment.api_url), deployment.webhook_secret()
    plan = webhooks.plan(rules, deployment.ask("webhook_load", {}), secret=secret, is_shown=show_secret)
    if as_json:
        output.print_json(plan)
    else:
        # an address is copied, so it is never cut or broken
        output.console().print(render_webhooks.setup(plan, rules), crop=False, highlight=False, no_wrap=True)
    return ExitCode.OK if plan["ok"] else ExitCode.NOT_OK


@app.command()
@output.command
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODULE[/EVENT]]...", help="To wait for; all modules by default.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to listen at most.")] = 600.0,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Listen until each module's first webhook has arrived and been processed: change a record of each in Zoho."""
    wanted = webhooks.wanted(names or ())
    deployment = Deployment.find(stack, region)
    heard = webhooks.Heard(ears=(), missing=wanted)
    with Screen(output.console(stderr=as_json), render_webhooks.heard, render_webhooks.heard_line) as screen:
        for heard in webhooks.listen(deployment.ask, wanted, timeout_s=timeout):
            screen.show(heard)
    advice: list[str] = []
    if heard.missing:
        silence = deployment.ask("status", {})["silence"]
        queued, dead = deployment.queued(), deployment.dead_letters()
        advice = webhooks.advice(heard, queued=queued, dead=dead, silence=silence)
    result = {"ok": not heard.missing, **asdict(heard), "advice": advice}
    output.show(result, render_webhooks.verdict(heard, advice), as_json=as_json)
    return ExitCode.NOT_OK if heard.missing else ExitCode.OK


def post(
    url: str, body: bytes, *, secret: str, count: int = 1, transport: httpx.BaseTransport | None = None
) -> tuple[list[int], float]:
    """Post a signed body so often; the status codes in order and the seconds that it took.

    Raises CommandFailed when the API cannot be reached.
    """
    headers = {SIGNATURE_HEADER: sign(secret, body), "Content-Type": "application/json"}
    started = time.monotonic()
    try:
        with httpx.Client(timeout=_TIMEOUT_S, transport=transport) as http:
            statuses = [http.post(url, content=body, headers=headers).status_code for _ in range(count)]
    except httpx.HTTPError as exc:
        raise CommandFailed(f"cannot reach {url}: {type(exc).__name__}") from exc
    return statuses, time.monotonic() - started


def _body(module: str, *, file: str, id: str) -> bytes:
    if bool(file) == bool(id):
        raise CommandFailed("give either --file or --id")
    if id:
        if module not in ROUTES:
            raise CommandFailed(f"no module {module!r}; there are {', '.join(ROUTES)}")
        route = ROUTES[module]
        return json.dumps({route.envelope: {route.id_key: id}}).encode()
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        raise CommandFailed(f"cannot read {file}: {exc.strerror}") from exc
