"""What makes the verdict bad shows within one look of a minute, and is gone when it is healed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tds_core.database import backlog, watch
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.page import view
from tds_core.priority import Priority
from tds_core.sync import overview, signals
from tds_core.sync.trace import trace
from tds_core.sync.verdict import verdict
from tds_core.sync.watch import DRIFT, STALE, VERDICT, Watch
from tests import zoho_fakes
from tests.integration.graveyard import Graveyard
from tests.integration.road import Queued, document, message, record
from tests.integration.well import be_well, differ, verify

MINUTE = timedelta(minutes=1)


@pytest.fixture
def grave(grave: Graveyard) -> Graveyard:
    """Beside a mirror in which all is well."""
    be_well(grave.database)
    return grave


class Looks:
    """One look a minute at a deployment, and what a reader then sees."""

    def __init__(self, grave: Graveyard, reader: Database) -> None:
        self.grave, self.reader = grave, reader
        self.waiting: dict[str, int] = {"invoices": 0, "bills": 0}
        self.figures: dict[str, float] = {}
        counts: dict[str, Callable[[], int]] = {
            name: lambda name=name: self.waiting[name]  # type: ignore[misc]
            for name in self.waiting
        }
        self.watch = Watch(
            grave.settings,
            database=grave.database,
            places=grave.places,
            queues=counts,
            gauge=self.figures.__setitem__,
        )

    def look(self) -> list[str]:
        """The next minute's look; returns the codes of the reasons that the page then shows."""
        self.watch.look()
        return self.codes()

    def codes(self) -> list[str]:
        told = overview.read(self.grave.settings, self.reader)
        return [reason["code"] for reason in told["verdict"]["reasons"]]

    def pass_time(self, by: timedelta = MINUTE) -> None:
        """As if that much later: everything that was seen is that much older."""
        run = self.grave.database.execute
        run(
            "UPDATE tds.places SET waiting_since = waiting_since - %(by)s, observed_at = observed_at - %(by)s",
            {"by": by},
        )
        run("UPDATE tds.change_log SET at = at - %(by)s, observed_at = observed_at - %(by)s", {"by": by})


@pytest.fixture
def looks(grave: Graveyard, reader: Database) -> Looks:
    return Looks(grave, reader)


def test_all_is_well(looks: Looks) -> None:
    assert looks.look() == []
    assert looks.figures == {VERDICT: 0, STALE: 0, DRIFT: 0}


def test_a_queue_that_does_not_move_for_thirty_seconds_is_bad_until_it_is_empty(looks: Looks) -> None:
    looks.waiting["invoices"] = 3
    assert looks.look() == []
    looks.pass_time(timedelta(seconds=29))
    assert looks.codes() == []
    looks.pass_time(timedelta(seconds=2))
    assert looks.codes() == ["queue_late"]
    looks.waiting["invoices"] = 0
    assert looks.look() == []


def test_a_busy_queue_that_moves_is_not_late(looks: Looks) -> None:
    looks.waiting["invoices"] = 3
    looks.look()
    looks.pass_time()
    Queued("invoices", looks.grave.database).handle(record(message("invoices", document("invoices", "901"))))
    assert looks.look() == []
    looks.pass_time(timedelta(seconds=31))
    assert looks.codes() == [], "it moved since it was first seen waiting"


def test_a_queue_that_moves_slower_than_promised_is_late(looks: Looks) -> None:
    looks.waiting["invoices"] = 300
    looks.look()
    Queued("invoices", looks.grave.database).handle(record(message("invoices", document("invoices", "901"))))
    looks.grave.database.execute("UPDATE tds.change_log SET observed_at = observed_at - interval '45 seconds'")
    assert looks.look() == ["queue_late"]


def test_a_dead_letter_is_bad_with_its_reason_until_it_is_gone(looks: Looks) -> None:
    looks.grave.poison("901")
    assert looks.look() == ["dead_letters"]
    [thing] = overview.read(looks.grave.settings, looks.reader)["dead"]
    assert (thing["entity"], thing["ids"]) == ("invoices", ["901"])
    assert thing["reason"].startswith("InvalidDocument")
    assert looks.grave.letters.settle([thing["id"]], "drop", operator="test") == {thing["id"]: None}
    assert looks.look() == []
    assert overview.read(looks.grave.settings, looks.reader)["dead"] == []


def test_an_unrouted_webhook_is_bad_and_a_failed_run_needs_attention(looks: Looks) -> None:
    looks.grave.unrouted(b"<html>")
    looks.grave.failed_run(mode="poll")
    assert looks.look() == ["dead_letters", "failed_runs"]


