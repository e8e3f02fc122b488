"""How Zoho's list rows and documents become columns: its quirks, entity by entity."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tds_core import lossless_json
from tds_core.entities import REGISTRY, entity, queued
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.errors import InvalidDocument, UnknownEntity

EVENTS = Path(__file__).parents[2] / "events" / "processor"
ENTITIES = pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))

LIST_ROWS: dict[str, dict[str, Any]] = {
    "products": {
        "item_id": "510200000000074001", "name": "RJ45", "sku": "", "unit": "PCS", "status": "active",
        "rate": Decimal("0.055"), "purchase_rate": 0, "stock_on_hand": Decimal("36.50"), "track_inventory": True,
        "image_document_id": "510200000000075001", "image_name": "rj45.jpg", "category_name": "كيبلات",
        "created_time": "2025-09-02T10:05:44+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "customers": {
        "contact_id": "510200000000081001", "contact_name": "شركة", "customer_name": "شركة", "vendor_name": "شركة",
        "contact_type": "customer", "status": "active", "payment_terms": 15, "payment_terms_label": "Net 15",
        "currency_code": "IQD", "outstanding_receivable_amount": 1915500, "email": "",
        "created_time": "2025-06-18T12:20:03+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "vendors": {
        "contact_id": "510200000000093001", "contact_name": "Wire", "customer_name": "Wire", "vendor_name": "Wire",
        "contact_type": "vendor", "status": "inactive", "payment_terms": 30, "currency_code": "RMB",
        "outstanding_payable_amount": Decimal("12480.75"),
        "created_time": "2025-06-18T12:20:03+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "invoices": {
        "invoice_id": "510200000000097000", "invoice_number": "INV-1", "customer_id": "510200000000081001",
        "date": "2026-03-14", "due_date": "", "status": "overdue", "currency_code": "USD", "total": 12, "balance": 0,
        "billing_address": {"zipcode": "10001"}, "updated_time": "2026-03-14T11:42:07+0300",
        "created_time": "2026-03-14T09:15:31+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "payments": {
        "payment_id": "510200000000099000", "payment_number": "18233", "customer_id": "510200000000081001",
        "date": "2026-03-14", "amount": 500, "bcy_amount": 500, "unused_amount": Decimal("42.5"),
        "payment_mode": "زين كاش", "description": "دفعة", "applied_invoices": [],
        "created_time": "2026-03-14T11:42:05+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "sales_orders": {
        "salesorder_id": "510200000000101000", "salesorder_number": "SO-1", "customer_id": "510200000000081001",
        "date": "2026-03-14", "shipment_date": "", "delivery_date": "", "status": "draft", "order_status": "draft",
        "invoiced_status": "", "paid_status": "", "shipped_status": "", "currency_code": "IQD", "total": 12,
        "balance": 0, "bcy_total": Decimal("0.0092"), "quantity": Decimal("2.00"), "quantity_shipped": 0,
        "shipment_days": "", "total_invoiced_amount": 0, "delivery_method": "", "sales_channel": "direct_sales",
        "created_time": "2026-03-14T09:15:31+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "credit_notes": {
        "creditnote_id": "510200000000103000", "creditnote_number": "CN-1", "customer_id": "510200000000081001",
        "date": "2026-03-14", "status": "closed", "currency_code": "USD", "exchange_rate": 1, "total": 12, "balance": 0,
        "applied_invoices": "", "created_time": "2026-03-14T09:15:31+0300",
        "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "bills": {
        "bill_id": "510200000000104000", "bill_number": "B-1", "vendor_id": "510200000000093001", "date": "2026-03-14",
        "due_date": "2026-04-13", "due_days": "Due in 30 day(s)", "status": "open", "currency_code": "RMB",
        "exchange_rate": Decimal("0.136748"), "total": 12, "balance": 12, "is_opening_balance": "510200000000104000",
        "created_time": "2026-03-14T09:15:31+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "purchase_orders": {
        "purchaseorder_id": "510200000000106000", "purchaseorder_number": "PO-1", "vendor_id": "510200000000093001",
        "vendor_name": "Wire", "date": "2026-03-14", "delivery_date": "2026-05-02", "expected_delivery_date": "",
        "status": "open", "order_status": "issued", "billed_status": "", "received_status": "to_be_received",
        "delivery_days": "Due in 49 day(s)", "currency_code": "RMB", "price_precision": "2", "total": 12,
        "total_ordered_quantity": Decimal("300.00"), "quantity_yet_to_receive": 300, "is_drop_shipment": False,
        "receives": [], "created_time": "2026-03-14T09:15:31+0300", "last_modified_time": "2026-03-14T11:42:07+0300",
    },
    "users": {
        "user_id": "510200000000066003", "role_id": "510200000000006018", "name": "مندوب", "email": "",
        "user_role": "staff", "status": "invited", "user_type": "zoho", "photo_url": "", "is_current_user": False,
    },
    "price_lists": {
        "pricebook_id": "510200000000055002", "name": "Wholesale A", "description": "", "currency_code": "USD",
        "currency_id": "510200000000000097", "pricebook_type": "fixed_percentage", "percentage": Decimal("4.5"),
        "is_increase": True, "is_default": False, "rounding_type": "no_rounding", "decimal_place": 3,
        "status": "active", "sales_or_purchase_type": "sales",
    },
    "inventory": {
        "inventory_adjustment_id": "510200000000107000", "date": "2026-03-14", "reason": "Damaged goods",
        "reason_id": "510200000000107900", "adjustment_type": "value", "total": -12, "reference_number": "",
        "description": "",
    },
    "locations": {
        "location_id": "510200000000041001", "location_name": "المخزن", "type": "general", "address": {"city": "بغداد"},
        "parent_location_id": "", "is_all_users_selected": False, "associated_users": [],
    },
}  # fmt: skip
CHOSEN_FIELDS: dict[str, dict[str, Any]] = {
    "products": {"item_id": 510200000000074001, "name": "RJ45", "rate": 1, "purchase_rate": 1, "status": "active"},
    "customers": {"contact_id": 510200000000081001, "contact_name": "شركة", "contact_type": "customer"},
    "vendors": {"contact_id": 510200000000093001, "contact_name": "Wire", "contact_type": "vendor"},
    "invoices": {"invoice_id": 510200000000097000, "customer_id": "1", "total": 12, "balance": 0, "status": "paid"},
    "payments": {"payment_id": 510200000000099000, "customer_id": "1", "date": "2026-03-14", "amount": 500},
    "sales_orders": {"salesorder_id": 510200000000101000, "customer_id": "1", "total": 12, "status": "open"},
    "credit_notes": {"creditnote_id": 510200000000103000, "customer_id": "1", "total": 12, "balance": 0},
    "bills": {"bill_id": 510200000000104000, "vendor_id": "1", "total": 12, "balance": 0, "status": "open"},
    "purchase_orders": {"purchaseorder_id": 510200000000106000, "vendor_id": "1", "total": 12, "status": "open"},
    "users": {"user_id": 510200000000066003, "name": "N"},
    "price_lists": {"pricebook_id": 510200000000055002, "name": "Wholesale A"},
    "inventory": {"inventory_adjustment_id": 510200000000107000, "date": "2026-03-14", "total": 1},
    "locations": {"location_id": 510200000000041001, "location_name": "N"},
}
# no key is known that all their documents have and no list row has; neither has webhooks
ROWS_LOOK_LIKE_DOCUMENTS = {"users", "locations", "price_lists"}


def document_of(spec: EntitySpec) -> dict[str, Any]:
    event = json.loads((EVENTS / f"{spec.name}.json").read_text("utf-8"))
    document: dict[str, Any] = lossless_json.loads(event["Records"][0]["body"])["document"]
    return document


def child_of_table(table: str) -> tuple[EntitySpec, ChildTable]:
    return next((spec, child) for spec in REGISTRY.values() for child in spec.children if child.table == table)


def columns_of(name: str, source: dict[str, Any]) -> dict[str, Any]:
    return entity(name).model.parse(source).columns()


def child_of(name: str) -> ChildTable:
    """The first of its child tables."""
    return entity(name).children[0]


def child_rows(name: str, source: dict[str, Any]) -> list[dict[str, Any]]:
    rows = child_of(name).read(source)[0]
    assert rows is not None
    return rows


@ENTITIES
def test_full_document_is_a_document(spec: EntitySpec) -> None:
    assert spec.is_document(document_of(spec))


@ENTITIES
@pytest.mark.parametrize("sources", [LIST_ROWS, CHOSEN_FIELDS], ids=["list row", "chosen fields"])
def test_less_than_a_document_is_none(spec: EntitySpec, sources: dict[str, dict[str, Any]]) -> None:
    looks_like_one = sources is LIST_ROWS and spec.name in ROWS_LOOK_LIKE_DOCUMENTS
    assert spec.is_document(sources[spec.name]) == looks_like_one
    assert not (looks_like_one and spec.webhook_modules)


@ENTITIES
def test_list_rows_are_documents_only_where_the_spec_says_so(spec: EntitySpec) -> None:
    if spec.rows_are_documents:
        assert spec.is_document(LIST_ROWS[spec.name])


@ENTITIES
def test_full_document_fills_every_critical_column(spec: EntitySpec) -> None:
    columns = spec.model.parse(document_of(spec)).columns()
    assert {name: columns.get(name) for name in spec.critical if columns.get(name) is None} == {}


@ENTITIES
def test_list_row_fills_no_column_of_documents(spec: EntitySpec) -> None:
    columns = spec.model.parse(LIST_ROWS[spec.name]).columns().keys() - {"last_modified_time"}
    assert columns - spec.header_columns <= {"billing_address"}
    assert spec.zoho_key in LIST_ROWS[spec.name]


@ENTITIES
def test_document_carries_no_column_of_lists_only(spec: EntitySpec) -> None:
    columns = spec.model.parse(document_of(spec)).columns().keys() - {"last_modified_time"}
    assert columns <= spec.shared_columns | spec.detail_columns


@ENTITIES
def test_absent_key_leaves_its_column_out(spec: EntitySpec) -> None:
    assert spec.model.parse({spec.zoho_key: "1"}).columns() == {spec.key: "1"}


@ENTITIES
def test_empty_text_everywhere_is_null(spec: EntitySpec) -> None:
    source = dict.fromkeys(document_of(spec) | LIST_ROWS[spec.name], "") | {spec.zoho_key: "1"}
    columns = spec.model.parse(source).columns()
    assert {name for name, value in columns.items() if value is not None} == {spec.key}
    assert all(child.read(source)[0] == [] for child in spec.children)


@ENTITIES
def test_null_everywhere_is_null(spec: EntitySpec) -> None:
    source = dict.fromkeys(document_of(spec) | LIST_ROWS[spec.name]) | {spec.zoho_key: "1"}
    columns = spec.model.parse(source).columns()
    assert {name for name, value in columns.items() if value is not None} == {spec.key}


@ENTITIES
@pytest.mark.parametrize(
    ("given_id", "stored"),
    [(510200000000074001, "510200000000074001"), ("9" * 25, "9" * 25), (10**24, "1" + "0" * 24), ("007", "007")],
    ids=["integer", "25 digits", "25 digits as integer", "leading zeros"],
)
def test_id_is_kept_digit_by_digit(spec: EntitySpec, given_id: str | int, stored: str) -> None:
    assert spec.model.parse({spec.zoho_key: given_id}).columns()[spec.key] == stored


@ENTITIES
@pytest.mark.parametrize(
    "bad", ["", None, "9" * 26, 10**25, "12a", "-1", -1, "١٢", True, Decimal("1.0"), "1/../2", " 1", ["1"]], ids=repr
)
def test_other_ids_are_refused_by_name(spec: EntitySpec, bad: Any) -> None:
    with pytest.raises(InvalidDocument, match=spec.zoho_key):
        spec.model.parse({spec.zoho_key: bad})


@ENTITIES
def test_missing_id_is_refused_by_name(spec: EntitySpec) -> None:
    with pytest.raises(InvalidDocument, match=spec.zoho_key):
        spec.model.parse({"status": "active"})
    with pytest.raises(InvalidDocument, match=spec.zoho_key):
        spec.id_of({"status": "active"})


@ENTITIES
def test_unknown_keys_do_no_harm(spec: EntitySpec) -> None:
    source = document_of(spec)
    surprising = source | {"brand_new": {"deep": [None]}, "zoho": 1, "content_hash": 2, "deleted_at": "now"}
    assert spec.model.parse(surprising).columns() == spec.model.parse(source).columns()


@pytest.mark.parametrize("status", ["confirmation_pending", "viewed", "مؤجل", "PAID", "x" * 300], ids=repr)
@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if "status" in spec.model.model_fields])
def test_status_is_zohos_own_text(name: str, status: str) -> None:
    spec = entity(name)
    assert columns_of(name, {spec.zoho_key: "1", "status": status})["status"] == status


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("products", {"rate": "12 secret"}),
        ("products", {"rate": True}),
        ("products", {"stock_on_hand": [1]}),
        ("products", {"track_inventory": "secret"}),
        ("products", {"name": {"secret": 1}}),
        ("customers", {"payment_terms": Decimal("1.5")}),
        ("customers", {"payment_terms": 10**12}),
        ("vendors", {"billing_address": "secret street"}),
        ("vendors", {"contact_persons": {"secret": 1}}),
        ("invoices", {"date": "14.03.2026 secret"}),
        ("invoices", {"created_time": "2026-03-14T09:15:31"}),
        ("invoices", {"total": "NaN"}),
        ("payments", {"amount": "1e99"}),
    ],
    ids=str,
)
def test_value_that_does_not_fit_is_named_but_not_shown(name: str, source: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument) as caught:
        columns_of(name, source | {entity(name).zoho_key: "1"})
    assert next(iter(source)) in str(caught.value)
    assert not any(text in str(caught.value) for text in ("secret", "NaN", "1e99", "1.5"))


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if not spec.rows_are_documents])
def test_hash_does_not_depend_on_how_numbers_are_spelled(name: str) -> None:
    spec = entity(name)

    def spelled(total: str) -> bytes:
        text = json.dumps({spec.zoho_key: "1"})[:-1] + f', "amount": {total}, "rate": {total}, "total": {total}'
        text += f', "outstanding_receivable_amount": {total}, "outstanding_payable_amount": {total}'
        text += f', "percentage": {total}}}'
        return lossless_json.digest(spec.model.parse(lossless_json.loads(text)).columns())

    assert spelled("12") == spelled("12.0") == spelled("12.00") == spelled('"12.000"') != spelled("12.001")


@ENTITIES
@given(data=st.data())
def test_parsing_never_fails_in_another_way(spec: EntitySpec, data: st.DataObject) -> None:
    finite = st.decimals(allow_nan=False, allow_infinity=False)  # JSON has no other numbers
    values = st.none() | st.booleans() | st.integers() | finite | st.text() | st.lists(st.integers())
    names = st.sampled_from(sorted(document_of(spec)))
    source = data.draw(st.dictionaries(names, values | st.dictionaries(st.text(), values)))
    try:
        columns = spec.model.parse({spec.zoho_key: "1"} | source).columns()
    except InvalidDocument:
        return
    assert columns.keys() <= spec.model.model_fields.keys()
    lossless_json.digest(columns)


def test_money_and_quantities_keep_every_digit() -> None:
    columns = columns_of("products", {"item_id": "1", "rate": Decimal("0.0550"), "stock_on_hand": "-4.25"})
    assert (str(columns["rate"]), columns["stock_on_hand"]) == ("0.0550", Decimal("-4.25"))


def test_times_are_instants_and_dates_are_the_organisations() -> None:
    columns = columns_of("invoices", LIST_ROWS["invoices"])
    assert columns["last_modified_time"] == datetime(2026, 3, 14, 8, 42, 7, tzinfo=UTC)
    assert columns["invoice_date"] == date(2026, 3, 14)


def test_blank_text_is_an_unknown_date_and_number() -> None:
    columns = columns_of("invoices", {"invoice_id": "1", "last_payment_date": " ", "total": " "})
    assert columns == {"invoice_id": "1", "last_payment_date": None, "total": None}


@pytest.mark.parametrize(
    ("name", "column", "others"),
    [("customers", "customer_name", "customer_name"), ("vendors", "vendor_name", "vendor_name")],
)
def test_contact_name_is_read_from_documents_and_lists_alike(name: str, column: str, others: str) -> None:
    assert columns_of(name, {"contact_id": "1", "contact_name": "N"})[column] == "N"
    assert columns_of(name, {"contact_id": "1", others: "N"})[column] == "N"


@pytest.mark.parametrize(
    ("contact_type", "owners"), [("customer", ["customers"]), ("vendor", ["vendors"]), ("employee", [])]
)
def test_contact_belongs_to_the_entity_of_its_type(contact_type: str, owners: list[str]) -> None:
    contact = {"contact_id": "1", "contact_type": contact_type}
    assert [name for name in ("customers", "vendors") if entity(name).is_own(contact)] == owners


def test_customers_and_vendors_share_one_scan() -> None:
    assert {entity(name).scan_name for name in ("customers", "vendors")} == {"contacts"}
    assert entity("invoices").scan_name == "invoices"


@pytest.mark.parametrize(
    "source", [{"custom_field_hash": {"cf_vendor_name_ar": "سلك"}}, {"cf_vendor_name_ar": "سلك"}], ids=["hash", "top"]
)
def test_arabic_vendor_name_comes_from_a_custom_field(source: dict[str, Any]) -> None:
    assert columns_of("vendors", {"contact_id": "1"} | source)["vendor_name_ar"] == "سلك"


@pytest.mark.parametrize("without", ["", [], None, {}], ids=repr)
def test_arabic_vendor_name_is_left_alone_without_one(without: Any) -> None:
    assert "vendor_name_ar" not in columns_of("vendors", {"contact_id": "1", "custom_field_hash": without})


def test_stock_is_read_per_location() -> None:
    main, shop = child_rows("products", document_of(entity("products")))
    assert main["stock_on_hand"] == Decimal("40.50")
    assert main["is_primary"] is True
    assert shop["actual_available_stock"] == Decimal("-4.00")
    assert shop["location_name"] == "معرض الكرادة"


def test_warehouses_are_locations() -> None:
    warehouse = {
        "warehouse_id": "7", "warehouse_name": "Main", "is_primary": True, "status": "active",
        "warehouse_stock_on_hand": 3, "warehouse_available_stock": "", "warehouse_actual_available_stock": "2.5",
    }  # fmt: skip
    expected = {
        "location_id": "7", "location_name": "Main", "is_primary": True, "status": "active",
        "stock_on_hand": Decimal(3), "available_stock": None, "actual_available_stock": Decimal("2.5"),
    }  # fmt: skip
    assert child_rows("products", {"warehouses": [warehouse]}) == [expected]
    assert child_rows("products", {"locations": "", "warehouses": [warehouse]}) == [expected]


def test_absent_list_leaves_child_rows_alone_and_an_empty_one_removes_them() -> None:
    assert child_of("products").read({"item_id": "1"})[0] is None
    assert child_of("products").read({"item_id": "1", "locations": []})[0] == []


def test_of_one_location_twice_the_later_counts() -> None:
    locations = [{"location_id": "7", "location_stock_on_hand": n} for n in (1, 2)]
    assert child_rows("products", {"locations": locations}) == [{"location_id": "7", "stock_on_hand": Decimal(2)}]


def application(number: str, invoice: str, amount: Any, **more: Any) -> dict[str, Any]:
    return {"invoice_payment_id": number, "invoice_id": invoice, "amount_applied": amount} | more


def test_payment_of_several_invoices_has_a_row_for_each() -> None:
    rows = child_rows("payments", document_of(entity("payments")))
    assert [(row["invoice_number"], row["amount_applied"]) for row in rows] == [
        ("INV-024052", Decimal(200)),
        ("INV-024117", Decimal("257.5")),
    ]


def test_payment_applied_twice_to_one_invoice_is_added_up() -> None:
    first = application("91", "5", Decimal("0.055"), tax_amount_withheld="", apply_date="2026-03-14")
    second = application("92", "5", 2, tax_amount_withheld=1, apply_date="2026-03-20")
    (row,) = child_rows("payments", {"invoices": [second, first]})
    assert row == {
        "invoice_id": "5",
        "invoice_payment_id": "92",
        "amount_applied": Decimal("2.055"),
        "tax_amount_withheld": Decimal(1),
        "apply_date": date(2026, 3, 20),
    }


def test_same_application_twice_is_counted_once() -> None:
    twice = [application("91", "5", 1), application("91", "5", 3)]
    (row,) = child_rows("payments", {"invoices": twice})
    assert row["amount_applied"] == 3


def test_order_of_applications_does_not_matter() -> None:
    some = [application(number, invoice, 1) for number, invoice in (("93", "6"), ("91", "5"), ("92", "5"))]
    assert child_rows("payments", {"invoices": some}) == child_rows("payments", {"invoices": some[::-1]})


@pytest.mark.parametrize("blank", ["", None], ids=repr)
def test_application_without_an_invoice_is_no_row(blank: Any) -> None:
    rows = child_rows("payments", {"invoices": [application("91", blank, 1), application("92", "5", 2)]})
    assert [row["invoice_id"] for row in rows] == ["5"]


@pytest.mark.parametrize(
    "invoices",
    ["text", 5, {"invoice_id": "1"}, ["5"], [None], [application("1", "x", 1)], [application("1", "5", "x")]],
    ids=repr,
)
def test_child_list_that_cannot_be_read_is_refused(invoices: Any) -> None:
    with pytest.raises(InvalidDocument, match="PaymentInvoice"):
        child_of("payments").read({"invoices": invoices})


def test_payment_document_has_a_version_of_its_own() -> None:
    spec = entity("payments")
    assert not spec.shares_version
    assert spec.document_version in document_of(spec)
    assert "last_modified_time" not in spec.model.parse(document_of(spec)).columns()


def rows_of(table: str, source: dict[str, Any]) -> list[dict[str, Any]]:
    rows = child_of_table(table)[1].read(source)[0]
    assert rows is not None
    return rows


@pytest.mark.parametrize(
    ("refunds", "mode"),
    [
        ([], None),
        ("", None),
        ([{"refund_mode": "cash"}], "cash"),
        ([{"refund_mode": m} for m in ("زين كاش", "cash", "", None, "bank", "cash")], "bank, cash, زين كاش"),
        ([{"refund_mode": ""}, {}], None),
    ],
    ids=str,
)
def test_refund_mode_is_the_different_modes_of_the_refunds(refunds: Any, mode: str | None) -> None:
    assert columns_of("credit_notes", {"creditnote_id": "1", "creditnote_refunds": refunds})["refund_mode"] == mode


def test_refund_mode_is_left_alone_when_the_document_says_nothing_of_refunds() -> None:
    assert "refund_mode" not in columns_of("credit_notes", {"creditnote_id": "1", "refund_mode": "cash"})


@pytest.mark.parametrize("refunds", ["cash", ["cash"], {"refund_mode": "cash"}, [{"refund_mode": ["cash"]}]], ids=str)
def test_refunds_that_cannot_be_read_are_refused_by_name(refunds: Any) -> None:
    with pytest.raises(InvalidDocument, match="creditnote_refunds"):
        columns_of("credit_notes", {"creditnote_id": "1", "creditnote_refunds": refunds})


def test_credit_note_has_a_row_for_each_application_and_each_refund() -> None:
    document = document_of(entity("credit_notes"))
    applications = rows_of("credit_note_invoices", document)
    assert [(row["invoice_id"], row["credited_amount"]) for row in applications] == [
        ("510200000000097000", Decimal("50.0")),
        ("510200000000096200", Decimal("20.5")),
    ]
    refunds = rows_of("credit_note_refunds", document)
    assert [(row["refund_mode"], row["amount_fcy"]) for row in refunds] == [("cash", 15), ("زين كاش", 10)]
    assert columns_of("credit_notes", document)["refund_mode"] == "cash, زين كاش"


def test_payment_has_a_row_for_each_refund() -> None:
    [refund] = rows_of("payment_refunds", document_of(entity("payments")))
    assert (refund["refund_mode"], refund["amount_fcy"], refund["reference_number"]) == (
        "زين كاش",
        Decimal("12.5"),
        "ZC-4409",
    )
    assert rows_of("payment_refunds", {"payment_refunds": []}) == []


def test_one_invoice_may_be_credited_twice_by_one_credit_note() -> None:
    twice = [{"creditnote_invoice_id": n, "invoice_id": "5", "credited_amount": 1} for n in ("91", "92")]
    assert len(rows_of("credit_note_invoices", {"invoices_credited": twice})) == 2


def test_price_list_has_a_price_for_each_product_with_its_brackets() -> None:
    plain, tiered = rows_of("price_list_items", document_of(entity("price_lists")))
    assert (plain["rate"], plain["discount"], plain["price_brackets"]) == (Decimal("58.5"), None, [])
    assert (tiered["rate"], tiered["discount"]) == (Decimal("0.055"), "5%")
    assert [bracket["pricebook_rate"] for bracket in tiered["price_brackets"]] == [Decimal("0.055"), Decimal("0.0475")]


def test_price_list_of_one_percentage_has_no_prices_though_its_document_does_not_name_them() -> None:
    row = LIST_ROWS["price_lists"]
    table = child_of_table("price_list_items")[1]
    assert entity("price_lists").is_document(row)
    assert table.read(row)[0] == []
    assert table.read(row | {"pricebook_items": ""})[0] == []
    assert table.read(row | {"pricebook_type": "per_item"})[0] is None


def test_a_users_role_is_zohos_own_text_and_permissions_are_never_invented() -> None:
    columns = columns_of("users", document_of(entity("users")))
    assert columns["role"] == "مندوب مبيعات"
    assert "permissions" not in columns


def test_odd_flags_of_a_bills_list_row_do_no_harm() -> None:
    assert columns_of("bills", LIST_ROWS["bills"])["exchange_rate"] == Decimal("0.136748")


def test_quantity_of_an_order_is_read_from_lists_and_documents_alike() -> None:
    for key in ("quantity", "total_quantity"):
        assert columns_of("sales_orders", {"salesorder_id": "1", key: Decimal("2.50")})["quantity"] == Decimal("2.5")
    for key in ("total_ordered_quantity", "total_quantity"):
        columns = columns_of("purchase_orders", {"purchaseorder_id": "1", key: Decimal("2.50")})
        assert columns["quantity"] == Decimal("2.5")


def test_adjustments_and_locations_share_one_queue() -> None:
    assert [spec.name for spec in queued("inventory")] == ["locations", "inventory"]
    assert entity("inventory").table == "inventory_adjustments"
    with pytest.raises(UnknownEntity, match="sales_orders"):
        queued("locations")


def test_unknown_entity_names_the_known_ones() -> None:
    with pytest.raises(UnknownEntity, match="price_lists, products, customers, vendors, invoices"):
        entity("widgets")
