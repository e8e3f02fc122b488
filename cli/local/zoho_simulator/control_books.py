"""The books under the control interface: the truth about them, their documents, and changes that people make."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.local.zoho_simulator.control_requests import NotThere, Raw, body, flag, route
from cli.local.zoho_simulator.entities import views
from cli.local.zoho_simulator.money import ZERO, plain
from cli.local.zoho_simulator.records import EntitySpec, Json, Record, Totals, View
from cli.local.zoho_simulator.world import World

ORIGINS = ("staff", "rest", "sync", "import")


class Books:
    """Handlers of /truth and /documents."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("control")

    def routes(self) -> list[Route]:
        """Their paths."""
        return [
            route("/truth", GET=self.truth),
            route("/documents/{entity}", GET=self.documents, POST=self.create),
            route("/documents/{entity}/{id}", GET=self.document, PATCH=self.edit, DELETE=self.delete),
        ]

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
        given = {**view.defaults, **await body(request)}
        with self._change(request):
            record = spec.create(self._world, self._random, given)
        return Raw(self._shown(spec, record), 201)

    async def edit(self, request: Request) -> Response:
        """Set fields, or without any make a random edit; `version=false` keeps last_modified_time."""
        spec, record = self._record(request)
        given = await body(request) or spec.random_edit(self._world, record, self._random)
        with self._change(request):
            spec.edit(self._world, record, given, flag(request, "version"))
        return Raw(self._shown(spec, record))

    async def delete(self, request: Request) -> Response:
        """Take a record away."""
        spec, record = self._record(request)
        shown = self._shown(spec, record)
        with self._change(request):
            spec.delete(self._world, record)
        return Raw(shown)


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


def _announced(request: Request, *, rest: bool) -> bool:
    """Whether a change fires workflow rules: those of another Zoho application and imports never do."""
    by = request.query_params.get("by", "staff")
    if by not in ORIGINS:
        raise ValueError(f"by: one of {', '.join(ORIGINS)}")
    return flag(request, "webhook") and (by == "staff" or (by == "rest" and rest))
