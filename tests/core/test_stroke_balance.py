from __future__ import annotations

import numpy as np
import pytest

from semidavil_core.adaptation.stroke_balance import proportionality

AREA = np.array([0.6, 0.3, 0.08, 0.02])


def test_dense_labels_are_in_proportion_and_equal_strokes_are_not() -> None:
    assert proportionality(10_000 * AREA, AREA) == pytest.approx(1)
    assert proportionality(np.full(4, 300.0), AREA) == pytest.approx(0)


def test_strokes_in_between_are_in_between_whatever_their_number() -> None:
    some = proportionality(AREA**0.4, AREA)
    assert some == pytest.approx(0.4)
    assert proportionality(5000 * AREA**0.4, 20 * AREA) == pytest.approx(some)


def test_it_stays_within_0_and_1() -> None:
    assert proportionality(1 / AREA, AREA) == 0
    assert proportionality(AREA**3, AREA) == 1


def test_classes_without_strokes_do_not_count() -> None:
    painted = np.array([600.0, 300.0, 80.0, 0.0])
    assert proportionality(painted, AREA) == pytest.approx(1)


def test_a_class_that_the_model_does_not_see_at_all_is_taken_for_rare() -> None:
    assert 0 <= proportionality(np.full(3, 100.0), np.array([0.7, 0.3, 0.0])) <= 1


@pytest.mark.parametrize(
    ("painted", "covered"),
    [
        ([50.0, 0.0], [0.5, 0.5]),
        ([0.0, 0.0], [0.5, 0.5]),
        ([50.0, 90.0], [0.5, 0.5]),
        ([9.0, 9.0], [0.0, 0.0]),
    ],
    ids=["one class", "no stroke", "classes that cover alike", "nothing seen"],
)
def test_where_nothing_can_be_told_nothing_is_put_right(painted: list[float], covered: list[float]) -> None:
    assert proportionality(np.array(painted), np.array(covered)) == 1
