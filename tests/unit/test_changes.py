"""What the change log says of a change: from what to what, without what is volatile, and of bounded size."""

from decimal import Decimal
from typing import Any

import pytest

from tds_core import lossless_json
from tds_core.database import changes

NONE: frozenset[str] = frozenset()


def line(number: int, **keys: Any) -> dict[str, Any]:
    return {"line_item_id": str(number), "item_id": "7", "quantity": 1, **keys}


def nested(before: Any, after: Any, *volatile: str) -> Any:
    return changes.nested(before, after, volatile=frozenset(volatile))


def test_plain_columns_that_differ_show_both_values() -> None:
    before = {"total": Decimal("10.00"), "status": "sent", "notes": None, "zoho_only": 1}
    after = {"total": Decimal(10), "status": "paid", "notes": "a", "zoho": {"a": 1}}
    assert changes.plain(before, after, frozenset({"total", "status", "notes"})) == {
        "status": ["sent", "paid"],
        "notes": [None, "a"],
    }


def test_lines_are_told_apart_by_their_own_id() -> None:
    before = [line(1), line(2, rate=Decimal("1.50")), line(3)]
    after = [line(1, quantity=Decimal("1.0")), line(2, rate=2), line(4, name="")]
    assert nested(before, after) == {
        "added": [line(4)],
        "removed": [line(3)],
        "changed": {"2": {"rate": [Decimal("1.50"), 2]}},
    }


def test_elements_without_an_id_of_their_own_are_told_by_their_content() -> None:
    before = [{"tax_name": "a"}, {"tax_name": "b"}, {"tax_name": "b"}]
    assert nested(before, [{"tax_name": "b"}, {"tax_name": "c"}]) == {
        "added": [{"tax_name": "c"}],
        "removed": [{"tax_name": "a"}, {"tax_name": "b"}],
    }


@pytest.mark.parametrize("shared", ["", None, "5"], ids=["empty", "null", "twice"])
def test_an_id_that_does_not_tell_the_lines_apart_is_none(shared: Any) -> None:
    before = [line(1) | {"line_item_id": shared, "name": name} for name in "ab"]
    account = nested(before, [before[0], before[1] | {"name": "c"}])
    assert [element["name"] for element in account["removed"] + account["added"]] == ["b", "c"]


def test_swapped_lines_are_in_another_order() -> None:
    assert nested([line(1), line(2)], [line(2), line(1)]) == {"reordered": True}


def test_objects_show_the_keys_that_differ() -> None:
    assert nested({"city": "Basra", "zip": "1"}, {"city": "Basra", "zip": "2", "fax": "3"}) == {
        "zip": ["1", "2"],
        "fax": [None, "3"],
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, [line(1)], id="appears"),
        pytest.param([line(1)], None, id="disappears"),
        pytest.param({"a": 1}, None, id="object-disappears"),
        pytest.param([1], {"a": 1}, id="another-shape"),
        pytest.param(["a", ["b"]], ["a", ["c"]], id="elements-of-no-shape"),
    ],
)
def test_whatever_differs_is_told(before: Any, after: Any) -> None:
    assert nested(before, after)


def test_what_is_volatile_is_no_change_at_any_depth() -> None:
    before = [line(1, rate_formatted="1", stock=5, taxes=[{"amount_formatted": "2"}])]
    after = [line(1, rate_formatted="x", stock=6, taxes=[{"amount_formatted": "y"}])]
    assert nested(before, after, "stock") is None
    assert nested(before, after) == {"changed": {"1": {"stock": [5, 6]}}}


def test_children_are_told_by_their_key() -> None:
    before = [{"location_id": "1", "stock_on_hand": 5}]
    after = [{"location_id": "1", "stock_on_hand": 4}, {"location_id": "2", "stock_on_hand": 1}]
    assert changes.elements(before, after, key="location_id") == {
        "added": [{"location_id": "2", "stock_on_hand": 1}],
        "changed": {"1": {"stock_on_hand": [5, 4]}},
    }


def test_a_long_account_keeps_its_short_parts() -> None:
    lines = nested([], [line(number, name="ب" * 40) for number in range(200)])
    told = changes.bounded({"status": ["sent", "paid"], "line_items": lines, "notes": [None, "a" * 5_000]})
    assert len(lossless_json.dumps(told).encode()) <= changes.LIMIT_BYTES
    assert told["status"] == ["sent", "paid"]
    assert told["notes"] == [None, "a" * 5_000]
    assert told["line_items"] == {"cut_bytes": len(lossless_json.dumps(lines).encode())}
