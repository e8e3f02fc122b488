"""Progress while it happens: live bars in a terminal, plain lines now and then elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from cli import render
from cli.progress import Snapshot

_LINE_EVERY_S = 5.0


class Display:
    """Shows snapshots until it is left; in a terminal the last one stays to be seen."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._last_line = ""
        self._next_line_s = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Show how far it has come."""
        if self._live:
            self._live.update(render.progress(snapshot))
            return
        line, now = render.progress_line(snapshot), self._clock()
        if line != self._last_line and (now >= self._next_line_s or snapshot.is_over):
            self._console.print(line, highlight=False, soft_wrap=True)
            self._last_line, self._next_line_s = line, now + _LINE_EVERY_S
