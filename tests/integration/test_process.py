"""The processor on a real PostgreSQL: whatever stands on a queue, nothing is lost and nobody's neighbours suffer."""

import random
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tds_core import lossless_json
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tds_core.sync import process
from tds_core.zoho.routes import ROUTES
from tds_core.zoho.webhooks import Webhook, changes, read
from tests.integration.road import (
    Connect,
    Json,
    Queued,
    Road,
    Zoho,
    backlog_of,
    document,
    later,
    message,
    mirrored,
    record,
    stumble,
)
from tests.webhook_events import webhook_event

NESTED = "[" * 600 + "]" * 600


@pytest.fixture
def invoices(database: Database) -> Queued:
    """The processor of invoices."""
    return Queued("invoices", database)


def reasons(queued: Queued) -> list[str]:
    return [attributes["reason"] for _, attributes in queued.queue.buried]


# -- what is no message of this queue


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("not json", id="not-json"),
        pytest.param('"text"', id="text"),
        pytest.param("[1, 2]", id="list"),
        pytest.param("", id="empty"),
        pytest.param('{"schema": 1}', id="nothing-but-a-schema"),
        pytest.param("[" * 5000, id="bottomless"),
        pytest.param('{"schema": NaN}', id="nan"),
    ],
)
def test_an_unparseable_message_is_dead_lettered_and_requests_nothing(
    invoices: Queued, database: Database, body: str
) -> None:
    assert invoices.handle(record(body)) == []
    [(buried, attributes)] = invoices.queue.buried
    assert buried["body"] == body
    assert attributes["entity"] == "invoices"
    assert attributes["reason"].startswith("InvalidDocument")
    assert (attributes["ids"], attributes["trace_id"], attributes["redrives"]) == ("", "", "0")
    assert backlog_of(database, "invoices") == {}
    assert invoices.waker.wakes == 0


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"schema": 2}, id="unknown-schema"),
        pytest.param({"op": "replace"}, id="unknown-op"),
        pytest.param({"observed_at": "yesterday"}, id="no-time"),
        pytest.param({"observed_at": "2026-03-14T09:00:00"}, id="time-without-offset"),
        pytest.param({"observed_at": "0001-01-01T00:00:00+05:00"}, id="time-before-time"),
        pytest.param({"observed_at": 17}, id="time-as-number"),
    ],
)
def test_a_message_of_another_schema_is_dead_lettered_and_its_id_requested(
    invoices: Queued, database: Database, fields: Json
) -> None:
    assert invoices.handle(record(message("invoices", document("invoices", "901"), **fields))) == []
    [(_, attributes)] = invoices.queue.buried
    assert (attributes["ids"], attributes["trace_id"]) == ("901", "trace-1")
    assert list(backlog_of(database, "invoices")) == ["901"]
    assert mirrored(database, "invoices") == {}
    assert invoices.waker.wakes == 1


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param([], id="none"),
        pytest.param("901", id="text"),
        pytest.param(["90x"], id="not-digits"),
        pytest.param(["1" * 26], id="too-long"),
        pytest.param([9.5], id="fraction"),
        pytest.param([None], id="null"),
    ],
)
def test_ids_that_are_none_are_dead_lettered_and_reach_no_key(invoices: Queued, database: Database, ids: Any) -> None:
    assert invoices.handle(record(message("invoices", ids=ids))) == []
    assert len(invoices.queue.buried) == 1
    assert backlog_of(database, "invoices") == {}


@pytest.mark.parametrize("entity", [["invoices"], {"a": 1}, None, 7], ids=str)
def test_an_entity_that_is_no_name_costs_its_neighbours_nothing(
    invoices: Queued, database: Database, entity: Any
) -> None:
    good = record(message("invoices", document("invoices", "902")))
    strange = message("invoices", document("invoices", "901")) | {"entity": entity}
    assert invoices.handle(record(strange), good) == []
    assert len(invoices.queue.buried) == 1
    assert list(mirrored(database, "invoices")) == ["902"]


