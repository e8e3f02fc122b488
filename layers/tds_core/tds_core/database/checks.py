"""What verification found, for people: the newest report and the differences that are still there."""

from typing import Any

from tds_core.database.connection import Database


def newest(database: Database) -> dict[str, Any]:
    """The newest run that has ended with its report, and whether another one waits or is under way."""
    rows = database.execute(
        """
        SELECT run_id, cause, started_at, ended_at, zoho_calls, report FROM tds.verifications
        WHERE ended_at IS NOT NULL ORDER BY run_id DESC LIMIT 1
        """
    )
    names = ("run_id", "cause", "started_at", "ended_at", "zoho_calls", "report")
    running = database.execute(
        "SELECT EXISTS (SELECT FROM tds.verifications WHERE ended_at IS NULL AND requested_at <= clock_timestamp())"
    )[0][0]
    return {"ended": dict(zip(names, rows[0], strict=True)) if rows else None, "is_running": running}


def differences(database: Database, *, limit: int) -> list[dict[str, Any]]:
    """The newest differences that were confirmed, with both values; those that are not healed come first."""
    rows = database.execute(
        """
        SELECT entity, id, kind, field, erp_value, zoho_value, suspected_at, healed_at, how FROM tds.drift
        WHERE status = 'confirmed' AND (run_id = (
            SELECT max(run_id) FROM tds.verifications WHERE ended_at IS NOT NULL) OR healed_at IS NULL)
        ORDER BY healed_at IS NOT NULL, suspected_at DESC, entity, id, field LIMIT %s
        """,
        (limit,),
    )
    names = ("entity", "id", "kind", "field", "erp", "zoho", "suspected_at", "healed_at", "how")
    return [dict(zip(names, row, strict=True)) for row in rows]


def hours(database: Database, *, number: int) -> list[dict[str, Any]]:
    """The last hours, the oldest first: webhooks, how long those applied at once took from receipt to row, changes."""
    rows = database.execute(
        """
        SELECT h.at, count(c.at) FILTER (WHERE c.source = 'webhook'),
            percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM c.at - c.observed_at)::float8)
                FILTER (WHERE c.source = 'webhook' AND c.outcome NOT IN ('requested', 'tie', 'rejected')),
            count(c.at) FILTER (WHERE c.outcome IN ('created', 'updated', 'deleted', 'restored'))
        FROM generate_series(1, %(number)s) AS n,
            LATERAL (SELECT date_trunc('hour', now()) - make_interval(hours => %(number)s - n)) AS h (at)
        LEFT JOIN tds.change_log AS c ON c.at >= h.at AND c.at < h.at + interval '1 hour'
            AND c.at >= date_trunc('hour', now()) - make_interval(hours => %(number)s)
        GROUP BY h.at ORDER BY h.at
        """,
        {"number": number},
    )
    return [{"at": at, "webhooks": webhooks, "p99_s": p99, "changes": changes} for at, webhooks, p99, changes in rows]
