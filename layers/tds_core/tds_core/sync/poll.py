"""Find what changed without a webhook: each scan by the means that its list offers."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from math import inf

from tds_core.database import backlog, runs
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.runs import Cursor, Lease, Run
from tds_core.entities import scans
from tds_core.entities.spec import EntitySpec, Purpose
from tds_core.errors import DatabaseUnavailable, OutOfTime, PermitDenied, RetriableError, TdsError, ZohoThrottled
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.cadence import Cadence
from tds_core.sync.pages import apply_page
from tds_core.sync.rounds import Round
from tds_core.zoho import status
from tds_core.zoho.client import ListPage, UnifiedZohoClient

# its row among the cursors
ORGANIZATION = "organization"
_log = logging.getLogger(__name__)


class Poll:
    """One round over every scan that is due, by the database's clock or the one that is given."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        mirror: Mirror,
        client: UnifiedZohoClient,
        clock: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._overlap = timedelta(seconds=settings.overlap_s)
        self._database = database
        self._mirror = mirror
        self._client = client
        self._clock = clock

    def run(self, remaining_s: Callable[[], float] = lambda: inf, *, force: bool = False) -> dict[str, int]:
        """Poll what the cadence makes due, or everything, as long as the time lasts.

        A failed scan costs no other one its round; one that failed or found no end last time comes last. A used-up
        budget or time is no failure: the next tick goes on. Raises any other error after the last scan; its cursor
        has not moved, so nothing is lost.
        """
        failures: list[TdsError] = []
        with runs.lease(self._database, "poll", duration_s=self._settings.lease_s) as held:
            if held is None:
                return {}
            with runs.run(self._database, "poll") as current:
                cursors = runs.cursors(self._database, [ORGANIZATION, *scans()], at=self._clock())
                failures += self._check_organization(cursors[ORGANIZATION], current, force=force)
                cadence = self._cadence()
                for scan, specs in sorted(scans().items(), key=lambda item: cursors[item[0]].poll_retry_at is not None):
                    cursor = cursors[scan]
                    self._refetch(specs, cursor, cadence, force=force)
                    if not force and not _is_due(specs[0].cadence, cursor, cadence):
                        continue
                    try:
                        if remaining_s() <= 0 or not held.beat():
                            break
                        read = partial(self._read, specs[0], remaining_s)
                        seen = self._round(specs[0], cursor, cadence, read, force=force)
                        if not self._poll(specs, cursor, seen, held, current):
                            break
                    except TdsError as exc:
                        failures.append(exc)
                        self._fail(specs[0].cadence, cursor, cadence, exc)
                for failure in failures:
                    if not isinstance(failure, PermitDenied | ZohoThrottled | OutOfTime):
                        raise failure
            return current.outcomes

    def _cadence(self) -> Cadence:
        day = status.day(self._settings, self._database)
        return Cadence.of(self._settings, day_limit=day.limit, zone=day.zone)

    def _check_organization(self, cursor: Cursor, current: Run, *, force: bool) -> list[TdsError]:
        """Once a day, see that the organisation is the token's, and in which zone its days end; returns what failed.

        A person who asks for a round after a failure is answered at once.
        """
        cadence = self._cadence()
        if not (_is_due("daily", cursor, cadence) or (force and cursor.poll_retry_at)):
            return []
        try:
            current.zoho_calls += 1
            seen = self._client.organization(Priority.POLL, permit_wait_s=self._settings.work_s)
            runs.store_poll(self._database, cursor.scan, changed_since=seen.observed_at, polled_at=cursor.now)
        except TdsError as exc:
            self._fail("daily", cursor, cadence, exc)
            return [exc]
        return []

    def _round(
        self,
        spec: EntitySpec,
        cursor: Cursor,
        cadence: Cadence,
        read: Callable[[int, Mapping[str, str]], ListPage],
        *,
        force: bool,
    ) -> Round:
        # until a walk has ended, what changed behind it is found from where it began
        since = cursor.changed_since or (cursor.walk_started_at or cursor.now) - self._overlap
        return Round(spec=spec, cursor=cursor, cadence=cadence, since=since, whole=force, read=read)

    def _poll(self, specs: tuple[EntitySpec, ...], cursor: Cursor, seen: Round, held: Lease, current: Run) -> bool:
        """One round of one list; returns whether the lease was held to its end; else another round counts."""
        first: ListPage | None = None
        for page in seen.pages():
            first = first or page
            current.zoho_calls += 1
            apply_page(self._mirror, specs, page, run=current, source="poll", priority=Priority.POLL)
            if not held.beat():
                return False
        if first is not None:
            # a server whose clock is ahead must not let the next round begin behind what it has not shown yet
            reached = min(first.served_at, first.observed_at) - self._overlap if seen.is_sure else seen.since
            runs.store_poll(self._database, cursor.scan, changed_since=reached, polled_at=cursor.now)
        return True

    def _fail(self, purpose: Purpose, cursor: Cursor, cadence: Cadence, error: TdsError) -> None:
        """Let people see it, and let no failing list take more calls than its cadence gives it."""
        _log.error("poll failed", extra={"scan": cursor.scan, "reason": error.reason, "detail": str(error)})
        if isinstance(error, DatabaseUnavailable):
            return
        retry_at = cadence.retry_at(purpose, cursor.now, is_transient=isinstance(error, RetriableError))
        retry_at = cursor.now if isinstance(error, OutOfTime) else retry_at
        runs.fail_poll(self._database, cursor.scan, error=error, retry_at=retry_at)

    def _refetch(self, specs: tuple[EntitySpec, ...], cursor: Cursor, cadence: Cadence, *, force: bool) -> None:
        """Ask anew for the documents that change without a version."""
        for spec in specs:
            if spec.refetch and (force or cadence.is_due(spec.refetch, cursor.refetched_at, cursor.now)):
                with self._database.transaction() as connection:
                    backlog.request_anew(connection, spec, priority=Priority.POLL)
                    runs.store_refetch(connection, cursor.scan, at=cursor.now)

    def _read(
        self, spec: EntitySpec, remaining_s: Callable[[], float], number: int, parameters: Mapping[str, str]
    ) -> ListPage:
        if (left_s := remaining_s()) <= 0:
            raise OutOfTime(f"page {number} and those behind it were not reached; the next round begins anew")
        wait_s = min(self._settings.work_s, left_s)
        return self._client.list_page(
            spec, page=number, priority=Priority.POLL, parameters=parameters, permit_wait_s=wait_s
        )


def _is_due(purpose: Purpose, cursor: Cursor, cadence: Cadence) -> bool:
    if cursor.poll_retry_at:
        return cursor.now >= cursor.poll_retry_at
    return cadence.is_due(purpose, cursor.polled_at, cursor.now)
