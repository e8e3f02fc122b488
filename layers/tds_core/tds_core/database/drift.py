"""Differences from their suspicion to their end: confirmed by a fetch, healed by it, or dismissed.

A suspicion is not called drift before Zoho was asked for the record itself: lists lag behind, and records change while
they are compared. Nothing here decides what Zoho says: the drain fetches and applies, and this reads what became of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from tds_core.database import backlog, excuses
from tds_core.database.comparison import compared_columns, typed
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, entity
from tds_core.entities.spec import EntitySpec
from tds_core.priority import Priority

UNCONFIRMED = "DeletionUnconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that stands otherwise in the mirror than it should; `expected` is what the stored document says."""

    id: str
    field: str
    erp: Any
    expected: Any


def record_local(connection: Connection, run_id: int, spec: EntitySpec, found: Iterable[Difference]) -> None:
    """Keep what the mirror's own document proves: certain at once, because nobody has to be asked."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value, status)
            VALUES (%s, %s, %s, 'local', %s, %s, %s, 'confirmed') ON CONFLICT DO NOTHING
            """,
            [(run_id, spec.name, one.id, one.field, Jsonb(one.erp), Jsonb(one.expected)) for one in found],
        )


def suspected(database: Database, run_id: int, spec: EntitySpec, ids: Sequence[str]) -> set[str]:
    """Those of the ids of which a column is suspected to differ from the list."""
    query = """
        SELECT DISTINCT id FROM tds.drift
        WHERE run_id = %s AND entity = %s AND kind = 'mismatched' AND id = ANY(%s)
    """
    return {one for (one,) in database.execute(query, (run_id, spec.name, list(ids)))}


def watch(connection: Connection, run_id: int, spec: EntitySpec, ids: Sequence[str]) -> None:
    """Note the documents that are fetched anew for their age, so that a change nobody announced is seen."""
    query = sql.SQL(
        """
        INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value)
        SELECT %s, %s, m.{key}, 'unannounced', '', {state} FROM {mirror} AS m WHERE m.{key} = ANY(%s)
        ON CONFLICT DO NOTHING
        """
    ).format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table), state=_STATE)
    connection.execute(query, (run_id, spec.name, list(ids)))


def request(connection: Connection, run_id: int, spec: EntitySpec) -> int:
    """Have everything open of an entity fetched; how many ids.

    What may be wrong is written even where nothing seems to differ; what is only old is not.
    """
    rows = connection.execute(
        """
        SELECT id, bool_or(kind <> 'unannounced') FROM tds.drift
        WHERE run_id = %s AND entity = %s AND how IS NULL GROUP BY id
        """,
        (run_id, spec.name),
    ).fetchall()
    for forced in (True, False):
        ids = [document_id for document_id, is_doubted in rows if is_doubted is forced]
        if ids:
            priority, cause = Priority.VERIFICATION, "verification"
            backlog.request(connection, spec.name, ids, priority=priority, cause=cause, forced=forced)
    return len(rows)


def open_ids(database: Database, run_id: int) -> dict[str, list[str]]:
    """The ids whose suspicion is still to be confirmed or dismissed, by entity."""
    rows = database.execute(
        """
        SELECT entity, array_agg(DISTINCT id ORDER BY id) FROM tds.drift
        WHERE run_id = %s AND how IS NULL AND status = 'suspected' GROUP BY entity
        """,
        (run_id,),
    )
    found: dict[str, list[str]] = dict(rows)
    return {name: found[name] for name in REGISTRY if name in found}


def open_entities(database: Database, run_id: int) -> list[str]:
    """The entities of which something is still open."""
    query = "SELECT DISTINCT entity FROM tds.drift WHERE run_id = %s AND how IS NULL"
    found = {row[0] for row in database.execute(query, (run_id,))}
    return [name for name in REGISTRY if name in found]


def settle(connection: Connection, run_id: int, spec: EntitySpec, *, margin_s: float) -> None:
    """Close what was fetched since it was suspected, and what cannot be fetched, by what the mirror holds now.

    Then set both sides right where the list was behind, and dismiss what moved for a reason that the mirror knows.
    """
    parameters = {"run": run_id, "entity": spec.name, "unconfirmed": f"{UNCONFIRMED}%"}
    connection.execute(_settle_query(spec.name), parameters)
    excuses.announced(connection, run_id, spec, margin_s=margin_s)
    excuses.touched(connection, run_id, spec, margin_s=margin_s)
    excuses.correct(connection, run_id, spec)


def judge(
    connection: Connection,
    run_id: int,
    spec: EntitySpec,
    fetched: Mapping[str, Mapping[str, Any] | None],
    *,
    margin_s: float,
) -> None:
    """Close suspicions by what a fetch showed that is not applied: the document's columns, or None for a record gone.

    A confirmed one is not healed; what a webhook announced since its suspicion is dismissed.
    """
    told = [{"id": id, "columns": columns} for id, columns in fetched.items()]
    connection.execute(_judge_query(spec.name), {"run": run_id, "entity": spec.name, "told": Jsonb(told)})
    excuses.announced(connection, run_id, spec, margin_s=margin_s)
    excuses.correct(connection, run_id, spec)