def walked(database: Database, *, days_ago: float, started_days_ago: float | None = None) -> None:
    """Let the last walk of the invoices have begun so long ago, and one be under way."""
    began = timedelta(days=days_ago if started_days_ago is None else started_days_ago)
    database.execute(
        """
        INSERT INTO tds.cursors (scan, walked_at, walk_started_at, walked_rows)
        VALUES ('invoices', now() - %s, now() - %s, 0)
        """,
        (timedelta(days=days_ago), began),
    )


@pytest.mark.parametrize(
    "nameless",
    [
        pytest.param("not json", id="unreadable"),
        pytest.param({"ids": ["90x"], "schema": 1}, id="no id"),
        pytest.param({"ids": ["901"], "entity": "moons", "schema": 1}, id="of nothing known"),
    ],
)
def test_a_message_that_names_no_record_has_its_list_walked(
    invoices: Queued, database: Database, nameless: Json | str
) -> None:
    walked(database, days_ago=2)
    seen = {"first_seen": datetime.now(UTC).isoformat()}
    invoices.handle(record(nameless, attributes=seen), record(nameless, attributes=seen))
    assert len(invoices.queue.buried) == 2
    [(requested_at,)] = database.execute("SELECT walk_requested_at FROM tds.cursors WHERE scan = 'invoices'")
    assert requested_at is not None
    assert invoices.waker.wakes == 0


def test_a_message_that_names_its_record_costs_no_walk(invoices: Queued, database: Database) -> None:
    walked(database, days_ago=2)
    invoices.handle(record(message("invoices", document("invoices", "901", date="31/12/2026"))))
    assert database.execute("SELECT walk_requested_at FROM tds.cursors") == [(None,)]
    assert list(backlog_of(database, "invoices")) == ["901"]


@pytest.mark.parametrize(
    ("days_ago", "started_days_ago", "first_seen_days_ago"),
    [
        pytest.param(0.5, None, 0, id="walked within a day"),
        pytest.param(9, 0.5, 0, id="a walk is under way"),
        pytest.param(2, None, 3, id="walked since it was first seen"),
    ],
)
def test_messages_that_name_no_record_cost_one_walk_a_day_at_most(
    invoices: Queued, database: Database, days_ago: float, started_days_ago: float | None, first_seen_days_ago: float
) -> None:
    walked(database, days_ago=days_ago, started_days_ago=started_days_ago)
    first_seen = (datetime.now(UTC) - timedelta(days=first_seen_days_ago)).isoformat()
    invoices.handle(record("not json", attributes={"first_seen": first_seen}))
    assert database.execute("SELECT walk_requested_at FROM tds.cursors") == [(None,)]


def test_a_message_that_names_no_record_begins_no_history(invoices: Queued, database: Database) -> None:
    database.execute("INSERT INTO tds.cursors (scan) VALUES ('invoices')")
    invoices.handle(record("not json"))
    assert database.execute("SELECT walk_requested_at FROM tds.cursors") == [(None,)]


def test_an_id_beside_one_that_is_none_is_requested_all_the_same(invoices: Queued, database: Database) -> None:
    assert invoices.handle(record(message("invoices", ids=["90x", "901"]))) == []
    assert len(invoices.queue.buried) == 1
    assert list(backlog_of(database, "invoices")) == ["901"]


def test_a_foreign_entitys_message_is_dead_lettered_and_requested_where_it_belongs(
    invoices: Queued, database: Database
) -> None:
    assert invoices.handle(record(message("payments", document("payments", "701")))) == []
    [(_, attributes)] = invoices.queue.buried
    assert "payments" in attributes["reason"]
    assert backlog_of(database, "invoices") == {}
    assert list(backlog_of(database, "payments")) == ["701"]
    assert invoices.waker.wakes == 1


