"""Ask Zoho about what is suspected: have it fetched and healed, or fetch and judge it without writing anything."""

from collections.abc import Callable
from datetime import timedelta
from math import ceil
from typing import Any, Protocol

from tds_core.database import drift, runs, tracks, verifications
from tds_core.database.connection import Database
from tds_core.database.verifications import Verification
from tds_core.entities import entity, scans
from tds_core.errors import DatabaseUnavailable, PermitDenied, TokenUnavailable, ZohoThrottled
from tds_core.plain import exact
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.fetch import Fetch, Fetcher

# nobody may ask Zoho now: the run waits
STOPS = (PermitDenied, ZohoThrottled, TokenUnavailable)
# what is not fetched for so long is told as it is
_FETCH_PATIENCE = timedelta(hours=6)


class Waker(Protocol):
    """Starts the drain now, or leaves it to its schedule."""

    def wake(self) -> None:
        """Start it."""


class Confirmation:
    """A step of verification."""

    def __init__(self, settings: Settings, *, database: Database, fetcher: Fetcher, waker: Waker) -> None:
        self._settings = settings
        self._database = database
        self._fetcher = fetcher
        self._waker = waker

    def await_healing(self, run: Verification) -> Verification | None:
        """Have everything open fetched, then wait for it; None while something is still to be fetched."""
        if "requested_calls" not in run.place:
            return self._request(run)
        for name in drift.open_entities(self._database, run.run_id):
            with self._database.transaction() as connection:
                margin_s = self._settings.verification_margin_s
                drift.settle(connection, run.run_id, entity(name), margin_s=margin_s)
        is_late = runs.cursor(self._database, next(iter(scans()))).now - run.phase_at > _FETCH_PATIENCE
        if drift.open_entities(self._database, run.run_id) and not is_late:
            self._waker.wake()
            return None
        with self._database.transaction() as connection:
            drift.leave(connection, run.run_id, "not fetched in time")
            return verifications.move(connection, run, place=run.place, phase="images")

    def _request(self, run: Verification) -> Verification | None:
        with self._database.transaction() as connection:
            specs = [entity(name) for name in run.entities]
            for spec in specs:
                tracks.believe_document(connection, run.run_id, spec)
            calls = sum(ceil(drift.request(connection, run.run_id, spec) / spec.fetched_together) for spec in specs)
            moved = verifications.move(connection, run, place={**run.place, "requested_calls": calls})
        if calls:
            self._waker.wake()
        return moved

    def ask(self, run: Verification, remaining_s: Callable[[], float]) -> Verification | None:
        """Fetch some suspicions and judge them without writing to the mirror; beyond a bound they stay suspicions."""
        asked = run.place.get("asked", 0)
        name, ids = next(iter(drift.open_ids(self._database, run.run_id).items()), ("", []))
        if not ids or asked >= self._settings.verification_fetches:
            with self._database.transaction() as connection:
                drift.leave(connection, run.run_id, "not to be healed" if not ids else "not fetched: too many")
                return verifications.move(connection, run, place=run.place, phase="images")
        spec = entity(name)
        part = ids[: spec.fetched_together]
        fetches = self._fetcher.fetch(spec, part, Priority.VERIFICATION, remaining_s)
        for fetch in fetches:
            if isinstance(fetch.error, (*STOPS, DatabaseUnavailable)):
                raise fetch.error
        with self._database.transaction() as connection:
            shown = {one.id: _shown(one) for one in fetches if one.error is None}
            drift.judge(connection, run.run_id, spec, shown, margin_s=self._settings.verification_margin_s)
            for fetch in fetches:
                if fetch.error is not None:
                    drift.leave(connection, run.run_id, f"{fetch.error.reason}: {fetch.error}", ids=[fetch.id])
            return verifications.move(connection, run, place={**run.place, "asked": asked + len(part)})


def _shown(fetch: Fetch) -> dict[str, Any] | None:
    """What Zoho says of a record by itself: its columns as JSON, None if it is gone or of another entity."""
    if fetch.candidate is None or not fetch.candidate.columns:
        return None
    version = fetch.candidate.observation.version
    columns = {name: exact(value) for name, value in fetch.candidate.columns.items()}
    comparable = fetch.candidate.observation.comparable and version is not None
    return columns | ({"last_modified_time": version.isoformat()} if comparable and version else {})
