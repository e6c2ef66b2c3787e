"""How the soak tells a heap that was extended once from one that grows."""

import pytest
from benchmarks.reliability.soak.__main__ import slope, without_largest_step
from benchmarks.reliability.soak.watch import Sample

ROUNDS = range(50, 1050, 50)
SAMPLES = [Sample(requests, 0.1, {}, 0.0) for requests in ROUNDS]


def grows(memory):
    return slope(SAMPLES, without_largest_step(memory))


def test_one_step_is_no_growth():
    assert grows([300.0] * 15 + [368.0] * 5) == pytest.approx(0)


def test_a_leak_stays_one():
    assert grows([100 + 0.1 * requests for requests in ROUNDS]) > 8


def test_a_leak_in_steps_stays_one():
    assert grows([100 + 64.0 * (requests // 250) for requests in ROUNDS]) > 15


def test_what_shrinks_is_left_alone():
    memory = [float(value) for value in range(20, 0, -1)]
    assert without_largest_step(memory) == memory
