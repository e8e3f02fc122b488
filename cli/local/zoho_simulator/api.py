"""The product APIs: who may call, what was asked for, and what Zoho answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from cli.local.zoho_simulator.answers import Answer, refusal, success
from cli.local.zoho_simulator.faults import Fault, Faults
from cli.local.zoho_simulator.limits import CallLimits
from cli.local.zoho_simulator.listing import PER_PAGE, Distortion, list_page, whole, whole_list
from cli.local.zoho_simulator.misbehaviour import answer_of, bend, drip, hold, move_pages
from cli.local.zoho_simulator.oauth import Accounts
from cli.local.zoho_simulator.records import Below, EntitySpec, InvalidValue, Product
from cli.local.zoho_simulator.settings import paged, settings
from cli.local.zoho_simulator.wire import Transports, send_answer
from cli.local.zoho_simulator.world import World, encode

PREFIXES: Mapping[str, Product] = {"/books/v3/": "books", "/inventory/v1/": "inventory"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a product."""

    product: Product
    method: str
    path: str
    query: Mapping[str, str]
    authorization: str
    spec: EntitySpec[Any] | None = None
    record_id: str = ""
    below: str = ""  # what of the record is asked for
    further: str = ""  # and which of that

    @property
    def template(self) -> str:
        """`books GET /invoices/{id}`, by which calls are counted."""
        name = self.path.strip("/")
        if self.spec is not None and self.record_id and self.record_id not in self.spec.beside:
            parts = (name.partition("/")[0], "{id}", self.below, "{id}" if self.further else "")
            name = "/".join(part for part in parts if part)
        return f"{self.product} {self.method} /{name}"


