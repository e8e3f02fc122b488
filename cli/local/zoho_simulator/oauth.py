"""The accounts server: access tokens for a refresh token, ten in ten minutes, thirty alive."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.local.zoho_simulator.answers import Answer
from cli.local.zoho_simulator.clock import Now
from cli.local.zoho_simulator.limits import Stats, Window
from cli.local.zoho_simulator.world import encode

LIFE_S = 3600
MINTS, MINTS_WINDOW_S = 10, 600.0
ALIVE = 30
THROTTLED = {
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "error": "Access Denied",
    "status": "failure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A client and its refresh token."""

    client_id: str
    client_secret: str
    refresh_token: str

    @classmethod
    def of_seed(cls, seed: int) -> Credentials:
        """The same credentials for the same seed."""
        return cls(
            client_id=f"1000.{_digest(seed, 'client')[:30].upper()}",
            client_secret=_digest(seed, "secret")[:42],
            refresh_token=f"1000.{_digest(seed, 'refresh')[:32]}.{_digest(seed, 'token')[:32]}",
        )


def _digest(seed: int, purpose: str) -> str:
    return hashlib.sha256(f"{seed}/{purpose}".encode()).hexdigest()


class Accounts:
    """Mints and checks tokens; refusals are HTTP 200 with an error, as Zoho's are."""

    def __init__(self, seed: int, now: Now) -> None:
        self.credentials = Credentials.of_seed(seed)
        self.stats = Stats()
        self.life_s = LIFE_S
        self._seed = seed
        self._now = now
        self._minted = Window(MINTS_WINDOW_S)
        self._serial = 0
        self._tokens: OrderedDict[str, float] = OrderedDict()

    def token(self, form: Mapping[str, str], api_domain: str) -> Answer:
        """Answer POST /oauth/v2/token."""
        known = self.credentials
        if form.get("grant_type") != "refresh_token":
            return _error("unsupported_grant_type")
        if form.get("client_id") != known.client_id:
            return _error("invalid_client")
        if form.get("client_secret") != known.client_secret:
            return _error("invalid_client_secret")
        if form.get("refresh_token") != known.refresh_token:
            return _error("invalid_code")
        if self._minted.count(self._now()) >= MINTS:
            self.stats.mints_refused += 1
            return Answer(status=400, body=encode(THROTTLED))
        body = {
            "access_token": self.mint(),
            "api_domain": api_domain,
            "token_type": "Bearer",
            "expires_in": self.life_s,
        }
        return Answer(body=encode(body))

    def mint(self) -> str:
        """A new token; the oldest beyond thirty dies."""
        now = self._now()
        self._minted.add(now)
        self.stats.mints += 1
        self._serial += 1
        token = f"1000.{_digest(self._seed, f'a{self._serial}')[:32]}.{_digest(self._seed, f'b{self._serial}')[:32]}"
        self._tokens[token] = now + self.life_s
        while len(self._tokens) > ALIVE:
            self._tokens.popitem(last=False)
        return token

    def refused(self, authorization: str, *, bearer: bool = False) -> int:
        """0 when the header carries a live token, else Zoho's code; `Bearer` is not Zoho's form."""
        scheme, _, token = authorization.partition(" ")
        if authorization and scheme != "Zoho-oauthtoken" and not (bearer and scheme == "Bearer"):
            return 14
        return 0 if self._tokens.get(token.strip(), 0.0) > self._now() else 57

    def revoke(self, authorization: str = "") -> None:
        """Kill one token, or all of them."""
        if authorization:
            self._tokens.pop(authorization.partition(" ")[2].strip(), None)
        else:
            self._tokens.clear()

    def forget_mints(self) -> None:
        """Begin a new ten minutes."""
        self._minted = Window(MINTS_WINDOW_S)

    def shown(self) -> dict[str, Any]:
        """Tokens alive, for the statistics."""
        now = self._now()
        return {"tokens_alive": sum(until > now for until in self._tokens.values()), "tokens_issued": self._serial}


def _error(name: str) -> Answer:
    return Answer(body=encode({"error": name}))
