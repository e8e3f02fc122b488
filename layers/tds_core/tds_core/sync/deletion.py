"""The proof that a record is gone: Zoho said so, a live record of the same entity answered, and not too many went.

An empty database, a revoked permission or another organisation's data would all say "does not exist"; none of them
makes a known live record answer with its own id. A replica that lags or a slip says it of one record beside living
neighbours: so where nothing but this one answer speaks for a deletion, Zoho is asked again after the backlog's delay.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from psycopg import sql

from tds_core.database import deletions
from tds_core.database.connection import Database
from tds_core.entities.spec import EntitySpec
from tds_core.errors import DeletionDoubted, DeletionUnconfirmed, DocumentNotFound
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho.client import UnifiedZohoClient

_FRESH_S = 60.0
_WRITTEN_S = 3_600.0
_WITNESSES = 3


class DeletionGuard:
    """Says whether Zoho's word on a deletion may be believed now."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        client: UnifiedZohoClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._client = client
        self._clock = clock
        self._alive_at: dict[str, float] = {}
        self._witness: dict[str, str] = {}
        self._confirmed: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def confirm(
        self,
        spec: EntitySpec,
        document_id: str,
        *,
        priority: Priority,
        wait_s: float,
        shown: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """Return the evidence if the deletion is proved; raises DeletionDoubted or DeletionUnconfirmed otherwise.

        An id that has no live row has nothing to lose and needs no proof. `shown` are the ids of a whole list that
        lacks this one, for an entity whose records stand nowhere else: then it is this list that has to show another.
        """
        said = {"code": 1002} if shown is None else {"absent_from": spec.path, "rows": len(shown)}
        if not self.is_live(spec, document_id):
            return said | {"witness": None, "asked_for": priority.name.lower()}
        if not deletions.is_expected(self._database, spec, document_id):
            raise DeletionDoubted(f"Zoho says for the first time that {spec.name} {document_id} does not exist")
        with self._lock:
            self._brake(spec, document_id)
            seen = self._alive_at.get(spec.name)
            if shown is not None or seen is None or self._clock() - seen > _FRESH_S:
                self._ask_witness(spec, document_id, priority=priority, wait_s=wait_s, shown=shown)
            self._confirmed.setdefault(spec.name, {})[document_id] = self._clock()
            return said | {"witness": self._witness[spec.name], "asked_for": priority.name.lower()}

    def let_go(self, spec: EntitySpec, document_id: str) -> None:
        """Count a live record that Zoho showed to be another entity's; raises DeletionUnconfirmed beyond the limit."""
        with self._lock:
            self._brake(spec, document_id)
            self._confirmed.setdefault(spec.name, {})[document_id] = self._clock()

    def is_live(self, spec: EntitySpec, document_id: str) -> bool:
        """Whether the mirror has this record; raises DatabaseUnavailable."""
        query = sql.SQL("SELECT 1 FROM {mirror} WHERE {key} = %s AND deleted_at IS NULL")
        return bool(self._database.execute(_of(query, spec), (document_id,)))

    def _brake(self, spec: EntitySpec, document_id: str) -> None:
        """Refuse when more than a share of the entity went within a day: that is rarely what people meant.

        What a list showed by mistake is not held back: a page of another organisation's rows is swept out by the night.
        What was confirmed lately counts even before it is written: a batch is confirmed as a whole and written then.
        """
        now = self._clock()
        lately = {one: at for one, at in self._confirmed.get(spec.name, {}).items() if now - at < _WRITTEN_S}
        self._confirmed[spec.name] = lately
        if deletions.is_of_lists_only(self._database, spec, document_id):
            return
        gone, rows = deletions.lost(self._database, spec, document_id, lately.keys())
        limit = max(self._settings.deletion_floor, int(rows * self._settings.deletion_share))
        if gone >= limit and not self._is_approved(spec, document_id, lately.keys()):
            raise DeletionUnconfirmed(
                f"{gone} of {rows} {spec.name} went within 24 hours, the limit is {limit}: tds deletions"
            )

    def _is_approved(self, spec: EntitySpec, document_id: str, lately: Collection[str]) -> bool:
        """Whether a person let more of them go than went since."""
        allowed, since = deletions.approved(self._database, spec.name)
        return allowed > deletions.lost_since(self._database, spec, document_id, lately, since=since)

    def _ask_witness(
        self,
        spec: EntitySpec,
        document_id: str,
        *,
        priority: Priority,
        wait_s: float,
        shown: Collection[str] | None,
    ) -> None:
        query = sql.SQL(
            """
            SELECT {key} FROM {mirror} AS m
            LEFT JOIN tds.backlog AS b ON b.entity = %s AND b.id = m.{key}
            WHERE deleted_at IS NULL AND {key} <> %s
            ORDER BY b.id IS NOT NULL, detail_observed_at DESC NULLS LAST LIMIT %s
            """
        )
        rows = self._database.execute(_of(query, spec), (spec.name, document_id, _WITNESSES))
        for (witness,) in rows:
            try:
                if shown is None:
                    self._client.document(spec, witness, priority=priority, permit_wait_s=wait_s)
                elif witness not in shown:
                    continue
            except DocumentNotFound:
                continue
            self._alive_at[spec.name] = self._clock()
            self._witness[spec.name] = witness
            return
        raise DeletionUnconfirmed(f"no live record of {spec.name} answered")


def _of(query: sql.SQL, spec: EntitySpec) -> sql.Composed:
    return query.format(key=sql.Identifier(spec.key), mirror=sql.Identifier("erp", spec.table))
