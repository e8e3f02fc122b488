"""What the verdict rests on, read from the database: cheap enough for every minute and every look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from tds_core.database import announcements, checks, images, parked, watch
from tds_core.database.checks import Compared
from tds_core.database.connection import Database
from tds_core.database.watch import Place
from tds_core.entities import REGISTRY, scans
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync import silence
from tds_core.sync.cadence import Cadence
from tds_core.sync.dead_things import DEAD_LETTERS, FAILED_RUNS, UNROUTED
from tds_core.sync.silence import Silence
from tds_core.sync.verdict import Checked, List, Signals
from tds_core.zoho import status
from tds_core.zoho.status import Day, ZohoStatus

QUEUE = "queue"
QUEUED: Mapping[str, list[str]] = {
    f"{QUEUE}/{queue}": [spec.name for spec in REGISTRY.values() if spec.queue == queue]
    for queue in {spec.queue for spec in REGISTRY.values()}
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The signals of one moment, and what they were read from."""

    signals: Signals
    day: Day
    zoho: ZohoStatus
    places: list[Place]
    silence: dict[str, Silence]
    compared: dict[str, Compared]


def read(settings: Settings, database: Database) -> Look:
    """Look now."""
    now = announcements.now(database)
    day = status.day(settings, database)
    cadence = Cadence.of(settings, day_limit=day.limit, zone=day.zone)
    zoho = status.read(settings, database)
    places = watch.places(database, QUEUED)
    compared = checks.compared(database)
    silences = silence.measure(settings, database)
    counts = {place.name: place.messages for place in places}
    found = Signals(
        now=now,
        queue_late_s=settings.oldest_message_alarm_s,
        drift_ratio=settings.drift_alarm_ratio,
        watched_at=max((place.observed_at for place in places), default=None),
        lists=_lists(database, cadence, now),
        queue_ages_s=_ages(places),
        dead={
            name: count
            for name, count in counts.items()
            if count and (name == UNROUTED or name.startswith(f"{DEAD_LETTERS}/"))
        },
        failed_runs=counts.get(FAILED_RUNS, 0),
        parked=parked.total(database),
        pending_history=_pending_history(database),
        silent=[name for name, one in silences.items() if one.is_silent],
        token_refusal=zoho.token_refusal,
        circuit=zoho.circuit,
        spent=[one.product for one in zoho.days if one.is_closed or one.remaining <= 0],
        checked=_checked(database, compared),
        images_wrong=_images_wrong(compared[images.ENTITY]),
        verified_within=timedelta(days=cadence.row.nights + 1),
    )
    return Look(signals=found, day=day, zoho=zoho, places=places, silence=silences, compared=compared)


def _ages(places: list[Place]) -> dict[str, float]:
    """How long the oldest message of each queue that holds any has waited."""
    prefix = f"{QUEUE}/"
    return {place.name.removeprefix(prefix): place.age_s for place in places if place.name.startswith(prefix)}


def _lists(database: Database, cadence: Cadence, now: datetime) -> list[List]:
    """Each list with its last reading, by a poll or a walk that has ended."""
    read_at: dict[str, datetime | None] = dict(
        database.execute("SELECT scan, greatest(polled_at, walked_at) FROM tds.cursors")
    )
    found = []
    for scan, specs in scans().items():
        last = read_at.get(scan)
        pace = max(cadence.wait(specs[0].cadence, at) for at in (now, last or now))
        found.append(List(scan=scan, read_at=last, promised=max(pace, *(spec.freshness for spec in specs))))
    return found


def _pending_history(database: Database) -> int:
    """Documents of whole lists that are still to be fetched."""
    query = "SELECT count(*) FROM tds.backlog WHERE priority = %s AND parked_at IS NULL"
    return int(database.execute(query, (int(Priority.BACKFILL),))[0][0])


def _checked(database: Database, compared: Mapping[str, Compared]) -> dict[str, Checked]:
    """Each entity's newest comparison with what it left that nobody has healed since; images only if compared."""
    differing = checks.remaining(database, compared)
    return {
        name: Checked(
            ended_at=one.ended_at,
            open=differing.get(name, 0),
            rows=_rows(database, name) if name in differing else 0,
            unexplained=len((one.part or {}).get("unexplained", ())),
            untold=len((one.part or {}).get("untold", ())),
            error=one.error,
        )
        for name, one in compared.items()
        if name in REGISTRY or one.ended_at or one.error
    }


def _images_wrong(compared: Compared) -> int:
    """How many product images were not right, or had not come yet."""
    part = compared.part or {"ok": True}
    return 0 if part["ok"] else int(part["remaining"] + part["pending"])


def _rows(database: Database, entity: str) -> int:
    """The live rows of an entity."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE deleted_at IS NULL").format(
        sql.Identifier("erp", REGISTRY[entity].table)
    )
    return int(database.execute(query)[0][0])
