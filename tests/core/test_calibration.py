from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.adaptation.calibration import HIGHEST, Evidence, fitted_temperature


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(0))
    return np.asarray(weights / weights.sum(0))


def drawn(sharpened: float, count: int = 20_000, classes: int = 4) -> Evidence:
    """Labels drawn from some probabilities, by a model that states them `sharpened` times as sharp."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (classes, count))
    labels = (softmax(logits).cumsum(0) < rng.random(count)).sum(0)
    return Evidence(softmax(sharpened * logits).astype(np.float32), labels)


@pytest.mark.parametrize("sharpened", [0.7, 1.0, 2.0, 3.0])
def test_the_temperature_undoes_what_made_a_model_too_sure_or_too_shy(sharpened: float) -> None:
    assert fitted_temperature([drawn(sharpened)]) == pytest.approx(sharpened, rel=0.05)


def test_images_are_judged_together() -> None:
    whole = drawn(2.0)
    parts = [
        Evidence(whole.probabilities[:, part], whole.labels[part]) for part in (slice(50), slice(50, None))
    ]
    assert fitted_temperature(parts) == pytest.approx(fitted_temperature([whole]))


def test_a_model_that_is_never_wrong_or_always_wrong_stays_within_bounds() -> None:
    sure = np.eye(2, dtype=np.float32)[:, np.repeat([0, 1], 100)]
    right = fitted_temperature([Evidence(sure, np.repeat([0, 1], 100))])
    wrong = fitted_temperature([Evidence(sure, np.repeat([1, 0], 100))])
    assert right is not None
    assert 0.49 < right < 1
    assert wrong == pytest.approx(HIGHEST, rel=1e-3)


def test_little_evidence_or_a_single_class_says_nothing() -> None:
    few, one = drawn(2.0, count=50), drawn(2.0)
    assert fitted_temperature([]) is None
    assert fitted_temperature([few]) is None
    assert fitted_temperature([Evidence(one.probabilities, np.zeros_like(one.labels))]) is None
