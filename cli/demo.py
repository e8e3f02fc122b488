"""`make demo`: a company's history and then its working day, from Zoho to PostgreSQL, on a stack of its own.

Exits with 0 only if every count and total is equal on both sides and nothing is pending, parked or dead.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from cli import output, render
from cli.commands.simulate import target
from cli.deployment import Deployment
from cli.display import Display, Screen
from cli.failure import CommandFailed, ExitCode
from cli.follow import Follower
from cli.local.stack import LocalStack, Wish
from cli.local.state import StackState, StateDirectory
from cli.progress import Snapshot, duration
from cli.reckoning import Account, accounts, least_calls
from cli.simulation import Simulation
from cli.spoil import spoil
from cli.verification import Stage, follow
from tds_core.entities import REGISTRY

CHANGES = 300
RATE, IN_FLIGHT, REAL_RATE = 12_000, 10, 100
DAY_LIMIT = 40_000  # at any hour of it, a day leaves room for a history, its images, and one more image after both
PATIENCE_S = 300.0
_SPOILED_EACH = 3
_LOOK_S = 0.5
_MIX = {"create": 25, "edit": 53, "pay": 20, "delete": 2}
_FIRST = {"events": 24, "per_second": 0, "seed": 2, "mix": _MIX}
_DAY = {"events": CHANGES, "per_second": 30, "seed": 1, "mix": _MIX}
# few at a time: the emulator starts a function for each webhook that waits, and each start costs seconds of two cores
_WEATHER = {
    "duplication": 0.1,
    "reordering": 0.15,
    "reorder_s": 2.0,
    "delay_s": [0.0, 0.3],
    "concurrency": 3,
    "timeout_s": 60,
}
# the demo waits for its webhooks itself, so a deletion found after them was not announced
_PARAMETERS = {"RippleHoldS": "2", "AnnouncedWithinS": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the demo found."""

    accounts: list[Account]
    least_calls: int
    history_calls: int
    zoho: Mapping[str, Any]
    deliveries: Mapping[str, int]
    first: Mapping[str, Any]
    latency: Mapping[str, Any]
    parked: Mapping[str, int]
    dead_letters: Mapping[str, int]
    images: Mapping[str, Any]
    image_url: str
    spoiled: int
    verification: Mapping[str, Any]

    @property
    def healed(self) -> int:
        """The records that the verification found wrong and set right."""
        return sum(part["healed"] for part in self.verification["entities"].values())

    @property
    def faults(self) -> list[str]:
        """What is not as it has to be, in words."""
        found = [f"{part.entity} differ" for part in self.accounts if not part.is_equal]
        found += [f"{count} of {entity} given up" for entity, count in self.parked.items()]
        found += [f"{count} dead letters in {queue}" for queue, count in self.dead_letters.items()]
        if not self.images["ok"]:
            found.append("images are missing or wrong")
        if not self.verification["ok"]:
            found.append("the verification says not equal")
        if self.healed != self.spoiled:
            found.append(f"{self.spoiled} records were spoiled and {self.healed} healed")
        bad = self.deliveries.get("refused", 0) + self.deliveries.get("failed", 0)
        return found + ([f"{bad} webhooks were not taken"] if bad else [])


