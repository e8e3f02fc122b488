"""The change log: one row per outcome of every webhook and fetch, so that each record's story can be told."""

from collections.abc import Iterable

from psycopg import Connection

from tds_core.database.candidates import Result
from tds_core.database.ordering import Kind, Outcome


def record(connection: Connection, entity: str, results: Iterable[Result]) -> None:
    """Write the outcomes down, except list rows that showed nothing new."""
    told = [
        result
        for result in results
        if not (result.candidate.observation.kind is Kind.LIST_ROW and result.outcome is Outcome.UNCHANGED)
    ]
    if not told:
        return
    connection.execute(
        """
        INSERT INTO tds.change_log (entity, id, outcome, kind, source, observed_at, version, trace_id, webhook,
            reason)
        SELECT %s, t.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
            %s::timestamptz[], %s::text[], %s::text[], %s::text[]) AS t
        """,
        (
            entity,
            [result.candidate.id for result in told],
            [result.outcome.value for result in told],
            [result.candidate.observation.kind.value for result in told],
            [result.candidate.source for result in told],
            [result.candidate.observation.observed.at for result in told],
            [result.candidate.observation.version for result in told],
            [result.candidate.trace_id or None for result in told],
            [result.candidate.webhook or None for result in told],
            [result.reason for result in told],
        ),
    )