def test_drift_above_one_percent_is_bad_until_it_is_healed(looks: Looks, database: Database) -> None:
    Queued("invoices", database).handle(*(record(message("invoices", document("invoices", str(n)))) for n in range(50)))
    differ(database, verify(database), "invoices", "7")
    assert looks.look() == ["drift"]
    assert looks.figures[DRIFT] == 0.02
    figures = overview.read(looks.grave.settings, looks.reader)
    [shown] = figures["drift"]
    patient = overview.read(replace(looks.grave.settings, drift_alarm_ratio=0.05), looks.reader)
    assert [one["verdict"]["level"] for one in (figures, patient)] == ["bad", "attention"], "the parameter decides"
    assert (shown["id"], shown["field"], shown["erp"], shown["zoho"]) == ("7", "total", "1.00", "2.00")
    database.execute("UPDATE tds.drift SET healed_at = now(), how = 'fetched'")
    assert looks.look() == []


@pytest.fixture
def invoices(database: Database) -> None:
    """A hundred of them."""
    rows = (record(message("invoices", document("invoices", str(n)))) for n in range(100))
    Queued("invoices", database).handle(*rows)


@pytest.mark.usefixtures("invoices")
def test_a_good_run_of_another_entity_hides_nothing(looks: Looks, database: Database) -> None:
    sums = [{"currency": "USD", "status": "paid", "column": "total", "zoho": "2.00", "erp": "1.00"}]
    differ(database, verify(database, parts={"invoices": {"totals": sums}}), "invoices", *map(str, range(5)))
    before = overview.read(looks.grave.settings, looks.reader)
    verify(database, "users")
    assert (looks.look(), looks.figures[DRIFT]) == (["drift"], 0.05)
    after = overview.read(looks.grave.settings, looks.reader)
    assert after["drift"] == before["drift"]
    assert view.total_rows(after) == view.total_rows(before)
    shown = [{row.name: row for row in view.entity_rows(figures)} for figures in (before, after)]
    assert {name for name in REGISTRY if shown[0][name] != shown[1][name]} == {"users"}
    assert (shown[1]["invoices"].zoho, shown[1]["invoices"].difference) == (100, 0)
    verify(database, "invoices")
    assert (looks.look(), looks.figures[DRIFT]) == ([], 0)
    assert overview.read(looks.grave.settings, looks.reader)["drift"] == [], "what an older run found is not there now"


@pytest.mark.usefixtures("invoices")
def test_what_nobody_could_decide_counts_as_different(looks: Looks, database: Database) -> None:
    run_id = verify(database)
    differ(database, run_id, "invoices", "1", status="dismissed")
    assert looks.look() == []
    differ(database, run_id, "invoices", *map(str, range(2, 6)), status="suspected")
    assert (looks.look(), looks.figures[DRIFT]) == (["drift"], 0.04)
    assert len(overview.read(looks.grave.settings, looks.reader)["drift"]) == 4
    database.execute("UPDATE tds.drift SET kind = 'unannounced'")
    assert looks.look() == [], "these were only old"


def test_a_list_that_could_not_be_compared_is_told_and_keeps_its_figures(looks: Looks, database: Database) -> None:
    verify(database, parts={"bills": {"error": "ScopeMissing: bills", "zoho": 0}})
    assert looks.look() == ["uncompared"]
    database.execute("UPDATE tds.verifications SET ended_at = ended_at - interval '9 days' WHERE run_id = 1")
    assert looks.look() == ["uncompared", "unverified"], "the others' newest run does not make bills any younger"
    verify(database, "bills")
    assert looks.look() == []


def test_an_entity_that_was_never_compared_is_not_good(looks: Looks, database: Database) -> None:
    database.execute("DELETE FROM tds.verifications")
    verify(database, *(name for name in REGISTRY if name != "bills"))
    assert looks.look() == ["unverified"]


def test_the_run_that_ended_last_counts_not_the_one_that_was_asked_for_last(looks: Looks, database: Database) -> None:
    asked_first = verify(database, parts={"bills": {"error": "ScopeMissing: bills"}})
    verify(database)
    database.execute("UPDATE tds.verifications SET ended_at = now() WHERE run_id = %s", (asked_first,))
    assert looks.look() == ["uncompared"]


def test_sums_that_no_record_explains_are_bad(looks: Looks, database: Database) -> None:
    sums = [{"currency": "USD", "status": "paid", "column": "total", "zoho": "2.00", "erp": "1.00"}]
    verify(database, parts={"invoices": {"unexplained": sums}})
    assert looks.look() == ["sums"]
    assert looks.figures[VERDICT] == 1


