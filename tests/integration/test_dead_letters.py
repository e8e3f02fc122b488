"""All dead things as one list: seen without being taken, brought back without being lost, dropped with a trace."""

import json
import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tds_core.database.connection import Database
from tds_core.errors import ConfigurationError, NoDeadLetter
from tds_core.priority import Priority
from tds_core.sync.console import Console
from tds_core.sync.dead_letters import DeadLetters, Places
from tds_core.sync.dead_queue import DeadQueue, Visit
from tds_core.sync.revival import SHOWN_BYTES
from tests import zoho_fakes
from tests.integration.graveyard import SEEN, Graveyard
from tests.integration.road import Queued, backlog_of, document, message, mirrored, record

KEYS = ["id", "where", "entity", "ids", "reason", "first_seen", "redrives", "trace_id"]
UNKNOWN = "dead_letters/invoices/00000000-0000-0000-0000-000000000000"


def ask(grave: Graveyard, command: str, **arguments: Any) -> Any:
    """What the console answers, which must be plain JSON."""
    parts: dict[str, Any] = {"database": grave.database, "waker": grave.waker, "dead": grave.letters, "doctor": None}
    console = Console(grave.settings, **parts)
    answer = console.handle({"command": command, "arguments": arguments})
    assert answer["ok"] is True, answer
    return json.loads(json.dumps(answer["result"]))


def only(grave: Graveyard) -> dict[str, Any]:
    [thing] = ask(grave, "dlq_list")["things"]
    assert list(thing) == KEYS
    return dict(thing)


# -- the list


def test_a_dead_letter_is_listed_with_all_that_its_processor_said(grave: Graveyard) -> None:
    grave.poison("901")
    thing = only(grave)
    place, _, number = thing.pop("id").rpartition("/")
    assert (place, len(number)) == ("dead_letters/invoices", 36)
    assert thing == {
        "where": "dead_letters",
        "entity": "invoices",
        "ids": ["901"],
        "reason": "InvalidDocument: Invoice: cannot read date",
        "first_seen": SEEN,
        "redrives": 0,
        "trace_id": "trace-1",
    }


def test_a_list_takes_nothing_and_shows_the_same_again(grave: Graveyard) -> None:
    for number in range(25):
        grave.poison(str(900 + number))
    first = ask(grave, "dlq_list")
    assert len(first["things"]) == 25
    assert ask(grave, "dlq_list") == first


def test_everything_dead_is_one_list_the_oldest_first(grave: Graveyard) -> None:
    grave.park("products", "77")
    grave.bury("customers", "not json at all")
    grave.poison("901")
    grave.unrouted(b"<html>")
    grave.failed_run(mode="poll")
    things = ask(grave, "dlq_list")["things"]
    assert sorted(thing["where"] for thing in things) == [
        "backlog",
        "dead_letters",
        "dead_letters",
        "failed_runs",
        "unrouted",
    ]
    assert [thing["first_seen"] for thing in things] == sorted(thing["first_seen"] for thing in things)
    assert {thing["where"]: thing["reason"] for thing in things if thing["entity"] != "customers"} == {
        "backlog": "ZohoRejected: HTTP 400, code 2",
        "dead_letters": "InvalidDocument: Invoice: cannot read date",
        "failed_runs": "poll: ScopeMissing: the token may not read books/bills",
        "unrouted": "InvalidDocument: no invoice_id",
    }


def test_what_sqs_itself_moved_is_read_from_its_body(grave: Graveyard) -> None:
    grave.bury("invoices", message("invoices", document("invoices", "901"), trace_id="trace-9"))
    thing = only(grave)
    assert (thing["entity"], thing["ids"], thing["trace_id"], thing["redrives"]) == ("invoices", ["901"], "trace-9", 0)
    assert "delivered too often" in thing["reason"]


@pytest.mark.parametrize("body", ["", "[]", '{"ids": "901"}', '{"entity": ["x"], "trace_id": 7}'])
def test_a_letter_that_says_nothing_is_listed_all_the_same(grave: Graveyard, body: str) -> None:
    grave.bury("invoices", body or "-", first_seen="yesterday", redrives="many")
    thing = only(grave)
    assert (thing["entity"], thing["ids"], thing["redrives"], thing["trace_id"]) == ("invoices", [], 0, None)
    assert datetime.fromisoformat(thing["first_seen"]).tzinfo


