"""The simulator's answers carry the keys and JSON types that live answers of Zoho carry.

`zoho_fields.json` holds names and types seen in live answers, by kind of value; "" may stand for any of them.
"""

import json
from collections.abc import Iterator
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
BEYOND: dict[str, set[str]] = {  # keys that other sources report, see the entities' modules
    "inventory item row": STOCK,
    "books item row": STOCK,
    "inventory item": {*STOCK, "locations"},
    "books item": {*STOCK, "locations"},
    "invoice row": {"is_viewed_in_mail", "mail_first_viewed_time", "mail_last_viewed_time"},
    "invoice": {"location_id", "location_name"},
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
    "books organisation": ("books/v3", "/organizations", "organizations", ""),
    "inventory organisation": ("inventory/v1", "/organizations", "organizations", ""),
}


@pytest.fixture(scope="module")
def zoho() -> Iterator[Caller]:
    with simulated() as caller:
        yield caller


def answers(zoho: Caller, what: str) -> list[dict[str, Any]]:
    """Every row, or every document, of one source."""
    product, path, key, detail = SOURCES[what]
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


def test_locations_are_listed_without_pages(zoho: Caller) -> None:
    for product in ("books/v3", "inventory/v1"):
        body = zoho.get("/locations", product=product).json()
        assert "page_context" not in body
        assert {"location_id", "location_name", "type", "address", "is_all_users_selected"} <= set(body["locations"][0])


@pytest.mark.parametrize("name", names())
def test_shapes_hold_values_that_zoho_could_send(name: str) -> None:
    assert None not in shape(name).values()
