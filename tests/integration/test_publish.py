"""The publisher: what the bus accepted leaves the outbox, each record in its order, and nothing else is lost."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from tds_core import aws
from tds_core.database import outbox, runs
from tds_core.database.candidates import from_document
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.entities import entity
from tds_core.errors import BusUnavailable, ConfigurationError
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync import publish
from tds_core.sync.publish import EventBridge, Publisher
from tests.zoho_documents import invoice, received

Entries = Sequence[dict[str, Any]]
Connect = Callable[[], Database]
INVOICES = entity("invoices")


class Killed(BaseException):
    """The process ends here."""


@dataclass
class MemoryBus:
    """A bus that remembers what it accepted; `answer` refuses, fails or kills."""

    accepted: list[tuple[str, int]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], str | None] = lambda detail: None

    def put(self, entries: Entries) -> list[str | None]:
        details = [json.loads(entry["Detail"]) for entry in entries]
        self.calls.append(len(entries))
        assert len({detail["id"] for detail in details}) == len(details), "no two events of a record in one call"
        codes = [self.answer(detail) for detail in details]
        self.accepted += [
            (detail["id"], detail["sequence"]) for detail, code in zip(details, codes, strict=True) if code is None
        ]
        return codes

    def order_of(self, document_id: str) -> list[int]:
        return [sequence for id, sequence in self.accepted if id == document_id]


def publisher(database: Database, bus: publish.Bus, gauges: list[Any] | None = None, **fields: Any) -> Publisher:
    def gauge(name: str, value: float) -> None:
        if gauges is not None:
            gauges.append((name, value))

    return Publisher(Settings(), database=database, bus=bus, gauge=gauge, **fields)


def fill(database: Database, *, records: int, versions: int) -> None:
    """So many records with so many events each."""
    mirror = Mirror(database)
    for age in range(versions):
        candidates = [
            from_document(INVOICES, invoice(n, age, balance=age), moment=received(age), source="webhook", trace_id="t")
            for n in range(1, records + 1)
        ]
        mirror.apply(INVOICES, candidates, priority=Priority.WEBHOOK)


def waiting(database: Database) -> list[tuple[str, int]]:
    return [(event.id, event.sequence) for event in outbox.waiting(database, limit=100_000)]


def test_everything_is_published_once_and_in_order(database: Database) -> None:
    fill(database, records=23, versions=3)
    bus, gauges = MemoryBus(), list[Any]()
    assert publisher(database, bus, gauges).run() == {"published": 69, "refused": 0}
    assert all(bus.order_of(str(n)) == [1, 2, 3] for n in range(1, 24))
    assert bus.calls == [10, 10, 3] * 3
    assert waiting(database) == []
    assert gauges == [(publish.METRIC, 0.0)]


def test_a_refused_record_waits_in_its_order_and_no_other_does(database: Database) -> None:
    fill(database, records=12, versions=3)
    bus = MemoryBus(answer=lambda d: "ThrottlingException" if (d["id"], d["sequence"]) == ("5", 2) else None)
    assert publisher(database, bus).run() == {"published": 34, "refused": 1}
    assert waiting(database) == [("5", 2), ("5", 3)]
    bus.answer = lambda d: None
    assert publisher(database, bus).run() == {"published": 2, "refused": 0}
    assert bus.order_of("5") == [1, 2, 3]


def test_a_record_that_is_always_refused_holds_up_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_EVENTS_PER_PAGE", 2)
    fill(database, records=5, versions=2)
    bus = MemoryBus(answer=lambda d: "InternalFailure" if d["id"] == "1" else None)
    for _ in range(2):
        publisher(database, bus).run()
    assert waiting(database) == [("1", 1), ("1", 2)]


def test_a_bus_that_refuses_everything_is_not_asked_for_ever(database: Database) -> None:
    fill(database, records=300, versions=1)
    bus = MemoryBus(answer=lambda d: "ThrottlingException")
    assert publisher(database, bus).run() == {"published": 0, "refused": 100}
    assert len(waiting(database)) == 300


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_publisher_loses_nothing(database: Database, connect: Connect, when: str) -> None:
    fill(database, records=15, versions=3)
    bus = MemoryBus()

    class Mortal:
        """Dies at its third call, when the bus has the events or has them not."""

        def put(self, entries: Entries) -> list[str | None]:
            if len(bus.calls) == 2:
                if when == "after":
                    bus.put(entries)
                raise Killed
            return bus.put(entries)

    with pytest.raises(Killed):
        publisher(connect(), Mortal()).run()
    assert publisher(database, bus).run()["published"] == 45 - 15
    counts = Counter(bus.accepted)
    assert counts.keys() == {(str(n), sequence) for n in range(1, 16) for sequence in (1, 2, 3)}
    assert sum(counts.values()) == 45 + (10 if when == "after" else 0)
    assert all(list(dict.fromkeys(bus.order_of(str(n)))) == [1, 2, 3] for n in range(1, 16))
    assert waiting(database) == []


def test_a_bus_out_of_reach_costs_no_event_and_is_told(database: Database) -> None:
    fill(database, records=30, versions=1)
    bus, gauges = MemoryBus(), list[Any]()

    def answer(detail: dict[str, Any]) -> None:
        if len(bus.calls) == 2:
            raise BusUnavailable("away")

    bus.answer = answer
    database.execute("UPDATE tds.outbox SET at = at - interval '1 hour'")
    with pytest.raises(BusUnavailable):
        publisher(database, bus, gauges).run()
    assert len(waiting(database)) == 20
    ((name, age_s),) = gauges
    assert name == publish.METRIC and 3_600 <= age_s < 3_700


def test_the_time_budget_leaves_the_rest_to_the_next_run(database: Database) -> None:
    fill(database, records=100, versions=1)
    seconds = iter(range(1_000))
    bus = MemoryBus()
    counts = publisher(database, bus, work_s=4, clock=lambda: float(next(seconds))).run()
    assert counts == {"published": 30, "refused": 0}
    assert len(waiting(database)) == 70


def test_only_one_publisher_works(database: Database, connect: Connect) -> None:
    fill(database, records=3, versions=1)
    with runs.lease(connect(), publish.MODE, duration_s=60):
        assert publisher(database, MemoryBus()).run() == {"published": 0, "refused": 0}
    assert len(waiting(database)) == 3


def test_a_publisher_that_lost_its_lease_stops(database: Database, connect: Connect) -> None:
    fill(database, records=30, versions=1)
    bus = MemoryBus()

    def answer(detail: dict[str, Any]) -> None:
        connect().execute("UPDATE tds.leases SET holder = gen_random_uuid() WHERE name = %s", (publish.MODE,))

    bus.answer = answer
    assert publisher(database, bus).run() == {"published": 10, "refused": 0}
    assert len(waiting(database)) == 20


def test_an_event_that_is_committed_late_is_not_overtaken_by_its_successor(
    database: Database, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others are published, a record's first event appears with an older number, and its second one."""
    monkeypatch.setattr(publish, "_EVENTS_PER_PAGE", 2)
    insert = "INSERT INTO tds.outbox (entity, id, kind, changed, sequence) VALUES ('invoices', %s, 'updated', '{}', %s)"
    bus, other = MemoryBus(), connect()
    with ExitStack() as transaction:
        transaction.enter_context(other.transaction()).execute(insert, ("late", 1))
        for sequence in (1, 2, 3, 4):
            database.execute(insert, ("other", sequence))

        def answer(detail: dict[str, Any]) -> None:
            if detail["sequence"] == 1 and detail["id"] == "other":
                transaction.close()
                other.execute(insert, ("late", 2))

        bus.answer = answer
        assert publisher(database, bus).run()["published"] == 6
    assert bus.order_of("late") == [1, 2] and bus.order_of("other") == [1, 2, 3, 4]


