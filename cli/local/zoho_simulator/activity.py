"""A working day in fast motion: staff create, edit, pay and delete in the background."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from cli.local.zoho_simulator.entities import views
from cli.local.zoho_simulator.records import Refused, pick
from cli.local.zoho_simulator.world import World

ACTIONS = ("create", "edit", "pay", "delete")
ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to happen; `per_second` 0 is as fast as it goes, `double` is the share of edits done twice at once."""

    events: int = 100
    per_second: float = 10.0
    seed: int = 1
    mix: Mapping[str, float] = field(default_factory=lambda: {"create": 25, "edit": 45, "pay": 20, "delete": 10})
    entities: tuple[str, ...] = tuple(name for name, (_, view) in views().items() if view.busy)
    double: float = 0.08
    webhook: bool = True

    def __post_init__(self) -> None:
        if unknown := set(self.mix) - set(ACTIONS):
            raise ValueError(f"unknown action {', '.join(sorted(unknown))}: choose of {', '.join(ACTIONS)}")
        if unknown := set(self.entities) - set(views()):
            raise ValueError(f"unknown entity {', '.join(sorted(unknown))}: choose of {', '.join(views())}")
        if sum(self.mix.values()) <= 0 or not self.entities or self.events < 0 or self.per_second < 0:
            raise ValueError("an activity needs a mix, entities, and numbers that are not negative")


class Activity:
    """Carries out one plan at a time; the same plan on the same organisation does the same."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._plan: Plan | None = None
        self._task: asyncio.Task[None] | None = None
        self._done = 0
        self._by: Counter[str] = Counter()
        self._started = self._ended = 0.0

    @property
    def running(self) -> bool:
        """Whether a plan is being carried out."""
        return self._task is not None and not self._task.done()

    def start(self, given: Mapping[str, Any]) -> None:
        """Begin; raises Refused while another plan runs."""
        if self.running:
            raise Refused("an activity is running")
        tuples = {"entities": tuple(given["entities"])} if "entities" in given else {}
        self._plan = plan = Plan(**{**given, **tuples})
        self._done, self._by = 0, Counter()
        self._started, self._ended = time.monotonic(), 0.0
        self._task = asyncio.get_running_loop().create_task(self._run(plan))

    def stop(self) -> None:
        """End after the current change."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, plan: Plan) -> None:
        random = self._world.random(f"activity/{plan.seed}")
        try:
            for number in range(plan.events):
                due = self._started + number / plan.per_second if plan.per_second else 0.0
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self._by[self._change(plan, random)] += 1
                self._done = number + 1
        finally:
            self._ended = time.monotonic()

    def _change(self, plan: Plan, random: Random) -> str:
        """One change; what the books refuse is tried otherwise."""
        for _ in range(ATTEMPTS):
            action = random.choices(tuple(plan.mix), weights=tuple(plan.mix.values()))[0]
            entity = "payments" if action == "pay" else random.choice(plan.entities)
            try:
                return self._act(plan, random, action, entity)
            except Refused:
                continue
        return "skipped"

    def _act(self, plan: Plan, random: Random, action: str, entity: str) -> str:
        world, (spec, view) = self._world, views()[entity]
        if entity not in plan.entities:
            raise Refused(f"no {entity} in this plan")
        if action in ("create", "pay"):
            with world.change(webhook=plan.webhook):
                spec.create(world, random, dict(view.defaults))
            return f"{entity}.created"
        may = spec.may_delete if action == "delete" else view.shows
        record = pick(world.table(spec).records.values(), random, lambda found: view.shows(found) and may(found))
        if record is None:
            raise Refused(f"no {entity}")
        if action == "delete":
            with world.change(webhook=plan.webhook):
                spec.delete(world, record)
            return f"{entity}.deleted"
        for _ in range(2 if random.random() < plan.double else 1):
            with world.change(webhook=plan.webhook):
                spec.edit(world, record, spec.random_edit(world, record, random), True)
        return f"{entity}.updated"

    def shown(self) -> dict[str, Any]:
        """Progress or result."""
        seconds = (self._ended or time.monotonic()) - self._started if self._plan else 0.0
        failed = self._task is not None and self._task.done() and not self._task.cancelled() and self._task.exception()
        return {
            "running": self.running,
            "done": self._done,
            "events": self._plan.events if self._plan else 0,
            "by": dict(sorted(self._by.items())),
            "seconds": round(seconds, 3),
            "error": repr(failed) if failed else "",
            "plan": asdict(self._plan) if self._plan else None,
        }
