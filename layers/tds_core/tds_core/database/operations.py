"""What people did, to dead things above all: written before it is done, or with it, so that all leaves a trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from tds_core.database.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that was done; `operator` is the name that the caller gave, `subject` the dead thing's id."""

    operator: str
    operation: str
    subject: str
    entity: str | None
    ids: Sequence[str]
    reason: str
    trace_id: str | None


def record(database: Database, done: Operation) -> None:
    """Write it down, committed; raises DatabaseUnavailable, and then it must not be done."""
    with database.transaction() as connection:
        write(connection, done)


def write(connection: Connection[Any], done: Operation) -> None:
    """Write it down inside the transaction that does it."""
    connection.execute(
        """
        INSERT INTO tds.operations (operator, operation, subject, entity, ids, reason, trace_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (done.operator, done.operation, done.subject, done.entity, list(done.ids), done.reason, done.trace_id),
    )
