"""The only way to Zoho: what may be asked of it, and answers that were checked."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from tds_core.entities.spec import ROWS_PER_PAGE, EntitySpec
from tds_core.errors import (
    InvalidDocument,
    InvalidId,
    OrganizationRejected,
    ZohoUnavailable,
)
from tds_core.ids import parse_id
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho import answers, transport
from tds_core.zoho.auth import Tokens, ZohoCredentials
from tds_core.zoho.budget import Budget, Executor, Permit
from tds_core.zoho.caller import Call, Caller
from tds_core.zoho.organization import Organization, remember
from tds_core.zoho.retry import RetryPolicy
from tds_core.zoho.transport import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a list.

    `observed_at` is PostgreSQL's clock at the permit, `served_at` Zoho's clock at the answer; `sort_column` and
    `applied` (the filter) are what Zoho says it did, which is not always what it was asked.
    """

    rows: list[JsonObject]
    has_more: bool
    observed_at: datetime
    served_at: datetime
    sort_column: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One full document; the fetch began at `observed_at` on PostgreSQL's clock."""

    document: JsonObject
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedImage:
    """The bytes of an item's image, whatever they are; the fetch began at `observed_at` on PostgreSQL's clock."""

    body: bytes
    observed_at: datetime


class UnifiedZohoClient:
    """Zoho Books and Zoho Inventory; thread-safe, and no transaction is open during a call.

    Every method may raise PermitDenied (at once, or after waiting `permit_wait_s` for the permit), ZohoThrottled,
    ZohoUnavailable, TokenUnavailable, DatabaseUnavailable, ZohoRejected, and the ConfigurationErrors.
    """

    def __init__(
        self,
        settings: Settings,
        database: Executor,
        credentials: Callable[[], ZohoCredentials],
        http: httpx.Client | None = None,
        *,
        retry: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        settings.require("zoho_api_url", "zoho_accounts_url", "zoho_organization_id")
        self._settings = settings
        self._database = database
        self._http = http or transport.client(connections=settings.in_flight_limit + 2)
        self._tokens = Tokens(settings, database, credentials, self._http, clock=clock, sleep=sleep)
        self._caller = Caller(
            settings,
            self._http,
            budget=Budget(settings, database, clock=clock, sleep=sleep),
            tokens=self._tokens,
            retry=retry or RetryPolicy(),
            clock=clock,
        )

    @property
    def calls(self) -> int:
        """How many calls this client has made, retries included; tokens are not counted."""
        return self._caller.calls

    def list_page(
        self,
        spec: EntitySpec,
        *,
        page: int,
        priority: Priority,
        parameters: Mapping[str, str] | None = None,
        per_page: int = ROWS_PER_PAGE,
        permit_wait_s: float = 0.0,
    ) -> ListPage:
        """One page of the entity's list, with `parameters` beside the spec's own; a list without pages comes whole.

        Rows that the list shows of deleted records are left out.

        Raises ZohoUnavailable for a page without its rows or page_context, which is never an empty end, and for one
        without rows that says there are more: behind such a one there is no end.
        """
        paging = {"page": str(page), "per_page": str(per_page)} if spec.paged else {}
        asked = {**spec.list_parameters, **(parameters or {}), **paging}

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> ListPage:
            context = _page_context(document, spec, page=page)
            rows = _rows(document, spec.list_key, spec.path)
            if context["has_more_page"] and not rows:
                raise ZohoUnavailable(f"an empty page of {spec.path} that says there are more")
            return ListPage(
                rows=[row for row in rows if not spec.is_deleted(row)],
                has_more=context["has_more_page"],
                observed_at=permit.taken_at,
                served_at=served_at,
                sort_column=context.get("sort_column"),
            )

        call = Call(
            product=spec.product, path=spec.path, parameters=asked, priority=priority, permit_wait_s=permit_wait_s
        )
        return self._caller.ask(call, read)

    def document(self, spec: EntitySpec, id: str, *, priority: Priority, permit_wait_s: float = 0.0) -> Fetched:
        """The full document of one record.

        Raises DocumentNotFound for code 1002, InvalidDocument when another record came back, InvalidId.
        """
        id = parse_id(id)

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> Fetched:
            record = document.get(spec.detail_key)
            if not isinstance(record, dict):
                raise ZohoUnavailable(f"an answer of {spec.path} without its {spec.detail_key}")
            if _id_of(spec, record) != id:
                raise InvalidDocument(f"asked {spec.path} for one record, another came back")
            return Fetched(document=record, observed_at=permit.taken_at)

        call = Call(
            product=spec.product,
            path=f"{spec.path}/{id}",
            pattern=f"{spec.path}/{{id}}",
            priority=priority,
            permit_wait_s=permit_wait_s,
        )
        return self._caller.ask(call, read)

    def documents(
        self, spec: EntitySpec, ids: Iterable[str], *, priority: Priority, permit_wait_s: float = 0.0
    ) -> list[Fetched]:
        """The full documents of many records in one call; those that Zoho leaves out are no statement about them.

        Duplicates and records that were not asked for are dropped. Raises ValueError when the entity has no such
        endpoint or the ids are more than it takes.
        """
        bulk = spec.bulk
        wanted = dict.fromkeys(parse_id(id) for id in ids)
        if bulk is None or not 0 < len(wanted) <= bulk.size:
            raise ValueError(f"{spec.name}: not a bulk fetch of 1 to {bulk.size if bulk else 0} ids")

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> list[Fetched]:
            found: dict[str, JsonObject] = {}
            for record in _rows(document, bulk.list_key, bulk.path):
                id = _id_of(spec, record)
                if id in wanted:
                    found.setdefault(id, record)
            return [Fetched(document=record, observed_at=permit.taken_at) for record in found.values()]

        asked = {bulk.ids_parameter: ",".join(wanted)}
        call = Call(
            product=spec.product, path=bulk.path, parameters=asked, priority=priority, permit_wait_s=permit_wait_s
        )
        return self._caller.ask(call, read)

    def parts(self, spec: EntitySpec, id: str, *, priority: Priority, permit_wait_s: float = 0.0) -> list[JsonObject]:
        """The list that a record of the entity's has at an endpoint of its own, whole.

        Raises InvalidDocument for an answer without that list, or one that holds only a part of it: what this endpoint
        answers is documented nowhere, so that does not say that Zoho is ill. ValueError when the entity has no such
        endpoint, InvalidId.
        """
        parts = spec.parts
        if parts is None:
            raise ValueError(f"{spec.name} has no list at an endpoint of its own")

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> list[JsonObject]:
            context = document.get("page_context")
            if isinstance(context, dict) and context.get("has_more_page"):
                raise InvalidDocument(f"an answer of {parts.path} that is not whole")
            try:
                return _rows(document, parts.list_key, parts.path)
            except ZohoUnavailable as exc:
                raise InvalidDocument(str(exc)) from exc

        asked = {parts.id_parameter: parse_id(id)}
        call = Call(
            product=spec.product, path=parts.path, parameters=asked, priority=priority, permit_wait_s=permit_wait_s
        )
        return self._caller.ask(call, read)

    def image(self, item_id: str, *, limit_bytes: int, priority: Priority, permit_wait_s: float = 0.0) -> FetchedImage:
        """The image of one item, at most `limit_bytes` of it.

        Raises DocumentNotFound when the item has none, InvalidImage for more bytes, none, JSON or HTML, InvalidId.
        """

        def read(answer: Answer, permit: Permit) -> FetchedImage:
            body = answers.read_file(answer, pause_s=self._settings.breaker_open_s)
            return FetchedImage(body=body, observed_at=permit.taken_at)

        call = Call(
            product="inventory",
            path=f"/items/{parse_id(item_id)}/image",
            pattern="/items/{id}/image",
            priority=priority,
            permit_wait_s=permit_wait_s,
            file_limit_bytes=limit_bytes,
        )
        return self._caller.send(call, read)

    def organization(self, priority: Priority = Priority.MANUAL, *, permit_wait_s: float = 0.0) -> Organization:
        """The configured organisation, kept for everybody: its time zone says when Zoho's day ends.

        Raises OrganizationRejected when the token does not see it.
        """

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> Organization:
            wanted = self._settings.zoho_organization_id
            seen = {
                str(record.get("organization_id")): record for record in _rows(document, "organizations", call.path)
            }
            if wanted not in seen:
                known = ", ".join(sorted(seen)) or "it sees none"
                raise OrganizationRejected(f"the configured organization id {wanted} is none of the token's: {known}")
            return Organization.parse(seen[wanted], observed_at=permit.taken_at)

        call = Call(product="books", path="/organizations", priority=priority, permit_wait_s=permit_wait_s)
        organization = self._caller.ask(call, read)
        remember(self._database, organization)
        return organization

    def authenticate(self) -> None:
        """Make sure that there is a token, without a call to the API; raises what `Tokens.current` raises."""
        self._tokens.current()

    def close(self) -> None:
        """Close the connections to Zoho."""
        self._http.close()


def _page_context(document: JsonObject, spec: EntitySpec, *, page: int) -> JsonObject:
    """What the answer says of its page, checked; a list without pages may say nothing, but never that there are more.

    Raises ZohoUnavailable.
    """
    context = document.get("page_context", None if spec.paged else {"has_more_page": False})
    if not isinstance(context, dict) or not isinstance(context.get("has_more_page"), bool):
        raise ZohoUnavailable(f"a page of {spec.path} without its page_context")
    if context.get("page", page) not in (page, str(page)):
        raise ZohoUnavailable(f"another page of {spec.path} than the one asked for")
    if context["has_more_page"] and not spec.paged:
        raise ZohoUnavailable(f"{spec.path} has pages after all")
    return context


def _rows(document: JsonObject, key: str, path: str) -> list[JsonObject]:
    rows = document.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ZohoUnavailable(f"an answer of {path} without its {key}")
    return rows


def _id_of(spec: EntitySpec, record: Mapping[str, Any]) -> str | None:
    try:
        return parse_id(spec.id_of(record))  # type: ignore[arg-type]
    except (InvalidDocument, InvalidId):
        return None
