"""The simulator's answers carry the keys and JSON types that live answers of Zoho carry.

`zoho_fields.json` holds names and types seen in live answers, by kind of value; "" may stand for any of them. Where no
live answers are known (purchase orders, users, price lists, adjustments, transfers, locations, what lies below credit
notes and bills) they are those of Zoho's documentation and of others' clients.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.local.zoho_simulator.shapes import names, shape
from tests.zoho_caller import Caller, simulated

FACTS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("zoho_fields.json").read_text("utf-8"))
KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "flag": (bool,),
    "array": (list,),
    "object": (dict,),
}
STOCK = {"stock_on_hand", "available_stock", "actual_available_stock", "reorder_level"}
PLACE = {"location_id", "location_name"}
BEYOND: dict[str, set[str]] = {  # keys that other sources report, see the entities' modules
    "inventory item row": STOCK,
    "books item row": STOCK,
    "inventory item": {*STOCK, "locations"},
    "books item": {*STOCK, "locations"},
    "invoice row": {"is_viewed_in_mail", "mail_first_viewed_time", "mail_last_viewed_time"},
    "invoice": PLACE,
    "sales order": PLACE,
    "credit note": PLACE,
    "bill": PLACE,
    "adjustment row": {*PLACE, "status", "created_time", "created_by_id", "created_by_name"},
    "adjustment": {
        *("status", "created_time", "created_by_id", "created_by_name", "last_modified_time"),
        *("custom_fields", "documents"),
    },
    "transfer order": {"last_modified_time"},
}
SOURCES = {
    "inventory item row": ("inventory/v1", "/items", "items", ""),
    "inventory item": ("inventory/v1", "/items", "items", "item"),
    "books item row": ("books/v3", "/items", "items", ""),
    "books item": ("books/v3", "/items", "items", "item"),
    "contact row": ("books/v3", "/contacts", "contacts", ""),
    "contact": ("books/v3", "/contacts", "contacts", "contact"),
    "invoice row": ("books/v3", "/invoices", "invoices", ""),
    "invoice": ("books/v3", "/invoices", "invoices", "invoice"),
    "payment row": ("books/v3", "/customerpayments", "customerpayments", ""),
    "payment": ("books/v3", "/customerpayments", "customerpayments", "payment"),
    "payment refund": ("books/v3", "/customerpayments/*/refunds", "payment_refunds", "payment"),
    "sales order row": ("inventory/v1", "/salesorders", "salesorders", ""),
    "sales order": ("inventory/v1", "/salesorders", "salesorders", "salesorder"),
    "credit note row": ("books/v3", "/creditnotes", "creditnotes", ""),
    "credit note": ("books/v3", "/creditnotes", "creditnotes", "creditnote"),
    "credit note application": ("books/v3", "/creditnotes/*/invoices", "invoices_credited", "creditnote"),
    "credit note refund": ("books/v3", "/creditnotes/refunds", "creditnote_refunds", ""),
    "bill row": ("books/v3", "/bills", "bills", ""),
    "bill": ("books/v3", "/bills", "bills", "bill"),
    "bill payment": ("books/v3", "/bills/*/payments", "payments", "bill"),
    "purchase order row": ("books/v3", "/purchaseorders", "purchaseorders", ""),
    "purchase order": ("books/v3", "/purchaseorders", "purchaseorders", "purchaseorder"),
    "user row": ("books/v3", "/users", "users", ""),
    "user": ("books/v3", "/users", "users", "user"),
    "price list row": ("books/v3", "/pricebooks", "pricebooks", ""),
    "price list": ("books/v3", "/pricebooks", "pricebooks", "pricebook"),
    "adjustment row": ("inventory/v1", "/inventoryadjustments", "inventory_adjustments", ""),
    "adjustment": ("inventory/v1", "/inventoryadjustments", "inventory_adjustments", "inventory_adjustment"),
    "transfer order row": ("inventory/v1", "/transferorders", "transfer_orders", ""),
    "transfer order": ("inventory/v1", "/transferorders", "transfer_orders", "transfer_order"),
    "location": ("inventory/v1", "/locations", "locations", ""),
    "currency": ("books/v3", "/settings/currencies", "currencies", ""),
    "books organisation": ("books/v3", "/organizations", "organizations", ""),
    "inventory organisation": ("inventory/v1", "/organizations", "organizations", ""),
}


SAME = [
    ("items", "inventory item row", "inventory item"),
    ("contacts", "contact row", "contact"),
    ("salesorders", "sales order row", "sales order"),
    ("invoices", "invoice row", "invoice"),
    ("creditnotes", "credit note row", "credit note"),
    ("bills", "bill row", "bill"),
    ("purchaseorders", "purchase order row", "purchase order"),
    ("users", "user row", "user"),
    ("pricebooks", "price list row", "price list"),
    ("adjustments", "adjustment row", "adjustment"),
]


@pytest.fixture(scope="module")
def zoho() -> Iterator[Caller]:
    with simulated() as caller:
        yield caller


def answers(zoho: Caller, what: str) -> list[dict[str, Any]]:
    """Every row, or every document, of one source."""
    product, path, key, detail = SOURCES[what]
    if "*" in path:
        collection, _, below = path[1:].partition("/*/")
        ids = [row[f"{detail}_id"] for row in zoho.rows(f"/{collection}", collection, product=product)]
        return [row for one in ids for row in zoho.rows(f"/{collection}/{one}/{below}", key, product=product)]
    rows = zoho.rows(path, key, product=product)
    if not detail:
        return rows
    ids = [next(value for name, value in row.items() if name == f"{detail}_id") for row in rows]
    return [zoho.get(f"{path}/{record_id}", product=product).json()[detail] for record_id in ids]


def values(document: Any, path: list[str]) -> Iterator[Any]:
    """What stands at a path; `[]` runs through an array, "" in place of an object ends it."""
    if not path:
        yield document
    elif path[0].endswith("[]"):
        for element in document[path[0][:-2]]:
            yield from values(element, path[1:])
    elif document != "":
        yield from values(document[path[0]], path[1:])


@pytest.mark.parametrize("what", FACTS)
def test_every_key_of_live_answers_is_there_with_its_type(zoho: Caller, what: str) -> None:
    documents = answers(zoho, what)
    assert documents
    for kind, paths in FACTS[what].items():
        for path in paths.split():
            for document in documents:
                for value in values(document, path.split(".")):
                    right = isinstance(value, KINDS[kind]) and (kind == "flag" or not isinstance(value, bool))
                    assert right or value == "", f"{what}.{path}: {value!r} is not {kind}"


@pytest.mark.parametrize("what", FACTS)
def test_there_are_no_keys_that_nobody_has_seen(zoho: Caller, what: str) -> None:
    known = {path.split(".")[0].removesuffix("[]") for paths in FACTS[what].values() for path in paths.split()}
    for document in answers(zoho, what):
        assert set(document) - known <= BEYOND.get(what, set())


@pytest.mark.parametrize(
    ("what", "absent"),
    [
        ("invoice row", {"line_items", "sub_total", "tax_total", "taxes", "payment_made"}),
        ("invoice", {"updated_time"}),
        ("contact row", {"billing_address", "contact_persons", "credit_limit"}),
        ("contact", {"customer_name"}),
        ("payment row", {"invoices", "currency_code", "exchange_rate", "updated_time"}),
        ("payment", {"last_modified_time"}),
        ("inventory item", {"image_document_id"}),
        ("books item", {"image_document_id"}),
        ("sales order row", {"line_items", "taxes", "exchange_rate"}),
        ("credit note row", {"line_items", "invoices_credited", "creditnote_refunds", "sub_total"}),
        ("bill row", {"line_items", "payments", "purchaseorders", "sub_total"}),
        ("purchase order row", {"line_items", "bills", "exchange_rate", "sub_total"}),
        ("user row", {"last_modified_time", "created_time"}),
        ("user", {"last_modified_time"}),
        ("price list row", {"pricebook_items", "last_modified_time"}),
        ("price list", {"last_modified_time"}),
        ("adjustment row", {"line_items", "last_modified_time"}),
        ("transfer order row", {"line_items", "last_modified_time"}),
        ("location", {"last_modified_time"}),
    ],
)
def test_lists_and_details_lack_what_zoho_leaves_out(zoho: Caller, what: str, absent: set[str]) -> None:
    for document in answers(zoho, what):
        assert not absent & set(document)


def test_a_list_says_zipcode_where_the_detail_says_zip(zoho: Caller) -> None:
    assert "zipcode" in zoho.rows("/invoices", "invoices")[0]["billing_address"]
    assert "zip" in answers(zoho, "invoice")[0]["billing_address"]


def test_empty_is_an_empty_text_and_never_null(zoho: Caller) -> None:
    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(nulls, value.values()))
        return any(map(nulls, value)) if isinstance(value, list) else value is None

    for what in FACTS:
        assert not any(map(nulls, answers(zoho, what)))


@pytest.mark.parametrize("path", ["/locations", "/organizations"])
def test_some_lists_have_no_pages(zoho: Caller, path: str) -> None:
    for product in ("books/v3", "inventory/v1"):
        assert set(zoho.get(path, product=product).json()) == {"code", "message", path[1:]}


@pytest.mark.parametrize(
    ("path", "report", "order"),
    [
        ("/salesorders", "Sales Orders", ("created_time", "D")),
        ("/invoices", "Invoices", ("created_time", "D")),
        ("/creditnotes", "Credit Notes", ("created_time", "D")),
        ("/bills", "Bills", ("created_time", "D")),
        ("/purchaseorders", "Purchase Orders", ("created_time", "D")),
        ("/customerpayments", "Payments Received", ("date", "D")),
        ("/contacts", "Contacts", ("contact_name", "A")),
        ("/items", "Items", ("name", "A")),
        ("/users", "Users", ("name", "A")),
    ],
)
def test_a_page_says_what_it_shows(zoho: Caller, path: str, report: str, order: tuple[str, str]) -> None:
    context = zoho.get(path).json()["page_context"]
    assert (context["page"], context["per_page"], context["has_more_page"]) == (1, 200, False)
    assert (context["report_name"], (context["sort_column"], context["sort_order"])) == (report, order)
    assert context["applied_filter"] in ("Status.All", "PaymentMode.All")


@pytest.mark.parametrize(("kind", "rows", "detail"), SAME, ids=[kind for kind, _, _ in SAME])
def test_list_and_detail_agree(zoho: Caller, kind: str, rows: str, detail: str) -> None:
    listed, documents = answers(zoho, rows), answers(zoho, detail)
    shared = ("status", "date", "total", "balance", "currency_code", "created_time", "last_modified_time", "name")
    for row, document in zip(listed, documents, strict=True):
        assert {name: row[name] for name in shared if name in row and name in document} == {
            name: document[name] for name in shared if name in row and name in document
        }


@pytest.mark.parametrize("what", ["invoice", "sales order", "credit note", "bill"])
def test_a_document_adds_up(zoho: Caller, what: str) -> None:
    for document in answers(zoho, what):
        exact = {name: Decimal(str(document[name])) for name in ("sub_total", "total", "balance", "adjustment")}
        lines = sum(Decimal(str(line["item_total"])) for line in document["line_items"])
        assert lines == exact["sub_total"]
        assert exact["total"] == lines + exact["adjustment"] + Decimal(str(document.get("shipping_charge", 0)))
        assert document["status"] == "void" or 0 <= exact["balance"] <= exact["total"]
        spent = {
            "invoice": ("payment_made", "credits_applied", "write_off_amount"),
            "credit note": ("total_credits_used", "total_refunded_amount"),
            "bill": ("payment_made", "vendor_credits_applied"),
        }.get(what)
        if spent and document["status"] != "void":
            assert exact["total"] - exact["balance"] == sum(Decimal(str(document[name])) for name in spent)


@pytest.mark.parametrize("name", names())
def test_shapes_hold_values_that_zoho_could_send(name: str) -> None:
    assert None not in shape(name).values()