@dataclass(slots=True)
class Demo:
    """The road, walked once on a running stack."""

    deployment: Deployment
    screen: Console
    simulation: Simulation = field(init=False)
    follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self.simulation = Simulation(self.deployment.control_url)
        self.follower = Follower(self.deployment.ask, timeout_s=PATIENCE_S)

    def run(self) -> Result:
        """History, a working day of webhooks, and the reckoning."""
        self._say("reading Zoho's lists, then every document that they show")
        truth = self.simulation.ask("GET", "/truth")
        self._walk([])
        history = self.simulation.ask("GET", "/stats")
        pictures = self.deployment.ask("status", {})["images"]["expected"]
        self._say("a few changes in Zoho: the first webhooks wait until the functions have started")
        _, first = self._work(_FIRST)
        self._say(f"{CHANGES} changes in Zoho, announced by signed webhooks: some twice, some out of order")
        deliveries, latency = self._work(_DAY)
        self._say("looking for what no webhook announces: stock and balances")
        snapshot = self._catch_up()
        spoiled = self._spoil()
        self._say(f"{spoiled} records are spoiled in PostgreSQL: lost, changed, invented; a verification heals them")
        verification = self._verify()
        figures = self.deployment.ask("status", {})
        self._say("looking at every image over its public address")
        images = self.deployment.ask("images_verify", {})
        return Result(
            accounts=accounts(self.simulation.ask("GET", "/truth"), figures["entities"]),
            least_calls=least_calls({name: part["count"] for name, part in truth.items()}) + pictures,
            history_calls=history["total_calls"],
            zoho=self.simulation.ask("GET", "/stats"),
            deliveries=deliveries,
            first=first,
            latency=latency,
            parked=snapshot.parked,
            dead_letters=self.deployment.dead_letters(),
            images=images,
            spoiled=spoiled,
            verification=verification,
            image_url=self.deployment.ask("images_status", {})["example"] or "none",
        )

    def _walk(self, entities: list[str]) -> Snapshot:
        """Walk these entities' lists, or all, and wait for everything that is still to be fetched."""
        self.deployment.ask("backfill", {"entities": entities})
        return self._wait()

    def _work(self, plan: Mapping[str, Any]) -> tuple[Mapping[str, int], Mapping[str, Any]]:
        """Have people work in Zoho and wait until each of its webhooks is a row: deliveries, and latency."""
        self.simulation.ask("PUT", "/webhooks", body=target(self.deployment) | _WEATHER)
        self.simulation.ask("POST", "/webhooks/reset")
        started, since = time.monotonic(), self.deployment.ask("status", {})["now"]
        self.simulation.ask("POST", "/activity", body=plan)
        while time.monotonic() - started < PATIENCE_S:
            activity, webhooks = (self.simulation.ask("GET", path) for path in ("/activity", "/webhooks"))
            counts: Mapping[str, int] = webhooks["counts"]
            is_quiet = not activity["running"] and not webhooks["pending"] and not self.deployment.queued()
            if is_quiet and self._latency(since)["count"] >= counts.get("accepted", 0):
                self._wait()
                return counts, self._latency(since)
            time.sleep(_LOOK_S)
        raise CommandFailed("the webhooks were not all applied in time", ExitCode.NOT_OK)

    def _latency(self, since: str) -> Mapping[str, Any]:
        webhooks: Mapping[str, Any] = self.deployment.ask("status", {"since": since})["webhooks"]
        return webhooks

    def _catch_up(self) -> Snapshot:
        """Poll every list and walk those whose balances move without a version."""
        run = self.follower.poll()
        if run.error:
            raise CommandFailed(f"the poll failed: {run.error}", ExitCode.NOT_OK)
        return self._walk([name for name, spec in REGISTRY.items() if spec.walk == "balances"])

    def _spoil(self) -> int:
        """Do damage that no webhook and no poll would find."""
        assert self.deployment.local is not None
        return spoil(self.deployment.local.database_dsn, each=_SPOILED_EACH)

    def _verify(self) -> Mapping[str, Any]:
        """Hold everything against Zoho and have it healed; the report."""
        run = self.deployment.ask("verify", {"heal": True})["run"]
        with Screen[Stage](self.screen, lambda stage: stage.sentence, lambda stage: stage.sentence) as screen:
            return follow(self.deployment.ask, run, screen.show, timeout_s=PATIENCE_S)

    def _wait(self) -> Snapshot:
        with Display(self.screen) as display:
            return self.follower.until_over(display.show)

    def _say(self, text: str) -> None:
        self.screen.print(f"\n[bold]{text}[/]", highlight=False)


