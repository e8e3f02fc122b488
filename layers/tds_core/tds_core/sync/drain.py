"""Fetch what the backlog asks for, by priority, and apply it through the code that webhooks go through.

One drain works at a time. It leases ids, fetches them with as many calls in flight as the budget allows, applies the
answers in one transaction that also ends the leases, and meanwhile fetches the next ones. What is more urgent overtakes
them. Killed anywhere it loses nothing: a lease runs out, and what was applied is found unchanged.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from psycopg import Connection

from tds_core.database import backlog, passes, runs
from tds_core.database.backlog import Lease
from tds_core.database.candidates import Result
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror, count
from tds_core.database.ordering import SKEW, Outcome
from tds_core.database.runs import Run
from tds_core.entities import REGISTRY, entity
from tds_core.errors import (
    ConfigurationError,
    PermitDenied,
    ScopeMissing,
    TdsError,
    TokenUnavailable,
    ZohoThrottled,
)
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.fetch import Fetch, Fetcher

_log = logging.getLogger(__name__)
_TAIL_S = 3.0
_LOOK_S = 0.5
_REJECTED = Outcome.REJECTED
# after these the next call would fare no better: the ids go back untried
_STOPS = (ConfigurationError, PermitDenied, ZohoThrottled, TokenUnavailable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Leased ids and the calls under way for them."""

    held: Lease
    calls: Sequence["Future[list[Fetch]]"]


