"""tds down: end the local stack."""

from cli import output
from cli.local.stack import LocalStack


@output.command
def down() -> None:
    """End everything that `tds up` started; the database's content stays for the next `tds up`."""
    ended = LocalStack().down()
    output.console(stderr=True).print("the stack has ended" if ended else "no stack was up")
