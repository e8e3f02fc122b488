"""One access token for everybody, kept in PostgreSQL: Zoho mints at most 10 in 10 minutes per refresh token.

Whoever finds the token about to expire takes the lease, commits, and mints; the others go on with the old token
while it is valid. Nothing secret stands in an error, a log line or a repr.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID, uuid4

import httpx

from tds_core import lossless_json
from tds_core.errors import (
    CredentialsRejected,
    InvalidDocument,
    ScopeMissing,
    TdsError,
    TokenUnavailable,
    ZohoUnavailable,
)
from tds_core.lossless_json import JsonObject
from tds_core.settings import Settings
from tds_core.zoho.budget import Executor
from tds_core.zoho.transport import Answer, send

REFRESH_AHEAD_S = 300.0
YOUNG_S = 300.0
MINT_LIMIT = 7
LEASE_S = 30.0
MINT_DEADLINE_S = 20.0
REFUSED_HOLD_S = 60.0
FAILED_HOLD_S = 5.0
_LIFE_S = 3_600.0
_BODY_LIMIT = 64 * 1024
_USABLE = re.compile(r"[\x21-\x7e]{1,2048}")
_REFUSALS = {
    "invalid_code": "the refresh token is wrong, revoked or of another data centre",
    "invalid_client": "the client id is unknown to this data centre",
    "invalid_client_secret": "the client secret is wrong",
}
_THROTTLED = "Access Denied"

_log = logging.getLogger(__name__)

_READ = """
    SELECT generation, access_token,
        extract(epoch FROM expires_at - clock_timestamp())::float8,
        extract(epoch FROM clock_timestamp() - minted_at)::float8,
        extract(epoch FROM expires_at - minted_at)::float8,
        credential = %s, refusal,
        (SELECT count(*) FROM unnest(mints) m WHERE m > clock_timestamp() - interval '10 minutes')
    FROM tds.oauth_token
"""
_LEASE = """
    UPDATE tds.oauth_token SET lease_owner = %s, leased_until = clock_timestamp() + make_interval(secs => %s),
        mints = ARRAY(SELECT m FROM unnest(mints) m WHERE m > clock_timestamp() - interval '10 minutes')
            || clock_timestamp(),
        access_token = CASE WHEN credential = %s THEN access_token END, credential = %s, refusal = NULL
    WHERE generation = %s
        AND (leased_until <= clock_timestamp() OR (refusal IS NOT NULL AND credential <> %s))
        AND (SELECT count(*) FROM unnest(mints) m WHERE m > clock_timestamp() - interval '10 minutes') < %s
    RETURNING generation
"""
_STORE = """
    UPDATE tds.oauth_token SET access_token = %s, generation = generation + 1, minted_at = clock_timestamp(),
        expires_at = clock_timestamp() + make_interval(secs => %s), lease_owner = NULL, leased_until = '-infinity',
        refusal = NULL
    WHERE lease_owner = %s AND generation = %s
    RETURNING generation
"""
_REFUSE = """
    UPDATE tds.oauth_token SET lease_owner = NULL, leased_until = clock_timestamp() + make_interval(secs => %s),
        refusal = %s
    WHERE lease_owner = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZohoCredentials:
    """What mints access tokens; never shown."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """One token; `generation` tells it from its successors, `renew_at` is on this process's clock."""

    value: str = field(repr=False)
    generation: int
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    generation: int
    value: str | None = field(repr=False)
    left_s: float
    age_s: float
    life_s: float
    is_ours: bool
    refusal: str | None
    mints: int

    def is_valid(self, rejected: int | None) -> bool:
        return bool(self.value) and self.is_ours and self.left_s > 0 and self.generation != rejected

    @property
    def ahead_s(self) -> float:
        return min(REFRESH_AHEAD_S, self.life_s / 2)


class _Refused(TdsError):
    def __init__(self, error: TdsError, hold_s: float, refusal: str | None) -> None:
        super().__init__(str(error))
        self.error, self.hold_s, self.refusal = error, hold_s, refusal


