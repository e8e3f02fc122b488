"""Notice when Zoho's webhooks stop: polls go on finding changes, and no webhook announces any of them.

That nothing changes is no silence, and neither is one import, which Zoho never announces: changes must keep being found
over some hours of business. A rule that points at a wrong address, a changed secret and a spent day limit look alike.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tds_core.database import announcements
from tds_core.database.announcements import Announcements
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.settings import Settings
from tds_core.sync import business_hours
from tds_core.sync.cadence import zone_info
from tds_core.zoho import status

METRIC = "WebhookSilenceHours"
ANNOUNCED = tuple(name for name, spec in REGISTRY.items() if spec.webhook_modules)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """One entity's webhooks: when the last one came, and for how many hours of business polls did their work.

    `hours` lie between the first and the last change that was found and that no webhook has announced since.
    """

    last_webhook_at: datetime | None
    unannounced: int
    missed_24h: int
    hours: float
    is_silent: bool


def measure(settings: Settings, database: Database) -> dict[str, Silence]:
    """Each entity that Zoho has webhooks for, by name."""
    zone = zone_info(status.day(settings, database).zone, otherwise=settings.zoho_time_zone)
    return {
        one.entity: _silence(one, zone, limit_hours=settings.webhook_silence_hours)
        for one in announcements.announcements(database, ANNOUNCED)
    }


def tell(silences: dict[str, Silence], gauge: Callable[[str, float], None]) -> None:
    """Report the longest silence as the one metric, also when there is none, and the silent entities in the log."""
    gauge(METRIC, max((silence.hours for silence in silences.values()), default=0.0))
    silent = {name: round(silence.hours, 1) for name, silence in silences.items() if silence.is_silent}
    if silent:
        _log.warning("webhooks are silent", extra={"entities": silent})


def _silence(one: Announcements, zone: ZoneInfo, *, limit_hours: float) -> Silence:
    hours = 0.0
    if one.first_found_at is not None and one.last_found_at is not None:
        hours = business_hours.between(one.first_found_at, one.last_found_at, zone) / timedelta(hours=1)
    return Silence(
        last_webhook_at=one.last_webhook_at,
        unannounced=one.unannounced,
        missed_24h=one.missed_24h,
        hours=round(hours, 2),
        is_silent=hours > limit_hours,
    )
