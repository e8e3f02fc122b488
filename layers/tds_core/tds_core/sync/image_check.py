"""Hold the images on four sides against each other: Zoho's list, the bucket, the database and the public web.

What differs between the first three is fetched from Zoho. What only the public address does not serve is no matter of
Zoho's: the edge is told to forget it, and a name, certificate or policy that is wrong has to be mended by people.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from tds_core.database import images
from tds_core.database.connection import Database
from tds_core.database.images import Holding
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.image_store import Objects

_CONNECTIONS = 16
_PATIENCE_S = 10.0
_JPEG = "image/jpeg"


class Bucket(Protocol):
    """Where the pictures lie."""

    def objects(self) -> Objects:
        """Everything that is served; raises QueueUnavailable."""

    def invalidate(self, product_ids: Iterable[str]) -> None:
        """Have the edge forget these products' pictures; never raises."""


@dataclass(slots=True, kw_only=True)
class ImageReport:
    """What was found: `expected` images that Zoho shows, and how many of them are on each of the other sides.

    `faults` are ids with what is wrong, `unserved` those of them that are right everywhere but on the web. `pending`
    ids are on their way and no fault, `parked` were given up for now with their reason, `unchecked` ones were not asked
    for on the web in time. `healed` says how many were requested.
    """

    expected: int = 0
    stored: int = 0
    linked: int = 0
    reachable: int = 0
    unchecked: int = 0
    pending: int = 0
    healed: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    unserved: list[str] = field(default_factory=list)
    parked: dict[str, str] = field(default_factory=dict)

    @property
    def to_fetch(self) -> list[str]:
        """The faults that another fetch may mend."""
        return sorted(self.faults.keys() - set(self.unserved))

    @property
    def is_ok(self) -> bool:
        """Whether every side agrees and nothing is under way."""
        return not (self.faults or self.parked or self.pending or self.unchecked)


class ImageCheck:
    """Compares and heals; `http` asks the public address, as a shop's customer would."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        bucket: Bucket,
        http: httpx.Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = settings.require("image_base_url").image_base_url.rstrip("/")
        self._database = database
        self._bucket = bucket
        limits = httpx.Limits(max_connections=_CONNECTIONS)
        self._http = http or httpx.Client(timeout=_PATIENCE_S, limits=limits, trust_env=False)
        self._clock = clock

    def run(self, *, heal: bool, for_s: float) -> ImageReport:
        """Compare everything, ask the web for `for_s` seconds at most, and mend what is wrong if `heal`.

        Raises QueueUnavailable when the bucket cannot be read, DatabaseUnavailable.
        """
        until = self._clock() + for_s
        # what is on its way is read first and last: an image that moved in between is no fault
        waiting = images.waiting(self._database)
        objects = self._bucket.objects()
        holdings = images.holdings(self._database)
        report = ImageReport(expected=sum(bool(held.wanted) for held in holdings.values()))
        ids = holdings.keys() | objects.images.keys() | objects.thumbnails.keys()
        if unknown := ids - holdings.keys():
            holdings |= images.holdings(self._database, sorted(unknown))
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            found = list(pool.map(lambda held: self._look(held, objects, until), holdings.values()))
        waiting |= images.waiting(self._database)
        for held, (sides, fault) in zip(holdings.values(), found, strict=True):
            report.stored += "stored" in sides
            report.linked += "linked" in sides
            report.reachable += "reachable" in sides
            report.unchecked += "unchecked" in sides
            if fault and held.id not in waiting:
                report.faults[held.id] = fault
                if "linked" in sides:
                    report.unserved.append(held.id)
        report.parked = {one.id: one.reason or "" for one in waiting.values() if one.is_parked}
        report.pending = len(waiting) - len(report.parked)
        if heal:
            images.request(self._database, report.to_fetch, priority=Priority.HEAL, cause="verification")
            report.healed = len(report.to_fetch)
            self._bucket.invalidate(report.unserved)
        return report

    def _look(self, held: Holding, objects: Objects, until: float) -> tuple[set[str], str]:
        """On which sides an image is as it has to be, and the first fault; nothing is asked that cannot be right."""
        size, thumbnail = objects.images.get(held.id), objects.thumbnails.get(held.id)
        if not held.wanted:
            leftovers = {"row": held.stored, "link": held.image_url, "object": size or thumbnail}
            left = ", ".join(name for name, value in leftovers.items() if value)
            return set(), f"gone in Zoho, but here is still its {left}" if left else ""
        if held.stored is None or not held.is_stored:
            return set(), "not stored" if held.stored is None else "another image in Zoho"
        if (size, thumbnail) != (held.stored.bytes, held.stored.thumbnail_bytes):
            return set(), "not in the bucket as it was stored"
        if not held.is_settled:
            return {"stored"}, "not linked"
        sides = {"stored", "linked"}
        if self._clock() > until:
            return sides | {"unchecked"}, ""
        fault = self._ask(held.image_url or "", held.stored.bytes)
        return (sides, fault) if fault else (sides | {"reachable"}, "")

    def _ask(self, path: str, size: int) -> str:
        """What is wrong with the answer of the public address; "" for nothing."""
        received = 0
        try:
            with self._http.stream("GET", self._base_url + path) as answer:
                if answer.status_code != httpx.codes.OK:
                    return f"HTTP {answer.status_code} at its address"
                if answer.headers.get("content-type") != _JPEG:
                    return "no JPEG at its address"
                for chunk in answer.iter_bytes():
                    received += len(chunk)
        except httpx.HTTPError as exc:
            return f"no answer at its address: {type(exc).__name__}"
        return "" if received == size else "another size at its address"
