"""The ordering rule, clause by clause, on plain values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tds_core.database.ordering import (
    SKEW,
    Clock,
    Decision,
    Kind,
    Moment,
    Observation,
    Outcome,
    Record,
    Track,
    advance,
    decide,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
OLD, SAME, NEW = NOON - timedelta(hours=2), NOON - timedelta(hours=1), NOON - timedelta(minutes=30)
VERSIONS = {"older": OLD, "equal": SAME, "newer": NEW, "missing": None}


def fetched(seconds: float = 0) -> Moment:
    """A moment on PostgreSQL's clock, in seconds from noon."""
    return Moment(at=NOON + timedelta(seconds=seconds), clock=Clock.FETCH)


def received(seconds: float = 0) -> Moment:
    """A moment on the receiver's clock."""
    return Moment(at=NOON + timedelta(seconds=seconds), clock=Clock.WEBHOOK)


def document(observed: Moment, version: datetime | None = SAME, content: str = "a", **fields: Any) -> Observation:
    """A document; its total, which lists show too, is its content's."""
    return Observation(
        kind=Kind.DOCUMENT,
        observed=observed,
        version=version,
        hash=content.encode(),
        shared={"total": content},
        **fields,
    )


def list_row(observed: Moment, version: datetime | None = SAME, content: str = "a", **fields: Any) -> Observation:
    """A list row that shows this total."""
    return Observation(
        kind=Kind.LIST_ROW,
        observed=observed,
        version=version,
        hash=f"list {content}".encode(),
        shared={"total": content},
        **fields,
    )


def gone(observed: Moment) -> Observation:
    """Zoho's code 1002."""
    return Observation(kind=Kind.GONE, observed=observed)


def mention(observed: Moment) -> Observation:
    """An id without a document."""
    return Observation(kind=Kind.MENTION, observed=observed)


def after(*sights: Observation) -> Record:
    """The record that the mirror holds after these sights."""
    record = Record()
    for seen in sights:
        record = advance(record, seen, decide(record, seen))
    return record


def writes(decision: Decision) -> tuple[bool, bool]:
    """Whether the header and the document are written."""
    return decision.write_header, decision.write_document


HELD = after(document(fetched()))
DELETED = after(document(fetched(-60)), gone(fetched()))
NEVER_SEEN_DELETED = after(gone(fetched()))
TOMBSTONES = pytest.mark.parametrize("record", [DELETED, NEVER_SEEN_DELETED], ids=["had a row", "never had a row"])


# two clocks


def test_within_one_clock_any_later_instant_is_after() -> None:
    assert fetched(0.001).is_after(fetched()) and received(0.001).is_after(received())
    assert not fetched().is_after(fetched()) and not fetched(-1).is_after(fetched())


@pytest.mark.parametrize(("one", "other"), [(fetched, received), (received, fetched)])
def test_between_the_clocks_after_means_by_more_than_five_seconds(one: Any, other: Any) -> None:
    assert timedelta(seconds=5) == SKEW
    assert not one(5).is_after(other()) and one(5.001).is_after(other())


# 1: tombstoned


@TOMBSTONES
def test_a_fetch_begun_after_the_deletion_restores_the_record(record: Record) -> None:
    decision = decide(record, document(fetched(1), NEW))
    assert (decision.outcome, *writes(decision)) == (Outcome.RESTORED, True, True)
    assert advance(record, document(fetched(1), NEW), decision).deleted_at is None


@TOMBSTONES
@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_late_update_does_not_resurrect_a_deleted_invoice(record: Record, seconds: float) -> None:
    seen = document(received(seconds), NEW, "b")
    decision = decide(record, seen)
    assert writes(decision) == (False, False)
    assert advance(record, seen, decision) == record


@TOMBSTONES
@pytest.mark.parametrize("seconds", [-1, 0])
def test_a_fetch_begun_before_the_deletion_does_not_resurrect(record: Record, seconds: float) -> None:
    assert writes(decide(record, document(fetched(seconds), NEW, "b"))) == (False, False)


