"""The figures that alarms watch, measured by every run of housekeeping; `tds status` shows the same to people."""

from collections.abc import Callable

from tds_core.database import census
from tds_core.database.connection import Database
from tds_core.entities import scans
from tds_core.errors import OrganizationRejected, ScopeMissing
from tds_core.settings import Settings
from tds_core.sync import poll
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
_REFUSALS = {kind.__name__ for kind in (ScopeMissing, OrganizationRejected)}


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
        is_refused = zoho.token_refusal is not None or zoho.data_centre is not None or self._is_refused_a_list()
        self._gauge(TOKEN_REFUSED, float(is_refused))
        shares = [_FULL_PERCENT * max(day.remaining, 0) / day.limit for day in zoho.days if day.limit]
        self._gauge(DAY_LEFT, min(shares, default=_FULL_PERCENT))
        self._gauge(PARKED, float(self._places.backlog.total()))
        queues = (*self._places.letters, self._places.unrouted, self._places.failed_runs)
        self._gauge(DEAD_THINGS, float(sum(place.total() for place in queues)))
        return {}

    def _is_refused_a_list(self) -> bool:
        """Whether the last poll or walk of a list was one that the token may not make."""
        return any(
            error.partition(":")[0] in _REFUSALS
            for name, part in census.scan_figures(self._database).items()
            for error in (part["poll_error"], part["walk_error"])
            if error and name in (*scans(), poll.ORGANIZATION)
        )
