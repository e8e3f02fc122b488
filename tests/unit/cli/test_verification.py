"""tds verify: it stays until the report is there, wakes what sleeps, and writes every amount with every digit."""

import csv
import json
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli import render_verification
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


def whole(**images: Any) -> dict[str, Any]:
    """A report in which all is well but for the images."""
    names = ("zoho", "erp", "missing", "extra", "mismatched", "details_pending", "healed", "remaining", "nulls")
    invoices: dict[str, Any] = dict.fromkeys(names, 0) | {
        "mismatch_ratio": 0.0,
        "error": None,
        "totals": [],
        "orphans": {"count": 0},
    }
    sides = {"expected": 3, "stored": 3, "linked": 3, "reachable": 3, "pending": 0, "healed": 0, "remaining": 0}
    compared = {"ok": not images, "faults": {}, "error": None} | sides | images
    return {
        "ok": compared["ok"],
        "entities": {"invoices": invoices},
        "images": compared,
        "remaining": [],
        "oldest_documents": {"documents": 0},
        "above_alarm_ratio": [],
        "zoho_calls": 1,
        "seconds": 1.0,
    }


@pytest.mark.parametrize(
    ("images", "line"),
    [
        ({}, "images: 3 expected, 3 stored, 3 reachable, 0 on their way, 0 healed"),
        ({"stored": 2, "remaining": 1, "faults": {"102": "not stored"}}, "image of 102: not stored"),
        ({"error": "QueueUnavailable: bucket not listed"}, "images could not be compared: QueueUnavailable"),
    ],
    ids=["well", "missing", "error"],
)
def test_people_and_the_requirements_checklist_see_images(
    images: dict[str, Any], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = StringIO()
    Console(width=160, file=screen).print(render_verification.report(whole(**images)))
    assert line in screen.getvalue()
    assert ("not equal" in screen.getvalue()) is bool(images)
    tds = tmp_path / "tds"
    tds.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(whole(**images))}\nEND\nexit {int(bool(images))}\n")
    tds.chmod(0o700)
    monkeypatch.setenv("TDS", str(tds))
    script = Path(__file__).parents[3] / "scripts" / "verify_phase1_sync.sh"
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (int(bool(images)), "")
    assert f"[{' ' if images else 'x'}] Images count: Zoho 3" in done.stdout
