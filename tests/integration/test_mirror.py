"""The one write path on a real PostgreSQL."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from tds_core.database.candidates import Candidate, Result, from_document, from_list_row, gone, mention
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.ordering import Moment, Outcome
from tds_core.entities import entity
from tds_core.errors import DatabaseUnavailable
from tds_core.priority import Priority
from tests.zoho_documents import NOON, Json, fetched, invoice, invoice_row, payment, product, received, version

INVOICES, PAYMENTS, PRODUCTS = entity("invoices"), entity("payments"), entity("products")
CREATED, UPDATED, UNCHANGED = Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"


def document(source: Json, moment: Moment | None = None, **fields: Any) -> Candidate:
    """The candidate of a document; whose document it is shows in its keys."""
    spec = next(spec for spec in (INVOICES, PAYMENTS, PRODUCTS) if spec.zoho_key in source and spec.is_document(source))
    return from_document(spec, source, moment=moment or received(), source="webhook", **fields)


def list_row(source: Json, seconds: float = 0) -> Candidate:
    """The candidate of an invoice's list row."""
    return from_list_row(INVOICES, source, observed_at=fetched(seconds).at, source="poll")


def deletion(number: int, seconds: float) -> Candidate:
    """The candidate of a fetch that found nothing."""
    return gone(str(number), observed_at=fetched(seconds).at)


def apply(database: Database, *candidates: Candidate, **fields: Any) -> list[Outcome]:
    """Apply one batch and return the outcomes."""
    spec = PAYMENTS if fields.pop("payments", False) else INVOICES
    results = Mirror(database).apply(spec, candidates, priority=Priority.WEBHOOK, **fields)
    return [result.outcome for result in results]


def apply_products(database: Database, *candidates: Candidate) -> list[Outcome]:
    """Apply a batch of products."""
    results = Mirror(database).apply(PRODUCTS, candidates, priority=Priority.POLL)
    return [result.outcome for result in results]


def state(database: Database, tables: Sequence[str] = ("erp.invoices", "tds.tombstones", "tds.backlog")) -> Any:
    """Everything that the tables hold, but for when it was written."""
    clocks = "- 'synced_at' - 'requested_at' - 'not_before' - 'at'"
    query = "SELECT to_jsonb(t) " + clocks + " FROM {} AS t ORDER BY t::text"
    return {
        name: [row[0] for row in database.execute(sql.SQL(query).format(sql.Identifier(*name.split("."))))]
        for name in tables
    }


def requested(database: Database, name: str = "invoices") -> set[str]:
    """The ids on the backlog."""
    return {row[0] for row in database.execute("SELECT id FROM tds.backlog WHERE entity = %s", (name,))}


def one(database: Database, query: str) -> Any:
    """The first column of the only row."""
    (row,) = database.execute(query)
    return row[0]


# columns


def test_an_absent_key_leaves_its_column_alone_and_an_empty_text_clears_it(database: Database) -> None:
    apply(database, document(invoice(1, notes="a", terms="b", salesorder_id="5")))
    update = invoice(1, 1, notes="")
    del update["invoice_number"]
    apply(database, document(update, received(1)))
    rows = database.execute("SELECT notes, terms, salesorder_id, invoice_number FROM erp.invoices")
    assert rows == [(None, "b", "5", "INV-1")]


def test_a_list_row_writes_no_column_of_the_document(database: Database) -> None:
    apply(database, document(invoice(1)))
    assert apply(database, list_row(invoice_row(1, 60, total=99), 60)) == [UPDATED]
    rows = database.execute("SELECT total, subtotal, notes, zoho ->> 'total' FROM erp.invoices")
    assert rows == [(99, 10, "thanks", "10")]
    assert requested(database) == {"1"}


def test_numbers_keep_every_digit(database: Database) -> None:
    apply(database, document(invoice(1, total=Decimal("12345678901234567.123"), balance=Decimal("0.10"))))
    assert database.execute("SELECT total::text, balance::text, zoho ->> 'balance' FROM erp.invoices") == [
        ("12345678901234567.123", "0.10", "0.10")
    ]