@TOMBSTONES
@pytest.mark.parametrize("seen", [document(received(6)), list_row(fetched(1)), mention(received(6))])
def test_what_is_seen_after_the_deletion_is_requested(record: Record, seen: Observation) -> None:
    assert decide(record, seen) == Decision(outcome=Outcome.REQUESTED, request=True)


@TOMBSTONES
@pytest.mark.parametrize("seen", [document(received(-6)), list_row(fetched(-1)), mention(received(-6))])
def test_what_was_seen_before_the_deletion_is_ignored(record: Record, seen: Observation) -> None:
    assert decide(record, seen) == Decision(outcome=Outcome.IGNORED)


@TOMBSTONES
def test_what_may_have_been_seen_after_the_deletion_is_requested(record: Record) -> None:
    assert decide(record, document(received(-5))).request


@TOMBSTONES
def test_a_deleted_record_that_is_gone_stays_as_it_is(record: Record) -> None:
    decision = decide(record, gone(fetched(9)))
    assert decision == Decision(outcome=Outcome.IGNORED)
    assert advance(record, gone(fetched(9)), decision) == record


def test_a_record_restored_in_an_older_state_is_asked_for_again() -> None:
    decision = decide(DELETED, document(fetched(1), OLD))
    assert decision.outcome is Outcome.RESTORED and decision.lagging


# 2: gone


def test_a_fetch_that_finds_nothing_deletes() -> None:
    decision = decide(HELD, gone(fetched(1)))
    assert decision == Decision(outcome=Outcome.DELETED)
    assert advance(HELD, gone(fetched(1)), decision).deleted_at == fetched(1).at


def test_an_id_that_never_had_a_row_gets_a_tombstone() -> None:
    assert decide(Record(), gone(fetched())).outcome is Outcome.DELETED


@pytest.mark.parametrize(
    "record",
    [
        after(document(fetched(10))),
        after(document(fetched(0)), list_row(fetched(10), NEW)),
        after(list_row(fetched(0), NEW), document(fetched(10), SAME, "b")),
        after(document(received(5))),
    ],
    ids=["document seen later", "list row seen later", "older document seen later", "webhook within the skew"],
)
def test_a_fetch_begun_before_a_sight_of_the_record_does_not_delete_it(record: Record) -> None:
    assert decide(record, gone(fetched(9))) == Decision(outcome=Outcome.IGNORED, request=True)


# 3: no row


def test_a_list_row_creates_the_header_and_requests_the_document() -> None:
    decision = decide(Record(), list_row(fetched()))
    assert decision == Decision(outcome=Outcome.CREATED, write_header=True, request=True)
    assert after(list_row(fetched())).document == Track()


@pytest.mark.parametrize("observed", [fetched(), received()], ids=["fetch", "webhook"])
def test_a_document_creates_the_whole_row(observed: Moment) -> None:
    assert decide(Record(), document(observed)) == Decision(
        outcome=Outcome.CREATED, write_header=True, write_document=True
    )


@pytest.mark.parametrize("record", [Record(), HELD], ids=["no row", "a row"])
def test_an_id_without_a_document_is_requested(record: Record) -> None:
    assert decide(record, mention(received())) == Decision(outcome=Outcome.REQUESTED, request=True)


@pytest.mark.parametrize("version", [SAME, None], ids=["version", "hash"])
def test_a_document_whose_sight_was_lost_is_still_known(version: datetime | None) -> None:
    """A webhook without a newer version may be of long ago: a fetch decides."""
    lost = replace(HELD, document=replace(HELD.document, version=version, observed=None))
    assert decide(lost, document(received(9), version, "b")) == Decision(outcome=Outcome.TIE, request=True)
    assert decide(lost, document(fetched(9), version, "b")).write_document


# 4: list rows

LISTED = after(list_row(fetched()))


def test_an_older_list_row_is_stale() -> None:
    assert decide(LISTED, list_row(fetched(9), OLD, "b")) == Decision(outcome=Outcome.STALE)


