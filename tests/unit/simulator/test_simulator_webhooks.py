"""Webhooks: who announces what, how it is signed and written, and how it goes astray on purpose."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from cli.local.zoho_simulator.entities import views
from tests.zoho_caller import Caller, simulated

SECRET = "0123456789abcdef"


class Endpoint:
    """Receives what is sent."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.status = 202

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


@pytest.fixture
def endpoint(zoho: Caller) -> Endpoint:
    made = Endpoint()
    zoho.service.emitter.transport = httpx.MockTransport(made)
    zoho.control("PUT", "/webhooks", {"base_url": "http://tds/webhooks/zoho", "secret": SECRET})
    return made


def settled(zoho: Caller) -> dict[str, Any]:
    """The emitter's account when nothing is pending any more."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        shown = zoho.control("GET", "/webhooks", deliveries=1000)
        if shown["pending"] == 0:
            return dict(shown)
    raise AssertionError("webhooks are still pending")


def signed(request: httpx.Request, pairs: list[tuple[str, str]], body: bytes) -> bool:
    text = "".join(key + value for key, value in sorted(pairs)).encode() + body
    wanted = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    return request.headers["X-Zoho-Webhook-Signature"] == wanted


def test_each_module_and_event_has_its_path_and_envelope(zoho: Caller, endpoint: Endpoint) -> None:
    for entity, (spec, _) in views().items():
        if not spec.announces or entity == "payments":  # which announce their invoices, too
            continue
        endpoint.requests.clear()
        record = zoho.control("POST", f"/documents/{entity}", {}, status=201)
        changed = zoho.control("PATCH", f"/documents/{entity}/{record['id']}", {"cf_x": "1"})
        zoho.control("DELETE", f"/documents/{entity}/{record['id']}")
        settled(zoho)
        assert endpoint.paths() == [
            f"/webhooks/zoho/{spec.path}/{event}" for event in ("created", "updated", "deleted")
        ]
        bodies = [json.loads(request.content) for request in endpoint.requests]
        assert bodies[0] == {spec.detail_key: record["document"]}
        assert bodies[1] == {spec.detail_key: changed["document"]}
        assert all(signed(request, [], request.content) for request in endpoint.requests)


def test_a_payment_announces_itself_and_its_invoice(zoho: Caller, endpoint: Endpoint) -> None:
    invoice = next(row for row in zoho.rows("/invoices", "invoices") if row["status"] == "overdue")
    zoho.control("POST", "/documents/payments", {"invoices": [{"invoice_id": invoice["invoice_id"]}]}, status=201)
    settled(zoho)
    assert sorted(endpoint.paths()) == [
        "/webhooks/zoho/customerpayments/created",
        "/webhooks/zoho/invoices/updated",
        "/webhooks/zoho/salesorders/updated",
    ]
    told = {next(iter(json.loads(r.content))): json.loads(r.content) for r in endpoint.requests}
    assert told["invoice"]["invoice"]["status"] == "paid"


def test_derived_changes_may_stay_silent(zoho: Caller, endpoint: Endpoint) -> None:
    zoho.control("PUT", "/quirks", {"derived_changes_fire_webhooks": False})
    invoice = next(row for row in zoho.rows("/invoices", "invoices") if row["status"] == "overdue")
    zoho.control("POST", "/documents/payments", {"invoices": [{"invoice_id": invoice["invoice_id"]}]}, status=201)
    settled(zoho)
    assert endpoint.paths() == ["/webhooks/zoho/customerpayments/created"]


def test_silent_changes_and_modules_not_configured_send_nothing(zoho: Caller, endpoint: Endpoint) -> None:
    zoho.control("POST", "/documents/products", {}, status=201, webhook="false")
    zoho.control("PUT", "/webhooks", {"modules": ["invoices"]})
    zoho.control("POST", "/documents/products", {}, status=201)
    assert settled(zoho)["counts"] == {}
    assert endpoint.requests == []


def test_a_form_carries_the_payload_and_its_fields_are_signed(zoho: Caller, endpoint: Endpoint) -> None:
    zoho.control("PUT", "/webhooks", {"style": "jsonstring", "query": {"source": "books", "a": "b"}})
    record = zoho.control("POST", "/documents/products", {}, status=201)
    settled(zoho)
    (request,) = endpoint.requests
    pairs = parse_qsl(request.content.decode())
    assert json.loads(dict(pairs)["JSONString"]) == {"item": record["document"]}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert signed(request, [*pairs, ("source", "books"), ("a", "b")], b"")


def _fields(body: Any) -> bool:
    return set(body["item"]) == {"item_id", "name", "rate", "status"}


def _numbers(body: Any) -> bool:
    return body["organization_id"] == 60000007919 and isinstance(body["item"]["item_id"], int)


@pytest.mark.parametrize(
    ("settings", "holds"),
    [
        ({"style": "fields"}, _fields),
        ({"style": "numbers", "with_organization": True}, _numbers),
        ({"style": "bare"}, lambda body: "item_id" in body),
    ],
    ids=["fields", "numbers", "bare"],
)
def test_bodies_come_in_other_styles(
    zoho: Caller, endpoint: Endpoint, settings: dict[str, Any], holds: Callable[[Any], bool]
) -> None:
    zoho.control("PUT", "/webhooks", settings)
    zoho.control("POST", "/documents/products", {}, status=201)
    settled(zoho)
    assert holds(json.loads(endpoint.requests[0].content))


@pytest.mark.parametrize(("deletion", "body"), [("id", True), ("empty", False)])
def test_the_body_of_a_deletion_is_a_quirk(zoho: Caller, endpoint: Endpoint, deletion: str, body: bool) -> None:
    zoho.control("PUT", "/quirks", {"deletion_body": deletion})
    record = zoho.control("POST", "/documents/products", {}, status=201, webhook="false")
    zoho.control("DELETE", f"/documents/products/{record['id']}")
    settled(zoho)
    expected = json.dumps({"item": {"item_id": record["id"]}}, separators=(",", ":")).encode() if body else b""
    assert endpoint.requests[0].content == expected


def test_contacts_can_have_webhooks_of_their_own_type(zoho: Caller, endpoint: Endpoint) -> None:
    zoho.control("PUT", "/webhooks", {"split_contacts": True})
    zoho.control("POST", "/documents/vendors", {}, status=201)
    settled(zoho)
    assert endpoint.paths() == ["/webhooks/zoho/vendors/created"]


def test_loss_and_duplication_are_counted(zoho: Caller, endpoint: Endpoint) -> None:
    zoho.control("PUT", "/webhooks", {"loss": 0.4, "duplication": 0.5})
    for _ in range(60):
        zoho.control("POST", "/documents/products", {}, status=201)
    counts = settled(zoho)["counts"]
    assert counts["events"] == 60
    assert 10 < counts["lost"] < 40
    assert counts["sent"] == 60 - counts["lost"] + counts["duplicated"] == len(endpoint.requests)
    assert 8 < counts["duplicated"] < 35


def created(endpoint: Endpoint) -> list[str]:
    return [json.loads(request.content)["item"]["item_id"] for request in endpoint.requests]


@pytest.mark.parametrize("reordering", [0, 0.5])
def test_order_is_kept_unless_it_is_to_be_lost(zoho: Caller, endpoint: Endpoint, reordering: float) -> None:
    settings = {"delay_s": [0, 0.05], "reordering": reordering, "reorder_s": 0.1, "concurrency": 1}
    zoho.control("PUT", "/webhooks", settings)
    made = [zoho.control("POST", "/documents/products", {}, status=201)["id"] for _ in range(20)]
    settled(zoho)
    assert sorted(created(endpoint)) == sorted(made)
    assert (created(endpoint) == made) is (reordering == 0)


def test_deliveries_are_on_record_whatever_became_of_them(zoho: Caller, endpoint: Endpoint) -> None:
    endpoint.status = 503
    zoho.control("POST", "/documents/products", {}, status=201)
    shown = settled(zoho)
    (delivery,) = shown["deliveries"]
    assert (delivery["module"], delivery["event"], delivery["status"]) == ("items", "created", 503)
    assert delivery["seconds"] >= 0
    assert shown["counts"]["refused"] == 1
    assert shown["settings"]["secret"] is True


@pytest.mark.parametrize("given", [{"loss": 2}, {"style": "xml"}, {"delay_s": [2, 1]}, {"colour": 1}], ids=str)
def test_bad_settings_are_refused_and_the_old_ones_stay(zoho: Caller, given: dict[str, Any]) -> None:
    before = zoho.control("GET", "/webhooks")
    zoho.control("PUT", "/webhooks", given, status=400)
    assert zoho.control("GET", "/webhooks") == before


# -- activity


def finished(zoho: Caller) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        shown = zoho.control("GET", "/activity")
        if not shown["running"]:
            return dict(shown)
        time.sleep(0.01)
    raise AssertionError("the activity does not end")


def test_activity_does_as_many_events_as_it_was_told(zoho: Caller) -> None:
    before = zoho.control("GET", "/truth")
    zoho.control("POST", "/activity", {"events": 120, "per_second": 0, "seed": 3}, status=202)
    shown = finished(zoho)
    assert (shown["done"], shown["error"]) == (120, "")
    assert sum(shown["by"].values()) == 120
    assert {name.split(".")[1] for name in shown["by"]} == {"created", "updated", "deleted"}
    after = zoho.control("GET", "/truth")
    for entity in before:
        grown = shown["by"].get(f"{entity}.created", 0) - shown["by"].get(f"{entity}.deleted", 0)
        assert after[entity]["count"] - before[entity]["count"] == grown


def test_the_same_activity_ends_in_the_same_organisation() -> None:
    truths = []
    for _ in range(2):
        with simulated() as zoho:
            zoho.control("POST", "/activity", {"events": 80, "per_second": 0, "seed": 5}, status=202)
            finished(zoho)
            truths.append(zoho.control("GET", "/truth"))
    assert truths[0] == truths[1]


def test_activity_keeps_its_pace_its_mix_and_its_entities(zoho: Caller) -> None:
    plan = {"events": 10, "per_second": 50, "mix": {"edit": 1}, "entities": ["vendors"]}
    zoho.control("POST", "/activity", plan, status=202)
    zoho.control("POST", "/activity", plan, status=409)
    shown = finished(zoho)
    assert shown["by"] == {"vendors.updated": 10}
    assert 0.17 < shown["seconds"] < 2


@pytest.mark.parametrize("given", [{"mix": {"steal": 1}}, {"entities": ["widgets"]}, {"events": -1}], ids=str)
def test_a_bad_plan_is_refused(zoho: Caller, given: dict[str, Any]) -> None:
    zoho.control("POST", "/activity", given, status=400)


@pytest.fixture(autouse=True)
def still(zoho: Caller) -> Iterator[None]:
    """No test ends while webhooks are under way."""
    yield
    settled(zoho)


@pytest.mark.parametrize("entity", ["users", "price_lists", "locations", "transfer_orders"])
def test_some_collections_have_no_workflow_rules(zoho: Caller, endpoint: Endpoint, entity: str) -> None:
    record = zoho.control("POST", f"/documents/{entity}", {}, status=201)
    zoho.control("PATCH", f"/documents/{entity}/{record['id']}")
    zoho.control("DELETE", f"/documents/{entity}/{record['id']}")
    assert settled(zoho)["counts"] == {}
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("by", "fires", "sent"),
    [("staff", True, 1), ("rest", True, 1), ("rest", False, 0), ("sync", True, 0), ("import", True, 0)],
)
def test_who_made_a_change_decides_whether_it_is_announced(
    zoho: Caller, endpoint: Endpoint, by: str, fires: bool, sent: int
) -> None:
    zoho.control("PUT", "/quirks", {"rest_changes_fire_webhooks": fires})
    record_id = zoho.rows("/bills", "bills")[0]["bill_id"]
    zoho.control("PATCH", f"/documents/bills/{record_id}", {"notes": "new"}, by=by)
    settled(zoho)
    assert len(endpoint.requests) == sent


def test_there_are_no_retries_unless_they_are_wished_for(zoho: Caller, endpoint: Endpoint) -> None:
    endpoint.status = 503
    record_id = zoho.rows("/bills", "bills")[0]["bill_id"]
    zoho.control("PATCH", f"/documents/bills/{record_id}", {"notes": "one"})
    assert settled(zoho)["counts"] == {"events": 1, "sent": 1, "refused": 1}
    zoho.control("PUT", "/webhooks", {"retries": 2, "retry_s": 0.01})
    zoho.control("PATCH", f"/documents/bills/{record_id}", {"notes": "two"})
    shown = settled(zoho)
    assert shown["counts"]["sent"] == 1 + 3
    assert [entry["attempt"] for entry in shown["deliveries"]] == [0, 0, 1, 2]
    assert len({request.content for request in endpoint.requests[1:]}) == 1


def test_what_is_beyond_a_days_number_or_a_size_is_never_sent(zoho: Caller, endpoint: Endpoint) -> None:
    record_id = zoho.rows("/bills", "bills")[0]["bill_id"]
    zoho.control("PUT", "/webhooks", {"per_day": 2})
    for number in range(5):
        zoho.control("PATCH", f"/documents/bills/{record_id}", {"notes": str(number)})
    counts = settled(zoho)["counts"]
    assert (counts["sent"], counts["beyond_day"]) == (2, 3)
    zoho.control("PUT", "/webhooks", {"per_day": 0, "max_bytes": 500})
    zoho.control("PATCH", f"/documents/bills/{record_id}", {"notes": "large"})
    counts = settled(zoho)["counts"]
    assert (counts["sent"], counts["too_large"]) == (2, 1)
