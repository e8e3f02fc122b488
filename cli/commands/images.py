"""tds images: product images, how many are stored, bringing them up to date, and whether all is right."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli import output, render_images
from cli.deployment import Deployment
from cli.display import Display
from cli.failure import ExitCode
from cli.follow import Follower
from cli.options import AsJson, Region, Stack, Timeout, Wait
from cli.outcome import ended, requested
from cli.progress import IMAGES

app = typer.Typer(no_args_is_help=True, help="Product images: stored, linked and served as Zoho shows them.")


@app.command()
@output.command
def status(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> ExitCode:
    """Show how many images are stored and linked, and what was given up for now and why."""
    figures = Deployment.find(stack, region).ask("images_status", {})
    _show(figures, render_images.status(figures), as_json=as_json)
    return ExitCode.OK if not figures["parked"] else ExitCode.NOT_OK


@app.command()
@output.command
def sync(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Products to fetch in any case; none means what differs.")
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Fetch the images that are not what Zoho shows, and take away those that it shows no more."""
    deployment = Deployment.find(stack, region)
    result = deployment.ask("images_sync", {"ids": ids or []})
    if not wait:
        return requested(result, f"{result['requested']} images will be looked at", as_json=as_json)
    with Display(output.console(stderr=as_json)) as display:
        snapshot = Follower(deployment.ask, timeout_s=timeout).until_over(
            display.show, entities=(IMAGES,), scans=(IMAGES,)
        )
    return ended(snapshot, as_json=as_json, **result)


@app.command()
@output.command
def verify(
    heal: Annotated[
        bool, typer.Option("--heal", help="Fetch anew what is wrong; where only the web is, have its cache forget it.")
    ] = False,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Compare Zoho's list, the bucket, the database and the public web."""
    report = Deployment.find(stack, region).ask("images_verify", {"heal": heal})
    _show(report, render_images.report(report), as_json=as_json)
    return ExitCode.OK if report["ok"] else ExitCode.NOT_OK


def _show(figures: Mapping[str, Any], shown: Any, *, as_json: bool) -> None:
    if as_json:
        output.print_json(figures)
    else:
        output.console().print(shown, highlight=False)
