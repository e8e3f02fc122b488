"""Deletions: believed only when Zoho says so, a live record of the entity answers, and not too many went."""

import httpx
import pytest

from tds_core.database import backlog, deletions, runs, verifications
from tds_core.database.connection import Database
from tds_core.errors import ScopeMissing
from tds_core.priority import Priority
from tds_core.sync.deletion import DeletionGuard
from tests.integration.road import Connect, Queued, Road, Zoho, document, message, mirrored, record, row
from tests.zoho_fakes import error

GONE = "901"


def fill(road: Road, zoho: Zoho, *ids: int, entity: str = "invoices") -> None:
    """Let these records exist at Zoho and in the mirror."""
    zoho.put(entity, *(document(entity, str(one), last_payment_date="") for one in ids))
    road.request(entity, *map(str, ids))
    road.work()
    road.database.execute("DELETE FROM tds.backlog")
    zoho.calls.clear()


def lose(road: Road, zoho: Zoho, *ids: str, entity: str = "invoices") -> dict[str, int]:
    """Let these records be gone at Zoho and that be announced, and fetch them."""
    zoho.forget(entity, *ids)
    announce(road, *ids, entity=entity)
    return road.work()


def announce(road: Road, *ids: str, entity: str = "invoices") -> None:
    """Have a webhook say that they were deleted."""
    told = message(entity, ids=list(ids), op="delete", webhook=f"{entity}/deleted")
    Queued(entity, road.database).handle(record(told))


def tombstones(database: Database) -> list[str]:
    return [one for (one,) in database.execute("SELECT id FROM tds.tombstones ORDER BY id")]


def test_a_1002_confirmed_by_a_live_witness_deletes(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    assert lose(road, zoho, GONE) == {"invoices.deleted": 1}
    assert list(mirrored(road.database, "invoices")) == ["902"]
    assert tombstones(road.database) == [GONE]
    assert zoho.paths() == ["/invoices/901", "/invoices/902"]
    assert road.backlog("invoices") == {}
    assert road.database.execute("SELECT count(*) FROM erp.invoice_lines WHERE invoice_id = '901'") == [(0,)]


def test_a_tombstone_empties_the_child_rows_and_leaves_the_neighbours(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 701, 702, entity="payments")
    assert lose(road, zoho, "701", entity="payments") == {"payments.deleted": 1}
    assert road.database.execute("SELECT DISTINCT payment_id FROM erp.payment_invoices") == [("702",)]


def test_a_witness_serves_for_a_minute(road: Road, zoho: Zoho) -> None:
    now = [0.0]
    road.fetcher._guard = DeletionGuard(road.settings, database=road.database, client=road.client, clock=lambda: now[0])
    fill(road, zoho, *range(901, 921))
    lose(road, zoho, "901", "902")
    now[0] = 59.0
    lose(road, zoho, "903")
    assert len(zoho.calls) == 4
    now[0] = 61.0
    lose(road, zoho, "904")
    assert len(zoho.calls) == 6


def test_an_id_without_a_row_becomes_a_tombstone_without_a_witness(road: Road, zoho: Zoho) -> None:
    assert lose_unknown(road) == {"invoices.deleted": 1}
    assert tombstones(road.database) == ["999"]
    assert zoho.paths() == ["/invoices/999"]


def lose_unknown(road: Road) -> dict[str, int]:
    road.request("invoices", "999")
    return road.work()


def unharmed(road: Road, attempts: int = 1) -> None:
    assert GONE in mirrored(road.database, "invoices")
    assert tombstones(road.database) == []
    waiting = road.backlog("invoices")[GONE]
    assert (waiting["attempts"], waiting["held"], waiting["parked"]) == (attempts, False, False)


@pytest.mark.parametrize(
    "witness",
    [
        pytest.param(error(1002, status=404), id="witness-is-gone-too"),
        pytest.param(error(1000, status=500), id="500"),
        pytest.param(httpx.Response(502, text="<html>bad gateway</html>"), id="html-502"),
        pytest.param(httpx.Response(200, text="<html>maintenance</html>"), id="html-200"),
        pytest.param(httpx.Response(200, text=""), id="empty"),
        pytest.param(error(0, status=200), id="without-a-document"),
        pytest.param(httpx.Response(200, json={"code": 0, "invoice": {"invoice_id": "555"}}), id="another-record"),
        pytest.param(error(4, status=400), id="400"),
    ],
)
def test_without_a_live_witness_nothing_is_deleted(road: Road, zoho: Zoho, witness: httpx.Response) -> None:
    fill(road, zoho, 901, 902)
    zoho.answer("/invoices/902", witness)
    assert lose(road, zoho, GONE) == {}
    unharmed(road)
    assert "902" in mirrored(road.database, "invoices")


def test_a_witness_without_scope_deletes_nothing_and_surfaces(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    zoho.answer("/invoices/902", error(57, status=401))
    with pytest.raises(ScopeMissing):
        lose(road, zoho, GONE)
    unharmed(road)


@pytest.mark.parametrize("code", [44, 45])
def test_a_throttled_witness_deletes_nothing_and_costs_no_attempt(road: Road, zoho: Zoho, code: int) -> None:
    fill(road, zoho, 901, 902)
    zoho.answer("/invoices/902", error(code, status=429))
    lose(road, zoho, GONE)
    unharmed(road, attempts=0)


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(error(1000, status=500), id="500"),
        pytest.param(httpx.Response(404, text="<html>not found</html>"), id="html-404"),
        pytest.param(httpx.Response(404, text=""), id="empty-404"),
        pytest.param(error(5, status=404), id="no-such-path"),
        pytest.param(httpx.Response(200, json={"code": 0, "invoice": {}}), id="empty-document"),
        pytest.param(httpx.Response(200, json={"code": 0, "invoices": []}), id="no-document"),
    ],
)
def test_only_code_1002_is_a_word_of_deletion(road: Road, zoho: Zoho, answered: httpx.Response) -> None:
    fill(road, zoho, 901, 902)
    zoho.answer("/invoices/901", answered)
    road.request("invoices", GONE)
    road.work()
    unharmed(road)


