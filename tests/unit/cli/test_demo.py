"""The demo's verdict: it is good only if nothing at all is wrong."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli.demo import Result, report
from cli.reckoning import accounts
from tds_core.entities import REGISTRY
from tests.unit.cli.status_figures import entity, webhooks

TRUTH = {name: {"count": 3, "totals": {"USD": {"total": "1.50"}}} for name in REGISTRY}
FIGURES = {name: entity(erp=3, totals={"USD": {"total": "1.5"}}) for name in REGISTRY}
GOOD = Result(
    accounts=accounts(TRUTH, FIGURES),
    least_calls=2_632,
    history_calls=2_640,
    zoho={"total_calls": 3_000, "refused": {"44": 0}, "mints": 1},
    deliveries={"accepted": 340, "duplicated": 31, "reordered": 44},
    first=webhooks(20, applied={"count": 20, "waiting": 0, "seconds": {"p50": 4.0, "max": 9.0}}),
    latency=webhooks(
        340,
        applied={"count": 331, "waiting": 0, "seconds": {"p50": 0.2, "p90": 0.8, "p99": 2.5, "max": 3.0}},
        fetched={"count": 9, "waiting": 0, "seconds": {"p50": 1.5, "p90": 2.0, "p99": 6.25, "max": 7.0}},
    ),
    parked={},
    dead_letters={},
    images={"ok": True, "expected": 1_621, "stored": 1_621, "reachable": 1_621},
    image_url="http://127.0.0.1:1/product-images/7.jpg",
    spoiled=21,
    verification={
        "ok": True,
        "entities": {"bills": {"healed": 20}, "users": {"healed": 1}},
        "zoho_calls": 60,
        "seconds": 3,
    },
)


def seen(result: Result) -> str:
    screen = StringIO()
    console = Console(width=200, file=screen)
    for part in report(result, set_up_s=41.0, run_s=92.4):
        console.print(part, highlight=False)
    return screen.getvalue()


def test_equal_sides_have_no_faults_and_all_figures_are_told() -> None:
    assert GOOD.faults == []
    text = seen(GOOD)
    for told in (
        "2,640",
        "2,632",
        "p99 2.50 s",
        "340 webhooks",
        "9 fetched (p50 1.50 s, p90 2.00 s, p99 6.25 s, max 7.00 s)",
        "20 webhooks; 20 applied at once (p50 4.00 s",
        "set-up 41 s, run 92 s",
        "30 min",
        "equal: every",
        "21 records were spoiled, 21 found and healed",
    ):
        assert told in text


@pytest.mark.parametrize(
    "change",
    [
        {"spoiled": 22},
        {"verification": {**GOOD.verification, "ok": False}},
        {"accounts": accounts(TRUTH, FIGURES | {"vendors": entity(erp=2)})},
        {"accounts": accounts(TRUTH, FIGURES | {"vendors": entity(erp=3, totals={"USD": {"total": "1.51"}})})},
        {"accounts": accounts(TRUTH, FIGURES | {"vendors": FIGURES["vendors"] | {"details_pending": 1}})},
        {"parked": {"vendors": 1}},
        {"dead_letters": {"VendorsDeadLetter": 1}},
        {"deliveries": {"accepted": 339, "failed": 1}},
        {"deliveries": {"accepted": 339, "refused": 1}},
    ],
    ids=[
        "a spoiled record",
        "a verification",
        "a row",
        "a cent",
        "a pending detail",
        "a parked row",
        "a dead letter",
        "an unanswered webhook",
        "a refused one",
    ],
)
def test_any_fault_fails_the_demo_and_is_named(change: dict[str, Any]) -> None:
    result = replace(GOOD, **change)
    assert len(result.faults) == 1
    assert f"not equal: {result.faults[0]}" in seen(result)
