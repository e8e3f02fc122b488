"""The write path and the backlog on PostgreSQL against a simulated Zoho, like the rule alone in the unit tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from psycopg import Connection, sql

from tds_core.database import backlog
from tds_core.database.backlog import Lease
from tds_core.database.candidates import Candidate, Result, from_document, from_list_row, gone, mention
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.ordering import Clock, Moment
from tds_core.entities import entity
from tds_core.priority import Priority
from tests import zoho_documents
from tests.ordering_world import COMPARABLE, INCOMPARABLE, Dialect, Sight, State, World, instant

EXAMPLES = 24
INVOICES = replace(COMPARABLE, listed=False)
MACHINERY = (("tds", "tombstones"), ("tds", "backlog"), ("tds", "change_log"))
_LAG_S = 60.0


def written(version: datetime | None) -> str:
    """A version as Zoho writes it, "" when there is none."""
    return version.strftime("%Y-%m-%dT%H:%M:%S+0000") if version else ""


class PostgresMirror:
    """The real thing. Sights carry the world's time; the backlog keeps PostgreSQL's, which the world's is mapped to."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self.dialect = dialect
        self.spec = entity("invoices" if dialect.comparable else "payments")
        self._database = database
        self._mirror = Mirror(database)
        self._held: dict[str, tuple[Lease, datetime]] = {}
        self._postponed_to: dict[str, float] = {}

    def apply(self, sights: Sequence[Sight], *, now: float) -> None:
        held = [(sight.id, *self._held.pop(sight.id)) for sight in sights if sight.leased and sight.id in self._held]

        def completion(connection: Connection, results: Sequence[Result]) -> None:
            lagging = {result.candidate.id for result in results if result.lagging}
            for document_id, lease, began_at in held:
                if document_id in lagging:
                    backlog.await_replica(connection, lease, [document_id], delay_s=_LAG_S)
                    self._postponed_to[document_id] = now + _LAG_S
                else:
                    backlog.finish(connection, lease, {document_id: began_at})

        candidates = [self._candidate(sight) for sight in sights]
        self._mirror.apply(self.spec, candidates, priority=Priority.WEBHOOK, completion=completion)

    def request(self, ids: Sequence[str], *, now: float) -> None:
        with self._database.transaction() as connection:
            backlog.request(connection, self.spec.name, ids, priority=Priority.VERIFICATION, cause="absent")

    def lease(self, *, now: float) -> list[str]:
        ready = [document_id for document_id, at in self._postponed_to.items() if at <= now]
        for document_id in ready:
            del self._postponed_to[document_id]
        self._database.execute("UPDATE tds.backlog SET not_before = now() WHERE id = ANY(%s)", (ready,))
        lease = backlog.lease(self._database, sizes={self.spec.name: 10}, duration_s=3600)
        began_at = self._database.execute("SELECT clock_timestamp()")[0][0]
        if lease is None:
            return []
        self._held |= dict.fromkeys(lease.ids, (lease, began_at))
        return list(lease.ids)

    def next_due(self) -> float | None:
        query = "SELECT id FROM tds.backlog WHERE entity = %s"
        times = [self._postponed_to.get(row[0], 0.0) for row in self._database.execute(query, (self.spec.name,))]
        return min(times, default=None)

    def live(self) -> dict[str, tuple[int, int | None, int | None]]:
        listed = sql.SQL("0" if self.dialect.comparable else "bcy_amount::int")
        detail = sql.SQL(
            "subtotal::int"
            if self.dialect.comparable
            else "(SELECT coalesce(sum(c.amount_applied), 0)::int FROM erp.payment_invoices AS c"
            " WHERE c.payment_id = m.payment_id)"
        )
        shared = sql.Identifier("total" if self.dialect.comparable else "amount")
        query = sql.SQL("SELECT {}, {}::int, {}, {} FROM {} AS m WHERE deleted_at IS NULL").format(
            sql.Identifier(self.spec.key), shared, listed, detail, sql.Identifier("erp", self.spec.name)
        )
        return {row[0]: (row[1], row[2], row[3]) for row in self._database.execute(query)}

    def marks_that_differ(self) -> list[str]:
        """Rows whose mark and tombstone are not of the same time, which must be none."""
        query = sql.SQL(
            """
            SELECT m.{key} FROM {mirror} AS m LEFT JOIN tds.tombstones AS t ON t.entity = %s AND t.id = m.{key}
            WHERE m.deleted_at IS DISTINCT FROM t.deleted_at
            """
        ).format(key=sql.Identifier(self.spec.key), mirror=sql.Identifier("erp", self.spec.name))
        return [row[0] for row in self._database.execute(query, (self.spec.name,))]

    def empty(self) -> None:
        """Forget everything."""
        for schema, name in (("erp", self.spec.name), ("erp", "payment_invoices"), *MACHINERY):
            self._database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, name)))

    def _candidate(self, sight: Sight) -> Candidate:
        moment = Moment(at=instant(sight.observed), clock=Clock.WEBHOOK if sight.webhook else Clock.FETCH)
        if sight.kind == "gone":
            return gone(sight.id, observed_at=moment.at)
        if sight.kind == "mention" or sight.state is None:
            return mention(sight.id, moment=moment, source="webhook")
        source = _source(self.dialect, sight, sight.state)
        if sight.kind == "list_row":
            return from_list_row(self.spec, source, observed_at=moment.at, source="poll")
        return from_document(self.spec, source, moment=moment, source="webhook" if sight.webhook else "fetch")


def _source(dialect: Dialect, sight: Sight, state: State) -> dict[str, Any]:
    """What Zoho would send."""
    number, document = int(sight.id), sight.kind == "document"
    version = dialect.document_version(state) if document else dialect.list_version(state)
    stated = "" if sight.versionless else written(version)
    if dialect.comparable:
        fields: dict[str, Any] = {"total": state.shared, "last_modified_time": stated}
        if document:
            return zoho_documents.invoice(number, sub_total=state.detail, **fields)
        return zoho_documents.invoice_row(number, **fields)
    if document:
        applied = {str(part): 1 for part in range(1, state.detail + 1)}
        return zoho_documents.payment(number, applied=applied, amount=state.shared, updated_time=stated)
    shown = zoho_documents.payment(number, amount=state.shared, bcy_amount=state.listed)
    unlisted = ("invoices", "currency_code", "updated_time")
    return {key: value for key, value in shown.items() if key not in unlisted} | {
        "last_modified_time": written(version)
    }


@pytest.mark.parametrize("dialect", [INVOICES, INCOMPARABLE], ids=["invoices", "payments"])
def test_the_mirror_on_postgresql_ends_equal_to_zoho(database: Database, dialect: Dialect) -> None:
    blind = 0
    for seed in range(EXAMPLES):
        system = PostgresMirror(database, dialect)
        world = World(seed, dialect, system, ids=("1", "2", "3"))
        try:
            world.run(10 + seed)
            world.settle()
            world.check()
        except AssertionError as exc:
            raise AssertionError("\n".join([f"seed {seed}", str(exc), *world.log])) from exc
        assert system.marks_that_differ() == [], f"seed {seed}"
        blind += world.blind
        system.empty()
    assert blind < EXAMPLES
