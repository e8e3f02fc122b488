"""The ids to fetch: requested by whoever misses a document, leased and removed by the drain.

A request for an id already there raises its priority and brings its `not_before` forward; while the id is being fetched
it also sets `requested_at` to now. A fetch removes the row only if it began after `requested_at` and its lease is still
its own, so a request made while its fetch is in flight is never lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from psycopg import Connection, sql

from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.entities.spec import EntitySpec
from tds_core.lossless_json import dumps
from tds_core.priority import Priority

MAX_ATTEMPTS = 6
MAX_LAGS = 3
_BACKOFF_LIMIT = timedelta(hours=6)
_DOUBT_LIMIT = timedelta(minutes=10)
_PARKED_RETRY = timedelta(days=1)
_DOUBLINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Ids of one entity that this worker alone may fetch until the lease runs out.

    `forced` are those to be written even if nothing seems to differ, with the time at which that was asked for.
    """

    entity: str
    ids: Sequence[str]
    token: UUID
    priority: Priority
    forced: Mapping[str, datetime] = field(default_factory=dict)


def request(
    connection: Connection,
    entity: str,
    ids: Iterable[str],
    *,
    priority: Priority,
    cause: str,
    hold_s: float = 0,
    forced: bool = False,
) -> None:
    """Ask for documents, in the caller's transaction. An id is parked no longer when somebody asks for it again.

    What is `forced` will be written even if nothing seems to differ, whoever else asks for it and how urgently.
    A row that nobody is fetching and that already asks as urgently stays as it is: it is locked until this transaction
    ends, so whoever takes it does so afterwards.
    """
    connection.execute(
        """
        INSERT INTO tds.backlog AS b (entity, id, priority, cause, not_before, forced_at)
        SELECT %(entity)s, id, %(priority)s, %(cause)s, now() + %(hold)s, CASE WHEN %(forced)s THEN now() END
        FROM json_array_elements_text(%(ids)s::json) AS id ORDER BY id
        ON CONFLICT (entity, id) DO UPDATE SET
            requested_at = greatest(b.requested_at, excluded.requested_at),
            priority = least(b.priority, excluded.priority),
            cause = CASE WHEN excluded.priority < b.priority THEN excluded.cause ELSE b.cause END,
            not_before = least(b.not_before, excluded.not_before),
            forced_at = greatest(b.forced_at, excluded.forced_at),
            parked_at = NULL,
            attempts = CASE WHEN b.parked_at IS NULL THEN b.attempts ELSE 0 END,
            lags = CASE WHEN b.parked_at IS NULL THEN b.lags ELSE 0 END
        WHERE b.lease IS NOT NULL OR b.parked_at IS NOT NULL
            OR excluded.priority < b.priority OR excluded.not_before < b.not_before
            OR (excluded.forced_at IS NOT NULL AND b.forced_at IS NULL)
        """,
        {
            "entity": entity,
            "ids": dumps(sorted(set(ids))),
            "priority": priority,
            "cause": cause,
            "hold": timedelta(seconds=hold_s),
            "forced": forced,
        },
    )


def lease(
    database: Database, *, sizes: Mapping[str, int], duration_s: float, down_to: Priority = Priority.IMAGES
) -> Lease | None:
    """Take the most urgent due ids of one entity, at most `sizes[entity]`: within a priority the newest request first.

    Of a history the entities come in the order of `sizes`: what all others name before tens of thousands of documents.
    What is less urgent than `down_to` is left alone.
    Committed before any call to Zoho is made. None when nothing is due.
    """
    token = uuid4()
    rows = database.execute(
        """
        WITH head AS MATERIALIZED (
            SELECT s.entity, s.size, first.priority
            FROM unnest(%(entities)s::text[], %(sizes)s::int[]) WITH ORDINALITY AS s (entity, size, place)
            CROSS JOIN LATERAL (
                SELECT b.priority, b.requested_at FROM tds.backlog AS b
                WHERE b.entity = s.entity AND b.priority <= %(down_to)s AND b.not_before <= now()
                    AND (b.leased_until IS NULL OR b.leased_until < now())
                ORDER BY b.priority, b.requested_at DESC, b.id DESC LIMIT 1
            ) AS first
            ORDER BY first.priority, CASE WHEN first.priority = %(history)s THEN s.place END, first.requested_at DESC
            LIMIT 1
        ), due AS (
            SELECT b.entity, b.id FROM tds.backlog AS b
            WHERE b.entity = (SELECT entity FROM head) AND b.priority = (SELECT priority FROM head)
                AND b.not_before <= now() AND (b.leased_until IS NULL OR b.leased_until < now())
            ORDER BY b.requested_at DESC, b.id DESC LIMIT (SELECT size FROM head)
            FOR UPDATE OF b SKIP LOCKED
        )
        UPDATE tds.backlog AS b SET lease = %(token)s, leased_until = now() + %(duration)s
        FROM due WHERE b.entity = due.entity AND b.id = due.id
        RETURNING b.entity, b.id, b.priority, b.forced_at
        """,
        {
            "entities": list(sizes),
            "sizes": list(sizes.values()),
            "history": int(Priority.BACKFILL),
            "down_to": int(down_to),
            "token": token,
            "duration": timedelta(seconds=duration_s),
        },
    )
    if not rows:
        return None
    priority = Priority(min(row[2] for row in rows))
    return Lease(
        entity=rows[0][0],
        ids=sorted(row[1] for row in rows),
        token=token,
        priority=priority,
        forced={row[1]: row[3] for row in rows if row[3] is not None},
    )


