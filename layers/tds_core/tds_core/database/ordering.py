"""The ordering rule: what one observation of a record does to what the mirror holds of it. Pure, no I/O.

Zoho's version has one-second resolution, may be missing and is not bumped by every change; list rows and documents
are different shapes. So each row has two tracks, *header* (what list rows said last) and *document* (what the last
full document said), and hashes are compared within a track only. Where the rule cannot know which of two states is
the later one, nothing is written and the record is requested from Zoho: a fetch that begins afterwards decides.

Two clocks observe: PostgreSQL's (a fetch, at its permit) and the receiver's (a webhook). Between the two, "after"
means by more than `SKEW`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

SKEW = timedelta(seconds=5)
# Zoho's clock is never ahead of ours by so much
_ZOHO_AHEAD = timedelta(hours=1)


class Kind(StrEnum):
    """What was seen."""

    LIST_ROW = "list_row"
    DOCUMENT = "document"
    GONE = "gone"
    MENTION = "mention"


class Clock(StrEnum):
    """Whose clock `observed_at` is of."""

    FETCH = "fetch"
    WEBHOOK = "webhook"


class Outcome(StrEnum):
    """What became of an observation; counted apart."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    TIE = "tie"
    DELETED = "deleted"
    RESTORED = "restored"
    IGNORED = "ignored"
    REJECTED = "rejected"
    REQUESTED = "requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time on one of the two clocks."""

    at: datetime
    clock: Clock

    def is_after(self, other: "Moment | None") -> bool:
        """Whether this is surely later."""
        if other is None:
            return True
        return self.at > other.at + (timedelta(0) if self.clock == other.clock else SKEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track of a row: what it shows, its version and when that was seen."""

    version: datetime | None = None
    observed: Moment | None = None
    hash: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the mirror holds of one record: `row` is None when there is none.

    `columns` are those of its row, at least what list rows and documents both carry.
    """

    exists: bool = False
    deleted_at: datetime | None = None
    header: Track = field(default_factory=Track)
    document: Track = field(default_factory=Track)
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One sight of a record: a list row, a full document, Zoho's word that it does not exist, or merely its id.

    `comparable` says whether versions of lists and documents may be compared with each other (a payment's may not).
    `force` has a later fetch, or a list row, written even where nothing differs: healing trusts no stored hash.
    `shared` are those of its columns that list rows and documents both carry.
    """

    kind: Kind
    observed: Moment
    version: datetime | None = None
    hash: bytes | None = None
    comparable: bool = True
    force: bool = False
    shared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do: write which track, ask Zoho for the record or not, and what to call it.

    `lagging`: a fetch showed an older state than the mirror has seen, so it is repeated after a while.
    `touch`: nothing changed, but the document was seen again, later.
    """

    outcome: Outcome
    write_header: bool = False
    write_document: bool = False
    request: bool = False
    lagging: bool = False
    touch: bool = False


def decide(record: Record, seen: Observation) -> Decision:
    """Apply the rule; the first clause that matches wins."""
    if record.deleted_at is not None:
        return _decide_tombstoned(record, record.deleted_at, seen)
    if seen.kind is Kind.MENTION:
        return Decision(outcome=Outcome.REQUESTED, request=True)
    if seen.kind is Kind.GONE:
        return _decide_gone(record, seen)
    if not record.exists:
        if seen.kind is Kind.LIST_ROW:
            return Decision(outcome=Outcome.CREATED, write_header=True, request=True)
        return Decision(outcome=Outcome.CREATED, write_header=True, write_document=True)
    if seen.kind is Kind.LIST_ROW:
        return _decide_list_row(record, seen)
    return _decide_document(record, seen)


def advance(record: Record, seen: Observation, decision: Decision) -> Record:
    """The record as it stands after the decision was carried out."""
    if decision.outcome is Outcome.DELETED:
        return replace(record, deleted_at=seen.observed.at)
    if decision.write_header:
        record = replace(record, exists=True, deleted_at=None, header=_next_header(record, seen))
        record = replace(record, columns={**record.columns, **seen.shared})
    if decision.write_document:
        observed = _later(seen.observed, record.document.observed)
        # what states no version is not older than what it follows
        track = Track(version=seen.version or record.document.version, observed=observed, hash=seen.hash)
        record = replace(record, exists=True, deleted_at=None, document=track)
    elif decision.touch and seen.kind is Kind.DOCUMENT:
        record = replace(record, document=replace(record.document, observed=seen.observed))
    return record


def _decide_tombstoned(record: Record, deleted_at: datetime, seen: Observation) -> Decision:
    tombstone = Moment(at=deleted_at, clock=Clock.FETCH)
    if seen.kind is Kind.GONE:
        return Decision(outcome=Outcome.IGNORED)
    if seen.kind is Kind.DOCUMENT and seen.observed.clock is Clock.FETCH and seen.observed.is_after(tombstone):
        lagging = _is_older(seen.version, record.document.version)
        return Decision(outcome=Outcome.RESTORED, write_header=True, write_document=True, lagging=lagging)
    # asking once too often costs a call, ignoring a record that is back would lose it
    if not tombstone.is_after(seen.observed):
        return Decision(outcome=Outcome.REQUESTED, request=True)
    return Decision(outcome=Outcome.IGNORED)


def _decide_gone(record: Record, seen: Observation) -> Decision:
    if seen.observed.is_after(record.header.observed) and seen.observed.is_after(record.document.observed):
        return Decision(outcome=Outcome.DELETED)
    return Decision(outcome=Outcome.IGNORED, request=True)


def _decide_list_row(record: Record, seen: Observation) -> Decision:
    header = record.header
    if _is_older(seen.version, header.version):
        return Decision(outcome=Outcome.STALE)
    newer = _is_newer(seen.version, header.version)
    if not newer:
        if header.hash == seen.hash and not seen.force:
            return Decision(outcome=Outcome.UNCHANGED)
        if (header.hash is None or seen.force) and _agrees(seen.shared, record.columns):
            return Decision(outcome=Outcome.UNCHANGED, write_header=True)
    # documents whose version does not compare leave the list's as it was, so it may be older than what they wrote
    if not (newer and seen.comparable) and not seen.observed.is_after(header.observed):
        return Decision(outcome=Outcome.TIE, request=True)
    return Decision(outcome=Outcome.UPDATED, write_header=True, request=True)


def _decide_document(record: Record, seen: Observation) -> Decision:
    stored, fetched = record.document, seen.observed.clock is Clock.FETCH
    header_later = seen.comparable and _is_older(seen.version, record.header.version)
    lagging = fetched and header_later and seen.observed.is_after(record.header.observed)
    if (
        (stored.version is None and stored.hash is None)
        or _is_newer(seen.version, stored.version)
        or _is_impossible(stored, seen)
    ):
        return _write(record, seen, lagging=lagging)
    if _is_older(seen.version, stored.version):
        return Decision(outcome=Outcome.STALE, lagging=fetched and seen.observed.is_after(stored.observed))
    later = fetched and seen.observed.is_after(stored.observed)
    if seen.hash == stored.hash and not (later and (seen.force or stored.observed is None)):
        return _confirm(record, seen, lagging=lagging)
    if later:
        return _write(record, seen, lagging=lagging)
    if not fetched and _is_fetched_after(stored.observed, seen.observed):
        return Decision(outcome=Outcome.STALE)
    return Decision(outcome=Outcome.TIE, request=True)


def _is_fetched_after(stored: Moment | None, seen: Moment) -> bool:
    return stored is not None and stored.clock is Clock.FETCH and stored.is_after(seen)


def _is_impossible(stored: Track, seen: Observation) -> bool:
    """Whether healing meets a version that Zoho cannot have given yet: it would call every true state older."""
    later = seen.force and seen.observed.clock is Clock.FETCH and seen.observed.is_after(stored.observed)
    return later and _is_newer(stored.version, seen.observed.at + _ZOHO_AHEAD)


def _confirm(record: Record, seen: Observation, *, lagging: bool) -> Decision:
    """The stored document seen again; a list row may have overwritten what the two share in the meantime.

    A webhook counts as a sight too: a fetch begun before it may show what was between the two equal states.
    """
    touch = seen.observed.is_after(record.document.observed)
    if seen.observed.clock is Clock.WEBHOOK or lagging or _agrees(seen.shared, record.columns):
        return Decision(outcome=Outcome.UNCHANGED, touch=touch, lagging=lagging)
    if _writes_header(record, seen):
        return Decision(outcome=Outcome.UPDATED, write_header=True, touch=touch)
    return Decision(outcome=Outcome.UNCHANGED, touch=touch, request=True)


def _write(record: Record, seen: Observation, *, lagging: bool) -> Decision:
    header = _writes_header(record, seen)
    doubtful = not header and not lagging and not _agrees(seen.shared, record.columns)
    return Decision(
        outcome=Outcome.UPDATED, write_document=True, write_header=header, request=doubtful, lagging=lagging
    )


def _writes_header(record: Record, seen: Observation) -> bool:
    """Whether the document's columns that lists carry too are newer than the row's.

    A webhook may have been under way for long, so the time of its receipt says nothing about its document's age:
    without a version to compare it may only follow a header that the document track itself wrote.
    """
    header = record.header
    later = seen.observed.clock is Clock.FETCH and seen.observed.is_after(header.observed)
    if not seen.comparable or seen.version is None or header.version is None:
        return later or header.observed == record.document.observed
    return later if seen.version == header.version else seen.version > header.version


def _next_header(record: Record, seen: Observation) -> Track:
    header = record.header
    observed = _later(seen.observed, header.observed)
    if seen.kind is Kind.LIST_ROW:
        return Track(version=seen.version or header.version, observed=observed, hash=seen.hash)
    # a document that says what the list said leaves the list's hash valid
    kept = header.hash if _agrees(seen.shared, record.columns) else None
    version = seen.version if seen.comparable else None
    return Track(version=version or header.version, observed=observed, hash=kept)


def _later(moment: Moment, other: Moment | None) -> Moment:
    """The later of the two: too late a mark costs a call, too early a one would let an older state in.

    Where two clocks cannot tell, the mark is a webhook's: no fetch begun within the skew is then after it.
    """
    if other is None or moment.is_after(other):
        return moment
    if moment.clock == other.clock or other.is_after(moment):
        return other
    return Moment(at=max(moment.at, other.at), clock=Clock.WEBHOOK)


def _agrees(some: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return all(others.get(name) == value for name, value in some.items())


def _is_newer(version: datetime | None, than: datetime | None) -> bool:
    return version is not None and than is not None and version > than


def _is_older(version: datetime | None, than: datetime | None) -> bool:
    return _is_newer(than, version)