def test_a_message_of_an_entity_that_nobody_knows_requests_nothing(invoices: Queued, database: Database) -> None:
    strange = message("invoices", ids=["701"]) | {"entity": "moon\x01phases"}
    assert invoices.handle(record(strange)) == []
    [(_, attributes)] = invoices.queue.buried
    assert all(value.isprintable() for value in attributes.values())
    assert database.execute("SELECT count(*) FROM tds.backlog") == [(0,)]


@pytest.mark.parametrize("contact_type", ["vendor", "", "partner"])
def test_a_contact_that_is_not_surely_a_customer_is_requested(database: Database, contact_type: str) -> None:
    customers = Queued("customers", database)
    contact = document("customers", "801", contact_type=contact_type)
    assert customers.handle(record(message("customers", contact))) == []
    assert mirrored(database, "customers") == {}
    assert list(backlog_of(database, "customers")) == ["801"]
    assert customers.waker.wakes == 1


# -- what documents may hold


def test_ids_as_numbers_beyond_double_precision_keep_every_digit(invoices: Queued, database: Database) -> None:
    whole = document("invoices", 9007199254740993123, customer_id=460000000000012345679)
    whole["line_items"][0]["item_id"] = 9007199254740993777
    assert invoices.handle(record(message("invoices", whole))) == []
    assert mirrored(database, "invoices", "customer_id") == {"9007199254740993123": ("460000000000012345679",)}
    lines = database.execute("SELECT product_id FROM erp.invoice_lines WHERE line_number = 1")
    assert lines == [("9007199254740993777",)]
    assert "9007199254740993777" in backlog_of(database, "products")


@pytest.mark.parametrize("blank", ["", " ", None])
def test_blank_numbers_and_dates_become_null_never_zero(
    invoices: Queued, database: Database, blank: str | None
) -> None:
    names = {"balance": blank, "exchange_rate": blank, "due_date": blank, "last_payment_date": blank}
    whole = document("invoices", "901") | names
    assert invoices.handle(record(message("invoices", whole))) == []
    assert mirrored(database, "invoices", "balance", "exchange_rate", "due_date", "last_payment_date") == {
        "901": (None, None, None, None)
    }
    assert invoices.queue.buried == []


def test_amounts_keep_every_digit(invoices: Queued, database: Database) -> None:
    body = lossless_json.dumps(message("invoices", document("invoices", "901")))
    body = body.replace('"total":750.0', '"total":123456789012.345678901').replace(
        '"balance":492.5', '"balance":"0.10"'
    )
    assert invoices.handle(record(body)) == []
    assert mirrored(database, "invoices", "total", "balance", "zoho -> 'total'") == {
        "901": (Decimal("123456789012.345678901"), Decimal("0.10"), Decimal("123456789012.345678901"))
    }


def test_a_document_without_version_is_applied_and_a_later_one_that_differs_asks_zoho(
    invoices: Queued, database: Database
) -> None:
    bare = document("invoices", "901", last_modified_time=None)
    assert invoices.handle(record(message("invoices", bare))) == []
    assert mirrored(database, "invoices", "balance", "detail_version") == {"901": (Decimal("492.5"), None)}
    assert backlog_of(database, "invoices") == {}

    assert invoices.handle(record(message("invoices", bare | {"balance": 1}))) == []
    assert mirrored(database, "invoices", "balance") == {"901": (Decimal("492.5"),)}
    assert list(backlog_of(database, "invoices")) == ["901"]


def test_unknown_keys_are_kept_and_unknown_statuses_are_zohos_own_text(invoices: Queued, database: Database) -> None:
    whole = document("invoices", "901", status="half_forgotten", brand_new={"key": ["value", None, 1.10]})
    assert invoices.handle(record(message("invoices", whole))) == []
    assert mirrored(database, "invoices", "status", "zoho -> 'brand_new'") == {
        "901": ("half_forgotten", {"key": ["value", None, Decimal("1.10")]})
    }