def leave(connection: Connection, run_id: int, reason: str, *, ids: Sequence[str] | None = None) -> None:
    """End what is still open, or of it these ids, as it is: not equal, not healed."""
    connection.execute(
        """
        UPDATE tds.drift SET how = %(how)s
        WHERE run_id = %(run)s AND how IS NULL AND (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s))
        """,
        {"how": reason, "run": run_id, "ids": None if ids is None else list(ids)},
    )


# what tells that a document was changed: its content, and the version that Zoho gave it
_STATE = sql.SQL("jsonb_build_object('content', encode(m.content_hash, 'hex'), 'version', m.detail_version)")


@lru_cache
def _settle_query(name: str) -> sql.Composed:
    spec = entity(name)
    return sql.SQL(
        """
        WITH open AS (
            SELECT d.id, d.kind, d.field, d.erp_value,
                m.{key} IS NOT NULL AND m.deleted_at IS NULL AS is_live,
                coalesce(m.detail_observed_at > d.suspected_at, false) AS is_fetched,
                CASE WHEN b.parked_at IS NOT NULL THEN 'given up: ' WHEN b.id IS NOT NULL THEN 'withheld: ' END
                    || coalesce(b.reason, 'unknown') AS stuck,
                {now} AS now, {state} AS state
            FROM tds.drift AS d
            LEFT JOIN {mirror} AS m ON m.{key} = d.id
            LEFT JOIN tds.backlog AS b ON b.entity = d.entity AND b.id = d.id
            WHERE d.run_id = %(run)s AND d.entity = %(entity)s AND d.how IS NULL
                AND (b.id IS NULL OR b.parked_at IS NOT NULL
                    -- what is due is still to be fetched for this run, whatever was said of it before
                    OR b.reason LIKE %(unconfirmed)s AND b.not_before > now())
        ), judged AS (
            SELECT o.*, CASE
                WHEN stuck IS NOT NULL THEN stuck
                WHEN kind = 'missing' AND NOT is_live THEN 'dismissed: Zoho has it no more'
                WHEN kind IN ('extra', 'local') AND NOT is_live THEN 'deleted'
                WHEN NOT is_live THEN 'dismissed: deleted meanwhile'
                WHEN NOT is_fetched THEN 'not answered'
                WHEN kind IN ('missing', 'local') THEN 'fetched'
                WHEN kind = 'mismatched' AND now -> field <> erp_value THEN 'fetched'
                WHEN kind IN ('extra', 'mismatched') THEN 'dismissed: the list was behind'
                WHEN state -> 'version' = erp_value -> 'version' AND state -> 'content' <> erp_value -> 'content'
                    THEN 'fetched'
                ELSE 'dismissed: as it was, or changed with a version' END AS verdict
            FROM open AS o
        )
        UPDATE tds.drift AS d SET
            status = CASE WHEN j.verdict LIKE 'dismissed: %%' THEN 'dismissed' ELSE 'confirmed' END,
            how = CASE WHEN j.verdict LIKE 'dismissed: %%' THEN substr(j.verdict, 12) ELSE j.verdict END,
            healed_at = CASE WHEN j.verdict IN ('fetched', 'deleted') THEN clock_timestamp() END
        FROM judged AS j
        WHERE d.run_id = %(run)s AND d.entity = %(entity)s AND d.id = j.id AND d.kind = j.kind AND d.field = j.field
        """
    ).format(
        key=sql.Identifier(spec.key),
        mirror=sql.Identifier("erp", spec.table),
        now=typed(spec, compared_columns(spec), "m"),
        state=_STATE,
    )


@lru_cache
def _judge_query(name: str) -> sql.Composed:
    spec = entity(name)
    return sql.SQL(
        """
        WITH told AS (
            SELECT t.value ->> 'id' AS id, t.value -> 'columns' AS columns, {fetched} AS fetched
            FROM jsonb_array_elements(%(told)s::jsonb) AS t
            CROSS JOIN LATERAL jsonb_populate_record(
                NULL::{mirror}, coalesce(nullif(t.value -> 'columns', 'null'), '{{}}')) AS r
        )
        UPDATE tds.drift AS d SET
            status = CASE WHEN j.is_drift THEN 'confirmed' ELSE 'dismissed' END,
            how = CASE WHEN j.is_drift THEN 'confirmed, not to be healed' ELSE 'the list was behind' END
        FROM told AS t
        JOIN tds.drift AS o ON o.run_id = %(run)s AND o.entity = %(entity)s AND o.id = t.id AND o.how IS NULL
            AND o.status = 'suspected'
        CROSS JOIN LATERAL (
            SELECT o.kind, o.field, CASE o.kind
                WHEN 'missing' THEN t.columns <> 'null'
                WHEN 'extra' THEN t.columns = 'null'
                ELSE t.columns <> 'null' AND (NOT t.columns ? o.field OR t.fetched -> o.field <> o.erp_value)
            END AS is_drift
        ) AS j
        WHERE d.run_id = %(run)s AND d.entity = %(entity)s AND d.id = t.id AND d.kind = j.kind AND d.field = j.field
        """
    ).format(mirror=sql.Identifier("erp", spec.table), fetched=typed(spec, compared_columns(spec), "r"))
