"""Find what changed without a webhook: each scan by the means that its list offers."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from tds_core.database import backlog, runs
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.runs import Cursor, Lease, Run
from tds_core.entities import scans
from tds_core.entities.model import parse_instant
from tds_core.entities.spec import EntitySpec, LookBack, ModifiedSince, NewestFirst, Purpose, WholeList
from tds_core.errors import DatabaseUnavailable, FilterIgnored, PermitDenied, RetriableError, TdsError, ZohoThrottled
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.cadence import Cadence
from tds_core.sync.pages import apply_page
from tds_core.zoho import status
from tds_core.zoho.client import ListPage, UnifiedZohoClient

# its row among the cursors
ORGANIZATION = "organization"
_RESOLUTION = timedelta(seconds=1)
_SHORT_LIST_ROWS = 4_000
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
        self._database = database
        self._mirror = mirror
        self._client = client
        self._clock = clock

    def run(self, *, force: bool = False) -> dict[str, int]:
        """Poll what the cadence makes due, or everything. A failed scan costs no other one its round.

        A used-up budget is no failure: the next tick goes on. Raises any other error after the last scan; its cursor
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
                for scan, specs in scans().items():
                    cursor = cursors[scan]
                    self._refetch(specs, cursor, cadence, force=force)
                    if not force and not _is_due(specs[0].cadence, cursor, cadence):
                        continue
                    try:
                        if not (held.beat() and self._poll(specs, cursor, cadence, held, current, force=force)):
                            break
                    except TdsError as exc:
                        failures.append(exc)
                        self._fail(specs[0].cadence, cursor, cadence, exc)
                for failure in failures:
                    if not isinstance(failure, PermitDenied | ZohoThrottled):
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

    def _poll(
        self,
        specs: tuple[EntitySpec, ...],
        cursor: Cursor,
        cadence: Cadence,
        held: Lease,
        current: Run,
        *,
        force: bool,
    ) -> bool:
        """One round of one list; returns whether the lease was held to its end; else another round counts."""
        overlap = timedelta(seconds=self._settings.overlap_s)
        # until a walk has ended, what changed behind it is found from where it began
        since = cursor.changed_since or (cursor.walk_started_at or cursor.now) - overlap
        first: ListPage | None = None
        for page in self._pages(specs[0], since, cursor, cadence, force=force):
            first = first or page
            current.zoho_calls += 1
            apply_page(self._mirror, specs, page, run=current, source="poll", priority=Priority.POLL)
            if not held.beat():
                return False
        if first is not None:
            runs.store_poll(self._database, cursor.scan, changed_since=first.served_at - overlap, polled_at=cursor.now)
        return True

    def _fail(self, purpose: Purpose, cursor: Cursor, cadence: Cadence, error: TdsError) -> None:
        """Let people see it, and let no failing list take more calls than its cadence gives it."""
        _log.error("poll failed", extra={"scan": cursor.scan, "reason": error.reason, "detail": str(error)})
        if isinstance(error, DatabaseUnavailable):
            return
        retry_at = cadence.retry_at(purpose, cursor.now, is_transient=isinstance(error, RetriableError))
        runs.fail_poll(self._database, cursor.scan, error=error, retry_at=retry_at)

    def _refetch(self, specs: tuple[EntitySpec, ...], cursor: Cursor, cadence: Cadence, *, force: bool) -> None:
        """Ask anew for the documents that change without a version."""
        for spec in specs:
            if spec.refetch and (force or cadence.is_due(spec.refetch, cursor.refetched_at, cursor.now)):
                with self._database.transaction() as connection:
                    backlog.request_anew(connection, spec, priority=Priority.POLL)
                    runs.store_refetch(connection, cursor.scan, at=cursor.now)

    def _pages(
        self, spec: EntitySpec, since: datetime, cursor: Cursor, cadence: Cadence, *, force: bool
    ) -> Iterator[ListPage]:
        """The pages that hold every row changed since then; of a look-back sometimes only the first one."""
        match spec.changes:
            case ModifiedSince(sort_column=column):
                yield from self._filtered(spec, since, column)
            case NewestFirst(sort_column=column):
                yield from self._newest(spec, column, "last_modified_time", since, rows=cursor.walked_rows)
            case LookBack(date_column=column, days=days, deeper=deeper):
                first_day = (cursor.now.astimezone(cadence.zone) - timedelta(days=days)).date()
                midnight = datetime.combine(first_day, datetime.min.time(), cadence.zone)
                found = self._newest(spec, column, column, midnight, rows=cursor.walked_rows)
                is_whole = force or cadence.begins(deeper, cursor.polled_at, cursor.now)
                yield from found if is_whole else islice(found, 1)
            case WholeList():
                yield from self._list(spec, {})

    def _filtered(self, spec: EntitySpec, since: datetime, column: str) -> Iterator[ListPage]:
        """Rows by `last_modified_time`, each one checked: some of Zoho's lists ignore the filter silently."""
        parameters = {"last_modified_time": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")}
        for page in self._list(spec, parameters | {"sort_column": column, "sort_order": "D"}):
            yield page
            if any(_is_before(row, "last_modified_time", since - _RESOLUTION) for row in page.rows):
                raise FilterIgnored(f"{spec.name}: the list ignores last_modified_time")

    def _newest(self, spec: EntitySpec, column: str, key: str, since: datetime, *, rows: int) -> Iterator[ListPage]:
        """Pages from the newest back to `since`; all of them where a short list ignores the order.

        A long one would cost a day's calls, so that is told like an ignored filter and left to the nightly walk.
        """
        for page in self._list(spec, {"sort_column": column, "sort_order": "D"}):
            yield page
            if page.sort_column == column:
                if page.rows and _is_before(page.rows[-1], key, since):
                    return
            elif rows > _SHORT_LIST_ROWS and page.has_more:
                raise FilterIgnored(f"{spec.name}: the list ignores the order by {column}")

    def _list(self, spec: EntitySpec, parameters: Mapping[str, str]) -> Iterator[ListPage]:
        number = 1
        while True:
            page = self._client.list_page(
                spec,
                page=number,
                priority=Priority.POLL,
                parameters=parameters,
                permit_wait_s=self._settings.work_s,
            )
            yield page
            if not page.has_more:
                return
            number += 1


def _is_due(purpose: Purpose, cursor: Cursor, cadence: Cadence) -> bool:
    if cursor.poll_retry_at:
        return cursor.now >= cursor.poll_retry_at
    return cadence.is_due(purpose, cursor.polled_at, cursor.now)


def _is_before(row: Mapping[str, Any], key: str, limit: datetime) -> bool:
    """Whether the row's time or date lies before the limit; a row without one does not."""
    value = row.get(key)
    if isinstance(value, str) and len(value) == len("2026-01-02"):
        return value < limit.date().isoformat()
    try:
        instant = parse_instant(value)
    except ValueError:
        return False
    return instant is not None and instant < limit
