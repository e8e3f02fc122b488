"""tds verify: hold the mirror against Zoho, and heal it."""

from pathlib import Path
from typing import Annotated

import typer

from cli import output, render_verification
from cli.deployment import Deployment
from cli.display import Screen
from cli.failure import ExitCode
from cli.options import AsJson, Region, Stack, Timeout
from cli.verification import Stage, differences, follow, write


@output.command
def verify(
    entities: Annotated[list[str] | None, typer.Option("--entity", help="Verify these only; may be repeated.")] = None,
    heal: Annotated[bool, typer.Option("--heal", help="Fetch what differs anew and write it.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="A folder for counts.csv, totals.csv and differences.csv.")
    ] = None,
    timeout: Timeout = None,
    as_json: AsJson = False,
    stack: Stack = "",
    region: Region = "",
) -> ExitCode:
    """Compare every list, every row's own document, all totals and images with Zoho; exit 1 unless they are equal."""
    deployment = Deployment.find(stack, region)
    run = deployment.ask("verify", {"entities": entities or [], "heal": heal})["run"]
    screen: Screen[Stage] = Screen(
        output.console(stderr=as_json), lambda stage: stage.sentence, lambda stage: stage.sentence
    )
    with screen:
        made = follow(deployment.ask, run, screen.show, timeout_s=timeout)
    written = write(report, made, differences(deployment.ask, run)) if report else []
    if as_json:
        output.print_json(made)
    else:
        console = output.console()
        console.print(render_verification.report(made))
        for path in written:
            console.print(f"written: {path}", highlight=False, soft_wrap=True)
    return ExitCode.OK if made["ok"] else ExitCode.NOT_OK
