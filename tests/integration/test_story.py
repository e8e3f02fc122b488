"""Every change is told with both values, and becomes one numbered event in the transaction that made it."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from psycopg import Connection

from tds_core import lossless_json
from tds_core.database import outbox
from tds_core.database.candidates import Candidate, Result, from_document, from_list_row, gone, mention
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.ordering import Moment
from tds_core.entities import REGISTRY, entity
from tds_core.entities.spec import EntitySpec
from tds_core.priority import Priority
from tests.zoho_documents import Json, fetched, invoice, invoice_row, payment, product, received, version

INVOICES, PAYMENTS, PRODUCTS = entity("invoices"), entity("payments"), entity("products")


def apply(database: Database, *candidates: Candidate, spec: EntitySpec = INVOICES, **fields: Any) -> None:
    Mirror(database).apply(spec, candidates, priority=Priority.WEBHOOK, **fields)


def document(source: Json, moment: Moment | None = None, *, spec: EntitySpec = INVOICES, **fields: Any) -> Candidate:
    return from_document(spec, source, moment=moment or received(), source="webhook", **fields)


def list_row(source: Json, seconds: float, *, spec: EntitySpec = INVOICES) -> Candidate:
    return from_list_row(spec, source, observed_at=fetched(seconds).at, source="poll")


def told(database: Database) -> list[tuple[Any, ...]]:
    """The change log's outcomes in their order, with changes and sequence."""
    return database.execute("SELECT outcome, changes, sequence FROM tds.change_log ORDER BY at, sequence")


def events(database: Database) -> list[tuple[str, str, list[str], int]]:
    return [
        (event.id, event.kind, list(event.changed), event.sequence) for event in outbox.waiting(database, limit=10_000)
    ]


def lines(*quantities: int) -> list[Json]:
    return [{"line_item_id": str(n), "item_id": "5", "quantity": one} for n, one in enumerate(quantities, 1)]


def test_a_document_tells_what_it_changed(database: Database) -> None:
    apply(database, document(invoice(1, line_items=lines(1, 2))))
    apply(database, document(invoice(1, 1, status="paid", sub_total="9.50", line_items=lines(1, 3)), received(1)))
    changed = {"changed": {"2": {"quantity": [2, 3]}}}
    assert told(database) == [
        ("created", None, 1),
        (
            "updated",
            {
                "status": ["sent", "paid"],
                "subtotal": [10, lossless_json.loads("9.50")],
                "line_items": changed,
            },
            2,
        ),
    ]
    assert events(database) == [("1", "created", [], 1), ("1", "updated", ["line_items", "status", "subtotal"], 2)]


def test_json_that_stays_is_not_told_and_json_that_goes_is(database: Database) -> None:
    address = {"city": "Basra"}
    apply(database, document(invoice(1, billing_address=address, line_items=lines(1))))
    apply(database, document(invoice(1, 1, balance=5, billing_address=address, line_items=lines(1)), received(1)))
    apply(database, document(invoice(1, 2, balance=5, billing_address="", line_items=lines(1)), received(2)))
    apply(database, document(invoice(1, 3, balance=5, billing_address=address, line_items=lines(1)), received(3)))
    assert [changes for _, changes, _ in told(database)] == [
        None,
        {"balance": [10, 5]},
        {"billing_address": [address, None]},
        {"billing_address": [None, address]},
    ]


def test_stock_per_location_tells_what_moved(database: Database) -> None:
    def levels(**stock: int) -> list[Json]:
        return [{"location_id": key[1:], "location_stock_on_hand": value} for key, value in stock.items()]

    apply(database, document(product(1, locations=levels(l1=5, l2=1)), spec=PRODUCTS), spec=PRODUCTS)
    after = document(product(1, 1, locations=levels(l1=4, l3=2)), received(1), spec=PRODUCTS)
    apply(database, after, document(product(2, locations=levels(l1=5)), spec=PRODUCTS), spec=PRODUCTS)
    account = {
        "added": [{"location_id": "3", "stock_on_hand": 2}],
        "removed": [{"location_id": "2", "stock_on_hand": 1}],
        "changed": {"1": {"stock_on_hand": [5, 4]}},
    }
    assert told(database)[1] == ("updated", {"stock_levels": account}, 2)
    assert events(database)[1] == ("1", "updated", ["stock_levels"], 2)


def test_a_list_row_that_changes_columns_is_an_event_and_a_confirmation_is_none(database: Database) -> None:
    apply(database, document(invoice(1)))
    apply(database, list_row(invoice_row(1), 60), document(invoice(1), fetched(70)))
    assert len(events(database)) == 1
    apply(database, list_row(invoice_row(1, 60, balance=4), 80))
    assert events(database)[1:] == [("1", "updated", ["balance"], 2)]
    assert told(database)[-1] == ("updated", {"balance": [10, 4]}, 2)


def test_a_newer_version_without_another_change_is_no_event(database: Database) -> None:
    apply(database, list_row(invoice_row(1), 0))
    apply(database, list_row(invoice_row(1, 60), 60))
    assert [(outcome, sequence) for outcome, _, sequence in told(database)] == [("created", 1), ("updated", None)]
    assert len(events(database)) == 1


def test_a_columns_first_value_from_a_confirming_list_row_is_told(database: Database) -> None:
    apply(database, document(payment(1), spec=PAYMENTS), spec=PAYMENTS)
    shown = {
        key: value for key, value in payment(1).items() if key not in ("invoices", "currency_code", "updated_time")
    }
    apply(database, list_row(shown | {"bcy_amount": 7}, 60, spec=PAYMENTS), spec=PAYMENTS)
    assert events(database)[1:] == [("1", "updated", ["bcy_amount"], 2)]


