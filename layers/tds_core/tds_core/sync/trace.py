"""One record's story in time order: what was heard, fetched, written and told of it, and what still waits.

Tables are read only, and of each no more than a page's worth. A further source of the story is one more function in
`_SOURCES`.
"""

from collections.abc import Callable
from typing import Any

from psycopg import sql

from tds_core.database.connection import Database
from tds_core.entities.spec import EntitySpec
from tds_core.errors import InvalidId
from tds_core.ids import parse_id

MOST_MATCHES = 20
MOST_ENTRIES = 300
Entry = dict[str, Any]


def trace(database: Database, spec: EntitySpec, text: str) -> dict[str, Any]:
    """The records that `text` names, by id or by number or name in any case; of one alone also its state and story.

    An entry is {"at", "what", ...}; of more than `MOST_ENTRIES` outcomes the newest are told, and `is_cut` says so. An
    id that no row has is told of, too: it may have been deleted or rejected before it ever became one.
    """
    matches = _matches(database, spec, text)
    found = {"entity": spec.name, "matches": matches, "id": None, "record": None, "story": [], "is_cut": False}
    if len(matches) > 1:
        return found
    document_id = str(matches[0]["id"]) if matches else _id(text)
    if document_id is None:
        return found
    entries = [entry for source in _SOURCES for entry in source(database, spec, document_id)]
    outcomes = sum(entry["what"] == "outcome" for entry in entries)
    return found | {
        "id": document_id if matches or entries else None,
        "record": _record(database, spec, document_id),
        "story": sorted(entries, key=lambda entry: entry["at"]),
        "is_cut": outcomes == MOST_ENTRIES,
    }


def _matches(database: Database, spec: EntitySpec, text: str) -> list[Entry]:
    """The rows of that id, number or name, the live ones first."""
    named = [sql.SQL("lower({}) = lower(%(text)s)").format(sql.Identifier(name)) for name in spec.numbers]
    query = sql.SQL(
        "SELECT {key}, {numbers}, deleted_at FROM {mirror} WHERE {key} = %(text)s OR {named}"
        " ORDER BY {key} <> %(text)s, deleted_at IS NOT NULL, {key} LIMIT %(limit)s"
    ).format(
        key=sql.Identifier(spec.key),
        numbers=sql.SQL(", ").join(map(sql.Identifier, spec.numbers)),
        mirror=sql.Identifier("erp", spec.table),
        named=sql.SQL(" OR ").join(named),
    )
    rows = database.execute(query, {"text": text, "limit": MOST_MATCHES})
    return [
        {"id": document_id, **dict(zip(spec.numbers, numbers, strict=True)), "deleted_at": deleted_at}
        for document_id, *numbers, deleted_at in rows
    ]


def _record(database: Database, spec: EntitySpec, document_id: str) -> Entry | None:
    """The row's two tracks as they stand; None where there is no row."""
    names = (
        "last_modified_time",
        "observed_at",
        "observed_by",
        "detail_version",
        "detail_observed_at",
        "detail_observed_by",
        "synced_at",
        "deleted_at",
    )
    query = sql.SQL("SELECT {names} FROM {mirror} WHERE {key} = %s").format(
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        mirror=sql.Identifier("erp", spec.table),
        key=sql.Identifier(spec.key),
    )
    rows = database.execute(query, (document_id,))
    return dict(zip(names, rows[0], strict=True)) if rows else None


def _outcomes(database: Database, spec: EntitySpec, document_id: str) -> list[Entry]:
    """What every webhook and fetch, and every list row that showed something new, came to."""
    names = (
        "at",
        "outcome",
        "kind",
        "source",
        "webhook",
        "observed_at",
        "version",
        "trace_id",
        "reason",
        "changes",
        "sequence",
    )
    rows = database.execute(
        """
        SELECT at, outcome, kind, source, webhook, observed_at, version, trace_id, reason, changes, sequence
        FROM tds.change_log WHERE entity = %s AND id = %s ORDER BY at DESC LIMIT %s
        """,
        (spec.name, document_id, MOST_ENTRIES),
    )
    return [{"what": "outcome", **dict(zip(names, row, strict=True))} for row in reversed(rows)]


def _requests(database: Database, spec: EntitySpec, document_id: str) -> list[Entry]:
    """What the backlog has for it: the request that waits, and why it was given up for now."""
    names = ("at", "priority", "cause", "not_before", "attempts", "lags", "is_leased", "parked_at", "reason")
    rows = database.execute(
        """
        SELECT requested_at, priority, cause, not_before, attempts, lags, leased_until > now(), parked_at, reason
        FROM tds.backlog WHERE entity = %s AND id = %s
        """,
        (spec.name, document_id),
    )
    entries = [{"what": "requested", **dict(zip(names, row, strict=True))} for row in rows]
    parked = [{"what": "parked", "at": entry["parked_at"], "reason": entry["reason"]} for entry in entries]
    return entries + [entry for entry in parked if entry["at"]]


def _tombstones(database: Database, spec: EntitySpec, document_id: str) -> list[Entry]:
    """Its deletion with the evidence, while it is deleted."""
    rows = database.execute(
        "SELECT deleted_at, evidence FROM tds.tombstones WHERE entity = %s AND id = %s", (spec.name, document_id)
    )
    return [{"what": "tombstone", "at": at, "evidence": evidence} for at, evidence in rows]


def _unpublished(database: Database, spec: EntitySpec, document_id: str) -> list[Entry]:
    """Its events that no bus has accepted yet; all others of its sequence are published."""
    rows = database.execute(
        """
        SELECT at, kind, sequence FROM tds.outbox WHERE entity = %s AND id = %s ORDER BY sequence LIMIT %s
        """,
        (spec.name, document_id, MOST_ENTRIES),
    )
    return [{"what": "unpublished", "at": at, "event": kind, "sequence": sequence} for at, kind, sequence in rows]


def _differences(database: Database, spec: EntitySpec, document_id: str) -> list[Entry]:
    """What verifications suspected of it with both values, and what became of each suspicion."""
    rows = database.execute(
        """
        SELECT run_id, kind, min(suspected_at), greatest(max(settled_at), max(suspected_at)), how,
            CASE WHEN is_healed THEN 'healed' WHEN status = 'suspected' THEN 'undecided' ELSE status END,
            jsonb_object_agg(field, jsonb_build_object('erp', erp_value, 'zoho', zoho_value))
        FROM (SELECT *, healed_at IS NOT NULL AS is_healed FROM tds.drift WHERE entity = %s AND id = %s) AS d
        -- a document that is fetched for its age only is no suspicion before it turns out to have changed
        WHERE kind <> 'unannounced' OR status = 'confirmed'
        GROUP BY run_id, kind, status, how, is_healed ORDER BY run_id DESC, kind LIMIT %s
        """,
        (spec.name, document_id, MOST_ENTRIES),
    )
    entries: list[Entry] = []
    for run, kind, suspected_at, settled_at, how, end, values in rows:
        entries.append({"what": "suspected", "at": suspected_at, "run": run, "kind": kind, "values": values})
        if how is not None:
            entries.append({"what": end, "at": settled_at, "run": run, "kind": kind, "reason": how})
    return entries


def _id(text: str) -> str | None:
    try:
        return parse_id(text)
    except InvalidId:
        return None


_SOURCES: tuple[Callable[[Database, EntitySpec, str], list[Entry]], ...] = (
    _tombstones,
    _outcomes,
    _requests,
    _unpublished,
    _differences,
)
