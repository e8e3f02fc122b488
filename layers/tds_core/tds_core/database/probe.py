"""A webhook that proves the road from the API to the row, and leaves no trace: an invoice with an impossible id."""

from typing import Any

from psycopg import sql

from tds_core.database.connection import Database

PROBE_ID = "1"


def document() -> dict[str, Any]:
    """The body of the probe webhook, for the module invoices."""
    return {
        "invoice": {
            "invoice_id": PROBE_ID,
            "invoice_number": "TDS-PROBE",
            "customer_id": "",
            "date": "",
            "status": "void",
            "line_items": [],
            "sub_total": 0,
            "total": 0,
            "balance": 0,
        }
    }


def take_away(database: Database) -> bool:
    """Remove the probe's row with its story; returns whether it was there."""
    with database.transaction() as connection:
        rows = connection.execute("DELETE FROM erp.invoices WHERE invoice_id = %s RETURNING 1", (PROBE_ID,)).fetchall()
        for table in ("change_log", "backlog", "outbox", "revisions"):
            query = sql.SQL("DELETE FROM tds.{} WHERE entity = 'invoices' AND id = %s").format(sql.Identifier(table))
            connection.execute(query, (PROBE_ID,))
    return bool(rows)
