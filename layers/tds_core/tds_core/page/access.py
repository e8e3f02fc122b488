"""Who may see the page, and who may act: HTTP Basic logins, checked in constant time and slowed down after failures.

API Gateway asks `Gate` before every request to the page (a Lambda authorizer: only so can a browser be told to ask for
the password). Whoever raises `Unauthorized` there makes it answer 401, without any detail.
"""

import base64
import binascii
import hmac
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

Passwords = Callable[[], Mapping[str, str]]
FAILURES_A_MINUTE = 10
LOGINS_REFUSED = "LoginsRefused"
ACTION_PATH = "/status/action"
_MINUTE_S = 60.0
_REMEMBERED = 2_000


class Unauthorized(Exception):
    """API Gateway answers 401 for this message, and 500 for any other."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A name whose password was right; operators may act."""

    user: str
    is_operator: bool


class Logins:
    """The names and passwords of two secrets; a name of both is an operator's. An empty password lets nobody in."""

    def __init__(self, *, operators: Passwords, viewers: Passwords = dict) -> None:
        self._operators = operators
        self._viewers = viewers

    def check(self, header: str) -> Login | None:
        """Whose login an Authorization header holds. Every known login is compared, so its time tells nothing."""
        given = _digest(_credentials(header))
        found = None
        for passwords, is_operator in ((self._viewers(), False), (self._operators(), True)):
            for user, password in passwords.items():
                if hmac.compare_digest(given, _digest(f"{user}:{password}")) and password:
                    found = Login(user=user, is_operator=is_operator)
        return found

    def operator_password(self, user: str) -> str:
        """An operator's own password; raises KeyError."""
        return self._operators()[user]


class Attempts:
    """Failed logins by address, within a minute and in this process; the oldest addresses are forgotten first.

    What all processes together can be asked is bounded by API Gateway's throttle of the page's paths.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def is_blocked(self, address: str) -> bool:
        """Whether too many have failed: then nothing is compared any more."""
        failed = self._failed.get(address)
        while failed and failed[0] < self._clock() - _MINUTE_S:
            failed.popleft()
        return bool(failed) and len(failed or ()) >= FAILURES_A_MINUTE

    def fail(self, address: str) -> None:
        """Count one."""
        self._failed.setdefault(address, deque(maxlen=FAILURES_A_MINUTE)).append(self._clock())
        self._failed.move_to_end(address)
        if len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)


class Gate:
    """Lets requests through, or not; `count` tells how many logins were refused."""

    def __init__(self, logins: Logins, *, count: Callable[[str, float], None], attempts: Attempts) -> None:
        self._logins = logins
        self._count = count
        self._attempts = attempts

    def admit(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The policy for a request; raises Unauthorized."""
        address = str((event.get("requestContext") or {}).get("identity", {}).get("sourceIp", ""))
        header = headers_of(event).get("authorization", "")
        login = None if self._attempts.is_blocked(address) else self._logins.check(header)
        if login is None and header:
            self._attempts.fail(address)
            self._count(LOGINS_REFUSED, 1.0)
        acts = str(event.get("resource") or event.get("path")).rstrip("/").endswith(ACTION_PATH)
        if login is None or (acts and not login.is_operator):
            raise Unauthorized
        statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": event["methodArn"]}
        return {
            "principalId": login.user,
            "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "context": {"user": login.user},
        }


def admitted(event: Mapping[str, Any]) -> str | None:
    """Whom the gate let through; None where a request came past it. Nobody outside can set this."""
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    return str(authorizer.get("user") or "") or None


def headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The headers by their names in small letters."""
    return {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}


def _credentials(header: str) -> str:
    """The user:password of a Basic header; what no login can be if it is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