def test_characters_that_postgresql_refuses_are_replaced(invoices: Queued, database: Database) -> None:
    body = lossless_json.dumps(message("invoices", document("invoices", "901", notes="NOTES")))
    assert invoices.handle(record(body.replace("NOTES", "a\\u0000b\\ud83dc"))) == []
    assert mirrored(database, "invoices", "notes") == {"901": ("a\ufffdb\ufffdc",)}


def test_a_document_of_300_lines_arrives_whole(invoices: Queued, database: Database) -> None:
    whole = document("invoices", "901")
    line = whole["line_items"][0]
    whole["line_items"] = [line | {"line_item_id": str(n), "quantity": n, "item_id": str(5000 + n)} for n in range(300)]
    assert invoices.handle(record(message("invoices", whole))) == []
    lines = database.execute("SELECT count(*), sum(quantity), max(line_number) FROM erp.invoice_lines")
    assert lines == [(300, Decimal(sum(range(300))), 300)]
    assert len(backlog_of(database, "products")) == 300


@pytest.mark.parametrize("customer_id", ["404404", ""])
def test_a_document_whose_customer_is_not_there_is_applied(
    invoices: Queued, database: Database, customer_id: str
) -> None:
    assert invoices.handle(record(message("invoices", document("invoices", "901", customer_id=customer_id)))) == []
    assert mirrored(database, "invoices", "customer_id") == {"901": (customer_id or None,)}
    assert invoices.queue.buried == []


@pytest.mark.parametrize(
    "missing", sorted(REGISTRY["invoices"].document_keys - {"invoice_id"}), ids=lambda key: f"without-{key}"
)
def test_a_chosen_field_body_wipes_nothing_and_is_requested(invoices: Queued, database: Database, missing: str) -> None:
    invoices.handle(record(message("invoices", document("invoices", "901"))))
    chosen = document("invoices", "901", last_modified_time=later(60), status="void", balance=0)
    del chosen[missing]
    assert invoices.handle(record(message("invoices", chosen))) == []
    assert mirrored(database, "invoices", "status", "balance", "jsonb_array_length(line_items)") == {
        "901": ("partially_paid", Decimal("492.5"), 3)
    }
    assert list(backlog_of(database, "invoices")) == ["901"]
    assert invoices.waker.wakes == 1
    assert invoices.queue.buried == []


def test_a_payment_without_its_invoices_wipes_no_application(database: Database) -> None:
    payments = Queued("payments", database)
    payments.handle(record(message("payments", document("payments", "701"))))
    before = database.execute("SELECT * FROM erp.payment_invoices ORDER BY 2")
    assert before
    chosen = document("payments", "701", updated_time=later(60), invoices=None)
    payments.handle(record(message("payments", chosen)))
    assert database.execute("SELECT * FROM erp.payment_invoices ORDER BY 2") == before


@pytest.mark.parametrize("op", ["delete", "request"])
def test_a_deletion_by_webhook_deletes_nothing_but_asks_zoho(invoices: Queued, database: Database, op: str) -> None:
    whole = document("invoices", "901")
    invoices.handle(record(message("invoices", whole)))
    assert invoices.handle(record(message("invoices", whole, op=op))) == []
    assert mirrored(database, "invoices") == {"901": ()}
    assert list(backlog_of(database, "invoices")) == ["901"]


# -- order within a batch


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in-order", "reversed"])
def test_two_webhooks_for_one_id_in_one_batch_leave_the_newer_one(
    invoices: Queued, database: Database, order: tuple[int, int]
) -> None:
    states = [
        document("invoices", "901", balance=400),
        document("invoices", "901", balance=0, status="paid", last_modified_time=later(60)),
    ]
    assert invoices.handle(*[record(message("invoices", states[place])) for place in order]) == []
    assert mirrored(database, "invoices", "balance", "status", "(zoho ->> 'balance')::int") == {
        "901": (Decimal(0), "paid", 0)
    }
    outcomes = database.execute("SELECT outcome FROM tds.change_log WHERE id = '901' ORDER BY outcome")
    assert outcomes == [("created",), ("stale",)]
    assert backlog_of(database, "invoices") == {}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in-order", "reversed"])
