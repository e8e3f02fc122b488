"""What nobody should have to think of: dead messages driven back, old rows removed, the health told. Every minute.

A step that fails costs no other step its turn; the run fails after all were tried, so that its failure shows.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from tds_core.database import retention, runs
from tds_core.database.connection import Database
from tds_core.errors import StepsFailed, TdsError
from tds_core.settings import Settings
from tds_core.sync.dead_letters import Places, noting
from tds_core.sync.dead_queue import DeadMessage
from tds_core.sync.health import Health
from tds_core.sync.places import Ending, QueuePlace
from tds_core.sync.watch import Watch

Step = Callable[[], Mapping[str, int]]
MODE = "housekeeping"
REDRIVES_PER_RUN = 100
FAILED_RUN_KEPT = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Housekeeping:
    """Runs the steps, each by its name and in their order."""

    def __init__(self, settings: Settings, database: Database, steps: Mapping[str, Step]) -> None:
        self._lease_s = settings.lease_s
        self._database = database
        self._steps = steps

    def run(self) -> dict[str, int]:
        """Run every step once; returns what was done, by step.

        Raises DatabaseUnavailable when nothing could begin, and StepsFailed after the last step when some failed.
        """
        with runs.lease(self._database, MODE, duration_s=self._lease_s) as held:
            if held is None:
                return {}
            with runs.run(self._database, MODE) as current:
                failed = {}
                for name, step in self._steps.items():
                    try:
                        current.add(name, {what: count for what, count in step().items() if count})
                    except Exception as exc:  # whatever breaks one step must not stop the others
                        reason = exc.reason if isinstance(exc, TdsError) else type(exc).__name__
                        _log.exception("housekeeping step failed", extra={"step": name, "reason": reason})
                        failed[name] = f"{name}: {reason}"
                        current.add(name, {"failed": 1})
                if failed:
                    raise StepsFailed(", ".join(failed.values()))
            return current.outcomes


def steps(settings: Settings, *, database: Database, places: Places, health: Health, watch: Watch) -> dict[str, Step]:
    """The steps of a deployment."""
    sweeper = Sweeper(database, places, base_s=settings.redrive_base_s)
    return {
        "redrive": sweeper.redrive,
        "failed_runs": sweeper.forget_failed_runs,
        "retention": lambda: retention.expire(database),
        "health": health.tell,
        "watch": watch.look,
    }


class Sweeper:
    """Drives dead messages back and forgets failed runs, without anybody's word."""

    def __init__(
        self,
        database: Database,
        places: Places,
        *,
        base_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._places = places
        self._base_s = base_s
        self._clock = clock
        self._note = noting(database, MODE)

    def redrive(self) -> dict[str, int]:
        """Send back what is due, at most 100 messages a run, so that no queue is flooded.

        What SQS gives in one run is a sample: of a long queue the rest comes in the next ones.
        """
        now, left = self._clock(), REDRIVES_PER_RUN
        redriven: dict[str, int] = {}
        for place in self._places.letters:
            if left and place.total():
                count = self._sweep(
                    place, lambda p, m: p.describe(m).is_due(m, now, base_s=self._base_s), "redrive", left
                )
                left -= count
                redriven[place.prefix.partition("/")[2]] = count
        return redriven

    def forget_failed_runs(self) -> dict[str, int]:
        """Drop what failed over an hour ago: the schedule was the retry, and what still fails has failed since."""
        now, place = self._clock(), self._places.failed_runs
        if not place.total():
            return {}
        kept = FAILED_RUN_KEPT
        return {"dropped": self._sweep(place, lambda _, m: now - m.sent_at >= kept, "drop", REDRIVES_PER_RUN)}

    def _sweep(
        self, place: QueuePlace, is_due: Callable[[QueuePlace, DeadMessage], bool], ending: Ending, limit: int
    ) -> int:
        """End what is due among so many messages; raises the first failure."""

        def choose(id: str, message: DeadMessage) -> Ending | None:
            return ending if is_due(place, message) else None

        done = place.sweep(choose, self._note, limit=limit)
        for failure in done.values():
            if failure is not None:
                raise failure
        return len(done)
