"""What an answer of Zoho's API means: its document, or the error that says who should do what.

Zoho states its outcome in `code`, 0 for success, sometimes under HTTP 200; so the code counts before the status.
"""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime

import httpx

from tds_core import lossless_json
from tds_core.errors import (
    InvalidDocument,
    InvalidImage,
    OrganizationRejected,
    TdsError,
    ZohoRejected,
    ZohoThrottled,
    ZohoUnavailable,
)
from tds_core.lossless_json import JsonObject
from tds_core.zoho.retry import LONGEST_WAIT_S, THROTTLED_WAIT_S
from tds_core.zoho.transport import Answer

NOT_FOUND_CODE = 1002
NO_ENDPOINT_CODE = 5
_UNAUTHORIZED_CODES = {57, 14}
_ORGANIZATION_CODES = {6041, 4029}
_INTERNAL_ERROR_CODE = 1000


class Unauthorized(TdsError):
    """Zoho did not accept the token for this endpoint; the client decides whether a new one may help."""


def read(answer: Answer, *, pause_s: float | None = None) -> JsonObject:
    """The JSON object of a successful answer.

    `pause_s` is how long code 44 stops everybody when Zoho does not say, instead of its minute.
    Raises ZohoThrottled, Unauthorized, OrganizationRejected, ZohoRejected or ZohoUnavailable.
    """
    document = _object(answer)
    code = _code(document)
    status = answer.status
    if status == 429 or code in THROTTLED_WAIT_S:
        raise _throttled(code, answer.headers, pause_s)
    if status == 401 or code in _UNAUTHORIZED_CODES:
        raise Unauthorized
    if code in _ORGANIZATION_CODES:
        raise OrganizationRejected(f"Zoho says code {code}: the organization id is not the token's")
    if status >= 500 or code == _INTERNAL_ERROR_CODE:
        raise ZohoUnavailable(f"HTTP {status}, code {code}")
    if status >= 400 or (document is not None and code not in (0, None)):
        raise ZohoRejected(status=status, code=code)
    if status >= 300 or document is None:
        raise ZohoUnavailable(f"HTTP {status} without a JSON object")
    return document


def read_file(answer: Answer, *, pause_s: float | None = None) -> bytes:
    """The bytes of a file that is served as it is; Zoho states its errors as JSON here, too, even under HTTP 200.

    Raises what `read` raises, and InvalidImage for a success without a file.
    """
    if answer.status != 200 or _object(answer) is not None:
        read(answer, pause_s=pause_s)
        raise InvalidImage("JSON without an error instead of a picture")
    if answer.body.lstrip()[:1] == b"<":
        raise InvalidImage("HTML or XML instead of a picture")
    if not answer.body:
        raise InvalidImage("an empty answer")
    return answer.body


def served_at(headers: httpx.Headers, *, otherwise: datetime) -> datetime:
    """When Zoho answered, by its own clock: the Date header."""
    try:
        moment = parsedate_to_datetime(headers["Date"])
        return moment.astimezone(UTC) if moment.tzinfo else otherwise
    except (KeyError, ValueError, OverflowError):
        return otherwise


def _object(answer: Answer) -> JsonObject | None:
    try:
        document = lossless_json.loads(answer.body)
    except InvalidDocument:
        return None
    return document if isinstance(document, dict) else None


def _code(document: JsonObject | None) -> int | None:
    code = (document or {}).get("code")
    if isinstance(code, str) and code.isascii() and code.isdigit():
        return int(code[:9])
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _throttled(code: int | None, headers: httpx.Headers, pause_s: float | None) -> ZohoThrottled:
    if code not in THROTTLED_WAIT_S:
        code = 44
    try:
        told = Decimal(headers["Retry-After"])
        wait_s = float(min(max(told, Decimal(0)), Decimal(LONGEST_WAIT_S)))
    except (KeyError, ArithmeticError):
        wait_s = pause_s if code == 44 and pause_s is not None else THROTTLED_WAIT_S[code]
    return ZohoThrottled(code=code, retry_after_s=wait_s)
