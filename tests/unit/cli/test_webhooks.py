"""Zoho's webhooks are set up from what is printed, and what does not arrive is told with what to look at."""

import json
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner, Result

from cli import render_webhooks, webhooks
from cli.deployment import Deployment
from cli.main import app
from tds_core.entities import REGISTRY
from tds_core.zoho.routes import ROUTES
from tests.unit.cli.status_figures import silence, status

API = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/live"
SECRET = "aSecretOf24Letters000000"
BEGAN = "2026-01-02T03:00:00+00:00"
LOAD = {"days": 30, "mean": 210.5, "busiest": 318, "busiest_day": "2026-01-01", "entities": {"invoices": 40.0}}


class FakeDeployment:
    """A stack at whose addresses one more webhook arrives with each look."""

    api_url = API

    def __init__(self, *arrivals: str, secret: str = SECRET, **figures: Any) -> None:
        self.arrivals = list(arrivals)
        self.heard: dict[str, Any] = {}
        self.secret = secret
        self.load = LOAD
        self.silence = {"invoices": silence(last="2025-12-31T10:00:00+00:00")}
        self.queues: dict[str, int] = {}
        self.dead: dict[str, int] = {}
        self.__dict__ |= figures

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "webhook_load":
            return self.load
        if command == "status":
            return status(silence=self.silence)
        assert command == "webhooks"
        if arguments:
            assert arguments == {"since": BEGAN}
            for address in self.arrivals[:1]:
                self.heard[address] = {"count": 1, "first_at": "2026-01-02T03:00:05.000001+00:00"}
            del self.arrivals[:1]
        return {"now": BEGAN, "heard": self.heard, "time_zone": "Asia/Baghdad"}

    def webhook_secret(self) -> str:
        return self.secret

    def queued(self) -> dict[str, int]:
        return self.queues

    def dead_letters(self) -> dict[str, int]:
        return self.dead


Use = Callable[..., FakeDeployment]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    monkeypatch.setattr(webhooks, "_LOOK_S", 0)

    def make(*arrivals: str, **figures: Any) -> FakeDeployment:
        made = FakeDeployment(*arrivals, **figures)
        monkeypatch.setattr(Deployment, "find", lambda *_: made)
        return made

    return make


def tds(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def seen(part: RenderableType, *, width: int = 200) -> str:
    screen = StringIO()
    Console(width=width, file=screen).print(part)
    return screen.getvalue()


# -- urls


def test_every_entity_that_zoho_announces_has_a_rule_for_each_event() -> None:
    made = webhooks.rules(API)
    announced = {entity for rule in made for entity in ROUTES[rule.module].entities}
    assert announced == {name for name, spec in REGISTRY.items() if spec.webhook_modules}
    assert {(rule.module, rule.event) for rule in made} == {
        (module, event) for module in {rule.module for rule in made} for event in ("created", "updated", "deleted")
    }
    assert len({rule.zoho_module for rule in made}) * 3 == len(made), "one Zoho module would need its rules twice"


def test_scripts_get_the_address_the_product_and_the_body_of_each_webhook(use: Use) -> None:
    use()
    result = tds("webhook", "urls", "--json")
    assert result.exit_code == 0
    plan = json.loads(result.stdout)
    told = {(one["module"], one["event"]): one for one in plan["webhooks"]}
    assert told["customerpayments", "updated"] == {
        "module": "customerpayments",
        "event": "updated",
        "zoho_module": "Payments Received",
        "zoho_event": "Edited",
        "app": "Zoho Books",
        "url": f"{API}/webhooks/zoho/customerpayments/updated",
        "parameter": "",
        "method": "POST",
        "body": "Default Payload (application/json)",
    }
    assert told["bills", "deleted"]["url"] == f"{API}/webhooks/zoho/bills/deleted?bill_id="
    assert told["bills", "deleted"]["parameter"] == "bill_id"
    assert told["inventoryadjustments", "created"]["app"] == "Zoho Inventory"
    assert plan["limits"] == {
        "rules_per_module": 10,
        "rules_needed_per_module": 3,
        "webhooks_per_rule": 1,
        "webhooks_a_day": 1_000,
    }
    assert plan["never_announced"]["entities"] == ["locations", "users", "price_lists"]
    assert plan["load"] == {**LOAD, "suffices": True}


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["people", "scripts"])
def test_the_secret_is_printed_only_when_asked_for(use: Use, arguments: list[str]) -> None:
    use()
    assert SECRET not in tds("webhook", "urls", *arguments).output
    assert SECRET in tds("webhook", "urls", "--show-secret", *arguments).stdout


