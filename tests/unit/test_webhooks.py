"""Signatures and the reading of bodies."""

import hashlib
import hmac
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tds_core import lossless_json
from tds_core.errors import InvalidDocument, InvalidId
from tds_core.sync.receive import message
from tds_core.zoho.routes import ROUTES
from tds_core.zoho.webhooks import Change, Webhook, body_size, changes, is_authentic, read, sign, trace_id
from tests.webhook_events import FORM, PREVIOUS, SECRET, webhook_event

NOW = datetime(2026, 3, 14, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
QUERY = st.lists(st.tuples(TEXT, TEXT), max_size=5)
IDS = st.integers(min_value=0, max_value=10**25 - 1)


def arrived(*arguments: Any, **options: Any) -> Webhook:
    return Webhook.from_event(webhook_event(*arguments, **options), trace_id="t")


def changes_of(path: str, body: bytes, **options: Any) -> tuple[Change, ...]:
    webhook = arrived(path, body, **options)
    route = ROUTES[webhook.module]
    return changes(read(webhook, route), route, event=webhook.event)


def only(path: str, body: bytes, **options: Any) -> Change:
    (change,) = changes_of(path, body, **options)
    return change


def hmac_hex(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


# signature


def test_zohos_own_example_is_signed_as_its_page_says() -> None:
    body = '{"created_date":"2019-03-06","event_id":"5675"}'
    signed = "namebasicsubscription_id90343" + body
    query = [("subscription_id", "90343"), ("name", "basic")]
    assert sign(SECRET, body.encode(), query) == hmac_hex(SECRET, signed)


def test_without_a_query_the_signed_text_is_the_raw_body() -> None:
    assert sign(SECRET, '{"name": "كيبل"}'.encode()) == hmac_hex(SECRET, '{"name": "كيبل"}')


def test_values_of_one_key_are_signed_in_the_order_they_came_in() -> None:
    assert sign(SECRET, b"", [("b", "2"), ("a", "9"), ("a", "1")]) == hmac_hex(SECRET, "a9a1b2")


@given(body=st.binary(max_size=200), query=QUERY, as_base64=st.booleans())
def test_what_was_signed_is_authentic(body: bytes, query: list[tuple[str, str]], as_base64: bool) -> None:
    body = body if as_base64 else body.decode("utf-8", "replace").encode()
    assert is_authentic(arrived(body=body, query=query, as_base64=as_base64), [SECRET])


@given(body=st.binary(min_size=1, max_size=200), position=st.integers(0), bit=st.integers(0, 7))
def test_a_body_with_one_other_bit_is_not_authentic(body: bytes, position: int, bit: int) -> None:
    other = bytearray(body)
    other[position % len(body)] ^= 1 << bit
    assert not is_authentic(arrived(body=bytes(other), signature=sign(SECRET, body)), [SECRET])


@given(query=QUERY.filter(bool), body=st.binary(max_size=50))
def test_a_query_with_one_other_value_is_not_authentic(query: list[tuple[str, str]], body: bytes) -> None:
    (key, value), *rest = query
    signature = sign(SECRET, body, query)
    assert not is_authentic(arrived(body=body, query=[(key, value + "x"), *rest], signature=signature), [SECRET])


def test_the_previous_secret_still_counts() -> None:
    assert is_authentic(arrived(secret=PREVIOUS), [SECRET, PREVIOUS])
    assert not is_authentic(arrived(secret=PREVIOUS), [SECRET])


@pytest.mark.parametrize(
    "signature", ["0" * 64, "توقيع", "\ud800", "x", " "], ids=["wrong", "arabic", "surrogate", "short", "blank"]
)
def test_a_wrong_signature_is_not_authentic(signature: str) -> None:
    assert not is_authentic(arrived(signature=signature), [SECRET])


@pytest.mark.parametrize("name", ["X-Zoho-Webhook-Signature", "x-zoho-webhook-signature", "X-ZOHO-WEBHOOK-SIGNATURE"])
def test_the_header_is_found_in_any_case(name: str) -> None:
    assert is_authentic(arrived(header=name), [SECRET])


def test_a_signature_in_capitals_is_the_same() -> None:
    body = b"{}"
    assert is_authentic(arrived(body=body, signature=sign(SECRET, body).upper()), [SECRET])


@pytest.mark.parametrize("with_body", [False, True], ids=["fields", "fields and body"])
@given(form=QUERY.filter(bool), query=QUERY)
def test_a_forms_fields_are_signed_with_the_query(
    with_body: bool, form: list[tuple[str, str]], query: list[tuple[str, str]]
) -> None:
    body = urlencode(form).encode()
    signature = sign(SECRET, body if with_body else b"", [*query, *form])
    assert is_authentic(arrived(body=body, query=query, content_type=FORM, signature=signature), [SECRET])


def test_only_forms_may_leave_the_raw_body_unsigned() -> None:
    body = b'{"invoice":{"invoice_id":"1"},"note":"a=b"}'
    fields = [('{"invoice":{"invoice_id":"1"},"note":"a', 'b"}')]
    assert not is_authentic(arrived(body=body, content_type=FORM, signature=sign(SECRET, b"", fields)), [SECRET])


def test_a_form_of_a_million_fields_is_not_taken_apart() -> None:
    assert arrived(body=b"a=1&" * 100_000, content_type=FORM).form == ()


# arrival


@given(body=st.binary(max_size=300))
def test_the_size_of_a_body_is_known_without_decoding_it(body: bytes) -> None:
    assert body_size(webhook_event(body=body)) == len(body)


@given(text=TEXT)
def test_the_size_of_a_text_body_counts_its_bytes(text: str) -> None:
    assert body_size(webhook_event(body=text.encode(), as_base64=False)) == len(text.encode())


def test_a_body_that_is_not_base64_is_not_authentic() -> None:
    event = webhook_event() | {"body": "abc"}
    assert not is_authentic(Webhook.from_event(event, trace_id="t"), [SECRET])


def test_single_value_queries_serve_where_there_are_no_others() -> None:
    event = webhook_event(query=[("b", "2"), ("a", "1")]) | {"multiValueQueryStringParameters": None}
    assert is_authentic(Webhook.from_event(event, trace_id="t"), [SECRET])


@pytest.mark.parametrize(
    "event",
    [{}, {"headers": None, "body": None, "pathParameters": None, "requestContext": None}],
    ids=["nothing", "nulls"],
)
def test_an_event_without_anything_is_a_webhook_without_anything(event: dict[str, Any]) -> None:
    webhook = Webhook.from_event(event, trace_id=trace_id(event))
    assert (webhook.module, webhook.event, webhook.body, webhook.signature) == ("", "", b"", "")
    assert len(webhook.trace_id) == 36


@pytest.mark.parametrize("given_id", ["../../secrets", "a" * 65, "", "x y"])
def test_a_request_id_that_is_not_fit_for_a_key_is_replaced(given_id: str) -> None:
    assert trace_id(webhook_event(request_id=given_id)) != given_id


# content


@given(record_id=IDS, as_number=st.booleans(), enveloped=st.booleans(), style=st.sampled_from(["json", "JSONString"]))
def test_every_style_of_body_gives_the_same_change(
    record_id: int, as_number: bool, enveloped: bool, style: str
) -> None:
    record = {"invoice_id": record_id if as_number else str(record_id), "total": 0.5}
    text = lossless_json.dumps({"invoice": record} if enveloped else record)
    if style == "json":
        change = only("invoices/updated", text.encode())
    else:
        change = only("invoices/updated", urlencode({"JSONString": text}).encode(), content_type=FORM)
    expected = lossless_json.loads(lossless_json.dumps(record | {"invoice_id": str(record_id)}))
    assert change == Change(entity="invoices", operation="upsert", id=str(record_id), document=expected)


@given(
    st.recursive(
        st.none() | st.booleans() | IDS | TEXT | st.decimals(allow_nan=False, allow_infinity=False, places=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )
)
def test_no_json_body_fails_in_any_other_way_than_not_understood(value: Any) -> None:
    body = lossless_json.dumps(value).encode()
    try:
        for change in changes_of("invoices/updated", body):
            assert change.id.isdigit()
    except (InvalidDocument, InvalidId):
        pass


@given(st.binary(max_size=100), st.sampled_from(["", FORM, "application/json"]))
def test_no_bytes_fail_in_any_other_way_than_not_understood(body: bytes, content_type: str) -> None:
    with suppress(InvalidDocument, InvalidId):
        changes_of("contacts/deleted", body, content_type=content_type)


@pytest.mark.parametrize("own", ["7", 7, 460000000098765])
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"line_items": [{"item_id": 460000000074001}]}, {"line_items": [{"item_id": "460000000074001"}]}),
        ({"customer_id": 460000000017001}, {"customer_id": "460000000017001"}),
        ({"a": [[{"b": {"c_id": 1234567890, "d_id": 0}}]]}, {"a": [[{"b": {"c_id": "1234567890", "d_id": "0"}}]]}),
        ({"line_items": [{"item_id": "460000000074001", "quantity": 10**12}]}, None),
    ],
    ids=["line", "customer", "deep", "quantity"],
)
def test_ids_are_text_wherever_one_is_written_as_a_number(own: Any, sent: Any, read: Any) -> None:
    change = only("invoices/updated", lossless_json.dumps({"invoice": {"invoice_id": own} | sent}).encode())
    assert change.document == {"invoice_id": str(own)} | (read or sent)