class ProductApi:
    """An ASGI application for /books/v3/... and /inventory/v1/..."""

    def __init__(
        self, world: World, accounts: Accounts, limits: CallLimits, faults: Faults, transports: Transports
    ) -> None:
        self._world = world
        self._accounts = accounts
        self._limits = limits
        self._faults = faults
        self._transports = transports
        self._specs = {spec.path: spec for spec in world.specs}
        self._specs.update({spec.bulk[0]: spec for spec in world.specs if spec.bulk is not None})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; it stays in flight until its last byte is handed over."""
        call = self._call(scope)
        if call is None:
            await send_answer(send, refusal(5), self._world.now())
            return
        self._limits.stats.calls[call.template] += 1
        taken = self._faults.take(call.product, "/" + call.path, call.query)
        admitted, answer = self._admitted(call, taken)
        try:
            await self._deliver(scope, send, call, taken, answer)
        finally:
            if admitted:
                self._limits.finish()

    async def _deliver(
        self, scope: Scope, send: Send, call: Call, taken: Mapping[str, Fault], answer: Answer | None
    ) -> None:
        if self._limits.limits.latency_s:
            await asyncio.sleep(self._limits.limits.latency_s)
        await hold(taken)
        if "reset" in taken:
            self._transports.reset(scope)
            return
        if answer is None:
            answer = answer_of(taken) or self._answer(call, taken)
            answer = bend(answer, taken)
        self._limits.stats.answered[answer.status] += 1
        if answer.status == 429:
            self._limits.stats.refused[answer.code] += 1
        headers = {**self._limits.headers(call.product), **answer.headers}
        if answer.status == 429 and self._world.options.quirks.retry_after:
            headers["Retry-After"] = str(self._limits.retry_after_s())
        answer = replace(answer, headers=headers)
        if "drip" in taken:
            await drip(send, answer, self._world.now(), taken["drip"])
        elif "truncated" in taken:
            await send_answer(send, replace(answer, body=answer.body[: len(answer.body) // 2]), self._world.now())
        else:
            await send_answer(send, answer, self._world.now())

    def _call(self, scope: Scope) -> Call | None:
        prefix = next((known for known in PREFIXES if scope["path"].startswith(known)), None)
        if prefix is None:
            return None
        path = scope["path"][len(prefix) :]
        name, *rest = path.split("/")
        record_id, below, further = [*rest, "", "", ""][:3]
        headers = {key: value for key, value in scope["headers"] if key == b"authorization"}
        return Call(
            product=PREFIXES[prefix],
            method=scope["method"],
            path=path,
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            authorization=headers.get(b"authorization", b"").decode("latin-1"),
            spec=self._specs.get(name) if len(rest) <= 3 else None,
            record_id=record_id,
            below=below,
            further=further,
        )

    def _admitted(self, call: Call, taken: Mapping[str, Fault]) -> tuple[bool, Answer | None]:
        """Token, organisation and limits, in this order: only a known caller uses up the organisation's calls."""
        if "revoked_token" in taken:
            self._accounts.revoke(call.authorization)
        code = self._accounts.refused(call.authorization, bearer=self._world.options.quirks.bearer_accepted)
        if code or "scope" in taken:
            return False, refusal(code or 57)
        organization_id = call.query.get("organization_id", "")
        quirks = self._world.options.quirks
        if call.path != "organizations" and organization_id != self._world.organisation.organization_id:
            return False, refusal(6041 if organization_id else quirks.missing_organization_code, organization_id)
        code = self._limits.admit(call.product)
        if code:
            status = quirks.day_limit_status if code == 45 else None
            return False, refusal(code, self._limits.per_day(call.product), status=status)
        return True, None

    def _answer(self, call: Call, taken: Mapping[str, Fault]) -> Answer:
        name, _, rest = call.path.partition("/")
        if call.spec is None and name not in ("organizations", "settings"):
            return refusal(5)
        if call.method != "GET":
            return refusal(37, call.method)
        try:
            if call.spec is not None:
                return self._of_entity(call, call.spec, taken)
            if name == "settings":
                return settings(self._world, call.product, rest, *self._page(call))
        except InvalidValue as exc:
            return refusal(2, exc)
        organisation = self._world.organisation.document(call.product)
        if not rest:
            return success("organizations", encode([organisation]))
        known = rest == organisation["organization_id"]
        return success("organization", encode(organisation)) if known else refusal(1002, "Organization")

    @staticmethod
    def _page(call: Call) -> tuple[int, int]:
        return whole(call.query, "page", 1), min(whole(call.query, "per_page", PER_PAGE), PER_PAGE)

    def _of_entity(self, call: Call, spec: EntitySpec[Any], taken: Mapping[str, Fault]) -> Answer:
        if call.product not in spec.scopes:
            return refusal(5)
        if spec.scopes[call.product] not in self._world.scopes:
            return refusal(57)
        lag_s = float(taken["lag"].parameters.get("seconds", 60)) if "lag" in taken else 0.0
        if spec.bulk is not None and call.path == spec.bulk[0]:
            return self._bulk(call, spec, spec.bulk[1], lag_s)
        if call.record_id in spec.beside and not call.below:
            return self._below(call, spec.beside[call.record_id], call.query)
        if call.record_id:
            return self._detail(call, spec, lag_s)
        if "moved_page" in taken:
            move_pages(self._world, spec, taken["moved_page"])
        distortion = Distortion(lag_s=lag_s, ignore_filters="ignored_filter" in taken, empty="empty_page" in taken)
        if not spec.listing.paged:
            return whole_list(self._world, spec, call.product, distortion)
        return list_page(self._world, spec, call.product, call.query, distortion)

    def _records(self, spec: EntitySpec[Any], lag_s: float) -> Mapping[str, Any]:
        return self._world.as_of(spec, lag_s) if lag_s else self._world.table(spec).records

    def _detail(self, call: Call, spec: EntitySpec[Any], lag_s: float) -> Answer:
        if not spec.offers_detail(self._world):
            return refusal(5)
        record = self._records(spec, lag_s).get(call.record_id)
        if record is None or not spec.reachable(self._world, record):
            return refusal(1002, spec.label, status=self._world.options.quirks.missing_record_status)
        if call.below:
            known = spec.below.get(call.below)
            return self._below(call, known, record) if known is not None else refusal(5)
        return success(spec.detail_key, self._world.document_bytes(spec, record, call.product))

    def _below(self, call: Call, below: Below[Any], of: Any) -> Answer:
        """A list below a record or a collection, or a file."""
        if not below.offered(self._world):
            return refusal(5)
        found = below.values(self._world, of, call.product)
        if below.key:
            if below.paged is not None and below.paged(self._world):
                return paged(below.key, found, *self._page(call), dict(below.context))
            return success(below.key, encode(found))
        if isinstance(found, dict):
            found = found.get(call.further)
        if found is None:
            return refusal(1002, "Image", status=404)
        return Answer(content_type=found[0], body=found[1])

    def _bulk(self, call: Call, spec: EntitySpec[Any], parameter: str, lag_s: float) -> Answer:
        """Many documents at once, /itemdetails: unknown ids are silently missing from the answer."""
        ids = [part.strip() for part in call.query.get(parameter, "").split(",") if part.strip()]
        if not ids or len(ids) > self._world.options.quirks.itemdetails_maximum:
            raise InvalidValue(parameter)
        records = self._records(spec, lag_s)
        found = [records[item_id] for item_id in dict.fromkeys(ids) if item_id in records]
        documents = b",".join(self._world.document_bytes(spec, item, call.product) for item in found)
        return success(spec.list_key, b"[" + documents + b"]")
