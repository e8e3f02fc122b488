"""tds down: end the local stack."""

import time

from cli import output
from cli.local.stack import LocalStack


@output.command
def down() -> None:
    """End everything that `tds up` started; the database's content stays for the next `tds up`."""
    screen, started = output.console(stderr=True), time.monotonic()

    def report(text: str) -> None:
        screen.print(f"{time.monotonic() - started:5.1f} s  {text}", highlight=False)

    ended = LocalStack(report=report).down()
    report("the stack has ended" if ended else "no stack was up")
