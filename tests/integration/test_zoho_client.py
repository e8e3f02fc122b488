"""The client with a scripted Zoho and a real PostgreSQL."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.errors import (
    CredentialsRejected,
    DocumentNotFound,
    InvalidDocument,
    InvalidId,
    OrganizationRejected,
    PermitDenied,
    ScopeMissing,
    TdsError,
    TokenUnavailable,
    ZohoRejected,
    ZohoThrottled,
    ZohoUnavailable,
)
from tds_core.priority import Priority
from tds_core.zoho import status
from tds_core.zoho.client import UnifiedZohoClient
from tds_core.zoho.retry import RetryPolicy
from tests import zoho_fakes
from tests.zoho_fakes import ORGANIZATION, FakeZoho, answer, error, page

INVOICES, PRODUCTS, VENDORS = REGISTRY["invoices"], REGISTRY["products"], REGISTRY["vendors"]
POLL = Priority.POLL
INVOICE = {"invoice_id": "901", "total": 12.0}
Make = Callable[..., UnifiedZohoClient]


@pytest.fixture
def make(database: Database) -> Make:
    """Builds a client of the fake; it retries without waiting."""

    def build(zoho: FakeZoho, *, attempts: int = 1, **settings: Any) -> UnifiedZohoClient:
        retry = RetryPolicy(attempts=attempts, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)
        return UnifiedZohoClient(
            zoho_fakes.settings(**settings), database, zoho_fakes.credentials, zoho.http, retry=retry
        )

    return build


def test_a_page_carries_its_rows_its_times_and_what_zoho_says_it_did(make: Make, database: Database) -> None:
    listed = page("invoices", INVOICE, more=True, number=3)
    listed.headers["Date"] = "Tue, 02 Jun 2026 10:00:00 GMT"
    zoho = FakeZoho(listed)
    before = database.execute("SELECT clock_timestamp()")[0][0]

    result = make(zoho).list_page(
        INVOICES, page=3, priority=POLL, parameters={"last_modified_time": "2026-06-02T00:00:00+0000"}
    )

    assert (result.rows, result.has_more) == ([INVOICE], True)
    assert result.sort_column == "created_time"
    assert result.served_at == datetime(2026, 6, 2, 10, tzinfo=UTC)
    assert timedelta(0) <= result.observed_at - before < timedelta(seconds=5)
    request = zoho.requests[0]
    assert request.url.path == "/books/v3/invoices"
    assert dict(request.url.params) == {
        "organization_id": ORGANIZATION,
        "page": "3",
        "per_page": "200",
        "last_modified_time": "2026-06-02T00:00:00+0000",
    }
    assert b"%2B0000" in request.url.query
    assert request.headers["Authorization"] == "Zoho-oauthtoken the-access-token-1"


def test_without_a_date_header_a_page_was_served_when_its_permit_was_taken(make: Make) -> None:
    result = make(FakeZoho(page("invoices"))).list_page(INVOICES, page=1, priority=POLL)
    assert result.served_at == result.observed_at
    assert not result.has_more


def without(key: str) -> httpx.Response:
    body = {"invoices": [], "page_context": {"page": 1, "has_more_page": False}}
    return answer({name: value for name, value in body.items() if name != key})


@pytest.mark.parametrize(
    "listed",
    [
        without("invoices"),
        without("page_context"),
        answer({"invoices": [], "page_context": {"page": 1}}),
        answer({"invoices": [], "page_context": ""}),
        answer({"invoices": "", "page_context": {"page": 1, "has_more_page": False}}),
        answer({"invoices": ["901"], "page_context": {"page": 1, "has_more_page": False}}),
        page("invoices", number=7),
        httpx.Response(200, text="<html>login</html>"),
        httpx.Response(200, text='{"code":0,"invoices":[{"invo'),
        httpx.Response(200, text="[]"),
        httpx.Response(502, text="<html>bad gateway</html>"),
        error(1000, status=500),
        error(1000, status=200),
        httpx.Response(302, headers={"Location": "https://elsewhere.test"}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
    ids=lambda value: "",
)
def test_what_is_no_whole_page_is_never_an_empty_end(make: Make, listed: Any) -> None:
    with pytest.raises(ZohoUnavailable):
        make(FakeZoho(listed)).list_page(INVOICES, page=1, priority=POLL)


def test_a_document_is_fetched_by_its_id(make: Make) -> None:
    zoho = FakeZoho(answer({"invoice": {"invoice_id": 901, "total": 12.0}}))
    fetched = make(zoho).document(INVOICES, "901", priority=POLL)
    assert fetched.document == {"invoice_id": 901, "total": 12}
    assert zoho.requests[0].url.path == "/books/v3/invoices/901"


@pytest.mark.parametrize("id", ["", "9/../1", "१२", "9" * 26, "901?x=1"])
def test_what_is_no_id_never_reaches_a_url(make: Make, id: str) -> None:
    zoho = FakeZoho(answer())
    with pytest.raises(InvalidId):
        make(zoho).document(INVOICES, id, priority=POLL)
    assert not zoho.requests


@pytest.mark.parametrize("status", [404, 400, 200])
def test_code_1002_says_when_the_record_did_not_exist(make: Make, database: Database, status: int) -> None:
    before = database.execute("SELECT clock_timestamp()")[0][0]
    with pytest.raises(DocumentNotFound) as caught:
        make(FakeZoho(error(1002, status=status))).document(INVOICES, "901", priority=POLL)
    assert caught.value.observed_at >= before


@pytest.mark.parametrize("missing", [httpx.Response(404, text="<html>"), error(5, status=404)], ids=["html", "code 5"])
def test_another_404_does_not_say_that_the_record_is_gone(make: Make, missing: httpx.Response) -> None:
    with pytest.raises(ZohoRejected):
        make(FakeZoho(missing)).document(INVOICES, "901", priority=POLL)


def test_another_record_than_the_one_asked_for_is_refused(make: Make) -> None:
    with pytest.raises(InvalidDocument):
        make(FakeZoho(answer({"invoice": {"invoice_id": "902"}}))).document(INVOICES, "901", priority=POLL)


def test_a_bulk_fetch_keeps_what_was_asked_for_once(make: Make) -> None:
    items = [{"item_id": "1", "n": 1}, {"item_id": "1", "n": 2}, {"item_id": "3"}, {"item_id": 2}, {"name": "none"}]
    zoho = FakeZoho(answer({"items": items}))
    fetched = make(zoho).documents(PRODUCTS, ["1", "2", "4", "1"], priority=POLL)
    assert [one.document for one in fetched] == [{"item_id": "1", "n": 1}, {"item_id": 2}]
    assert zoho.requests[0].url.params["item_ids"] == "1,2,4"
    assert zoho.requests[0].url.path == "/inventory/v1/itemdetails"


@pytest.mark.parametrize(("spec", "ids"), [(INVOICES, ["1"]), (PRODUCTS, []), (PRODUCTS, [str(n) for n in range(101)])])
def test_a_bulk_fetch_is_only_for_as_many_as_zoho_takes(make: Make, spec: Any, ids: list[str]) -> None:
    with pytest.raises(ValueError, match="bulk"):
        make(FakeZoho(answer())).documents(spec, ids, priority=POLL)


def test_the_configured_organization_is_found_and_its_zone_kept(make: Make, database: Database) -> None:
    other = {"organization_id": "1", "time_zone": "Asia/Tokyo"}
    own = {"organization_id": ORGANIZATION, "time_zone": "Asia/Baghdad", "fiscal_year_start_month": 1}
    zoho = FakeZoho(answer({"organizations": [other, own]}))
    assert make(zoho).organization().time_zone == "Asia/Baghdad"
    assert "organization_id" not in zoho.requests[0].url.params
    assert database.execute("SELECT organization_id, time_zone FROM tds.organization") == [
        (ORGANIZATION, "Asia/Baghdad")
    ]


@pytest.mark.parametrize(
    "zoho", [FakeZoho(answer({"organizations": [{"organization_id": "1"}]})), FakeZoho(error(6041, status=400))]
)
def test_an_organization_that_is_not_the_tokens_is_rejected(make: Make, zoho: FakeZoho) -> None:
    with pytest.raises(OrganizationRejected):
        make(zoho).organization()


@pytest.mark.parametrize(("code", "status"), [(44, 429), (45, 429), (1070, 429), (45, 200)])
def test_throttling_is_told_by_its_code(make: Make, code: int, status: int) -> None:
    with pytest.raises(ZohoThrottled) as caught:
        make(FakeZoho(error(code, status=status))).list_page(INVOICES, page=1, priority=POLL)
    assert caught.value.code == code


def test_code_44_stops_everybody_until_it_has_passed(make: Make) -> None:
    zoho = FakeZoho(error(44, status=429, Retry_After="20"))
    client = make(zoho)
    with pytest.raises(ZohoThrottled):
        client.list_page(INVOICES, page=1, priority=POLL)
    with pytest.raises(PermitDenied) as caught:
        client.list_page(INVOICES, page=1, priority=Priority.WEBHOOK)
    assert caught.value.limit == "minute"
    assert 15 < caught.value.wait_s <= 20
    assert len(zoho.requests) == 1


def test_code_44_without_a_word_on_how_long_stops_everybody_for_the_configured_time(make: Make) -> None:
    client = make(FakeZoho(error(44, status=429)), breaker_open_s=7)
    for expected in (ZohoThrottled, PermitDenied):
        with pytest.raises(expected) as caught:
            client.list_page(INVOICES, page=1, priority=POLL)
    assert isinstance(caught.value, PermitDenied)
    assert 5 < caught.value.wait_s <= 7


def test_code_45_closes_the_day_until_zohos_own_reset(make: Make, database: Database) -> None:
    quota = {"X_Rate_Limit_Limit": "1000", "X_Rate_Limit_Remaining": "0", "X_Rate_Limit_Reset": "1800"}
    zoho = FakeZoho(error(45, status=429, **quota))
    client = make(zoho)
    with pytest.raises(ZohoThrottled):
        client.list_page(INVOICES, page=1, priority=POLL)
    with pytest.raises(PermitDenied) as caught:
        client.list_page(INVOICES, page=1, priority=Priority.WEBHOOK)
    assert caught.value.limit == "day"
    assert 1700 < caught.value.wait_s <= 1800
    assert status.read(zoho_fakes.settings(), database).days[0].is_closed


def test_a_passing_failure_is_tried_again_with_a_permit_of_its_own(make: Make, database: Database) -> None:
    zoho = FakeZoho(httpx.Response(502), error(1070, status=429), page("invoices"))
    client = make(zoho, attempts=3)
    client.list_page(INVOICES, page=1, priority=POLL)
    assert len(zoho.requests) == 3
    assert status.read(zoho_fakes.settings(), database).minute_used == 3
    assert status.read(zoho_fakes.settings(), database).in_flight == 0


@pytest.mark.parametrize("refused", [error(44, status=429), error(2, status=400), error(57, status=401)])
def test_what_no_retry_will_change_is_asked_once(make: Make, refused: httpx.Response) -> None:
    zoho = FakeZoho(refused)
    with pytest.raises(TdsError):
        make(zoho, attempts=3).list_page(INVOICES, page=1, priority=POLL)
    assert len(zoho.requests) == 1


def test_a_retry_without_a_permit_reports_the_failure_itself(make: Make) -> None:
    zoho = FakeZoho(httpx.Response(502))
    with pytest.raises(ZohoUnavailable):
        make(zoho, attempts=3, minute_limit=1).list_page(INVOICES, page=1, priority=POLL)
    assert len(zoho.requests) == 1


def test_the_slot_is_free_again_after_every_outcome(make: Make, database: Database) -> None:
    outcomes: list[zoho_fakes.Answer] = [
        httpx.Response(502),
        error(2, status=400),
        httpx.ConnectError("x"),
        RuntimeError("x"),
    ]
    client = make(FakeZoho(*outcomes))
    for _ in outcomes:
        with pytest.raises((TdsError, RuntimeError)):
            client.list_page(INVOICES, page=1, priority=POLL)
        assert status.read(zoho_fakes.settings(), database).in_flight == 0


def test_an_answer_that_is_too_large_is_not_read_to_its_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tds_core.zoho.caller.BODY_LIMIT_BYTES", 1_000)
    with pytest.raises(ZohoUnavailable, match="more than 1000 bytes"):
        make(FakeZoho(page("invoices", {"notes": "x" * 2_000}))).list_page(INVOICES, page=1, priority=POLL)


def test_a_401_with_a_young_token_is_a_scope_error_of_that_endpoint(make: Make) -> None:
    zoho = FakeZoho(error(57, status=401))
    with pytest.raises(ScopeMissing, match=r"books/invoices/\{id\}"):
        make(zoho).document(INVOICES, "901", priority=POLL)
    assert (len(zoho.requests), len(zoho.mints)) == (1, 1)


def test_a_401_with_an_old_token_mints_once_and_goes_on(make: Make, database: Database) -> None:
    zoho = FakeZoho(page("invoices"), error(57, status=401), page("invoices"))
    client = make(zoho)
    client.list_page(INVOICES, page=1, priority=POLL)
    database.execute("UPDATE tds.oauth_token SET minted_at = minted_at - interval '6 minutes'")
    client.list_page(INVOICES, page=1, priority=POLL)
    assert [request.headers["Authorization"][-2:] for request in zoho.requests] == ["-1", "-1", "-2"]
    assert len(zoho.mints) == 2


def test_a_401_with_a_token_that_was_replaced_meanwhile_takes_the_stored_one(
    make: Make, connect: Callable[[], Database]
) -> None:
    zoho = FakeZoho(page("invoices"), error(57, status=401), page("invoices"))
    client = make(zoho)
    client.list_page(INVOICES, page=1, priority=POLL)
    connect().execute("UPDATE tds.oauth_token SET access_token = 'newer', generation = generation + 1")
    client.list_page(INVOICES, page=1, priority=POLL)
    assert zoho.requests[-1].headers["Authorization"].endswith("newer")
    assert len(zoho.mints) == 1


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (httpx.Response(200, json={"error": "invalid_code"}), CredentialsRejected),
        (httpx.Response(400, json={"error": "invalid_client"}), CredentialsRejected),
        (httpx.Response(200, json={"error": "invalid_client_secret"}), CredentialsRejected),
        (httpx.Response(400, json={"error": "Access Denied", "error_description": "too many"}), TokenUnavailable),
    ],
    ids=["revoked", "unknown client", "wrong secret", "too many"],
)
def test_a_refused_token_is_a_clear_error_and_not_asked_for_again_at_once(
    make: Make, caplog: pytest.LogCaptureFixture, token: httpx.Response, expected: type[TdsError]
) -> None:
    caplog.set_level(logging.DEBUG)
    zoho = FakeZoho(answer(), token=token)
    client = make(zoho)
    for _ in range(3):
        with pytest.raises(expected) as caught:
            client.list_page(INVOICES, page=1, priority=POLL)
        assert not any(secret in f"{caught.value!r} {caught.value}" for secret in zoho_fakes.SECRETS)
    assert (len(zoho.mints), len(zoho.requests)) == (1, 0)
    assert not any(secret in caplog.text for secret in zoho_fakes.SECRETS)


def test_the_token_goes_to_the_configured_host_whatever_the_token_host_says(make: Make) -> None:
    elsewhere = httpx.Response(200, json={"access_token": "t", "api_domain": "https://evil.test", "expires_in": 3600})
    zoho = FakeZoho(page("invoices"), token=elsewhere)
    make(zoho).list_page(INVOICES, page=1, priority=POLL)
    assert zoho.requests[0].url.host == "zoho.test"
