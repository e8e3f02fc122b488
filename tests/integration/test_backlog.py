"""The backlog on a real PostgreSQL: nothing asked for is lost, and nothing is fetched by two."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from tds_core.database import backlog
from tds_core.database.backlog import MAX_ATTEMPTS, MAX_LAGS, Lease
from tds_core.database.connection import Database
from tds_core.priority import Priority

SIZES = {"invoices": 10, "payments": 10}
BASE_S = 60.0


def request(
    database: Database, *ids: str, name: str = "invoices", priority: Priority = Priority.POLL, **fields: Any
) -> None:
    """Ask for documents in a transaction of its own."""
    with database.transaction() as connection:
        backlog.request(connection, name, ids, priority=priority, cause=priority.name.lower(), **fields)


def lease(database: Database, size: int = 10, duration_s: float = 120) -> Lease:
    """Take what is due, which must be something."""
    held = backlog.lease(database, sizes=dict.fromkeys(SIZES, size), duration_s=duration_s)
    assert held is not None
    return held


def nothing_due(database: Database) -> bool:
    """Whether the backlog says that there is nothing to take, and gives nothing."""
    return backlog.due_in_s(database) is None and backlog.lease(database, sizes=SIZES, duration_s=120) is None


def now(database: Database) -> datetime:
    """PostgreSQL's clock: what a permit would say."""
    at: datetime = database.execute("SELECT clock_timestamp()")[0][0]
    return at


def finish(database: Database, held: Lease, began_at: datetime, ids: Sequence[str] | None = None) -> None:
    """End a fetch."""
    with database.transaction() as connection:
        backlog.finish(connection, held, dict.fromkeys(held.ids if ids is None else ids, began_at))


def postpone(database: Database, held: Lease, reason: str = "ZohoUnavailable") -> None:
    """End a failed fetch."""
    with database.transaction() as connection:
        backlog.postpone(connection, held, held.ids, delay_s=BASE_S, reason=reason)


def await_replica(database: Database, held: Lease) -> None:
    """End a fetch that showed an older state."""
    with database.transaction() as connection:
        backlog.await_replica(connection, held, held.ids, delay_s=60)


def row(database: Database, columns: str, document_id: str = "1") -> tuple[Any, ...]:
    """Columns of one row."""
    (found,) = database.execute(f"SELECT {columns} FROM tds.backlog WHERE id = %s", (document_id,))
    return tuple(found)


def ids(database: Database) -> list[str]:
    """The ids on the backlog."""
    return [found[0] for found in database.execute("SELECT id FROM tds.backlog ORDER BY id")]


def let_pass(database: Database, seconds: float) -> None:
    """Let time pass for everything on the backlog."""
    columns = ("requested_at", "not_before", "leased_until", "parked_at")
    shifts = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
    database.execute(f"UPDATE tds.backlog SET {shifts}", {"by": timedelta(seconds=seconds)})


# requests


def test_a_fetch_removes_what_was_asked_for_before_it(database: Database) -> None:
    request(database, "1", "2", "1")
    held = lease(database)
    assert held.ids == ["1", "2"]
    finish(database, held, now(database), ["1"])
    assert ids(database) == ["2"]


def test_a_request_while_its_fetch_is_in_flight_is_never_lost(database: Database) -> None:
    request(database, "1")
    held, began_at = lease(database), now(database)
    request(database, "1")
    assert nothing_due(database), "its fetch is still in flight"
    finish(database, held, began_at)
    assert lease(database).ids == ["1"]


def test_a_request_of_a_transaction_that_outlived_another_does_not_hide_it(connect: Callable[[], Database]) -> None:
    slow, quick = connect(), connect()
    request(quick, "1")
    with slow.transaction() as connection:
        connection.execute("SELECT now()")
        held, began_at = lease(quick), now(quick)
        request(quick, "1")
        backlog.request(connection, "invoices", ["1"], priority=Priority.POLL, cause="slow")
    finish(quick, held, began_at)
    assert ids(quick) == ["1"], "what was asked for after the fetch began is still asked for"


