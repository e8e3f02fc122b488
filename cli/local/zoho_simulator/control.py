"""The control interface under /_simulator/: the truth, changes, faults, limits and what was counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cli.local.zoho_simulator.entities import views
from cli.local.zoho_simulator.faults import KINDS
from cli.local.zoho_simulator.money import ZERO, plain
from cli.local.zoho_simulator.paths import hint
from cli.local.zoho_simulator.records import EntitySpec, Json, Record, Refused, Totals, View
from cli.local.zoho_simulator.world import encode

if TYPE_CHECKING:
    from cli.local.zoho_simulator.service import Service

Handler = Callable[[Request], Awaitable[Response]]
LIMIT_NAMES = ("per_minute", "in_flight", "per_day", "latency_s")


class NotThere(Exception):
    """No such entity or record."""


class Raw(Response):
    """JSON in the simulator's own encoding."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode as the API does, so that documents compare byte for byte."""
        return encode(content)


class Control:
    """Handlers of the control interface."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._world = service.world
        self._random = service.world.random("control")

    def routes(self) -> list[Route]:
        """Every path under /_simulator/."""
        return [
            self._route("/health", GET=self.health),
            self._route("/truth", GET=self.truth),
            self._route("/documents/{entity}", GET=self.documents, POST=self.create),
            self._route("/documents/{entity}/{id}", GET=self.document, PATCH=self.edit, DELETE=self.delete),
            self._route("/faults", GET=self.faults, POST=self.add_fault, DELETE=self.clear_faults),
            self._route("/limits", GET=self.limits, PUT=self.set_limits),
            self._route("/quirks", GET=self.quirks, PUT=self.set_quirks),
            self._route("/stats", GET=self.stats),
            self._route("/stats/reset", POST=self.reset_stats),
            self._route("/activity", GET=self.activity, POST=self.start_activity, DELETE=self.stop_activity),
            self._route("/webhooks", GET=self.webhooks, PUT=self.set_webhooks),
            self._route("/webhooks/reset", POST=self.reset_webhooks),
            self._route("/new-day", POST=self.new_day),
            self._route("/tokens", DELETE=self.revoke_tokens),
        ]

    def _route(self, path: str, **handlers: Handler) -> Route:
        async def handle(request: Request) -> Response:
            try:
                return await handlers[request.method](request)
            except NotThere as exc:
                return JSONResponse({"error": str(exc)}, 404)
            except Refused as exc:
                return JSONResponse({"error": str(exc)}, 409)
            except (ValueError, TypeError, KeyError, AttributeError) as exc:
                return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, 400)

        return Route("/_simulator" + path, handle, methods=list(handlers))

    # -- the truth

    async def health(self, request: Request) -> Response:
        """Alive, and what with."""
        options = self._world.options
        return Raw(
            {"ok": True, "size": options.size, "seed": options.seed, "base_date": self._world.base_date.isoformat()}
        )

    async def truth(self, request: Request) -> Response:
        """Counts and exact totals of all live records."""
        told = {}
        for name, (spec, view) in views().items():
            if not view.told:
                continue
            records = [record for record in self._world.table(spec).records.values() if view.shows(record)]
            told[name] = _sum(map(spec.totals, records))
            if spec.parts is not None:
                told[spec.parts.name] = _sum(part for record in records for part in spec.parts.of(record))
        return Raw(told)

    # -- documents

    def _entity(self, request: Request) -> tuple[EntitySpec[Any], View[Any]]:
        try:
            return views()[request.path_params["entity"]]
        except KeyError as exc:
            raise NotThere(f"no entity {request.path_params['entity']}") from exc

    def _record(self, request: Request) -> tuple[EntitySpec[Any], Any]:
        spec, view = self._entity(request)
        record = self._world.table(spec).records.get(request.path_params["id"])
        if record is None or not view.shows(record):
            raise NotThere(f"no {spec.label.lower()} {request.path_params['id']}")
        return spec, record

    def _shown(self, spec: EntitySpec[Any], record: Record) -> Json:
        return {
            "id": record.id,
            "list_row": spec.row(self._world, record, spec.home),
            "document": spec.document(self._world, record, spec.home),
        }

    def _change(self, request: Request) -> AbstractContextManager[None]:
        rest = self._world.options.quirks.rest_changes_fire_webhooks
        return self._world.change(webhook=_announced(request, rest=rest))

    async def documents(self, request: Request) -> Response:
        """Records of an entity in the order of their creation."""
        spec, view = self._entity(request)
        offset, limit = (
            int(request.query_params.get(name, default)) for name, default in (("offset", 0), ("limit", 100))
        )
        records = [record for record in self._world.table(spec).records.values() if view.shows(record)]
        return Raw([self._shown(spec, record) for record in records[offset : offset + limit]])

    async def document(self, request: Request) -> Response:
        """One record."""
        return Raw(self._shown(*self._record(request)))

    async def create(self, request: Request) -> Response:
        """A record with the given fields, the rest random."""
        spec, view = self._entity(request)
        given = {**view.defaults, **await _body(request)}
        with self._change(request):
            record = spec.create(self._world, self._random, given)
        return Raw(self._shown(spec, record), 201)

    async def edit(self, request: Request) -> Response:
        """Set fields, or without any make a random edit; `version=false` keeps last_modified_time."""
        spec, record = self._record(request)
        given = await _body(request) or spec.random_edit(self._world, record, self._random)
        with self._change(request):
            spec.edit(self._world, record, given, _flag(request, "version"))
        return Raw(self._shown(spec, record))

    async def delete(self, request: Request) -> Response:
        """Take a record away."""
        spec, record = self._record(request)
        shown = self._shown(spec, record)
        with self._change(request):
            spec.delete(self._world, record)
        return Raw(shown)

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
        given = await _body(request)
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
        quirks, given = self._world.options.quirks, await _body(request)
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
        self._service.activity.start(await _body(request))
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
        self._service.emitter.configure(await _body(request))
        return Raw(self._service.emitter.shown())

    async def reset_webhooks(self, request: Request) -> Response:
        """Count deliveries anew."""
        self._service.emitter.reset()
        return Raw(self._service.emitter.shown())

    async def new_day(self, request: Request) -> Response:
        """What time changes by itself, as of the given `today` or of now."""
        today = str((await _body(request)).get("today", self._world.today().isoformat()))
        with self._world.change():
            for spec in self._world.specs:
                if spec.age is not None:
                    spec.age(self._world, date.fromisoformat(today).isoformat())
        return Raw({"today": today})

    async def revoke_tokens(self, request: Request) -> Response:
        """Kill every access token."""
        self._service.accounts.revoke()
        return Raw(self._service.accounts.shown())


def _sum(entries: Iterable[Totals]) -> Json:
    count: int = 0
    totals: dict[str, dict[str, Decimal]] = {}
    for currency, amounts in entries:
        count += 1
        known = totals.setdefault(currency, {})
        for name, amount in amounts.items():
            known[name] = known.get(name, ZERO) + amount
    shown = {
        currency: {name: plain(amount) for name, amount in amounts.items()}
        for currency, amounts in sorted(totals.items())
        if amounts
    }
    return {"count": count, "totals": shown}


def _positive(name: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name}: a number that is not negative, or null")
    return value


ORIGINS = ("staff", "rest", "sync", "import")


def _announced(request: Request, *, rest: bool) -> bool:
    """Whether a change fires workflow rules: those of another Zoho application and imports never do."""
    by = request.query_params.get("by", "staff")
    if by not in ORIGINS:
        raise ValueError(f"by: one of {', '.join(ORIGINS)}")
    return _flag(request, "webhook") and (by == "staff" or (by == "rest" and rest))


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "true").lower()
    if value not in ("true", "false"):
        raise ValueError(f"{name}: true or false")
    return value == "true"


async def _body(request: Request) -> Json:
    raw = await request.body()
    given = await request.json() if raw else {}
    if not isinstance(given, dict):
        raise TypeError("a JSON object is expected")
    return given