def test_of_many_some_are_shown_and_the_rest_is_counted(grave: Graveyard, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(150):
        grave.bury("invoices", f"poison {number}", reason="InvalidDocument: x")
    receives: list[int] = []
    receive = Visit._receive

    def counted(self: Visit, number: int) -> Any:
        receives.append(number)
        return receive(self, number)

    monkeypatch.setattr(Visit, "_receive", counted)
    found = ask(grave, "dlq_list", limit=40)
    assert len({thing["id"] for thing in found["things"]}) == 40
    assert found["totals"] == {"dead_letters/invoices": pytest.approx(150, abs=20)}, "counted while others look"
    assert sum(receives) <= 40 + 10 * 5
    last = ask(grave, "dlq_list", limit=100_000)["things"][-1]["id"]
    assert ask(grave, "dlq_show", id=last)["payload"].startswith("poison ")


def test_a_message_that_comes_twice_in_one_look_is_listed_once(
    grave: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tds_core.sync.dead_queue.HIDDEN_S", 0)
    grave.poison("901")
    assert len(ask(grave, "dlq_list")["things"]) == 1


def test_a_look_ends_with_its_time(grave: Graveyard) -> None:
    for number in range(30):
        grave.poison(str(900 + number))
    times = iter([0.0, 0.0, 10.0, 21.0])
    url = grave.sqs.get_queue_url(QueueName="invoices-dead")["QueueUrl"]
    with DeadQueue(grave.sqs, url, clock=lambda: next(times)).visit(limit=1_000) as visit:
        assert len(list(visit)) == 20


# -- one of them


def test_a_letter_is_shown_with_its_payload(grave: Graveyard) -> None:
    grave.poison("901")
    shown = ask(grave, "dlq_show", id=only(grave)["id"])
    assert json.loads(shown["payload"])["document"]["date"] == "31/12/2026"
    assert shown["bytes"] == len(shown["payload"].encode())
    assert list(shown) == [*KEYS, "payload", "bytes", "time_zone"]


def test_an_unrouted_body_is_shown_bounded_and_never_logged(grave: Graveyard, caplog: pytest.LogCaptureFixture) -> None:
    body = b"secret payload " * 20_000
    grave.unrouted(body)
    with caplog.at_level(logging.DEBUG, logger="tds_core"):
        thing = only(grave)
        shown = ask(grave, "dlq_show", id=thing["id"])
        ask(grave, "dlq_redrive", ids=[thing["id"]])
        ask(grave, "dlq_drop", ids=[thing["id"]])
    assert (shown["payload"], shown["bytes"]) == (body[:SHOWN_BYTES].decode(), len(body))
    assert "secret payload" not in "".join(str(line.__dict__) for line in caplog.records)


@pytest.mark.parametrize("id", [UNKNOWN, "backlog/invoices/901", "nowhere/1", "", "dead_letters/moons/1"])
def test_what_is_not_there_is_said_to_be_so(grave: Graveyard, id: str) -> None:
    with pytest.raises(NoDeadLetter):
        grave.letters.show(id)
    done = ask(grave, "dlq_redrive", ids=[id])
    assert (done["settled"], list(done["stays"])) == ([], [id])
    assert grave.operations() == []


# -- back to life


def test_a_redriven_letter_is_on_its_queue_with_one_redrive_more(grave: Graveyard) -> None:
    grave.poison("901", redrives=1)
    grave.poison("902")
    [id] = [thing["id"] for thing in ask(grave, "dlq_list")["things"] if thing["ids"] == ["901"]]
    assert ask(grave, "dlq_redrive", ids=[id], operator="ali") == {"settled": [id], "stays": {}}
    [sent] = grave.taken("invoices")
    assert json.loads(sent["body"])["ids"] == ["901"]
    assert sent["attributes"] == {"first_seen": SEEN, "redrives": "2"}
    assert only(grave)["ids"] == ["902"]
    assert grave.operations() == [("ali", "redrive", "invoices", ["901"])]


def test_a_letter_that_still_is_poison_comes_back_with_its_count(grave: Graveyard, database: Database) -> None:
    grave.poison("901")
    ask(grave, "dlq_redrive", ids=[only(grave)["id"]])
    [sent] = grave.taken("invoices")
    invoices = Queued("invoices", database)
    invoices.handle(record(sent["body"], attributes=sent["attributes"]))
    [(_, attributes)] = invoices.queue.buried
    assert (attributes["redrives"], attributes["first_seen"]) == ("1", SEEN)


def test_a_letter_whose_queue_takes_nothing_stays_where_it_is(grave: Graveyard) -> None:
    grave.poison("901")
    id = only(grave)["id"]
    places = grave.places
    grave.letters.list()
    for place in places.letters:
        place.queue()  # the way to the dead-letter queue is known before its queue goes
    grave.sqs.delete_queue(QueueUrl=dict(grave.settings.queue_urls)["invoices"])
    done = DeadLetters(places.all, grave.database).settle([id], "redrive", operator="ali")
    assert "message not stored" in str(done[id])
    assert len(grave.taken("invoices-dead")) == 1


def test_a_letter_that_was_sent_but_not_deleted_is_there_twice_and_not_lost(
    grave: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    grave.poison("901")
    id, places = only(grave)["id"], grave.places

    def broken(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs.test")

    place = next(one for one in places.letters if one.prefix.endswith("invoices"))
    monkeypatch.setattr(place.queue()._client, "delete_message", broken)
    done = DeadLetters(places.all, grave.database).settle([id], "redrive", operator="ali")
    assert "not deleted" in str(done[id])
    assert (len(grave.taken("invoices")), len(grave.taken("invoices-dead"))) == (1, 1)


def test_an_unrouted_webhook_that_is_understood_now_goes_its_way(grave: Graveyard, database: Database) -> None:
    whole = document("invoices", "901")
    grave.unrouted(json.dumps({"invoice": whole}, default=str).encode(), event="updated")
    ask(grave, "dlq_redrive", ids=[only(grave)["id"]])
    [sent] = grave.taken("invoices")
    told = json.loads(sent["body"])
    assert (told["ids"], told["webhook"], told["trace_id"]) == (["901"], "invoices/updated", "trace-2")
    assert datetime.fromisoformat(told["observed_at"]) == datetime.fromisoformat(SEEN)
    assert ask(grave, "dlq_list")["things"] == []
    Queued("invoices", database).handle(record(sent["body"]))
    assert list(mirrored(database, "invoices")) == ["901"]


def test_an_unrouted_contact_of_unknown_type_is_asked_for_in_both(grave: Graveyard) -> None:
    grave.unrouted(b"", module="contacts", query="contact_id=55")
    ask(grave, "dlq_redrive", ids=[only(grave)["id"]])
    for queue in ("customers", "vendors"):
        [sent] = grave.taken(queue)
        assert (json.loads(sent["body"])["op"], json.loads(sent["body"])["ids"]) == ("request", ["55"])


@pytest.mark.parametrize(
    ("body", "settings", "reason"),
    [
        pytest.param(b"<html>", {}, "InvalidDocument", id="still not understood"),
        pytest.param(
            b'{"organization_id": "1", "invoice": {"invoice_id": "9"}}', {}, "another organisation", id="foreign"
        ),
        pytest.param(b'{"invoice": {"invoice_id": "9"}}', {"body_limit_bytes": 10}, "32 bytes", id="too large"),
        pytest.param(b'{"invoice": {"invoice_id": "9"}}', {"unrouted_bucket": "gone"}, "NoSuchBucket", id="no body"),
    ],
)
def test_an_unrouted_webhook_that_cannot_go_its_way_stays(
    grave: Graveyard, body: bytes, settings: dict[str, Any], reason: str
) -> None:
    grave.unrouted(body)
    grave.settings = replace(grave.settings, **settings)
    id = only(grave)["id"]
    done = ask(grave, "dlq_redrive", ids=[id])
    assert done["settled"] == [] and reason in done["stays"][id]
    assert grave.taken("invoices") == []
    assert only(grave)["id"] == id


def test_a_note_that_is_none_reads_no_object(grave: Graveyard) -> None:
    url = grave.settings.unrouted_queue_url
    for note in ("nothing", json.dumps({"module": "invoices", "observed_at": SEEN, "key": "../../secrets"})):
        grave.sqs.send_message(QueueUrl=url, MessageBody=note)
    things = ask(grave, "dlq_list")["things"]
    done = ask(grave, "dlq_redrive", ids=[thing["id"] for thing in things])
    assert len(things) == len(done["stays"]) == 2
    assert all("not a note" in reason for reason in done["stays"].values())


def test_a_failed_run_is_started_as_it_was(grave: Graveyard) -> None:
    grave.failed_run(mode="poll", force=True)
    ask(grave, "dlq_redrive", ids=[only(grave)["id"]])
    assert grave.waker.started == [("poll", {"force": True})]
    assert ask(grave, "dlq_list")["things"] == []


def test_housekeeping_is_started_by_its_schedule_only(grave: Graveyard) -> None:
    grave.failed_run(mode="housekeeping")
    done = ask(grave, "dlq_redrive", ids=[only(grave)["id"]])
    assert (done["settled"], grave.waker.started) == ([], [])


def test_a_run_that_the_scheduler_could_not_start_says_why(grave: Graveyard) -> None:
    stated = {"ERROR_CODE": "AccessDenied", "ERROR_MESSAGE": "not allowed to invoke"}
    grave._send("failed-runs", '{"mode": "drain"}', stated)
    assert only(grave)["reason"] == "drain: not started: AccessDenied not allowed to invoke"


def test_a_parked_request_is_fetched_anew_with_all_its_attempts(grave: Graveyard, database: Database) -> None:
    grave.park("invoices", "901", "902")
    thing = next(one for one in ask(grave, "dlq_list")["things"] if one["ids"] == ["901"])
    assert (thing["id"], thing["redrives"], thing["trace_id"]) == ("backlog/invoices/901", 2, None)
    ask(grave, "dlq_redrive", ids=[thing["id"]], operator="ali")
    waits = backlog_of(database, "invoices")
    assert (waits["901"]["attempts"], waits["901"]["lags"], waits["901"]["parked"]) == (0, 0, False)
    assert (waits["901"]["priority"], waits["901"]["wait_s"] <= 0) == (Priority.MANUAL, True)
    assert waits["902"]["parked"] is True
    assert grave.waker.wakes == 1


def test_a_request_of_an_entity_that_nobody_knows_stays(grave: Graveyard) -> None:
    grave.park("moons", "1")
    done = ask(grave, "dlq_redrive", ids=["backlog/moons/1"])
    assert "UnknownEntity" in done["stays"]["backlog/moons/1"]


# -- dropped


def test_what_is_dropped_is_gone_and_remembered(grave: Graveyard, database: Database) -> None:
    grave.poison("901")
    grave.unrouted(b"<html>")
    grave.failed_run(mode="poll")
    grave.park("products", "77")
    ids = [thing["id"] for thing in ask(grave, "dlq_list")["things"]]
    done = ask(grave, "dlq_drop", ids=[*ids, ids[0]], operator="x" * 500)
    assert (sorted(done["settled"]), done["stays"]) == (sorted(ids), {})
    assert ask(grave, "dlq_list") == {"things": [], "totals": {}, "time_zone": "Asia/Baghdad"}
    assert backlog_of(database, "products") == {}
    assert (grave.taken("invoices"), grave.waker.started) == ([], [])
    operations = database.execute("SELECT operator, operation, subject FROM tds.operations")
    assert sorted(subject for _, _, subject in operations) == sorted(ids)
    assert {(operator, operation) for operator, operation, _ in operations} == {("x" * 200, "drop")}


def test_nothing_is_done_that_cannot_be_written_down(grave: Graveyard) -> None:
    grave.poison("901")
    id = only(grave)["id"]
    down = Database(lambda: "host=127.0.0.1 port=1", application_name="test")
    letters = DeadLetters(grave.places.all, down)
    for ending in ("drop", "redrive"):
        assert "DatabaseUnavailable" in letters.settle([id], ending, operator="ali")[id].reason  # type: ignore[union-attr]
    assert (len(grave.taken("invoices-dead")), grave.taken("invoices")) == (1, [])


def test_one_that_fails_costs_no_other_its_turn(grave: Graveyard) -> None:
    grave.unrouted(b"<html>")
    grave.poison("901")
    ids = [thing["id"] for thing in ask(grave, "dlq_list")["things"]]
    done = ask(grave, "dlq_redrive", ids=[UNKNOWN, "nonsense", *ids])
    assert done["settled"] == [id for id in ids if id.startswith("dead_letters")]
    assert len(done["stays"]) == 3


def test_without_its_queues_nothing_starts() -> None:
    with pytest.raises(ConfigurationError, match="TDS_UNROUTED_QUEUE_URL"):
        Places.of(zoho_fakes.settings(queue_urls=(("invoices", "u"),)), database=None)  # type: ignore[arg-type]
