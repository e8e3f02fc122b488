"""Seven business days in ten minutes, with faults: `python -m tests.chaos.soak --minutes 10 --seed 1`.

A simulation: people work in bursts, faults befall each day, and it ends with its night's verification and housekeeping.
What it shows is whether anything grows, leaks or gets stuck. The real days are counted in `tds status`.
Exits with 0 only if the mirror is Zoho's equal at the end, nothing is dead, the limits were kept, nothing grew
(each function's memory is compared), no lock was waited for long, webhooks that say enough were rows in time, and
nearly all runs ended well in spite of the faults.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.failure import CommandFailed
from cli.local.state import StateDirectory
from tds_core.entities import REGISTRY
from tests.chaos.gauges import Gauges, resident
from tests.chaos.judge import begin, judge, wish
from tests.chaos.plan import Step, draw
from tests.chaos.storm import Storm
from tests.stack.comparison import recover, verify
from tests.stack.running import Json, Stack, deployed, wait_for

DAYS = 7
NIGHT_S = 25.0  # of each day's time; a night takes as long as its verification
LIMIT_CONNECTIONS = 50
WEBHOOK_P99_S, LOCK_WAIT_S = 30.0, 5.0
WITHOUT_FAILURE = 0.9  # of the runs, the faults included that befall them
GROWTH = 1.5  # a process that holds this many times what it held at its first night leaks
LIVED = 2  # days through which a process of each function has to live, to be compared
DEAD_SHARE = 0.5
# what kills functions or PostgreSQL is the storm's: memory can be compared only in processes that live
GENTLE = ("work", "fault", "token")
# people delete in seven days, which pass within one of the brake's
DELETIONS_A_DAY = 5

_DATABASE = "SELECT deadlocks::int, conflicts::int FROM pg_stat_database WHERE datname = current_database()"
_TABLES = """
    SELECT schemaname || '.' || relname, n_live_tup::int, n_dead_tup::int, pg_total_relation_size(relid)::int
    FROM pg_stat_user_tables WHERE schemaname IN ('erp', 'tds') ORDER BY pg_total_relation_size(relid) DESC
"""
_RUNS = """
    SELECT count(*)::int, count(*) FILTER (WHERE error IS NULL AND ended_at IS NOT NULL)::int,
        coalesce(jsonb_object_agg(error, 1) FILTER (WHERE error IS NOT NULL), '{}')
    FROM tds.runs WHERE started_at >= %s
