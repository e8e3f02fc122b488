"""The commands as scripts see them: JSON on stdout, one line on stderr, and an exit code that tells the truth."""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import run
from cli.commands import simulate, webhook
from cli.console import Console, ConsoleError
from cli.deployment import Deployment
from cli.failure import CommandFailed, ExitCode
from cli.main import app
from cli.simulation import Simulation
from tds_core.entities import REGISTRY
from tds_core.zoho.webhooks import Webhook, is_authentic
from tests.unit.cli.status_figures import entity, requests, scan, status

SECRET = "not a real one"


class FakeDeployment:
    """A stack whose console says what a test wants."""

    api_url = "http://127.0.0.1:1/api"
    control_url = "http://127.0.0.1:1/_simulator"

    def __init__(self, **answers: Any) -> None:
        self.answers = {"backfill": {"scans": ["invoices"]}, "status": status(), "poll": {}, "wake": {}} | answers
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append((command, arguments))
        answer = self.answers[command]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        return self.answers[function]

    def output(self, name: str) -> str:
        return name

    def webhook_secret(self) -> str:
        return SECRET

    def caller(self) -> str:
        return "somebody"

    def dead_letters(self) -> dict[str, int]:
        return {"InvoicesDeadLetter": 2}


Use = Callable[..., FakeDeployment]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def make(**answers: Any) -> FakeDeployment:
        made = FakeDeployment(**answers)
        monkeypatch.setattr(Deployment, "find", lambda *_: made)
        return made

    return make


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A stack whose console refuses as the deployed one does."""

    def refuse(_: Console, command: str, arguments: Mapping[str, Any]) -> Any:
        for name in (*arguments.get("entities", ()), arguments.get("name", "invoices")):
            if name not in REGISTRY:
                raise ConsoleError("UnknownEntity", f"no entity {name!r}")
        if command in ("refetch", "images_sync"):
            raise ConsoleError("InvalidId", "an id is 1 to 25 digits")
        raise AssertionError(command)

    def make() -> None:
        monkeypatch.setattr(Deployment, "find", lambda *_: Deployment(stack="s", region="r", local=None))
        monkeypatch.setattr(Deployment, "_console", Console(function="f", client=None))
        monkeypatch.setattr(Console, "invoke", refuse)

    return make


def tds(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


DONE = status(entities={"invoices": entity(erp=40)}, scans={"invoices": scan(walked=40)})
PARKED = status(
    entities={"invoices": entity(erp=40, pending=2)},
    backlog={"invoices": requests(2, parked=2)},
    scans={"invoices": scan(walked=40)},
)


def test_backfill_asks_and_leaves(use: Use) -> None:
    deployment = use()
    result = tds("backfill", "invoices", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"ok": True, "scans": ["invoices"]}
    assert deployment.asked == [("backfill", {"entities": ["invoices"]})]


@pytest.mark.parametrize(
    ("figures", "code", "ok"), [(DONE, 0, True), (PARKED, 1, False)], ids=["all there", "parked rows"]
)
def test_backfill_waits_and_tells_whether_all_is_there(use: Use, figures: Any, code: int, ok: bool) -> None:
    use(status=figures)
    result = tds("backfill", "--wait", "--json", "--timeout", "3")
    assert result.exit_code == code
    answer = json.loads(result.stdout)
    assert answer["ok"] is ok
    assert answer["entities"]["invoices"]["erp"] == 40
    assert "2" in tds("backfill", "--wait", "--timeout", "3").stdout or ok, "people are told how many"


def test_backfill_gives_up_waiting_when_told(use: Use) -> None:
    use(status=status(scans={"invoices": scan(asked=True)}, working=["walk"]))
    result = tds("backfill", "--wait", "--timeout", "0")
    assert result.exit_code == 1
    told = result.stderr.splitlines()[-1]
    assert told == "error: not done within 0 s; it goes on by itself; left: the list of invoices"


def test_status_shows_dead_letters_to_scripts_and_people(use: Use) -> None:
    use(status=DONE)
    assert json.loads(tds("status", "--json").stdout)["dead_letters"] == {"InvoicesDeadLetter": 2}
    assert "InvoicesDeadLetter 2" in tds("status").stdout


def test_refetch_names_the_entity_and_ids(use: Use) -> None:
    deployment = use(refetch={"requested": 2})
    assert tds("refetch", "invoices", "11", "12").exit_code == 0
    assert deployment.asked == [("refetch", {"name": "invoices", "ids": ["11", "12"]})]


@pytest.mark.parametrize(
    ("code", "exit_code"), [(ExitCode.NOT_OK, 1), (ExitCode.UNREACHABLE, 2)], ids=["refused", "unreachable"]
)
def test_a_failure_is_one_line_and_no_traceback(use: Use, code: ExitCode, exit_code: int) -> None:
    use(status=CommandFailed("UnknownEntity: no entity 'x'", code))
    result = tds("status")
    assert result.exit_code == exit_code
    assert result.stderr == "error: UnknownEntity: no entity 'x'\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    "command",
    [
        "backfill moons",
        "verify --entity moons",
        "trace moons 1",
        "refetch moons 1",
        "refetch invoices x",
        "deletions approve moons",
        "images sync x",
        "webhook check moons",
        "webhook send moons --id 1",
        "dlq list --where moon",
        "dlq drop --all --entity moons",
        "simulator --port 99999",
        "simulator --port x",
        "simulator --count invoices=-1",
        "simulator --count moons=1",
        "up --size moon",
        "up --param Moon=1",
        "up --count invoices=x",
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(console: Callable[[], None], command: str) -> None:
    console()
    result = tds(*command.split())
    assert result.exit_code == 2
    assert result.stdout == "" and result.stderr
    assert isinstance(result.exception, SystemExit)


def test_ctrl_c_during_a_command_is_130_and_no_traceback(use: Use) -> None:
    use(status=KeyboardInterrupt())
    result = tds("status")
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_while_the_command_is_being_read_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cli.main", Interrupted())
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 130


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = tds("simulator", "--port", str(taken.getsockname()[1]))
    assert (result.exit_code, result.stderr.splitlines()[-1].endswith("Address already in use")) == (2, True)


@pytest.mark.parametrize(("level", "code"), [("good", 0), ("attention", 0), ("bad", 1)])
@pytest.mark.parametrize("form", [["--json"], []], ids=["scripts", "people"])
def test_status_ends_as_its_verdict(use: Use, level: str, code: int, form: list[str]) -> None:
    use(status=DONE | {"verdict": {"level": level, "text": "so it is", "reasons": []}})
    assert tds("status", *form).exit_code == code


def test_deletions_are_told_in_the_organisations_time(use: Use) -> None:
    gone = {"entity": "invoices", "id": "901", "deleted_at": "2026-01-02T21:30:00+00:00", "evidence": {}}
    held = {"entity": "bills", "id": "902", "requested_at": "2026-01-02T21:31:00+00:00", "reason": "r"}
    use(deletions={"withheld": [held], "done": [gone], "time_zone": "Asia/Baghdad"})
    shown = tds("deletions", "list").stdout
    for part in ("since (Asia/Baghdad)", "2026-01-03 00:31:00", "when (Asia/Baghdad)", "2026-01-03 00:30:00"):
        assert part in shown


BUDGET = status()["zoho"] | {"reopened": None, "time_zone": "Asia/Baghdad"}


def test_the_budget_is_shown_to_scripts_and_people(use: Use) -> None:
    last = {"operator": "sara", "at": "2026-01-02T21:30:00+00:00", "reason": "circuit open after 5 failures"}
    day = BUDGET["days"][0] | {"used": [3, 0, 7, 0, 0, 0, 0, 0], "is_closed": True, "ends_history": True}
    use(budget=BUDGET | {"reopened": last, "days": [day], "circuit": "open", "circuit_failures": 5})
    assert json.loads(tds("budget", "show", "--json").stdout)["days"] == [day]
    shown = tds("budget", "show").stdout
    for part in ("9,000", "10,000", "closed by Zoho", "webhook 3, poll 7", "12 of 90", "1 of 5", "open for"):
        assert part in shown
    assert "2026-01-03 00:30:00 Asia/Baghdad by sara: circuit open after 5 failures" in shown


@pytest.mark.parametrize("held", [[], ["circuit open after 5 failures"]], ids=["nothing", "circuit"])
def test_reopening_tells_who_asks_and_what_was_held(use: Use, held: list[str]) -> None:
    deployment = use(reopen_budget={"reopened": held})
    assert json.loads(tds("budget", "reopen", "--json").stdout) == {"ok": True, "reopened": held}
    assert (held or ["nothing was done"])[0] in tds("budget", "reopen").stdout
    assert deployment.asked[0] == ("reopen_budget", {"operator": "somebody"})


def test_without_a_stack_every_command_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TDS_STATE_DIR", str(tmp_path))
    for command in (["status"], ["backfill"], ["poll"], ["refetch", "invoices", "1"], ["migrate"], ["info"]):
        result = tds(*command)
        assert result.exit_code == 2, command
        assert result.stderr.startswith("error: no stack is up"), command
        assert len(result.stderr.splitlines()) == 1, command


@pytest.mark.parametrize(("status_name", "code"), [("SUCCESS", 0), ("FAILED", 1)])
def test_migrate_tells_what_was_applied(use: Use, status_name: str, code: int) -> None:
    use(MigrateFunctionName={"Status": status_name, "Reason": "applied 0001_machinery.sql"})
    result = tds("migrate")
    assert result.exit_code == code
    assert "0001_machinery.sql" in result.output


def posted(monkeypatch: pytest.MonkeyPatch, *statuses: int) -> list[httpx.Request]:
    """Catch what `webhook send` posts and answer with these status codes."""
    requests_seen: list[httpx.Request] = []
    answers = iter(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        requests_seen.append(request)
        return httpx.Response(next(answers))

    original = webhook.post
    monkeypatch.setattr(
        webhook, "post", lambda *args, **kwargs: original(*args, transport=httpx.MockTransport(answer), **kwargs)
    )
    return requests_seen


def test_a_sent_webhook_is_authentic_and_at_its_address(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    sent = posted(monkeypatch, 202)
    assert tds("webhook", "send", "invoices", "--event", "updated", "--id", "460").exit_code == 0
    (request,) = sent
    assert request.url.path == "/api/webhooks/zoho/invoices/updated"
    assert json.loads(request.content) == {"invoice": {"invoice_id": "460"}}
    event = {
        "body": request.content.decode(),
        "headers": dict(request.headers),
        "pathParameters": {"module": "invoices", "event": "updated"},
    }
    assert is_authentic(Webhook.from_event(event, trace_id="1"), [SECRET])


def test_a_body_from_standard_input_is_sent_as_it_is(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    sent = posted(monkeypatch, 202)
    tds("webhook", "send", "items", "--file", "-", given='{"item": {"item_id": 1}} ')
    assert sent[0].content == b'{"item": {"item_id": 1}} '
    assert sent[0].url.path == "/api/webhooks/zoho/items"


def test_one_refused_webhook_of_several_is_not_ok(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    posted(monkeypatch, 202, 503, 202)
    result = tds("webhook", "send", "items", "--id", "1", "--count", "3")
    assert result.exit_code == 1
    assert "202 x 2" in result.stdout
    assert "503 x 1" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["invoices"],
        ["invoices", "--id", "1", "--file", "x"],
        ["nonsense", "--id", "1"],
        ["items", "--file", "/no/file"],
    ],
    ids=["nothing", "both", "unknown module", "no such file"],
)
def test_a_webhook_without_a_body_is_a_usage_error(use: Use, arguments: list[str]) -> None:
    use()
    result = tds("webhook", "send", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


class Recorder:
    """A simulator's control interface that remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, status_code: int = 200, answer: Any = None) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.answer, self.status_code = answer or {"limit": 1}, status_code
        transport = httpx.MockTransport(self._handle)
        monkeypatch.setattr(simulate, "Simulation", lambda url: Simulation(url, transport=transport))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.method, request.url.path.removeprefix("/_simulator"), body))
        return httpx.Response(self.status_code, json=self.answer)