@pytest.mark.parametrize("version", [SAME, None], ids=["equal", "missing"])
@pytest.mark.parametrize("seconds", [-9, 9])
def test_a_list_row_with_the_same_content_is_unchanged(version: datetime | None, seconds: float) -> None:
    assert decide(LISTED, list_row(fetched(seconds), version)) == Decision(outcome=Outcome.UNCHANGED)


def test_the_first_list_row_that_agrees_with_the_document_gives_its_hash() -> None:
    decision = decide(HELD, list_row(fetched(9)))
    assert decision == Decision(outcome=Outcome.UNCHANGED, write_header=True)
    assert advance(HELD, list_row(fetched(9)), decision).header.hash == b"list a"


def test_a_document_that_says_what_the_list_said_keeps_the_lists_hash() -> None:
    assert after(list_row(fetched()), document(fetched(1))).header.hash == b"list a"
    assert after(list_row(fetched()), document(fetched(1), NEW, "b")).header.hash is None


@pytest.mark.parametrize("seconds", [-9, 9])
def test_a_newer_list_row_is_written_and_its_document_requested(seconds: float) -> None:
    decision = decide(LISTED, list_row(fetched(seconds), NEW, "b"))
    assert decision == Decision(outcome=Outcome.UPDATED, write_header=True, request=True)


@pytest.mark.parametrize("version", [SAME, None], ids=["equal", "missing"])
def test_other_content_without_a_newer_version_is_written_if_seen_later(version: datetime | None) -> None:
    seen = list_row(fetched(9), version, "b")
    assert decide(LISTED, seen) == Decision(outcome=Outcome.UPDATED, write_header=True, request=True)
    assert after(list_row(fetched()), seen).header.version == SAME


@pytest.mark.parametrize(
    ("record", "seconds"), [(LISTED, 0), (LISTED, -9), (after(document(received())), 5)], ids=["same", "before", "skew"]
)
def test_other_content_that_may_be_older_is_only_requested(record: Record, seconds: float) -> None:
    assert decide(record, list_row(fetched(seconds), SAME, "b")) == Decision(outcome=Outcome.TIE, request=True)


def test_a_list_row_read_before_an_incomparable_document_does_not_overwrite_it() -> None:
    record = after(list_row(fetched(0), OLD, comparable=False), document(fetched(9), NEW, "c", comparable=False))
    assert decide(record, list_row(fetched(5), SAME, "b", comparable=False)).outcome is Outcome.TIE
    assert decide(record, list_row(fetched(10), SAME, "b", comparable=False)).outcome is Outcome.UPDATED


# 5: documents


@pytest.mark.parametrize("observed", [fetched(-9), fetched(9), received(-9), received(9)], ids=repr)
def test_a_newer_document_is_written_with_the_header(observed: Moment) -> None:
    assert writes(decide(HELD, document(observed, NEW, "b"))) == (True, True)


def test_a_newer_document_of_the_same_content_advances_the_version() -> None:
    assert after(document(fetched()), document(received(9), NEW)).document.version == NEW


@pytest.mark.parametrize("observed", [received(-9), received(9), fetched(-9)], ids=repr)
def test_an_older_document_is_stale(observed: Moment) -> None:
    assert decide(HELD, document(observed, OLD, "b")) == Decision(outcome=Outcome.STALE)


def test_a_later_fetch_that_shows_an_older_document_is_repeated() -> None:
    assert decide(HELD, document(fetched(9), OLD, "b")) == Decision(outcome=Outcome.STALE, lagging=True)


def test_a_later_fetch_older_than_the_list_is_repeated() -> None:
    record = after(document(fetched()), list_row(fetched(1), NEW, "b"))
    decision = decide(record, document(fetched(2)))
    assert (decision.outcome, decision.lagging) == (Outcome.UNCHANGED, True)


def test_the_first_document_is_written_even_if_the_list_is_newer_but_not_its_header() -> None:
    record = after(list_row(fetched(), NEW, "b"))
    decision = decide(record, document(received(9), SAME))
    assert writes(decision) == (False, True)


