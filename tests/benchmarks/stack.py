"""A local stack of the benchmark's own, that ends with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local.stack import LocalStack, Wish
from cli.local.state import StackState, StateDirectory


@contextmanager
def running_stack(wish: Wish) -> Iterator[StackState]:
    """Yields a healthy stack as it was wished for."""
    with tempfile.TemporaryDirectory(prefix="tds-bench-") as folder:
        directory = StateDirectory(Path(folder))
        stack = LocalStack(directory)
        try:
            yield stack.up(wish, tethered=True)
        finally:
            stack.down()
            directory.remove_data()
