from __future__ import annotations

import pytest

from semidavil_core.adaptation.schedule import BudgetClock, annealed, rate_factor
from semidavil_core.settings import Budget


def test_rates_warm_up_linearly_and_then_fall_as_half_a_cosine() -> None:
    assert rate_factor(0, 0.0) == pytest.approx(0.1)
    assert rate_factor(4, 0.0) == pytest.approx(0.5)
    assert rate_factor(9, 0.0) == pytest.approx(1.0)
    assert rate_factor(500, 0.5) == pytest.approx(0.525)
    assert rate_factor(500, 1.0) == pytest.approx(0.05)


def test_a_fraction_beyond_the_budget_changes_nothing_more() -> None:
    assert rate_factor(500, 1.7) == rate_factor(500, 1.0)
    assert rate_factor(500, -0.2) == rate_factor(500, 0.0)


def test_what_fades_is_whole_at_the_start_and_gone_after_three_rounds() -> None:
    assert [annealed(r, 0.0) for r in range(5)] == pytest.approx([1, 2 / 3, 1 / 3, 0, 0])
    assert annealed(0, 0.5) == pytest.approx(5 / 6)


class FakeTime:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def test_a_budget_of_seconds_is_used_up_by_seconds_without_pauses(time: FakeTime) -> None:
    clock = BudgetClock(Budget(seconds=10), time)
    time.now += 4
    assert clock.fraction == pytest.approx(0.4)
    time.now += 5
    clock.skip(5)
    assert clock.seconds == pytest.approx(4)
    time.now += 20
    assert clock.fraction == 1


def test_a_budget_of_steps_is_used_up_by_steps_alone(time: FakeTime) -> None:
    clock = BudgetClock(Budget(seconds=1, steps=8), time)
    time.now += 50
    clock.steps = 2
    assert clock.fraction == 0.25
    assert clock.expected_steps == 8


def test_expected_steps_follow_the_speed_so_far(time: FakeTime) -> None:
    clock = BudgetClock(Budget(seconds=30), time)
    assert clock.expected_steps == 200
    time.now += 2
    clock.steps = 4
    assert clock.expected_steps == pytest.approx(60)