@pytest.mark.parametrize(
    ("secret", "fits"),
    [
        ("a" * 11, False),
        ("a" * 12, True),
        ("A0" * 25, True),
        ("a" * 51, False),
        ("with-punctuation", False),
        ("with a blank inside", False),
        ("ثلاثةعشرحرفاً", False),
        ("abcdefghijkl\n", False),
    ],
)
def test_a_secret_that_zoho_would_refuse_is_told(use: Use, secret: str, fits: bool) -> None:
    use(secret=secret)
    result = tds("webhook", "urls", "--json")
    assert (json.loads(result.stdout)["secret_fits"], result.exit_code) == (fits, 0 if fits else 1)
    assert ("Zoho will refuse this secret" in tds("webhook", "urls").stdout) is not fits


def test_addresses_are_whole_on_a_narrow_screen(use: Use) -> None:
    use()
    text = seen_setup(width=60)
    for rule in webhooks.rules(API):
        assert any(line.rstrip().endswith(rule.url) for line in text.splitlines()), rule.url
    assert f"{API}/webhooks/zoho/invoices/created" in tds("webhook", "urls").stdout


def seen_setup(*, width: int = 200, **load: Any) -> str:
    rules = webhooks.rules(API)
    screen = StringIO()
    plan = webhooks.plan(rules, LOAD | load, secret=SECRET, is_shown=False)
    Console(width=width, file=screen).print(render_webhooks.setup(plan, rules), crop=False, no_wrap=True)
    return screen.getvalue()


@pytest.mark.parametrize(
    ("busiest", "told"),
    [(0, "not known"), (1, "that suffices"), (1_000, "that suffices"), (1_001, "too few")],
)
def test_the_busiest_day_is_held_against_what_zoho_sends_a_day(busiest: int, told: str) -> None:
    assert told in seen_setup(busiest=busiest)


# -- check


def test_a_check_ends_when_each_module_was_heard(use: Use) -> None:
    modules = [f"{route.module}/updated" for route in ROUTES.values() if route.title]
    use(*modules)
    result = tds("webhook", "check", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["ok"], answer["missing"], answer["advice"]) == (True, [], [])
    arrived = {ear["address"] for ear in answer["ears"] if ear["count"]}
    assert arrived == set(modules)
    assert {"address": "invoices/deleted", "is_wanted": True, "count": 0, "first_at": None} in answer["ears"]


def test_named_modules_and_events_are_all_that_is_waited_for(use: Use) -> None:
    use("invoices/created", "bills/created", "invoices/updated", "items/updated")
    result = tds("webhook", "check", "invoices/updated", "bills", "--json")
    assert result.exit_code == 0
    ears = {ear["address"]: ear for ear in json.loads(result.stdout)["ears"]}
    assert ears["invoices/updated"]["count"] == 1
    assert not ears["invoices/created"]["is_wanted"]
    assert "items/updated" not in ears, "it came later"


def test_an_address_without_event_counts_for_its_module(use: Use) -> None:
    use("bills")
    assert tds("webhook", "check", "bills", "--timeout", "5").exit_code == 0


def test_what_was_not_heard_is_named_with_what_to_look_at(use: Use) -> None:
    use("bills/created")
    result = tds("webhook", "check", "invoices", "bills", "--timeout", "0")
    assert result.exit_code == 1
    assert "not heard: invoices" in result.stdout
    assert "Workflow Logs" in result.stdout
    assert "the last webhook for invoices came at 2025-12-31 13:00:00 Asia/Baghdad" in result.stdout


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({}, "nothing came at all"),
        ({"dead": {"Unrouted": 2}}, "2 signed webhooks could not be understood"),
        ({"queues": {"Invoices": 7}}, "messages wait to be processed (Invoices 7)"),
    ],
    ids=["nothing", "unrouted", "queued"],
)
def test_advice_follows_what_can_be_seen(use: Use, figures: dict[str, Any], told: str) -> None:
    use(**figures)
    result = tds("webhook", "check", "--timeout", "0", "--json")
    assert result.exit_code == 1
    assert any(told in sentence for sentence in json.loads(result.stdout)["advice"])


@pytest.mark.parametrize("name", ["moons", "invoices/edited", "", "invoices/"])
def test_what_is_no_webhook_is_a_usage_error(use: Use, name: str) -> None:
    use()
    assert tds("webhook", "check", name, "--timeout", "0").exit_code == 2


def test_listening_takes_no_longer_than_its_time() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    deployment = FakeDeployment()
    states = list(webhooks.listen(deployment.ask, ["bills"], timeout_s=5, clock=lambda: now[0], sleep=sleep))
    assert (len(states), now[0]) == (6, 5.0)
    assert states[-1].missing == ("bills",)


def test_the_table_shows_when_the_first_one_came() -> None:
    deployment = FakeDeployment("invoices/updated")
    *_, state = webhooks.listen(deployment.ask, ["invoices"], timeout_s=0)
    line = next(line for line in seen(render_webhooks.heard(state)).splitlines() if "invoices/updated" in line)
    assert "2026-01-02 06:00:05" in line
    assert "first at (Asia/Baghdad)" in seen(render_webhooks.heard(state))
    assert render_webhooks.heard_line(state) == "arrived: invoices/updated 1 | waiting for: -"
