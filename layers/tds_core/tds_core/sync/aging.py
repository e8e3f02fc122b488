"""The rotating check of documents: lines change without any list showing it, so each is fetched anew by its age."""

from collections.abc import Iterable
from datetime import datetime
from math import ceil
from typing import Any

from tds_core.database import stored
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, entity
from tds_core.entities.spec import EntitySpec
from tds_core.settings import Settings


def calls_a_day(settings: Settings, day_limit: int) -> int:
    """The calls that the check may take."""
    return int(day_limit * settings.verification_share)


def is_aging(spec: EntitySpec) -> bool:
    """Whether nothing else reads the documents anew: no list shows them whole, and no cadence fetches all of them."""
    return not spec.rows_are_documents and (spec.refetch is None or spec.refetch_only is not None)


def choose(database: Database, names: Iterable[str], *, limit: int) -> dict[str, list[str]]:
    """The documents of these entities that were not seen for longest, by entity."""
    seen: list[tuple[datetime, str, str]] = [
        (seen_at, name, document_id)
        for name in names
        if is_aging(entity(name))
        for document_id, seen_at in stored.oldest(database, entity(name), limit=limit)
    ]
    chosen: dict[str, list[str]] = {}
    for _, name, document_id in sorted(seen)[:limit]:
        chosen.setdefault(name, []).append(document_id)
    return chosen


def cycle(database: Database, *, calls_a_day: int, nights: int) -> dict[str, Any]:
    """How many documents the check has, the days of one cycle, and the age in days of the oldest sight.

    Lines are equal as of their last fetch: this is how long ago that may be. A list's documents have their turn once in
    so many `nights`, and share that night's calls with those of the other lists: in the worst case with all of them.
    """
    ages = [stored.age(database, spec) for spec in REGISTRY.values() if is_aging(spec)]
    documents = sum(count for count, _ in ages)
    oldest = max((days for _, days in ages if days is not None), default=None)
    return {
        "documents": documents,
        "calls_a_day": calls_a_day,
        "cycle_days": ceil(documents / calls_a_day) * nights if calls_a_day else None,
        "oldest_days": None if oldest is None else round(oldest, 1),
    }
