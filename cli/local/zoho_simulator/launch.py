"""Starting a simulator as a process of its own, and ending it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cli.local.zoho_simulator.server import Details

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A simulator process and where it is."""

    details: Details
    process: subprocess.Popen[str]

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it; a process that does not heed SIGTERM is killed."""
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout_s)
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(
    *,
    port: int = 0,
    size: str = "small",
    seed: int = 1,
    per_minute: int | None = None,
    in_flight: int | None = None,
    per_day: int | None = None,
    counts: Mapping[str, int] | None = None,
    base_date: str = "",
    stderr: IO[str] | int | None = None,
) -> Running:
    """Start `python -m cli.local.zoho_simulator` and wait for the line that it prints.

    The process ends with this one. Raises RuntimeError when it ends before it serves.
    """
    command = [sys.executable, "-m", "cli.local.zoho_simulator", "--port", str(port), "--size", size]
    command += ["--seed", str(seed)]
    for name, value in (("per-minute", per_minute), ("in-flight", in_flight), ("per-day", per_day)):
        command += [f"--{name}", str(value)] if value is not None else []
    for entity, count in (counts or {}).items():
        command += ["--count", f"{entity}={count}"]
    command += ["--base-date", base_date] if base_date else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=ROOT)
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise RuntimeError(f"the simulator ended with status {process.wait()}")
    return Running(details=Details(**json.loads(line)), process=process)