def test_a_request_that_adds_nothing_writes_nothing_and_is_served_by_a_fetch_that_begins_after_it(
    connect: Callable[[], Database],
) -> None:
    slow, quick = connect(), connect()
    request(quick, "1")
    before = row(quick, "ctid, requested_at")
    with slow.transaction() as connection:
        backlog.request(connection, "invoices", ["1"], priority=Priority.POLL, cause="again")
        assert backlog.lease(quick, sizes={"invoices": 5}, duration_s=120) is None, "nobody takes it meanwhile"
    assert row(quick, "ctid, requested_at") == before
    assert lease(quick).ids == ["1"]


def test_a_request_raises_the_priority_and_never_lowers_it(database: Database) -> None:
    for priority, expected in ((6, (6, "backfill")), (2, (2, "poll")), (4, (2, "poll")), (0, (0, "webhook"))):
        request(database, "1", priority=Priority(priority))
        assert row(database, "priority, cause") == expected


def test_a_request_brings_the_time_forward_and_never_back(database: Database) -> None:
    request(database, "1", hold_s=600)
    assert nothing_due(database)
    request(database, "1", hold_s=60)
    request(database, "1", hold_s=3600)
    let_pass(database, 61)
    assert lease(database).ids == ["1"]


def test_what_every_fetch_asks_for_again_comes_later_each_time(database: Database) -> None:
    request(database, "1")
    for wait_s in (5, 10, 20, 40):
        held = lease(database)
        with database.transaction() as connection:
            backlog.hold(connection, held, held.ids, delay_s=5)
        let_pass(database, wait_s - 1)
        assert nothing_due(database)
        let_pass(database, 1)
    database.execute("UPDATE tds.backlog SET doubts = 1000")
    held = lease(database)
    with database.transaction() as connection:
        backlog.hold(connection, held, held.ids, delay_s=5)
    let_pass(database, 600)
    held = lease(database)
    assert row(database, "attempts, parked_at") == (0, None), "a doubt is no failure"


def test_the_same_id_of_two_entities_is_two_requests(database: Database) -> None:
    request(database, "1")
    request(database, "1", name="payments")
    assert {lease(database).entity, lease(database).entity} == {"invoices", "payments"}


# leases


def test_the_most_urgent_go_first_and_of_them_the_newest(database: Database) -> None:
    for number, priority in enumerate((6, 2, 2, 0)):
        request(database, str(number), priority=Priority(priority))
    taken = [(held.ids, held.priority) for held in (lease(database, size=1) for _ in range(4))]
    assert taken == [(["3"], 0), (["2"], 2), (["1"], 2), (["0"], 6)]
    assert nothing_due(database)


def test_a_lease_is_of_one_entity_and_as_large_as_its_size(database: Database) -> None:
    request(database, *map(str, range(5)))
    request(database, *map(str, range(5)), name="payments")
    sizes = {"invoices": 2, "payments": 4}
    held = backlog.lease(database, sizes=sizes, duration_s=120)
    assert held is not None and len(held.ids) == sizes[held.entity]
    assert backlog.lease(database, sizes={"bills": 5}, duration_s=120) is None


def test_an_expired_lease_is_taken_by_another_and_the_first_may_not_end_it(database: Database) -> None:
    request(database, "1")
    first, began_at = lease(database, duration_s=120), now(database)
    assert nothing_due(database)
    let_pass(database, 121)
    second = lease(database)
    assert second.ids == ["1"]
    finish(database, first, began_at)
    postpone(database, first)
    await_replica(database, first)
    with database.transaction() as connection:
        backlog.release(connection, first, first.ids)
    assert row(database, "lease, attempts, lags") == (second.token, 0, 0)
    finish(database, second, now(database))
    assert ids(database) == []


def test_ids_given_back_are_due_at_once_and_count_no_attempt(database: Database) -> None:
    request(database, "1")
    held = lease(database)
    with database.transaction() as connection:
        backlog.release(connection, held, held.ids)
    assert lease(database).ids == ["1"]
    assert row(database, "attempts") == (0,)