# children


def levels(database: Database) -> list[tuple[Any, ...]]:
    """The stock levels of all products."""
    return database.execute("SELECT product_id, location_id, stock_on_hand FROM erp.stock_levels ORDER BY 1, 2")


def at_locations(**stock: int) -> Json:
    """The part of an item that shows its stock per location."""
    return {"locations": [{"location_id": key[1:], "location_stock_on_hand": value} for key, value in stock.items()]}


def test_children_are_replaced_as_a_set(database: Database) -> None:
    other = document(product(2, **at_locations(l1=9)))
    apply_products(database, document(product(1, **at_locations(l1=1, l2=2))), other)
    apply_products(database, document(product(1, 1, **at_locations(l2=5, l3=3)), received(1)))
    assert levels(database) == [("1", "2", 5), ("1", "3", 3), ("2", "1", 9)]
    apply_products(database, document(product(1, 2, locations=[]), received(2)))
    assert levels(database) == [("2", "1", 9)]


def test_children_are_left_alone_when_the_document_does_not_name_them(database: Database) -> None:
    apply_products(database, document(product(1, **at_locations(l1=1))))
    assert apply_products(database, document(product(1, 1), received(1))) == [UPDATED]
    assert levels(database) == [("1", "1", 1)]


def test_a_tombstone_empties_the_children_and_keeps_the_row(database: Database) -> None:
    apply(database, document(payment(1, applied={"5": 10})), payments=True)
    assert apply(database, deletion(1, 60), payments=True) == [Outcome.DELETED]
    assert database.execute("SELECT payment_id, amount, deleted_at FROM erp.payments") == [("1", 10, fetched(60).at)]
    assert database.execute("SELECT count(*) FROM erp.payment_invoices") == [(0,)]
    assert database.execute("SELECT entity, id, deleted_at, evidence FROM tds.tombstones") == [
        ("payments", "1", fetched(60).at, {"code": 1002})
    ]


def test_a_restored_record_has_its_row_and_children_and_no_tombstone(database: Database) -> None:
    apply(database, document(payment(1, applied={"5": 10})), payments=True)
    apply(database, deletion(1, 60), payments=True)
    assert apply(database, document(payment(1, applied={"5": 7}), fetched(61)), payments=True) == [Outcome.RESTORED]
    assert database.execute("SELECT deleted_at FROM erp.payments") == [(None,)]
    assert database.execute("SELECT amount_applied FROM erp.payment_invoices") == [(7,)]
    assert database.execute("SELECT count(*) FROM tds.tombstones") == [(0,)]


def test_the_id_of_a_record_that_never_had_a_row_is_buried_too(database: Database) -> None:
    apply(database, deletion(1, 0))
    assert apply(database, document(invoice(1), received(-9))) == [Outcome.IGNORED]
    assert apply(database, document(invoice(1), received(9))) == [Outcome.REQUESTED]
    assert database.execute("SELECT count(*) FROM erp.invoices") == [(0,)]


# poison

