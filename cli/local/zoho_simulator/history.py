"""When things happened before the simulation began: business days, busy hours, several in one second."""

from __future__ import annotations

from random import Random

from cli.local.zoho_simulator.clock import DAY_S

FRIDAY = 4
OPEN_S, BUSY_S = 9 * 3600, 8 * 3600


def instants(random: Random, count: int, *, end: int, days: int) -> list[int]:
    """`count` instants in order over the `days` before `end`, which is a midnight; about 3 % share a second."""
    result: list[int] = []
    for index in range(count):
        back = days - int(index * days / max(count, 1))
        day = end - back * DAY_S
        if weekday(day) == FRIDAY:
            day -= DAY_S
        result.append(day + OPEN_S + int(random.random() * BUSY_S))
    result.sort()
    for index in range(1, count):
        if random.random() < 0.03:
            result[index] = result[index - 1]
    return result


def weekday(epoch: int) -> int:
    """0 is Monday, in the organisation's calendar."""
    return ((epoch + 3 * 3600) // DAY_S + 3) % 7


def later(random: Random, instant: int, *, end: int, share: float) -> int:
    """The same instant, or for a `share` of the records a later one before `end`."""
    if random.random() >= share:
        return instant
    return min(instant + int(random.random() ** 2 * 60 * DAY_S) + 1, end - 1)
