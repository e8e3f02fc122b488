"""The options that every command shares."""

from typing import Annotated

import typer

Stack = Annotated[str, typer.Option("--stack", help="The stack's name on AWS; without it the local stack.")]
Region = Annotated[str, typer.Option("--region", help="The region of --stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it is done, with progress.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds to wait at most; the work goes on.")]