def test_a_small_number_under_an_id_is_left_as_the_api_writes_it() -> None:
    record = {"invoice_id": "7", "tax_id": 0, "line_items": [{"kind_id": 12, "is_own_id": True}]}
    assert only("invoices/updated", lossless_json.dumps({"invoice": record}).encode()).document == record


@pytest.mark.parametrize("depth", [100, 400, 900, 5_000])
def test_a_deep_body_is_read_or_not_understood(depth: int) -> None:
    body = b'{"invoice_id": 7, "a": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    with suppress(InvalidDocument):
        assert only("invoices/updated", body).id == "7"


def test_numbers_keep_every_digit() -> None:
    change = only("invoices", b'{"invoice": {"invoice_id": 9007199254740993123, "rate": 0.1000000000000000055}}')
    assert change.id == "9007199254740993123"
    assert b"0.1000000000000000055" in lossless_json.dumps(change.document).encode()


def test_numbers_in_a_form_keep_every_digit() -> None:
    body = urlencode({"JSONString": '{"invoice_id": 1, "rate": 0.1000000000000000055}'}).encode()
    change = only("invoices", body, content_type=FORM)
    assert change.document == {"invoice_id": "1", "rate": Decimal("0.1000000000000000055")}


def test_what_postgresql_cannot_hold_is_replaced_in_a_form_too() -> None:
    assert only("invoices", b"invoice_id=7&notes=a%00b", content_type=FORM).document == {
        "invoice_id": "7",
        "notes": "a\ufffdb",
    }