def test_two_states_of_one_second_in_one_batch_ask_zoho(
    invoices: Queued, database: Database, order: tuple[int, int]
) -> None:
    states = [document("invoices", "901", balance=balance) for balance in (400, 0)]
    assert invoices.handle(*[record(message("invoices", states[place])) for place in order]) == []
    assert list(backlog_of(database, "invoices")) == ["901"]
    assert invoices.waker.wakes == 1


def test_a_webhook_that_comes_twice_is_applied_once(invoices: Queued, database: Database) -> None:
    one = record(message("invoices", document("invoices", "901")))
    invoices.handle(one, one)
    invoices.handle(one)
    assert database.execute("SELECT outcome, count(*) FROM tds.change_log GROUP BY 1 ORDER BY 1") == [
        ("created", 1),
        ("unchanged", 2),
    ]
    assert invoices.waker.wakes == 0


# -- poison


POISON: dict[str, Callable[[Json], str]] = {
    "pydantic-refuses-a-date": lambda whole: _body(whole | {"date": "31/12/2026"}),
    "pydantic-refuses-an-amount": lambda whole: _body(whole | {"total": {"amount": 1}}),
    "lines-are-no-list": lambda whole: _body(whole | {"line_items": "three"}),
    "a-time-before-time": lambda whole: _body(whole | {"last_modified_time": "0001-01-01T00:00:00+05:00"}),
    "lines-without-bottom": lambda whole: _body(whole | {"line_items": "NESTED"}).replace('"NESTED"', NESTED),
    "postgresql-refuses-a-number": lambda whole: _body(whole | {"strange": "HUGE"}).replace('"HUGE"', "1e999999"),
    "a-number-beyond-all-bounds": lambda whole: _body(whole | {"strange": "HUGE"}).replace('"HUGE"', "1e1000000"),
    "a-time-after-time": lambda whole: _body(whole | {"last_modified_time": "9999-12-31T23:59:59+00:00"}),
    "postgresql-refuses-an-index-entry": lambda whole: _body(whole | {"invoice_number": _noise(6_000)}),
}


def _noise(length: int) -> str:
    """Text that does not compress."""
    return "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789ابتثجحخ", k=length))


def _body(whole: Json) -> str:
    return lossless_json.dumps(message("invoices", whole, trace_id="trace-poison"))


