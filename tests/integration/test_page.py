"""The page's answers: only through the gate, only from the page itself, and 503 in words without a database."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from moto import mock_aws

from tds_core.database.connection import Database
from tds_core.page.actions import CONFIRMED_WITHIN_S, Actions
from tds_core.page.site import Site
from tds_core.sync.console import Console
from tests import zoho_fakes
from tests.integration.graveyard import Graveyard
from tests.integration.road import Json, Queued, backlog_of, document, message, record
from tests.integration.well import be_well
from tests.page_server import OPERATOR, logins
from tests.unit.test_page_access import basic

HOST = "page.example"
LOGIN = {"Authorization": basic(*OPERATOR), "Host": HOST}
OWN = {"Sec-Fetch-Site": "same-origin"}


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def grave(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graveyard]:
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("tds_core.sync.dead_queue.WAIT_S", 0)
    with mock_aws():
        be_well(database)
        yield Graveyard.make(database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def actions(grave: Graveyard, clock: Clock) -> Actions:
    parts: dict[str, Any] = {"database": grave.database, "waker": grave.waker, "dead": grave.letters, "doctor": None}
    console = Console(grave.settings, **parts)
    return Actions(console, database=grave.database, logins=logins(), clock=clock)


def get(path: str, *, user: str = "owner", headers: Json | None = None, **query: str) -> Json:
    context: Json = {"authorizer": {"user": user}} if user else {}
    context["identity"] = {"sourceIp": "192.0.2.1"}
    known = {"httpMethod": "GET", "resource": path, "headers": headers or {}, "queryStringParameters": query or None}
    return known | {"requestContext": context}


def post(fields: Json, **headers: str) -> Json:
    told = get("/status/action", headers=LOGIN | headers)
    return told | {"httpMethod": "POST", "body": urlencode(fields)}


def confirmation(actions: Actions, **asked: str) -> Json:
    """The fields of the form that an operator is shown."""
    answer = actions.handle(get("/status/action", headers=LOGIN, **asked))
    assert answer["statusCode"] == 200
    parts = answer["body"].split('<input type="hidden" name="')[1:]
    return {part.partition('"')[0]: part.partition('value="')[2].partition('"')[0] for part in parts}


REFETCH = {"action": "refetch", "entity": "invoices", "subject": "901"}


def test_what_came_past_the_gate_sees_nothing(grave: Graveyard) -> None:
    site = Site(grave.settings, database=grave.database)
    for path in ("/status", "/status.json", "/status/record"):
        assert site.handle(get(path, user=""))["statusCode"] == 401


def test_every_answer_keeps_the_page_to_itself(grave: Graveyard, actions: Actions) -> None:
    site = Site(grave.settings, database=grave.database)
    answers = [site.handle(get(path)) for path in ("/status", "/status.json", "/status/record", "/nowhere")]
    answers += [site.handle(get("/status", user="")), actions.handle(get("/status/action", headers=LOGIN))]
    for answer in answers:
        assert answer["headers"]["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert answer["headers"]["X-Content-Type-Options"] == "nosniff"


def test_the_page_and_its_json_say_the_same(grave: Graveyard) -> None:
    site = Site(grave.settings, database=grave.database)
    told = json.loads(site.handle(get("/status.json"))["body"])
    assert told["verdict"] == {"level": "good", "text": "Yes: the ERP is equal to Zoho", "reasons": []}
    page = site.handle(get("/status"))
    assert told["verdict"]["text"] in page["body"]
    assert len(page["body"].encode()) < 100_000


def test_without_a_database_the_page_says_so_in_words() -> None:
    down = Database(lambda: "host=127.0.0.1 port=1", application_name="test")
    site = Site(zoho_fakes.settings(), database=down)
    page = site.handle(get("/status", lang="ar"))
    assert (page["statusCode"], page["headers"]["Refresh"]) == (503, "60")
    assert "قاعدة البيانات لا تستجيب" in page["body"]
    told = site.handle(get("/status.json"))
    assert (told["statusCode"], json.loads(told["body"])["verdict"]["level"]) == (503, "bad")


@pytest.mark.parametrize("query", [{}, {"entity": "moons", "id": "1"}, {"entity": "invoices", "id": "1"}])
def test_a_record_that_nobody_knows_is_not_found(grave: Graveyard, query: Json) -> None:
    assert Site(grave.settings, database=grave.database).handle(get("/status/record", **query))["statusCode"] == 404


def test_the_page_tells_how_many_images_the_last_comparison_reached(grave: Graveyard) -> None:
    site = Site(grave.settings, database=grave.database)
    assert "reachable" not in site.handle(get("/status"))["body"], "it compared none"
    grave.database.execute(
        """
        UPDATE tds.verifications SET report = (report::jsonb
            || '{"images": {"ok": false, "reachable": 1620, "remaining": 1, "pending": 0}}')::json
        """
    )
    assert 'class="off">1,620 reachable' in site.handle(get("/status"))["body"]


@pytest.mark.parametrize(
    ("language", "applied", "fetched"),
    [
        ("en", "1 applied at once", "1 had to be fetched from Zoho"),
        ("ar", "طُبّق ١ فوراً", "لزم جلب ١ من زوهو"),
    ],
)
def test_the_page_tells_apart_what_was_applied_at_once_and_what_had_to_be_fetched(
    grave: Graveyard, language: str, applied: str, fetched: str
) -> None:
    site = Site(grave.settings, database=grave.database)
    shown = site.handle(get("/status", lang=language))["body"]
    assert applied not in shown and fetched not in shown
    queued = Queued("invoices", grave.database)
    queued.handle(record(message("invoices", document("invoices", "901"))))
    queued.handle(record(message("invoices", ids=["902"])))
    shown = site.handle(get("/status", lang=language))["body"]
    assert applied in shown and fetched in shown


@pytest.mark.parametrize(("language", "words"), [("en", "healed"), ("ar", "أُصلح")])
def test_a_records_story_tells_what_a_verification_found_with_both_values(
    grave: Graveyard, language: str, words: str
) -> None:
    grave.database.execute(
        """
        INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value, status, how, healed_at)
        VALUES (7, 'invoices', '901', 'mismatched', 'total', '"<b>1</b>"', '2.50', 'confirmed', 'fetched', now())
        """
    )
    site = Site(grave.settings, database=grave.database)
    body = site.handle(get("/status/record", entity="invoices", id="901", lang=language))["body"]
    assert words in body and "what." not in body
    assert "&lt;b&gt;1&lt;/b&gt;" in body and "2.50" in body


@pytest.mark.parametrize("text", ["\0", "INV-1\0", "\ud800", "a\udfff"], ids=ascii)
def test_text_that_no_record_can_have_is_refused_in_words(grave: Graveyard, actions: Actions, text: str) -> None:
    site = Site(grave.settings, database=grave.database)
    asked: tuple[Json, ...] = ({"entity": "invoices", "id": text}, {"entity": text, "id": "1"}, {"lang": text})
    for query in asked:
        answer = site.handle(get("/status/record", **query))
        assert (answer["statusCode"], "characters that no record can have" in answer["body"]) == (400, True)
    redrive = get("/status/action", headers=LOGIN, action="redrive", subject=text)
    assert actions.handle(redrive)["statusCode"] == 400


def test_names_in_any_script_may_be_asked_for(grave: Graveyard) -> None:
    answer = Site(grave.settings, database=grave.database).handle(
        get("/status/record", entity="invoices", id="\u200fفاتورة\u00a0١\t😀")
    )
    assert answer["statusCode"] == 404


# -- actions


def test_what_is_confirmed_is_written_down_and_done(actions: Actions, grave: Graveyard) -> None:
    assert actions.handle(post(confirmation(actions, **REFETCH), **OWN))["statusCode"] == 200
    assert set(backlog_of(grave.database, "invoices")) == {"901"}
    assert grave.operations() == [("operator (192.0.2.1)", "refetch", "invoices", ["901"])]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": f"https://{HOST}"}, id="origin"),
        pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": f"https://{HOST}"}, id="both"),
    ],
)
def test_a_form_of_the_page_itself_is_taken(actions: Actions, headers: dict[str, str]) -> None:
    assert actions.handle(post(confirmation(actions, **REFETCH), **headers))["statusCode"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no-sign"),
        pytest.param({"Origin": "null"}, id="null"),
        pytest.param({"Origin": "https://evil.example"}, id="another-origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": f"https://{HOST}"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="another-name-of-the-site"),
        pytest.param({"Sec-Fetch-Site": "none"}, id="typed"),
    ],
)
def test_a_form_of_another_page_is_refused(actions: Actions, grave: Graveyard, headers: dict[str, str]) -> None:
    assert actions.handle(post(confirmation(actions, **REFETCH), **headers))["statusCode"] == 403
    assert (backlog_of(grave.database, "invoices"), grave.operations()) == ({}, [])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"token": ""}, id="no-token"),
        pytest.param({"token": "é"}, id="strange-token"),
        pytest.param({"subject": "902"}, id="another-record"),
        pytest.param({"entity": "bills"}, id="another-entity"),
        pytest.param({"action": "verify"}, id="another-action"),
        pytest.param({"expires": "9999999999"}, id="longer"),
        pytest.param({"expires": ""}, id="no-end"),
    ],
)
def test_a_confirmation_holds_for_what_was_asked_only(actions: Actions, grave: Graveyard, change: Json) -> None:
    fields = confirmation(actions, **REFETCH) | change
    assert actions.handle(post(fields, **OWN))["statusCode"] == 403
    assert (backlog_of(grave.database, "invoices"), grave.operations()) == ({}, [])


def test_a_confirmation_ends_after_ten_minutes(actions: Actions, clock: Clock) -> None:
    fields = confirmation(actions, **REFETCH)
    clock.now += CONFIRMED_WITHIN_S + 1
    assert actions.handle(post(fields, **OWN))["statusCode"] == 403


def test_an_operator_is_asked_for_the_password_here_too(actions: Actions) -> None:
    for header in ("", basic("owner", "see-only"), basic("operator", "wrong")):
        event: Any = get("/status/action", headers={"Authorization": header}, **REFETCH)
        assert actions.handle(event)["statusCode"] == 401
        assert actions.handle(event | {"httpMethod": "POST"})["statusCode"] == 401


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"action": "drop"}, id="no-action"),
        pytest.param({"action": "refetch", "entity": "moons", "subject": "1"}, id="no-entity"),
        pytest.param({"action": "refetch", "entity": "invoices", "subject": "../x"}, id="no-id"),
    ],
)
def test_what_cannot_be_is_not_asked(actions: Actions, asked: Json) -> None:
    assert actions.handle(get("/status/action", headers=LOGIN, **asked))["statusCode"] == 404


def test_what_is_not_there_any_more_is_said(actions: Actions) -> None:
    fields = confirmation(actions, action="redrive", subject="dead_letters/invoices/gone")
    answer = actions.handle(post(fields, **OWN))
    assert answer["statusCode"] == 409
    assert "NoDeadLetter" in answer["body"]


def test_while_it_cannot_be_written_down_nothing_is_done(actions: Actions, grave: Graveyard) -> None:
    fields = confirmation(actions, **REFETCH)
    grave.database.close()
    grave.database._conninfo = lambda: "host=127.0.0.1 port=1"
    assert actions.handle(post(fields, **OWN))["statusCode"] == 409
    assert grave.waker.wakes == 0
