"""Whether the mirror can be trusted now: from freshness and verification only, never from "no exception".

Every reason has words in `tds_core/words` and a line in docs/runbook.md, both under its code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Level = Literal["good", "attention", "bad"]
LEVELS: tuple[Level, ...] = ("good", "attention", "bad")

# code -> how grave; the order is that in which they are shown
REASONS: Mapping[str, Level] = {
    "token": "bad",
    "unwatched": "bad",
    "unread": "bad",
    "stale": "bad",
    "queue_late": "bad",
    "dead_letters": "bad",
    "drift": "bad",
    "sums": "bad",
    "untold": "bad",
    "uncompared": "attention",
    "unverified": "attention",
    "unhealed": "attention",
    "images": "attention",
    "history": "attention",
    "silent": "attention",
    "circuit": "attention",
    "day_spent": "attention",
    "parked": "attention",
    "failed_runs": "attention",
}
WATCHED_WITHIN = timedelta(minutes=3)
# a list is stale when it was not read for so many times of what is promised, or of its pace where that is slower
STALE_AFTER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why the verdict is not good; `values` are what its words name."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """How grave it is."""
        return REASONS[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gravest of its reasons; good without any."""

    reasons: tuple[Reason, ...] = ()

    @property
    def level(self) -> Level:
        """One of `LEVELS`."""
        return max((reason.level for reason in self.reasons), key=LEVELS.index, default="good")


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """One list of Zoho: when it was last read, and how long it may stay unread."""

    scan: str
    read_at: datetime | None
    promised: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An entity's newest comparison; no time before the first.

    `open` of its `rows` records differ still or could not be decided, `unexplained` sums differ though no record does,
    of `untold` columns the list tells nothing any more; `error` is why a later one could not be made.
    """

    ended_at: datetime | None = None
    open: int = 0
    rows: int = 0
    unexplained: int = 0
    untold: int = 0
    error: str | None = None

    @property
    def share(self) -> float:
        """The open ones' share of the entity's records."""
        return self.open / max(self.rows, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """All that the verdict rests on, of one moment.

    A queue is late beyond `queue_late_s`; above `drift_ratio` of an entity's records a difference is drift. Both are
    the limits of the alarms.
    """

    now: datetime
    queue_late_s: float
    drift_ratio: float
    watched_at: datetime | None
    checked: Mapping[str, Checked]
    lists: Sequence[List] = ()
    queue_ages_s: Mapping[str, float] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    failed_runs: int = 0
    parked: int = 0
    pending_history: int = 0
    silent: Sequence[str] = ()
    token_refusal: str | None = None
    circuit: str = "closed"
    spent: Sequence[str] = ()
    images_wrong: int = 0
    verified_within: timedelta = timedelta(days=2)


def verdict(signals: Signals) -> Verdict:
    """Judge; the reasons stand in the order of `REASONS`."""
    found = [*_trust(signals), *_flow(signals), *_verification(signals), *_zoho(signals)]
    order = list(REASONS)
    return Verdict(reasons=tuple(sorted(found, key=lambda reason: order.index(reason.code))))


def _trust(signals: Signals) -> list[Reason]:
    """What was not looked at cannot be called good."""
    found = []
    if signals.watched_at is None or signals.now - signals.watched_at > WATCHED_WITHIN:
        age_s = None if signals.watched_at is None else (signals.now - signals.watched_at).total_seconds()
        found.append(Reason(code="unwatched", values={"age_s": age_s}))
    for one in signals.lists:
        if one.read_at is None:
            found.append(Reason(code="unread", values={"scan": one.scan}))
        elif signals.now - one.read_at > one.promised * STALE_AFTER:
            age_s = (signals.now - one.read_at).total_seconds()
            promised_s = one.promised.total_seconds()
            found.append(Reason(code="stale", values={"scan": one.scan, "age_s": age_s, "promised_s": promised_s}))
    return found


def _flow(signals: Signals) -> list[Reason]:
    """Webhooks that wait, died or stay away."""
    found = [
        Reason(code="queue_late", values={"entity": queue, "age_s": age_s})
        for queue, age_s in signals.queue_ages_s.items()
        if age_s > signals.queue_late_s
    ]
    found += [
        Reason(code="dead_letters", values={"place": place, "count": count})
        for place, count in signals.dead.items()
        if count
    ]
    counts = {"failed_runs": signals.failed_runs, "parked": signals.parked, "history": signals.pending_history}
    found += [Reason(code=code, values={"count": count}) for code, count in counts.items() if count]
    return found + [Reason(code="silent", values={"entity": entity}) for entity in signals.silent]


def _verification(signals: Signals) -> list[Reason]:
    """What was compared with Zoho, and what of it still differs."""
    found = _unverified(signals)
    for entity, one in signals.checked.items():
        if one.open:
            code = "drift" if one.share > signals.drift_ratio else "unhealed"
            found.append(Reason(code=code, values={"entity": entity, "count": one.open, "share": one.share}))
        if one.unexplained:
            found.append(Reason(code="sums", values={"entity": entity, "count": one.unexplained}))
        if one.untold:
            found.append(Reason(code="untold", values={"entity": entity, "count": one.untold}))
        if one.error:
            found.append(Reason(code="uncompared", values={"entity": entity, "error": one.error}))
    if signals.images_wrong:
        found.append(Reason(code="images", values={"count": signals.images_wrong}))
    return found


def _unverified(signals: Signals) -> list[Reason]:
    """One reason for all that was never compared, and one for all that was too long ago."""
    found = []
    ended = {entity: one.ended_at for entity, one in signals.checked.items()}
    ages = {entity: signals.now - at for entity, at in ended.items() if at}
    if never := [entity for entity in ended if entity not in ages]:
        found.append(Reason(code="unverified", values={"entity": never[0], "count": len(never), "age_s": None}))
    if late := [entity for entity, age in ages.items() if age > signals.verified_within]:
        oldest = max(late, key=lambda entity: ages[entity])
        values = {"entity": oldest, "count": len(late), "age_s": ages[oldest].total_seconds()}
        found.append(Reason(code="unverified", values=values))
    return found


def _zoho(signals: Signals) -> list[Reason]:
    """Whether Zoho may be asked."""
    found = []
    if signals.token_refusal is not None:
        found.append(Reason(code="token", values={"refusal": signals.token_refusal.partition(":")[0]}))
    if signals.circuit != "closed":
        found.append(Reason(code="circuit"))
    return found + [Reason(code="day_spent", values={"product": product}) for product in signals.spent]
