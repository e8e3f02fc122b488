"""`tds trace`: one record's story from all that is kept of it, found by its id or by what people call it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tds_core.database import verifications
from tds_core.database.candidates import from_list_row
from tds_core.entities import REGISTRY
from tds_core.priority import Priority
from tds_core.sync.console import Console
from tests.integration.road import Queued, Road, Waker, Zoho, document, later, message, record, row
from tests.integration.test_console import ask, refused


@pytest.fixture
def console(road: Road) -> Console:
    parts: dict[str, Any] = {"database": road.database, "waker": Waker(), "dead": None, "doctor": None}
    return Console(road.settings, **parts)


def hear(road: Road, entity: str, *documents: dict[str, Any], **fields: Any) -> None:
    """Webhooks of these documents arrive."""
    for whole in documents:
        Queued(entity, road.database).handle(record(message(entity, whole, **fields)))


def test_a_record_is_told_from_its_webhook_to_its_tombstone(console: Console, road: Road, zoho: Zoho) -> None:
    first = document("invoices", "901", balance=100, status="sent")
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    hear(road, "invoices", first, webhook="invoices/created", trace_id="abc", observed_at=an_hour_ago)
    paid = first | {"balance": 0, "status": "paid", "last_modified_time": later(60)}
    hear(road, "invoices", paid, observed_at=an_hour_ago)
    zoho.put("invoices", document("invoices", "902"))
    hear(road, "invoices", document("invoices", "902"))
    road.request("invoices", "901")
    for _ in range(2):  # Zoho is asked again, since nobody announced it
        road.hurry()
        road.work()
    told = ask(console, "trace", name="invoices", record="901")
    assert (told["id"], told["entity"], told["time_zone"], told["is_cut"]) == ("901", "invoices", "Asia/Baghdad", False)
    assert told["record"]["deleted_at"] and told["record"]["detail_observed_by"] == "webhook"
    times = [datetime.fromisoformat(entry["at"]) for entry in told["story"]]
    assert times == sorted(times) and {moment.utcoffset().total_seconds() for moment in times} == {0.0}  # type: ignore[union-attr]
    outcomes = [entry for entry in told["story"] if entry["what"] == "outcome"]
    assert [(entry["outcome"], entry["source"], entry["sequence"]) for entry in outcomes] == [
        ("created", "webhook", 1),
        ("updated", "webhook", 2),
        ("deleted", "drain", 3),
    ]
    assert (outcomes[0]["webhook"], outcomes[0]["trace_id"]) == ("invoices/created", "abc")
    assert outcomes[1]["changes"] == {"balance": [100, 0], "status": ["sent", "paid"]}
    (tombstone,) = [entry for entry in told["story"] if entry["what"] == "tombstone"]
    assert tombstone["evidence"] == {"code": 1002, "asked_for": "webhook", "witness": "902"}
    unpublished = [entry["sequence"] for entry in told["story"] if entry["what"] == "unpublished"]
    assert unpublished == [1, 2, 3]


def test_what_waits_and_what_was_given_up_stands_in_the_story(console: Console, road: Road) -> None:
    road.request("invoices", "901")
    road.database.execute("UPDATE tds.backlog SET parked_at = now(), attempts = 6, reason = 'InvalidDocument: total'")
    told = ask(console, "trace", name="invoices", record="901")
    assert (told["id"], told["record"], told["matches"]) == ("901", None, [])
    requested, parked = told["story"]
    assert (requested["what"], requested["cause"], requested["attempts"]) == ("requested", "test", 6)
    assert (parked["what"], parked["reason"]) == ("parked", "InvalidDocument: total")


@pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))
def test_every_entity_is_found_by_what_people_call_it(console: Console, road: Road, spec: Any) -> None:
    whole = document(spec.name, "901")
    hear(road, spec.name, whole)
    columns = ", ".join(spec.numbers)
    (names,) = road.database.execute(f"SELECT {columns} FROM erp.{spec.table}")
    assert any(names), "the example names it"
    for name in filter(None, names):
        assert ask(console, "trace", name=spec.name, record=name.upper())["id"] == "901"


def test_several_records_of_one_name_are_listed_and_none_is_told(console: Console, road: Road) -> None:
    hear(road, "products", *(document("products", str(n), sku=f"S{n}", name="Cable") for n in (901, 902)))
    told = ask(console, "trace", name="products", record="cable")
    assert [(match["id"], match["sku"], match["name"]) for match in told["matches"]] == [
        ("901", "S901", "Cable"),
        ("902", "S902", "Cable"),
    ]
    assert (told["id"], told["story"]) == (None, [])


@pytest.mark.parametrize("name", ["INV-nothing", "901", "%", "'; --", "1" * 30], ids=str)
def test_what_is_not_known_is_no_error(console: Console, name: str) -> None:
    told = ask(console, "trace", name="invoices", record=name)
    assert (told["id"], told["matches"], told["story"]) == (None, [], [])


def test_an_entity_that_is_not_there_is_refused(console: Console) -> None:
    event = {"command": "trace", "arguments": {"name": "invoice", "record": "1"}}
    assert refused(console, event)["reason"] == "UnknownEntity"


def test_a_long_story_is_told_from_its_end(console: Console, road: Road) -> None:
    hear(road, "invoices", document("invoices", "901"))
    road.database.execute(
        """
        INSERT INTO tds.change_log (at, entity, id, outcome, kind, source, observed_at)
        SELECT now() + n * interval '1 second', 'invoices', '901', 'tie', 'document', 'webhook', now()
        FROM generate_series(1, 400) AS n
        """
    )
    told = ask(console, "trace", name="invoices", record="901")
    outcomes = [entry["outcome"] for entry in told["story"] if entry["what"] == "outcome"]
    assert told["is_cut"] and outcomes == ["tie"] * 300


def test_a_polls_list_row_is_told_with_its_change(console: Console, road: Road) -> None:
    hear(road, "invoices", document("invoices", "901", balance=100))
    listed = row("invoices", "901", balance=40, last_modified_time=later(60))
    candidate = from_list_row(REGISTRY["invoices"], listed, observed_at=datetime.now(UTC), source="poll")
    road.mirror.apply(REGISTRY["invoices"], [candidate], priority=Priority.POLL)
    story = ask(console, "trace", name="invoices", record="901")["story"]
    told = [entry for entry in story if entry.get("source") == "poll"]
    assert [(one["kind"], one["outcome"], one["changes"]["balance"]) for one in told] == [
        ("list_row", "updated", [100, 40])
    ]
    assert [entry["cause"] for entry in story if entry["what"] == "requested"] == ["ordering"]


def test_what_a_verification_suspected_and_what_became_of_it_is_told_with_both_values(
    console: Console, road: Road, zoho: Zoho
) -> None:
    for one in ("901", "902", "903"):
        zoho.put("invoices", document("invoices", one, balance=100))
        road.request("invoices", one)
    road.work()
    road.database.execute("DELETE FROM tds.backlog")
    road.database.execute("UPDATE erp.invoices SET balance = 7, status = 'x' WHERE invoice_id = '901'")
    # the list is behind the second one, and the third is not told of at all
    zoho.listing("invoices", [row("invoices", "901", balance=100), row("invoices", "902", balance=55)])
    stories = {}
    for heal in (False, True):
        number = verifications.request(road.database, ["invoices"], cause="manual", heal=heal)
        for _ in range(4):
            road.verify.run(lambda: 30.0)
            road.work()
        for one in ("901", "902", "903"):
            story = ask(console, "trace", name="invoices", record=one)["story"]
            stories[heal, one] = [entry for entry in story if entry.get("run") == number]
    (first, end) = [one for one in stories[False, "901"] if one["kind"] == "mismatched"]
    assert first["what"] == "suspected"
    assert first["values"]["balance"] == {"erp": 7, "zoho": 100}
    assert (first["values"]["status"]["erp"], end["what"]) == ("x", "confirmed")
    assert "not to be healed" in end["reason"] and first["at"] <= end["at"]
    assert [one["what"] for one in stories[True, "901"] if one["kind"] == "mismatched"] == ["suspected", "healed"]
    assert [one["what"] for one in stories[True, "902"]] == ["suspected", "dismissed"]
    assert stories[True, "902"][1]["reason"] == "the list was behind"
    assert [(one["kind"], one["what"]) for one in stories[True, "903"]] == [
        ("extra", "suspected"),
        ("extra", "dismissed"),
    ]


def test_a_suspicion_that_is_open_has_no_end_yet_and_an_old_document_is_none(
    console: Console, road: Road, zoho: Zoho
) -> None:
    hear(road, "invoices", document("invoices", "901"))
    query = "INSERT INTO tds.drift (run_id, entity, id, kind, field) VALUES (1, 'invoices', '901', %s, %s)"
    for kind, field in (("mismatched", "total"), ("unannounced", "")):
        road.database.execute(query, (kind, field))
    told = [one for one in ask(console, "trace", name="invoices", record="901")["story"] if "run" in one]
    assert [(one["what"], one["kind"]) for one in told] == [("suspected", "mismatched")]