class Drain:
    """Works off the backlog; what a webhook asked for and is due within `patience_s` is waited for."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        mirror: Mirror,
        fetcher: Fetcher,
        patience_s: float = SKEW.total_seconds(),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._database = database
        self._mirror = mirror
        self._fetcher = fetcher
        self._patience_s = patience_s
        self._sleep = sleep

    def run(self, remaining_s: Callable[[], float]) -> dict[str, int]:
        """Work until nothing is due, the time is up, or the budget says stop.

        What two clocks could not decide is due again within seconds: the next tick would be too late for a webhook.
        A request that comes while the last lease is given back is looked for once more, so that a wake which found
        the drain busy is never lost. Raises ConfigurationError when a person has to act.
        """
        outcomes: dict[str, int] = {}
        while remaining_s() > _TAIL_S and self._due_in_s() is not None:
            with runs.lease(self._database, "drain", duration_s=self._settings.lease_s) as held:
                if held is None:
                    return outcomes
                self._await_due(remaining_s)
                with runs.run(self._database, "drain") as current:
                    stop = self._work(held, current, remaining_s)
                    outcomes = current.outcomes
                    if isinstance(stop, ConfigurationError):
                        raise stop
            if stop is not None:
                _log.warning("drain stopped", extra={"reason": stop.reason, "detail": str(stop)})
                return outcomes
        return outcomes

    def _due_in_s(self) -> float | None:
        return backlog.due_in_s(self._database, patience_s=self._patience_s, down_to=self._reach())

    def _reach(self) -> Priority:
        """The last priority whose ids are fetched now: a history's documents wait until its lists are read."""
        return Priority.HEAL if passes.reads_history(self._database) else Priority.BACKFILL

    def _await_due(self, remaining_s: Callable[[], float]) -> None:
        """Wait until something is due, or nothing is worth it any more."""
        while remaining_s() > _TAIL_S and (wait_s := self._due_in_s()):
            self._sleep(min(wait_s, _LOOK_S))

    def _work(self, held: runs.Lease, current: Run, remaining_s: Callable[[], float]) -> TdsError | None:
        """Work off what is due; returns what made it stop, or at least what a person has to know of.

        Ids that wait for their calls stand behind each other; what is more urgent than those has threads of its own.
        """
        errors: list[TdsError] = []
        before = self._fetcher.calls

        def begin(pool: ThreadPoolExecutor, down_to: Priority | None = None) -> Work | None:
            if any(map(_is_stop, errors)) or remaining_s() <= _TAIL_S or not held.beat():
                return None
            return self._begin(pool, remaining_s, self._reach() if down_to is None else down_to)

        def complete(work: Work) -> None:
            if error := self._complete(work, current):
                errors.append(error)

        threads = self._settings.in_flight_limit
        with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(threads) as overtaking:
            work = self._begin(pool, remaining_s, self._reach())
            while work is not None:
                following = begin(pool)
                while work.held.priority and wait(work.calls, timeout=_LOOK_S).not_done:
                    if urgent := begin(overtaking, Priority(work.held.priority - 1)):
                        complete(urgent)
                complete(work)
                work = following or begin(pool)
        current.zoho_calls = self._fetcher.calls - before
        return next(filter(_is_stop, reversed(errors)), errors[-1] if errors else None)

    def _begin(self, pool: ThreadPoolExecutor, remaining_s: Callable[[], float], down_to: Priority) -> Work | None:
        """Lease the most urgent ids and start their calls."""
        single = 2 * self._settings.in_flight_limit
        sizes = {name: n if (n := spec.fetched_together) > 1 else single for name, spec in REGISTRY.items()}
        held = backlog.lease(self._database, sizes=sizes, duration_s=self._settings.lease_s, down_to=down_to)
        if held is None:
            return None
        spec = entity(held.entity)
        groups = [held.ids] if spec.fetched_together > 1 else [[document_id] for document_id in held.ids]

        def wait_s() -> float:
            return max(remaining_s() - _TAIL_S, 0)

        calls = [pool.submit(self._fetcher.fetch, spec, group, held.priority, wait_s) for group in groups]
        return Work(held=held, calls=calls)

    def _complete(self, work: Work, current: Run) -> TdsError | None:
        """Wait for the calls, apply what they brought, end the leases; returns what makes the drain stop.

        A scope that is missing for one endpoint is told of, but stops nothing.
        """
        fetches = [fetch for call in work.calls for fetch in call.result()]
        spec, held = entity(work.held.entity), work.held
        by_id = {fetch.id: fetch for fetch in fetches}

        def completion(connection: Connection, results: Sequence[Result]) -> None:
            self._end_leases(connection, held, results, by_id)

        candidates = [
            fetch.candidate.forced() if fetch.id in held.forced else fetch.candidate
            for fetch in fetches
            if fetch.candidate is not None
        ]
        results = self._mirror.apply(spec, candidates, priority=held.priority, completion=completion)
        current.add(spec.name, count(results))
        self._settle_others(held, [fetch for fetch in fetches if fetch.candidate is None])
        errors = [fetch.error for fetch in fetches]
        stops = [error for error in errors if _is_stop(error)]
        return next((error for error in (*stops, *errors) if isinstance(error, _STOPS)), None)

    def _end_leases(
        self, connection: Connection, held: Lease, results: Sequence[Result], fetches: Mapping[str, Fetch]
    ) -> None:
        lagging = [result.candidate.id for result in results if result.lagging]
        rejected = {result.candidate.id: result.reason or "" for result in results if result.outcome is _REJECTED}
        # between the two clocks only a fetch that begins more than SKEW after the webhook can decide
        doubtful = {result.candidate.id for result in results if result.requested} - set(lagging) - set(rejected)
        settled = {result.candidate.id for result in results} - set(lagging) - set(rejected) - doubtful
        backlog.finish(
            connection, held, {document_id: fetches[document_id].began_at for document_id in sorted(settled)}
        )
        backlog.hold(connection, held, sorted(doubtful), delay_s=SKEW.total_seconds())
        backlog.await_replica(connection, held, lagging, delay_s=self._settings.lag_retry_s)
        for document_id, reason in rejected.items():
            backlog.postpone(connection, held, [document_id], delay_s=self._settings.backoff_base_s, reason=reason)
        for document_id in {result.candidate.id for result in results}:
            self._pass_on(connection, held, fetches[document_id])

    def _settle_others(self, held: Lease, fetches: Sequence[Fetch]) -> None:
        """What brought no candidate: of another entity, refused by the budget, or failed."""
        with self._database.transaction() as connection:
            for fetch in fetches:
                if fetch.error is None:
                    backlog.finish(connection, held, {fetch.id: fetch.began_at})
                    self._pass_on(connection, held, fetch)
                elif _is_stop(fetch.error):
                    backlog.release(connection, held, [fetch.id])
                else:
                    reason = f"{fetch.error.reason}: {fetch.error}"
                    backlog.postpone(connection, held, [fetch.id], delay_s=self._settings.backoff_base_s, reason=reason)

    def _pass_on(self, connection: Connection, held: Lease, fetch: Fetch) -> None:
        """A contact asked for as a customer that is a vendor: ask for it there."""
        if fetch.belongs_to:
            backlog.request(
                connection,
                fetch.belongs_to,
                [fetch.id],
                priority=held.priority,
                cause="other entity",
                forced=fetch.id in held.forced,
            )


def _is_stop(error: TdsError | None) -> bool:
    return isinstance(error, _STOPS) and not isinstance(error, ScopeMissing)
