"""The views for people: right sums, live rows only, and readable by erp_reader."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tds_core.database.connection import Database

VIEWS = ("receivables_aged", "payables_aged", "customer_statement", "stock_by_location", "consumer_prices")


def today(database: Database) -> date:
    day: date = database.execute("SELECT erp.today()")[0][0]
    return day


def invoice(database: Database, number: str, *, overdue: int, balance: str = "10", **more: Any) -> None:
    due = today(database) - timedelta(days=overdue)
    values = {"customer_id": "1", "currency": "USD", "status": "sent", "deleted_at": None} | more
    database.execute(
        "INSERT INTO erp.invoices (invoice_id, customer_id, currency, status, deleted_at, due_date, invoice_date, "
        "total, balance) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (number, *values.values(), due, due, balance, balance),
    )


def test_receivables_are_aged_by_the_organisations_date_and_by_currency(database: Database) -> None:
    for number, overdue in enumerate((-1, 0, 1, 30, 31, 60, 61, 90, 91)):
        invoice(database, str(number), overdue=overdue)
    invoice(database, "90", overdue=5, currency="IQD", balance="0.055")
    invoice(database, "91", overdue=5, status="draft")
    invoice(database, "92", overdue=5, deleted_at="2026-01-01")
    invoice(database, "93", overdue=5, balance="0")
    rows = database.execute("SELECT currency, bucket, invoices, balance FROM erp.receivables_aged")
    assert {row[:3]: row[3] for row in rows} == {
        ("USD", "current", 2): 20,
        ("USD", "1-30", 2): 20,
        ("USD", "31-60", 2): 20,
        ("USD", "61-90", 2): 20,
        ("USD", ">90", 1): 10,
        ("IQD", "1-30", 1): Decimal("0.055"),
    }


def test_a_customers_statement_runs_to_what_is_owed(database: Database) -> None:
    invoice(database, "1", overdue=9, balance="100")
    database.execute(
        "INSERT INTO erp.payments (payment_id, customer_id, currency, payment_date, amount) "
        "VALUES ('2', '1', 'USD', erp.today(), 70), ('3', '1', 'IQD', erp.today(), 5)"
    )
    rows = database.execute("SELECT currency, kind, amount, balance FROM erp.customer_statement ORDER BY 1, date")
    assert rows == [("IQD", "payment", -5, -5), ("USD", "invoice", 100, 100), ("USD", "payment", -70, 30)]


def test_stock_and_prices_show_live_products_only(database: Database) -> None:
    for statement in (
        "INSERT INTO erp.products (product_id, name, deleted_at) VALUES ('1', 'a', NULL), ('2', 'b', now())",
        "INSERT INTO erp.stock_levels (product_id, location_id, stock_on_hand) VALUES ('1', '7', 3), ('2', '7', 4)",
        "INSERT INTO erp.price_lists (pricelist_id, name) VALUES ('5', 'Consumer')",
        "INSERT INTO erp.price_list_items (pricelist_id, product_id, rate) VALUES ('5', '1', 0.055), ('5', '2', 1)",
    ):
        database.execute(statement)
    assert database.execute("SELECT product_id, stock_on_hand FROM erp.stock_by_location") == [("1", 3)]
    assert database.execute("SELECT price_list, product_id, rate FROM erp.consumer_prices") == [
        ("Consumer", "1", Decimal("0.055"))
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_a_reader_may_read_it(owner_conninfo: str, view: str) -> None:
    with psycopg.connect(owner_conninfo) as connection:
        connection.execute("SET ROLE erp_reader")
        connection.execute(f"SELECT * FROM erp.{view}")
