"""What goes back over the wire, Zoho's error envelope included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cli.local.zoho_simulator.world import encode

JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"

MESSAGES: Mapping[int, tuple[int, str]] = MappingProxyType(
    {
        2: (400, "Invalid value passed for {0}"),
        5: (404, "Invalid URL Passed"),
        14: (401, "Invalid value passed for authtoken."),
        37: (405, "The HTTP method {0} is not allowed for the requested resource"),
        44: (
            429,
            (
                "For security reasons your organization has been blocked as it have exceeded the maximum number of "
                "requests per minute that can originate from an organization."
            ),
        ),
        45: (429, "The API call for this organization has exceeded the maximum call rate limit of {0}."),
        57: (401, "You are not authorized to perform this operation"),
        1000: (500, "Internal Error"),
        1002: (404, "{0} does not exist."),
        1070: (
            429,
            "You have reached the maximum number of in process requests allowed. Kindly try again after some time.",
        ),
        4029: (400, "Organization ID is missing or invalid."),
        6041: (400, "This user is not associated with the CompanyID/CompanyName:{0}."),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response before it is sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    code: int = 0


def refusal(code: int, about: object = "", *, status: int | None = None) -> Answer:
    """The error envelope of a code."""
    usual, message = MESSAGES[code]
    body = encode({"code": code, "message": message.format(about)})
    return Answer(status=status or usual, body=body, code=code)


def success(key: str, encoded: bytes) -> Answer:
    """code 0 and one key with what was already encoded."""
    return Answer(body=b'{"code":0,"message":"success","' + key.encode() + b'":' + encoded + b"}")
