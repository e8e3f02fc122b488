"""What a caller of the APIs sees: access, lists, filters, details and errors."""

import httpx
import pytest

from cli.local.zoho_simulator.clock import zoho_time
from cli.local.zoho_simulator.options import Limits, Quirks
from tests.zoho_caller import Caller, simulated


def grant(zoho: Caller, **changes: str) -> httpx.Response:
    known = zoho.service.accounts.credentials
    form = {
        "grant_type": "refresh_token",
        "client_id": known.client_id,
        "client_secret": known.client_secret,
        "refresh_token": known.refresh_token,
    }
    return zoho.request("POST", "/oauth/v2/token", data={**form, **changes})


# -- access


def test_a_refresh_token_gives_an_access_token_for_an_hour(zoho: Caller) -> None:
    zoho.service.base_url = "http://127.0.0.1:1"
    body = grant(zoho).json()
    assert body["expires_in"] == 3600
    assert body["api_domain"] == "http://127.0.0.1:1"
    zoho.token = body["access_token"]
    zoho.clock.time += 3599
    assert zoho.get("/invoices").status_code == 200
    zoho.clock.time += 2
    assert (zoho.get("/invoices").status_code, zoho.get("/invoices").json()["code"]) == (401, 57)


@pytest.mark.parametrize(
    ("field", "error"),
    [("refresh_token", "invalid_code"), ("client_id", "invalid_client"), ("client_secret", "invalid_client_secret")],
)
def test_a_refused_grant_is_http_200_with_an_error(zoho: Caller, field: str, error: str) -> None:
    answer = grant(zoho, **{field: "nonsense"})
    assert (answer.status_code, answer.json()) == (200, {"error": error})


def test_the_eleventh_token_in_ten_minutes_is_denied_until_the_first_is_old(zoho: Caller) -> None:
    for _ in range(9):  # the caller minted the first
        assert "access_token" in grant(zoho).json()
    answer = grant(zoho)
    assert (answer.status_code, answer.json()["error"]) == (400, "Access Denied")
    zoho.clock.time += 601
    assert "access_token" in grant(zoho).json()


def test_bearer_is_not_zohos_form(zoho: Caller) -> None:
    answer = zoho.request("GET", "/books/v3/invoices", headers={"Authorization": f"Bearer {zoho.token}"})
    assert answer.status_code == 401
    assert answer.json()["code"] == 14


