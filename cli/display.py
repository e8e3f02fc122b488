"""Progress while it happens: live bars in a terminal, plain lines now and then elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live

from cli import render
from cli.progress import Snapshot

_LINE_EVERY_S = 5.0


class Watched(Protocol):
    """What can be watched until it is over."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""


W = TypeVar("W", bound=Watched)


class Screen(Generic[W]):
    """Shows one state after the other until it is left; in a terminal the last one stays to be seen.

    `draw` makes it for a terminal, `line` for elsewhere.
    """

    def __init__(
        self,
        console: Console,
        draw: Callable[[W], RenderableType],
        line: Callable[[W], str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._draw = draw
        self._line = line
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

    def show(self, state: W) -> None:
        """Show how far it has come."""
        if self._live:
            self._live.update(self._draw(state))
            return
        line, now = self._line(state), self._clock()
        if line != self._last_line and (now >= self._next_line_s or state.is_over):
            self._console.print(line, highlight=False, soft_wrap=True)
            self._last_line, self._next_line_s = line, now + _LINE_EVERY_S


class Display(Screen[Snapshot]):
    """Shows the progress of lists and details."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, render.progress, render.progress_line, clock=clock)
