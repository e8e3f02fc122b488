"""The one write path into the mirror: candidates in, outcomes out, one transaction.

Whoever learns something of a record (a webhook, a poll, a walk, the drain) comes through `Mirror.apply`. It locks the
ids, reads what the mirror holds, lets the ordering rule decide, and writes in one order everywhere: mirror rows in id
order, child rows (replaced as a set), tombstones, backlog, change log, outbox. Nothing is written twice and a poison
row never costs its neighbours.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import psycopg
from psycopg import Connection

from tds_core.database import backlog, changes, ripples, runs, story, tables, verifications
from tds_core.database.candidates import Candidate, Result
from tds_core.database.connection import REFUSED, Database
from tds_core.database.ordering import Decision, Kind, Outcome, Record, advance, decide
from tds_core.entities.mapping import Remapping
from tds_core.entities.spec import EntitySpec
from tds_core.errors import InvalidDocument
from tds_core.priority import Priority

_log = logging.getLogger(__name__)
# what one record can be the cause of: refused by the database, or beyond what times, numbers and nesting may be
_POISON = (psycopg.DataError, psycopg.IntegrityError, *REFUSED, InvalidDocument, ArithmeticError)


@dataclass(slots=True, kw_only=True)
class Plan:
    """The writes of one batch, one entry an id; `before` has the columns of the rows that were there."""

    before: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    documents: dict[str, Candidate] = field(default_factory=dict)
    buried: dict[str, Candidate] = field(default_factory=dict)
    raised: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)


Completion = Callable[[Connection, Sequence[Result]], None]


class Mirror:
    """The mirror's tables, written under the ordering rule."""

    def __init__(self, database: Database, *, ripple_hold_s: float = 60.0) -> None:
        self._database = database
        self._ripple_hold_s = ripple_hold_s

    def apply(
        self,
        spec: EntitySpec,
        candidates: Sequence[Candidate],
        *,
        priority: Priority,
        completion: Completion | None = None,
    ) -> list[Result]:
        """Apply a batch of one entity in one transaction; `completion` joins it (the drain ends its leases there).

        `priority` is that of the requests which the batch gives rise to. Idempotent. A candidate that the database
        refuses is returned as rejected with its reason and every other one is applied.
        Raises DatabaseUnavailable; then nothing of the batch was committed.
        """
        if not candidates and completion is None:
            return []

        def work(connection: Connection) -> list[Result]:
            with connection.pipeline():
                plan = self._plan(connection, spec, candidates)
                self._write(connection, spec, plan, priority)
                # sends all and says what was refused. `Pipeline.sync` may wait for ever with half of it sent, and the
                # end of the block may say only that the rest was abandoned
                connection.execute("SELECT 1").fetchall()
            if completion is not None:
                completion(connection, plan.results)
            return plan.results

        try:
            results = self._database.run(work)
        except _POISON as exc:
            if len(candidates) > 1:
                return self._apply_apart(spec, candidates, priority, completion)
            return self._reject(spec, candidates, exc, completion)
        _warn(spec, results)
        return results

    def restate(self, spec: EntitySpec, candidates: Sequence[Candidate], change: Remapping) -> int:
        """Write what a new mapping reads from the rows' own documents, each as of the sight that its row has.

        Nothing was seen of Zoho, so no track moves and the ordering rule is not asked; a row whose document was seen
        again meanwhile is left alone. Where list rows are read otherwise their hash is forgotten, and the next one is
        compared by its columns. Returns how many rows were written. Idempotent. Raises DatabaseUnavailable.
        """

        def work(connection: Connection) -> int:
            ids = sorted(candidate.id for candidate in candidates)
            tables.lock(connection, spec, ids)
            records = tables.read(connection, spec, ids)
            plan = Plan(before={one: record.columns for one, record in records.items() if record.exists})
            for candidate in candidates:
                record = records[candidate.id]
                seen = record.document.observed
                if record.deleted_at is None and seen is not None and seen.at == candidate.observation.observed.at:
                    _restate(plan, spec, candidate, change, record)
            nested = dict(tables.upsert(connection, spec, plan.rows, stored=plan.before.keys()))
            children = tables.replace_children(connection, spec, plan.documents.values())
            accounts = _accounts(spec, plan, nested, children)
            results = [one for one in plan.results if accounts[one.candidate.id]]
            story.record(connection, spec.name, story.tell(results, known=plan.before, changed=accounts))
            return len(plan.rows)

        return self._database.run(work) if candidates else 0

    def request_walk(self, scan: str, *, since: datetime) -> bool:
        """Have a whole list walked because of something unknown that happened to it; returns whether it was asked for.

        Raises DatabaseUnavailable.
        """
        return runs.request_walk_since(self._database, scan, since=since)

    def request_verification(self, entities: Sequence[str], *, scan: str) -> None:
        """Ask for the list to be held against the mirror: some record of it was deleted, nobody knows which.

        Raises DatabaseUnavailable.
        """
        verifications.request_absent(self._database, entities, scan=scan)

    def _apply_apart(
        self, spec: EntitySpec, candidates: Sequence[Candidate], priority: Priority, completion: Completion | None
    ) -> list[Result]:
        """Apply every candidate by itself, so that the poison one is left alone."""
        return [
            result
            for candidate in sorted(candidates, key=_precedence)
            for result in self.apply(spec, [candidate], priority=priority, completion=completion)
        ]

    def _reject(
        self, spec: EntitySpec, candidates: Sequence[Candidate], exc: Exception, completion: Completion | None
    ) -> list[Result]:
        reason = f"{type(exc).__name__} {getattr(exc, 'sqlstate', '')}".strip()
        _log.error("candidate rejected", extra={"entity": spec.name, "id": candidates[0].id, "reason": reason})
        results = [Result(candidate=candidate, outcome=Outcome.REJECTED, reason=reason) for candidate in candidates]

        def work(connection: Connection) -> list[Result]:
            story.record(connection, spec.name, story.tell(results, known=()))
            if completion is not None:
                completion(connection, results)
            return results

        return self._database.run(work)

    def _plan(self, connection: Connection, spec: EntitySpec, candidates: Sequence[Candidate]) -> Plan:
        ids = sorted({candidate.id for candidate in candidates})
        tables.lock(connection, spec, ids)
        records = tables.read(connection, spec, ids)
        plan = Plan(before={one: record.columns for one, record in records.items() if record.exists})
        for document_id, group in groupby(sorted(candidates, key=_precedence), key=_id):
            record = records[document_id]
            for candidate in group:
                decision = decide(record, candidate.observation)
                record = advance(record, candidate.observation, decision)
                _note(plan, spec, candidate, decision, record)
        return plan

    def _write(self, connection: Connection, spec: EntitySpec, plan: Plan, priority: Priority) -> None:
        changed = plan.documents | plan.buried
        before = ripples.referenced(connection, spec, changed.keys() & plan.before.keys())
        replaced = tables.upsert(connection, spec, plan.rows, stored=plan.before.keys())
        children = tables.replace_children(connection, spec, plan.documents.values())
        tables.bury(connection, spec, plan.buried)
        tables.raise_dead(connection, spec, plan.raised)
        if plan.requests:
            backlog.request(connection, spec.name, plan.requests, priority=priority, cause="ordering")
        ripples.request(connection, spec, changed, before=before, hold_s=self._ripple_hold_s)
        accounts = _accounts(spec, plan, dict(replaced), children)
        story.record(connection, spec.name, story.tell(plan.results, known=plan.before, changed=accounts))