def report(result: Result, *, set_up_s: float | None, run_s: float) -> list[Any]:
    """The result for people."""
    calls, told = result.zoho["total_calls"], result.deliveries
    limited = sum(result.zoho["refused"].values())
    rows = {
        "webhooks": f"{CHANGES} changes made {told.get('accepted', 0):,} webhooks, {told.get('duplicated', 0)} of them "
        f"twice, {told.get('reordered', 0)} out of order",
        "latency": f"{render.latency(result.latency)}, from the receiver to the commit; "
        f"before, while the functions started, {render.latency(result.first)}",
        "Zoho calls": f"{result.history_calls:,} for the history, {result.least_calls:,} are the least that it needs; "
        f"{calls:,} in all, {limited} refused with 429, tokens minted: {result.zoho['mints']}",
        "rate": f"the demo allows {RATE:,} calls a minute and {DAY_LIMIT:,} a day; at Zoho's {REAL_RATE} a minute "
        f"these calls take {duration(calls / REAL_RATE * 60)}",
        "images": f"{result.images['expected']:,} in Zoho, {result.images['stored']:,} stored, "
        f"{result.images['reachable']:,} reachable; one of them: {result.image_url}",
        "verified": f"{result.spoiled} records were spoiled, {result.healed} found and healed with "
        f"{result.verification['zoho_calls']} calls in {duration(result.verification['seconds'])}",
        "time": f"set-up {_seconds(set_up_s)}, run {_seconds(run_s)}",
    }
    lines = [f"{name:12} {text}" for name, text in rows.items()]
    verdict = "[bold green]equal: every count and every total[/]"
    if result.faults:
        verdict = f"[bold red]not equal: {', '.join(result.faults)}[/]"
    return [render.comparison(result.accounts), *lines, "", verdict]


def _seconds(value: float | None) -> str:
    return "done before" if value is None else f"{value:.0f} s"


def main() -> ExitCode:
    """Bring a stack up, run the demo, and leave nothing behind unless KEEP=1."""
    started, keep = time.monotonic(), os.environ.get("KEEP") == "1"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = output.console()
    stack = LocalStack(
        StateDirectory(Path(tempfile.mkdtemp(prefix="tds-demo-"))),
        report=lambda text: screen.print(f"{time.monotonic() - started:5.1f} s  {text}", highlight=False),
    )
    try:
        state = stack.up(_wish(schedules=keep), tethered=not keep)
        result = Demo(Deployment(stack=state.stack_name, region=state.region, local=state), screen).run()
    except KeyboardInterrupt:
        keep = False
        screen.print("interrupted; everything is being ended")
        return ExitCode.NOT_OK
    except CommandFailed as exc:
        screen.print(f"[bold red]error:[/] {exc}", highlight=False)
        return ExitCode.NOT_OK
    else:
        for part in report(result, set_up_s=_set_up_s(), run_s=time.monotonic() - started):
            screen.print(part, highlight=False, soft_wrap=isinstance(part, str))
        _show_page(screen, state, keep=keep)
        if keep:
            _explain(screen, state, stack.directory.root)
        return ExitCode.NOT_OK if result.faults else ExitCode.OK
    finally:
        if not keep:
            screen.print("ending the stack and removing its data", style="dim")
            _end(stack)


def _wish(*, schedules: bool) -> Wish:
    return Wish(
        size="demo",
        minute_limit=RATE,
        in_flight_limit=IN_FLIGHT,
        day_limit=DAY_LIMIT,
        schedules=schedules,
        fresh=True,
        parameters=_PARAMETERS,
    )


def _set_up_s() -> float | None:
    """What the Makefile measured; None when the demo was started without it."""
    text = os.environ.get("SETUP_SECONDS", "")
    return float(text) if text.replace(".", "", 1).isdigit() else None


def _show_page(screen: Console, state: StackState, *, keep: bool) -> None:
    """Where the status page is, and who may see it; it lives as long as the stack."""
    until = "" if keep else "  (KEEP=1 keeps the stack, with its schedules on, so that one can look at it)"
    screen.print(f"\nstatus page  {state.status_url}{until}", highlight=False, soft_wrap=True, markup=False)
    for user, password in (("viewer", state.viewer_password), ("operator", state.operator_password)):
        screen.print(f"  login      {user} / {password}", highlight=False, soft_wrap=True, markup=False)


def _explain(screen: Console, state: StackState, directory: Path) -> None:
    screen.print(
        f"\nthe stack keeps running; to use it:  export TDS_STATE_DIR={directory}", highlight=False, soft_wrap=True
    )
    for name in ("api_url", "image_base_url", "database_dsn", "zoho_url", "aws_endpoint_url"):
        screen.print(f"  {name:17} {getattr(state, name)}", highlight=False, soft_wrap=True)
    screen.print(
        "then `.venv/bin/tds status`, `.venv/bin/tds simulate activity`, and at the end `.venv/bin/tds down`",
        highlight=False,
    )


def _end(stack: LocalStack) -> None:
    """End the stack and forget its data, however impatient somebody is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stack.down()
    stack.directory.remove_data()
    shutil.rmtree(stack.directory.root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
