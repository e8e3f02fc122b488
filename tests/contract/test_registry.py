"""The registry, the template, the events and the documents name the same entities, tables and columns."""

import ast
import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tds_core import lossless_json
from tds_core.database import images
from tds_core.database.images import Stored
from tds_core.entities import REGISTRY, queued, queues
from tds_core.entities.model import Element, parse_id
from tds_core.entities.spec import ChildTable, EntitySpec, WholeList
from tds_core.priority import Priority
from tds_core.settings import snake_case
from tds_core.sync import image_feed

ROOT = Path(__file__).parents[2]
ENTITIES = pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))
CHILDREN = {child.table: (spec, child) for spec in REGISTRY.values() for child in spec.children}
PRODUCTS = {"books": "Books", "inventory": "Inventory"}
# what the requirements ask of each table, under their own names, and what they leave open under the names it has
REQUIRED = {
    "products": "product_id name sku rate purchase_rate unit status stock_on_hand available_stock "
    "actual_available_stock",
    "stock_levels": "stock_on_hand available_stock actual_available_stock",
    "customers": "customer_id customer_name company_name contact_persons outstanding_receivable_amount "
    "unused_credits_receivable_amount",
    "vendors": "vendor_id vendor_name vendor_name_ar contact_persons email phone address payment_terms "
    "payment_terms_label outstanding_payable_amount currency status",
    "sales_orders": "salesorder_id salesorder_number customer_id date shipment_date line_items subtotal tax_total "
    "total status",
    "invoices": "invoice_id invoice_number customer_id invoice_date due_date line_items subtotal tax_total total "
    "balance status currency",
    "payments": "payment_id payment_number customer_id payment_date amount unused_amount payment_mode reference_number "
    "notes",
    "payment_invoices": "invoice_id amount_applied",
    "payment_refunds": "payment_refund_id date refund_mode amount_fcy amount_bcy",
    "credit_notes": "creditnote_id creditnote_number customer_id invoice_id date line_items total balance status "
    "refund_mode",
    "credit_note_invoices": "creditnote_invoice_id invoice_id credited_amount date",
    "credit_note_refunds": "creditnote_refund_id refund_mode amount_fcy amount_bcy date",
    "bills": "bill_id bill_number vendor_id bill_date due_date line_items subtotal tax_total total balance status",
    "users": "user_id name email role status permissions",
    "price_list_items": "product_id rate discount price_brackets",
    "locations": "location_id location_name",
}
# the modules that Zoho's published API files describe, by product
PUBLISHED = {
    "Zoho Books": "Items, Contacts, Contact persons, Sales orders, Invoices, Customer payments, Credit notes, Bills, "
    "Users, Price lists, Locations, Organizations, Taxes, Currencies",
    "Zoho Inventory": "Items, Contacts, Contact persons, Sales orders, Invoices, Customer payments, Credit notes, "
    "Bills, Users, Price lists, Locations, Inventory adjustments, Transfer orders, Organizations, Taxes, Currencies, "
    "Item groups, Composite items, Assemblies, Packages, Sales returns, Shipment orders",
}


def event_of(path: str) -> Any:
    return json.loads((ROOT / "events" / path).read_text("utf-8"))


