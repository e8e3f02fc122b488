"""Zoho's ids; imports nothing, so that the webhook receiver starts fast."""

from typing import Any

from tds_core.errors import InvalidId

_ID_LENGTH = 25
_ID_LIMIT = 10**_ID_LENGTH


def parse_id(value: Any) -> str:
    """A Zoho id: 1 to 25 ASCII digits, given as text or integer.

    Raises InvalidId; such a value may reach neither a URL nor a key.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ID_LIMIT:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _ID_LENGTH:
        return value
    raise InvalidId("an id is 1 to 25 digits")
