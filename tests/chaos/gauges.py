"""What is measured beside a long run: connections and waiting locks all the while, and the functions' memory."""

import threading
from contextlib import suppress
from types import TracebackType

import psutil
import psycopg

from tests.stack.running import Stack

LOOK_S = 1.0

_LOOK = """
    SELECT count(*) FILTER (WHERE starts_with(a.application_name, 'tds-'))::int,
        (SELECT count(*)::int FROM pg_locks WHERE NOT granted),
        (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8
            FROM pg_locks WHERE NOT granted)
    FROM pg_stat_activity AS a
"""


class Gauges:
    """Looks every second while its block lasts, and keeps the most that it saw."""

    def __init__(self, stack: Stack) -> None:
        self.connections = self.waiting = 0
        self.waited_s = 0.0
        self._stack = stack
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Gauges":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_S):
            with suppress(psycopg.OperationalError):  # an outage is a look less
                ((connections, waiting, waited_s),) = self._stack.query(_LOOK)
                self.connections = max(self.connections, connections)
                self.waiting = max(self.waiting, waiting)
                self.waited_s = max(self.waited_s, waited_s)


def resident(stack: Stack) -> dict[int, tuple[str, float]]:
    """Each function process's name and resident memory in MB, by process id."""
    found: dict[int, tuple[str, float]] = {}
    for name, processes in stack.workers().items():
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                found[process.pid] = (name, round(process.memory_info().rss / 1e6, 1))
    return found
