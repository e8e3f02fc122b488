"""Following work: it ends when the work ends, and idle work is woken, but not for ever in haste."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from cli.follow import Follower, FollowTimeout
from cli.progress import Snapshot
from tests.unit.cli.status_figures import entity, requests, run, scan, status


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Functions:
    """A console over functions that only work when woken: a walk takes one look, a drain does ten documents."""

    def __init__(self, clock: Clock, *, documents: int = 0, walk: bool = False, parked: int = 0, stuck: bool = False):
        self.clock = clock
        self.left, self.parked, self.total = documents, parked, documents + parked
        self.walk, self.stuck = walk, stuck
        self.wakes: list[tuple[float, list[str]]] = []

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "wake":
            self.wakes.append((self.clock.now, arguments["modes"]))
            if not self.stuck:
                self.walk = self.walk and "walk" not in arguments["modes"]
                self.left -= min(self.left, 10) if "drain" in arguments["modes"] else 0
            return {}
        assert command == "status"
        pending = self.left + self.parked
        return status(
            entities={"invoices": entity(erp=self.total, pending=pending)},
            backlog={"invoices": requests(pending, parked=self.parked)} if pending else {},
            scans={"invoices": scan(asked=True) if self.walk else scan(walked=self.total)},
        )


def unseen(_: Snapshot) -> None:
    """Nobody looks."""


def follow(
    functions: Functions, *, timeout_s: float = 1_000, show: Callable[[Snapshot], None] | None = None
) -> Snapshot:
    follower = Follower(functions.ask, timeout_s=timeout_s, clock=functions.clock, sleep=functions.clock.sleep)
    return follower.until_over(show or unseen)


def test_work_without_schedules_is_woken_until_nothing_is_left() -> None:
    functions = Functions(Clock(), documents=35, walk=True)
    assert follow(functions).is_complete
    assert functions.wakes[0][1] == ["walk", "drain"]
    assert len(functions.wakes) == 4, "ten documents a wake"


def test_every_look_is_shown_also_the_last() -> None:
    shown: list[Snapshot] = []
    follow(Functions(Clock(), documents=15), show=shown.append)
    assert [part.details[0].open for part in shown] == [15, 15, 5, 0]


def test_parked_documents_are_not_waited_for() -> None:
    result = follow(Functions(Clock(), documents=5, parked=2))
    assert not result.is_complete
    assert result.parked == {"invoices": 2}


def test_nothing_is_woken_that_somebody_works_on() -> None:
    clock = Clock()
    functions = Functions(clock, documents=10)

    def ask(command: str, arguments: Mapping[str, Any]) -> Any:
        if clock.now > 20:
            functions.left = 0
        return functions.ask(command, arguments) | ({"working": ["drain"]} if command == "status" else {})

    Follower(ask, clock=clock, sleep=clock.sleep).until_over(unseen)
    assert functions.wakes == []


def test_work_that_waking_does_not_move_is_woken_ever_more_rarely() -> None:
    functions = Functions(Clock(), documents=10, stuck=True)
    with pytest.raises(FollowTimeout, match="not done within 300 s; it goes on by itself; left: 10 of invoices"):
        follow(functions, timeout_s=300)
    times = [at for at, _ in functions.wakes]
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) <= 31
    assert len(times) < 16


class Polls:
    """A console whose polls are given by what each look shows."""

    def __init__(self, *looks: dict[str, Any]) -> None:
        self.looks = list(looks)
        self.asked = 0

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "poll":
            self.asked += 1
            return {}
        return status(**(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]))


def poll(polls: Polls) -> tuple[int, str | None]:
    clock = Clock()
    found = Follower(polls.ask, timeout_s=60, clock=clock, sleep=clock.sleep).poll()
    return found.zoho_calls, found.error


OLD, NEW = run("poll", started=1), run("poll", started=9, calls=12)


def test_a_poll_is_over_when_a_new_run_has_ended() -> None:
    running = run("poll", started=9, ended=False)
    polls = Polls({"runs": [OLD]}, {"runs": [running, OLD], "working": ["poll"]}, {"runs": [NEW, OLD]})
    assert poll(polls) == (12, None)
    assert polls.asked == 1


def test_an_old_run_is_not_taken_for_the_new_one() -> None:
    polls = Polls({"runs": [OLD]})
    with pytest.raises(FollowTimeout):
        poll(polls)


def test_a_schedules_round_at_work_is_waited_for_and_another_asked_for() -> None:
    scheduled = {"runs": [OLD], "working": ["poll"]}
    polls = Polls(*[scheduled] * 9, {"runs": [OLD]}, {"runs": [NEW, OLD]})
    assert poll(polls) == (12, None)
    assert polls.asked == 2


def test_a_failed_poll_tells_why() -> None:
    failed = run("poll", started=9, error="ZohoUnavailable: HTTP 502")
    assert poll(Polls({"runs": []}, {"runs": [failed]})) == (7, "ZohoUnavailable: HTTP 502")


def test_a_poll_that_was_killed_is_no_success() -> None:
    _, error = poll(Polls({"runs": []}, {"runs": [run("poll", started=9, ended=False)]}))
    assert error is not None
