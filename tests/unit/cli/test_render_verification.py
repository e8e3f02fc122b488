"""What people see of a verification's report: a verdict that is not good always says why."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli import render_verification

PART: dict[str, Any] = {
    **dict.fromkeys(("zoho", "erp", "missing", "extra", "mismatched", "details_pending", "healed", "remaining"), 0),
    "nulls": 0,
    "mismatch_ratio": 0.0,
    "totals": [],
    "orphans": {"count": 0, "samples": []},
    "error": None,
    "unexplained": [],
}


def last_line(*, ok: bool = False, images: dict[str, Any] | None = None, **parts: dict[str, Any]) -> str:
    oldest = {"documents": 0, "cycle_days": None, "oldest_days": None}
    made = {"ok": ok, "entities": {name: PART | part for name, part in parts.items()}, "remaining": []}
    made |= {"oldest_documents": oldest, "zoho_calls": 3, "seconds": 4.0, "images": images}
    screen = StringIO()
    Console(width=200, file=screen).print(render_verification.report(made))
    return screen.getvalue().splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            {"bills": {"details_pending": 60}, "invoices": {"details_pending": 7}},
            "not equal: 67 documents wait to be fetched",
        ),
        ({"bills": {"remaining": 2}}, "not equal: 2 records differ"),
        ({"bills": {"error": "ZohoUnavailable: 503"}}, "not equal: the list of bills could not be compared whole"),
        (
            {"bills": {"remaining": 1, "details_pending": 1}},
            "not equal: 1 records differ; 1 documents wait to be fetched",
        ),
        ({"bills": {"unexplained": [{}]}}, "not equal: sums of bills differ without a record that does"),
        ({"bills": {"untold": {"balance": 2}}}, "not equal: the list of bills does not tell balance of 2 records"),
    ],
    ids=["pending", "remaining", "unread", "both", "sums", "untold"],
)
def test_what_is_not_equal_says_why(parts: dict[str, Any], told: str) -> None:
    assert last_line(**parts) == told


def test_images_that_are_wrong_are_a_reason() -> None:
    counts = dict.fromkeys(("expected", "stored", "reachable", "pending", "healed"), 1)
    images = counts | {"ok": False, "error": "", "faults": {"7": "HTTP 404"}}
    assert last_line(images=images, bills={}) == "not equal: not all images are as they have to be"


def test_what_is_equal_says_what_was_healed() -> None:
    assert last_line(ok=True, bills={}) == "equal"
    assert last_line(ok=True, bills={"healed": 3}) == "equal, after 3 records were healed"
