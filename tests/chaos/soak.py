"""Seven business days in ten minutes, with faults: `python -m tests.chaos.soak --minutes 10 --seed 1`.

A simulation: people work in bursts, each day ends with its night's walks, and faults befall every day. What it shows is
whether anything grows, leaks or gets stuck. The real days without a failure are counted in `tds status`.
Exits with 0 only if the mirror is Zoho's equal at the end, nothing is dead, the limits were kept, and nothing grew.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cli.failure import CommandFailed
from cli.local.state import StateDirectory
from tests.chaos.judge import begin, judge, wish
from tests.chaos.plan import Step, draw
from tests.chaos.storm import Storm
from tests.stack.comparison import recover
from tests.stack.running import Json, Stack, deployed

DAYS = 7
NIGHT_S = 8.0  # of each day's time, at least; a night takes as long as its walks
LIMIT_CONNECTIONS = 50
GROWTH = 1.5  # a process that holds this many times what it held after the first day leaks
DEAD_SHARE = 0.5
# what kills functions or PostgreSQL is the storm's: memory can be compared only in processes that live
GENTLE = ("work", "fault", "token")

_CONNECTIONS = "SELECT count(*)::int FROM pg_stat_activity WHERE starts_with(application_name, 'tds-')"
_WAITING = "SELECT count(*)::int FROM pg_locks WHERE NOT granted"
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
    """One run: the days, and what was measured at the end of each."""

    stack: Stack
    memory: list[dict[int, tuple[str, float]]] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    webhooks: dict[str, int] = field(default_factory=dict)
    refusals: int = 0

    def day(self, number: int, steps: list[Step], *, seconds: float) -> None:
        """A business day with its faults, then its night."""
        Storm(self.stack, lambda _: None).run(steps, seconds=seconds)
        self._sample()
        self.refusals += recover(self.stack)
        self.stack.zoho("POST", "/new-day", {})
        self.stack.backfill()
        self.stack.deployment.invoke(self.stack.resource("Housekeeping"), {"mode": "housekeeping"})
        self._sample()
        self.memory.append(resident(self.stack))
        self.sizes.append(sum(size for *_, size in self.stack.query(_TABLES)))
        print(f"day {number}: {self.sizes[-1] / 1e6:.1f} MB of tables, {self.connections[-1]} connections", flush=True)

    def report(self, stats: Json, latency: Json, runs: tuple[Any, ...]) -> Json:
        """The figures, for people and for the books."""
        deadlocks, conflicts = self.stack.query(_DATABASE)[0]
        tables = self.stack.query(_TABLES)
        return {
            "simulated_business_days": len(self.memory),
            "runs": {"all": runs[0], "without_failure": runs[1], "rate": round(runs[1] / max(runs[0], 1), 4)},
            "failures": sorted(runs[2]),
            "webhook_s": latency["seconds"],
            "webhooks": latency["count"],
            "memory_mb": self._memory(),
            "connections_most": max(self.connections),
            "locks_waiting_most": max(self.waiting),
            "deadlocks": deadlocks,
            "conflicts": conflicts,
            "tables_mb": {"after_first_day": self.sizes[0] / 1e6, "at_the_end": self.sizes[-1] / 1e6},
            "largest_tables": [
                {"table": name, "live": live, "dead": dead, "mb": round(size / 1e6, 2)}
                for name, live, dead, size in tables[:6]
            ],
            "calls": stats["total_calls"],
            "mints": stats["mints"],
        }

    def faults(self, figures: Json) -> list[str]:
        """What grew or stuck."""
        found = [
            f"{name}: from {sizes['after_first_day']} to {sizes['at_the_end']} MB"
            for name, sizes in figures["memory_mb"].items()
            if sizes["at_the_end"] > GROWTH * sizes["after_first_day"]
        ]
        found += [
            f"{part['table']}: {part['dead']} dead rows beside {part['live']}"
            for part in figures["largest_tables"]
            if part["dead"] > 1_000 and part["dead"] > DEAD_SHARE * part["live"]
        ]
        if figures["connections_most"] > LIMIT_CONNECTIONS:
            found.append(f"{figures['connections_most']} connections")
        return found

    def _sample(self) -> None:
        self.connections.append(self.stack.query(_CONNECTIONS)[0][0])
        self.waiting.append(self.stack.query(_WAITING)[0][0])

    def _memory(self) -> dict[str, dict[str, float]]:
        """Of the processes that lived from the end of the first day to the end of the last."""
        first, last = self.memory[0], self.memory[-1]
        return {
            f"{first[pid][0]}/{pid}": {"after_first_day": first[pid][1], "at_the_end": last[pid][1]}
            for pid in sorted(first.keys() & last.keys(), key=lambda pid: first[pid])
        }


def resident(stack: Stack) -> dict[int, tuple[str, float]]:
    """Each function process's name and resident memory in MB, by process id."""
    found: dict[int, tuple[str, float]] = {}
    for name, processes in stack.workers().items():
        for process in processes:
            try:
                found[process.pid] = (name, round(process.memory_info().rss / 1e6, 1))
            except psutil.NoSuchProcess:
                continue
    return found


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
        deployed(StateDirectory(Path(folder)), wish(arguments.seed)) as stack,
    ):
        begin(stack)
        ((since,),) = stack.query("SELECT clock_timestamp()")
        started, soak = time.monotonic(), Soak(stack)
        try:
            for number in range(1, DAYS + 1):
                steps = draw(arguments.seed * 100 + number, seconds=day_s, deeds=GENTLE)
                soak.day(number, steps, seconds=day_s)
            stats = judge(stack, refusals=soak.refusals, minutes=(time.monotonic() - started) / 60)
        except (AssertionError, CommandFailed) as exc:
            print(f"NOT EQUAL: {exc}", flush=True)
            return 1
        latency = stack.deployment.ask("status", {"since_s": time.monotonic() - started})["webhooks"]
        figures = soak.report(stats, latency, stack.query(_RUNS, [since])[0])
        faults = soak.faults(figures)
    print(json.dumps(figures, indent=2))
    print(f"a simulation of {DAYS} days: {'; '.join(faults) or 'equal at the end, limits kept, nothing grew'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
