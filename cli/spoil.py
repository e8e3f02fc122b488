"""Spoil a mirror on purpose, so that a verification has something to find; for the demo's own database only."""

import psycopg
from psycopg import sql

# what happens to one live record each: lost, changed, edited beneath its document, moved, deleted by mistake, invented
_DAMAGES = (
    ("payments", "payment_id", "DELETE FROM erp.payments WHERE payment_id = {id}"),
    ("invoices", "invoice_id", "UPDATE erp.invoices SET total = total + 0.01 WHERE invoice_id = {id}"),
    ("bills", "bill_id", "UPDATE erp.bills SET line_items = '[]' WHERE bill_id = {id}"),
    ("customers", "customer_id", "UPDATE erp.customers SET contact_persons = NULL WHERE customer_id = {id}"),
    ("products", "product_id", "UPDATE erp.stock_levels SET stock_on_hand = 99999 WHERE product_id = {id}"),
    ("sales_orders", "salesorder_id", "UPDATE erp.sales_orders SET deleted_at = now() WHERE salesorder_id = {id}"),
    ("credit_notes", "creditnote_id", "INSERT INTO erp.credit_notes (creditnote_id, total) VALUES ('9' || {id}, 1)"),
)


def spoil(dsn: str, *, each: int) -> int:
    """Do each damage to so many records; returns how many are wrong now."""
    wrong = 0
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        for table, key, statement in _DAMAGES:
            victims = connection.execute(
                sql.SQL(
                    "SELECT {key} FROM {table} WHERE deleted_at IS NULL AND jsonb_array_length({full}) > 0"
                    # what Zoho has changed just now is in motion, and may differ for that reason
                    " AND coalesce(last_modified_time, '-infinity') < now() - interval '1 hour' LIMIT %s"
                ).format(
                    key=sql.Identifier(key),
                    table=sql.Identifier("erp", table),
                    # only of a record that has it can it be taken away
                    full=sql.SQL(
                        {"bills": "line_items", "customers": "contact_persons", "products": "zoho -> 'locations'"}.get(
                            table, "'[1]'::jsonb"
                        )
                    ),
                ),
                (each,),
            ).fetchall()
            for (victim,) in victims:
                connection.execute(sql.SQL(statement).format(id=sql.Literal(victim)))
                wrong += 1
    return wrong