def test_an_error_that_nobody_foresaw_costs_its_message_alone(
    invoices: Queued, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stumble(monkeypatch, process, "902")
    assert invoices.handle(*(record(message("invoices", document("invoices", one))) for one in ("901", "902"))) == []
    assert list(mirrored(database, "invoices")) == ["901"]
    [(_, attributes)] = invoices.queue.buried
    assert re.fullmatch(r"Unforeseen: LookupError in road\.py:\d+", attributes["reason"])
    assert list(backlog_of(database, "invoices")) == ["902"]


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_poison_message_amid_99_good_ones_is_dead_lettered_alone(
    invoices: Queued, database: Database, poison: Callable[[Json], str]
) -> None:
    records = [record(message("invoices", document("invoices", str(1000 + n)))) for n in range(100)]
    records[42] = record(poison(document("invoices", "1042")))

    assert invoices.handle(*records) == []

    assert len(mirrored(database, "invoices")) == 99
    assert "1042" not in mirrored(database, "invoices")
    [(buried, attributes)] = invoices.queue.buried
    assert buried is records[42]
    assert attributes["reason"].split(":")[0] in ("InvalidDocument", "ZohoRejected")
    assert attributes == {
        "reason": attributes["reason"],
        "entity": "invoices",
        "ids": "1042",
        "first_seen": "2026-03-14T08:42:09.402000+00:00",
        "trace_id": "trace-poison",
        "redrives": "0",
    }
    asked = backlog_of(database, "invoices")
    assert list(asked) == ["1042"]
    assert asked["1042"]["priority"] == 0
    assert invoices.waker.wakes == 1
    assert invoices.queue.postponed == []


def test_a_poison_state_does_not_take_a_good_state_of_its_record_along(invoices: Queued, database: Database) -> None:
    good = document("invoices", "901")
    poison = POISON["postgresql-refuses-a-number"](good | {"last_modified_time": later(60)})
    records = [record(message("invoices", good)), record(poison), record(poison)]
    assert invoices.handle(*records) == []
    assert mirrored(database, "invoices", "balance") == {"901": (Decimal("492.5"),)}
    assert [buried["messageId"] for buried, _ in invoices.queue.buried] == [one["messageId"] for one in records[1:]]
    assert list(backlog_of(database, "invoices")) == ["901"]


def test_many_poison_messages_wake_the_drain_once(invoices: Queued) -> None:
    poison = POISON["pydantic-refuses-a-date"]
    invoices.handle(*[record(poison(document("invoices", str(1000 + n)))) for n in range(20)])
    assert len(invoices.queue.buried) == 20
    assert invoices.waker.wakes == 1


def test_a_redriven_message_keeps_its_first_sight_and_its_count(invoices: Queued) -> None:
    first_seen = "2026-03-01T00:00:00+00:00"
    again = record("not json", attributes={"first_seen": first_seen, "redrives": "2", "reason": "before"})
    invoices.handle(again)
    [(_, attributes)] = invoices.queue.buried
    assert (attributes["first_seen"], attributes["redrives"]) == (first_seen, "2")
    assert attributes["reason"] != "before"


def test_a_poison_message_stays_on_the_queue_while_its_dead_letter_queue_fails(
    invoices: Queued, database: Database
) -> None:
    good = record(message("invoices", document("invoices", "901")))
    poison = record(POISON["pydantic-refuses-a-date"](document("invoices", "902")))
    refused = record(POISON["postgresql-refuses-a-number"](document("invoices", "903")))
    invoices.queue.broken = True
    assert invoices.handle(good, poison, refused) == [poison["messageId"], refused["messageId"]]
    assert invoices.queue.postponed == [poison, refused]
    assert list(mirrored(database, "invoices")) == ["901"]

    invoices.queue.broken = False
    assert invoices.handle(poison, refused) == []
    assert len(invoices.queue.buried) == 2


# -- PostgreSQL is down


def test_while_postgresql_is_down_everything_waits_and_nothing_is_dead_lettered(conninfo: str) -> None:
    where = ["host=127.0.0.1 port=1 user=nobody dbname=nowhere"]
    database = Database(lambda: where[0], application_name="test")
    invoices = Queued("invoices", database)
    good = [record(message("invoices", document("invoices", str(900 + n)))) for n in range(3)]
    poison = record(POISON["pydantic-refuses-a-date"](document("invoices", "950")))
    nothing = record("not json at all")
    nameless = record(message("invoices", op="delete", ids=[]))
    for _ in range(3):
        failed = invoices.handle(*good, poison, nameless)
        assert sorted(failed) == sorted(one["messageId"] for one in (*good, poison, nameless))
    assert len(invoices.queue.postponed) == 15
    assert invoices.queue.buried == []
    assert invoices.waker.wakes == 0

    where[0] = conninfo
    assert invoices.handle(*good, poison, nothing) == []
    assert list(mirrored(database, "invoices")) == ["900", "901", "902"]
    assert len(invoices.queue.buried) == 2
    assert database.execute("SELECT count(*) FROM tds.change_log WHERE outcome = 'created'") == [(3,)]
    database.close()


def test_a_connection_that_broke_between_two_batches_costs_nothing(
    invoices: Queued, database: Database, owner_conninfo: str
) -> None:
    [(process,)] = database.execute("SELECT pg_backend_pid()")
    with psycopg.connect(owner_conninfo, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))
    one = record(message("invoices", document("invoices", "901")))
    assert invoices.handle(one) == []
    assert list(mirrored(database, "invoices")) == ["901"]


