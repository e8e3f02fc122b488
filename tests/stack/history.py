"""A whole history that is broken off in its middle, and what it costs in the end."""

import time

from cli.reckoning import least_calls
from tds_core.entities import REGISTRY
from tests.stack.comparison import assert_equal, is_answering
from tests.stack.running import Stack, wait_for

IN_FLIGHT = 10
UNDER_WAY = 4 * IN_FLIGHT + 12  # two leases of ids, and a page of each list


def begin(stack: Stack) -> None:
    """Ask for everything, of a Zoho slow enough that there is a middle."""
    stack.zoho("POST", "/stats/reset")
    stack.zoho("PUT", "/limits", {"latency_s": 0.3})
    stack.deployment.ask("backfill", {"entities": []})


def until_fetched(stack: Stack, documents: int) -> None:
    """Wait for so many documents, waking the functions as their schedules do."""

    def is_there() -> bool:
        stack.tick()
        time.sleep(0.5)
        return fetched(stack) >= documents

    wait_for(is_there, "the history does not go on", timeout_s=60)


def fetched(stack: Stack) -> int:
    """Documents that arrived so far."""
    return (
        sum(len([one for one in stack.stored(name).values() if one]) for name in REGISTRY) if is_answering(stack) else 0
    )


def run_out(stack: Stack) -> None:
    """Let the time pass after which what a killed worker held is anybody's: leases and calls in flight."""
    stack.query("UPDATE tds.leases SET until = now()")
    stack.query("UPDATE tds.backlog SET leased_until = now() WHERE leased_until IS NOT NULL")
    stack.query("UPDATE tds.api_slots SET held_until = now()")


def end(stack: Stack, *, kills: int) -> str:
    """Nobody asks again, and it goes on to its end: everything is equal, and nothing was fetched twice but what was
    under way at each kill. Returns the calls that it cost, for people.
    """
    until_fetched(stack, fetched(stack) + 1)
    stack.zoho("PUT", "/limits", {"latency_s": 0})
    assert stack.follower.until_over(lambda _: None).is_complete
    stack.take("FailedRunsQueue")
    stats = stack.zoho("GET", "/stats")
    images = stack.deployment.ask("status", {})["images"]["expected"]
    least = least_calls({name: len(stack.documents(name)) for name in REGISTRY}) + images
    assert stats["total_calls"] <= least + kills * UNDER_WAY, stats
    assert_equal(stack)
    return f"{stats['total_calls']} calls, {least} are the least without a kill"
