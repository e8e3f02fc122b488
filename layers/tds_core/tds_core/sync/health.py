"""The figures that alarms watch, measured by every run of housekeeping; `tds status` shows the same to people."""

from collections.abc import Callable

from tds_core.database.connection import Database
from tds_core.settings import Settings
from tds_core.sync.dead_letters import Places
from tds_core.zoho import status

DEAD_THINGS, PARKED, CIRCUIT_OPEN, TOKEN_REFUSED, DAY_LEFT = (
    "DeadThings",
    "ParkedDocuments",
    "CircuitOpen",
    "TokenRefused",
    "DayQuotaLeftPercent",
)
_FULL_PERCENT = 100.0


class Health:
    """Sends each figure as a metric, also when it is 0: a missing one means that housekeeping is dead."""

    def __init__(
        self, settings: Settings, *, database: Database, places: Places, gauge: Callable[[str, float], None]
    ) -> None:
        self._settings = settings
        self._database = database
        self._places = places
        self._gauge = gauge

    def tell(self) -> dict[str, int]:
        """Send the figures; raises QueueUnavailable or DatabaseUnavailable, then those that are known were sent."""
        zoho = status.read(self._settings, self._database)
        self._gauge(CIRCUIT_OPEN, float(zoho.circuit != "closed"))
        self._gauge(TOKEN_REFUSED, float(zoho.token_refusal is not None))
        shares = [_FULL_PERCENT * max(day.remaining, 0) / day.limit for day in zoho.days if day.limit]
        self._gauge(DAY_LEFT, min(shares, default=_FULL_PERCENT))
        self._gauge(PARKED, float(self._places.backlog.total()))
        queues = (*self._places.letters, self._places.unrouted, self._places.failed_runs)
        self._gauge(DEAD_THINGS, float(sum(place.total() for place in queues)))
        return {}
