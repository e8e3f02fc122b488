"""The migrations make the tables that the entity models describe."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

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
    assert columns_of(owner, spec.name) == fitting(spec.model) | TRACKS


@EACH_CHILD
def test_child_table_has_the_models_columns(owner: Connection, spec: EntitySpec, child: ChildTable) -> None:
    assert columns_of(owner, child.table) == fitting(child.model) | {spec.key: "text"}


@ENTITIES
def test_only_the_key_of_a_record_is_required(owner: Connection, spec: EntitySpec) -> None:
    assert primary_key_of(owner, spec.name) == [spec.key]
    assert required_of(owner, spec.name) == {spec.key}


@EACH_CHILD
def test_only_the_keys_of_a_child_are_required(owner: Connection, spec: EntitySpec, child: ChildTable) -> None:
    assert primary_key_of(owner, child.table) == [spec.key, child.key]
    assert required_of(owner, child.table) == {spec.key, child.key}


def test_erp_holds_the_registrys_tables_and_no_foreign_key(owner: Connection) -> None:
    tables = rows(owner, "SELECT relname FROM pg_class WHERE relnamespace = 'erp'::regnamespace AND relkind = 'r'")
    foreign = "SELECT conname FROM pg_constraint WHERE connamespace = 'erp'::regnamespace AND contype = 'f'"
    assert {name for (name,) in tables} == REGISTRY.keys() | CHILDREN.keys()
    assert rows(owner, foreign) == []


@ENTITIES
def test_people_see_live_rows_only(owner: Connection, spec: EntitySpec) -> None:
    table, key = sql.Identifier("erp", spec.name), sql.Identifier(spec.key)
    owner.execute(sql.SQL("INSERT INTO {} ({}, deleted_at) VALUES ('1', NULL), ('2', now())").format(table, key))
    owner.execute("SET ROLE erp_reader")
    assert owner.execute(sql.SQL("SELECT {} FROM {}").format(key, table)).fetchall() == [("1",)]
    for child in spec.children:
        owner.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier("erp", child.table)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(sql.SQL("DELETE FROM {}").format(table))


def invoice_with_lines(connection: Connection, invoice_id: str, lines: Any, *, deleted: bool = False) -> None:
    connection.execute(
        """
        INSERT INTO erp.invoices (invoice_id, invoice_number, line_items, deleted_at)
        VALUES (%s, 'INV-' || %s::text, %s, CASE WHEN %s THEN now() END)
        """,
        (invoice_id, invoice_id, None if lines is None else Jsonb(lines), deleted),
    )


@pytest.mark.parametrize("role", ["erp_reader", "tds_app"])
def test_invoice_lines_show_each_line_of_live_invoices(owner: Connection, role: str) -> None:
    first = {"line_item_id": "7", "item_id": "5", "name": "كيبل", "quantity": 2.5, "rate": 0.055, "item_total": 0.1375}
    second = {"line_item_id": "8", "item_id": "", "name": "", "quantity": "", "rate": "3.10", "discount_amount": "5%"}
    invoice_with_lines(owner, "1", [first, second])
    invoice_with_lines(owner, "2", [])
    invoice_with_lines(owner, "3", None)
    invoice_with_lines(owner, "4", [first], deleted=True)
    owner.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    query = """
        SELECT invoice_number, line_number, line_item_id, product_id, name, quantity, rate, discount_amount, item_total
        FROM erp.invoice_lines ORDER BY invoice_id, line_number
        """
    assert rows(owner, query) == [
        ("INV-1", 1, "7", "5", "كيبل", Decimal("2.5"), Decimal("0.055"), None, Decimal("0.1375")),
        ("INV-1", 2, "8", None, None, None, Decimal("3.10"), None, None),
    ]
