"""How far lists and details have come: figures out of the console's status answers, with rates and what is left."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cli.times import moment

_WINDOW_S = 15.0
_MODES = ("walk", "drain")
IMAGES = "product_images"
_USED_UP = "today's calls for"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProgress:
    """One of Zoho's lists; `rows` are those of the pass under way, or of the last one."""

    scan: str
    rows: int
    is_pending: bool
    is_under_way: bool

    @classmethod
    def parse(cls, scan: str, figures: Mapping[str, Any]) -> "ListProgress":
        """Read the console's figures of a scan."""
        is_under_way = figures["walk_page"] is not None
        rows = figures["walk_rows"] if is_under_way else figures["walked_rows"]
        is_pending = is_under_way or figures["walk_requested_at"] is not None
        return cls(scan=scan, rows=rows or 0, is_pending=is_pending, is_under_way=is_under_way)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailProgress:
    """One entity's documents: `pending` of `total` rows wait for theirs, `requests` ids are on the backlog."""

    entity: str
    total: int
    pending: int
    requests: int
    due: int
    parked: int
    per_second: float = 0.0

    @classmethod
    def parse(
        cls, entity: str, figures: Mapping[str, Any], backlog: Mapping[str, Any], *, per_second: float
    ) -> "DetailProgress":
        """Read the console's figures of an entity and of its backlog."""
        return cls(
            entity=entity,
            total=figures["erp"],
            pending=figures["details_pending"],
            requests=backlog.get("requests", 0),
            due=backlog.get("due", 0),
            parked=backlog.get("parked", 0),
            per_second=per_second,
        )

    @property
    def open(self) -> int:
        """Ids that will still be fetched without anybody's help."""
        return self.requests - self.parked

    @property
    def eta_s(self) -> float | None:
        """Seconds until nothing is open at the present rate; None while nothing moves."""
        if not self.open:
            return 0.0
        return self.open / self.per_second if self.per_second > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Lists and details at one moment; `working` names the modes that are at work, `waits` says for what they wait."""

    lists: tuple[ListProgress, ...]
    details: tuple[DetailProgress, ...]
    working: frozenset[str]
    waits: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether no walk is pending and nothing is left but what was parked."""
        return not any(part.is_pending for part in self.lists) and not any(part.open for part in self.details)

    @property
    def is_complete(self) -> bool:
        """Whether it is over and every row has its document."""
        return self.is_over and not any(part.pending or part.parked for part in self.details)

    @property
    def left(self) -> str:
        """What is still to come, for people: walks by their list, documents by entity."""
        walks = [f"the list of {part.scan}" for part in self.lists if part.is_pending]
        return ", ".join(walks + [f"{part.open:,} of {part.entity}" for part in self.details if part.open])

    @property
    def parked(self) -> dict[str, int]:
        """Documents that were given up for now, by entity."""
        return {part.entity: part.parked for part in self.details if part.parked}

    @property
    def idle_modes(self) -> tuple[str, ...]:
        """Modes that have something to do and nobody who does it."""
        due = {"walk": any(part.is_pending for part in self.lists), "drain": any(part.due for part in self.details)}
        return tuple(mode for mode in _MODES if due[mode] and mode not in self.working)

    @property
    def position(self) -> tuple[int, ...]:
        """A value that stays the same only while nothing moves."""
        rows = sum(part.rows for part in self.lists), sum(part.is_pending for part in self.lists)
        return *rows, sum(part.total - part.pending for part in self.details), sum(part.open for part in self.details)


@dataclass(slots=True)
class Meter:
    """Turns status answers into snapshots; rates are those of the last 15 seconds."""

    _samples: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)

    def read(
        self,
        status: Mapping[str, Any],
        *,
        now_s: float,
        entities: Collection[str] = (),
        scans: Collection[str] = (),
    ) -> Snapshot:
        """The snapshot of these entities and scans, or of all of them; images count as an entity."""
        every = {**status["entities"], **_images(status)}
        figures = {name: part for name, part in every.items() if not entities or name in entities}
        done = {name: part["erp"] - part["details_pending"] for name, part in figures.items()}
        self._samples.append((now_s, done))
        while len(self._samples) > 2 and now_s - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        return Snapshot(
            lists=tuple(
                ListProgress.parse(scan, part) for scan, part in status["scans"].items() if not scans or scan in scans
            ),
            details=tuple(
                DetailProgress.parse(name, part, status["backlog"].get(name, {}), per_second=self._rate(name))
                for name, part in figures.items()
            ),
            working=frozenset(status["working"]),
            waits=waits(status),
        )

    def _rate(self, entity: str) -> float:
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        if last_s <= first_s:
            return 0.0
        return max(last[entity] - first.get(entity, 0), 0) / (last_s - first_s)


def waits(status: Mapping[str, Any]) -> tuple[str, ...]:
    """What a history and its images wait for by themselves, in words."""
    zoho, found = status["zoho"], []
    for day in zoho["days"]:
        resets_at = moment(day["resets_at"], status["time_zone"])
        if day["ends_history"]:
            found.append(f"{day['product']}: {_USED_UP} the history are used up, it goes on by itself at {resets_at}")
        elif day["ends_images"] and status["backlog"].get(IMAGES, {}).get("requests"):
            found.append(f"{day['product']}: {_USED_UP} images are used up, they go on by themselves by {resets_at}")
    if zoho["circuit"] == "open":
        found.append("Zoho does not answer: the circuit is open, and is probed by itself")
    return tuple(found)


def _images(status: Mapping[str, Any]) -> dict[str, Any]:
    """Product images as figures of an entity; none where there are none."""
    expected, stored = status["images"]["expected"], status["images"]["stored"]
    if not expected and IMAGES not in status["backlog"]:
        return {}
    return {IMAGES: {"erp": expected, "details_pending": expected - stored}}


def age_s(text: str | None, *, now: datetime) -> float | None:
    """Seconds since a moment that the console gave as text."""
    return (now - datetime.fromisoformat(text)).total_seconds() if text else None


def duration(seconds: float | None) -> str:
    """A time for people: 45 s, 3 min, 2 h 5 min, 4 days; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours / 24:.0f} days"