@pytest.mark.parametrize(
    ("module", "key", "id_key"),
    [
        ("bills", "vendor_bill", "bill_id"),
        ("creditnotes", "credit_note", "creditnote_id"),
        ("inventoryadjustments", "inventoryadjustment", "inventory_adjustment_id"),
        ("customerpayments", "customerpayment", "payment_id"),
    ],
)
def test_a_record_is_known_by_its_id_whatever_its_envelope_is_called(module: str, key: str, id_key: str) -> None:
    whole = {id_key: "7", "status": "open", "item": {"bill_id": "9"}, "other": {id_key: "8"}}
    body = lossless_json.dumps({"organization_id": "1", key: whole, "custom_fields": {}}).encode()
    assert only(f"{module}/updated", body).document == whole
    assert only(f"{module}/deleted", body).id == "7"
    assert only(f"{module}/updated", lossless_json.dumps(whole).encode()).document == whole, "bare"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"creditnote": {"creditnote_id": "8", "invoice_id": "7"}}, id="another module's"),
        pytest.param({"a": {"invoice_id": "7"}, "b": {"invoice_id": "8"}}, id="two"),
        pytest.param({"a": {"b": {"invoice_id": "7"}}}, id="deeper"),
    ],
)
def test_an_id_somewhere_else_is_not_taken_for_the_records(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        changes_of("invoices/updated", lossless_json.dumps(body).encode())


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    assert only("invoices", b'\xef\xbb\xbf{"invoice_id": "7"}').id == "7"


def test_a_form_of_chosen_fields_is_a_record() -> None:
    change = only("invoices", b"invoice_id=7&status=%D9%85", content_type=FORM)
    assert change.document == {"invoice_id": "7", "status": "م"}


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (b'"7"', ()),
        (b"7", ()),
        (b" 7\n", ()),
        (b"", [("item_id", "7")]),
        (b"{}", [("item_id", "7")]),
        (b"null", [("item_id", "7")]),
        (b'{"item": {"item_id": "7"}}', ()),
        (b'{"item_id": 7}', ()),
        (b'{"item_id": 7}', [("item_id", "8")]),
    ],
    ids=["text", "number", "spaces", "empty", "empty object", "null", "full", "bare", "body before query"],
)
def test_a_deletion_may_be_a_record_an_id_or_nothing_but_a_query(body: bytes, query: Any) -> None:
    assert only("items/deleted", body, query=query) == Change(
        entity="products", operation="delete", id="7", document=None
    )


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b'{"item": {}}', b'{"organization_id": "7"}', b'{"item": {"organization_id": 7}}']
)
def test_a_deletion_that_says_nothing_is_told_without_an_id(body: bytes) -> None:
    assert only("items/deleted", body) == Change(entity="products", operation="delete", id="", document=None)
    assert lossless_json.loads(message(only("items/deleted", body), observed_at=NOW, trace_id="t"))["ids"] == []