def test_a_scopeless_answer_deletes_nothing(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    zoho.answer("/invoices/901", error(57, status=401))
    road.request("invoices", GONE)
    with pytest.raises(ScopeMissing):
        road.work()
    unharmed(road)


def test_the_only_record_has_no_witness_and_is_not_deleted(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901)
    assert lose(road, zoho, GONE) == {}
    unharmed(road)


def test_a_record_that_is_asked_for_itself_is_a_witness_if_no_other_is_there(road: Road, zoho: Zoho) -> None:
    """While every record of an entity waits to be fetched anew, a deletion need not wait for the last of them."""
    fill(road, zoho, 901, 902)
    road.request("invoices", "902", priority=Priority.BACKFILL)
    road.database.execute("UPDATE tds.backlog SET not_before = now() + interval '1 hour'")
    assert lose(road, zoho, GONE) == {"invoices.deleted": 1}
    assert zoho.paths() == ["/invoices/901", "/invoices/902"]


def test_an_empty_organisation_deletes_nothing(road: Road, zoho: Zoho) -> None:
    ids = list(range(901, 931))
    fill(road, zoho, *ids)
    lose(road, zoho, *map(str, ids))
    assert len(mirrored(road.database, "invoices")) == 30
    assert tombstones(road.database) == []


# -- one answer and nothing else


def doubted(road: Road, zoho: Zoho) -> None:
    """A fetch that nobody's deletion was the reason of finds the record gone."""
    zoho.forget("invoices", GONE)
    road.request("invoices", GONE, priority=Priority.RIPPLE)
    assert road.work() == {}


def test_what_nothing_else_says_is_asked_again_before_it_is_believed(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    doubted(road, zoho)
    unharmed(road)
    assert road.backlog("invoices")[GONE]["reason"].startswith("DeletionDoubted")
    assert road.work() == {}, "not before a while has passed"
    assert zoho.paths() == ["/invoices/901"], "no witness is asked in vain"
    road.hurry()
    assert road.work() == {"invoices.deleted": 1}
    assert tombstones(road.database) == [GONE]


def test_a_slip_of_zoho_costs_one_call_and_no_record(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    doubted(road, zoho)
    zoho.put("invoices", document("invoices", GONE, last_payment_date=""))
    road.hurry()
    assert road.work() == {"invoices.unchanged": 1}
    assert set(mirrored(road.database, "invoices")) == {"901", "902"}
    assert (tombstones(road.database), road.backlog("invoices")) == ([], {})


def test_a_slip_counts_no_more_once_the_record_was_seen_though_it_is_asked_for_again(
    road: Road, zoho: Zoho, connect: Connect
) -> None:
    fill(road, zoho, 901, 902)
    doubted(road, zoho)
    zoho.put("invoices", document("invoices", GONE, last_payment_date=""))

    def meanwhile(request: httpx.Request) -> httpx.Response:
        with connect().transaction() as connection:
            backlog.request(connection, "invoices", [GONE], priority=Priority.RIPPLE, cause="test")
            connection.execute("UPDATE tds.backlog SET not_before = now() + interval '1 hour'")
        return zoho.usual(request)

    zoho.answer("/invoices/901", meanwhile, zoho.usual)
    road.hurry()
    assert road.work() == {"invoices.unchanged": 1}
    waiting = road.backlog("invoices")[GONE]
    assert (waiting["reason"], waiting["attempts"], waiting["held"]) == (None, 0, False)
    zoho.forget("invoices", GONE)
    road.hurry()
    assert road.work() == {}
    unharmed(road)


def test_an_announcement_of_before_the_record_was_seen_again_speaks_for_nothing(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    announce(road, GONE)
    assert road.work() == {"invoices.unchanged": 1}
    road.database.execute("UPDATE tds.change_log SET observed_at = observed_at - interval '1 minute'")
    doubted(road, zoho)
    unharmed(road)


def absent(road: Road, document_id: str) -> None:
    """A verification read the whole list without this record."""
    told = "INSERT INTO tds.drift (run_id, entity, id, kind, field) VALUES (1, 'invoices', %s, 'extra', '')"
    road.database.execute(told, (document_id,))


def test_a_whole_list_without_the_record_speaks_for_its_deletion(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    zoho.forget("invoices", GONE)
    absent(road, GONE)
    road.request("invoices", GONE, priority=Priority.VERIFICATION)
    assert road.work() == {"invoices.deleted": 1}


# -- the brake


def test_the_brake_stops_deletions_beyond_the_days_share_even_within_one_batch(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 951))
    lose(road, zoho, *(str(901 + n) for n in range(20)))
    assert len(mirrored(road.database, "invoices")) == 45
    assert len(tombstones(road.database)) == 5
    assert len(road.backlog("invoices")) == 15
    assert all("within 24 hours" in one["reason"] for one in road.backlog("invoices").values())


def test_the_brake_holds_for_records_fetched_in_bulk(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(1001, 1041), entity="products")
    lose(road, zoho, *(str(1001 + n) for n in range(20)), entity="products")
    assert len(mirrored(road.database, "products")) == 35


def test_the_brake_grows_with_the_entity(connect: Connect, zoho: Zoho) -> None:
    road = Road(connect, zoho.http, deletion_floor=1, deletion_share=0.1)
    fill(road, zoho, *range(901, 941))
    lose(road, zoho, *(str(901 + n) for n in range(10)))
    assert len(mirrored(road.database, "invoices")) == 36


def test_the_brake_is_released_after_a_day(road: Road, zoho: Zoho, connect: Connect) -> None:
    fill(road, zoho, *range(901, 921))
    lose(road, zoho, *(str(901 + n) for n in range(6)))
    assert len(tombstones(road.database)) == 5
    road.database.execute("UPDATE erp.invoices SET deleted_at = deleted_at - interval '25 hours'")
    road.hurry()
    assert Road(connect, zoho.http).work()["invoices.deleted"] == 1


def test_the_brake_holds_for_contacts_that_are_said_to_have_changed_their_type(road: Road, zoho: Zoho) -> None:
    ids = [str(901 + n) for n in range(20)]
    fill(road, zoho, *map(int, ids), entity="customers")
    zoho.put("customers", *(document("customers", one, contact_type="vendor") for one in ids))
    road.request("customers", *ids)
    assert road.work() == {"customers.deleted": 5, "vendors.created": 5}
    assert len(mirrored(road.database, "customers")) == 15
    held = deletions.withheld(road.database)
    assert len(held) == 15
    assert all("5 of 20 customers went within 24 hours" in one["reason"] for one in held)
    zoho.put("customers", *(document("customers", one) for one in ids))
    road.hurry()
    road.work()
    assert (len(mirrored(road.database, "customers")), deletions.withheld(road.database)) == (15, [])


def test_the_brake_of_one_entity_does_not_hold_another(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 921))
    fill(road, zoho, 701, 702, entity="payments")
    lose(road, zoho, *(str(901 + n) for n in range(8)))
    assert lose(road, zoho, "701", entity="payments") == {"payments.deleted": 1}


# -- what a list showed by mistake


def strangers(road: Road, zoho: Zoho, count: int) -> set[str]:
    """A list shows another organisation's rows, once."""
    ids = [str(5000 + n) for n in range(count)]
    zoho.listing("invoices", [row("invoices", one) for one in ids])
    runs.request_walk(road.database, "invoices")
    road.walk.run(lambda: 30.0)
    return set(ids)


def verified_with_healing(road: Road) -> dict[str, int]:
    run = verifications.request(road.database, ["invoices"], cause="manual", heal=True)
    while verifications.current(road.database) is not None:
        road.verify.run(lambda: 30.0)
        road.work()
    told = verifications.read(road.database, run)
    assert told is not None
    part = told["report"]["entities"]["invoices"]
    return {name: part[name] for name in ("extra", "remaining")}


def test_rows_of_a_list_only_are_held_back_until_a_whole_list_lacks_them(road: Road, zoho: Zoho) -> None:
    own = range(901, 921)
    fill(road, zoho, *own)
    ids = strangers(road, zoho, 30)
    for _ in range(backlog.MAX_ATTEMPTS):
        road.hurry()
        road.work()
    assert len(ids & mirrored(road.database, "invoices").keys()) == 25
    zoho.listing("invoices", [row("invoices", str(one)) for one in own])
    assert verified_with_healing(road) == {"extra": 25, "remaining": 0}
    assert mirrored(road.database, "invoices").keys() == {str(one) for one in own}
    assert lose(road, zoho, GONE) == {"invoices.deleted": 1}, "those that went have used up nothing of the documents'"


def test_a_document_that_was_seen_is_held_back_though_whole_lists_lack_it(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 921))
    gone = [str(901 + n) for n in range(8)]
    zoho.forget("invoices", *gone)
    for one in gone:
        absent(road, one)
    road.request("invoices", *gone, priority=Priority.VERIFICATION)
    assert road.work() == {"invoices.deleted": 5}


# -- and back


def test_a_record_that_is_back_is_restored_with_its_lines(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    lose(road, zoho, GONE)
    zoho.put("invoices", document("invoices", GONE))
    road.request("invoices", GONE)
    assert road.work() == {"invoices.restored": 1}
    assert tombstones(road.database) == []
    assert road.database.execute("SELECT count(*) FROM erp.invoice_lines WHERE invoice_id = '901'") == [(3,)]


def test_a_late_webhook_of_a_deleted_record_asks_and_does_not_resurrect(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    lose(road, zoho, GONE)
    Queued("invoices", road.database).handle(record(message("invoices", document("invoices", GONE))))
    assert list(mirrored(road.database, "invoices")) == ["902"]
    assert list(road.backlog("invoices")) == [GONE]
    assert road.work() == {"invoices.ignored": 1}
    assert list(mirrored(road.database, "invoices")) == ["902"]
    assert road.backlog("invoices") == {}


def test_a_deletion_by_webhook_is_confirmed_before_it_deletes(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    announce(road, GONE)
    assert road.work() == {"invoices.unchanged": 1}
    assert lose(road, zoho, GONE) == {"invoices.deleted": 1}


# -- evidence and approval


def test_a_tombstone_says_who_said_so_and_which_record_answered(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    lose(road, zoho, GONE)
    [(evidence,)] = road.database.execute("SELECT evidence FROM tds.tombstones")
    assert evidence == {"code": 1002, "witness": "902", "asked_for": "webhook"}


def test_what_the_brake_holds_back_is_listed_and_goes_when_a_person_approves_it(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 921))
    lose(road, zoho, *(str(901 + n) for n in range(8)))
    assert len(deletions.withheld(road.database)) == 3
    assert deletions.approve(road.database, "invoices", by="somebody") == 3
    assert road.work()["invoices.deleted"] == 3
    assert deletions.withheld(road.database) == []
    assert len(deletions.done(road.database, limit=99)) == 8


def test_an_id_that_the_mirror_never_had_is_no_deletion(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    road.request("invoices", "99")
    road.work()
    lose(road, zoho, GONE)
    assert tombstones(road.database) == [GONE, "99"]
    assert [one["id"] for one in deletions.done(road.database, limit=99)] == [GONE]


def test_the_newest_deletions_of_all_entities_are_told(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, 901, 902)
    fill(road, zoho, 701, 702, 703, entity="payments")
    for entity, one in (("invoices", "901"), ("payments", "701"), ("payments", "702")):
        lose(road, zoho, one, entity=entity)
    told = [(one["entity"], one["id"]) for one in deletions.done(road.database, limit=2)]
    assert told == [("payments", "702"), ("payments", "701")]


def test_an_approval_is_for_what_was_held_back_and_for_a_day(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 921))
    lose(road, zoho, *(str(901 + n) for n in range(6)))
    deletions.approve(road.database, "invoices", by="somebody")
    lose(road, zoho, "906", "907")
    assert len(tombstones(road.database)) == 6
    road.database.execute("UPDATE tds.deletion_approvals SET approved_at = now() - interval '25 hours'")
    assert deletions.approved(road.database, "invoices") == (0, None)


@pytest.mark.parametrize("goes_on", [False, True], ids=["nobody-answers", "some-went"])
def test_what_is_approved_twice_may_go_once(road: Road, zoho: Zoho, goes_on: bool) -> None:
    fill(road, zoho, *range(901, 931))
    lose(road, zoho, *(str(901 + n) for n in range(11)))
    assert deletions.approve(road.database, "invoices", by="somebody") == 6
    if goes_on:
        # which ones the brake let go before, fetched side by side, is chance
        later = "SELECT id FROM tds.backlog WHERE entity = 'invoices' ORDER BY id DESC LIMIT 3"
        road.database.execute(f"UPDATE tds.backlog SET not_before = now() + interval '1 hour' WHERE id IN ({later})")
        assert road.work() == {"invoices.deleted": 3}
    assert deletions.approve(road.database, "invoices", by="somebody") == (3 if goes_on else 6)
    lose(road, zoho, *(str(912 + n) for n in range(8)))
    assert len(tombstones(road.database)) == 11


def test_an_approval_counts_what_is_being_asked_for(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 921))
    lose(road, zoho, *(str(901 + n) for n in range(8)))
    deletions.approve(road.database, "invoices", by="somebody")
    assert backlog.lease(road.database, sizes={"invoices": 2}, duration_s=60) is not None
    assert deletions.approve(road.database, "invoices", by="somebody") == 3


def test_a_day_of_approved_deletions_that_passes_frees_no_others(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 931))
    lose(road, zoho, *(str(901 + n) for n in range(8)))
    deletions.approve(road.database, "invoices", by="somebody")
    assert road.work()["invoices.deleted"] == 3
    lose(road, zoho, *(str(909 + n) for n in range(7)))
    deletions.approve(road.database, "invoices", by="somebody")
    assert road.work()["invoices.deleted"] == 7
    road.database.execute("UPDATE erp.invoices SET deleted_at = deleted_at - interval '1 day' WHERE invoice_id < '909'")
    lose(road, zoho, "916", "917")
    assert len(tombstones(road.database)) == 15


def test_an_approved_deletion_still_needs_a_live_witness(road: Road, zoho: Zoho) -> None:
    fill(road, zoho, *range(901, 921))
    lose(road, zoho, *(str(901 + n) for n in range(20)))
    deletions.approve(road.database, "invoices", by="somebody")
    road.work()
    assert len(mirrored(road.database, "invoices")) == 20
