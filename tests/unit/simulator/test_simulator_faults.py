"""Faults: each kind does what it says, to the calls it concerns, as often as it was told."""

from random import Random
from typing import Any

import httpx
import pytest

from cli.local.zoho_simulator.faults import KINDS, Faults
from tests.zoho_caller import Caller


def fault(zoho: Caller, **given: Any) -> None:
    zoho.control("POST", "/faults", given, status=201)


def code(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("number", [44, 45, 1070])
def test_limits_of_every_kind(zoho: Caller, number: int) -> None:
    fault(zoho, kind="limit", code=number)
    assert code(zoho.get("/invoices")) == (429, number)
    assert code(zoho.get("/invoices")) == (200, 0)


def test_a_fault_concerns_its_product_and_path_only_and_as_often_as_told(zoho: Caller) -> None:
    fault(zoho, kind="server_error", status=503, product="books", path="/invoices", times=2)
    assert zoho.get("/items", product="inventory/v1").status_code == 200
    assert zoho.get("/contacts").status_code == 200
    row = zoho.control("GET", "/documents/invoices", limit=1)[0]
    assert code(zoho.get("/invoices")) == (503, 1000)
    assert code(zoho.get(f"/invoices/{row['id']}")) == (503, 1000)
    assert zoho.get("/invoices").status_code == 200
    assert zoho.control("GET", "/faults")["faults"][0]["happened"] == 2


def test_a_probability_befalls_some(zoho: Caller) -> None:
    fault(zoho, kind="server_error", times=None, probability=0.5)
    statuses = [zoho.get("/contacts", per_page=1).status_code for _ in range(60)]
    assert 12 < statuses.count(500) < 48
    zoho.control("DELETE", "/faults")
    assert zoho.get("/contacts").status_code == 200


@pytest.mark.parametrize("status", [200, 502])
def test_html_instead_of_json(zoho: Caller, status: int) -> None:
    fault(zoho, kind="html", status=status)
    answer = zoho.get("/invoices")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html")


def test_truncated_json_is_complete_http(zoho: Caller) -> None:
    whole = zoho.get("/invoices").content
    fault(zoho, kind="truncated")
    answer = zoho.get("/invoices")
    assert answer.status_code == 200
    assert whole.startswith(answer.content)
    assert len(answer.content) < len(whole)


def test_a_revoked_token_stays_revoked(zoho: Caller) -> None:
    fault(zoho, kind="revoked_token")
    assert code(zoho.get("/invoices")) == (401, 57)
    assert code(zoho.get("/invoices")) == (401, 57)
    zoho.token = zoho.service.accounts.mint()
    assert zoho.get("/invoices").status_code == 200


def test_a_missing_scope_leaves_the_token_alone(zoho: Caller) -> None:
    fault(zoho, kind="scope", path="/contacts", times=None)
    assert code(zoho.get("/contacts")) == (401, 57)
    assert zoho.get("/invoices").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "error"), [("token_error", 200, "invalid_code"), ("access_denied", 400, "Access Denied")]
)
def test_the_accounts_server_fails_alone(zoho: Caller, kind: str, status: int, error: str) -> None:
    fault(zoho, kind=kind)
    assert zoho.get("/invoices").status_code == 200
    answer = zoho.request("POST", "/oauth/v2/token", data={})
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_product_faults_spare_the_accounts_server_unless_it_is_named(zoho: Caller) -> None:
    fault(zoho, kind="html", status=502, times=None)
    assert zoho.request("POST", "/oauth/v2/token", data={}).status_code == 200
    fault(zoho, kind="html", status=502, product="accounts")
    assert zoho.request("POST", "/oauth/v2/token", data={}).status_code == 502


def test_an_ignored_filter_returns_older_rows(zoho: Caller) -> None:
    newest = max(row["last_modified_time"] for row in zoho.rows("/invoices", "invoices"))
    fault(zoho, kind="ignored_filter", path="/invoices")
    assert len(zoho.rows("/invoices", "invoices")) == 40  # a call without a filter uses nothing up
    assert len(zoho.rows("/invoices", "invoices", last_modified_time=newest)) == 40
    assert len(zoho.rows("/invoices", "invoices", last_modified_time=newest)) == 1


def test_a_lagging_server_shows_what_was(zoho: Caller) -> None:
    old = zoho.rows("/invoices", "invoices")
    record_id = old[3]["invoice_id"]
    zoho.clock.time += 100
    zoho.control("PATCH", f"/documents/invoices/{record_id}", {"reference_number": "NEW"})
    zoho.control("POST", "/documents/invoices", {}, status=201)
    zoho.control("DELETE", f"/documents/invoices/{old[5]['invoice_id']}")
    zoho.clock.time += 10
    fault(zoho, kind="lag", seconds=60, times=2)
    lagging = zoho.rows("/invoices", "invoices")
    assert [row["invoice_id"] for row in lagging] == [row["invoice_id"] for row in old]
    assert lagging[3]["last_modified_time"] == old[3]["last_modified_time"]
    detail = zoho.get(f"/invoices/{record_id}").json()["invoice"]
    assert detail["reference_number"] == old[3]["reference_number"]
    assert zoho.get(f"/invoices/{record_id}").json()["invoice"]["reference_number"] == "NEW"


def ids(zoho: Caller, page: int) -> list[str]:
    return [row["invoice_id"] for row in zoho.rows("/invoices", "invoices", page=page, per_page=10)]