def table_under(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table in that section of a Markdown file, without its head."""
    text = (ROOT / document).read_text("utf-8")
    sections = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))[heading]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@ENTITIES
def test_spec_speaks_of_its_own_columns(spec: EntitySpec) -> None:
    columns = set(spec.model.model_fields)
    assert {spec.key, *spec.critical, *spec.compared} <= columns
    assert set(spec.compared) <= spec.header_columns, "list rows are what is compared"
    assert set(spec.moved) <= spec.header_columns - {"total", *spec.numbers}, "a record's own total is its own"
    assert bool(spec.moved) == any(touch.entity == spec.name for other in REGISTRY.values() for touch in other.touches)
    assert not spec.header_columns & spec.detail_columns
    assert spec.zoho_key in spec.document_keys
    assert spec.refetch_only is None or (spec.refetch and spec.refetch_only.date_column in columns)


@ENTITIES
def test_list_whose_rows_are_documents_is_read_whole(spec: EntitySpec) -> None:
    if spec.rows_are_documents:
        assert isinstance(spec.changes, WholeList)
        assert not spec.detail_columns and not spec.children
    else:
        assert spec.detail_key
    assert spec.paged or (isinstance(spec.changes, WholeList) and not spec.walk_sort)


def test_every_queue_is_named_after_one_of_its_entities() -> None:
    assert all(name in {spec.name for spec in queued(name)} for name in queues())
    assert {spec.name for name in queues() for spec in queued(name)} == REGISTRY.keys()


@ENTITIES
def test_children_speak_of_their_own_columns(spec: EntitySpec) -> None:
    for child in spec.children:
        columns = set(child.model.model_fields)
        assert {child.key, *child.added, *child.totals.values()} <= columns
        assert not child.part or child.part in columns
        assert spec.key not in columns, "the document's key is added to each row"


@ENTITIES
def test_touches_lead_from_the_document_to_known_entities(spec: EntitySpec) -> None:
    document = processor_document(spec)
    for touch in spec.touches:
        assert touch.entity in REGISTRY
        assert touch.path.split("[]")[0].split(".")[0] in document


def sources_of_code() -> list[Path]:
    """All modules but those that are an entity's own."""
    own = ("layers/tds_core/tds_core/entities/", "layers/tds_core/tds_core/zoho/routes.py", "cli/local/zoho_simulator/")
    paths = [path for folder in ("functions", "layers", "cli") for path in (ROOT / folder).rglob("*.py")]
    return [path for path in paths if not path.relative_to(ROOT).as_posix().startswith(own)]


def test_no_code_knows_an_entity_by_name() -> None:
    names = {name for spec in REGISTRY.values() for name in (spec.name, *spec.tables)} - set(PRODUCTS)
    paths = sources_of_code()
    assert len(paths) > 70
    known = {
        (path.name, node.value)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    }
    assert known == set()


def test_tables_are_named_once() -> None:
    tables = [table for spec in REGISTRY.values() for table in spec.tables]
    assert len(set(tables)) == len(tables)


def test_template_lists_the_registry() -> None:
    template = (ROOT / "template.yaml").read_text("utf-8")
    listed = re.search(r"^  Entities: &entities\n((?:    - \w+\n)+)", template, re.MULTILINE)
    assert listed is not None
    assert [snake_case(name) for name in re.findall(r"- (\w+)", listed[1])] == list(queues())
    assert set(re.findall(r"Fn::ForEach::\w+:\n +- Entity\n +- (\S+)", template)) == {"*entities"}


def test_every_entity_has_its_processor_event_and_no_other_has() -> None:
    assert {path.stem for path in (ROOT / "events" / "processor").iterdir()} == REGISTRY.keys()


def processor_document(spec: EntitySpec) -> dict[str, Any]:
    (record,) = event_of(f"processor/{spec.name}.json")["Records"]
    document: dict[str, Any] = lossless_json.loads(record["body"])["document"]
    return document


@ENTITIES
def test_processor_event_is_a_message_with_a_full_document(spec: EntitySpec) -> None:
    (record,) = event_of(f"processor/{spec.name}.json")["Records"]
    message = lossless_json.loads(record["body"])
    assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    assert message.keys() == {"schema", "entity", "op", "ids", "document", "observed_at", "source", "trace_id"}
    assert (message["schema"], message["entity"], message["op"], message["source"]) == (
        1,
        spec.name,
        "upsert",
        "webhook",
    )
    assert message["ids"] == [parse_id(spec.id_of(message["document"]))]
    assert datetime.fromisoformat(message["observed_at"]).tzinfo is not None
    assert spec.is_document(message["document"])
    assert spec.is_own(message["document"])
    assert all(child.read(message["document"])[0] for child in spec.children)


@pytest.mark.parametrize("mode", ["poll", "walk", "drain"])
def test_backfill_event_names_its_mode(mode: str) -> None:
    assert event_of(f"backfill/{mode}.json") == {"mode": mode}


def test_image_event_is_a_message_of_the_feed() -> None:
    (record,) = event_of("image_sync/images.json")["Records"]
    assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    held = image_feed.parse(record["body"])
    assert json.loads(image_feed.dump(held, held.ids)) == json.loads(record["body"])


def test_images_have_the_priority_that_the_migration_writes() -> None:
    migrations = ROOT / "layers" / "tds_core" / "tds_core" / "database" / "migrations"
    text = (migrations / "0022_product_images.sql").read_text("utf-8")
    assert set(re.findall(rf"'{images.ENTITY}', (?:NEW\.)?product_id, (\d)", text)) == {str(int(Priority.IMAGES))}


def test_console_event_is_a_command() -> None:
    assert event_of("console/status.json") == {"command": "status", "arguments": {}}


def test_migrate_event_is_the_templates_custom_resource() -> None:
    event = event_of("migrate/create.json")
    template = (ROOT / "template.yaml").read_text("utf-8")
    name, properties = event["LogicalResourceId"], event["ResourceProperties"]
    resource = re.search(
        rf"^  {name}:\n    Type: {event['ResourceType']}\n    Properties:\n((?:      .*\n)+)", template, re.M
    )
    assert resource is not None
    assert set(re.findall(r"^      (\w+):", resource[1], re.M)) == properties.keys()


def place_of(spec: EntitySpec, column: str) -> str:
    if column in spec.detail_columns:
        return "document"
    if column == "last_modified_time":
        return "list, document" if spec.shares_version else "list"
    return "list, document" if column in spec.shared_columns else "list"


def documented(table: str) -> dict[str, tuple[str, str, bool]]:
    rows = table_under("docs/fields.md", table)
    return {row[0].strip("*`"): (row[1], row[2], row[3] == "yes") for row in rows}


def sources(model: type[Element], column: str) -> str:
    return ", ".join(f"`{key}`" for key in model.source_keys(column))


@ENTITIES
def test_fields_page_is_the_spec(spec: EntitySpec) -> None:
    assert documented(spec.table) == {
        column: (sources(spec.model, column), place_of(spec, column), column in {spec.key, *spec.critical})
        for column in spec.model.model_fields
    }


@pytest.mark.parametrize(("spec", "child"), CHILDREN.values(), ids=list(CHILDREN))
def test_fields_page_is_the_child(spec: EntitySpec, child: ChildTable) -> None:
    assert documented(child.table) == {
        column: (sources(child.model, column), "document", column == child.key) for column in child.model.model_fields
    }


def test_fields_page_has_no_other_tables() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "docs" / "fields.md").read_text("utf-8"), re.MULTILINE)
    assert headings == [*(table for spec in REGISTRY.values() for table in spec.tables), images.ENTITY]


