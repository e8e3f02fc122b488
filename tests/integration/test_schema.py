"""The migrations make the tables that the entity models describe."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tds_core.database import images
from tds_core.entities import REGISTRY
from tds_core.entities.model import Element
from tds_core.entities.spec import ChildTable, EntitySpec

Connection = psycopg.Connection[Any]
ENTITIES = pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))
CHILDREN = {child.table: (spec, child) for spec in REGISTRY.values() for child in spec.children}
EACH_CHILD = pytest.mark.parametrize(("spec", "child"), CHILDREN.values(), ids=list(CHILDREN))

TRACKS = {
    "zoho": "jsonb",
    "observed_at": "timestamptz",
    "observed_by": "text",
    "list_hash": "bytea",
    "detail_version": "timestamptz",
    "detail_observed_at": "timestamptz",
    "detail_observed_by": "text",
    "content_hash": "bytea",
    "synced_at": "timestamptz",
    "deleted_at": "timestamptz",
}
# columns that no source of the mirror names: they are another function's
OWNED = {"products": {"image_url": "text"}}
IMAGES = {
    "product_id": "text",
    "image_document_id": "text",
    "sha256": "text",
    "source_type": "text",
    "source_bytes": "int4",
    "bytes": "int4",
    "thumbnail_bytes": "int4",
    "width": "int4",
    "height": "int4",
    "stored_at": "timestamptz",
}
TYPES = {
    str: "text",
    Decimal: "numeric",
    int: "int4",
    bool: "bool",
    date: "date",
    datetime: "timestamptz",
    list: "jsonb",
    dict: "jsonb",
}


@pytest.fixture
def owner(owner_conninfo: str) -> Iterator[Connection]:
    with psycopg.connect(owner_conninfo) as connection:
        yield connection


def fitting(model: type[Element]) -> dict[str, str]:
    """The PostgreSQL type that fits each field."""
    types = {}
    for name, info in model.model_fields.items():
        kind = next(part for part in (*get_args(info.annotation), info.annotation) if part is not type(None))
        types[name] = TYPES[getattr(kind, "__origin__", None) or kind]
    return types


def rows(connection: Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters).fetchall()


def columns_of(connection: Connection, table: str) -> dict[str, str]:
    query = (
        "SELECT column_name, udt_name FROM information_schema.columns WHERE table_schema = 'erp' AND table_name = %s"
    )
    return dict(rows(connection, query, table))


def required_of(connection: Connection, table: str) -> set[str]:
    query = """
        SELECT column_name FROM information_schema.columns
        WHERE table_schema = 'erp' AND table_name = %s AND is_nullable = 'NO'
        """
    return {name for (name,) in rows(connection, query, table)}


def primary_key_of(connection: Connection, table: str) -> Sequence[str]:
    query = """
        SELECT a.attname FROM pg_index AS i
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE i.indrelid = ('erp.' || %s)::regclass AND i.indisprimary ORDER BY k.position
        """
    return [name for (name,) in rows(connection, query, table)]


@ENTITIES
def test_mirror_table_has_the_models_columns_and_the_tracks(owner: Connection, spec: EntitySpec) -> None:
    assert columns_of(owner, spec.table) == fitting(spec.model) | TRACKS | OWNED.get(spec.table, {})


@ENTITIES
def test_what_another_function_owns_is_no_column_of_the_mirror(spec: EntitySpec) -> None:
    assert not OWNED.get(spec.table, {}).keys() & spec.model.model_fields.keys()


def test_images_have_a_table_of_their_own(owner: Connection) -> None:
    assert columns_of(owner, images.ENTITY) == IMAGES
    assert primary_key_of(owner, images.ENTITY) == ["product_id"]
    assert {field.name for field in fields(images.Stored)} == IMAGES.keys() - {"product_id", "stored_at"}


@EACH_CHILD
def test_child_table_has_the_models_columns(owner: Connection, spec: EntitySpec, child: ChildTable) -> None:
    assert columns_of(owner, child.table) == fitting(child.model) | {spec.key: "text"}


@ENTITIES
def test_only_the_key_of_a_record_is_required(owner: Connection, spec: EntitySpec) -> None:
    assert primary_key_of(owner, spec.table) == [spec.key]
    assert required_of(owner, spec.table) == {spec.key}


@EACH_CHILD
def test_only_the_keys_of_a_child_are_required(owner: Connection, spec: EntitySpec, child: ChildTable) -> None:
    assert primary_key_of(owner, child.table) == [spec.key, child.key]
    assert required_of(owner, child.table) == {spec.key, child.key}


def test_erp_holds_the_registrys_tables_and_no_foreign_key(owner: Connection) -> None:
    tables = rows(owner, "SELECT relname FROM pg_class WHERE relnamespace = 'erp'::regnamespace AND relkind = 'r'")
    foreign = "SELECT conname FROM pg_constraint WHERE connamespace = 'erp'::regnamespace AND contype = 'f'"
    assert {name for (name,) in tables} == {
        images.ENTITY,
        *(table for spec in REGISTRY.values() for table in spec.tables),
    }
    assert rows(owner, foreign) == []


@ENTITIES
def test_people_see_live_rows_only(owner: Connection, spec: EntitySpec) -> None:
    table, key = sql.Identifier("erp", spec.table), sql.Identifier(spec.key)
    owner.execute(sql.SQL("INSERT INTO {} ({}, deleted_at) VALUES ('1', NULL), ('2', now())").format(table, key))
    owner.execute("SET ROLE erp_reader")
    assert owner.execute(sql.SQL("SELECT {} FROM {}").format(key, table)).fetchall() == [("1",)]
    for child in spec.children:
        owner.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier("erp", child.table)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(sql.SQL("DELETE FROM {}").format(table))


# numbered documents with lines have a view of them
VIEWS = {
    f"{spec.table.removesuffix('s')}_lines": (spec.name, spec.key, spec.critical[0])
    for spec in REGISTRY.values()
    if "line_items" in spec.model.model_fields and spec.critical[0].endswith("_number")
}


def test_no_other_views_of_lines_are_there(owner: Connection) -> None:
    views = rows(owner, "SELECT relname FROM pg_class WHERE relnamespace = 'erp'::regnamespace AND relkind = 'v'")
    assert {name for (name,) in views if name.endswith("_lines")} == set(VIEWS)


def with_lines(connection: Connection, table: str, document_id: str, lines: Any, *, deleted: bool = False) -> None:
    spec = REGISTRY[table]
    number = VIEWS[next(view for view, (owner, *_) in VIEWS.items() if owner == table)][2]
    query = """
        INSERT INTO {} ({}, {}, line_items, deleted_at)
        VALUES (%s, 'NO-' || %s::text, %s, CASE WHEN %s THEN now() END)
        """
    names = (sql.Identifier("erp", spec.table), sql.Identifier(spec.key), sql.Identifier(number))
    parameters = (document_id, document_id, None if lines is None else Jsonb(lines), deleted)
    connection.execute(sql.SQL(query).format(*names), parameters)


@pytest.mark.parametrize("role", ["erp_reader", "tds_app"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_each_line_of_live_documents(owner: Connection, view: str, role: str) -> None:
    table, key, number = VIEWS[view]
    first = {"line_item_id": "7", "item_id": "5", "name": "كيبل", "quantity": 2.5, "rate": 0.055, "item_total": 0.1375}
    second = {"line_item_id": "8", "item_id": "", "name": "", "quantity": "", "rate": "3.10", "tax_percentage": "5%"}
    with_lines(owner, table, "1", [first, second])
    with_lines(owner, table, "2", [])
    with_lines(owner, table, "3", None)
    with_lines(owner, table, "4", [first], deleted=True)
    owner.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    query = """
        SELECT {}, line_number, line_item_id, product_id, name, quantity, rate, tax_percentage, item_total
        FROM {} ORDER BY {}, line_number
        """
    names = (sql.Identifier(number), sql.Identifier("erp", view), sql.Identifier(key))
    assert owner.execute(sql.SQL(query).format(*names)).fetchall() == [
        ("NO-1", 1, "7", "5", "كيبل", Decimal("2.5"), Decimal("0.055"), None, Decimal("0.1375")),
        ("NO-1", 2, "8", None, None, None, Decimal("3.10"), None, None),
    ]