def test_a_locked_record_postpones_its_batch_and_is_applied_afterwards(
    invoices: Queued, connect: Callable[[], Database]
) -> None:
    other = connect()
    one = record(message("invoices", document("invoices", "901")))
    with other.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('invoices'), hashtext('901'))")
        invoices.processor._mirror._database.execute("SET lock_timeout = '50ms'")
        assert invoices.handle(one) == [one["messageId"]]
        assert invoices.queue.postponed == [one]
    assert invoices.handle(one) == []
    assert list(mirrored(other, "invoices")) == ["901"]


# -- writers in each other's way


def lock(connection: Any, document_id: str) -> None:
    """Take a record as any writer does."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('invoices'), hashtext(%s))", (document_id,))


def is_waiting(database: Database) -> bool:
    return database.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != [(0,)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_batch_that_loses_a_deadlock_is_applied_by_itself_and_counted_once(
    invoices: Queued, connect: Callable[[], Database], owner_conninfo: str
) -> None:
    """It holds one record and waits for the other, a writer the other way round: PostgreSQL ends the batch's work."""
    with psycopg.connect(owner_conninfo) as owner:
        owner.execute("GRANT SET ON PARAMETER deadlock_timeout TO tds_app")
    other, watcher = connect(), connect()
    # who has waited for that long looks for a deadlock, once, and is the one to end: on a busy machine, too, the batch
    invoices.processor._mirror._database.execute("SET deadlock_timeout = '2s'")
    other.execute("SET deadlock_timeout = '20s'")
    batch = [record(message("invoices", document("invoices", number))) for number in ("901", "902")]
    with ThreadPoolExecutor(1) as pool:
        with other.transaction() as connection:
            lock(connection, "901")
            handled = pool.submit(invoices.handle, *batch)
            until(lambda: is_waiting(watcher))
            held = "SELECT NOT pg_try_advisory_xact_lock(hashtext('invoices'), hashtext('902'))"
            assert watcher.execute(held) == [(True,)], "the batch does not hold it, so there is no deadlock"
            lock(connection, "902")
        assert handled.result() == []
    assert invoices.queue.postponed == []
    assert list(mirrored(watcher, "invoices")) == ["901", "902"]
    assert watcher.execute("SELECT id, outcome FROM tds.change_log ORDER BY id") == [
        ("901", "created"),
        ("902", "created"),
    ]


def test_a_batch_whose_snapshot_went_stale_is_applied_by_itself_and_counted_once(
    invoices: Queued, connect: Callable[[], Database]
) -> None:
    """Under a stricter isolation than ours a row that another writer changed meanwhile fails to serialise."""
    invoices.handle(record(message("invoices", document("invoices", "901"))))
    other, watcher = connect(), connect()
    own = invoices.processor._mirror._database
    own.execute("SET default_transaction_isolation = 'repeatable read'")
    newer = record(message("invoices", document("invoices", "901", notes="mine", last_modified_time=later(9))))
    with ThreadPoolExecutor(1) as pool:
        with other.transaction() as connection:
            lock(connection, "901")
            handled = pool.submit(invoices.handle, newer)
            until(lambda: is_waiting(watcher))
            connection.execute("UPDATE erp.invoices SET synced_at = now() WHERE invoice_id = '901'")
        assert handled.result() == []
    assert invoices.queue.postponed == []
    assert mirrored(watcher, "invoices", "notes") == {"901": ("mine",)}
    assert watcher.execute("SELECT outcome FROM tds.change_log ORDER BY at") == [("created",), ("updated",)]