def test_images_that_are_not_right_need_attention_until_they_are(looks: Looks, database: Database) -> None:
    wrong = {"ok": False, "remaining": 2, "pending": 1, "reachable": 7, "error": None}
    verify(database, images=wrong)
    verify(database, "bills")
    assert looks.look() == ["images"]
    verify(database, images=wrong | {"error": "BucketUnavailable: no"})
    assert looks.look() == ["uncompared", "images"]
    verify(database, images=wrong | {"ok": True, "remaining": 0, "pending": 0})
    assert looks.look() == []


def test_the_page_tells_while_a_history_lasts_how_long_it_takes(looks: Looks, database: Database) -> None:
    with database.transaction() as connection:
        backlog.request(connection, "invoices", ["1", "2"], priority=Priority.BACKFILL, cause="walk")
    assert looks.look() == ["history"]
    assert overview.read(looks.grave.settings, looks.reader)["eta_s"] > 0, "it may read, and no more"


def test_a_stale_list_is_bad_until_it_is_read(looks: Looks, database: Database) -> None:
    database.execute("UPDATE tds.cursors SET polled_at = now() - interval '31 minutes' WHERE scan = 'invoices'")
    assert looks.look() == ["stale"]
    assert (looks.figures[STALE], looks.figures[VERDICT]) == (1, 1)
    be_well(database)
    assert looks.look() == []


def test_a_refused_token_is_bad_until_one_is_minted(looks: Looks, database: Database) -> None:
    database.execute("UPDATE tds.oauth_token SET refusal = 'invalid_code'")
    assert looks.look() == ["token"]
    database.execute("UPDATE tds.oauth_token SET refusal = NULL")
    assert looks.look() == []


def test_when_nobody_looks_it_is_bad(looks: Looks) -> None:
    looks.look()
    looks.pass_time(timedelta(minutes=4))
    assert looks.codes() == ["unwatched"]
    assert looks.look() == []


# -- days


def test_days_without_failure_count_back_to_the_last_bad_or_unwatched_one(database: Database) -> None:
    def days() -> int:
        return watch.days_without_failure(database, zone="Asia/Baghdad")

    assert days() == 0
    for ago in (0, 1, 2, 4, 5):
        database.execute(
            "INSERT INTO tds.days (day, good) VALUES ((now() AT TIME ZONE 'Asia/Baghdad')::date - %s, 1440)", (ago,)
        )
    assert days() == 3, "nobody looked three days ago"
    watch.count_look(database, level="attention", reasons=[], zone="Asia/Baghdad")
    assert days() == 3
    watch.count_look(database, level="bad", reasons=["token"], zone="Asia/Baghdad")
    watch.count_look(database, level="bad", reasons=["token", "stale"], zone="Asia/Baghdad")
    assert days() == 0
    [*_, today] = watch.days(database, number=7)
    assert (today.good, today.attention, today.bad, today.reasons) == (1440, 1, 2, ("stale", "token"))


# -- the reader


def test_the_reader_sees_every_figure_and_every_story(looks: Looks, database: Database) -> None:
    Queued("invoices", database).handle(record(message("invoices", document("invoices", "901"))))
    told = overview.read(zoho_fakes.settings(), looks.reader)
    assert told["entities"]["invoices"]["erp"] == 1
    assert set(told["entities"]) == set(REGISTRY)
    assert len(told["hours"]) == 24 and told["hours"][-1]["webhooks"] == 1
    assert trace(looks.reader, REGISTRY["invoices"], "901")["story"]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT access_token FROM tds.oauth_token", id="token"),
        pytest.param("SELECT zoho FROM erp.invoices", id="raw-document"),
        pytest.param("SELECT * FROM tds.verification_seen", id="what-a-verification-saw"),
        pytest.param("DELETE FROM tds.backlog", id="write"),
        pytest.param("SET transaction_read_only = off; UPDATE erp.invoices SET total = 0", id="write-all-the-same"),
        pytest.param("CREATE TABLE public.mine (n int)", id="create"),
    ],
)
def test_the_reader_may_neither_write_nor_see_secrets(owner_conninfo: str, statement: str) -> None:
    with (
        psycopg.connect(make_conninfo(owner_conninfo, user="tds_reader"), autocommit=True) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)),
    ):
        connection.execute(statement)


def test_every_signal_is_read_as_the_reader(looks: Looks) -> None:
    looks.look()
    assert verdict(signals.read(looks.grave.settings, looks.reader).signals).level == "good"