def test_healing_what_is_equal_is_no_event(database: Database) -> None:
    apply(database, document(invoice(1), fetched(0)))
    apply(database, document(invoice(1), fetched(60)).forced())
    assert [(outcome, sequence) for outcome, _, sequence in told(database)] == [("created", 1), ("updated", None)]


def test_the_sequence_goes_on_across_deletion_and_return(database: Database) -> None:
    apply(database, document(invoice(1)))
    apply(database, gone("1", observed_at=fetched(60).at))
    apply(database, document(invoice(1, 1, total=3), fetched(120)))
    assert [(kind, sequence) for _, kind, _, sequence in events(database)] == [
        ("created", 1),
        ("deleted", 2),
        ("restored", 3),
    ]
    assert told(database)[-1] == ("restored", {"total": [10, 3]}, 3)


def test_what_was_never_known_is_not_told_to_be_gone_and_is_created_when_it_comes(database: Database) -> None:
    apply(database, gone("1", observed_at=fetched(0).at))
    assert events(database) == []
    apply(database, document(invoice(1), fetched(60)))
    assert events(database) == [("1", "created", [], 1)]


def test_a_record_of_several_sights_in_one_batch_is_one_event_and_one_for_its_end(database: Database) -> None:
    apply(
        database,
        list_row(invoice_row(1, 5), 10),
        document(invoice(1, 5)),
        gone("1", observed_at=fetched(60).at),
        mention("2", moment=received(), source="webhook"),
    )
    assert events(database) == [("1", "created", [], 1), ("1", "deleted", [], 2)]


def test_events_are_committed_with_the_change_or_not_at_all(database: Database) -> None:
    class Killed(Exception):
        pass

    def kill(connection: Connection, results: Sequence[Result]) -> None:
        raise Killed

    with pytest.raises(Killed):
        apply(database, document(invoice(1)), completion=kill)
    assert events(database) == [] == told(database)
    apply(database, document(invoice(1)))
    assert events(database) == [("1", "created", [], 1)]


def test_a_poison_neighbour_costs_no_event_and_has_none(database: Database) -> None:
    apply(database, document(invoice(1)), document(invoice(2, notes="\x00")), document(invoice(3)))
    assert [(outcome, sequence) for outcome, _, sequence in told(database)] == [
        ("created", 1),
        ("rejected", None),
        ("created", 1),
    ]
    assert [document_id for document_id, *_ in events(database)] == ["1", "3"]


def test_a_documents_own_trace_id_travels_bounded(database: Database) -> None:
    apply(database, document(invoice(1), trace_id="t" * 5_000))
    (event,) = outbox.waiting(database, limit=10)
    assert event.trace_id == "t" * 256


class Zoho:
    """A few invoices that change at random, and sights of them that come late, doubled and out of order."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.states: dict[int, list[tuple[float, Json | None]]] = {number: [] for number in range(1, 5)}

    def sights(self) -> list[Candidate]:
        """Let some seconds pass, change something, and see something."""
        self.now += self.random.choice((0.5, 7.0, 30.0))
        number = self.random.choice(list(self.states))
        alive = self.random.random() < 0.8
        state = invoice(
            number, int(self.now), total=self.random.randint(1, 3), line_items=lines(self.random.randint(1, 3))
        )
        self.states[number].append((self.now, state if alive else None))
        return [self._sight() for _ in range(self.random.randint(1, 5))]

    def _sight(self) -> Candidate:
        number = self.random.choice([number for number, states in self.states.items() if states])
        _, state = self.random.choice(self.states[number][-2:])
        match self.random.choice(("webhook", "fetch", "fetch", "row")):
            case _ if state is None:
                return gone(str(number), observed_at=fetched(self.now).at)
            case "row":
                return list_row({key: state[key] for key in invoice_row(number)}, self.now)
            case "fetch":
                return document(state, fetched(self.now))
            case _:
                return document(state, received(self.now))


@pytest.mark.parametrize("seed", range(12))
def test_replayed_events_give_the_same_live_records(database: Database, seed: int) -> None:
    zoho = Zoho(seed)
    for _ in range(40):
        apply(database, *zoho.sights())
    live: set[str] = set()
    last: dict[str, int] = {}
    for document_id, kind, changed, sequence in events(database):
        assert sequence == last.get(document_id, 0) + 1, "gapless and in order"
        last[document_id] = sequence
        match kind:
            case "created":
                assert sequence == 1
                live.add(document_id)
            case "restored":
                assert document_id not in live
                live.add(document_id)
            case "deleted":
                live.remove(document_id)
            case _:
                assert document_id in live and changed
    rows = database.execute("SELECT invoice_id FROM erp.invoices WHERE deleted_at IS NULL")
    assert {document_id for (document_id,) in rows} == live
    assert last == dict(database.execute("SELECT id, revision FROM tds.revisions WHERE entity = 'invoices'"))
    logged = database.execute(
        "SELECT id, sequence FROM tds.change_log WHERE sequence IS NOT NULL ORDER BY id, sequence"
    )
    assert logged == [(one, n) for one in sorted(last) for n in range(1, last[one] + 1)]


@pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))
def test_ten_of_the_longest_events_fit_into_one_call(spec: EntitySpec) -> None:
    columns = [*spec.model.model_fields, *(child.table for child in spec.children)]
    assert 10 * (len(lossless_json.dumps(columns)) + 1_000) < 256 * 1024


def test_versions_are_told_apart_from_values(database: Database) -> None:
    apply(database, document(invoice(1)))
    apply(database, document(invoice(1, 1, balance=1), received(1)))
    rows = database.execute("SELECT version FROM tds.change_log WHERE outcome = 'updated'")
    assert rows[0][0].strftime("%Y-%m-%dT%H:%M:%S%z") == version(1)
    assert "last_modified_time" not in told(database)[-1][1]
