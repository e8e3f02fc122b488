"""What people and scripts see of `tds trace`."""

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import render_trace
from cli.deployment import Deployment
from cli.main import app

OUTCOME = {
    "what": "outcome",
    "at": "2026-01-02T21:30:00+00:00",
    "outcome": "updated",
    "kind": "list_row",
    "source": "webhook",
    "webhook": "invoices/updated",
    "observed_at": "2026-01-02T21:29:59+00:00",
    "version": "2026-01-02T21:29:00+00:00",
    "trace_id": "abc",
    "reason": None,
    "changes": None,
    "sequence": 7,
}
RECORD = {
    "last_modified_time": "2026-01-02T21:29:00+00:00",
    "detail_observed_at": "2026-01-02T21:29:59+00:00",
    "detail_observed_by": "webhook",
    "deleted_at": None,
}


def told(*story: dict[str, Any], **parts: Any) -> dict[str, Any]:
    whole = {
        "entity": "invoices",
        "id": "901",
        "matches": [{"id": "901", "invoice_number": "INV-1", "deleted_at": None}],
        "record": RECORD,
        "story": list(story),
        "is_cut": False,
        "time_zone": "Asia/Baghdad",
    }
    return whole | parts


def seen(part: Any) -> str:
    screen = StringIO()
    Console(width=200, file=screen).print(part)
    return screen.getvalue()


def shown(changes: dict[str, Any]) -> str:
    return seen(render_trace.story(told(OUTCOME | {"changes": changes})))


def test_times_are_the_organisations_own() -> None:
    text = seen(render_trace.story(told(OUTCOME)))
    assert "2026-01-03 00:30:00" in text and "2026-01-03 00:29:00" in text
    assert "21:30" not in text


def test_a_line_says_what_came_which_way_and_which_event_it_is() -> None:
    text = seen(render_trace.story(told(OUTCOME)))
    assert all(part in text for part in ("invoices 901 · INV-1", "updated", "webhook invoices/updated, list row", "#7"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({"balance": ["100", "0"]}, "balance: 100 → 0", id="value"),
        pytest.param({"notes": [None, "[red]x[/red]"]}, "notes: nothing → [red]x[/red]", id="no-markup"),
        pytest.param(
            {"line_items": {"changed": {"5": {"quantity": [1, 2]}}}}, "line_items 5 quantity: 1 → 2", id="line"
        ),
        pytest.param({"line_items": {"added": [{"name": "a"}]}}, 'line_items + {"name": "a"}', id="added"),
        pytest.param({"line_items": {"removed": ["b"]}}, "line_items - b", id="removed"),
        pytest.param({"line_items": {"reordered": True}}, "line_items: in another order", id="reordered"),
        pytest.param({"billing_address": {"city": ["a", "b"]}}, "billing_address city: a → b", id="object"),
        pytest.param({"line_items": {"cut_bytes": 9_000}}, "too long to keep (9,000 bytes)", id="cut"),
        pytest.param({"notes": ["a" * 100, ""]}, "a" * 60 + "… → ", id="long"),
    ],
)
def test_a_change_reads_from_what_to_what(changes: dict[str, Any], line: str) -> None:
    assert line in shown(changes)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(
            {
                "what": "requested",
                "cause": "ordering",
                "not_before": "2026-01-02T22:00:00+00:00",
                "attempts": 2,
                "is_leased": None,
                "reason": "ZohoUnavailable",
            },
            "due 2026-01-03 01:00:00, 2 attempts so far",
            id="requested",
        ),
        pytest.param({"what": "parked", "reason": "InvalidDocument: total"}, "InvalidDocument: total", id="parked"),
        pytest.param({"what": "tombstone", "evidence": {"code": 1002}}, 'evidence {"code": 1002}', id="tombstone"),
        pytest.param(
            {"what": "unpublished", "event": "created", "sequence": 3},
            "created waits to be published",
            id="unpublished",
        ),
        pytest.param(
            {
                "what": "suspected",
                "run": 7,
                "kind": "mismatched",
                "values": {"total": {"erp": "1.5", "zoho": 2}},
            },
            "total: ERP 1.5, Zoho 2",
            id="suspected",
        ),
        pytest.param(
            {"what": "suspected", "run": 7, "kind": "missing", "values": {"": {"erp": None, "zoho": {"total": 2}}}},
            'whole record: ERP nothing, Zoho {"total": 2}',
            id="missing",
        ),
        pytest.param(
            {"what": "healed", "run": 7, "kind": "missing", "reason": "fetched"}, "verification 7, missing", id="healed"
        ),
    ],
)
def test_everything_else_that_is_kept_of_it_has_its_line(entry: dict[str, Any], line: str) -> None:
    assert line in seen(render_trace.story(told(entry | {"at": "2026-01-02T21:30:00+00:00"})))


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (None, "the mirror has no row of it"),
        (RECORD | {"deleted_at": "2026-01-02T21:30:00+00:00"}, "deleted 2026-01-03 00:30:00"),
        (RECORD | {"detail_observed_at": None}, "its document was never seen"),
        (RECORD, "its document is as of 2026-01-03 00:29:59, by webhook"),
    ],
)
def test_its_state_stands_beneath(record: Any, line: str) -> None:
    assert line in seen(render_trace.story(told(record=record, matches=[])))


def run(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], *arguments: str) -> Any:
    class Fake:
        def ask(self, command: str, given: dict[str, Any]) -> dict[str, Any]:
            assert (command, given) == ("trace", {"name": "invoices", "record": "INV-1"})
            return answer

    monkeypatch.setattr(Deployment, "find", lambda *_: Fake())
    return CliRunner().invoke(app, ["trace", "invoices", "INV-1", *arguments])


def test_scripts_get_the_story_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, told(OUTCOME), "--json")
    assert result.exit_code == 0 and json.loads(result.stdout) == told(OUTCOME)


def test_several_matches_are_listed_and_not_good(monkeypatch: pytest.MonkeyPatch) -> None:
    matches = [{"id": one, "invoice_number": "INV-1", "deleted_at": None} for one in ("901", "902")]
    result = run(monkeypatch, told(id=None, matches=matches, record=None))
    assert result.exit_code == 1 and "901" in result.stdout and "902" in result.stdout


def test_nothing_known_is_said_and_not_good(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, told(id=None, matches=[], record=None))
    assert (result.exit_code, result.stderr) == (1, "error: nothing is known of INV-1 in invoices\n")