def test_whatever_the_order_the_doubles_and_the_poison_of_deliveries_the_last_state_stands(database: Database) -> None:
    """Every state of three records, some twice, in any batches, poison among them, some batches delivered again."""
    for seed in range(12):
        dice, invoices = random.Random(seed), Queued("invoices", database)
        states = [(number, step) for number in ("1", "2", "3") for step in range(4)]
        deliveries = [*states, *dice.choices(states, k=6)]
        dice.shuffle(deliveries)
        records = [
            record(message("invoices", document("invoices", f"{seed}{n}", notes=str(s), last_modified_time=later(s))))
            for n, s in deliveries
        ]
        for _ in range(2):
            records.insert(dice.randrange(len(records)), record("not json"))
        while records:
            size = dice.randint(1, 5)
            batch, records = records[:size], records[size:]
            assert invoices.handle(*batch) == []
            if dice.random() < 0.4:  # the function was killed after its commit: SQS delivers all of it again
                assert invoices.handle(*batch) == []
        kept = {key: value for key, value in mirrored(database, "invoices", "notes").items() if key[:-1] == str(seed)}
        assert kept == {f"{seed}{n}": ("3",) for n in ("1", "2", "3")}, seed
        told = database.execute("SELECT count(*) FROM tds.change_log WHERE left(id, -1) = %s", (str(seed),))
        assert told[0][0] >= len(deliveries), seed


# -- waking


def test_the_drain_is_woken_only_when_something_was_requested(invoices: Queued, database: Database) -> None:
    whole = document("invoices", "901", line_items=[])
    invoices.handle(record(message("invoices", whole)))
    invoices.handle(record(message("invoices", whole)))
    invoices.handle(record(message("invoices", whole | {"last_modified_time": later(-60)})))
    assert invoices.waker.wakes == 0
    invoices.handle(record(message("invoices", ids=["901", "902"])))
    assert invoices.waker.wakes == 1


def test_an_old_webhook_of_a_deleted_record_is_ignored_and_a_new_one_asks_zoho(
    invoices: Queued, database: Database
) -> None:
    database.execute("INSERT INTO tds.tombstones VALUES ('invoices', '901', now(), '{}')")
    old = datetime.now(UTC) - timedelta(minutes=1)
    invoices.handle(record(message("invoices", document("invoices", "901"), observed_at=old.isoformat())))
    assert (backlog_of(database, "invoices"), invoices.waker.wakes) == ({}, 0)
    invoices.handle(record(message("invoices", document("invoices", "901"))))
    assert (list(backlog_of(database, "invoices")), invoices.waker.wakes) == (["901"], 1)
    assert mirrored(database, "invoices") == {}


@pytest.mark.parametrize("entity", sorted(REGISTRY))
def test_every_entitys_document_arrives_with_its_critical_columns(database: Database, entity: str) -> None:
    spec, queued = REGISTRY[entity], Queued(entity, database)
    assert queued.handle(record(message(entity, document(entity, "901")))) == []
    [values] = mirrored(database, entity, *spec.critical).values()
    assert None not in values
    dates = [value for value in values if isinstance(value, date)]
    assert queued.queue.buried == [] and all(day.year == 2026 for day in dates)


def test_a_webhook_with_ids_as_numbers_in_its_lines_equals_the_fetch(
    connect: Connect, database: Database, invoices: Queued
) -> None:
    zoho = Zoho()
    road = Road(connect, zoho.http)
    whole = document("invoices", "901")
    zoho.put("invoices", whole)
    road.request("invoices", "901")
    road.work()
    lines = [line | {"item_id": int(line["item_id"] or 0) or ""} for line in whole["line_items"]]
    body = lossless_json.dumps({"invoice": whole | {"line_items": lines}}).encode()
    webhook = Webhook.from_event(webhook_event("invoices/updated", body), trace_id="t")
    [change] = changes(read(webhook, ROUTES["invoices"]), ROUTES["invoices"], event=webhook.event)
    invoices.handle(record(message("invoices", change.document)))
    assert road.outcome("invoices", "901") == ["created", "unchanged"]
    assert road.backlog("invoices") == {}
