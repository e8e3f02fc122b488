"""JSON without loss: decimals keep every digit, integers any size, text only what PostgreSQL can hold.

Zoho's ids have 18 and 19 digits and its prices three decimals and more, so nothing here passes through float.
NUL and lone surrogates, which PostgreSQL's jsonb refuses, become U+FFFD.
"""

import json
import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from tds_core.errors import InvalidDocument

JsonObject = dict[str, Any]
REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile(r"\\u0000|\\u[dD][89a-fA-F]")
_SCRUB = {0: REPLACEMENT} | dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)
_ONE_SPELLING = frozenset({str, int, bool, type(None)})
_MOST_KEYS = 10_000  # remembered; a document may have keys of anybody's making
_LONGEST_INTEGER = 40  # digits; 1e999999999 must not be written out
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


def loads(data: bytes | str) -> Any:
    """Parse JSON text; numbers with a fraction become Decimal.

    Raises InvalidDocument when it is not JSON (NaN and Infinity are not).
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    if "\\u" not in text or not _UNSTORABLE.search(text):
        try:
            return _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError, ArithmeticError):
            pass  # the standard library is more lenient, with raw line breaks in strings for example
    try:
        return scrub(json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, strict=False))
    except (ValueError, ArithmeticError, RecursionError) as exc:
        raise InvalidDocument("not JSON") from exc


def dumps(value: Any) -> str:
    """Write JSON text that `loads` reads back to the same value.

    Raises InvalidDocument when the value is nested too deeply: how deep that is depends on the caller's own depth.
    """
    try:
        return _encoder.encode(value).decode()
    except RecursionError as exc:
        raise InvalidDocument("nested too deeply") from exc


def digest(value: Any, *, skip: frozenset[str] = frozenset()) -> bytes:
    """16 bytes that are equal exactly if two values are equal in canonical form.

    Canonical: keys sorted, numbers without trailing zeros (Zoho writes 12, 12.0 and 12.00 for one amount), without
    the keys in `skip` and without `*_formatted`, which change with the reader's locale.
    Raises InvalidDocument when the value is nested too deeply.
    """
    try:
        return blake2b(_canonical_encoder.encode(_canonical(value, _kept(skip))), digest_size=16).digest()
    except RecursionError as exc:
        raise InvalidDocument("nested too deeply") from exc


class _Kept(dict[str, bool]):
    """Whether what stands under a key is hashed, found out once a key."""

    def __init__(self, skip: frozenset[str]) -> None:
        super().__init__()
        self._skip = skip

    def __missing__(self, key: str) -> bool:
        kept = key not in self._skip and not key.endswith("_formatted")
        if len(self) < _MOST_KEYS:
            self[key] = kept
        return kept


_kept = lru_cache(_Kept)


def _canonical(value: Any, kept: _Kept) -> Any:
    """The value in one spelling; what has only one, which most values have, is passed over without a call."""
    if isinstance(value, dict):
        return {
            key: item
            if (kind := type(item)) in _ONE_SPELLING
            else _plain(item)
            if kind is Decimal
            else _canonical(item, kept)
            for key, item in value.items()
            if kept[key]
        }
    if isinstance(value, list):
        return [_canonical(item, kept) for item in value]
    return _plain(value) if isinstance(value, Decimal) else value


def scrub(value: Any) -> Any:
    """The value with NUL and lone surrogates in its text and keys replaced by U+FFFD."""
    if isinstance(value, str):
        return value.translate(_SCRUB)
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    if isinstance(value, list):
        return [scrub(item) for item in value]
    return value


def is_storable(value: Any) -> bool:
    """Whether PostgreSQL can hold every text and key in the value."""
    return bool(scrub(value) == value)


@lru_cache(maxsize=65_536)
def _plain(number: Decimal) -> Decimal | int:
    if abs(number.adjusted()) < _LONGEST_INTEGER and number == number.to_integral_value():
        return int(number)
    return number.normalize(_EXACT)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
