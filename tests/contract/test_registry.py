"""The registry, the template, the events and the documents name the same entities, tables and columns."""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tds_core import lossless_json
from tds_core.entities import REGISTRY
from tds_core.entities.model import Element, parse_id
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.settings import snake_case

ROOT = Path(__file__).parents[2]
ENTITIES = pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))
CHILDREN = {child.table: (spec, child) for spec in REGISTRY.values() for child in spec.children}
PRODUCTS = {"books": "Books", "inventory": "Inventory"}


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
    assert not spec.header_columns & spec.detail_columns
    assert spec.zoho_key in spec.document_keys


@ENTITIES
def test_children_speak_of_their_own_columns(spec: EntitySpec) -> None:
    for child in spec.children:
        columns = set(child.model.model_fields)
        assert {child.key, *child.added} <= columns
        assert not child.part or child.part in columns
        assert spec.key not in columns, "the document's key is added to each row"


@ENTITIES
def test_touches_lead_from_the_document_to_known_entities(spec: EntitySpec) -> None:
    document = processor_document(spec)
    for touch in spec.touches:
        assert touch.entity in REGISTRY
        assert touch.path.split("[]")[0].split(".")[0] in document


def test_tables_are_named_once() -> None:
    tables = [*REGISTRY, *CHILDREN]
    assert len(set(tables)) == len(tables) == len(REGISTRY) + sum(len(spec.children) for spec in REGISTRY.values())


def test_template_lists_the_registry() -> None:
    template = (ROOT / "template.yaml").read_text("utf-8")
    listed = re.search(r"^  Entities: &entities \[(.+)\]$", template, re.MULTILINE)
    assert listed is not None
    assert [snake_case(name.strip()) for name in listed[1].split(",")] == list(REGISTRY)
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
    assert all(child.rows(message["document"]) for child in spec.children)


@pytest.mark.parametrize("mode", ["poll", "walk", "drain"])
def test_backfill_event_names_its_mode(mode: str) -> None:
    assert event_of(f"backfill/{mode}.json") == {"mode": mode}


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
    assert documented(spec.name) == {
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
    assert headings == [table for spec in REGISTRY.values() for table in (spec.name, *(c.table for c in spec.children))]


def test_readme_lists_the_registry() -> None:
    rows = [row[:4] for row in table_under("README.md", "Entities")]
    assert rows == [
        [
            f"`{spec.name}`",
            ", ".join(f"`{table}`" for table in (spec.name, *(child.table for child in spec.children))),
            f"{PRODUCTS[spec.product]} `{spec.path}`",
            f"{spec.freshness.total_seconds() / 60:.0f} min",
        ]
        for spec in REGISTRY.values()
    ]
