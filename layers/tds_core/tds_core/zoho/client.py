"""The only way to Zoho: every call has a permit, the shared token, a deadline, and an answer that was checked."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx

from tds_core.entities.spec import ROWS_PER_PAGE, EntitySpec, Product
from tds_core.errors import (
    DatabaseUnavailable,
    DocumentNotFound,
    InvalidDocument,
    InvalidId,
    InvalidImage,
    OrganizationRejected,
    ZohoRejected,
    ZohoThrottled,
    ZohoUnavailable,
)
from tds_core.ids import parse_id
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho import answers, transport
from tds_core.zoho.auth import AccessToken, Tokens, ZohoCredentials
from tds_core.zoho.budget import Budget, Executor, Permit, Quota
from tds_core.zoho.circuit_breaker import outcome_of
from tds_core.zoho.organization import Organization, remember
from tds_core.zoho.retry import RetryPolicy
from tds_core.zoho.transport import Answer, AnswerTooLarge

VERSIONS: Mapping[Product, str] = {"books": "v3", "inventory": "v1"}
BODY_LIMIT_BYTES = 32 * 1024 * 1024
T = TypeVar("T")
Read = Callable[[JsonObject, Permit, datetime], T]
ReadAnswer = Callable[[Answer, Permit], T]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    product: Product
    path: str
    parameters: Mapping[str, str]
    endpoint: str
    priority: Priority
    permit_wait_s: float
    file_limit_bytes: int | None = None  # for what is answered with a file instead of JSON

    @property
    def request(self) -> str:
        """Tells this request from others for the circuit breaker; organisation and token are not in it."""
        return f"{self.product}{self.path}?{'&'.join(f'{k}={v}' for k, v in sorted(self.parameters.items()))}"[:300]


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
        self._retry = retry or RetryPolicy()
        self._clock = clock
        self._budget = Budget(settings, database, clock=clock, sleep=sleep)
        self._tokens = Tokens(settings, database, credentials, self._http, clock=clock, sleep=sleep)
        self._lock = threading.Lock()
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many calls this client has made, retries included; tokens are not counted."""
        return self._calls

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

        return self._run(_call(spec.product, spec.path, asked, priority, permit_wait_s), read)

    def document(self, spec: EntitySpec, id: str, *, priority: Priority, permit_wait_s: float = 0.0) -> Fetched:
        """The full document of one record.

        Raises DocumentNotFound for code 1002, InvalidDocument when another record came back, InvalidId.
        """
        id = parse_id(id)
        path = f"{spec.path}/{id}"

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> Fetched:
            record = document.get(spec.detail_key)
            if not isinstance(record, dict):
                raise ZohoUnavailable(f"an answer of {spec.path} without its {spec.detail_key}")
            if _id_of(spec, record) != id:
                raise InvalidDocument(f"asked {spec.path} for one record, another came back")
            return Fetched(document=record, observed_at=permit.taken_at)

        call = _call(spec.product, path, {}, priority, permit_wait_s, endpoint=f"{spec.path}/{{id}}")
        return self._run(call, read)

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
        return self._run(_call(spec.product, bulk.path, asked, priority, permit_wait_s), read)

    def parts(self, spec: EntitySpec, id: str, *, priority: Priority, permit_wait_s: float = 0.0) -> list[JsonObject]:
        """The list that a record of the entity's has at an endpoint of its own, whole.

        Raises ZohoUnavailable for an answer without that list, or one that holds only a part of it; ValueError when the
        entity has no such endpoint; InvalidId.
        """
        parts = spec.parts
        if parts is None:
            raise ValueError(f"{spec.name} has no list at an endpoint of its own")

        def read(document: JsonObject, permit: Permit, served_at: datetime) -> list[JsonObject]:
            context = document.get("page_context")
            if isinstance(context, dict) and context.get("has_more_page"):
                raise ZohoUnavailable(f"an answer of {parts.path} that is not whole")
            return _rows(document, parts.list_key, parts.path)

        asked = {parts.id_parameter: parse_id(id)}
        return self._run(_call(spec.product, parts.path, asked, priority, permit_wait_s), read)

    def image(self, item_id: str, *, limit_bytes: int, priority: Priority, permit_wait_s: float = 0.0) -> FetchedImage:
        """The image of one item, at most `limit_bytes` of it.

        Raises DocumentNotFound when the item has none, InvalidImage for more bytes, none, JSON or HTML, InvalidId.
        """

        def read(answer: Answer, permit: Permit) -> FetchedImage:
            body = answers.read_file(answer, pause_s=self._settings.breaker_open_s)
            return FetchedImage(body=body, observed_at=permit.taken_at)

        call = _Call(
            product="inventory",
            path=f"/items/{parse_id(item_id)}/image",
            parameters={},
            endpoint="/items/{id}/image",
            priority=priority,
            permit_wait_s=permit_wait_s,
            file_limit_bytes=limit_bytes,
        )
        return self._send(call, read)

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

        call = _call("books", "/organizations", {}, priority, permit_wait_s)
        organization = self._run(call, read)
        remember(self._database, organization)
        return organization

    def authenticate(self) -> None:
        """Make sure that there is a token, without a call to the API; raises what `Tokens.current` raises."""
        self._tokens.current()

    def close(self) -> None:
        """Close the connections to Zoho."""
        self._http.close()

    def _run(self, call: _Call, read: Read[T]) -> T:
        """Make a call that is answered with JSON."""

        def read_json(answer: Answer, permit: Permit) -> T:
            document = answers.read(answer, pause_s=self._settings.breaker_open_s)
            return read(document, permit, answers.served_at(answer.headers, otherwise=permit.taken_at))

        return self._send(call, read_json)

    def _send(self, call: _Call, read: ReadAnswer[T]) -> T:
        patience = self._clock() + call.permit_wait_s
        ends: list[float] = []

        def time_left_s() -> float:
            return (ends[0] if ends else patience + self._settings.call_deadline_s) - self._clock()

        def attempt() -> T:
            token = self._tokens.current()
            while True:
                permit = self._budget.take(call.product, call.priority, until=patience)
                if not ends:
                    ends.append(self._clock() + self._settings.call_deadline_s)
                try:
                    return self._use(permit, token, call, read, time_left_s())
                except answers.Unauthorized:
                    token = self._tokens.replace(token, endpoint=f"{call.product}{call.endpoint}")

        return self._retry.run(attempt, time_left_s=time_left_s)

    def _use(self, permit: Permit, token: AccessToken, call: _Call, read: ReadAnswer[T], time_left_s: float) -> T:
        """Make the call, and end its permit whatever happens."""
        quota: Quota | None = None
        error: BaseException | None = None
        with self._lock:
            self._calls += 1
        try:
            answer = transport.send(
                self._http,
                self._request(call, token),
                time_left_s=max(time_left_s, 0.001),
                connect_s=max(self._budget.usable_s(permit), 0.001),
                body_limit_bytes=call.file_limit_bytes or BODY_LIMIT_BYTES,
            )
            quota = Quota.parse(answer.headers)
            return read(answer, permit)
        except AnswerTooLarge as large:
            # a list too large may be whole next time, a picture stays what it is
            error = InvalidImage(str(large)) if call.file_limit_bytes else large
            raise error from None
        except ZohoRejected as rejected:
            error = rejected
            if rejected.code == answers.NOT_FOUND_CODE and "{id}" in call.endpoint:
                raise DocumentNotFound(observed_at=permit.taken_at) from None
            raise
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._end(permit, call, quota, error)

    def _end(self, permit: Permit, call: _Call, quota: Quota | None, error: BaseException | None) -> None:
        throttled = error if isinstance(error, ZohoThrottled) else None
        # without a database the slot runs out by itself; the answer is worth more than its bookkeeping
        with suppress(DatabaseUnavailable):
            self._budget.end(permit, outcome=outcome_of(error), request=call.request, quota=quota, throttled=throttled)

    def _request(self, call: _Call, token: AccessToken) -> httpx.Request:
        url = f"{self._settings.zoho_api_url.rstrip('/')}/{call.product}/{VERSIONS[call.product]}{call.path}"
        accept = "image/*" if call.file_limit_bytes else "application/json"
        organization = {} if call.path == "/organizations" else {"organization_id": self._settings.zoho_organization_id}
        return self._http.build_request(
            "GET",
            url,
            params={**call.parameters, **organization},
            headers={"Authorization": f"Zoho-oauthtoken {token.value}", "Accept": accept},
        )


def _call(
    product: Product,
    path: str,
    parameters: Mapping[str, str],
    priority: Priority,
    permit_wait_s: float,
    *,
    endpoint: str = "",
) -> _Call:
    return _Call(
        product=product,
        path=path,
        parameters=parameters,
        endpoint=endpoint or path,
        priority=priority,
        permit_wait_s=permit_wait_s,
    )


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