def test_rows_that_come_in_between_repeat_rows_of_the_page_before(zoho: Caller) -> None:
    fault(zoho, kind="moved_page", path="/invoices", rows=3)
    first, second = ids(zoho, 1), ids(zoho, 2)
    assert first[-3:] == second[:3]
    assert zoho.control("GET", "/truth")["invoices"]["count"] == 43


def test_rows_that_go_in_between_leave_a_gap(zoho: Caller) -> None:
    whole = [row["invoice_id"] for row in zoho.rows("/invoices", "invoices")]
    fault(zoho, kind="moved_page", path="/invoices", rows=-3)
    assert ids(zoho, 1) == whole[:10]
    assert ids(zoho, 2) == whole[13:23]


def test_another_organisations_records_have_ids_that_are_not_ours(zoho: Caller) -> None:
    fault(zoho, kind="wrong_organisation")
    foreign = {row["invoice_id"] for row in zoho.rows("/invoices", "invoices")}
    assert not foreign & {row["invoice_id"] for row in zoho.rows("/invoices", "invoices")}
    assert all(len(record_id) == 19 for record_id in foreign)


def test_a_false_1002_and_a_false_end_of_list(zoho: Caller) -> None:
    row = zoho.rows("/invoices", "invoices")[0]
    fault(zoho, kind="not_found")
    assert code(zoho.get(f"/invoices/{row['invoice_id']}")) == (404, 1002)
    fault(zoho, kind="empty_page")
    body = zoho.get("/invoices").json()
    assert (body["invoices"], body["page_context"]["has_more_page"]) == ([], False)


def test_any_answer_can_be_given(zoho: Caller) -> None:
    fault(zoho, kind="answer", status=200, body={"code": 45, "message": "no more"}, headers={"Retry-After": "7"})
    answer = zoho.get("/invoices")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (200, 45, "7")


def test_an_items_image_can_be_any_file(zoho: Caller) -> None:
    given = {"path": "/items/7/image", "content_type": "image/jpeg", "body_base64": "/9j/AA=="}
    fault(zoho, kind="answer", times=None, **given)
    answers = [zoho.get("/items/7/image", product="inventory/v1") for _ in range(2)]
    assert [answer.content for answer in answers] == [b"\xff\xd8\xff\x00"] * 2
    assert answers[0].headers["content-type"] == "image/jpeg"


def test_an_unknown_kind_is_refused_with_those_there_are(zoho: Caller) -> None:
    told = zoho.control("POST", "/faults", {"kind": "earthquake"}, status=400)["error"]
    assert all(kind in told for kind in KINDS)


def test_calls_refusals_and_mints_are_counted(zoho: Caller) -> None:
    row = zoho.rows("/invoices", "invoices")[0]
    zoho.get(f"/invoices/{row['invoice_id']}")
    fault(zoho, kind="limit", code=44)
    zoho.get("/invoices")
    stats = zoho.control("GET", "/stats")
    assert stats["calls"] == {"books GET /invoices": 2, "books GET /invoices/{id}": 1}
    assert (stats["refused"], stats["mints"], stats["max_calls_in_60_s"]) == ({"44": 1}, 1, 3)
    assert zoho.control("POST", "/stats/reset")["calls"] == {}


def test_limits_change_while_it_runs(zoho: Caller) -> None:
    zoho.control("PUT", "/limits", {"per_minute": 1})
    assert zoho.get("/invoices").status_code == 200
    assert code(zoho.get("/invoices")) == (429, 44)
    zoho.control("PUT", "/limits", {"reset": True, "spent_today": 9_999})
    assert zoho.get("/invoices").headers["x-rate-limit-remaining"] == "0"
    assert code(zoho.get("/invoices")) == (429, 45)
    zoho.control("PUT", "/limits", {"per_moon": 1}, status=400)


def test_retry_after_is_a_quirk(zoho: Caller) -> None:
    fault(zoho, kind="limit", times=2)
    assert "retry-after" not in zoho.get("/invoices").headers
    zoho.control("PUT", "/quirks", {"retry_after": True})
    assert int(zoho.get("/invoices").headers["retry-after"]) >= 1


def test_faults_come_in_the_same_order_for_the_same_seed() -> None:
    def befallen() -> list[bool]:
        faults = Faults(Random("7/faults"))
        faults.add({"kind": "slow", "times": None, "probability": 0.3})
        return [bool(faults.take("books", "/invoices", {})) for _ in range(50)]

    assert befallen() == befallen()


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"path": "/books/v3/invoices"}, "/invoices"),
        ({"path": "invoice"}, "/invoices"),
        ({"path": "/items/image"}, "/items/*/image"),
        ({"path": "/inventoryadjustments", "product": "books"}, "of books"),
    ],
    ids=["product's prefix", "no slash", "no id", "other product"],
)
def test_a_fault_that_can_concern_no_call_is_noticed(zoho: Caller, given: dict[str, str], near: str) -> None:
    (hint,) = zoho.control("POST", "/faults", {"kind": "html", **given}, status=201)["hints"]
    assert near in hint


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"path": "/items/*/image"},
        {"path": "/invoices/2646610003000100017"},
        {"path": "/itemdetails"},
        {"path": "/inventoryadjustments", "product": "inventory"},
        {"kind": "token_error"},
    ],
    ids=str,
)
def test_a_fault_that_concerns_calls_has_no_hint(zoho: Caller, given: dict[str, str]) -> None:
    assert zoho.control("POST", "/faults", {"kind": "html", **given}, status=201)["hints"] == []
