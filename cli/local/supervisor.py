"""Runs the processes of one local stack and ends them: one process group, started by `tds up`.

Standard input is the tether: what it says first is the plan, as one line of JSON; `release` lets the stack outlive
whoever started it, and an end without that ends the stack, so that nothing is left behind by a killed parent.
Standard output says once, as one line of JSON, where everything is. SIGTERM ends the stack. SIGUSR1 stops PostgreSQL
and SIGUSR2 starts it again on its port, for drills of an outage.
"""

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from cli.local.emulator import Emulator
from cli.local.ports import free_port, wait_for_port
from cli.local.postgres import Postgres, run_as
from cli.local.state import PROJECT

_TRIES = 5
_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 20.0
_ASKED = "asked to end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: `simulator` holds the simulator's options, None means that there is another Zoho server."""

    data: str
    logs: str
    simulator: list[str] | None

    def line(self) -> str:
        """The plan as the supervisor reads it."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(slots=True)
class Supervisor:
    """The running processes, by name, in the order in which they were started."""

    plan: Plan
    processes: dict[str, "subprocess.Popen[Any]"] = field(default_factory=dict)
    database_port: int = 0
    outage: bool = False
    wishes: "deque[Callable[[], None]]" = field(default_factory=deque)

    def start(self) -> dict[str, Any]:
        """Start everything and say where it is."""
        data = Path(self.plan.data)
        database, emulator = Postgres(data), Emulator(data)
        database.prepare()
        emulator.prepare()
        self.database_port = self._start_on_a_free_port("postgres", self._start_postgres, database.wait)
        database.create_owner(self.database_port)
        emulator_port = self._start_on_a_free_port("emulator", self._start_emulator, emulator.wait)
        emulator_url = f"http://127.0.0.1:{emulator_port}"
        image_port = self._start_on_a_free_port(
            "images", lambda port: self._start_image_gateway(port, emulator_url), wait_for_port
        )
        return {
            "database_dsn": database.dsn(self.database_port),
            "owner_password": database.password("tds_owner"),
            "database_port": self.database_port,
            "aws_endpoint_url": emulator_url,
            "image_base_url": f"http://127.0.0.1:{image_port}",
            "simulator": self._start_simulator() if self.plan.simulator is not None else None,
        }

    def obey(self) -> None:
        """Do what signals asked for, one after the other: PostgreSQL is started when it has ended, not before."""
        while self.wishes:
            self.wishes.popleft()()

    def broken(self) -> str | None:
        """The name of a process that ended by itself; PostgreSQL may, during an outage."""
        for name, process in self.processes.items():
            if process.poll() is not None and not (name == "postgres" and self.outage):
                return name
        return None

    def stop(self) -> None:
        """End everything: who calls before who is called, and PostgreSQL cleanly.

        The emulator, which keeps nothing, would spend its patience on removing the folders of its functions.
        """
        ends = {"images": signal.SIGKILL, "emulator": signal.SIGKILL, "simulator": signal.SIGTERM}
        for name, how in (*ends.items(), ("postgres", signal.SIGINT)):
            if name in self.processes:
                self._stop(name, how)

    def stop_postgres(self) -> None:
        """Begin an outage of PostgreSQL."""
        self.outage = True
        self._stop("postgres", signal.SIGINT)

    def start_postgres(self) -> None:
        """End the outage."""
        if self.processes["postgres"].poll() is not None:
            self._start_postgres(self.database_port)
            Postgres(Path(self.plan.data)).wait(self.database_port, self.processes["postgres"])
        self.outage = False

    def _start_on_a_free_port(
        self, name: str, start: Callable[[int], None], wait: Callable[[int, "subprocess.Popen[Any]"], bool]
    ) -> int:
        for _ in range(_TRIES):
            port = free_port()
            start(port)
            if wait(port, self.processes[name]):
                return port
            self._stop(name, signal.SIGTERM)
        raise RuntimeError(f"{name} does not start; see {self.plan.logs}/{name}.log")

    def _start_postgres(self, port: int) -> None:
        command = Postgres(Path(self.plan.data)).command(port)
        self._spawn("postgres", command, ends_with=signal.SIGINT, **run_as())

    def _start_emulator(self, port: int) -> None:
        emulator = Emulator(Path(self.plan.data))
        self._spawn("emulator", emulator.command(), cwd="/", env=emulator.environment(port))

    def _start_image_gateway(self, port: int, emulator_url: str) -> None:
        self._spawn("images", [sys.executable, "-m", "cli.local.image_gateway", str(port), emulator_url], cwd=PROJECT)

    def _start_simulator(self) -> Mapping[str, Any]:
        command = [sys.executable, "-m", "cli.local.zoho_simulator", "--port", "0", *(self.plan.simulator or [])]
        process = self._spawn("simulator", command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"simulator does not start; see {self.plan.logs}/simulator.log")
        details: Mapping[str, Any] = json.loads(line)
        return details

    def _spawn(
        self, name: str, command: list[str], *, ends_with: signal.Signals = signal.SIGKILL, **options: Any
    ) -> "subprocess.Popen[Any]":
        with (Path(self.plan.logs) / f"{name}.log").open("ab") as log:
            stated: dict[str, Any] = {"stdout": log, "stdin": subprocess.DEVNULL, "stderr": log, **options}
            self.processes[name] = subprocess.Popen(command, preexec_fn=lambda: _end_with_parent(ends_with), **stated)
        return self.processes[name]

    def _stop(self, name: str, how: signal.Signals) -> None:
        process = self.processes[name]
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class _Ended(Exception):
    """Somebody asked for the end."""


def _end_with_parent(how: signal.Signals) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(how))


def _ended(_signal: int, _frame: FrameType | None) -> None:
    raise _Ended


def watch(supervisor: Supervisor, tether: IO[str]) -> str:
    """Wait until the stack has to end and say why."""
    with selectors.DefaultSelector() as selector:
        selector.register(tether, selectors.EVENT_READ)
        while True:
            if selector.get_map() and selector.select(timeout=0.5):
                if tether.readline().strip() != "release":
                    return "whoever started it has ended"
                selector.unregister(tether)
            elif not selector.get_map():
                signal.sigtimedwait([], 0.5)
            supervisor.obey()
            if name := supervisor.broken():
                return f"{name} has ended"


def main() -> None:
    """Run one stack; the last thing it does is to kill its own process group."""
    supervisor = Supervisor(Plan(**json.loads(sys.stdin.readline())))
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGINT, _ended)
    signal.signal(signal.SIGUSR1, lambda *_: supervisor.wishes.append(supervisor.stop_postgres))
    signal.signal(signal.SIGUSR2, lambda *_: supervisor.wishes.append(supervisor.start_postgres))
    reason = _ASKED
    try:
        print(json.dumps(supervisor.start()), flush=True)
        reason = watch(supervisor, sys.stdin)
    except RuntimeError as exc:
        print(json.dumps({"error": str(exc)}), flush=True)
        reason = str(exc)
    except _Ended:
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        print(f"ending: {reason}", file=sys.stderr, flush=True)
        supervisor.stop()
        if reason != _ASKED:  # nobody waits for the end, so nobody cleans up afterwards
            Emulator(Path(supervisor.plan.data)).clean_up()
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