def test_simulate_activity_says_what_shall_happen(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    simulator = Recorder(monkeypatch)
    assert tds("simulate", "activity", "--events", "5", "--entity", "invoices", "--mix", "pay=3").exit_code == 0
    body = {"events": 5, "per_second": 10.0, "seed": 1, "entities": ["invoices"], "mix": {"pay": 3}}
    assert simulator.requests == [("POST", "/activity", body)]


def test_simulate_webhooks_points_them_at_the_stack(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    simulator = Recorder(monkeypatch)
    tds("simulate", "webhooks", "--on", "--loss", "0.5", "--set", "delay_s=[0,1]", "--set", "style=json_string")
    body = {
        "base_url": "http://127.0.0.1:1/api/webhooks/zoho",
        "secret": SECRET,
        "loss": 0.5,
        "delay_s": [0, 1],
        "style": "json_string",
    }
    assert simulator.requests == [("PUT", "/webhooks", body)]


def test_simulate_without_a_change_only_looks(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    simulator = Recorder(monkeypatch)
    for command in ("webhooks", "limits", "faults", "stats", "activity --help"):
        assert tds("simulate", *command.split()).exit_code == 0, command
    assert {method for method, _, _ in simulator.requests} == {"GET"}


def test_simulate_limits_lifts_a_limit_with_zero(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    simulator = Recorder(monkeypatch)
    tds("simulate", "limits", "--per-day", "0", "--per-minute", "50")
    assert simulator.requests == [("PUT", "/limits", {"per_minute": 50, "per_day": None})]


def test_simulate_tells_what_the_simulator_refused(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    Recorder(monkeypatch, status_code=400, answer={"error": "unknown kind"})
    result = tds("simulate", "faults", "nonsense")
    assert result.exit_code == 2
    assert result.stderr == "error: the simulator refused POST /faults: unknown kind\n"


def test_simulate_truth_shows_totals(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    Recorder(monkeypatch, answer={"invoices": {"count": 3, "totals": {"USD": {"total": "1.50"}}}})
    assert "USD · total 1.5" in tds("simulate", "truth").stdout


def test_simulate_faults_tells_when_no_call_has_such_a_path(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    Recorder(monkeypatch, answer={"faults": [], "hints": ["paths look like /invoices"]})
    result = tds("simulate", "faults", "html", "--path", "/books/v3/invoices")
    assert result.exit_code == 0
    assert result.stderr == "note: paths look like /invoices\n"


def test_the_simulators_help_names_the_command() -> None:
    assert tds("simulator", "--help").stdout.startswith("usage: tds simulator ")


IMAGES_OK: dict[str, Any] = {
    "ok": True,
    "expected": 3,
    "stored": 3,
    "linked": 3,
    "reachable": 3,
    "pending": 0,
    "unchecked": 0,
}
IMAGES_OK |= {"healed": 0, "faults": {}, "unserved": [], "parked": {}}


def test_images_that_are_as_they_have_to_be_are_told_to_scripts_and_people(use: Use) -> None:
    deployment = use(images_verify=IMAGES_OK)
    assert json.loads(tds("images", "verify", "--json").stdout) == IMAGES_OK
    assert tds("images", "verify", "--heal").exit_code == 0
    assert "3 reachable" in tds("images", "verify").stdout
    assert [arguments for _, arguments in deployment.asked] == [{"heal": False}, {"heal": True}, {"heal": False}]


def test_images_that_are_wrong_are_named_and_fail_the_command(use: Use) -> None:
    faults = {str(number): "HTTP 404 at its address" for number in range(700, 730)}
    use(images_verify=IMAGES_OK | {"ok": False, "faults": faults, "unserved": ["700", "701"]})
    result = tds("images", "verify")
    assert "2 of them are right everywhere but on the web" in result.stdout
    assert result.exit_code == 1
    assert "wrong: 30" in result.stdout and "700" in result.stdout and "10 more" in result.stdout


def test_images_sync_requests_all_or_those_that_are_named(use: Use) -> None:
    deployment = use(images_sync={"requested": 2})
    assert json.loads(tds("images", "sync", "--json").stdout) == {"ok": True, "requested": 2}
    assert "2 images" in tds("images", "sync", "7", "8").stdout
    assert [arguments for _, arguments in deployment.asked] == [{"ids": []}, {"ids": ["7", "8"]}]


@pytest.mark.parametrize(("parked", "code"), [(0, 0), (1, 1)])
def test_images_sync_waits_for_the_images_alone(use: Use, parked: int, code: int) -> None:
    figures = status(
        images={"expected": 5, "stored": 5 - parked, "linked": 5},
        backlog={"invoices": requests(9), **({"product_images": requests(1, parked=1)} if parked else {})},
        scans={"invoices": scan(asked=True)},
    )
    use(images_sync={"requested": 2}, status=figures)
    result = tds("images", "sync", "--wait", "--json", "--timeout", "3")
    assert result.exit_code == code
    assert json.loads(result.stdout)["entities"]["product_images"] == {
        "erp": 5,
        "details_pending": parked,
        "parked": parked,
    }


def test_images_status_shows_what_was_given_up(use: Use) -> None:
    figures = {"expected": 3, "stored": 2, "linked": 2, "pending": 0, "image_base_url": "https://images.test"}
    use(images_status=figures | {"troubles": {}, "parked": {"7": "InvalidImage: an empty answer"}})
    result = tds("images", "status")
    assert result.exit_code == 1
    assert "https://images.test" in result.stdout and "an empty answer" in result.stdout


@pytest.mark.parametrize(
    ("grade", "code"), [("good", 0), ("look", 0), ("not checked", 0), ("broken", 1)], ids=lambda value: str(value)
)
def test_the_doctor_ends_badly_only_if_something_is_broken(use: Use, grade: str, code: int) -> None:
    line = {"check": "database", "about": "", "grade": grade, "says": "[well]", "todo": "look at it"}
    use(doctor={"ok": grade != "broken", "checks": [line]})
    result = tds("doctor", "--json")
    assert (result.exit_code, json.loads(result.stdout)["checks"]) == (code, [line])
    shown = tds("doctor")
    assert shown.exit_code == code
    assert "[well]" in shown.stdout and "-> look at it" in shown.stdout
