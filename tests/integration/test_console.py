"""The console: every command answers in plain values, and every error with its reason."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tds_core.database import census, probe, runs, sizes
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, scans
from tds_core.entities.spec import EntitySpec
from tds_core.priority import Priority
from tds_core.sync.console import Console
from tds_core.sync.dead_letters import DeadLetters
from tests.integration.road import (
    Queued,
    Road,
    Waker,
    Zoho,
    backlog_of,
    document,
    message,
    mirrored,
    record,
    zoho_time,
)


@pytest.fixture
def waker() -> Waker:
    return Waker()


@pytest.fixture
def console(road: Road, waker: Waker) -> Console:
    dead = DeadLetters([], road.database)
    parts: dict[str, Any] = {"database": road.database, "waker": waker, "dead": dead, "doctor": None}
    return Console(road.settings, **parts)


def ask(console: Console, command: Any, **arguments: Any) -> Any:
    """The result of a command, which must be plain JSON."""
    answer = console.handle({"command": command, "arguments": arguments})
    assert answer["ok"] is True, answer
    return json.loads(json.dumps(answer["result"]))


def refused(console: Console, event: dict[str, Any]) -> dict[str, str]:
    answer = console.handle(event)
    assert answer["ok"] is False
    error: dict[str, str] = json.loads(json.dumps(answer["error"]))
    return error


@pytest.mark.parametrize("text", ["\0", "a\ud800"], ids=ascii)
def test_text_that_no_record_can_have_is_refused(console: Console, text: str) -> None:
    event = {"command": "trace", "arguments": {"name": "invoices", "record": text}}
    assert refused(console, event)["reason"] == "InvalidText"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"command": "explode"}, id="unknown"),
        pytest.param({"command": "_run"}, id="private"),
        pytest.param({"command": ["status"]}, id="no-text"),
        pytest.param({"command": "status", "arguments": {"colour": "red"}}, id="unknown-argument"),
        pytest.param({"command": "refetch"}, id="missing-arguments"),
        pytest.param({"command": "poll", "arguments": ["force"]}, id="arguments-in-a-list"),
    ],
)
def test_what_is_no_command_is_answered_with_its_reason(console: Console, event: dict[str, Any]) -> None:
    assert refused(console, event)["reason"] == "UnknownCommand"


def test_status_of_an_empty_mirror_is_plain(console: Console) -> None:
    shown = ask(console, "status")
    assert set(shown["entities"]) == set(REGISTRY)
    assert all(one["erp"] == 0 and one["totals"] == {} for one in shown["entities"].values())
    assert (shown["backlog"], shown["runs"], shown["working"]) == ({}, [], [])


def test_status_counts_live_rows_pending_details_and_exact_totals(console: Console, road: Road, zoho: Zoho) -> None:
    zoho.put("invoices", *(document("invoices", str(900 + n), total="0.10", line_items=[]) for n in range(3)))
    zoho.put("invoices", document("invoices", "910", total="999999999999.001", currency_code="IQD", line_items=[]))
    road.request("invoices", "900", "901", "902", "910", "999")
    road.work()
    road.request("invoices", "902")
    shown = ask(console, "status")["entities"]["invoices"]
    assert (shown["erp"], shown["details_pending"], shown["details_never_seen"]) == (4, 1, 0)
    assert shown["totals"]["USD"]["total"] == "0.30"
    assert shown["totals"]["IQD"]["total"] == "999999999999.001"
    assert ask(console, "status")["backlog"]["invoices"]["requests"] == 1
    [run] = ask(console, "status")["runs"]
    assert (run["mode"], run["zoho_calls"], run["error"]) == ("drain", 5, None)


def test_a_document_that_arrives_while_status_is_read_is_still_to_be_fetched_if_it_is_pending(
    console: Console, road: Road, zoho: Zoho, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoho.put("invoices", document("invoices", "901"))
    road.request("invoices", "901")
    road.work()
    road.request("invoices", "901")
    figures = census.entity_figures

    def then_it_arrives(database: Database, spec: EntitySpec) -> dict[str, Any]:
        told = figures(database, spec)
        if spec.name == "invoices":
            road.work()
        return told

    monkeypatch.setattr(census, "entity_figures", then_it_arrives)
    shown = ask(console, "status")
    assert shown["entities"]["invoices"]["details_pending"] == 1
    assert shown["backlog"]["invoices"]["requests"] == 1, "nothing pending and nothing open would be the end of a wait"
    assert "invoices" not in ask(console, "status")["backlog"]


def test_status_tells_webhook_latency_from_receipt_to_commit(console: Console, road: Road) -> None:
    Queued("invoices", road.database).handle(record(message("invoices", document("invoices", "901"))))
    since = ask(console, "status")["now"]
    Queued("invoices", road.database).handle(record(message("invoices", document("invoices", "902"))))
    shown = ask(console, "status", since=since)
    assert (shown["webhooks"]["count"], shown["webhooks"]["applied"]["count"]) == (1, 1)
    assert 0 <= shown["webhooks"]["applied"]["seconds"]["p99"] < 10
    assert shown["webhooks"]["fetched"] == {"count": 0, "waiting": 0, "seconds": {}}
    assert shown["outcomes"] == {"invoices": {"created": 1}}
    assert ask(console, "status")["webhooks"]["count"] == 2, "without a time it is the last hour"


@pytest.mark.parametrize("op", ["delete", "request"])
def test_a_webhook_that_asks_for_a_fetch_is_timed_until_the_fetch_has_decided(
    console: Console, road: Road, zoho: Zoho, op: str
) -> None:
    zoho.put("invoices", *(document("invoices", name) for name in ("901", "902")))
    road.request("invoices", "901", "902")
    road.work()
    if op == "delete":
        zoho.forget("invoices", "902")
    queued = Queued("invoices", road.database)
    queued.handle(record(message("invoices", document("invoices", "903"))))
    queued.handle(record(message("invoices", ids=["902"], op=op, webhook="invoices/deleted" if op == "delete" else "")))
    waiting = ask(console, "status")["webhooks"]
    assert (waiting["count"], waiting["applied"]["count"]) == (2, 1)
    assert waiting["applied"]["seconds"]["max"] < 10, "what was only asked for is not applied"
    assert (waiting["fetched"]["count"], waiting["fetched"]["waiting"]) == (1, 1)
    road.work()
    road.database.execute("UPDATE tds.change_log SET at = at + interval '1 minute' WHERE source IN ('fetch', 'drain')")
    told = ask(console, "status")["webhooks"]
    assert (told["count"], told["applied"]) == (2, waiting["applied"])
    assert (told["fetched"]["count"], told["fetched"]["waiting"]) == (1, 0)
    assert 60 <= told["fetched"]["seconds"]["max"] < 70


def test_a_fetch_that_decides_nothing_or_began_before_its_webhook_does_not_settle_it(
    console: Console, road: Road
) -> None:
    Queued("invoices", road.database).handle(record(message("invoices", ids=["901"])))
    road.database.execute(
        """
        INSERT INTO tds.change_log (entity, id, outcome, kind, source, observed_at) VALUES
            ('invoices', '901', 'updated', 'document', 'fetch', now() - interval '1 minute'),
            ('invoices', '901', 'tie', 'document', 'fetch', now()),
            ('invoices', '901', 'rejected', 'document', 'fetch', now()),
            ('invoices', '901', 'updated', 'list_row', 'poll', now())
        """
    )
    road.database.execute(
        "UPDATE tds.change_log SET observed_at = now() - interval '2 minutes' WHERE source = 'webhook'"
    )
    told = ask(console, "status")["webhooks"]
    assert (told["fetched"]["count"], told["fetched"]["waiting"]) == (1, 1)
    assert 120 <= told["fetched"]["seconds"]["max"] < 130, "who still waits counts with what has passed"
    road.database.execute("DELETE FROM tds.backlog")
    assert ask(console, "status")["webhooks"]["fetched"]["count"] == 0, "its fetch ended without a word"


def test_status_since_something_that_is_no_time_is_refused(console: Console) -> None:
    told = refused(console, {"command": "status", "arguments": {"since": "yesterday"}})
    assert "no time" in told["message"]


def test_status_names_the_modes_at_work(console: Console, road: Road) -> None:
    with runs.lease(road.database, "walk", duration_s=60):
        assert ask(console, "status")["working"] == ["walk"]
    assert ask(console, "status")["working"] == []


def test_a_backfill_asks_for_the_walk_of_each_scan_and_starts_it(console: Console, road: Road, waker: Waker) -> None:
    assert ask(console, "backfill") == {"scans": sorted(scans())}
    assert waker.started == [("walk", {})]
    assert all(runs.cursor(road.database, scan).walk_requested_at for scan in scans())


def test_a_backfill_of_customers_and_vendors_is_one_walk(console: Console, road: Road) -> None:
    assert ask(console, "backfill", entities=["vendors", "customers"]) == {"scans": ["contacts"]}
    assert runs.cursor(road.database, "invoices").walk_requested_at is None


def test_an_unknown_entity_is_refused_before_anything_is_asked_for(console: Console, road: Road, waker: Waker) -> None:
    event = {"command": "backfill", "arguments": {"entities": ["invoices", "moons"]}}
    error = refused(console, event)
    assert (error["reason"], "moons" in error["message"]) == ("UnknownEntity", True)
    assert (waker.started, runs.cursor(road.database, "invoices").walk_requested_at) == ([], None)


def test_poll_starts_a_round_over_everything(console: Console, waker: Waker) -> None:
    ask(console, "poll")
    assert waker.started == [("poll", {"force": True})]


def test_wake_starts_walk_and_drain(console: Console, waker: Waker) -> None:
    ask(console, "wake")
    assert [mode for mode, _ in waker.started] == ["walk", "drain"]


def test_a_refetch_is_asked_for_by_hand_and_wakes_the_drain(console: Console, road: Road, waker: Waker) -> None:
    assert ask(console, "refetch", name="invoices", ids=["901", "902"]) == {"requested": 2}
    asked = backlog_of(road.database, "invoices")
    assert {one["priority"] for one in asked.values()} == {Priority.MANUAL}
    assert road.database.execute("SELECT count(*) FROM tds.backlog WHERE forced_at IS NOT NULL") == [(2,)]
    assert waker.wakes == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"name": "moons", "ids": ["1"]}, "UnknownEntity", id="unknown-entity"),
        pytest.param({"name": "invoices", "ids": ["901", "../organizations"]}, "InvalidId", id="no-id"),
        pytest.param({"name": "invoices", "ids": [""]}, "InvalidId", id="empty-id"),
    ],
)
def test_a_refetch_of_what_cannot_be_is_refused_as_a_whole(
    console: Console, road: Road, waker: Waker, arguments: dict[str, Any], reason: str
) -> None:
    assert refused(console, {"command": "refetch", "arguments": arguments})["reason"] == reason
    assert road.database.execute("SELECT count(*) FROM tds.backlog") == [(0,)]
    assert waker.wakes == 0


def test_the_probe_becomes_a_row_once_and_leaves_no_trace(console: Console, road: Road) -> None:
    assert ask(console, "probe") == {"seen": False}
    whole = probe.document()["invoice"]
    Queued("invoices", road.database).handle(record(message("invoices", whole)))
    assert list(mirrored(road.database, "invoices")) == [probe.PROBE_ID]
    assert ask(console, "probe") == {"seen": True}
    assert ask(console, "probe") == {"seen": False}
    for table in ("erp.invoices", "tds.change_log", "tds.backlog", "tds.outbox", "tds.revisions"):
        assert road.database.execute(f"SELECT count(*) FROM {table}") == [(0,)]


def test_while_postgresql_is_down_the_console_says_so(console: Console, road: Road) -> None:
    road.database.close()
    road.database._conninfo = lambda: "host=127.0.0.1 port=1"
    assert refused(console, {"command": "status"})["reason"] == "DatabaseUnavailable"


def test_status_tells_of_every_entity_whether_its_webhooks_are_silent(console: Console) -> None:
    shown = ask(console, "status")["silence"]
    assert set(shown) == {name for name, spec in REGISTRY.items() if spec.webhook_modules}
    quiet = {"last_webhook_at": None, "unannounced": 0, "missed_24h": 0, "hours": 0.0, "is_silent": False}
    assert shown["invoices"] == quiet


def test_webhooks_are_heard_by_address_since_a_time_or_in_a_day(console: Console, road: Road) -> None:
    queued = Queued("invoices", road.database)
    queued.handle(record(message("invoices", ids=["901"], webhook="invoices/created")))
    began = ask(console, "webhooks")["now"]
    queued.handle(record(message("invoices", ids=["902"], webhook="invoices/updated")))
    assert set(ask(console, "webhooks")["heard"]) == {"invoices/created", "invoices/updated"}
    heard = ask(console, "webhooks", since=began)["heard"]
    assert {address: one["count"] for address, one in heard.items()} == {"invoices/updated": 1}
    for wrong in ("yesterday", "2026-01-01T00:00:00", 7):
        assert refused(console, {"command": "webhooks", "arguments": {"since": wrong}})["reason"] == "UnknownCommand"


def test_the_load_of_webhooks_is_what_changed_a_day(console: Console, road: Road) -> None:
    assert ask(console, "webhook_load")["busiest_day"] is None
    today = datetime.now(ZoneInfo("Asia/Baghdad")).replace(hour=0, minute=0, second=0, microsecond=0)
    whole = [
        document("invoices", str(900 + n), last_modified_time=(today - timedelta(days=n // 4)).isoformat())
        for n in range(6)
    ]
    Queued("invoices", road.database).handle(*(record(message("invoices", one)) for one in whole))
    load = ask(console, "webhook_load", days=10)
    assert (load["mean"], load["busiest"], load["busiest_day"]) == (0.6, 4, today.date().isoformat())
    assert (load["entities"]["invoices"], load["entities"]["bills"]) == (0.6, 0.0)


def test_a_plan_counts_what_the_mirror_holds_and_what_waits(console: Console, road: Road, zoho: Zoho) -> None:
    [(today,)] = road.database.execute("SELECT current_date")
    days = {str(700 + n): today - timedelta(days=n * 10) for n in range(3)}
    zoho.put("payments", *(document("payments", name, date=day.isoformat()) for name, day in days.items()))
    zoho.put("invoices", document("invoices", "901", last_modified_time=zoho_time(datetime.now(UTC))))
    road.request("payments", *days)
    road.request("invoices", "901")
    road.work()
    road.request("bills", "1", "2", "3", priority=Priority.BACKFILL)
    road.request("products", *map(str, range(150)), priority=Priority.BACKFILL)
    road.request("invoices", "902", priority=Priority.POLL)
    told = ask(console, "plan")
    road.database.execute(
        "INSERT INTO erp.products (product_id, image_document_id) SELECT n::text, '1' FROM generate_series(1, 40) AS n"
    )
    told = ask(console, "plan")
    assert told["images"]["to_fetch"] == 40
    assert told["images"]["a_day"] == told["left_a_day"] - told["history_a_day"] > 0
    assert told["aged_a_day"] == 4, "no more than there are documents, and 5 % of the day"
    assert told["history"]["documents"] == 153
    assert told["history"]["calls"] == 3 + 2
    assert told["changes_a_day"] == 1
    assert (told["is_told"], told["day_limit"]) == (False, 1_000_000)
    assert sorted(told["history"]["never_walked"]) == sorted(scans())
    calls = {part["purpose"]: part["calls"] for part in told["parts"]}
    assert calls["slow_poll"] == sum(specs[0].cadence == "slow_poll" for specs in scans().values())
    assert calls["balances"] == 1
    assert told["calls_a_day"]["poll"] == calls["poll"] * 176
    assert sizes.read(road.database, REGISTRY["payments"]).looked_back == 2
    assert len(zoho.calls) == 4, "a plan costs no call"


@pytest.mark.parametrize(
    ("runs", "days", "error"),
    [
        pytest.param([], 0, None, id="never"),
        pytest.param([(0, None)], 0, None, id="today-is-not-whole"),
        pytest.param([(n, None) for n in range(8)], 7, None, id="seven-days"),
        pytest.param([(n, None) for n in range(1, 8)], 7, None, id="nothing-yet-today"),
        pytest.param([(n, "E: x" if n == 3 else None) for n in range(8)], 2, "E: x", id="failed-three-days-ago"),
        pytest.param([(n, "E: x" if n == 0 else None) for n in range(8)], 0, "E: x", id="failed-today"),
        pytest.param([(n, None) for n in (0, 1, 2, 4, 5)], 2, None, id="a-day-without-any-run"),
    ],
)
def test_days_without_failure_are_whole_days_in_a_row(
    console: Console, road: Road, runs: list[tuple[int, str | None]], days: int, error: str | None
) -> None:
    for ago, failure in runs:
        road.database.execute(
            """
            INSERT INTO tds.runs (mode, started_at, ended_at, error) SELECT 'poll', at, at, %s
            FROM (SELECT now() - make_interval(days => %s) AS at) AS moment
            """,
            (failure, ago),
        )
    told = ask(console, "status")["without_failure"]
    assert (told["days"], told["error"]) == (days, error)


def test_a_run_that_was_killed_is_a_failure(console: Console, road: Road) -> None:
    road.database.execute("INSERT INTO tds.runs (mode, started_at) VALUES ('drain', now() - interval '2 days')")
    assert ask(console, "status")["without_failure"]["error"] == "killed"


def test_status_tells_how_many_events_wait_and_how_long(console: Console, road: Road) -> None:
    assert ask(console, "status")["outbox"] == {"waiting": 0, "age_s": 0.0}
    Queued("invoices", road.database).handle(record(message("invoices", document("invoices", "901"))))
    road.database.execute("UPDATE tds.outbox SET at = at - interval '1 minute'")
    shown = ask(console, "status")["outbox"]
    assert shown["waiting"] == 1 and 60 <= shown["age_s"] < 90


def test_pictures_that_are_held_back_may_be_approved_like_records(console: Console, waker: Waker, road: Road) -> None:
    road.database.execute(
        "INSERT INTO tds.backlog (entity, id, priority, cause, reason, parked_at) "
        "VALUES ('product_images', '1', 7, 'product', 'DeletionUnconfirmed: too many', now())"
    )
    assert [one["entity"] for one in ask(console, "deletions")["withheld"]] == ["product_images"]
    assert ask(console, "approve_deletions", name="product_images", by="somebody") == {"approved": 1}
    assert waker.wakes == 1
    assert refused(console, {"command": "approve_deletions", "arguments": {"name": "pictures", "by": "somebody"}})
