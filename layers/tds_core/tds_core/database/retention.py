"""How long the machinery's tables keep what they hold; tombstones and cursors stay for ever."""

from tds_core.database.connection import Database

# Each statement returns one number, and is bounded, so that no run of housekeeping is a long transaction.
_EXPIRIES = {
    "runs": """
        WITH gone AS (
            DELETE FROM tds.runs WHERE run_id IN (
                SELECT run_id FROM tds.runs WHERE started_at < now() - interval '90 days' ORDER BY started_at LIMIT 5000
            ) RETURNING 1
        ) SELECT count(*) FROM gone
        """,
    "operations": """
        WITH gone AS (
            DELETE FROM tds.operations WHERE operation_id IN (
                SELECT operation_id FROM tds.operations WHERE at < now() - interval '365 days' ORDER BY at LIMIT 5000
            ) RETURNING 1
        ) SELECT count(*) FROM gone
        """,
    # a lower limit of calls in flight leaves slots behind; within a day a late call may still name its slot
    "api_slots": """
        WITH gone AS (
            DELETE FROM tds.api_slots WHERE taken_at < now() - interval '1 day' AND held_until < now() RETURNING 1
        ) SELECT count(*) FROM gone
        """,
    "change_log_partitions": "SELECT tds.retire_change_log()",
}


def expire(database: Database) -> dict[str, int]:
    """Remove what is too old and make the change log's next months; returns how much went, by table.

    Raises DatabaseUnavailable, also when a partition is locked for long: the next run tries again.
    """
    database.execute("SELECT tds.extend_change_log()")
    gone = {name: int(database.execute(statement)[0][0]) for name, statement in _EXPIRIES.items()}
    return {name: count for name, count in gone.items() if count}
