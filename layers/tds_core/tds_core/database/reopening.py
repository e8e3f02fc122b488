"""Let calls go on that an open circuit or a day that counts as used up holds back: a person knows better.

Nothing is forced: what Zoho answers next counts as ever, so failures open the circuit again and code 45 closes the day.
"""

from typing import Any

from psycopg import Connection

from tds_core.database.connection import Database

OPERATION = "reopen"
# as if nothing had been called today: Zoho's next answer tells its limit and what is left of it
_DAY = """
    UPDATE tds.api_budget
    SET since = clock_timestamp(), day_limit = NULL, remaining = NULL, closed = false, probe_at = NULL,
        used = array_fill(0, ARRAY[8])
    WHERE product = %s
"""
_CIRCUIT = """
    UPDATE tds.circuit
    SET state = 'closed', failures = 0, failed_requests = '{}', successes = 0, retry_at = '-infinity',
        changed_at = clock_timestamp()
    WHERE state <> 'closed'
"""


def reopen(connection: Connection[Any], products: list[str]) -> None:
    """Close the circuit and begin these products' day anew, inside the caller's transaction."""
    connection.execute("SELECT FROM tds.circuit FOR UPDATE")  # whoever takes or ends a permit locks it first
    connection.execute(_CIRCUIT)
    for product in products:
        connection.execute(_DAY, (product,))


def newest(database: Database) -> dict[str, Any] | None:
    """Who reopened last, when, and what was held back then; None when nobody did."""
    rows = database.execute(
        "SELECT operator, at, reason FROM tds.operations WHERE operation = %s ORDER BY at DESC LIMIT 1", (OPERATION,)
    )
    return dict(zip(("operator", "at", "reason"), rows[0], strict=True)) if rows else None