def test_a_token_without_the_scope_is_refused_for_that_list_only() -> None:
    with simulated(scopes=frozenset({"ZohoBooks.invoices.READ"})) as zoho:
        assert zoho.get("/invoices").status_code == 200
        assert zoho.get("/contacts").json()["code"] == 57
        assert zoho.get("/items", product="inventory/v1").json()["code"] == 57


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code"),
    [
        ("GET", "/invoices", {"organization_id": "1"}, 400, 6041),
        ("GET", "/invoices/2646610003999999999", {}, 404, 1002),
        ("GET", "/nothing", {}, 404, 5),
        ("POST", "/invoices", {}, 405, 37),
        ("GET", "/invoices", {"page": "0"}, 400, 2),
        ("GET", "/invoices", {"filter_by": "Status.Closed"}, 400, 2),
        ("GET", "/invoices", {"last_modified_time": "2026-01-01T00:00:00+03:00"}, 400, 2),
        ("GET", "/contacts", {"contact_type": "partner"}, 400, 2),
        ("GET", "/itemdetails", {"item_ids": ""}, 400, 2),
    ],
)
def test_errors_carry_zohos_code(
    zoho: Caller, method: str, path: str, query: dict[str, str], status: int, code: int
) -> None:
    answer = zoho.request(
        method,
        f"/books/v3{path}",
        params={"organization_id": zoho.organization_id, **query},
        headers={"Authorization": f"Zoho-oauthtoken {zoho.token}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_status_of_a_missing_record_is_a_quirk() -> None:
    with simulated(quirks=Quirks(missing_record_status=400)) as zoho:
        answer = zoho.get("/invoices/2646610003999999999")
        assert (answer.status_code, answer.json()["code"]) == (400, 1002)


# -- lists


@pytest.mark.parametrize(("per_page", "pages"), [(7, 6), (10, 4)], ids=["a rest", "no rest"])
def test_pages_do_not_overlap_and_the_last_one_says_so(zoho: Caller, per_page: int, pages: int) -> None:
    seen: list[str] = []
    for page in range(1, pages + 1):
        body = zoho.get("/invoices", page=page, per_page=per_page).json()
        seen += [row["invoice_id"] for row in body["invoices"]]
        assert body["page_context"]["has_more_page"] is (page < pages)
    assert len(seen) == len(set(seen)) == 40
    assert zoho.rows("/invoices", "invoices", page=pages + 1, per_page=per_page) == []


def test_a_page_holds_200_rows_at_most() -> None:
    with simulated(counts={"products": 250}) as zoho:
        body = zoho.get("/items", product="inventory/v1", per_page=500).json()
        assert len(body["items"]) == body["page_context"]["per_page"] == 200
        assert body["page_context"]["has_more_page"] is True


def test_the_change_filter_is_inclusive_to_the_second_and_takes_any_offset(zoho: Caller) -> None:
    newest = max(row["last_modified_time"] for row in zoho.rows("/invoices", "invoices"))
    assert {row["last_modified_time"] for row in zoho.rows("/invoices", "invoices", last_modified_time=newest)} == {
        newest
    }
    utc = newest.replace("+0300", "+0000")
    assert zoho.rows("/invoices", "invoices", last_modified_time=utc) == []


@pytest.mark.parametrize("path", ["/contacts", "/items", "/customerpayments"])
def test_lists_without_a_change_filter_ignore_it(zoho: Caller, path: str) -> None:
    later = zoho_time(int(zoho.clock.time) + 86_400)
    key = path.strip("/")
    assert len(zoho.rows(path, key, last_modified_time=later)) == len(zoho.rows(path, key)) > 0


def test_contacts_come_newest_first_by_their_version(zoho: Caller) -> None:
    query = {"sort_column": "last_modified_time", "sort_order": "D"}
    times = [row["last_modified_time"] for row in zoho.rows("/contacts", "contacts", **query)]
    assert times == sorted(times, reverse=True)


def test_a_sort_that_a_list_does_not_know_is_ignored_and_the_context_tells(zoho: Caller) -> None:
    context = zoho.get("/invoices", sort_column="last_modified_time", sort_order="A").json()["page_context"]
    assert (context["sort_column"], context["sort_order"]) == ("created_time", "A")


def test_contacts_split_by_type(zoho: Caller) -> None:
    customers = zoho.rows("/contacts", "contacts", contact_type="customer")
    vendors = zoho.rows("/contacts", "contacts", contact_type="vendor")
    assert (len(customers), len(vendors)) == (25, 6)
    assert {row["contact_type"] for row in vendors} == {"vendor"}


def test_payments_of_a_range_of_days(zoho: Caller) -> None:
    days = sorted(row["date"] for row in zoho.rows("/customerpayments", "customerpayments"))
    middle = days[len(days) // 2]
    after = zoho.rows("/customerpayments", "customerpayments", date_start=middle)
    assert min(row["date"] for row in after) == middle
    assert len(after) == sum(day >= middle for day in days)


# -- documents


def test_bulk_details_leave_out_unknown_ids(zoho: Caller) -> None:
    ids = [row["item_id"] for row in zoho.rows("/items", "items", product="inventory/v1", per_page=3)]
    asked = ",".join([*ids, "2646610001999999999"])
    items = zoho.rows("/itemdetails", "items", product="inventory/v1", item_ids=asked)
    assert [item["item_id"] for item in items] == ids


def test_bulk_details_take_a_hundred_ids(zoho: Caller) -> None:
    ids = ",".join(str(2646610001000000000 + number) for number in range(101))
    assert zoho.get("/itemdetails", product="inventory/v1", item_ids=ids).json()["code"] == 2


def test_stock_per_location_is_text_and_adds_up(zoho: Caller) -> None:
    rows = zoho.rows("/items", "items", product="inventory/v1")
    stocked = next(row for row in rows if row.get("stock_on_hand"))
    item = zoho.get(f"/items/{stocked['item_id']}", product="inventory/v1").json()["item"]
    quantities = [place["location_stock_on_hand"] for place in item["locations"]]
    assert all(isinstance(quantity, str) for quantity in quantities)
    assert sum(map(float, quantities)) == pytest.approx(stocked["stock_on_hand"])


def test_amounts_are_written_with_a_decimal_point(zoho: Caller) -> None:
    text = zoho.get("/invoices", per_page=1).text
    assert '"exchange_rate":1.0' in text or '"exchange_rate":0.' in text
    assert '"write_off_amount":0.0' in text


# -- limits


def test_the_minute_slides() -> None:
    with simulated(limits=Limits(per_minute=3, in_flight=None)) as zoho:
        for _ in range(3):
            assert zoho.get("/invoices", per_page=1).status_code == 200
            zoho.clock.time += 10
        answer = zoho.get("/invoices")
        assert (answer.status_code, answer.json()["code"]) == (429, 44)
        zoho.clock.time += 30.5
        assert zoho.get("/invoices").status_code == 200
        assert zoho.get("/invoices").json()["code"] == 44


def test_the_day_ends_at_the_organisations_midnight() -> None:
    with simulated(limits=Limits(per_minute=None, in_flight=None, per_day=2)) as zoho:
        first = zoho.get("/invoices").headers
        assert (first["x-rate-limit-limit"], first["x-rate-limit-remaining"]) == ("2", "1")
        assert first["x-rate-limit-reset"] == str(12 * 3600)
        assert first["date"] == "Mon, 02 Mar 2026 09:00:00 GMT"
        zoho.get("/invoices")
        answer = zoho.get("/contacts")
        assert (answer.status_code, answer.json()["code"]) == (429, 45)
        zoho.clock.time += 12 * 3600 - 1
        zoho.token = zoho.service.accounts.mint()
        assert zoho.get("/invoices").json()["code"] == 45
        zoho.clock.time += 1
        assert zoho.get("/invoices").status_code == 200


def test_refused_callers_use_up_nothing(zoho: Caller) -> None:
    zoho.request("GET", "/books/v3/invoices", params={"organization_id": zoho.organization_id})
    assert zoho.get("/invoices").headers["x-rate-limit-remaining"] == "9999"
