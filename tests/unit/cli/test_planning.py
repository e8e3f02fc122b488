"""The plan for people and for scripts."""

import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import planning
from cli.deployment import Deployment
from cli.main import app


def figures(**parts: Any) -> dict[str, Any]:
    history = {"documents": 70_500, "calls": 68_300, "days": 15.5, "headers_only": False, "never_walked": []}
    whole = {
        "day_limit": 10_000,
        "is_told": True,
        "row": 10_000,
        "parts": [{"purpose": "poll", "calls": 8, "times_a_day": 176.0}],
        "calls_a_day": {"poll": 1_408.0},
        "fixed_a_day": 2_570,
        "changes_a_day": 300,
        "aged_a_day": 487,
        "held": 1_500,
        "left_a_day": 5_630,
        "history_a_day": 4_504,
    }
    images = {"to_fetch": 1_621, "a_day": 1_126, "days": 1.44}
    nested = {"history": history | parts.get("history", {}), "images": images | parts.get("images", {})}
    return whole | parts | nested


def shown(**parts: Any) -> str:
    console = Console(width=160, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(planning.show(figures(**parts)))
    return capture.get()


def test_people_see_where_a_days_calls_go_and_when_the_history_ends() -> None:
    text = shown()
    for told in (
        "10,000 calls a day, as Zoho tells it",
        "1,408",
        "26%",
        "2,570",
        "1,500",
        "5,630",
        "70,500",
        "16 days",
        "487",
        "images: 1,621 to fetch, one call each, 1,126 a day: at most 34 h",
    ):
        assert told in text
    assert "headers only" not in text


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        pytest.param({"is_told": False, "row": 5_000}, "as it is set; the cadence is that of 5,000", id="set"),
        pytest.param({"history": {"headers_only": True}}, "headers only", id="headers-only"),
        pytest.param({"history": {"days": None}}, "nothing of the day is left", id="nothing-left"),
        pytest.param({"history": {"documents": 0, "calls": 0, "days": 0.0}}, "no document of it waits", id="done"),
        pytest.param({"images": {"to_fetch": 0, "days": 0.0}}, "images: none waits", id="no-images"),
        pytest.param({"history": {"never_walked": ["bills"]}}, "not read yet: bills", id="not-asked-for"),
    ],
)
def test_what_is_special_is_said(parts: dict[str, Any], told: str) -> None:
    assert told in shown(**parts)


def test_scripts_get_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answering:
        def ask(self, command: str, arguments: dict[str, Any]) -> Any:
            assert (command, arguments) == ("plan", {})
            return figures()

    monkeypatch.setattr(Deployment, "find", lambda *_: Answering())
    result = CliRunner().invoke(app, ["plan", "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, figures())
    assert "tds backfill" not in CliRunner().invoke(app, ["plan"]).stdout