def _restate(plan: Plan, spec: EntitySpec, candidate: Candidate, change: Remapping, record: Record) -> None:
    """Add to the plan what of a row is read otherwise now."""
    row = {name: value for name, value in candidate.columns.items() if name in change.columns}
    row |= tables.document_values(replace(record, document=replace(record.document, hash=candidate.observation.hash)))
    if change.in_lists:
        row |= tables.header_values(replace(record, header=replace(record.header, hash=None)))
    plan.rows[candidate.id] = row
    kept = {table: rows for table, rows in candidate.children.items() if table in change.children}
    plan.documents[candidate.id] = replace(candidate, children=kept)
    plan.results.append(Result(candidate=candidate, outcome=Outcome.UPDATED, wrote=True))


def _note(plan: Plan, spec: EntitySpec, candidate: Candidate, decision: Decision, record: Record) -> None:
    """Add one decision to the plan; a later write of the same id stands over an earlier one."""
    row = _row(spec, candidate, decision, record)
    if row:
        plan.rows.setdefault(candidate.id, {}).update(row)
    if decision.write_document:
        plan.documents[candidate.id] = candidate
    if decision.outcome is Outcome.DELETED:
        plan.buried[candidate.id] = candidate
        plan.raised.discard(candidate.id)
    if decision.outcome is Outcome.RESTORED:
        plan.raised.add(candidate.id)
    if decision.request:
        plan.requests.add(candidate.id)
    plan.results.append(
        Result(
            candidate=candidate,
            outcome=decision.outcome,
            wrote=bool(row) or decision.outcome is Outcome.DELETED,
            lagging=decision.lagging,
            requested=decision.request,
            reason=f"cannot read {', '.join(candidate.unreadable)}" if candidate.unreadable else None,
        )
    )


