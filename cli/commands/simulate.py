"""tds simulate: have things happen in the simulator that a local stack reads from."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from cli import output, render
from cli.deployment import Deployment
from cli.failure import CommandFailed
from cli.options import AsJson
from cli.simulation import Simulation

app = typer.Typer(no_args_is_help=True, help="Have things happen in the simulator that the local stack reads from.")

Control = Annotated[str, typer.Option("--control-url", help="A simulator that runs alone; else the local stack's.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other field, as JSON.")]


@app.command()
@output.command
def truth(as_json: AsJson = False, control_url: Control = "") -> None:
    """Show how many records Zoho holds, and their exact totals."""
    found = _simulation(control_url).ask("GET", "/truth")
    if as_json:
        output.print_json(found)
        return
    shown = render.table("entity", "records", "totals", numbers=("records",))
    for entity, part in found.items():
        shown.add_row(entity, f"{part['count']:,}", render.amounts(part["totals"]))
    output.console().print(shown)


@app.command()
@output.command
def stats(
    reset: Annotated[bool, typer.Option("--reset", help="Count anew from now.")] = False,
    as_json: AsJson = False,
    control_url: Control = "",
) -> None:
    """Show the calls that Zoho got: by path, refused ones, the busiest minute, tokens."""
    method, path = ("POST", "/stats/reset") if reset else ("GET", "/stats")
    _print(_simulation(control_url).ask(method, path), as_json=as_json)


@app.command()
@output.command
def activity(
    events: Annotated[int, typer.Option(min=1, help="How many changes.")] = 100,
    per_second: Annotated[float, typer.Option(min=0.1, help="How fast.")] = 10.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same changes.")] = 1,
    entities: Annotated[list[str] | None, typer.Option("--entity", help="Only these; repeatable.")] = None,
    mix: Annotated[
        list[str] | None, typer.Option(metavar="KIND=SHARE", help="create, edit, pay, delete; repeatable.")
    ] = None,
    as_json: AsJson = False,
    control_url: Control = "",
) -> None:
    """Have people work in Zoho for a while; webhooks follow if they are switched on."""
    body: dict[str, Any] = {"events": events, "per_second": per_second, "seed": seed}
    if entities:
        body["entities"] = entities
    if mix:
        body["mix"] = _fields(mix)
    _print(_simulation(control_url).ask("POST", "/activity", body=body), as_json=as_json)


@app.command()
@output.command
def webhooks(
    on: Annotated[bool, typer.Option("--on", help="Send them to the local stack, signed.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Send none.")] = False,
    loss: Annotated[float | None, typer.Option(min=0, max=1, help="Share that gets lost.")] = None,
    duplication: Annotated[float | None, typer.Option(min=0, max=1, help="Share that comes twice.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
    control_url: Control = "",
) -> None:
    """Show or change where Zoho's webhooks go and how badly they arrive."""
    body = {"loss": loss, "duplication": duplication}
    fields: dict[str, Any] = {name: value for name, value in body.items() if value is not None} | _fields(settings)
    if on:
        fields |= target(Deployment.find())
    if off:
        fields["base_url"] = ""
    _print(_change(control_url, "PUT", "/webhooks", fields), as_json=as_json)


@app.command()
@output.command
def faults(
    kind: Annotated[str, typer.Argument(help="What goes wrong; without it the faults in force and the kinds.")] = "",
    times: Annotated[int, typer.Option(help="How often; 0 is without end.")] = 1,
    product: Annotated[str, typer.Option(help="books, inventory or accounts; empty is any.")] = "",
    path: Annotated[
        str, typer.Option(help="Only calls whose path begins so, or is so: /invoices, /items/*/image.")
    ] = "",
    settings: Settings = None,
    clear: Annotated[bool, typer.Option("--clear", help="End all faults.")] = False,
    as_json: AsJson = False,
    control_url: Control = "",
) -> None:
    """Show, add or clear faults of Zoho and of the way to it."""
    simulation = _simulation(control_url)
    if clear:
        simulation.ask("DELETE", "/faults")
    if kind:
        fault = {"kind": kind, "times": times or None, "product": product, "path": path} | _fields(settings)
        for hint in simulation.ask("POST", "/faults", body=fault).get("hints", []):
            typer.secho(f"note: {hint}", fg="yellow", err=True)
    _print(simulation.ask("GET", "/faults"), as_json=as_json)


@app.command()
@output.command
def limits(
    per_minute: Annotated[int | None, typer.Option(min=0, help="Calls a minute; 0 lifts the limit.")] = None,
    in_flight: Annotated[int | None, typer.Option(min=0, help="Calls at the same time; 0 lifts it.")] = None,
    per_day: Annotated[int | None, typer.Option(min=0, help="Calls a day; 0 lifts it.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
    control_url: Control = "",
) -> None:
    """Show or change the simulator's call limits; the stack keeps to its own parameters."""
    given = {"per_minute": per_minute, "in_flight": in_flight, "per_day": per_day}
    fields = {name: value or None for name, value in given.items() if value is not None} | _fields(settings)
    _print(_change(control_url, "PUT", "/limits", fields), as_json=as_json)


def target(deployment: Deployment) -> dict[str, str]:
    """The settings by which the simulator's webhooks reach a stack."""
    return {"base_url": f"{deployment.api_url}/webhooks/zoho", "secret": deployment.webhook_secret()}


def _simulation(control_url: str) -> Simulation:
    return Simulation(control_url or Deployment.find().control_url)


def _change(control_url: str, method: str, path: str, fields: Mapping[str, Any]) -> Any:
    """Change what is given and show the rest."""
    simulation = _simulation(control_url)
    return simulation.ask(method, path, body=fields) if fields else simulation.ask("GET", path)


def _fields(pairs: Iterable[str] | None) -> dict[str, Any]:
    """KEY=VALUE pairs; a value that is no JSON is text."""
    fields: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals:
            raise CommandFailed(f"not KEY=VALUE: {pair}")
        try:
            fields[name] = json.loads(text)
        except ValueError:
            fields[name] = text
    return fields


def _print(value: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(value)
        return
    shown = render.table("what", "value")
    for name, part in value.items():
        shown.add_row(Text(name), Text(_text(part)))
    output.console().print(shown)


def _text(value: Any) -> str:
    """One cell: nested values one line each, secrets hidden by the simulator itself."""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {part}" for name, part in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
