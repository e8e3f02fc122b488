"""The endpoint's promises: authentic, routed, stored, and only then answered with 202."""

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tds_core import lossless_json
from tds_core.errors import ConfigurationError
from tds_core.settings import Settings
from tds_core.sync import receive
from tds_core.zoho.routes import ENTITIES
from tds_core.zoho.webhooks import Change, sign
from tests.webhook_events import FORM, NOW, PREVIOUS, SECRET, Endpoint, receiver_settings, webhook_event


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def test_a_webhook_becomes_its_entitys_message(endpoint: Endpoint) -> None:
    body = b'{"organization_id": 10234695, "invoice": {"invoice_id": 9007199254740993123, "total": 12.50, "x": ""}}'
    assert endpoint.post("invoices/created", body) == 202
    assert json.loads(endpoint.answer["body"]) == {"trace_id": "4f0c2c1e-0000-4000-8000-000000000001"}
    ((queue, message),) = endpoint.messages
    assert queue == "invoices"
    assert lossless_json.dumps(message) == (
        '{"schema":1,"entity":"invoices","op":"upsert","ids":["9007199254740993123"],'
        '"document":{"invoice_id":"9007199254740993123","total":12.50,"x":""},'
        '"observed_at":"2026-01-02T03:04:05.678901+00:00","source":"webhook",'
        '"trace_id":"4f0c2c1e-0000-4000-8000-000000000001","webhook":"invoices/created"}'
    )
    assert endpoint.counts == {"WebhooksReceived": 1, "WebhooksRejected": 0, "WebhooksUnrouted": 0}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("invoices", 202),
        ("INVOICES/Updated", 202),
        ("invoices/created", 202),
        ("invoices/edited", 404),
        ("estimates/created", 404),
        ("", 404),
    ],
)
def test_the_path_says_what_it_is_about(endpoint: Endpoint, path: str, status: int) -> None:
    assert endpoint.post(path) == status
    assert len(endpoint.messages) == (status == 202)


@pytest.mark.parametrize(
    "options",
    [
        {"signature": ""},
        {"signature": "0" * 64},
        {"secret": "another1"},
        {"header": "X-Signature"},
        {"path": "nothing", "signature": ""},
        {"body": b'{"organization_id": 5, "invoice_id": 1}', "signature": "0" * 64},
        {"body": b"", "signature": ""},
    ],
    ids=["missing", "wrong", "other secret", "other header", "unknown module", "foreign organisation", "empty"],
)
def test_what_is_not_authentic_learns_nothing(endpoint: Endpoint, options: dict[str, Any]) -> None:
    assert endpoint.post(**options) == 401
    assert endpoint.answer["body"] == ""
    assert not endpoint.messages
    assert not endpoint.storage.objects
    assert endpoint.counts == {"WebhooksReceived": 0, "WebhooksRejected": 1, "WebhooksUnrouted": 0}


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b'{"organization_id": 5, "invoice": {"invoice_id": 1}}', {}),
        (b'{"organization_id": "5", "invoice": {}}', {}),
        (b'{"organization_id": 10234695, "invoice": {"invoice_id": 1, "organization_id": 5}}', {}),
        (b'{"invoice": {"invoice_id": 1}}', {"query": [("organization_id", "5")]}),
        (b"invoice_id=1&organization_id=5", {"content_type": FORM}),
    ],
)
def test_a_foreign_organisation_is_refused(endpoint: Endpoint, body: bytes, options: dict[str, Any]) -> None:
    assert endpoint.post(body=body, **options) == 403
    assert not endpoint.messages
    assert endpoint.counts["WebhooksRejected"] == 1