def _warn(spec: EntitySpec, results: Iterable[Result]) -> None:
    """Tell of the written records that do without a value; of those that are as they were it was told already."""
    for result in results:
        if result.wrote and result.candidate.unreadable:
            told = {"entity": spec.name, "id": result.candidate.id, "columns": result.candidate.unreadable}
            _log.warning("columns cannot be read", extra=told)


def _row(spec: EntitySpec, candidate: Candidate, decision: Decision, record: Record) -> dict[str, Any]:
    """The columns to write: business columns by track, and the tracks as the decision left them."""
    row: dict[str, Any] = {}
    if decision.write_header:
        names = spec.header_columns - _left_alone(spec, candidate, decision, record)
        row |= {name: value for name, value in candidate.columns.items() if name in names}
        row |= tables.header_values(record)
    if decision.write_document:
        row |= {name: value for name, value in candidate.columns.items() if name in spec.detail_columns}
        row |= tables.document_values(record) | {"zoho": candidate.zoho}
    elif decision.touch:
        row |= tables.document_values(record)
    if decision.outcome is Outcome.RESTORED:
        row["deleted_at"] = None
    return row


def _left_alone(spec: EntitySpec, candidate: Candidate, decision: Decision, record: Record) -> Set[str]:
    """What this candidate cannot read and the other track may have said: a column is NULL only where neither can.

    A list row that changes a record makes it NULL, the document that it requests fills it in, and neither undoes that.
    """
    if not candidate.unreadable:
        return frozenset()
    is_list_row = candidate.observation.kind is Kind.LIST_ROW
    stands = decision.outcome is Outcome.UNCHANGED if is_list_row else record.header.hash is not None
    return spec.shared_columns.intersection(candidate.unreadable) if stands else frozenset()


def _accounts(
    spec: EntitySpec, plan: Plan, nested: Mapping[str, Mapping[str, Any]], children: tables.Children
) -> dict[str, dict[str, Any]]:
    """What the batch changes of the rows that were there, by their ids."""
    return {one: _account(spec, plan, one, nested.get(one, {}), children) for one in plan.rows & plan.before.keys()}


def _account(
    spec: EntitySpec, plan: Plan, document_id: str, nested: Mapping[str, Any], children: tables.Children
) -> dict[str, Any]:
    """What the batch changes of a row that was there, by column and child table; without what is volatile."""
    row = plan.rows[document_id]
    account: dict[str, Any] = changes.plain(plan.before[document_id], row, spec.plain_columns)
    for name, old in nested.items():
        account[name] = changes.nested(old, row[name], volatile=spec.volatile)
    for child in spec.children if document_id in plan.documents else ():
        if (new := plan.documents[document_id].children.get(child.table)) is not None:
            old = children[child.table].get(document_id, [])
            account[child.table] = changes.elements(old, new, key=child.key)
    return {name: change for name, change in account.items() if change and name not in spec.volatile}


def _id(candidate: Candidate) -> str:
    return candidate.id


def _precedence(candidate: Candidate) -> tuple[str, bool, float, float]:
    """By id, then the winner first: the newest version, and of one version what was seen last."""
    seen = candidate.observation
    version = seen.version.timestamp() if seen.version else 0.0
    return candidate.id, seen.kind is Kind.GONE, -version, -seen.observed.at.timestamp()


def count(results: Iterable[Result]) -> dict[str, int]:
    """How often each outcome occurred."""
    outcomes: dict[str, int] = {}
    for result in results:
        outcomes[result.outcome.value] = outcomes.get(result.outcome.value, 0) + 1
    return outcomes