@pytest.mark.parametrize("stored", [SAME, None], ids=["equal", "none stored"])
@pytest.mark.parametrize("version", [SAME, None], ids=["equal", "missing"])
def test_the_same_document_is_unchanged(stored: datetime | None, version: datetime | None) -> None:
    if version is None or stored is None or version == stored:
        record = after(document(fetched(), stored))
        assert decide(record, document(received(-9), version)) == Decision(outcome=Outcome.UNCHANGED)
        assert decide(record, document(received(9), version)) == Decision(outcome=Outcome.UNCHANGED, touch=True)


@pytest.mark.parametrize("moment", [fetched, received], ids=["fetch", "webhook"])
def test_a_fetch_does_not_bring_back_what_was_between_two_equal_states(moment: Any) -> None:
    record = after(document(fetched()), document(moment(9)))
    assert record.document.observed == moment(9)
    assert decide(record, document(fetched(8), SAME, "b")).outcome is Outcome.TIE


@pytest.mark.parametrize("version", [SAME, None], ids=["equal", "missing"])
def test_a_later_fetch_of_other_content_is_written(version: datetime | None) -> None:
    decision = decide(HELD, document(fetched(1), version, "b"))
    assert (decision.outcome, *writes(decision)) == (Outcome.UPDATED, True, True)


def test_a_document_without_version_does_not_lower_the_versions_known() -> None:
    record = after(document(fetched()), document(fetched(1), None, "b"))
    assert record.document.version == SAME and record.header.version == SAME
    assert decide(record, document(received(99), OLD, "c")).outcome is Outcome.STALE


def test_a_document_that_never_has_a_version_keeps_none() -> None:
    assert after(document(fetched(), None), document(fetched(1), None, "b")).document.version is None


@pytest.mark.parametrize("version", [SAME, None], ids=["equal", "missing"])
def test_a_webhook_received_before_the_stored_fetch_is_stale(version: datetime | None) -> None:
    assert decide(HELD, document(received(-5.1), version, "b")) == Decision(outcome=Outcome.STALE)


@pytest.mark.parametrize(
    ("record", "observed"),
    [
        (HELD, received(-5)),
        (HELD, received(60)),
        (HELD, fetched(0)),
        (HELD, fetched(-9)),
        (after(document(received())), received(60)),
        (after(document(received())), fetched(5)),
    ],
    ids=["skew", "webhook", "same instant", "earlier fetch", "two webhooks", "fetch within the skew"],
)
@pytest.mark.parametrize("version", [SAME, None], ids=["equal", "missing"])
def test_a_tie_writes_nothing_and_is_requested(record: Record, observed: Moment, version: datetime | None) -> None:
    seen = document(observed, version, "b")
    decision = decide(record, seen)
    assert decision == Decision(outcome=Outcome.TIE, request=True)
    assert advance(record, seen, decision) == record


@pytest.mark.parametrize(
    ("observed", "expected"), [(fetched(2), True), (fetched(0.5), False), (received(60), False)], ids=repr
)
def test_at_the_lists_version_only_a_later_fetch_writes_the_header(observed: Moment, expected: bool) -> None:
    record = after(document(fetched(0), OLD), list_row(fetched(1), SAME, "b"))
    decision = decide(record, document(observed, SAME, "c"))
    assert writes(decision) == (expected, True)
    assert decision.request is not expected, "a header that may differ is settled by a fetch"


def test_a_fetch_too_close_to_a_webhook_to_settle_a_differing_header_is_repeated() -> None:
    record = after(list_row(fetched(0), SAME, "b"), document(received(1), SAME, "a"), document(received(9)))
    record = advance(record, list_row(fetched(8), SAME, "c"), decide(record, list_row(fetched(8), SAME, "c")))
    assert record.columns == {"total": "c"}
    seen = document(fetched(7), SAME, "a")
    assert decide(record, seen) == Decision(outcome=Outcome.UNCHANGED, request=True)


