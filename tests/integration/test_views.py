"""The views for people: right sums, live rows only, and readable by erp_reader."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from cli.local.zoho_simulator.entities import SPECS, views
from cli.local.zoho_simulator.options import Options
from cli.local.zoho_simulator.world import World
from tds_core import lossless_json
from tds_core.database.candidates import from_document
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.entities import entity
from tds_core.priority import Priority
from tests.zoho_caller import NOON
from tests.zoho_documents import Json, fetched

VIEWS = ("receivables_aged", "payables_aged", "customer_statement", "stock_by_location", "consumer_prices")


def today(database: Database) -> date:
    day: date = database.execute("SELECT erp.today()")[0][0]
    return day


def invoice(database: Database, number: str, *, overdue: int, balance: str = "10", **more: Any) -> None:
    due = today(database) - timedelta(days=overdue)
    values = {"customer_id": "1", "currency": "USD", "status": "sent", "deleted_at": None, "write_off_amount": 0} | more
    database.execute(
        "INSERT INTO erp.invoices (invoice_id, customer_id, currency, status, deleted_at, write_off_amount, due_date, "
        "invoice_date, total, balance) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
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


def test_what_nobody_approved_or_sent_yet_is_owed_by_nobody(database: Database) -> None:
    for number, status in enumerate(("sent", "draft", "void", "pending_approval", "approved", "rejected")):
        invoice(database, str(number), overdue=1, status=status, write_off_amount=1)
    database.execute(
        "INSERT INTO erp.credit_notes (creditnote_id, customer_id, currency, date, total, status)"
        " VALUES ('2', '1', 'USD', erp.today(), 3, 'open'), ('3', '1', 'USD', erp.today(), 3, 'pending_approval')"
    )
    assert database.execute("SELECT sum(invoices), sum(balance) FROM erp.receivables_aged") == [(1, 10)]
    rows = database.execute("SELECT kind, amount, balance FROM erp.customer_statement ORDER BY date, kind")
    assert rows == [("invoice", 10, 10), ("write-off", -1, 9), ("credit note", -3, 6)]


def test_every_customers_statement_ends_at_what_zoho_says_is_owed(database: Database) -> None:
    """Of the company that `make demo` reads: with drafts, advances, refunds of both kinds and write-offs."""
    company = World(Options(size="demo", base_date=date(2026, 3, 2)), SPECS, lambda: NOON)
    for name in ("customers", "invoices", "payments", "credit_notes"):
        mirror(database, company, name)
    kinds: dict[str, int] = dict(database.execute("SELECT kind, count(*) FROM erp.customer_statement GROUP BY 1"))
    assert kinds.keys() == {"invoice", "write-off", "payment", "payment refund", "credit note", "refund"}
    owed = database.execute(
        "SELECT customer_id, currency, outstanding_receivable_amount - unused_credits_receivable_amount"
        " FROM erp.customers"
    )
    stated = database.execute(
        "SELECT customer_id, currency, sum(amount), (array_agg(balance ORDER BY date DESC, kind DESC, id DESC))[1]"
        " FROM erp.customer_statement GROUP BY 1, 2"
    )
    ends = {(customer, currency): last for customer, currency, total, last in stated if total == last}
    assert len(ends) == len(stated)
    assert {key: ends.get(key, Decimal(0)) for key in ((c, currency) for c, currency, _ in owed)} == {
        (customer, currency): amount for customer, currency, amount in owed
    }
    assert ends.keys() <= {(customer, currency) for customer, currency, _ in owed}


def mirror(database: Database, company: World, name: str) -> None:
    """Apply every document of an entity as Zoho shows it."""
    spec, (source, view) = entity(name), views()[name]
    shown = [
        lossless_json.loads(company.document_bytes(source, record, source.home))
        for record in company.table(source).records.values()
        if view.shows(record)
    ]
    for page in batched(shown, 200):
        candidates = [from_document(spec, one, moment=fetched(), source="fetch") for one in page]
        Mirror(database).apply(spec, candidates, priority=Priority.BACKFILL)


def batched(documents: list[Json], size: int) -> Iterator[list[Json]]:
    for first in range(0, len(documents), size):
        yield documents[first : first + size]


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