def test_fields_page_tells_of_every_column_of_an_image() -> None:
    told = {row[0].strip("*`") for row in table_under("docs/fields.md", images.ENTITY)}
    assert told == {*Stored.__dataclass_fields__, "product_id", "stored_at", "products.image_url"}


@pytest.mark.parametrize("table", REQUIRED)
def test_fields_page_shows_every_required_field(table: str) -> None:
    shown = {row[0].strip("*`") for row in table_under("docs/fields.md", table) if row[0].startswith("**")}
    assert set(REQUIRED[table].split()) <= shown


@pytest.mark.parametrize("product", PUBLISHED)
def test_coverage_page_is_the_registry(product: str) -> None:
    rows = table_under("docs/coverage.md", product)
    assert len({row[0] for row in rows}) == len(rows)
    assert set(PUBLISHED[product].split(", ")) <= {row[0] for row in rows}
    told = {(path.strip("`"), name) for _, path, names, *_ in rows if names.startswith("`") for name in named(names)}
    assert told == {(spec.path, spec.name) for spec in REGISTRY.values() if f"Zoho {PRODUCTS[spec.product]}" == product}


@pytest.mark.parametrize("product", PUBLISHED)
def test_coverage_page_weighs_what_is_not_mirrored(product: str) -> None:
    for module, _, names, why, priority, effort in table_under("docs/coverage.md", product):
        assert why, module
        assert re.fullmatch(r"no|((in |as )?`\w+`(, `\w+`)*)", names), module
        assert names == "no" or set(named(names)) <= REGISTRY.keys(), module
        if names == "no" or priority:
            assert priority in {"high", "medium", "low", "none"} and effort in {"S", "M", "L"}, module
        else:
            assert effort == "", module


def named(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def promised(spec: EntitySpec) -> str:
    slower = f", {spec.slower[0]} {spoken(spec.slower[1])}" if spec.slower else ""
    return spoken(spec.freshness) + slower


def spoken(freshness: timedelta) -> str:
    minutes = freshness // timedelta(minutes=1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"


def test_readme_lists_the_registry() -> None:
    rows = [row[:4] for row in table_under("README.md", "Entities")]
    assert rows == [
        [
            f"`{spec.name}`",
            ", ".join(f"`{table}`" for table in spec.tables),
            f"{PRODUCTS[spec.product]} `{spec.path}`",
            promised(spec),
        ]
        for spec in REGISTRY.values()
    ]