"""


@dataclass(slots=True)
class Soak:
    """One run: the days, and what was measured before the first and at the end of each."""

    stack: Stack
    gauges: Gauges
    memory: list[dict[int, tuple[str, float]]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    refusals: int = 0

    def start(self) -> None:
        """Have every function at work once, so that what it loads for good is in its memory, and measure."""
        for name, spec in REGISTRY.items():
            if spec.webhook_modules:
                self.stack.create(name)
        wait_for(lambda: not self.stack.deployment.queued(), "the first webhooks are not applied", timeout_s=180)
        self.stack.poll()
        self._night()
        self._measure()

    def day(self, number: int, steps: list[Step], *, seconds: float) -> None:
        """A business day with its faults, then its night."""
        Storm(self.stack, lambda _: None).run(steps, seconds=seconds)
        self.refusals += recover(self.stack)
        self.stack.zoho("POST", "/new-day", {})
        self._night()
        self._measure()
        waited = self.gauges.waiting
        print(f"day {number}: {self.sizes[-1] / 1e6:.1f} MB of tables, {waited} locks waited at most", flush=True)

    def _night(self) -> None:
        verify(self.stack, heal=True)
        self.stack.deployment.invoke(self.stack.resource("Housekeeping"), {"mode": "housekeeping"})

    def _measure(self) -> None:
        self.memory.append(resident(self.stack))
        self.sizes.append(sum(size for *_, size in self.stack.query(_TABLES)))

    def report(self, stats: Json, latency: Json, runs: tuple[Any, ...]) -> Json:
        """The figures, for people and for the books."""
        deadlocks, conflicts = self.stack.query(_DATABASE)[0]
        tables = self.stack.query(_TABLES)
        return {
            "simulated_business_days": len(self.memory) - 1,
            "runs": {"all": runs[0], "without_failure": runs[1], "rate": round(runs[1] / max(runs[0], 1), 4)},
            "failures": sorted(runs[2]),
            "webhooks": latency,
            "memory_mb": self._memory(),
            "connections_most": self.gauges.connections,
            "locks_waiting_most": self.gauges.waiting,
            "locks_waited_longest_s": round(self.gauges.waited_s, 1),
            "deadlocks": deadlocks,
            "conflicts": conflicts,
            "tables_mb": {"at_start": self.sizes[0] / 1e6, "at_the_end": self.sizes[-1] / 1e6},
            "largest_tables": [
                {"table": name, "live": live, "dead": dead, "mb": round(size / 1e6, 2)}
                for name, live, dead, size in tables[:6]
            ],
            "calls": stats["total_calls"],
            "mints": stats["mints"],
        }

    def _memory(self) -> dict[str, list[float | None]]:
        """What each process held, night by night; None where it was not there yet, or is gone.

        The emulator ends a process whose invocation failed, and faults make some fail.
        """
        names = {pid: f"{name}/{pid}" for night in self.memory for pid, (name, _) in night.items()}
        return {
            names[pid]: [night[pid][1] if pid in night else None for night in self.memory]
            for pid in sorted(names, key=names.__getitem__)
        }


def faults(figures: Json) -> list[str]:
    """What grew, stuck, failed too often or came too late; what was not measured is a fault, too."""
    runs, webhooks = figures["runs"], figures["webhooks"]["applied"]
    late_s, waited_s = webhooks["seconds"].get("p99"), figures["locks_waited_longest_s"]
    held = {
        f"webhooks took {late_s} s (p99)": late_s is not None and late_s < WEBHOOK_P99_S,
        f"{runs['without_failure']} of {runs['all']} runs without failure": runs["rate"] >= WITHOUT_FAILURE,
        f"a lock was waited for {waited_s} s": waited_s < LOCK_WAIT_S,
        f"{figures['connections_most']} connections": figures["connections_most"] <= LIMIT_CONNECTIONS,
    }
    bloated = [
        f"{part['table']}: {part['dead']} dead rows beside {part['live']}"
        for part in figures["largest_tables"]
        if part["dead"] > 1_000 and part["dead"] > DEAD_SHARE * part["live"]
    ]
    return [*_leaks(figures["memory_mb"]), *bloated, *(fault for fault, is_held in held.items() if not is_held)]


def _leaks(memory: Mapping[str, Sequence[float | None]]) -> list[str]:
    """The processes that grew, and the functions of which none lived through enough days to be compared."""
    found, lived = [], {name.partition("/")[0]: 0 for name, nights in memory.items() if nights[0]}
    for name, nights in memory.items():
        sizes = [size for size in nights if size]
        function = name.partition("/")[0]
        if function in lived:
            lived[function] = max(len(sizes) - 1, lived[function])
        found += [f"{name}: from {sizes[0]} to {sizes[-1]} MB"] if sizes[-1] > GROWTH * sizes[0] else []
    found += [f"{function}: no process lived through {LIVED} days" for function, days in lived.items() if days < LIVED]
    return sorted(found) if lived else ["no process was measured"]


def main() -> int:
    """Run the days, judge the end, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the seven days together, without the set-up")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    day_s = max(arguments.minutes * 60 / DAYS - NIGHT_S, 5.0)
    print(f"A SIMULATION: {DAYS} business days in {arguments.minutes:g} minutes", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="tds-soak-", ignore_cleanup_errors=True) as folder,
        deployed(
            StateDirectory(Path(folder)), wish(arguments.seed, DeletionFloor=str(DAYS * DELETIONS_A_DAY))
        ) as stack,
        Gauges(stack) as gauges,
    ):
        begin(stack)
        soak = Soak(stack, gauges)
        soak.start()
        ((since,),) = stack.query("SELECT clock_timestamp()")
        started = time.monotonic()
        found: list[str] = []
        try:
            for number in range(1, DAYS + 1):
                steps = draw(arguments.seed * 100 + number, seconds=day_s, deeds=GENTLE)
                soak.day(number, steps, seconds=day_s)
            judge(stack, refusals=soak.refusals, minutes=(time.monotonic() - started) / 60)
        except (AssertionError, CommandFailed) as exc:
            found = [f"NOT EQUAL: {exc}"]
        latency = stack.deployment.ask("status", {"since": since.isoformat()})["webhooks"]
        figures = soak.report(stack.zoho("GET", "/stats"), latency, stack.query(_RUNS, [since])[0])
        found += faults(figures)
    print(json.dumps(figures, indent=2))
    good = "equal at the end, limits kept, nothing grew, stuck or was late"
    print(f"a simulation of {DAYS} days: {'; '.join(found) or good}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
