"""What befalls a stack, drawn from a seed: the same seed gives the same plan, so that a run can be repeated."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

LISTS = (
    "/invoices",
    "/salesorders",
    "/contacts",
    "/customerpayments",
    "/creditnotes",
    "/bills",
    "/items",
    "/itemdetails",
)
SLOWEST_S = 6.0
DOWN_SHARE = 0.1
# kind, its fields, how often it is drawn
FAULTS: tuple[tuple[Mapping[str, Any], int], ...] = (
    ({"kind": "limit", "code": 44}, 1),
    ({"kind": "limit", "code": 1070}, 3),
    ({"kind": "server_error", "status": 500}, 3),
    ({"kind": "server_error", "status": 503}, 3),
    ({"kind": "html", "status": 200}, 2),
    ({"kind": "html", "status": 502}, 2),
    ({"kind": "truncated"}, 3),
    ({"kind": "reset"}, 3),
    ({"kind": "slow", "seconds": SLOWEST_S}, 1),
    ({"kind": "drip", "seconds": SLOWEST_S, "pieces": 12}, 1),
    ({"kind": "ignored_filter"}, 1),
    ({"kind": "lag", "seconds": 15}, 2),
    ({"kind": "empty_page"}, 1),
    ({"kind": "wrong_organisation"}, 1),
)
DOWN = {"kind": "server_error", "status": 503, "path": "", "times": 15}  # of all calls, until so many were refused
# what happens at a step, how often it is drawn
DEEDS = {"work": 6, "fault": 10, "token": 1, "functions": 2, "crash": 1, "outage": 1}
MIX = {"create": 25, "edit": 52, "pay": 20, "delete": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens, `at_s` seconds after the start."""

    at_s: float
    deed: str
    detail: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.at_s:6.1f} s  {self.deed:9} {' '.join(f'{name}={value}' for name, value in self.detail.items())}"


def draw(seed: int, *, seconds: float, deeds: Collection[str] = tuple(DEEDS)) -> list[Step]:
    """The plan of a run: people work from its start, everything else of these deeds begins at random."""
    return list(_steps(Random(seed), seconds, {name: DEEDS[name] for name in deeds}))


def _steps(random: Random, seconds: float, deeds: Mapping[str, int]) -> Iterator[Step]:
    yield Step(at_s=0, deed="work", detail=_detail(random, "work"))
    at_s = random.uniform(1, 4)
    while at_s < seconds:
        (deed,) = random.choices(list(deeds), weights=list(deeds.values()))
        yield Step(at_s=round(at_s, 1), deed=deed, detail=_detail(random, deed))
        at_s += random.uniform(2, 6)


def _detail(random: Random, deed: str) -> Mapping[str, Any]:
    if deed == "work":
        return {"events": random.randint(10, 40), "per_second": random.choice((4, 8)), "seed": random.randrange(10**6)}
    if deed == "fault":
        if random.random() < DOWN_SHARE:
            return DOWN
        (fault,) = random.choices([one for one, _ in FAULTS], weights=[weight for _, weight in FAULTS])
        path = random.choice(LISTS) + random.choice(("", "/*"))
        return {
            **fault,
            "path": path.removesuffix("/*") if "itemdetails" in path else path,
            "times": random.randint(1, 4),
        }
    if deed == "functions":
        return {"function": random.choice(("Backfill", "InvoicesProcessor", "ProductsProcessor", "CustomersProcessor"))}
    return {"seconds": random.randint(3, 10)} if deed == "outage" else {}
