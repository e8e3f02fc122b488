"""What the CLI asks: one command in, one answer out. Commands that work do so by waking the backfill function."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tds_core.database import announcements, backlog, deletions, images, probe, reckoning, runs, verifications
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, entity
from tds_core.entities.model import parse_instant
from tds_core.errors import InvalidText, TdsError, UnknownCommand
from tds_core.ids import parse_id
from tds_core.lossless_json import is_storable
from tds_core.plain import plain
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync import overview, plan, silence
from tds_core.sync.budget_commands import BudgetCommands
from tds_core.sync.dead_letters import LISTED, DeadLetters
from tds_core.sync.doctor import Doctor
from tds_core.sync.image_commands import ImageCommands
from tds_core.sync.places import Ending
from tds_core.sync.queue import DrainWaker
from tds_core.sync.trace import trace
from tds_core.zoho import status as zoho_status

_log = logging.getLogger(__name__)
_DAY = timedelta(days=1)


class Console:
    """The commands, by name; each takes its arguments by keyword and returns plain values."""

    def __init__(
        self, settings: Settings, *, database: Database, waker: DrainWaker, dead: DeadLetters, doctor: Doctor
    ) -> None:
        self._settings = settings
        self._database = database
        self._waker = waker
        self._images = ImageCommands(settings, database=database, waker=waker)
        self._budget = BudgetCommands(settings, database=database, waker=waker)
        self._dead = dead
        self._doctor = doctor
        self._commands: dict[str, Callable[..., Any]] = {
            "status": self.status,
            "backfill": self.backfill,
            "poll": self.poll,
            "refetch": self.refetch,
            "wake": self.wake,
            "probe": self.probe,
            "plan": self.plan,
            "verify": self.verify,
            "verification": self.verification,
            "differences": self.differences,
            "deletions": self.deletions,
            "approve_deletions": self.approve_deletions,
            "doctor": self.doctor,
            "webhooks": self.webhooks,
            "webhook_load": self.webhook_load,
            "trace": self.trace,
            "images_status": self._images.status,
            "images_sync": self._images.sync,
            "images_verify": self._images.verify,
            "budget": self._budget.show,
            "reopen_budget": self._budget.reopen,
            "dlq_list": self.dlq_list,
            "dlq_show": self.dlq_show,
            "dlq_redrive": self.dlq_redrive,
            "dlq_drop": self.dlq_drop,
        }

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Run {"command", "arguments"}; an error comes back as {"ok": false} with its reason and message."""
        try:
            return {"ok": True, "result": self._run(event)}
        except TdsError as exc:
            _log.warning("command failed", extra={"command": str(event.get("command")), "reason": exc.reason})
            return {"ok": False, "error": {"reason": exc.reason, "message": str(exc)}}

    def _run(self, event: Mapping[str, Any]) -> Any:
        command = self._commands.get(str(event.get("command")))
        if command is None:
            raise UnknownCommand(f"no command {event.get('command')!r}; there are {', '.join(self._commands)}")
        arguments = event.get("arguments") or {}
        if not is_storable(arguments):
            raise InvalidText("the arguments hold NUL or half a character, which no record has")
        try:
            inspect.signature(command).bind(**arguments)
        except TypeError as exc:
            raise UnknownCommand(f"{event.get('command')}: {exc}") from exc
        return command(**arguments)

    def status(self, *, since: str = "") -> dict[str, Any]:
        """Everything that people look at; latency and outcomes since then (`now` of an answer), or of an hour."""
        return overview.read(self._settings, self._database, since=_since(since))

    def plan(self) -> dict[str, Any]:
        """What a day's calls go to, what is left for the history, and how long that takes; makes no call."""
        planned = plan.read(self._settings, self._database)
        calls = {part.purpose: round(part.calls_a_day, 1) for part in planned.parts}
        return {**plain(planned), "calls_a_day": calls}

    def doctor(self) -> dict[str, Any]:
        """Whether everything that the deployment needs is there and at work, each with what to do if not."""
        checks = self._doctor.examine()
        return {"ok": not any(check["grade"] == "broken" for check in checks), "checks": checks}

    def backfill(self, *, entities: Sequence[str] = ()) -> dict[str, Any]:
        """Ask for a whole walk of these entities, or of all, and start it; the details follow by themselves."""
        wanted = [entity(name) for name in entities] or list(REGISTRY.values())
        asked = sorted({spec.scan_name for spec in wanted})
        for scan in asked:
            runs.request_walk(self._database, scan)
        self._waker.start("walk")
        return {"scans": asked}

    def poll(self) -> dict[str, Any]:
        """Start a round over every list at once."""
        self._waker.start("poll", force=True)
        return {}

    def refetch(self, *, name: str, ids: Sequence[str]) -> dict[str, Any]:
        """Fetch documents anew and write them even where nothing seems to differ."""
        spec = entity(name)
        wanted = [parse_id(document_id) for document_id in ids]
        with self._database.transaction() as connection:
            backlog.request(connection, spec.name, wanted, priority=Priority.MANUAL, cause="refetch", forced=True)
        self._waker.wake()
        return {"requested": len(wanted)}

    def trace(self, *, name: str, record: str) -> dict[str, Any]:
        """One record's story, by its id or by what people call it; times are UTC, `time_zone` is the organisation's."""
        told: dict[str, Any] = plain(trace(self._database, entity(name), record))
        return told | {"time_zone": self._zone()}

    def wake(self, *, modes: Sequence[str] = ("walk", "drain")) -> dict[str, Any]:
        """Start walk and drain now: what waits is worked off without waiting for a schedule."""
        for mode in modes:
            self._waker.start(mode)
        return {}

    def verify(self, *, entities: Sequence[str] = (), heal: bool = False) -> dict[str, Any]:
        """Ask for a verification of these entities, or of all, and start it; `heal` has what differs set right."""
        names = [name for name in REGISTRY if not entities or name in {entity(one).name for one in entities}]
        run = verifications.request(self._database, names, cause="manual", heal=heal)
        self._waker.start("verification")
        return {"run": run}

    def verification(self, *, run: int | None = None) -> dict[str, Any]:
        """A verification as it stands, or the newest one: its phase, what it is at, and its report once it is over."""
        shown = verifications.read(self._database, run)
        if shown is None:
            raise UnknownCommand("nothing was verified yet" if run is None else f"no verification {run}")
        progress = verifications.progress(self._database, shown["run_id"])
        return dict(plain(_numbers(shown | {"progress": progress} | {"place": None})))

    def differences(self, *, run: int, after: Sequence[str] = (), limit: int = 1_000) -> list[dict[str, Any]]:
        """What a verification found to differ, with both values, from behind a key (entity, id, kind, field) on."""
        found = reckoning.differences(self._database, run, after=tuple(after), limit=min(limit, 1_000))
        return [dict(plain(one)) for one in found]

    def deletions(self, *, limit: int = 50) -> dict[str, Any]:
        """What Zoho says is gone and is not believed yet, and the newest deletions with their evidence."""
        done = deletions.done(self._database, limit=min(limit, 1_000))
        withheld = deletions.withheld(self._database)
        return dict(plain({"withheld": withheld, "done": done, "time_zone": self._zone()}))

    def approve_deletions(self, *, name: str, by: str) -> dict[str, Any]:
        """Let what is held back of an entity, or of images, be deleted, if it is proved again."""
        name = images.ENTITY if name == images.ENTITY else entity(name).name
        approved = deletions.approve(self._database, name, by=by)
        self._waker.wake()
        return {"approved": approved}

    def probe(self) -> dict[str, Any]:
        """Whether the probe webhook has become a row; if so the row is taken away again."""
        return {"seen": probe.take_away(self._database)}

    def webhooks(self, *, since: str = "") -> dict[str, Any]:
        """What arrived at each address since that time (of an answer of this command), or in the last 24 hours."""
        now = announcements.now(self._database)
        heard = announcements.heard(self._database, since=_since(since) or now - _DAY)
        told = {one.webhook: plain(one) for one in heard}
        return {"now": now.isoformat(), "heard": told, "time_zone": self._zone()}

    def webhook_load(self, *, days: int = 30) -> dict[str, Any]:
        """How many changes a day Zoho would have to announce: on average, on the busiest day, by entity on average."""
        changes = announcements.changes_by_day(self._database, silence.ANNOUNCED, days=days, time_zone=self._zone())
        by_day: dict[date, int] = {}
        by_entity = dict.fromkeys(silence.ANNOUNCED, 0)
        for one in changes:
            by_day[one.day] = by_day.get(one.day, 0) + one.count
            by_entity[one.entity] += one.count
        busiest = max(by_day, key=lambda day: by_day[day], default=None)
        return {
            "days": days,
            "mean": round(sum(by_day.values()) / days, 1),
            "busiest": by_day[busiest] if busiest else 0,
            "busiest_day": busiest.isoformat() if busiest else None,
            "entities": {name: round(count / days, 1) for name, count in by_entity.items()},
        }

    def dlq_list(self, *, limit: int = LISTED) -> dict[str, Any]:
        """Every dead thing, at most so many of each place, and about how many each place holds."""
        found = self._dead.list(limit)
        return {"things": [thing.line for thing in found.things], "totals": found.totals, "time_zone": self._zone()}

    def dlq_show(self, *, id: str) -> dict[str, Any]:
        """One dead thing with what it carries, cut after 64 KiB."""
        thing, payload = self._dead.show(id)
        carried = {"payload": payload.text if payload else None, "bytes": payload.size if payload else 0}
        return {**thing.line, **carried, "time_zone": self._zone()}

    def dlq_redrive(self, *, ids: Sequence[str], operator: str = "") -> dict[str, Any]:
        """Bring dead things back: a message to its queue, an id to the backlog, a run to its function."""
        return self._settle(ids, "redrive", operator)

    def dlq_drop(self, *, ids: Sequence[str], operator: str = "") -> dict[str, Any]:
        """Delete dead things; tds.operations keeps what and by whom."""
        return self._settle(ids, "drop", operator)

    def _zone(self) -> str:
        return zoho_status.day(self._settings, self._database).zone

    def _settle(self, ids: Sequence[str], ending: Ending, operator: str) -> dict[str, Any]:
        done = self._dead.settle([str(id) for id in ids], ending, operator=str(operator))
        return {
            "settled": [id for id, error in done.items() if error is None],
            "stays": {id: f"{error.reason}: {error}" for id, error in done.items() if error is not None},
        }


def _since(text: str) -> datetime | None:
    try:
        return parse_instant(text)
    except ValueError as exc:
        raise UnknownCommand(f"since {text!r} is no time") from exc


def _numbers(value: Any) -> Any:
    """A report with its shares and ages as JSON numbers; its amounts are text already."""
    if isinstance(value, Mapping):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