def test_a_deleted_contact_without_an_id_is_told_to_both_entities() -> None:
    assert [(change.entity, change.id) for change in changes_of("contacts/deleted", b"")] == [
        ("customers", ""),
        ("vendors", ""),
    ]


@pytest.mark.parametrize(
    ("address", "body"),
    [("items/deleted", b'{"item": {"name": "x"}}'), ("items/deleted", b"[]"), ("items/updated", b""), ("items", b"")],
)
def test_whatever_else_names_nobody_is_not_understood(address: str, body: bytes) -> None:
    with pytest.raises((InvalidDocument, InvalidId)):
        changes_of(address, body)


def test_a_bare_id_that_is_no_deletion_is_requested() -> None:
    assert only("items/updated", b"7").operation == "request"


@pytest.mark.parametrize(
    ("module", "kind", "expected"),
    [
        ("contacts", "customer", [("customers", "upsert")]),
        ("contacts", "vendor", [("vendors", "upsert")]),
        ("contacts", "Vendor", [("vendors", "upsert")]),
        ("contacts", "partner", [("customers", "request"), ("vendors", "request")]),
        ("contacts", "", [("customers", "request"), ("vendors", "request")]),
        ("contacts", 5, [("customers", "request"), ("vendors", "request")]),
        ("contacts", ["vendor"], [("customers", "request"), ("vendors", "request")]),
        ("customers", "", [("customers", "upsert")]),
        ("vendors", "", [("vendors", "upsert")]),
        ("customers", "vendor", [("vendors", "upsert")]),
        ("customers", "partner", [("customers", "request"), ("vendors", "request")]),
    ],
)
def test_a_contact_goes_by_its_type(module: str, kind: Any, expected: list[tuple[str, str]]) -> None:
    body = lossless_json.dumps({"contact": {"contact_id": "7", "contact_type": kind}}).encode()
    assert [(change.entity, change.operation) for change in changes_of(f"{module}/updated", body)] == expected


def test_a_deleted_contact_of_unknown_type_is_deleted_in_both() -> None:
    assert [(c.entity, c.operation) for c in changes_of("contacts/deleted", b"7")] == [
        ("customers", "delete"),
        ("vendors", "delete"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'["7"]',
        b"{}",
        b"true",
        b"1.5",
        b'{"invoice": {}}',
        b'{"invoice": null}',
        b'{"item": {"item_id": "7"}}',
        b'{"invoice": {"invoice_id": ""}}',
        b'{"invoice": {"invoice_id": "7/../8"}}',
        b'{"invoice_id": -7}',
        b'{"invoice_id": 7.0}',
        b'{"invoice_id": true}',
        b'{"invoice_id": {"a": 1}}',
        b'{"invoice_id": "\xd9\xa7"}',
        b'{"invoice_id": "12345678901234567890123456"}',
        b'{"invoice_id": 12345678901234567890123456}',
        b'{"a":' * 5000,
        b'{"invoice_id": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
        b"NaN",
        b'{"invoice_id": "7", "organization_id": "ours"}',
    ],
)
def test_what_cannot_be_understood_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises((InvalidDocument, InvalidId)):
        changes_of("invoices/updated", body)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b'{"organization_id": 5, "invoice": {"invoice_id": 1}}', {}),
        (b'{"invoice": {"invoice_id": 1, "organization_id": "5"}}', {}),
        (b'{"invoice": {"invoice_id": 1}}', {"query": [("organization_id", "5")]}),
        (b"JSONString=%7B%22invoice_id%22%3A1%7D&organization_id=5", {"content_type": FORM}),
        (b"JSONString=" + quote('{"organization_id":5,"invoice":{"invoice_id":1}}').encode(), {"content_type": FORM}),
    ],
    ids=["beside the envelope", "in the record", "in the query", "in a form field", "in a form's JSON"],
)
def test_the_organisation_is_found_wherever_it_stands(body: bytes, options: dict[str, Any]) -> None:
    assert read(arrived("invoices", body, **options), ROUTES["invoices"]).organizations == {"5"}


def test_a_body_with_numeric_ids_is_the_document_that_a_fetch_would_bring() -> None:
    lines = b'[{"line_item_id": 260815000000098003, "item_order": 1}]'
    body = b'{"invoice": {"invoice_id": 260815000000098001, "total": 100.5, "line_items": ' + lines + b"}}"
    (change,) = changes_of("invoices/updated", body)
    assert change.document == {
        "invoice_id": "260815000000098001",
        "total": Decimal("100.5"),
        "line_items": [{"line_item_id": "260815000000098003", "item_order": 1}],
    }