def test_of_two_clocks_that_cannot_tell_the_mark_is_the_one_that_is_harder_to_pass() -> None:
    record = after(document(fetched(0), OLD), document(received(-1), SAME, "b"))
    assert record.document.observed == record.header.observed == received(0)
    assert decide(record, list_row(fetched(0.1), SAME, "a")).outcome is Outcome.TIE
    assert after(document(fetched(0), OLD), document(received(-6), SAME, "b")).header.observed == fetched(0)
    assert after(document(received(0), OLD), document(fetched(6), SAME, "b")).header.observed == fetched(6)


def test_a_fetch_corrects_a_header_that_differs_from_the_unchanged_document() -> None:
    # two edits in one second: the list showed the first, the webhook the second, the fetch confirms the second
    record = after(list_row(fetched(0), SAME, "b"), document(received(1), SAME, "a"))
    assert record.columns == {"total": "b"}
    seen = document(fetched(7), SAME, "a")
    decision = decide(record, seen)
    assert (decision.outcome, *writes(decision)) == (Outcome.UPDATED, True, False)
    record = advance(record, seen, decision)
    assert record.columns == {"total": "a"} and record.header.hash is None and record.document.observed == fetched(7)


@pytest.mark.parametrize("comparable", [True, False], ids=["no version", "payments"])
def test_a_webhook_under_way_for_long_does_not_overwrite_a_newer_list_row(comparable: bool) -> None:
    record = after(list_row(fetched(0), SAME, "b"))
    seen = document(received(60), None if comparable else OLD, "a", comparable=comparable)
    decision = decide(record, seen)
    assert (*writes(decision), decision.request) == (False, True, True)


def test_an_incomparable_document_follows_the_header_that_documents_wrote() -> None:
    record = after(document(received(0), OLD, "a", comparable=False))
    assert writes(decide(record, document(received(9), SAME, "b", comparable=False))) == (True, True)


def test_an_incomparable_version_is_never_taken_for_the_lists() -> None:
    record = after(list_row(fetched(), OLD), document(fetched(1), NEW, comparable=False))
    assert (record.header.version, record.document.version) == (OLD, NEW)
    assert not decide(after(list_row(fetched(), NEW)), document(fetched(1), OLD, comparable=False)).lagging


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("observed", [fetched(9), received(9)], ids=["fetch", "webhook"])
def test_whatever_is_seen_twice_changes_nothing_the_second_time(version: datetime | None, observed: Moment) -> None:
    for seen in (document(observed, version, "b"), list_row(fetched(9), version, "b")):
        once = after(document(fetched()), seen)
        second = decide(once, seen)
        assert writes(second) in ((False, False), (True, False)) and advance(once, seen, second).columns == once.columns
        assert second.outcome in (Outcome.UNCHANGED, Outcome.STALE, Outcome.TIE)


# healing


def test_healing_writes_even_where_the_hashes_are_equal() -> None:
    decision = decide(HELD, document(fetched(1), force=True))
    assert (decision.outcome, *writes(decision)) == (Outcome.UPDATED, True, True)


@pytest.mark.parametrize("seen", [document(fetched(0), force=True), document(fetched(9), OLD, force=True)])
def test_healing_is_no_leave_to_write_what_is_older(seen: Observation) -> None:
    assert writes(decide(HELD, seen)) == (False, False)


@given(
    ahead=st.timedeltas(-timedelta(days=1), timedelta(days=9_999)),
    behind=st.timedeltas(timedelta(0), timedelta(days=9_999)),
    force=...,
)
def test_healing_undoes_a_version_of_the_future_and_nothing_else_goes_back(
    ahead: timedelta, behind: timedelta, force: bool
) -> None:
    """However far ahead the stored version stands, and however old the state that Zoho shows."""
    stored = replace(HELD, document=replace(HELD.document, version=fetched(1).at + ahead))
    seen = document(fetched(1), fetched(1).at - behind, "b", force=force)
    decision = decide(stored, seen)
    is_older = behind > -ahead
    assert decision.write_document is (not is_older or (force and ahead > timedelta(hours=1)))
    if decision.write_document:
        assert advance(stored, seen, decision).document.version == seen.version
