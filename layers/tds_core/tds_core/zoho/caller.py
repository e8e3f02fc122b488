"""One call of Zoho's API: with a permit, the shared token and a deadline, and again after what may pass."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import httpx

from tds_core.entities.spec import Product
from tds_core.errors import DatabaseUnavailable, DocumentNotFound, InvalidImage, ZohoRejected, ZohoThrottled
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho import answers, transport
from tds_core.zoho.auth import AccessToken, Tokens
from tds_core.zoho.budget import Budget, Permit, Quota
from tds_core.zoho.circuit_breaker import outcome_of
from tds_core.zoho.retry import RetryPolicy
from tds_core.zoho.transport import Answer, AnswerTooLarge

VERSIONS: Mapping[Product, str] = {"books": "v3", "inventory": "v1"}
BODY_LIMIT_BYTES = 32 * 1024 * 1024
T = TypeVar("T")
Read = Callable[[JsonObject, Permit, datetime], T]
ReadAnswer = Callable[[Answer, Permit], T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked; `pattern` is the path with {id} for an id, where it has one."""

    product: Product
    path: str
    priority: Priority
    permit_wait_s: float
    parameters: Mapping[str, str] = field(default_factory=dict)
    pattern: str = ""
    file_limit_bytes: int | None = None  # for what is answered with a file instead of JSON

    @property
    def endpoint(self) -> str:
        """The path without an id: what a scope allows."""
        return self.pattern or self.path

    @property
    def request(self) -> str:
        """Tells this request from others for the circuit breaker; organisation and token are not in it."""
        return f"{self.product}{self.path}?{'&'.join(f'{k}={v}' for k, v in sorted(self.parameters.items()))}"[:300]


class Caller:
    """Makes calls; thread-safe, and no transaction is open during one."""

    def __init__(
        self,
        settings: Settings,
        http: httpx.Client,
        *,
        budget: Budget,
        tokens: Tokens,
        retry: RetryPolicy,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._http = http
        self._budget = budget
        self._tokens = tokens
        self._retry = retry
        self._clock = clock
        self._lock = threading.Lock()
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many calls were made, retries included."""
        return self._calls

    def ask(self, call: Call, read: Read[T]) -> T:
        """Make a call that is answered with JSON."""

        def read_json(answer: Answer, permit: Permit) -> T:
            document = answers.read(answer, pause_s=self._settings.breaker_open_s)
            return read(document, permit, answers.served_at(answer.headers, otherwise=permit.taken_at))

        return self.send(call, read_json)

    def send(self, call: Call, read: ReadAnswer[T]) -> T:
        """Make a call, again after what may pass; `read` makes of its answer what is returned."""
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

    def _use(self, permit: Permit, token: AccessToken, call: Call, read: ReadAnswer[T], time_left_s: float) -> T:
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

    def _end(self, permit: Permit, call: Call, quota: Quota | None, error: BaseException | None) -> None:
        throttled = error if isinstance(error, ZohoThrottled) else None
        # without a database the slot runs out by itself; the answer is worth more than its bookkeeping
        with suppress(DatabaseUnavailable):
            self._budget.end(permit, outcome=outcome_of(error), request=call.request, quota=quota, throttled=throttled)

    def _request(self, call: Call, token: AccessToken) -> httpx.Request:
        url = f"{self._settings.zoho_api_url.rstrip('/')}/{call.product}/{VERSIONS[call.product]}{call.path}"
        accept = "image/*" if call.file_limit_bytes else "application/json"
        organization = {} if call.path == "/organizations" else {"organization_id": self._settings.zoho_organization_id}
        return self._http.build_request(
            "GET",
            url,
            params={**call.parameters, **organization},
            headers={"Authorization": f"Zoho-oauthtoken {token.value}", "Accept": accept},
        )