def test_two_workers_never_hold_one_id(connect: Callable[[], Database]) -> None:
    request(connect(), *map(str, range(120)))

    def work(database: Database) -> list[str]:
        taken: list[str] = []
        while backlog.due_in_s(database) is not None:
            held = backlog.lease(database, sizes={"invoices": 5}, duration_s=120)
            taken += held.ids if held else []
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = [document_id for some in pool.map(work, [connect() for _ in range(3)]) for document_id in some]
    assert sorted(taken) == sorted(map(str, range(120)))


# failures


def test_failures_wait_longer_each_time_then_park_and_are_retried_daily(database: Database) -> None:
    request(database, "1")
    waits = []
    for attempt in range(1, MAX_ATTEMPTS + 3):
        postpone(database, lease(database), f"failure {attempt}")
        query = "attempts, extract(epoch FROM not_before - now())::float, parked_at IS NOT NULL, reason"
        attempts, wait, parked, reason = row(database, query)
        assert (attempts, parked, reason) == (attempt, attempt >= MAX_ATTEMPTS, f"failure {attempt}")
        waits.append(round(wait, -1))
        assert nothing_due(database)
        let_pass(database, wait + 1)
    assert waits == [60, 120, 240, 480, 960, 86400, 86400, 86400]


def test_the_wait_is_never_longer_than_six_hours(database: Database) -> None:
    request(database, "1")
    with database.transaction() as connection:
        held = lease(database)
        backlog.postpone(connection, held, held.ids, delay_s=1e6, reason="x")
    assert row(database, "not_before <= now() + interval '6 hours'") == (True,)


def test_a_parked_id_that_somebody_asks_for_starts_anew(database: Database) -> None:
    request(database, "1")
    for _ in range(MAX_ATTEMPTS):
        postpone(database, lease(database))
        let_pass(database, 90_000)
    first = row(database, "parked_at")
    postpone(database, lease(database))
    assert row(database, "parked_at") == first, "parked since the first time"
    request(database, "1", priority=Priority.MANUAL)
    assert row(database, "parked_at, attempts, priority") == (None, 0, Priority.MANUAL)
    assert lease(database).ids == ["1"]


def test_a_request_does_not_forget_the_attempts_of_an_id_that_is_not_parked(database: Database) -> None:
    request(database, "1")
    postpone(database, lease(database))
    request(database, "1")
    assert row(database, "attempts, not_before <= now()") == (1, True)


def test_a_lagging_replica_is_asked_three_times_then_the_id_is_parked(database: Database) -> None:
    request(database, "1")
    seen = []
    for _ in range(MAX_LAGS):
        await_replica(database, lease(database))
        seen.append(
            row(database, "lags, parked_at IS NOT NULL, round(extract(epoch FROM not_before - now()), -1)::int")
        )
        let_pass(database, 61)
    assert seen == [(1, False, 60), (2, False, 60), (3, True, 86400)]
    assert row(database, "reason, attempts") == ("ZohoLagging", 0)


# against a model


@dataclass(slots=True)
class Model:
    """One backlog row, in seconds."""

    priority: int
    requested: int
    not_before: int
    attempts: int = 0
    parked: bool = False
    leased_until: int = -1
    holder: int = -1


