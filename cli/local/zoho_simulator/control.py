"""The control interface under /_simulator/: the truth, changes, faults, limits and what was counted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.local.zoho_simulator.control_books import Books
from cli.local.zoho_simulator.control_requests import Raw, body, route
from cli.local.zoho_simulator.faults import KINDS
from cli.local.zoho_simulator.paths import hint

if TYPE_CHECKING:
    from cli.local.zoho_simulator.service import Service

LIMIT_NAMES = ("per_minute", "in_flight", "per_day", "latency_s")


class Control:
    """Handlers of the control interface; those of the books stand apart."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._world = service.world

    def routes(self) -> list[Route]:
        """Every path under /_simulator/."""
        return [
            *Books(self._world).routes(),
            route("/health", GET=self.health),
            route("/faults", GET=self.faults, POST=self.add_fault, DELETE=self.clear_faults),
            route("/limits", GET=self.limits, PUT=self.set_limits),
            route("/quirks", GET=self.quirks, PUT=self.set_quirks),
            route("/stats", GET=self.stats),
            route("/stats/reset", POST=self.reset_stats),
            route("/activity", GET=self.activity, POST=self.start_activity, DELETE=self.stop_activity),
            route("/webhooks", GET=self.webhooks, PUT=self.set_webhooks),
            route("/webhooks/reset", POST=self.reset_webhooks),
            route("/new-day", POST=self.new_day),
            route("/tokens", DELETE=self.revoke_tokens),
        ]

    async def health(self, request: Request) -> Response:
        """Alive, and what with."""
        options = self._world.options
        return Raw(
            {"ok": True, "size": options.size, "seed": options.seed, "base_date": self._world.base_date.isoformat()}
        )

    # -- faults, limits, counts

    async def faults(self, request: Request) -> Response:
        """The faults in force and the kinds there are."""
        return Raw({"faults": [fault.shown() for fault in self._service.faults.active], "kinds": dict(KINDS)})

    async def add_fault(self, request: Request) -> Response:
        """Put one fault, or a list of them, in force; `hints` tell of those that can concern no call."""
        given = await request.json()
        added = [self._service.faults.add(entry) for entry in (given if isinstance(given, list) else [given])]
        hints = [told for fault in added if (told := hint(fault, self._world.specs))]
        return Raw({"faults": [fault.shown() for fault in added], "hints": hints}, 201)

    async def clear_faults(self, request: Request) -> Response:
        """No faults any more."""
        self._service.faults.clear()
        return Raw({"faults": []})

    async def limits(self, request: Request) -> Response:
        """The limits in force."""
        return Raw({**asdict(self._service.limits.limits), "token_life_s": self._service.accounts.life_s})

    async def set_limits(self, request: Request) -> Response:
        """Change limits; `spent_today` counts calls of others, `reset` begins a new minute, day and mint window."""
        given = await body(request)
        unknown = set(given) - {*LIMIT_NAMES, "spent_today", "reset", "token_life_s"}
        if unknown:
            raise ValueError(f"unknown limit {', '.join(sorted(unknown))}")
        if given.get("reset"):
            self._service.limits.forget()
            self._service.accounts.forget_mints()
        for name in LIMIT_NAMES:
            if name in given:
                value = given[name]
                setattr(self._service.limits.limits, name, value if value is None else _positive(name, value))
        self._service.accounts.life_s = int(given.get("token_life_s", self._service.accounts.life_s))
        self._service.limits.spend_day("books", int(given.get("spent_today", 0)))
        return await self.limits(request)

    async def quirks(self, request: Request) -> Response:
        """How the points on which no source is sure are decided."""
        return Raw(asdict(self._world.options.quirks))

    async def set_quirks(self, request: Request) -> Response:
        """Decide some of them otherwise."""
        quirks, given = self._world.options.quirks, await body(request)
        for name, value in given.items():
            if type(getattr(quirks, name)) is not type(value):
                raise ValueError(f"{name} is a {type(getattr(quirks, name)).__name__}")
        for name, value in given.items():
            setattr(quirks, name, value)
        for table in self._world.tables.values():  # some quirks show in list rows
            for record in table.records.values():
                record.forget()
        return await self.quirks(request)

    async def stats(self, request: Request) -> Response:
        """Calls since the last reset."""
        shown = self._service.limits.stats.shown()
        return Raw({**shown, **self._service.accounts.shown(), "in_flight": self._service.limits.in_flight})

    async def reset_stats(self, request: Request) -> Response:
        """Count anew."""
        self._service.reset_stats()
        return await self.stats(request)

    # -- what goes on by itself

    async def activity(self, request: Request) -> Response:
        """Progress or result of the activity."""
        return Raw(self._service.activity.shown())

    async def start_activity(self, request: Request) -> Response:
        """Let staff work in the background."""
        self._service.activity.start(await body(request))
        return Raw(self._service.activity.shown(), 202)

    async def stop_activity(self, request: Request) -> Response:
        """Send them home."""
        self._service.activity.stop()
        return Raw(self._service.activity.shown())

    async def webhooks(self, request: Request) -> Response:
        """Settings, counts, times; `?deliveries=N` the last N deliveries too."""
        return Raw(self._service.emitter.shown(int(request.query_params.get("deliveries", 0))))

    async def set_webhooks(self, request: Request) -> Response:
        """Change settings; those not given stay."""
        self._service.emitter.configure(await body(request))
        return Raw(self._service.emitter.shown())

    async def reset_webhooks(self, request: Request) -> Response:
        """Count deliveries anew."""
        self._service.emitter.reset()
        return Raw(self._service.emitter.shown())

    async def new_day(self, request: Request) -> Response:
        """What time changes by itself, as of the given `today` or of now."""
        today = str((await body(request)).get("today", self._world.today().isoformat()))
        with self._world.change():
            for spec in self._world.specs:
                if spec.age is not None:
                    spec.age(self._world, date.fromisoformat(today).isoformat())
        return Raw({"today": today})

    async def revoke_tokens(self, request: Request) -> Response:
        """Kill every access token."""
        self._service.accounts.revoke()
        return Raw(self._service.accounts.shown())


def _positive(name: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name}: a number that is not negative, or null")
    return value