POISON: dict[str, Json] = {
    "NUL in a text": {"invoice_number": "a\x00b"},
    "NUL in the raw document": {"unknown": "a\x00b"},
    "number beyond jsonb": {"unknown": Decimal("1e200000")},
    # 5,000 characters without any pattern do not fit into an index
    "too long for an index": {"invoice_number": "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(5000))},
}


def payload_beyond_index(number: int) -> Json:
    """An invoice that PostgreSQL refuses whatever else is in its batch."""
    return invoice(number, **POISON["too long for an index"])


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_poison_row_never_costs_its_neighbours(database: Database, poison: Json) -> None:
    batch = [document(invoice(number, **(poison if number == 50 else {}))) for number in range(100)]
    results = Mirror(database).apply(INVOICES, batch, priority=Priority.WEBHOOK)
    assert [result.candidate.id for result in results if result.outcome is not CREATED] == ["50"]
    (rejected,) = [result for result in results if result.outcome is Outcome.REJECTED]
    assert rejected.reason
    assert database.execute("SELECT count(*), count(*) FILTER (WHERE invoice_id = '50') FROM erp.invoices") == [(99, 0)]
    assert database.execute("SELECT id, reason FROM tds.change_log WHERE outcome = 'rejected'") == [
        ("50", rejected.reason)
    ]


@pytest.mark.parametrize(("seconds", "outcome"), [(-60, Outcome.STALE), (60, Outcome.REJECTED)])
def test_a_poison_row_does_not_cost_another_sight_of_its_own_record(
    database: Database, seconds: float, outcome: Outcome
) -> None:
    poison = document(invoice(1, seconds, unknown="\x00"), received(seconds))
    assert set(apply(database, poison, document(invoice(1)), document(payload_beyond_index(2)))) == {
        CREATED,
        outcome,
        Outcome.REJECTED,
    }
    assert database.execute("SELECT last_modified_time FROM erp.invoices") == [(NOON,)]


@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_poison_row_is_told_by_its_own_reason_though_nothing_of_its_batch_is_read(
    database: Database, place: int
) -> None:
    sources = [product(number) for number in range(100)]
    sources[place]["unknown"] = "\x00"
    batch = [document(source) for source in sources]
    results = Mirror(database).apply(PRODUCTS, batch, priority=Priority.WEBHOOK)
    refused = {result.candidate.id: result.reason for result in results if result.outcome is not CREATED}
    assert refused == {str(place): "UntranslatableCharacter 22P05"}
    assert apply_products(database, document(product(place))) == [CREATED], "the connection is as good as before"


def test_a_batch_larger_than_all_buffers_arrives(database: Database, owner_conninfo: str) -> None:
    """Ten megabytes of which nothing is read back: client and server must not wait for each other."""
    backend = database.execute("SELECT pg_backend_pid()")[0]

    def end() -> None:
        with psycopg.connect(owner_conninfo) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", backend)

    watchdog = threading.Timer(20, end)
    watchdog.start()
    batch = [document(product(number, unknown="x" * 100_000)) for number in range(100)]
    results = Mirror(database).apply(PRODUCTS, batch, priority=Priority.WEBHOOK)
    assert {result.outcome for result in results} == {CREATED}
    watchdog.cancel()


def test_a_poison_child_costs_its_document_whole(database: Database) -> None:
    poison = document(payment(1, applied={"5": 1}, notes="new"))
    poison.children["payment_invoices"][0]["invoice_number"] = "\x00"
    assert apply(database, poison, document(payment(2)), payments=True) == [Outcome.REJECTED, CREATED]
    assert database.execute("SELECT payment_id FROM erp.payments") == [("2",)]


# batches

SIGHTS: dict[str, Callable[[], Candidate]] = {
    "old document": lambda: document(invoice(1, 0, total=1), received(0)),
    "new document": lambda: document(invoice(1, 60, total=2), received(50)),
    "same second": lambda: document(invoice(1, 60, total=3), received(51)),
    "fetch": lambda: document(invoice(1, 60, total=3), fetched(70)),
    "no version": lambda: document(invoice(1, last_modified_time="", total=4), fetched(90)),
    "list row": lambda: list_row(invoice_row(1, 60, total=3), 80),
    "late list row": lambda: list_row(invoice_row(1, 0, total=1), 85),
    "id": lambda: mention("1", moment=received(20), source="webhook"),
    "gone": lambda: deletion(1, 100),
    "gone early": lambda: deletion(1, 10),
    "back": lambda: document(invoice(1, 200, total=9), fetched(200)),
}
BEFORE = {"nothing": (), "a row": ("old document",), "deleted": ("old document", "gone early")}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_order_within_a_batch_does_not_matter(connect: Callable[[], Database], before: Sequence[str]) -> None:
    database = connect()
    for pair in permutations(SIGHTS, 2):
        ends = []
        for names in (pair, pair[::-1]):
            database.execute("DELETE FROM erp.invoices; DELETE FROM tds.tombstones; DELETE FROM tds.backlog")
            for name in before:
                apply(database, SIGHTS[name]())
            apply(database, *(SIGHTS[name]() for name in names))
            ends.append(state(database))
            buried = {row["id"] for row in ends[-1]["tds.tombstones"]}
            dead = {row["invoice_id"] for row in ends[-1]["erp.invoices"] if row["deleted_at"]}
            assert dead <= buried, f"{names}: marked as deleted without a tombstone"
            living = {row["invoice_id"] for row in ends[-1]["erp.invoices"]} - dead
            assert not living & buried, f"{names}: alive with a tombstone"
        assert ends[0] == ends[1], pair


def test_a_record_found_and_lost_in_one_batch_is_deleted(database: Database) -> None:
    apply(database, document(invoice(1)))
    apply(database, deletion(1, 60))
    back, lost = document(invoice(1), fetched(61)), deletion(1, 62)
    assert apply(database, lost, back) == [Outcome.RESTORED, Outcome.DELETED]
    assert one(database, "SELECT deleted_at FROM erp.invoices") == one(
        database, "SELECT deleted_at FROM tds.tombstones"
    )


def test_applied_twice_is_applied_once(database: Database) -> None:
    batch = [document(invoice(1)), list_row(invoice_row(2)), deletion(3, 0), document(invoice(4), fetched())]
    assert apply(database, *batch) == [CREATED, CREATED, Outcome.DELETED, CREATED]
    once = state(database)
    assert apply(database, *batch) == [UNCHANGED, UNCHANGED, Outcome.IGNORED, UNCHANGED]
    assert state(database) == once


def test_the_first_agreeing_list_row_gives_its_hash_and_asks_for_nothing(database: Database) -> None:
    apply(database, document(invoice(1)))
    assert one(database, "SELECT list_hash FROM erp.invoices") is None
    assert apply(database, list_row(invoice_row(1), 60)) == [UNCHANGED]
    assert one(database, "SELECT list_hash FROM erp.invoices") is not None
    assert requested(database) == set()
    written = state(database)
    assert apply(database, list_row(invoice_row(1), 90)) == [UNCHANGED]
    assert state(database) == written


def test_a_list_row_of_every_entity_agrees_with_its_own_document(database: Database) -> None:
    apply_products(database, document(product(1, stock_on_hand=Decimal("4.50"), created_time=version(-9))))
    seen = product(1, stock_on_hand=Decimal("4.5"), created_time=version(-9))
    row = from_list_row(PRODUCTS, seen, observed_at=fetched(60).at, source="walk")
    assert apply_products(database, row) == [UNCHANGED]
    assert requested(database, "products") == set()


def test_healing_overwrites_what_the_hashes_hide(database: Database) -> None:
    apply(database, document(invoice(1), fetched()))
    database.execute("UPDATE erp.invoices SET total = 666, notes = 'wrong'")
    assert apply(database, document(invoice(1), fetched(1)).forced()) == [UPDATED]
    assert database.execute("SELECT total, notes FROM erp.invoices") == [(10, "thanks")]


def test_a_fetch_corrects_a_list_row_that_overwrote_the_same_document(database: Database) -> None:
    apply(database, document(invoice(1), fetched()))
    apply(database, list_row(invoice_row(1, balance=4), 1))
    assert apply(database, document(invoice(1), fetched(2))) == [UPDATED]
    assert database.execute("SELECT balance, list_hash FROM erp.invoices") == [(10, None)]


@pytest.mark.parametrize("track", ["observed_by", "detail_observed_by"])
def test_each_track_remembers_whose_clock_saw_it(database: Database, track: str) -> None:
    apply(database, document(invoice(1), received()))
    late = (
        document(invoice(1, notes="b"), fetched(4))
        if track == "detail_observed_by"
        else list_row(invoice_row(1, balance=4), 4)
    )
    assert apply(database, late) == [Outcome.TIE], "a webhook four seconds ago may be the later one"


# transactions


def test_concurrent_batches_end_like_serial_ones(connect: Callable[[], Database]) -> None:
    rounds = 6

    def batch(worker: int, number: int) -> list[Candidate]:
        modified = 2 * number + worker
        numbers = range(number % 3, 40, 1 + worker)
        return [document(invoice(n, modified, total=modified), received(modified)) for n in numbers]

    def work(worker: int) -> None:
        own = connect()
        for number in range(rounds):
            order = batch(worker, number)[:: 1 if worker else -1]
            apply(own, *order)
            touching = {str(n): 1 for n in range(0, 40, 3)}
            apply(own, document(payment(worker, number, touching), received(number)), payments=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    parallel = connect()
    ended = parallel.execute("SELECT invoice_id, total, last_modified_time FROM erp.invoices ORDER BY 1")
    parallel.execute("DELETE FROM erp.invoices")
    for number in range(rounds):
        for worker in range(2):
            apply(parallel, *batch(worker, number))
    assert ended == parallel.execute("SELECT invoice_id, total, last_modified_time FROM erp.invoices ORDER BY 1")


def test_of_two_creations_at_once_the_newer_stays(connect: Callable[[], Database]) -> None:
    first, second = connect(), connect()
    with ThreadPoolExecutor(1) as pool:

        def while_open(connection: Connection, results: Sequence[Result]) -> None:
            del connection, results
            racing.append(pool.submit(apply, second, document(invoice(1, 0, total=1))))
            with pytest.raises(TimeoutError):
                racing[0].result(timeout=0.3)

        racing: list[Any] = []
        assert apply(first, document(invoice(1, 5, total=5)), completion=while_open) == [CREATED]
        assert racing[0].result(timeout=10) == [Outcome.STALE]
    assert one(first, "SELECT total FROM erp.invoices") == 5


def test_killed_in_the_middle_it_leaves_nothing(conninfo: str, database: Database) -> None:
    victim = Database(lambda: conninfo, application_name="victim")

    def die(connection: Connection, results: Sequence[Result]) -> None:
        del results
        database.execute(KILL)
        connection.execute("SELECT 1")

    tables = ("erp.invoices", "tds.tombstones", "tds.backlog", "tds.change_log")
    with pytest.raises(DatabaseUnavailable):
        apply(victim, document(invoice(1)), list_row(invoice_row(2)), deletion(3, 0), completion=die)
    assert state(database, tables) == {name: [] for name in tables}
    assert apply(victim, document(invoice(1))) == [CREATED], "it connects again by itself"
    victim.close()


def test_a_lock_held_by_somebody_else_is_no_poison(conninfo: str, database: Database) -> None:
    apply(database, document(invoice(1)))
    hasty = Database(lambda: conninfo + " options='-c lock_timeout=200'", application_name="test")
    with database.transaction() as connection:
        connection.execute("SELECT FROM erp.invoices FOR UPDATE")
        with pytest.raises(DatabaseUnavailable):
            apply(hasty, document(invoice(1, 5), received(5)))
    assert apply(hasty, document(invoice(1, 5), received(5))) == [UPDATED]
    hasty.close()


# the story


def test_every_outcome_but_an_unchanged_list_row_is_told(database: Database) -> None:
    apply(database, document(invoice(1), trace_id="t-1"), deletion(2, 0))
    apply(database, list_row(invoice_row(1), 60))
    apply(database, document(invoice(1, -9), received(9)), document(invoice(1), received(8)))
    columns = "id, outcome, kind, source, observed_at, version, trace_id"
    assert database.execute(f"SELECT {columns} FROM tds.change_log ORDER BY at, id, outcome DESC") == [
        ("1", "created", "document", "webhook", NOON, NOON, "t-1"),
        ("2", "deleted", "gone", "drain", NOON, None, None),
        ("1", "unchanged", "document", "webhook", received(8).at, NOON, None),
        ("1", "stale", "document", "webhook", received(9).at, NOON - timedelta(seconds=9), None),
    ]


# ripples


def lines(*items: str) -> Json:
    """An invoice's lines of these items."""
    return {"line_items": [{"item_id": item, "quantity": 1} for item in items]}


@pytest.mark.parametrize(
    ("seen", "expected"), [(0, True), (60, True), (66, True), (66.5, False), (3600, False)], ids=str
)
def test_a_document_requests_only_what_was_last_seen_before_it(database: Database, seen: float, expected: bool) -> None:
    # up to six seconds count as before: a version is cut to a second and of another clock
    apply_products(database, document(product(5), fetched(seen)))
    apply(database, document(invoice(1, 60, **lines("5", "6", "")), received(61)))
    assert requested(database, "products") == ({"5", "6"} if expected else {"6"})


def test_a_product_whose_document_is_still_missing_is_requested_by_what_touches_it(database: Database) -> None:
    seen = from_list_row(PRODUCTS, product(5), observed_at=fetched().at, source="walk")
    apply_products(database, seen)
    database.execute("DELETE FROM tds.backlog")
    apply(database, document(invoice(1, 60, **lines("5")), received(61)))
    assert one(database, "SELECT cause FROM tds.backlog WHERE id = '5'") == "ripple:invoices"


def test_ripples_wait_and_come_after_webhooks(database: Database) -> None:
    apply(database, document(invoice(1, **lines("5"))))
    query = "SELECT entity, priority, not_before > now() + interval '50 s' FROM tds.backlog"
    assert database.execute(query) == [("products", Priority.RIPPLE, True)]


def test_what_is_not_written_touches_nothing(database: Database) -> None:
    apply(database, document(invoice(1, 60, **lines("5"))))
    database.execute("DELETE FROM tds.backlog")
    again = document(invoice(1, 60, **lines("5")), received(1)), document(invoice(1, 0, **lines("6")), received(2))
    assert apply(database, *again) == [UNCHANGED, Outcome.STALE]
    assert requested(database, "products") == set()


def test_a_deleted_document_touches_what_it_held(database: Database) -> None:
    apply(database, document(invoice(1, **lines("5"))))
    database.execute("DELETE FROM tds.backlog")
    database.execute("INSERT INTO tds.cursors (scan, walked_at) VALUES ('contacts', now() - interval '10 years')")
    apply(database, deletion(1, 60))
    assert requested(database, "products") == {"5"}
    assert one(database, "SELECT touched_at IS NOT NULL FROM tds.cursors WHERE scan = 'contacts'")


def test_a_line_that_was_taken_out_touches_its_product(database: Database) -> None:
    apply(database, document(invoice(1, **lines("5", "6"))))
    database.execute("DELETE FROM tds.backlog")
    apply(database, document(invoice(1, 60, **lines("6")), received(61)))
    assert requested(database, "products") == {"5", "6"}


# people


def test_people_see_live_rows_only_and_no_machinery(database: Database, owner_conninfo: str) -> None:
    apply(database, document(invoice(1, **lines("5"))), document(invoice(2, **lines("5"))))
    apply(database, deletion(2, 60))
    with psycopg.connect(owner_conninfo, autocommit=True) as reader:
        reader.execute("SET ROLE erp_reader")
        assert reader.execute("SELECT invoice_id FROM erp.invoices").fetchall() == [("1",)]
        assert reader.execute("SELECT invoice_id FROM erp.invoice_lines").fetchall() == [("1",)]
        for refused in ("SELECT FROM tds.backlog", "DELETE FROM erp.invoices", "UPDATE erp.invoices SET total = 1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(refused)