def finish(connection: Connection, held: Lease, began: Mapping[str, datetime]) -> None:
    """Remove what was fetched, unless it was requested again after its fetch began; then only free it.

    A force that this lease did not know of was not obeyed, so it stays, and its row with it. Zoho answered: whatever
    was said of the row before counts no more.
    """
    ids = list(began)
    values = _of(held, ids) | {"times": list(began.values()), "forced": [held.forced.get(one) for one in ids]}
    connection.execute(
        """
        DELETE FROM tds.backlog AS b USING unnest(
            %(ids)s::text[], %(times)s::timestamptz[], %(forced)s::timestamptz[]) AS f (id, began_at, forced_at)
        WHERE b.entity = %(entity)s AND b.id = f.id AND b.lease = %(token)s AND b.requested_at < f.began_at
            AND b.forced_at IS NOT DISTINCT FROM f.forced_at
        """,
        values,
    )
    connection.execute(
        """
        UPDATE tds.backlog AS b SET lease = NULL, leased_until = NULL, forced_at = nullif(b.forced_at, f.forced_at),
            reason = NULL, attempts = 0, lags = 0, doubts = 0
        FROM unnest(%(ids)s::text[], %(forced)s::timestamptz[]) AS f (id, forced_at)
        WHERE b.entity = %(entity)s AND b.id = f.id AND b.lease = %(token)s
        """,
        values,
    )


def postpone(connection: Connection, held: Lease, ids: Sequence[str], *, delay_s: float, reason: str) -> None:
    """Try again after a growing delay; after the last attempt park the row with its reason, to be retried daily."""
    connection.execute(
        """
        UPDATE tds.backlog SET
            attempts = attempts + 1, lease = NULL, leased_until = NULL, reason = %(reason)s,
            parked_at = CASE WHEN attempts + 1 >= %(max)s THEN coalesce(parked_at, now()) END,
            not_before = now() + CASE WHEN attempts + 1 >= %(max)s THEN %(parked)s
                ELSE least(%(delay)s * power(2, attempts), %(limit)s) END
        WHERE entity = %(entity)s AND id = ANY(%(ids)s) AND lease = %(token)s
        """,
        _of(held, ids)
        | {
            "delay": timedelta(seconds=delay_s),
            "limit": _BACKOFF_LIMIT,
            "max": MAX_ATTEMPTS,
            "parked": _PARKED_RETRY,
            "reason": reason,
        },
    )


def park(connection: Connection, held: Lease, ids: Sequence[str], *, delay_s: float, reason: str) -> None:
    """Give it up for now, without more attempts: each look after it comes twice as late as the one before it."""
    connection.execute(
        """
        UPDATE tds.backlog SET
            attempts = attempts + 1, lease = NULL, leased_until = NULL, reason = %(reason)s,
            parked_at = coalesce(parked_at, now()),
            not_before = now() + %(delay)s * power(2, least(attempts, %(doublings)s))
        WHERE entity = %(entity)s AND id = ANY(%(ids)s) AND lease = %(token)s
        """,
        _of(held, ids) | {"delay": timedelta(seconds=delay_s), "doublings": _DOUBLINGS, "reason": reason},
    )


def await_replica(connection: Connection, held: Lease, ids: Sequence[str], *, delay_s: float) -> None:
    """Ask again soon for what Zoho showed in an older state than the mirror holds; park it after three times."""
    connection.execute(
        """
        UPDATE tds.backlog SET
            lags = lags + 1, lease = NULL, leased_until = NULL, reason = 'ZohoLagging',
            parked_at = CASE WHEN lags + 1 >= %(max)s THEN coalesce(parked_at, now()) END,
            not_before = now() + CASE WHEN lags + 1 >= %(max)s THEN %(parked)s ELSE %(delay)s END
        WHERE entity = %(entity)s AND id = ANY(%(ids)s) AND lease = %(token)s
        """,
        _of(held, ids) | {"delay": timedelta(seconds=delay_s), "max": MAX_LAGS, "parked": _PARKED_RETRY},
    )


