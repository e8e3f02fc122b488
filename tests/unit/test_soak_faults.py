"""What a soak fails on: every figure that it exists to show, and one that was not measured."""

from typing import Any

import pytest

from tests.chaos.soak import faults

GOOD: dict[str, Any] = {
    "runs": {"all": 100, "without_failure": 90, "rate": 0.9},
    "webhooks": {"count": 700, "applied": {"count": 690, "waiting": 0, "seconds": {"p50": 0.3, "p99": 29.9}}},
    "memory_mb": {
        "Backfill/1": [80.0, None, None, None],
        "Backfill/2": [None, 80.0, 90.0, 120.0],
        "Backfill/3": [None, None, None, 300.0],
        "Console/4": [60.0, 60.0, 60.0, 60.0],
        "Gate/5": [None, None, None, 50.0],
    },
    "connections_most": 50,
    "locks_waited_longest_s": 4.9,
    "largest_tables": [
        {"table": "tds.backlog", "live": 10, "dead": 1_000},
        {"table": "tds.change_log", "live": 4_000, "dead": 2_000},
    ],
}


def test_what_keeps_every_bound_has_no_fault() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"runs": {"all": 100, "without_failure": 89, "rate": 0.89}}, "89 of 100 runs", id="failed runs"),
        pytest.param({"runs": {"all": 0, "without_failure": 0, "rate": 0.0}}, "0 of 0 runs", id="no run"),
        pytest.param({"webhooks": {"applied": {"seconds": {"p99": 30.0}}}}, "webhooks took 30.0 s", id="late webhooks"),
        pytest.param({"webhooks": {"applied": {"seconds": {}}}}, "webhooks took None", id="no webhook"),
        pytest.param({"locks_waited_longest_s": 5.0}, "a lock was waited for 5.0 s", id="a lock"),
        pytest.param({"connections_most": 51}, "51 connections", id="connections"),
        pytest.param({"memory_mb": {"Backfill/1": [80.0, 90.0, 120.1]}}, "from 80.0 to 120.1 MB", id="a leak"),
        pytest.param(
            {
                "memory_mb": {
                    "Backfill/1": [80.0, 80.0, None],
                    "Backfill/2": [None, 80.0, 80.0],
                    "Console/4": [60.0, 60.0, 60.0],
                }
            },
            "Backfill: no process lived through 2 days",
            id="every process replaced",
        ),
        pytest.param({"memory_mb": {}}, "no process was measured", id="no process"),
        pytest.param(
            {"largest_tables": [{"table": "tds.backlog", "live": 10, "dead": 1_001}]}, "1001 dead rows", id="dead rows"
        ),
    ],
)
def test_any_bound_that_is_missed_is_a_fault_and_named(change: dict[str, Any], told: str) -> None:
    [fault] = faults(GOOD | change)
    assert told in fault
