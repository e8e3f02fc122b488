"""JSON keeps every digit, and text is what PostgreSQL can hold."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tds_core.errors import InvalidDocument
from tds_core.lossless_json import digest, dumps, loads

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("text", ["9007199254740993123", "0.1000000000000000055", "666666.0550", "1" * 30])
def test_numbers_keep_every_digit(text: str) -> None:
    assert dumps(loads(text)) == text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'"\\ud800x"', "\ufffdx"),
        (b'"\\uD83D\\uDE00"', "\U0001f600"),
        (b'"\xff"', "\ufffd"),
        (b'{"a\\u0000": 1}', {"a\ufffd": 1}),
        (b'"line\nbreak"', "line\nbreak"),
    ],
)
def test_what_postgresql_cannot_hold_is_replaced(body: bytes, expected: Any) -> None:
    assert loads(body) == expected


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 100_000, "<html>"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidDocument):
        loads(text)


@pytest.mark.parametrize("spelling", ["12", "12.0", "12.00", "1.2E1"])
def test_one_amount_has_one_digest_however_it_is_spelled(spelling: str) -> None:
    assert digest(loads(f'{{"a": {spelling}}}')) == digest({"a": 12})


def test_order_of_keys_and_what_is_skipped_do_not_count() -> None:
    some = {"b": [{"stock": 1, "x": Decimal("1.50")}], "a": 1, "total_formatted": "$1"}
    same = {"a": Decimal("1.0"), "b": [{"x": Decimal("1.5"), "stock": 2}], "total_formatted": "1 USD"}
    assert digest(some, skip=frozenset({"stock"})) == digest(same, skip=frozenset({"stock"}))
    assert digest(some) != digest(same)


@pytest.mark.parametrize("huge", ["1e999999", "1e1000000", "1e-1000000", "1e999999999999999999"])
def test_a_huge_exponent_is_not_written_out(huge: str) -> None:
    assert len(digest({"a": Decimal(huge)})) == 16


def test_every_digit_counts() -> None:
    long = "0.1234567890123456789012345678901234567890"
    assert digest(Decimal(long + "1")) != digest(Decimal(long + "2"))
    assert digest(Decimal(long)) == digest(Decimal(long + "0"))


def test_a_number_beyond_all_exponents_is_no_json() -> None:
    with pytest.raises(InvalidDocument):
        loads('{"a": 1e9999999999999999999}')


@given(VALUES, VALUES)
def test_different_values_have_different_digests(some: Any, other: Any) -> None:
    assert (digest([some]) == digest([other])) == (plain(some) == plain(other))


def plain(value: Any) -> str:
    """The value in one spelling, written down independently of the code."""
    match value:
        case bool() | None | str():
            return repr(value)
        case dict():
            kept = {key: item for key, item in value.items() if not key.endswith("_formatted")}
            return "{" + ",".join(f"{key!r}:{plain(kept[key])}" for key in sorted(kept)) + "}"
        case list():
            return "[" + ",".join(map(plain, value)) + "]"
        case _:
            return (
                format(Decimal(value).normalize() + 0, "f")
                if abs(Decimal(value).adjusted()) < 40
                else str(Decimal(value).normalize())
            )
