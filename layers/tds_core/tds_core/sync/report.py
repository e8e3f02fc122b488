"""The report of a verification: one plain document that says what both sides held, what differed and what became of it.

Counts and differences are as they were found; `healed` and `remaining` say how it stands afterwards.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tds_core.database import census, reckoning, runs
from tds_core.database.connection import Database
from tds_core.database.runs import Cursor
from tds_core.database.verifications import Verification
from tds_core.entities import entity, scans
from tds_core.entities.spec import EntitySpec
from tds_core.settings import Settings
from tds_core.sync import aging, image_proof
from tds_core.sync.cadence import Cadence
from tds_core.zoho import status

_STALE = 2


def make(settings: Settings, database: Database, run: Verification) -> dict[str, Any]:
    """Read it all; `ok` only if nothing is missing, extra, mismatched, pending or unhealed and every list was read.

    That holds of images, too; and the sums of what neither differed nor was in motion must be equal, and told.
    """
    day = status.day(settings, database)
    cadence = Cadence.of(settings, day_limit=day.limit, zone=day.zone)
    cursors = runs.cursors(database, scans())
    now = next(iter(cursors.values())).now
    failed: Mapping[str, str] = run.place.get("failed", {})
    tally = run.place.get("tally", {"children": {}, "orphans": {}})
    entities = {}
    for name in run.entities:
        spec = entity(name)
        entities[name] = _entity(database, run, spec, tally) | {
            "freshness": _freshness(spec, cursors[spec.scan_name], cadence),
            "error": failed.get(spec.scan_name),
        }
    images = image_proof.part(run)
    faults = ("remaining", "details_pending", "error", "unexplained", "untold")
    is_ok = not any(part[fault] for part in entities.values() for fault in faults)
    alarming = [name for name, part in entities.items() if part["mismatch_ratio"] > settings.drift_alarm_ratio]
    return {
        "ok": is_ok and (images is None or images["ok"]),
        "run_id": run.run_id,
        "cause": run.cause,
        "heal": run.heal,
        "entities": entities,
        "images": images,
        "above_alarm_ratio": alarming,
        "remaining": reckoning.remaining(database, run.run_id),
        "stock_differences": reckoning.largest_stock_differences(
            database, run.run_id, units=settings.stock_alarm_units
        ),
        "oldest_documents": aging.cycle(
            database, calls_a_day=aging.calls_a_day(settings, day.limit), nights=cadence.row.nights
        ),
        "zoho_calls": run.zoho_calls + run.place.get("requested_calls", 0) + (images or {}).get("healed", 0),
        "started_at": run.started_at.isoformat(),
        "seconds": round((now - run.started_at).total_seconds(), 1),
    }


def _entity(database: Database, run: Verification, spec: EntitySpec, tally: Mapping[str, Any]) -> dict[str, Any]:
    counts = reckoning.counts(database, run.run_id, spec)
    found = reckoning.drift(database, run.run_id, spec)
    figures = census.entity_figures(database, spec)
    differing = found.pop("differing")
    quiet = reckoning.totals(database, run.run_id, spec, quiet=True)
    return {
        **counts,
        **found,
        "mismatch_ratio": round(differing / max(counts["zoho"] + found["extra"], counts["erp"], 1), 6),
        "details_pending": figures["details_pending"],
        "nulls": figures["nulls"],
        "totals": reckoning.totals(database, run.run_id, spec),
        "unexplained": [one for one in quiet if Decimal(one["zoho"]) != Decimal(one["erp"])],
        "untold": reckoning.untold(database, run.run_id, spec),
        "children": {table.table: tally["children"].get(table.table) for table in spec.children},
        "unreadable": tally.get("unreadable", {}).get(spec.name, {}),
        "orphans": tally["orphans"].get(spec.name, {"count": 0, "samples": []}),
    }


def _freshness(spec: EntitySpec, cursor: Cursor, cadence: Cadence) -> dict[str, Any]:
    """How long ago the list was last polled to its end, against the promise; stale is twice what is due now."""
    age_s = (cursor.now - cursor.polled_at).total_seconds() if cursor.polled_at else None
    due_s = max(spec.freshness.total_seconds(), cadence.wait(spec.cadence, cursor.now).total_seconds())
    return {
        "promised_s": int(spec.freshness.total_seconds()),
        "age_s": None if age_s is None else round(age_s),
        "is_stale": age_s is None or age_s > _STALE * due_s,
    }
