"""tds verify: it stays until the report is there, wakes what sleeps, and writes every amount with every digit."""

import csv
from pathlib import Path
from typing import Any

import pytest

from cli.follow import FollowTimeout
from cli.verification import differences, follow, write

PROGRESS = {"lists": 1, "rows": 2, "differences": 0, "open": 0, "healed": 0}


def shown(phase: str = "lists", *, over: bool = False, **progress: int) -> dict[str, Any]:
    return {
        "run_id": 7,
        "phase": phase,
        "error": None,
        "ended_at": "2026-11-22T00:00:00+00:00" if over else None,
        "progress": PROGRESS | progress,
        "report": {"ok": True} if over else None,
    }


class Script:
    """A console that answers in turn and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.now = list(answers), 0.0
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, command: str, arguments: Any) -> Any:
        self.asked.append((command, arguments))
        if command == "wake":
            return {}
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run(script: Script, *, timeout_s: float | None = None) -> Any:
    return follow(script, 7, lambda _: None, timeout_s=timeout_s, clock=lambda: script.now, sleep=script.sleep)


def test_it_stays_until_the_report_and_wakes_what_is_needed() -> None:
    script = Script(shown(), shown("confirm"), shown("images"), shown("report", over=True))
    assert run(script) == {"ok": True}
    woken = [arguments["modes"] for command, arguments in script.asked if command == "wake"]
    assert woken == [["verification"], ["drain", "verification"], ["drain", "verification"]]


def test_while_nothing_moves_it_wakes_ever_more_rarely_and_gives_up_in_time() -> None:
    script = Script(shown())
    with pytest.raises(FollowTimeout):
        run(script, timeout_s=60)
    assert [command for command, _ in script.asked].count("wake") <= 8


def test_differences_come_page_by_page() -> None:
    first = [{"entity": "bills", "id": str(n), "kind": "local", "field": "total"} for n in range(1_000)]
    script = Script(first, first[:2])
    assert len(list(differences(script, 7))) == 1_002
    assert [arguments["after"] for _, arguments in script.asked] == [[], ["bills", "999", "local", "total"]]


def test_files_keep_every_digit_and_hold_no_formula(tmp_path: Path) -> None:
    names = ("zoho", "erp", "missing", "extra", "mismatched", "details_pending", "healed", "remaining", "nulls")
    total = {"erp": "9007199254740993.055", "column": "total", "zoho": "1.10", "status": "paid", "currency": "IQD"}
    report = {"entities": {"bills": dict.fromkeys(names, 1) | {"totals": [total]}}}
    found = dict.fromkeys(("suspected_at", "healed_at", "how", "status"), None) | {
        "entity": "bills",
        "id": "1",
        "kind": "local",
        "field": "notes",
        "erp_value": "=1+1",
        "zoho_value": "-12.50",
    }
    counts, totals, listed = write(tmp_path / "new", report, [found])
    rows = list(csv.DictReader(totals.open(encoding="utf-8-sig")))
    assert rows == [{"entity": "bills", **total}]
    [row] = csv.DictReader(listed.open(encoding="utf-8-sig"))
    assert (row["erp_value"], row["zoho_value"]) == ("'=1+1", "-12.50")
    assert counts.read_text("utf-8-sig").splitlines()[0].startswith("entity,zoho,erp,missing")
