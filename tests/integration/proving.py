"""Spoil a mirror, have it verified, and read what was found."""

import json
from collections.abc import Callable
from typing import Any

from tds_core.database import reckoning, verifications
from tds_core.entities import REGISTRY
from tests.integration.road import Json, Road, Zoho, document, row

Report = dict[str, Any]


def fill(road: Road, zoho: Zoho, entity: str, *ids: int, **changes: Any) -> None:
    """Let these records exist at Zoho, in its list and in the mirror, and nothing be in motion."""
    zoho.put(entity, *(document(entity, str(one), **changes) for one in ids))
    relist(zoho, entity)
    road.request(entity, *map(str, ids))
    road.work()
    road.database.execute("DELETE FROM tds.backlog")


def relist(zoho: Zoho, entity: str) -> None:
    """Let the list show what the documents say."""
    path = next(path for path in zoho.documents if path.endswith(REGISTRY[entity].path))
    zoho.listing(entity, [listed(entity, one) for one in zoho.documents[path].values()])


def listed(entity: str, whole: Json) -> Json:
    keys = row(entity, "1").keys()
    return {name: value for name, value in whole.items() if name in keys}


def verify(road: Road, *entities: str, heal: bool = True, drains: bool = True) -> Report:
    """A whole run, with the drain at work beside it."""
    names = entities or tuple(REGISTRY)
    number = verifications.request(road.database, names, cause="manual", heal=heal)
    return finish(road, number, between=lambda _: drain(road) if drains else None)


def drain(road: Road) -> None:
    """Fetch all that waits, as if its time had come."""
    road.hurry()
    road.work()


def finish(road: Road, number: int, *, between: Callable[[Report], object]) -> Report:
    """Go on with a run to its end; `between` is what happens after each of its steps, given how it stands."""
    for _ in range(30):
        road.verify.run(lambda: 30.0)
        shown = verifications.read(road.database, number)
        assert shown is not None
        if shown["ended_at"]:
            report: Report = json.loads(json.dumps(shown["report"], default=str))
            return report
        between(shown)
    raise AssertionError(f"the run did not end: {shown}")


def spoil(road: Road, statement: str, *parameters: Any) -> None:
    """Corrupt the mirror."""
    road.database.execute(statement, parameters)


def found(report: Report, entity: str) -> dict[str, int]:
    return {
        name: n
        for name in ("missing", "extra", "mismatched", "healed", "remaining")
        if (n := report["entities"][entity][name])
    }


def kinds(road: Road, report: Report) -> list[tuple[str, str, str, str]]:
    rows = reckoning.differences(road.database, report["run_id"])
    return [(one["id"], one["kind"], one["field"], one["status"]) for one in rows]


def age(road: Road, *entities: str, ago: str = "1 day") -> None:
    """Let what the mirror saw of them lie back, as of a quiet record."""
    for name in entities:
        seen = ", ".join(f"{column} = {column} - %(ago)s::interval" for column in ("observed_at", "detail_observed_at"))
        road.database.execute(f"UPDATE erp.{REGISTRY[name].table} SET {seen}", {"ago": ago})
