"""Prove that the mirror is Zoho's equal, and heal it where it is not.

Its phases are lists, own documents, the oldest, confirmation, images, report.

A run is a row (`database/verifications.py`) that any worker goes on with: every step is bounded, takes effect once, and
moves the row in the transaction of its effect. What a step asked Zoho for, the drain fetches and applies.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from tds_core.database import checks, comparison, drift, excuses, mappings, runs, stored, strays, tracks, verifications
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror, count
from tds_core.database.runs import Lease, Run
from tds_core.database.verifications import Verification
from tds_core.entities import entity, scans
from tds_core.entities.spec import EntitySpec
from tds_core.errors import DatabaseUnavailable, RetriableError, TdsError
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync import aging, recompute, report
from tds_core.sync.alert import AGE, REMAINING, Alert
from tds_core.sync.cadence import Cadence, Listed
from tds_core.sync.confirm import STOPS, Confirmation, Waker
from tds_core.sync.fetch import Fetcher
from tds_core.sync.image_proof import ImageProof
from tds_core.sync.lists import ListReader
from tds_core.sync.pages import read_page
from tds_core.sync.tally import Tally
from tds_core.zoho import status
from tds_core.zoho.client import ListPage, UnifiedZohoClient

_log = logging.getLogger(__name__)
_NIGHT_H = 3
_BATCH = 500
_LONG_AGO = timedelta(days=400)
# a list that fails for so long is told of
_LIST_PATIENCE = timedelta(hours=2)


class Verify:
    """Goes on with the run that is open, or opens the night's."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        mirror: Mirror,
        client: UnifiedZohoClient,
        fetcher: Fetcher,
        waker: Waker,
        alert: Alert,
        images: ImageProof,
        clock: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._mirror = mirror
        self._fetcher = fetcher
        self._confirmation = Confirmation(settings, database=database, fetcher=fetcher, waker=waker)
        self._alert = alert
        self._images = images
        self._clock = clock
        self._lists = ListReader(settings, database=database, client=client)
        self._counted = 0

    def run(self, remaining_s: Callable[[], float]) -> dict[str, int]:
        """Work until the run is over, waits for its fetches, or the time is up; the next tick goes on.

        A used-up budget is no failure. Raises any other TdsError; the run stays where it is.
        """
        with runs.lease(self._database, "verification", duration_s=self._settings.lease_s) as held:
            if held is None:
                return {}
            self._measure()
            self._open_tonight()
            run = verifications.current(self._database, at=self._clock())
            if run is None:
                return {}
            if waiting := mappings.outdated(self._database, map(entity, run.entities)):
                _log.info("verification waits", extra={"reason": "rows are written by a new mapping", "of": waiting})
                return {}
            with runs.run(self._database, "verification") as current:
                self._counted = self._fetcher.calls
                try:
                    self._go_on(run, held, current, remaining_s)
                except STOPS as exc:
                    _log.info("verification waits", extra={"reason": exc.reason, "detail": str(exc)})
                except TdsError as exc:
                    if not isinstance(exc, DatabaseUnavailable):
                        verifications.fail(self._database, run.run_id, error=f"{exc.reason}: {exc}")
                    raise
                finally:
                    self._count_calls(run)
            return current.outcomes

    def _measure(self) -> None:
        """Tell what the alarms read, whatever the last run covered."""
        remaining = checks.remaining(self._database, checks.compared(self._database))
        between_h = 24 * (self._cadence().row.nights - 1)
        self._alert.gauge(REMAINING, sum(remaining.values()))
        self._alert.gauge(AGE, max(checks.age_h(self._database) - between_h, 0.0))

    def _cadence(self) -> Cadence:
        day = status.day(self._settings, self._database)
        return Cadence.of(self._settings, day_limit=day.limit, zone=day.zone)

    def _open_tonight(self) -> None:
        """From three o'clock of the organisation's night, verify the lists whose turn it is."""
        cursors = runs.cursors(self._database, scans(), at=self._clock())
        verified = runs.cursors(self._database, map(verifications.cursor_name, scans()))
        cadence = self._cadence()
        now = next(iter(cursors.values())).now
        if not cadence.is_night(now) or now.astimezone(cadence.zone).hour < _NIGHT_H:
            return
        listed = [_listed(one, verified[verifications.cursor_name(scan)]) for scan, one in cursors.items()]
        tonight = cadence.tonight(listed, now)
        if tonight and not verifications.is_open(self._database, cause="night"):
            names = [spec.name for scan in scans() if scan in tonight for spec in scans()[scan]]
            verifications.request(self._database, names, cause="night", heal=True)

    def _go_on(self, run: Verification, held: Lease, current: Run, remaining_s: Callable[[], float]) -> None:
        following: Verification | None = run
        while following is not None and held.beat() and remaining_s() > 0:
            run = following
            match run.phase:
                case "lists":
                    following = self._read_list(run, held, current, remaining_s)
                case "local":
                    following = self._recompute(run, current)
                case "oldest":
                    following = self._watch_oldest(run)
                case "confirm" if run.heal:
                    following = self._confirmation.await_healing(run)
                case "confirm":
                    following = self._confirmation.ask(run, remaining_s)
                case "images":
                    following = self._images.step(run, for_s=remaining_s())
                case "report":
                    following = None
                    self._report(run)
            self._count_calls(run)

    # -- lists

    def _read_list(
        self, run: Verification, held: Lease, current: Run, remaining_s: Callable[[], float]
    ) -> Verification | None:
        """Read the next list to its end, or note what it did not show; None when time or lease ran out."""
        done = [*run.place.get("lists", []), *run.place.get("failed", {})]
        wanted = [scan for scan, specs in scans().items() if {spec.name for spec in specs} & {*run.entities}]
        scan = next((one for one in wanted if one not in done), None)
        if scan is None:
            return self._move(run, phase="local")
        verifications.prepare_pass(self._database, scan, since=run.started_at)
        self._doubt_tracks(run, scan)
        cursor = runs.cursor(self._database, verifications.cursor_name(scan), at=self._clock())
        if cursor.walked_at is not None and cursor.walked_at >= run.started_at:
            return self._end_list(run, scan, cursor)
        try:
            is_over = self._lists.read(
                scans()[scan],
                cursor,
                lambda page: self._take(run, scan, page, current),
                priority=Priority.VERIFICATION,
                held=held,
                run=current,
                remaining_s=remaining_s,
            )
        except TdsError as exc:
            is_lasting = not isinstance(exc, RetriableError) or cursor.now - run.phase_at > _LIST_PATIENCE
            if isinstance(exc, (*STOPS, DatabaseUnavailable)) or not is_lasting:
                raise
            _log.error("list not verified", extra={"scan": scan, "reason": exc.reason, "detail": str(exc)})
            failed = {**run.place.get("failed", {}), scan: f"{exc.reason}: {exc}"}
            return self._move(run, place={**run.place, "failed": failed})
        return run if is_over else None

    def _doubt_tracks(self, run: Verification, scan: str) -> None:
        """Before pages are compared: a row that was seen in the future would be in motion for ever."""
        for spec in scans()[scan]:
            if spec.name in run.entities:
                with self._database.transaction() as connection:
                    tracks.note_impossible(connection, run.run_id, spec)
                    if run.heal:
                        tracks.end_impossible(connection, spec)

    def _take(self, run: Verification, scan: str, page: ListPage, current: Run) -> None:
        """Compare a page before anything of it is applied."""
        for spec, candidates in read_page(scans()[scan], page, run=current, source="verification"):
            if spec.name in run.entities:
                margin_s = self._settings.verification_margin_s
                at = page.observed_at
                comparison.compare(self._database, run.run_id, spec, candidates, at=at, margin_s=margin_s)
            if run.heal:
                ids = [one.id for one in candidates]
                with self._database.transaction() as connection:
                    tracks.believe_list(connection, run.run_id, spec, ids)
                wrong = drift.suspected(self._database, run.run_id, spec, ids)
                candidates = [one.forced() if one.id in wrong else one for one in candidates]
                results = self._mirror.apply(spec, candidates, priority=Priority.VERIFICATION)
                current.add(spec.name, count(results))

    def _end_list(self, run: Verification, scan: str, cursor: runs.Cursor) -> Verification | None:
        assert cursor.walked_at is not None
        with self._database.transaction() as connection:
            for spec in scans()[scan]:
                if spec.name in run.entities:
                    comparison.absent(connection, run.run_id, spec, began_at=cursor.walked_at)
            if run.heal:
                verifications.count_as_walk(connection, cursor, scan)
            place = {**run.place, "lists": [*run.place.get("lists", []), scan]}
            return verifications.move(connection, run, place=place)

    # -- the mirror's own documents

    def _recompute(self, run: Verification, current: Run) -> Verification | None:
        """Hold one batch of rows against their own documents; costs no call."""
        name = run.place.get("entity") or run.entities[0]
        spec, tally = entity(name), Tally(run.place.get("tally"))
        rows = stored.batch(self._database, spec, after=run.place.get("after", ""), limit=_BATCH)
        found: list[drift.Difference] = []
        for row in rows:
            said = recompute.expected(spec, row)
            found += recompute.differences(spec, row, said)
            tally.add(spec, row, said)
        tally.add_orphans(self._database, spec, rows)
        is_last = len(rows) < _BATCH
        following = next(iter(run.entities[run.entities.index(name) + 1 :]), None) if is_last else name
        place = {key: value for key, value in run.place.items() if key not in ("entity", "after", "tally")}
        if following is not None:
            place |= {"entity": following, "after": "" if is_last else rows[-1].id}
        with self._database.transaction() as connection:
            drift.record_local(connection, run.run_id, spec, found)
            if is_last:
                _note_strays(connection, run, spec, tally)
            if is_last and run.heal:
                stored.request_forgotten(connection, spec)
            place["tally"] = tally.figures
            phase = None if following is not None else "oldest"
            return verifications.move(connection, run, place=place, phase=phase)  # type: ignore[arg-type]

    def _watch_oldest(self, run: Verification) -> Verification | None:
        """Of a night, have the documents fetched that were not seen for longest: what changed without a version."""
        chosen: dict[str, list[str]] = {}
        if run.cause == "night":
            limit = aging.calls_a_day(self._settings, status.day(self._settings, self._database).limit)
            chosen = aging.choose(self._database, run.entities, limit=limit)
        with self._database.transaction() as connection:
            for name, ids in chosen.items():
                drift.watch(connection, run.run_id, entity(name), ids)
            return verifications.move(connection, run, place=run.place, phase="confirm")

    # -- its end

    def _report(self, run: Verification) -> None:
        """End the run, unless a deletion that it found may still be announced: then the next tick does."""
        if excuses.may_come(self._database, run.run_id, within_s=self._settings.announced_within_s):
            return
        for name in run.entities:
            with self._database.transaction() as connection:
                margin_s = self._settings.verification_margin_s
                excuses.announced(connection, run.run_id, entity(name), margin_s=margin_s)
                excuses.correct(connection, run.run_id, entity(name))
        counted = verifications.current(self._database)  # with the calls of its last step
        if counted is not None:
            made = report.make(self._settings, self._database, counted)
            self._alert.tell(made)  # before the run is closed: told twice is better than not at all
            verifications.close(self._database, counted, made)
            self._measure()

    def _count_calls(self, run: Verification) -> None:
        calls, self._counted = self._fetcher.calls - self._counted, self._fetcher.calls
        if calls:
            verifications.count_calls(self._database, run.run_id, calls)

    def _move(self, run: Verification, **where: Any) -> Verification | None:
        with self._database.transaction() as connection:
            return verifications.move(connection, run, **({"place": run.place} | where))


def _note_strays(connection: Connection, run: Verification, spec: EntitySpec, tally: Tally) -> None:
    """Count the child rows without a parent on the mirror's side, and take them away if the run heals."""
    for table in spec.children:
        while found := strays.note(connection, run.run_id, spec, table, remove=run.heal):
            tally.add_strays(table, found)
            if not run.heal or len(found) < strays.LIMIT:
                break


def _listed(walked: runs.Cursor, verified: runs.Cursor) -> Listed:
    """A list as the choice of tonight's takes it: its turn goes by its last verification, not by its last walk."""
    never = walked.walked_at and walked.walked_at - _LONG_AGO
    return Listed(
        scan=walked.scan,
        rows=walked.walked_rows,
        walked_at=(verified.walked_at or never) if walked.walked_at else None,
        is_under_way=verified.walk_page is not None,
    )
