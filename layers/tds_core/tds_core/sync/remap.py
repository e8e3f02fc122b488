"""Write rows anew from their own documents after a deploy has changed how columns are read; costs no call to Zoho.

Every raw document is kept whole, so a column that is new holds its value already. A row is written only if what was
read before still agrees with its document; any other is left to verification, which asks Zoho. Bounded, resumable at a
key, and harmless twice.
"""

import logging
from dataclasses import replace

from tds_core.database import mappings, stored
from tds_core.database.candidates import Candidate
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.stored import Stored
from tds_core.entities import REGISTRY
from tds_core.entities.mapping import Remapping, described, remapping
from tds_core.entities.spec import EntitySpec
from tds_core.sync import recompute

_BATCH = 200
_ROWS_PER_RUN = 1_000  # some seconds of a function that has fifty
_log = logging.getLogger(__name__)


class Remap:
    """A step of housekeeping: so many rows a run of the entities whose mapping has changed."""

    def __init__(self, database: Database, mirror: Mirror, *, rows: int = _ROWS_PER_RUN, batch: int = _BATCH) -> None:
        self._database = database
        self._mirror = mirror
        self._rows = rows
        self._batch = batch

    def run(self) -> dict[str, int]:
        """Go on where the last run ended; returns how many rows were written, by entity. Raises DatabaseUnavailable."""
        before = mappings.known(self._database)
        written: dict[str, int] = {}
        left = self._rows
        for spec in REGISTRY.values():
            if spec.name not in before:
                mappings.learn(self._database, spec)
            elif left > 0 and before[spec.name].mapping != described(spec):
                looked, written[spec.name] = self._pass(spec, before[spec.name], left)
                left -= looked
        return written

    def _pass(self, spec: EntitySpec, known: mappings.Known, limit: int) -> tuple[int, int]:
        """Write up to so many rows; returns how many were looked at and how many were written."""
        change, after = remapping(spec, known.mapping), known.place(described(spec))
        looked = written = 0
        while looked < limit:
            rows = stored.batch(self._database, spec, after=after, limit=self._batch)
            restated = [said for row in rows if (said := _restated(spec, row, change))]
            written += self._mirror.restate(spec, restated, change)
            looked += len(rows)
            if len(rows) < self._batch:
                mappings.learn(self._database, spec)
                _log.info("rows are by the new mapping", extra={"entity": spec.name})
                break
            after = rows[-1].id
            mappings.advance(self._database, spec, after=after)
        return looked, written


def _restated(spec: EntitySpec, row: Stored, change: Remapping) -> Candidate | None:
    """What the row's document says by the new mapping; None if the row is no true image of it, or waits for another."""
    said = None if row.is_waiting else recompute.expected(spec, row)
    if said is None:
        return None
    new = change.columns | change.children | {"content_hash"}
    if any(one.field.partition(".")[0] not in new for one in recompute.differences(spec, row, said)):
        return None
    return replace(said, source="mapping")