# EventBridge


@pytest.fixture
def stub(aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("events", region_name="eu-central-1")
    monkeypatch.setattr(aws, "client", lambda service: client)
    with Stubber(client) as stubber:
        yield stubber


def test_an_event_says_what_happened_to_whom_and_nothing_of_its_content(database: Database, stub: Stubber) -> None:
    fill(database, records=1, versions=1)
    (event,) = outbox.waiting(database, limit=1)
    detail = {
        "entity": "invoices",
        "id": "1",
        "event": "created",
        "changed": [],
        "sequence": 1,
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "trace_id": "t",
    }
    entry = {
        "EventBusName": "bus",
        "Source": "tds",
        "DetailType": "tds.entity.created",
        "Time": event.at,
        "Detail": json.dumps(detail, separators=(",", ":")),
    }
    stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "a"}]}, {"Entries": [entry]})
    publisher(database, EventBridge(Settings(event_bus="bus"))).run()
    stub.assert_no_pending_responses()


def test_a_bus_of_eventbridge_takes_the_events(database: Database, aws_credentials: None) -> None:
    fill(database, records=12, versions=2)
    with mock_aws():
        boto3.client("events").create_event_bus(Name="tds-bus")
        assert publisher(database, EventBridge(Settings(event_bus="tds-bus"))).run()["published"] == 24


def test_partial_failures_are_taken_entry_by_entry(database: Database, stub: Stubber) -> None:
    fill(database, records=3, versions=1)
    refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    answer = {"FailedEntryCount": 1, "Entries": [{"EventId": "a"}, refused, {"EventId": "c"}]}
    stub.add_response("put_events", answer)
    assert publisher(database, EventBridge(Settings(event_bus="bus"))).run() == {"published": 2, "refused": 1}
    assert waiting(database) == [("2", 1)]


def test_an_answer_that_leaves_events_out_accepts_none(database: Database, stub: Stubber) -> None:
    fill(database, records=2, versions=1)
    stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "a"}]})
    with pytest.raises(BusUnavailable):
        publisher(database, EventBridge(Settings(event_bus="bus"))).run()
    assert len(waiting(database)) == 2


def test_an_error_of_the_call_is_told_by_its_code(database: Database, stub: Stubber) -> None:
    fill(database, records=1, versions=1)
    stub.add_client_error("put_events", "AccessDeniedException", "not for you: payload")
    with pytest.raises(BusUnavailable, match=r"^events not published: AccessDeniedException$"):
        publisher(database, EventBridge(Settings(event_bus="bus"))).run()


def test_without_a_bus_the_function_does_not_start() -> None:
    with pytest.raises(ConfigurationError):
        EventBridge(Settings())
