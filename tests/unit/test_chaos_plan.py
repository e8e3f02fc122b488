"""A storm's plan: its seed repeats it, and all that it names exists."""

from random import Random

import pytest

from cli.local.zoho_simulator.entities import SPECS
from cli.local.zoho_simulator.faults import Faults
from cli.local.zoho_simulator.paths import hint
from tests.chaos.plan import DEEDS, DOWN, draw


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert draw(7, seconds=180) == draw(7, seconds=180)
    assert draw(7, seconds=180) != draw(8, seconds=180)


def test_a_plan_has_its_steps_in_order_and_within_its_time() -> None:
    times = [step.at_s for step in draw(3, seconds=60)]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] < 60


def test_seeds_reach_every_deed_and_a_plan_keeps_to_those_that_it_is_given() -> None:
    assert {step.deed for seed in range(20) for step in draw(seed, seconds=180)} == set(DEEDS)
    assert {step.deed for step in draw(1, seconds=600, deeds=("work", "fault"))} == {"work", "fault"}


@pytest.mark.parametrize("seed", range(10))
def test_every_fault_is_one_that_can_concern_a_call(seed: int) -> None:
    faults = [step.detail for step in draw(seed, seconds=180) if step.deed == "fault"]
    for fault in (*faults, DOWN):
        assert hint(Faults(Random(0)).add(fault), SPECS) == "", fault