def hold(connection: Connection, held: Lease, ids: Sequence[str], *, delay_s: float) -> None:
    """Keep what its own fetch asked for again, for a while: the same call at once would decide nothing more.

    What each fetch asks for again comes later each time; somebody else's request may be behind it, so not much later.
    """
    connection.execute(
        """
        UPDATE tds.backlog SET
            doubts = doubts + 1, lease = NULL, leased_until = NULL,
            not_before = now() + least(%(delay)s * power(2, least(doubts, %(doublings)s)), %(limit)s)
        WHERE entity = %(entity)s AND id = ANY(%(ids)s) AND lease = %(token)s
        """,
        _of(held, ids) | {"delay": timedelta(seconds=delay_s), "doublings": _DOUBLINGS, "limit": _DOUBT_LIMIT},
    )


def release(connection: Connection, held: Lease, ids: Sequence[str], *, delay_s: float = 0) -> None:
    """Give ids back, for a while; no attempt is counted, because Zoho was not asked or did not listen."""
    connection.execute(
        """
        UPDATE tds.backlog SET lease = NULL, leased_until = NULL, not_before = greatest(not_before, now() + %(delay)s)
        WHERE entity = %(entity)s AND id = ANY(%(ids)s) AND lease = %(token)s
        """,
        _of(held, ids) | {"delay": timedelta(seconds=delay_s)},
    )


def held_count(database: Database, entity: str) -> int:
    """How many ids of an entity somebody is at work on."""
    query = "SELECT count(*) FROM tds.backlog WHERE entity = %s AND leased_until >= now()"
    return int(database.execute(query, (entity,))[0][0])


def lost(connection: Connection, entity: str) -> list[Lease]:
    """The entity's leases that ran out without a word of what became of their ids."""
    rows = connection.execute(
        """
        SELECT lease, priority, array_agg(id ORDER BY id) FROM tds.backlog
        WHERE entity = %s AND lease IS NOT NULL AND leased_until < now() GROUP BY lease, priority
        """,
        (entity,),
    ).fetchall()
    return [Lease(entity=entity, ids=ids, token=token, priority=Priority(priority)) for token, priority, ids in rows]


def still_held(database: Database, held: Lease) -> list[str]:
    """Those of the lease's ids that are still its own."""
    rows = database.execute(
        "SELECT id FROM tds.backlog WHERE entity = %(entity)s AND id = ANY(%(ids)s) AND lease = %(token)s ORDER BY id",
        _of(held, held.ids),
    )
    return [document_id for (document_id,) in rows]


def _of(held: Lease, ids: Sequence[str]) -> dict[str, object]:
    return {"entity": held.entity, "ids": list(ids), "token": held.token}


def request_anew(connection: Connection, spec: EntitySpec, *, priority: Priority) -> None:
    """Ask anew for all live documents, or for those that the spec has refetched; what waits already is left alone."""
    only = spec.refetch_only
    recent = sql.SQL("m.{} >= current_date - %s").format(sql.Identifier(only.date_column)) if only else sql.SQL("true")
    query = sql.SQL(
        """
        SELECT m.{key} FROM {mirror} AS m LEFT JOIN tds.backlog AS b ON b.entity = %s AND b.id = m.{key}
        WHERE m.deleted_at IS NULL AND m.detail_observed_at IS NOT NULL AND b.id IS NULL AND {recent}
        """
    ).format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table), recent=recent)
    rows = connection.execute(query, (spec.name, *([only.days] if only else []))).fetchall()
    if rows:
        request(connection, spec.name, [row[0] for row in rows], priority=priority, cause="age")


def due_in_s(database: Database, *, patience_s: float = 0, down_to: Priority = Priority.IMAGES) -> float | None:
    """Seconds until something of a known entity is due that nobody holds; None if that is too long to wait for.

    Nothing less urgent than `down_to` counts, only a webhook's is waited for. Unknown entities are a newer version's.
    """
    rows = database.execute(
        """
        SELECT extract(epoch FROM min(greatest(not_before - now(), interval '0')))::float8 FROM tds.backlog
        WHERE entity = ANY(%s) AND priority <= %s AND (leased_until IS NULL OR leased_until < now())
            AND not_before <= now() + CASE WHEN priority = %s THEN %s ELSE interval '0' END
        """,
        (list(REGISTRY), down_to, Priority.WEBHOOK, timedelta(seconds=patience_s)),
    )
    wait_s: float | None = rows[0][0]
    return wait_s