@pytest.mark.parametrize("seed", range(4))
def test_it_behaves_like_a_simple_model(database: Database, seed: int) -> None:
    dice, clock = random.Random(seed), 0
    models: dict[str, Model] = {}
    leases: list[Lease] = []
    began: list[tuple[datetime, int]] = []
    for step in range(60):
        action = dice.choice(("request", "lease", "finish", "postpone", "wait", "request"))
        if action == "wait":
            seconds = dice.choice((30, 61, 130, 300, 90_000))
            let_pass(database, seconds)
            clock += seconds
            began = [(at - timedelta(seconds=seconds), then) for at, then in began]
        elif action == "request":
            document_id, priority, hold = str(dice.randrange(4)), dice.randrange(8), dice.choice((0, 0, 60))
            request(database, document_id, priority=Priority(priority), hold_s=hold)
            model = models.setdefault(document_id, Model(priority, 0, clock + hold))
            model.requested, model.priority = 2 * step + 2, min(model.priority, priority)
            model.not_before = min(model.not_before, clock + hold)
            model.attempts, model.parked = 0 if model.parked else model.attempts, False
        elif action == "lease":
            held = backlog.lease(database, sizes={"invoices": 2}, duration_s=120)
            due = {k: m for k, m in models.items() if m.not_before <= clock and m.leased_until < clock}
            urgent = min((m.priority for m in due.values()), default=-1)
            best = sorted((k for k, m in due.items() if m.priority == urgent), key=lambda k: -models[k].requested)[:2]
            assert sorted(best) == (list(held.ids) if held else []), (seed, step)
            if held:
                leases.append(held)
                began.append((now(database), 2 * step + 1))
                for document_id in held.ids:
                    models[document_id].leased_until, models[document_id].holder = clock + 120, len(leases) - 1
        elif leases:
            number = dice.randrange(len(leases))
            owned = [k for k in leases[number].ids if k in models and models[k].holder == number]
            if action == "finish":
                finish(database, leases[number], began[number][0])
            else:
                postpone(database, leases[number])
            for document_id in owned:
                model = models[document_id]
                model.holder = model.leased_until = -1
                if action == "finish" and model.requested < began[number][1]:
                    del models[document_id]
                elif action == "postpone":
                    wait = 60 * 2**model.attempts
                    model.attempts += 1
                    model.parked = model.attempts >= MAX_ATTEMPTS
                    model.not_before = clock + (86_400 if model.parked else wait)
        found = database.execute("SELECT id, priority, attempts, parked_at IS NOT NULL FROM tds.backlog ORDER BY id")
        assert found == [(k, m.priority, m.attempts, m.parked) for k, m in sorted(models.items())], (seed, step)


def test_what_is_of_an_unknown_entity_is_not_due(database: Database) -> None:
    request(database, "1", name="of_another_version")
    assert nothing_due(database)


def test_a_history_follows_the_order_of_the_entities_and_within_one_the_newest_first(database: Database) -> None:
    for number, entity in enumerate(("products", "invoices", "bills")):
        database.execute(
            """
            INSERT INTO tds.backlog (entity, id, priority, cause, requested_at)
            SELECT %s, n::text, %s, 'walk', now() - make_interval(mins => 60 - %s, secs => 2 - n)
            FROM generate_series(1, 2) AS n
            """,
            (entity, int(Priority.BACKFILL), number),
        )
    sizes = {"products": 1, "invoices": 1, "bills": 1}
    taken = [backlog.lease(database, sizes=sizes, duration_s=60) for _ in range(6)]
    order = [(one.entity, *one.ids) for one in taken if one]
    assert order == [(entity, number) for entity in sizes for number in ("2", "1")]


# -- what is to be written even if nothing seems to differ


def test_a_force_survives_other_requests_and_is_told_with_the_lease(database: Database) -> None:
    request(database, "1", "2", priority=Priority.BACKFILL)
    request(database, "1", priority=Priority.MANUAL, forced=True)
    request(database, "1", priority=Priority.WEBHOOK)
    request(database, "2", priority=Priority.WEBHOOK)
    held = lease(database)
    assert (list(held.ids), list(held.forced), held.priority) == (["1", "2"], ["1"], Priority.WEBHOOK)


def test_a_force_is_cleared_by_the_fetch_that_obeyed_it_though_its_row_was_asked_for_again(database: Database) -> None:
    request(database, "1", forced=True)
    held = lease(database)
    began_at = now(database)
    request(database, "1", priority=Priority.WEBHOOK)
    finish(database, held, began_at)
    assert row(database, "forced_at, lease") == (None, None)


def test_a_force_that_came_after_the_lease_was_not_obeyed_though_the_fetch_began_later(database: Database) -> None:
    request(database, "1", forced=True)
    held = lease(database)
    request(database, "1", forced=True)
    finish(database, held, now(database))
    again = lease(database)
    assert again.forced["1"] > held.forced["1"]
    finish(database, again, now(database))
    assert nothing_due(database)


def test_a_force_outlives_a_fetch_that_failed(database: Database) -> None:
    request(database, "1", forced=True)
    postpone(database, lease(database))
    assert row(database, "forced_at IS NOT NULL") == (True,)
