"""The command's way in: even while its modules are still being read, Ctrl-C ends it without a traceback."""

import sys

from cli.failure import ExitCode


def run() -> None:
    """`tds`, with its exit code."""
    try:
        from cli.main import app  # it takes a second, in which people press Ctrl-C

        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    run()
