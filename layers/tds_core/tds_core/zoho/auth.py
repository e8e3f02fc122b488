"""One access token for everybody, kept in PostgreSQL: Zoho mints at most 10 in 10 minutes per refresh token.

Whoever finds the token about to expire takes the lease, commits, and mints; the others go on with the old token
while it is valid. Nothing secret stands in an error, a log line or a repr.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID, uuid4

import httpx

from tds_core.errors import ScopeMissing, TokenUnavailable
from tds_core.settings import Settings
from tds_core.zoho.budget import Executor
from tds_core.zoho.retry import MINT_LIMIT, YOUNG_TOKEN_S
from tds_core.zoho.scopes import scope_of
from tds_core.zoho.token_host import MintRefused, TokenHost, ZohoCredentials, refusal_error

__all__ = ["AccessToken", "Tokens", "ZohoCredentials"]

REFRESH_AHEAD_S = 300.0
LEASE_S = 30.0

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
        refusal = NULL, api_domain = %s
    WHERE lease_owner = %s AND generation = %s
    RETURNING generation
"""
_REFUSE = """
    UPDATE tds.oauth_token SET lease_owner = NULL, leased_until = clock_timestamp() + make_interval(secs => %s),
        refusal = %s
    WHERE lease_owner = %s
"""


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
        self._host = TokenHost(settings, http)
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
            if stored.generation == token.generation and stored.is_ours and stored.age_s < YOUNG_TOKEN_S:
                raise ScopeMissing(
                    f"the token may not read {endpoint}: it lacks {scope_of(endpoint)}, or ZohoApiUrl is another data "
                    "centre's; make a new refresh token with that scope, too, and put it into the Zoho secret"
                )
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
                except MintRefused as refused:
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
        minted = self._host.mint(self._credentials())
        life_s = minted.life_s - (self._clock() - started)
        self._database.execute(_STORE, (minted.value, life_s, minted.api_domain, owner, generation))

    def _fingerprint(self, credentials: ZohoCredentials) -> str:
        settings = self._settings
        parts = (settings.zoho_api_url, settings.zoho_accounts_url, credentials.client_id, credentials.refresh_token)
        return sha256("\n".join(parts).encode()).hexdigest()


def _raise_refusal(stored: _Stored) -> None:
    if stored.is_ours and stored.refusal:
        raise refusal_error(stored.refusal)
    if stored.mints >= MINT_LIMIT:
        raise TokenUnavailable(
            f"{MINT_LIMIT} tokens were minted within 10 minutes; no more is asked for before the first of them is 10 "
            "minutes old, so that Zoho does not block the refresh token"
        )
