"""What a day's calls go to, by the cadence and the counts that the mirror holds now, and how long a history takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from tds_core.database import images, runs, sizes
from tds_core.database.connection import Database
from tds_core.database.sizes import Size
from tds_core.entities import REGISTRY, scans
from tds_core.entities.spec import LookBack, Purpose, WholeList
from tds_core.settings import Settings
from tds_core.sync import aging
from tds_core.sync.cadence import Cadence, pages
from tds_core.zoho import status

# as the call budget shares the day
_HELD_SHARE = 0.15
_HISTORY_SHARE = 0.8
_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The calls of one purpose: `calls` each time, so many `times_a_day`."""

    purpose: Purpose
    calls: int
    times_a_day: float

    @property
    def calls_a_day(self) -> float:
        """The calls of a day."""
        return self.calls * self.times_a_day


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is still to be fetched of whole lists; `days` is None when nothing of the day is left for it.

    `never_walked` are lists whose history nobody has asked for, or whose first walk has not ended.
    """

    documents: int
    calls: int
    days: float | None
    headers_only: bool
    never_walked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Product images that are still to be fetched, one call each, and the calls that they surely get a day.

    That is the fifth that a history leaves, or all if there is none; `days` is None when it is nothing.
    """

    to_fetch: int
    a_day: int
    days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A day of calls. `held` is kept for webhooks and manual work, `history_a_day` is what a history surely gets.

    `aged_a_day` fetch anew the documents that were not seen for longest.
    """

    day_limit: int
    is_told: bool
    row: int
    parts: tuple[Part, ...]
    fixed_a_day: int
    changes_a_day: int
    aged_a_day: int
    held: int
    left_a_day: int
    history_a_day: int
    history: History
    images: Images


def read(settings: Settings, database: Database) -> Plan:
    """The plan for the limit that Zoho's headers told, else for the one that is set; makes no call."""
    day = status.day(settings, database)
    cadence = Cadence.of(settings, day_limit=day.limit, zone=day.zone)
    cursors = runs.cursors(database, scans())
    held = {name: sizes.read(database, spec) for name, spec in REGISTRY.items()}
    pictures = images.figures(database)
    return plan(
        cadence,
        held,
        day_limit=day.limit,
        is_told=day.is_told,
        minute_limit=settings.minute_limit,
        never_walked=tuple(scan for scan, cursor in cursors.items() if cursor.walked_at is None),
        aged_a_day=aging.calls_a_day(settings, day.limit),
        images_to_fetch=pictures["expected"] - pictures["stored"],
    )


def plan(
    cadence: Cadence,
    held: Mapping[str, Size],
    *,
    day_limit: int,
    is_told: bool,
    minute_limit: int,
    never_walked: tuple[str, ...] = (),
    aged_a_day: int = 0,
    images_to_fetch: int = 0,
) -> Plan:
    """Reckon it from the sizes of all entities; `aged_a_day` is what the check of the oldest documents may take."""
    parts = tuple(
        Part(purpose=purpose, calls=calls, times_a_day=cadence.times_a_day(purpose))
        for purpose, calls in calls_each(held).items()
    )
    fixed = ceil(sum(part.calls_a_day for part in parts))
    changes = ceil(sum(held[name].changed_a_day / spec.fetched_together for name, spec in REGISTRY.items()))
    kept = ceil(_HELD_SHARE * day_limit)
    aged = min(aged_a_day, sum(held[name].rows for name, spec in REGISTRY.items() if aging.is_aging(spec)))
    left = max(min(day_limit, minute_limit * _MINUTES_A_DAY) - kept - fixed - changes - aged, 0)
    history_a_day = int(left * _HISTORY_SHARE)
    calls = sum(ceil(held[name].history / spec.fetched_together) for name, spec in REGISTRY.items())
    images_a_day = left - history_a_day if calls else left
    return Plan(
        day_limit=day_limit,
        is_told=is_told,
        row=cadence.row.day_limit,
        parts=parts,
        fixed_a_day=fixed,
        changes_a_day=changes,
        aged_a_day=aged,
        held=kept,
        left_a_day=left,
        history_a_day=history_a_day,
        history=History(
            documents=sum(size.history for size in held.values()),
            calls=calls,
            days=_days(calls, history_a_day),
            headers_only=cadence.row.headers_only,
            never_walked=never_walked,
        ),
        images=Images(to_fetch=images_to_fetch, a_day=images_a_day, days=_days(images_to_fetch, images_a_day)),
    )


def _days(calls: int, a_day: int) -> float | None:
    """None when it would never end."""
    return calls / a_day if a_day else None if calls else 0.0


def calls_each(held: Mapping[str, Size]) -> dict[Purpose, int]:
    """The calls of each purpose whenever it is due: lists by their means, documents fetched anew, whole walks."""
    calls: dict[Purpose, int] = {"daily": 1}  # the organisation itself

    def add(purpose: Purpose | None, number: int) -> None:
        if purpose is not None:
            calls[purpose] = calls.get(purpose, 0) + number

    for specs in scans().values():
        whole = pages(sum(held[spec.name].rows for spec in specs))
        changes = specs[0].changes
        # what changed since the last poll of a list rarely fills a page
        add(specs[0].cadence, whole if isinstance(changes, WholeList) else 1)
        if isinstance(changes, LookBack):
            add(changes.deeper, pages(held[specs[0].name].looked_back) - 1)
        add(specs[0].walk or "deep", whole)
        for spec in specs:
            add(spec.refetch, ceil(held[spec.name].refetched / spec.fetched_together))
    return calls
