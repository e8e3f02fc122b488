"""tds verify on the deployed stack: what was spoiled in PostgreSQL is found, then healed, and the exit codes say so."""

from cli.spoil import spoil
from tds_core.entities import REGISTRY
from tests.stack.comparison import verify
from tests.stack.running import Stack

_HEALED = "SELECT count(DISTINCT (entity, id)) FROM tds.drift WHERE healed_at IS NOT NULL AND run_id > %s"


def test_spoiled_records_are_found_and_healed(stack: Stack) -> None:
    stack.backfill()
    stack.follower.until_over(lambda _: None, entities=(*REGISTRY, "product_images"))
    spoiled = spoil(stack.state.database_dsn, each=1)
    assert spoiled >= 5
    looked = verify(stack, heal=False)
    images = looked["images"]
    assert images["ok"] is True and images["expected"] == images["stored"] == images["reachable"] > 0
    found = looked["entities"].values()
    assert sum(part["remaining"] for part in found) == spoiled
    healed = verify(stack, heal=True)
    assert healed["ok"] is True, healed
    # in the hours of the night its own run may have begun in between and healed them first
    assert stack.query(_HEALED, [looked["run_id"]]) == [(spoiled,)]
    assert verify(stack, heal=False)["ok"] is True
