"""What was done to dead things, by whom: written before it is done, so that nothing vanishes without a trace."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    database.execute(
        """
        INSERT INTO tds.operations (operator, operation, subject, entity, ids, reason, trace_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (done.operator, done.operation, done.subject, done.entity, list(done.ids), done.reason, done.trace_id),
    )
