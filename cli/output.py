"""Results go to stdout, for people or as JSON; errors go to stderr as one line."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import typer
from rich.console import Console, RenderableType

from cli.failure import CommandFailed, ExitCode

_WIDE = 160
P = ParamSpec("P")


def console(*, stderr: bool = False) -> Console:
    """A console; where nobody looks its lines are long, so that tables keep their form."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDE)


def print_json(value: Any) -> None:
    """One JSON document."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def show(value: Any, shown: RenderableType, *, as_json: bool) -> None:
    """A result: its value for scripts, or what people see of it."""
    if as_json:
        print_json(value)
    else:
        console().print(shown, highlight=False)


def command(run: Callable[P, ExitCode | None]) -> Callable[P, None]:
    """A function as a command: what it returns is the exit code, and what it cannot do is told in one line."""

    @wraps(run)
    def ended(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = run(*args, **kwargs)
        except CommandFailed as exc:
            typer.secho(f"error: {exc}", fg="red", err=True)
            code = exc.code
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        raise typer.Exit(code or ExitCode.OK)

    return ended