class Tokens:
    """Hands out the shared access token; thread-safe."""

    def __init__(
        self,
        settings: Settings,
        database: Executor,
        credentials: Callable[[], ZohoCredentials],
        http: httpx.Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        patience_s: float = 10.0,
    ) -> None:
        self._settings = settings
        self._database = database
        self._credentials = credentials
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._cached: AccessToken | None = None

    def current(self) -> AccessToken:
        """The token to use now.

        Raises TokenUnavailable, or CredentialsRejected when the token host refused the credentials.
        """
        cached = self._cached
        if cached and self._clock() < cached.renew_at:
            return cached
        still_valid = cached is not None and self._clock() < cached.expires_at
        if not self._lock.acquire(blocking=not still_valid):
            assert cached is not None
            return cached
        try:
            cached = self._cached
            if cached and self._clock() < cached.renew_at:
                return cached
            return self._obtain(rejected=None)
        finally:
            self._lock.release()

    def replace(self, token: AccessToken, *, endpoint: str) -> AccessToken:
        """Another token after Zoho answered 401 to this one.

        Raises ScopeMissing when the token is the stored one and young: then the endpoint is what it may not read.
        """
        with self._lock:
            stored = self._read()
            if stored.generation == token.generation and stored.is_ours and stored.age_s < YOUNG_S:
                raise ScopeMissing(f"the token may not read {endpoint}")
            return self._obtain(rejected=token.generation)

    def _obtain(self, *, rejected: int | None) -> AccessToken:
        until = self._clock() + self._patience_s
        while True:
            stored = self._read()
            if stored.is_valid(rejected) and stored.left_s > stored.ahead_s:
                return self._keep(stored)
            owner = uuid4()
            if self._lease(owner, stored.generation):
                try:
                    self._mint(owner, stored.generation)
                except _Refused as refused:
                    self._database.execute(_REFUSE, (refused.hold_s, refused.refusal, owner))
                    _log.warning("access token not minted", extra={"reason": str(refused.error)})
                    if not stored.is_valid(rejected):
                        raise refused.error from None
                    return self._keep(stored)
                continue
            if stored.is_valid(rejected):
                return self._keep(stored)
            _raise_refusal(stored)
            if self._clock() >= until:
                raise TokenUnavailable("another worker is minting")
            self._sleep(0.1)

    def _keep(self, stored: _Stored) -> AccessToken:
        now = self._clock()
        token = AccessToken(
            value=stored.value or "",
            generation=stored.generation,
            renew_at=now + stored.left_s - stored.ahead_s,
            expires_at=now + stored.left_s,
        )
        self._cached = token
        return token

    def _read(self) -> _Stored:
        row = self._database.execute(_READ, (self._fingerprint(self._credentials()),))[0]
        return _Stored(
            generation=row[0],
            value=row[1],
            left_s=row[2],
            age_s=row[3],
            life_s=row[4],
            is_ours=row[5],
            refusal=row[6],
            mints=row[7],
        )

    def _lease(self, owner: UUID, generation: int) -> bool:
        credential = self._fingerprint(self._credentials())
        parameters = (owner, LEASE_S, credential, credential, generation, credential, MINT_LIMIT)
        return bool(self._database.execute(_LEASE, parameters))

    def _mint(self, owner: UUID, generation: int) -> None:
        started = self._clock()
        value, life_s = self._request(self._credentials())
        self._database.execute(_STORE, (value, life_s - (self._clock() - started), owner, generation))

    def _request(self, credentials: ZohoCredentials) -> tuple[str, float]:
        request = self._http.build_request(
            "POST",
            f"{self._settings.zoho_accounts_url.rstrip('/')}/oauth/v2/token",
            data={
                "grant_type": "refresh_token",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
                "refresh_token": credentials.refresh_token,
            },
        )
        try:
            answer = send(
                self._http,
                request,
                time_left_s=MINT_DEADLINE_S,
                connect_s=MINT_DEADLINE_S,
                body_limit_bytes=_BODY_LIMIT,
            )
        except ZohoUnavailable as exc:
            raise _Refused(TokenUnavailable(f"the token host gave {exc}"), FAILED_HOLD_S, None) from None
        return self._read_token(answer)

    def _read_token(self, answer: Answer) -> tuple[str, float]:
        """The token and its life in seconds; Zoho writes its errors under HTTP 200 as well as 400."""
        try:
            body = lossless_json.loads(answer.body)
        except InvalidDocument:
            body = None
        body = body if isinstance(body, dict) else {}
        value, error = body.get("access_token"), body.get("error")
        if isinstance(value, str) and _USABLE.fullmatch(value) and answer.status < 400:
            self._check_host(body.get("api_domain"))
            return value, _life_s(body)
        if isinstance(error, str) and error in _REFUSALS:
            raise _Refused(_error(error), REFUSED_HOLD_S, error)
        if error == _THROTTLED:
            raise _Refused(_error(_THROTTLED), REFUSED_HOLD_S, _THROTTLED)
        failure = TokenUnavailable(f"the token host answered HTTP {answer.status} without a token")
        raise _Refused(failure, FAILED_HOLD_S, None)

    def _check_host(self, api_domain: object) -> None:
        """Tokens go to the configured host only, so another api_domain is a hint at a wrong data centre, no more."""
        try:
            host = httpx.URL(api_domain).host if isinstance(api_domain, str) else ""
        except httpx.InvalidURL:
            host = ""
        if host != httpx.URL(self._settings.zoho_api_url).host:
            _log.warning("the token's api_domain is not the configured host, which is used all the same")

    def _fingerprint(self, credentials: ZohoCredentials) -> str:
        settings = self._settings
        parts = (settings.zoho_api_url, settings.zoho_accounts_url, credentials.client_id, credentials.refresh_token)
        return sha256("\n".join(parts).encode()).hexdigest()


def _life_s(body: JsonObject) -> float:
    """Some hosts write expires_in in milliseconds, and then expires_in_sec beside it."""
    life_s = body.get("expires_in_sec", body.get("expires_in"))
    is_number = isinstance(life_s, int) and not isinstance(life_s, bool) and life_s > 0
    return min(float(life_s), _LIFE_S) if is_number and life_s else _LIFE_S


def _error(refusal: str) -> TdsError:
    if refusal in _REFUSALS:
        return CredentialsRejected(f"{refusal}: {_REFUSALS[refusal]}")
    return TokenUnavailable(f"{refusal}: too many tokens were minted")


def _raise_refusal(stored: _Stored) -> None:
    if stored.is_ours and stored.refusal:
        raise _error(stored.refusal)
    if stored.mints >= MINT_LIMIT:
        raise TokenUnavailable(f"{MINT_LIMIT} tokens were minted within 10 minutes")
