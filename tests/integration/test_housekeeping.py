"""Housekeeping: dead messages come back in their time, nothing grows for ever, and one broken step stops no other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tds_core.database import retention, runs
from tds_core.database.connection import Database
from tds_core.errors import DatabaseUnavailable, StepsFailed, is_permanent
from tds_core.settings import Settings
from tds_core.sync import health
from tds_core.sync.dead_queue import DeadMessage
from tds_core.sync.dead_things import letter
from tds_core.sync.health import Health
from tds_core.sync.housekeeping import REDRIVES_PER_RUN, Housekeeping, Step, Sweeper, steps
from tds_core.sync.watch import Watch
from tests.integration.graveyard import Graveyard, now

BASE_S = 900.0


def sweeper(grave: Graveyard, *, after: timedelta) -> Sweeper:
    """One that looks so much later."""
    return Sweeper(grave.database, grave.places, base_s=BASE_S, clock=lambda: now() + after)


def watch(grave: Graveyard, database: Database) -> Watch:
    return Watch(grave.settings, database=database, places=grave.places, queues={}, gauge=lambda *_: None)


def housekeeping(database: Database, **steps: Step) -> Housekeeping:
    return Housekeeping(Settings(), database, steps)


# -- redrives


@pytest.mark.parametrize(
    ("reason", "permanent"),
    [
        ("InvalidDocument: Invoice: cannot read date", True),
        ("ZohoRejected: HTTP 400, code 2", True),
        ("SomethingNew: of a later version", True),
        ("TdsError: x", True),
        ("dataclass: x", True),
        ("DatabaseUnavailable: OperationalError", False),
        ("RetriableError", False),
        ("", False),
    ],
)
def test_a_reason_is_permanent_unless_it_is_known_to_pass(reason: str, permanent: bool) -> None:
    assert is_permanent(reason) is permanent


@pytest.mark.parametrize(
    ("reason", "redrives", "after_s", "due"),
    [
        pytest.param("InvalidDocument: x", 0, 899, False, id="too early"),
        pytest.param("InvalidDocument: x", 0, 900, True, id="after the first wait"),
        pytest.param("InvalidDocument: x", 2, 3_599, False, id="the third waits longer"),
        pytest.param("InvalidDocument: x", 2, 3_600, True, id="the third"),
        pytest.param("InvalidDocument: x", 3, 86_400 * 13, False, id="never a fourth time"),
        pytest.param("DatabaseUnavailable: x", 3, 7_200, True, id="what passes has no cap"),
        pytest.param("DatabaseUnavailable: x", 500, 21_599, False, id="but waits six hours at most"),
        pytest.param("DatabaseUnavailable: x", 500, 21_600, True, id="and then comes"),
        pytest.param("", 0, 900, True, id="what sqs moved"),
    ],
)
def test_a_dead_letter_is_due_after_a_wait_that_doubles(reason: str, redrives: int, after_s: int, due: bool) -> None:
    sent = now()
    stated = {"reason": reason, "redrives": str(redrives)}
    message = DeadMessage(message_id="m", receipt="r", body="{}", attributes=stated, sent_at=sent)
    assert letter("invoices", message).is_due(message, sent + timedelta(seconds=after_s), base_s=BASE_S) is due


def test_what_is_due_goes_back_to_its_queue_and_the_rest_stays(grave: Graveyard) -> None:
    grave.poison("901")
    grave.poison("902", redrives=3)
    grave.bury("customers", "{}")
    assert sweeper(grave, after=timedelta(minutes=14)).redrive() == {"customers": 0, "invoices": 0}
    assert sweeper(grave, after=timedelta(minutes=16)).redrive() == {"customers": 1, "invoices": 1}
    [sent] = grave.taken("invoices")
    assert sent["attributes"]["redrives"] == "1"
    assert len(grave.taken("customers")) == 1
    [left] = grave.letters.list().things
    assert left.ids == ("902",)
    assert ("housekeeping", "redrive", "invoices", ["901"]) in grave.operations()


def test_a_run_floods_nothing(grave: Graveyard) -> None:
    for number in range(REDRIVES_PER_RUN + 15):
        grave.bury("invoices", f"poison {number}", reason="InvalidDocument: x")
    for number in range(5):
        grave.bury("vendors", f"poison {number}", reason="InvalidDocument: x")
    later = sweeper(grave, after=timedelta(hours=1))
    assert sum(later.redrive().values()) == REDRIVES_PER_RUN
    assert sum(later.redrive().values()) == 20
    assert later.redrive() == {}


def test_a_failed_run_is_forgotten_when_its_schedule_has_long_been_its_retry(grave: Graveyard) -> None:
    grave.failed_run(mode="poll")
    assert sweeper(grave, after=timedelta(minutes=59)).forget_failed_runs() == {"dropped": 0}
    assert sweeper(grave, after=timedelta(minutes=61)).forget_failed_runs() == {"dropped": 1}
    assert grave.letters.list().things == []
    assert grave.operations() == [("housekeeping", "drop", None, [])]
    assert grave.waker.started == []


# -- the run


def test_a_step_that_fails_costs_no_other_its_turn_and_fails_the_run(database: Database) -> None:
    done: list[str] = []

    def fails() -> dict[str, int]:
        raise ValueError("a bug")

    def works() -> dict[str, int]:
        done.append("works")
        return {"things": 3, "nothing": 0}

    def unavailable() -> dict[str, int]:
        raise DatabaseUnavailable("x")

    house = housekeeping(database, first=fails, second=works, third=unavailable, fourth=works)
    with pytest.raises(StepsFailed, match="first: ValueError, third: DatabaseUnavailable"):
        house.run()
    assert done == ["works", "works"]
    [(error, outcomes)] = database.execute("SELECT error, outcomes FROM tds.runs WHERE mode = 'housekeeping'")
    assert error == "StepsFailed: first: ValueError, third: DatabaseUnavailable"
    assert outcomes == {"first.failed": 1, "second.things": 3, "third.failed": 1, "fourth.things": 3}
    assert database.execute("SELECT count(*) FROM tds.leases") == [(0,)]


def test_a_run_with_nothing_to_do_leaves_no_row(database: Database) -> None:
    assert housekeeping(database, idle=lambda: {"things": 0}).run() == {}
    assert database.execute("SELECT count(*) FROM tds.runs") == [(0,)]


def test_one_keeps_house_at_a_time(connect: Callable[[], Database]) -> None:
    def never() -> dict[str, int]:
        raise AssertionError

    with runs.lease(connect(), "housekeeping", duration_s=60):
        assert housekeeping(connect(), step=never).run() == {}


def test_without_a_database_nothing_is_driven_back(grave: Graveyard) -> None:
    grave.bury("invoices", "{}")
    down = Database(lambda: "host=127.0.0.1 port=1", application_name="test")
    told = Health(grave.settings, database=down, places=grave.places, gauge=lambda *_: None)
    whole = steps(grave.settings, database=down, places=grave.places, health=told, watch=watch(grave, down))
    house = Housekeeping(grave.settings, down, whole)
    with pytest.raises(DatabaseUnavailable):
        house.run()
    assert len(grave.taken("invoices-dead")) == 1


def test_the_steps_of_a_deployment_leave_it_clean(grave: Graveyard) -> None:
    figures: dict[str, float] = {}
    told = Health(grave.settings, database=grave.database, places=grave.places, gauge=figures.__setitem__)
    looked = watch(grave, grave.database)
    whole = steps(grave.settings, database=grave.database, places=grave.places, health=told, watch=looked)
    assert list(whole) == ["redrive", "failed_runs", "retention", "health", "watch"]
    assert Housekeeping(grave.settings, grave.database, whole).run() == {}
    assert figures[health.DEAD_THINGS] == 0


# -- health


def test_health_tells_every_figure(grave: Graveyard, database: Database) -> None:
    figures: dict[str, float] = {}
    told = Health(grave.settings, database=database, places=grave.places, gauge=figures.__setitem__)
    told.tell()
    calm = {health.DEAD_THINGS: 0, health.PARKED: 0, health.CIRCUIT_OPEN: 0, health.TOKEN_REFUSED: 0}
    assert figures == calm | {health.DAY_LEFT: 100}

    grave.poison("901")
    grave.unrouted(b"<html>")
    grave.failed_run(mode="poll")
    grave.park("invoices", "901", "902")
    database.execute("UPDATE tds.circuit SET state = 'half_open'")
    database.execute("UPDATE tds.oauth_token SET refusal = 'invalid_code'")
    database.execute(
        """
        INSERT INTO tds.api_budget (product, since, resets_at, day_limit, remaining)
        VALUES ('books', now(), now() + interval '1 hour', 10000, 1500),
            ('inventory', now(), now() + interval '1 hour', 1000, 500)
        """
    )
    told.tell()
    troubled = {health.DEAD_THINGS: 3, health.PARKED: 2, health.CIRCUIT_OPEN: 1, health.TOKEN_REFUSED: 1}
    assert figures == troubled | {health.DAY_LEFT: 15}


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        pytest.param("UPDATE tds.cursors SET poll_error = 'ScopeMissing: invoices'", 1, id="a poll without the scope"),
        pytest.param("UPDATE tds.cursors SET walk_error = 'ScopeMissing: invoices'", 1, id="a walk without the scope"),
        pytest.param("UPDATE tds.cursors SET poll_error = 'OrganizationRejected: 6041'", 1, id="another organisation"),
        pytest.param("UPDATE tds.oauth_token SET api_domain = 'www.zohoapis.com'", 1, id="the wrong API host"),
        pytest.param("UPDATE tds.cursors SET poll_error = 'ZohoUnavailable: ScopeMissing'", 0, id="what passes"),
        pytest.param(
            "UPDATE tds.cursors SET scan = 'moons', poll_error = 'ScopeMissing: moons'",
            0,
            id="a list of another version",
        ),
    ],
)
def test_credentials_that_cannot_read_everything_are_refused_credentials(
    grave: Graveyard, database: Database, statement: str, refused: int
) -> None:
    settings = replace(grave.settings, zoho_api_url="https://www.zohoapis.eu")
    database.execute("INSERT INTO tds.cursors (scan) VALUES ('invoices')")
    database.execute(statement)
    figures: dict[str, float] = {}
    Health(settings, database=database, places=grave.places, gauge=figures.__setitem__).tell()
    assert figures[health.TOKEN_REFUSED] == refused


# -- retention


def test_what_is_old_goes_and_tombstones_stay(database: Database, owner_conninfo: str) -> None:
    for days in (1, 89, 91, 400):
        ago = (timedelta(days=days),)
        database.execute("INSERT INTO tds.runs (mode, started_at) VALUES ('poll', now() - %s)", ago)
        database.execute("INSERT INTO tds.tombstones VALUES ('invoices', %s, now() - %s, '{}')", (str(days), *ago))
        database.execute(
            "INSERT INTO tds.operations (at, operator, operation, subject) VALUES (now() - %s, 'a', 'drop', 'x')", ago
        )
        database.execute(
            """
            INSERT INTO tds.change_log (at, entity, id, outcome, kind, source, observed_at)
            VALUES (now() - %s, 'invoices', '1', 'created', 'document', 'poll', now())
            """,
            ago,
        )
    with psycopg.connect(owner_conninfo) as owner:
        owner.execute(
            "CREATE TABLE tds.change_log_202001 PARTITION OF tds.change_log "
            "FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')"
        )
    assert retention.expire(database) == {"runs": 2, "operations": 1, "change_log_partitions": 1}
    assert retention.expire(database) == {}
    kept = {
        table: database.execute(f"SELECT count(*) FROM tds.{table}")[0][0]
        for table in ("runs", "operations", "tombstones", "change_log")
    }
    assert kept == {"runs": 2, "operations": 3, "tombstones": 4, "change_log": 2}


def test_the_change_logs_next_months_are_made_ahead(database: Database, owner_conninfo: str) -> None:
    names = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'tds.change_log'::regclass ORDER BY 1"
    before = database.execute(names)
    with psycopg.connect(owner_conninfo) as owner:
        owner.execute(
            "DO $$ BEGIN EXECUTE format('DROP TABLE tds.change_log_%s', "
            "to_char(now() + interval '1 month', 'YYYYMM')); END $$"
        )
    assert len(database.execute(names)) == len(before) - 1
    retention.expire(database)
    assert database.execute(names) == before


def test_only_the_application_may_retire_months(owner_conninfo: str) -> None:
    with psycopg.connect(owner_conninfo) as owner:
        owner.execute("SET ROLE erp_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("SELECT tds.retire_change_log()")


def test_a_slot_that_a_late_call_may_still_name_is_kept(database: Database) -> None:
    insert = "INSERT INTO tds.api_slots VALUES (%s, 1, 'books', 0, now() - %s, %s, false, false)"
    cases: list[tuple[int, timedelta, Any]] = [
        (1, timedelta(days=2), "-infinity"),
        (2, timedelta(hours=23), "-infinity"),
        (3, timedelta(days=2), "infinity"),
    ]
    for case in cases:
        database.execute(insert, case)
    assert retention.expire(database) == {"api_slots": 1}
    assert database.execute("SELECT slot FROM tds.api_slots ORDER BY 1") == [(2,), (3,)]
