"""Whatever no source is sure of, the mirror becomes Zoho's equal either way: each quirk of the simulator, switched."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from cli.local.zoho_simulator import Limits, Options, Simulator
from cli.local.zoho_simulator.options import Quirks
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY
from tests.integration.test_road import Business

# what a quirk that is no yes or no can be besides; one that is missing here fails at once
OTHERWISE: dict[str, tuple[Any, ...]] = {
    "missing_record_status": (400, 200),
    "inventory_per_day": (500_000,),
    "day_limit_status": (400,),
    "missing_organization_code": (4029,),
    "itemdetails_maximum": (3,),
    "deletion_body": ("id", "empty"),
}
COUNTS = dict.fromkeys(REGISTRY, 5) | {"products": 8}


def switched() -> list[Any]:
    """Each quirk with each value that it does not have of itself."""
    return [
        pytest.param(name, value, id=f"{name}={value}")
        for name, usual in asdict(Quirks()).items()
        for value in ((not usual,) if isinstance(usual, bool) else OTHERWISE[name])
    ]


@pytest.fixture
def open_business(connect: Callable[[], Database]) -> Iterator[Callable[[Quirks], Business]]:
    """Opens the one organisation of a test."""
    opened: list[tuple[Simulator, Business]] = []

    def open_one(quirks: Quirks) -> Business:
        limits = Limits(per_minute=None, in_flight=None, per_day=1_000_000)
        simulator = Simulator(Options(limits=limits, quirks=quirks, counts=COUNTS))
        simulator.start()
        opened.append((simulator, Business(connect, simulator)))
        return opened[0][1]

    yield open_one
    for simulator, business in opened:
        business.close()
        simulator.stop()


@pytest.mark.parametrize(("name", "value"), switched())
def test_the_mirror_becomes_zoho_whichever_way_zoho_is(
    open_business: Callable[[Quirks], Business], name: str, value: Any
) -> None:
    business = open_business(Quirks(**{name: value}))
    business.settle()
    business.assert_equal()
    business.act(12, per_second=100, seed=3, mix={"create": 20, "edit": 40, "pay": 20, "delete": 20})
    business.settle()
    business.verify()
    business.assert_equal()
    assert business.queues.unrouted == []