def test_too_large_is_refused_before_the_body_is_touched(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tds_core.zoho.webhooks.base64.b64decode", lambda _: pytest.fail("decoded"))
    assert endpoint.post(body=b" " * (4 * 1024 * 1024 + 1), signature="0") == 413
    assert endpoint.counts["WebhooksRejected"] == 1


def test_the_largest_body_is_taken(endpoint: Endpoint) -> None:
    body = b'{"invoice_id": "1"}'.ljust(4 * 1024 * 1024)
    assert endpoint.post(body=body) == 202


def test_a_document_too_large_for_the_queue_travels_as_its_id() -> None:
    body = '{{"invoice": {{"invoice_id": "1", "notes": "{}"}}}}'
    room = len(json.dumps("ك" * 1_000, ensure_ascii=False).encode())
    endpoint = Endpoint(message_limit_bytes=room + 250)
    assert endpoint.post(body=body.format("ك" * 1_000).encode()) == 202
    assert endpoint.post(body=body.format("ك" * 1_200).encode()) == 202
    (_, small), (_, large) = endpoint.messages
    assert (small["op"], large["op"], large["ids"], large["document"]) == ("upsert", "request", ["1"], None)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@example(text="\ufffe\uffff")
def test_a_message_holds_only_what_sqs_takes_and_reads_back(text: str) -> None:
    document = {"invoice_id": "1", "notes": text}
    change = Change(entity="invoices", operation="upsert", id="1", document=document)
    sent = receive.message(change, observed_at=NOW, trace_id="t")
    assert re.fullmatch("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*", sent)
    assert json.loads(sent)["document"] == document


def test_a_character_that_sqs_refuses_counts_as_it_is_sent() -> None:
    endpoint = Endpoint(message_limit_bytes=5_000)
    assert endpoint.post(body=b'{"invoice_id": "1", "notes": "%s"}' % ("\uffff" * 1_500).encode()) == 202
    assert endpoint.messages[0][1]["op"] == "request"


def test_a_message_of_exactly_the_limit_travels_whole(endpoint: Endpoint) -> None:
    endpoint.post()
    size = len(lossless_json.dumps(endpoint.messages[0][1]).encode())
    for limit, operation in ((size, "upsert"), (size - 1, "request")):
        other = Endpoint(message_limit_bytes=limit)
        other.post()
        assert other.messages[0][1]["op"] == operation


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("لا JSON".encode(), "InvalidDocument"),
        (b"\xff\x00", "InvalidDocument"),
        (b"{}", "InvalidDocument"),
        (b'{"invoice_id": "x"}', "InvalidId"),
        (b"", "InvalidDocument"),
        (b'{"invoice_id": 1, "total": 1e9999999999999999999}', "InvalidDocument"),
        (b'{"organization_id": "x", "invoice_id": 1}', "InvalidId"),
    ],
)
def test_what_cannot_be_understood_is_kept_whole(endpoint: Endpoint, body: bytes, reason: str) -> None:
    status = endpoint.post(body=body, query=[("a", "ب"), ("a", "2")], content_type="text/plain; x=é")
    assert status == 202
    key = "unrouted/2026-01-02/4f0c2c1e-0000-4000-8000-000000000001"
    assert endpoint.storage.objects == {("unrouted-bucket", key): (body, "text/plain; x=?")}
    ((queue, note),) = endpoint.messages
    assert (queue, note["key"], note["reason"], note["module"], note["event"]) == (
        "unrouted",
        key,
        reason,
        "invoices",
        "updated",
    )
    assert note["query"] == "a=%D8%A8&a=2"
    assert endpoint.counts == {"WebhooksReceived": 1, "WebhooksRejected": 0, "WebhooksUnrouted": 1}


@pytest.mark.parametrize(
    ("broken", "path", "body"),
    [
        ("queue/invoices", "invoices", b'{"invoice_id": 1}'),
        ("queue/vendors", "contacts", b'{"contact_id": 1}'),
        ("queue/customers", "contacts", b'{"contact_id": 1}'),
        ("unrouted-bucket", "invoices", b"?"),
        ("queue/unrouted", "invoices", b"?"),
    ],
)
def test_what_is_not_stored_is_never_called_received(endpoint: Endpoint, broken: str, path: str, body: bytes) -> None:
    endpoint.storage.broken.add(broken)
    assert endpoint.post(path, body) == 503
    assert endpoint.counts == {"WebhooksReceived": 0, "WebhooksRejected": 0, "WebhooksUnrouted": 0}


def test_one_queues_failure_does_not_touch_the_others(endpoint: Endpoint) -> None:
    endpoint.storage.broken.add("queue/invoices")
    assert endpoint.post("items", b'{"item_id": 1}') == 202


