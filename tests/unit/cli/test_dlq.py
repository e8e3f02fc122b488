"""tds dlq: what people and scripts see of dead things, and what the console is asked for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.deployment import Deployment
from cli.main import app

ID = "dead_letters/invoices/6c1f2a60-8d5f-4d0e-9a3c-3f1b7a2f0d11"
LETTER = {
    "id": ID,
    "where": "dead_letters",
    "entity": "invoices",
    "ids": ["901"],
    "reason": "InvalidDocument: [/red] cannot read date",
    "first_seen": "2026-03-14T09:00:00+00:00",
    "redrives": 2,
    "trace_id": "trace-1",
}
PARKED = LETTER | {"id": "backlog/products/77", "where": "backlog", "entity": "products", "trace_id": None}
ZONE = {"time_zone": "Asia/Baghdad"}
BOTH = {"things": [LETTER, PARKED], "totals": {"dead_letters/invoices": 1, "backlog": 1}, **ZONE}


class Asked:
    """A stack whose console gives these answers and remembers the questions."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        self.calls.append((command, arguments))
        answer = self.answers[command]
        return answer(arguments) if callable(answer) else answer

    def caller(self) -> str:
        return "ali"


Use = Callable[..., Asked]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def make(**answers: Any) -> Asked:
        settled: dict[str, Any] = {"settled": [], "stays": {}}
        made = Asked({"dlq_list": BOTH, "dlq_redrive": settled, "dlq_drop": settled} | answers)
        monkeypatch.setattr(Deployment, "find", lambda *_: made)
        return made

    return make


def tds(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dlq", *arguments])


def test_a_list_is_plain_json_for_scripts(use: Use) -> None:
    use()
    result = tds("list", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, [LETTER, PARKED], "")


def test_a_list_for_people_has_each_id_whole_and_no_markup_of_strangers(use: Use) -> None:
    use()
    text = tds("list").stdout
    for told in (ID, "backlog/products/77", "901", "2026-03-14 12:00:00", "[/red] cannot read"):
        assert told in text


def test_an_empty_list_says_so(use: Use) -> None:
    use(dlq_list={"things": [], "totals": {}, **ZONE})
    assert "nothing is dead" in tds("list").stdout
    assert json.loads(tds("list", "--json").stdout) == []


def test_what_is_left_out_is_told_beside_the_list(use: Use) -> None:
    asked = use(dlq_list=BOTH | {"totals": {"dead_letters/invoices": 10_000, "backlog": 1}})
    result = tds("list", "--limit", "1", "--json")
    assert json.loads(result.stdout) == [LETTER, PARKED]
    assert result.stderr.strip() == "not all is shown: dead_letters/invoices 1 of about 10,000"
    assert asked.calls == [("dlq_list", {"limit": 1})]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--where", "backlog"), ["backlog/products/77"]),
        (("--entity", "invoices"), [ID]),
        (("--entity", "bills"), []),
    ],
)
def test_a_list_is_narrowed_by_place_and_entity(use: Use, options: tuple[str, ...], ids: list[str]) -> None:
    use()
    assert [thing["id"] for thing in json.loads(tds("list", *options, "--json").stdout)] == ids


@pytest.mark.parametrize(("size", "cut"), [(7, False), (900, True)])
def test_one_is_shown_with_its_payload(use: Use, size: int, cut: bool) -> None:
    use(dlq_show=LETTER | ZONE | {"payload": "payload", "bytes": size})
    text = tds("show", ID).stdout
    assert "2026-03-14 12:00:00 Asia/Baghdad" in text
    assert "payload" in text and f"{size} bytes" in text
    assert ("cut" in text) is cut


def test_one_without_payload_is_shown_too(use: Use) -> None:
    use(dlq_show=PARKED | ZONE | {"payload": None, "bytes": 0})
    assert "bytes" not in tds("show", "backlog/products/77").stdout


@pytest.mark.parametrize("command", ["redrive", "drop"])
def test_ids_are_settled_in_the_callers_name(use: Use, command: str) -> None:
    asked = use(**{f"dlq_{command}": {"settled": [ID], "stays": {}}})
    result = tds(command, ID, "--json")
    assert json.loads(result.stdout) == {"ok": True, "settled": [ID], "stays": {}}
    assert asked.calls == [(f"dlq_{command}", {"ids": [ID], "operator": "ali"})]


def test_what_stays_is_not_good(use: Use) -> None:
    use(dlq_redrive={"settled": [], "stays": {ID: "QueueUnavailable: message not stored"}})
    result = tds("redrive", ID)
    assert result.exit_code == 1
    assert "stays: QueueUnavailable" in result.stdout


def test_all_is_what_the_list_shows_in_parts_that_one_call_can_do(use: Use) -> None:
    things = [LETTER | {"id": f"dead_letters/invoices/{number}"} for number in range(250)]

    def settle(arguments: Mapping[str, Any]) -> Any:
        return {"settled": arguments["ids"], "stays": {}}

    asked = use(dlq_list={"things": [*things, PARKED], "totals": {}, **ZONE}, dlq_drop=settle)
    result = tds("drop", "--all", "--entity", "invoices", "--json")
    assert json.loads(result.stdout)["settled"] == [thing["id"] for thing in things]
    assert [len(arguments["ids"]) for command, arguments in asked.calls if command == "dlq_drop"] == [100, 100, 50]


@pytest.mark.parametrize("arguments", [("drop",), ("drop", ID, "--all"), ("redrive",)])
def test_neither_nothing_nor_both_is_settled(use: Use, arguments: tuple[str, ...]) -> None:
    asked = use()
    result = tds(*arguments)
    assert (result.exit_code, asked.calls) == (2, [])
    assert "either IDs or --all" in result.stderr
