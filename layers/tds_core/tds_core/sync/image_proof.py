"""The images' part of a verification: compared, healed, and compared again once what was healed has come."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Protocol

from tds_core.database import announcements, images, verifications
from tds_core.database.connection import Database
from tds_core.database.verifications import Verification
from tds_core.entities import entity
from tds_core.errors import DatabaseUnavailable, TdsError
from tds_core.sync.confirm import Waker
from tds_core.sync.image_check import ImageReport

_CHECK_S = 60.0
# what is not healed, or cannot be looked at, for so long is told as it is
_PATIENCE = timedelta(hours=1)
_SHOWN = 20
_SIDES = ("expected", "stored", "linked", "reachable")
_NOTHING: Mapping[str, Any] = dict.fromkeys((*_SIDES, "pending", "healed", "remaining"), 0) | {
    "faults": {},
    "error": None,
}


class Check(Protocol):
    """Holds the images' four sides against each other."""

    def run(self, *, heal: bool, for_s: float) -> ImageReport:
        """Compare, for so many seconds at most, and mend what is wrong if `heal`."""


class ImageProof:
    """A step of verification; its place in the run is what was found, and the ids that are being healed."""

    def __init__(self, database: Database, *, check: Check, waker: Waker) -> None:
        self._database = database
        self._check = check
        self._waker = waker

    def step(self, run: Verification, *, for_s: float) -> Verification | None:
        """Compare, or wait for what is being healed, and leave the phase when all is known; None while it waits.

        Raises what the comparison raises, for an hour; then the run goes on with the error in its report.
        """
        found: Mapping[str, Any] = run.place.get("images", {})
        if not _has_images(run) or "error" in found:
            return self._move(run, found, is_over=True)
        is_late = announcements.now(self._database) - run.phase_at > _PATIENCE
        if self._on_their_way(found) and not is_late:
            self._waker.wake()
            return None
        for_s = min(for_s, _CHECK_S)
        try:
            report = self._check.run(heal=run.heal and not found, for_s=for_s)
        except TdsError as exc:
            if isinstance(exc, DatabaseUnavailable) or not is_late:
                raise
            return self._move(run, {**found, "error": f"{exc.reason}: {exc}"}, is_over=True)
        if report.unchecked and for_s < _CHECK_S and not is_late:
            return None  # the next tick has more time
        told = _told(report, found, self._on_their_way(found))
        return self._move(run, told, is_over=bool(found) or not told["healing"])

    def _on_their_way(self, found: Mapping[str, Any]) -> set[str]:
        """What is being healed and has not come yet."""
        healing = set(found.get("healing", ()))
        waiting = images.waiting(self._database).values() if healing else ()
        return healing & {one.id for one in waiting if not one.is_parked}

    def _move(self, run: Verification, found: Mapping[str, Any], *, is_over: bool) -> Verification | None:
        place = {**run.place, "images": found} if found else run.place
        with self._database.transaction() as connection:
            return verifications.move(connection, run, place=place, phase="report" if is_over else None)


def part(run: Verification) -> dict[str, Any] | None:
    """What the report says of images, {"ok", "expected", "stored", "reachable", ...}; None where none was compared.

    The counts are those of the first look; `remaining` and `faults` are as of the last one.
    """
    found = run.place.get("images")
    if not found:
        return None
    told = {**_NOTHING} | {name: value for name, value in found.items() if name != "healing"}
    return {"ok": not (told["error"] or told["remaining"] or told["pending"])} | told


def _told(report: ImageReport, before: Mapping[str, Any], late: Collection[str]) -> dict[str, Any]:
    wrong = report.faults | report.parked
    healing = before.get("healing", report.to_fetch if report.healed else [])
    return {
        **{name: before.get(name, getattr(report, name)) for name in _SIDES},
        "pending": report.pending,
        "healed": len(set(healing) - wrong.keys() - set(late)) if before else 0,
        "remaining": len(wrong) + report.unchecked,
        "faults": dict(sorted(wrong.items())[:_SHOWN]),
        "healing": healing,
    }


def _has_images(run: Verification) -> bool:
    return any("image_document_id" in entity(name).model.model_fields for name in run.entities)
