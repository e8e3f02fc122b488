"""The requests that were given up for now: shown, brought back, forgotten. The drain retries them daily by itself."""

from dataclasses import dataclass
from datetime import datetime

from tds_core.database import backlog
from tds_core.database.backlog import MAX_ATTEMPTS, MAX_LAGS
from tds_core.database.connection import Database
from tds_core.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One request; `retries` counts the daily ones since it was parked."""

    entity: str
    id: str
    reason: str
    requested_at: datetime
    parked_at: datetime
    next_at: datetime
    retries: int


_READ = """
    SELECT entity, id, coalesce(reason, ''), requested_at, parked_at, not_before,
        greatest(attempts - %(attempts)s, lags - %(lags)s, 0)
    FROM tds.backlog WHERE parked_at IS NOT NULL
"""
_LIMITS = {"attempts": MAX_ATTEMPTS, "lags": MAX_LAGS}


def parked(database: Database, *, limit: int) -> list[Parked]:
    """The requests that were parked first."""
    query = _READ + " ORDER BY parked_at, entity, id LIMIT %(limit)s"
    return [_parked(*row) for row in database.execute(query, _LIMITS | {"limit": limit})]


def find(database: Database, entity: str, document_id: str) -> Parked | None:
    """One request, if it is parked."""
    query = _READ + " AND entity = %(entity)s AND id = %(id)s"
    rows = database.execute(query, _LIMITS | {"entity": entity, "id": document_id})
    return _parked(*rows[0]) if rows else None


def total(database: Database) -> int:
    """How many there are."""
    return int(database.execute("SELECT count(*) FROM tds.backlog WHERE parked_at IS NOT NULL")[0][0])


def bring_back(database: Database, entity: str, document_id: str) -> None:
    """Have it fetched soon, with all its attempts before it; one that left the backlog meanwhile is fetched once."""
    with database.transaction() as connection:
        backlog.request(connection, entity, [document_id], priority=Priority.MANUAL, cause="redrive")


def forget(database: Database, entity: str, document_id: str) -> None:
    """Take it off the backlog, if it still is parked; the next walk that sees a difference asks for it again."""
    database.execute(
        "DELETE FROM tds.backlog WHERE entity = %s AND id = %s AND parked_at IS NOT NULL", (entity, document_id)
    )


def _parked(
    entity: str, document_id: str, reason: str, requested: datetime, parked: datetime, due: datetime, retries: int
) -> Parked:
    return Parked(
        entity=entity,
        id=document_id,
        reason=reason,
        requested_at=requested,
        parked_at=parked,
        next_at=due,
        retries=retries,
    )
