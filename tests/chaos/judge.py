"""How a run is judged: the mirror is Zoho's equal, nothing is dead, and Zoho's limits were kept."""

from typing import Any

from cli.local.stack import Wish
from tds_core.zoho.retry import MINT_LIMIT
from tests.stack.comparison import (
    assert_equal,
    assert_limits_were_kept,
    assert_nothing_is_dead,
    empty,
    recover,
    verify,
)
from tests.stack.conftest import PARAMETERS
from tests.stack.running import Json, Stack

# the deployed defaults in proportion: 90 of Zoho's 100 calls a minute, 5 of its 10 in flight
PER_MINUTE, IN_FLIGHT = 1_200, 10
OWN = {"MinuteLimit": "1080", "InFlightLimit": "5"}


def wish(seed: int, **values: Any) -> Wish:
    """A small company with short waits, no schedules, and a day that never ends."""
    return Wish(
        seed=seed,
        minute_limit=PER_MINUTE,
        in_flight_limit=IN_FLIGHT,
        day_limit=100_000,
        schedules=False,
        fresh=True,
        parameters=PARAMETERS | OWN | values,
    )


def begin(stack: Stack) -> None:
    """The whole history, and everything counted anew."""
    empty(stack)
    assert stack.backfill().is_complete, "the history did not arrive whole"
    stack.zoho("POST", "/stats/reset")


def judge(stack: Stack, *, refusals: int = 0, minutes: float = 0) -> Json:
    """Let the stack recover, then hold it against Zoho; returns Zoho's counts.

    Everything is verified once more with healing, as every night does: a lie of Zoho's (an empty page, for one) and a
    deletion whose webhook was lost show then.
    `refusals` are those of faults that were ended before; a run of many `minutes` may mint in each ten of them.
    Raises AssertionError with what is wrong.
    """
    refusals += recover(stack)
    verify(stack, heal=True)
    stack.follower.until_over(lambda _: None)
    assert_equal(stack)
    assert_nothing_is_dead(stack)
    stats: Json = stack.zoho("GET", "/stats")
    mints = MINT_LIMIT * (1 + int(minutes // 10))
    assert_limits_were_kept(stats, refusals, per_minute=PER_MINUTE, in_flight=IN_FLIGHT, mints=mints)
    return stats