def test_the_previous_secret_is_accepted_without_reading_again(endpoint: Endpoint) -> None:
    assert endpoint.post(secret=PREVIOUS) == 202
    assert endpoint.secret_reads == 1


def test_a_new_secret_is_accepted_at_once(endpoint: Endpoint) -> None:
    endpoint.secret = '{"current": "brandNewSecret", "previous": "currentSecret01"}'
    assert endpoint.post(secret="brandNewSecret") == 202
    assert endpoint.post(secret=SECRET) == 202
    assert endpoint.post(secret=PREVIOUS) == 401


def test_wrong_signatures_do_not_read_the_secret_more_than_once_a_minute(endpoint: Endpoint) -> None:
    for _ in range(5):
        assert endpoint.post(signature="0" * 64) == 401
    assert endpoint.secret_reads == 2
    endpoint.now_s += 60
    endpoint.post(signature="0" * 64)
    assert endpoint.secret_reads == 3


def test_a_missing_signature_never_reads_the_secret(endpoint: Endpoint) -> None:
    endpoint.post(signature="")
    assert endpoint.secret_reads == 1


@pytest.mark.parametrize("as_base64", [True, False], ids=["base64", "text"])
def test_bytes_and_text_are_one(endpoint: Endpoint, as_base64: bool) -> None:
    body = '{"item": {"item_id": "7", "name": "كيبل 3م"}}'.encode()
    assert endpoint.post("items", body, as_base64=as_base64) == 202
    assert endpoint.messages[0][1]["document"]["name"] == "كيبل 3م"


def test_what_postgresql_cannot_hold_is_replaced(endpoint: Endpoint) -> None:
    assert endpoint.post("items", b'{"item_id": "7", "name": "a\\u0000b\\ud800"}') == 202
    assert endpoint.messages[0][1]["document"]["name"] == "a\ufffdb\ufffd"


@pytest.mark.parametrize("depth", [50, 300, 600, 900, 950, 990, 1_000, 100_000])
def test_any_depth_is_stored(endpoint: Endpoint, depth: int) -> None:
    body = b'{"item_id": "7", "x": ' + b"[" * depth + b"]" * depth + b"}"
    assert endpoint.post("items", body) == 202
    assert endpoint.messages


@pytest.mark.parametrize(
    "name", ["webhook_secret_arn", "unrouted_queue_url", "unrouted_bucket", "zoho_organization_id"]
)
def test_a_missing_setting_stops_it_at_its_start(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name.upper()):
        Endpoint(**{name: ""})


def test_a_missing_queue_stops_it_at_its_start() -> None:
    present = tuple((entity, "q") for entity in ENTITIES if entity not in ("customers", "payments"))
    with pytest.raises(ConfigurationError, match="customers, payments"):
        receive.check(receiver_settings(queue_urls=present))


def test_the_templates_variables_are_the_settings() -> None:
    names = ["".join(part.title() for part in entity.split("_")) for entity in ENTITIES]
    assert "SalesOrders" in names
    environment = {f"TDS_QUEUE_NAME_{name}": name for name in names} | {
        "TDS_WEBHOOK_SECRET_ARN": "a",
        "TDS_UNROUTED_QUEUE_URL": "b",
        "TDS_UNROUTED_BUCKET": "c",
        "TDS_ZOHO_ORGANIZATION_ID": "1",
    }
    assert receive.check(Settings.load(environment))


def test_neither_payload_nor_secret_reaches_a_log(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    private = "Kadhim+9647700000000"
    endpoint.post("items", f'{{"item_id": "7", "name": "{private}"}}'.encode())
    endpoint.post("items", private.encode())
    endpoint.post("items", private.encode(), signature="0" * 64)
    endpoint.storage.broken.add("queue/products")
    endpoint.post("items", f'{{"item_id": "7", "name": "{private}"}}'.encode())
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert len(caplog.records) == 4
    assert private not in logged
    assert SECRET not in logged
    assert sign(SECRET, private.encode()) not in logged


def test_an_empty_post_is_only_unauthentic(endpoint: Endpoint) -> None:
    assert endpoint.send({}) == 401
    assert endpoint.send(webhook_event() | {"body": None}) == 401
