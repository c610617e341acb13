from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.adaptation.calibration import ASSUMED, HIGHEST, LOWEST, Evidence, fitted_temperature


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(0))
    return np.asarray(weights / weights.sum(0))


def drawn(sharpened: float, count: int = 20_000, classes: int = 4) -> Evidence:
    """Labels drawn from some probabilities, by a model that states them `sharpened` times as sharp."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (classes, count))
    labels = (softmax(logits).cumsum(0) < rng.random(count)).sum(0)
    return Evidence(softmax(sharpened * logits).astype(np.float32), labels)


def strokes(whole: Evidence, count: int) -> list[Evidence]:
    """The pixels of `whole` as so many strokes."""
    parts = np.array_split(np.arange(whole.labels.size), count)
    return [Evidence(whole.probabilities[:, part], whole.labels[part]) for part in parts]


@pytest.mark.parametrize("sharpened", [0.7, 1.0, 2.0, 3.0])
def test_many_strokes_undo_what_made_a_model_too_sure_or_too_shy(sharpened: float) -> None:
    assert fitted_temperature(strokes(drawn(sharpened), 2000)) == pytest.approx(sharpened, rel=0.05)


def test_few_strokes_are_trusted_less_than_many() -> None:
    few, some, many = (fitted_temperature(strokes(drawn(3.0), n)) for n in (2, 20, 200))
    assert ASSUMED < few < some < many < 3.1
    assert some == pytest.approx((3.0 * ASSUMED) ** 0.5, rel=0.05)  # twenty strokes against as many assumed


def test_a_model_that_is_never_wrong_or_always_wrong_stays_within_bounds() -> None:
    sure = Evidence(np.eye(2, dtype=np.float32)[:, np.tile([0, 1], 1000)], np.tile([0, 1], 1000))
    right = fitted_temperature(strokes(sure, 1000))
    wrong = fitted_temperature(strokes(Evidence(sure.probabilities, 1 - sure.labels), 1000))
    assert LOWEST <= right < 1
    assert 3.8 < wrong <= HIGHEST


def test_without_evidence_an_adapted_model_is_taken_for_too_sure_once() -> None:
    few, one = drawn(2.0, count=50), drawn(2.0)
    for nothing in ([], [few], [Evidence(one.probabilities, np.zeros_like(one.labels))]):
        assert fitted_temperature(nothing) == ASSUMED
        assert fitted_temperature(nothing, present=1.7) == 1.7


def test_the_answer_does_not_depend_on_the_temperature_that_was_looked_through() -> None:
    plain = drawn(2.0)
    warmed = np.log(plain.probabilities) / 1.5
    through = Evidence(softmax(warmed.astype(np.float64)).astype(np.float32), plain.labels)
    assert fitted_temperature(strokes(through, 30), 1.5) == pytest.approx(
        fitted_temperature(strokes(plain, 30)), rel=1e-3
    )
