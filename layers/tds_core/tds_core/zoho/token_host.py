"""The token host: it mints an access token, or says in its own ways why not.

Zoho writes its errors under HTTP 200 as well as 400, so a token in the body is what counts. Nothing of the request
stands in an error.
"""

import logging
import re
from dataclasses import dataclass, field

import httpx

from tds_core import lossless_json
from tds_core.errors import CredentialsRejected, InvalidDocument, TdsError, TokenUnavailable, ZohoUnavailable
from tds_core.lossless_json import JsonObject
from tds_core.settings import Settings
from tds_core.zoho.retry import MINT_FAILED_S, MINT_REFUSED_S
from tds_core.zoho.transport import Answer, send

MINT_DEADLINE_S = 20.0
_LIFE_S = 3_600.0
_BODY_LIMIT = 64 * 1024
_HOST_LENGTH = 253
_NAMED = re.compile(r"[a-z_]{1,40}")
_USABLE = re.compile(r"[\x21-\x7e]{1,2048}")
_REFUSALS = {
    "invalid_code": "the refresh token is wrong, revoked or of another data centre; make a new one in Zoho's API "
    "console and put it into the Zoho secret, or set ZohoAccountsUrl to its data centre",
    "invalid_client": "the client id is unknown to this data centre; compare client_id in the Zoho secret with Zoho's "
    "API console, or set ZohoAccountsUrl to its data centre",
    "invalid_client_secret": "the client secret is wrong; copy it from Zoho's API console into the Zoho secret",
}
_THROTTLED = "Access Denied"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZohoCredentials:
    """What mints access tokens; never shown."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A new token, its life, and the API host that the token host names for it."""

    value: str = field(repr=False)
    life_s: float
    api_domain: str = ""


class MintRefused(TdsError):
    """No token: `error` says why, `hold_s` how long nobody should ask again, `refusal` what to tell the others."""

    def __init__(self, error: TdsError, *, hold_s: float, refusal: str | None = None) -> None:
        super().__init__(str(error))
        self.error, self.hold_s, self.refusal = error, hold_s, refusal


def refusal_error(refusal: str) -> TdsError:
    """The error that a remembered refusal stands for."""
    if refusal in _REFUSALS:
        return CredentialsRejected(f"{refusal}: {_REFUSALS[refusal]}")
    return TokenUnavailable(
        f"{refusal}: Zoho minted too many tokens for this refresh token and blocks it for up to 10 minutes; wait, and "
        "if it comes back, another program uses the same one: give this deployment a refresh token of its own"
    )


class TokenHost:
    """Mints with the configured accounts host."""

    def __init__(self, settings: Settings, http: httpx.Client) -> None:
        self._settings = settings
        self._http = http

    def mint(self, credentials: ZohoCredentials) -> Minted:
        """Mint a token; raises MintRefused."""
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
            raise MintRefused(TokenUnavailable(f"the token host gave {exc}"), hold_s=MINT_FAILED_S) from None
        return self._read(answer)

    def _read(self, answer: Answer) -> Minted:
        try:
            body = lossless_json.loads(answer.body)
        except InvalidDocument:
            body = None
        body = body if isinstance(body, dict) else {}
        value, error = body.get("access_token"), body.get("error")
        if isinstance(value, str) and _USABLE.fullmatch(value) and answer.status < 400:
            return Minted(value=value, life_s=_life_s(body), api_domain=self._api_domain(body.get("api_domain")))
        if isinstance(error, str) and (error in _REFUSALS or error == _THROTTLED):
            raise MintRefused(refusal_error(error), hold_s=MINT_REFUSED_S, refusal=error)
        named = f" and {error}" if isinstance(error, str) and _NAMED.fullmatch(error) else ""
        failure = TokenUnavailable(f"the token host answered HTTP {answer.status}{named} without a token")
        raise MintRefused(failure, hold_s=MINT_FAILED_S)

    def _api_domain(self, stated: object) -> str:
        """Tokens go to the configured host only, so another api_domain is a hint at a wrong data centre, no more."""
        try:
            host = httpx.URL(stated).host if isinstance(stated, str) else ""
        except httpx.InvalidURL:
            host = ""
        if host != httpx.URL(self._settings.zoho_api_url).host:
            _log.warning("the token's api_domain is not the configured host, which is used all the same")
        return host[:_HOST_LENGTH]


def _life_s(body: JsonObject) -> float:
    """Some hosts write expires_in in milliseconds, and then expires_in_sec beside it."""
    life_s = body.get("expires_in_sec", body.get("expires_in"))
    is_number = isinstance(life_s, int) and not isinstance(life_s, bool) and life_s > 0
    return min(float(life_s), _LIFE_S) if is_number and life_s else _LIFE_S
