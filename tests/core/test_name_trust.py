"""A name that fits strokes of other classes too is not to teach."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.adaptation.name_trust import false_alarms
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.inference.predict import Prediction, Predictor


class ByBrightness:
    """Gives class 2 a pixel's brightness as its probability, and class 0 the rest."""

    def __init__(self) -> None:
        self.looks = 0

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        self.looks += 1
        named = image[..., 0].astype(np.float32) / 100
        probabilities = np.stack([1 - named, np.zeros_like(named), named])
        labels = probabilities.argmax(0).astype(np.uint8)
        return Prediction(labels, probabilities.max(0), probabilities, np.ones(3, np.float32))


def alarms(
    predictor: ByBrightness, *images: tuple[list[int], list[int]], go_on: bool = True
) -> dict[int, float]:
    samples = [
        Sample(
            f"i{n}", np.repeat(np.array([bright], np.uint8)[..., None], 3, 2), np.array([labels], np.uint8)
        )
        for n, (bright, labels) in enumerate(images)
    ]
    return false_alarms(cast("Predictor", predictor), MemoryDomain(samples), [2], 3, lambda: go_on)


def test_each_other_class_counts_alike_however_much_of_it_is_painted() -> None:
    found = alarms(ByBrightness(), ([60, 60, 10, 10], [1, 255, 0, 0]), ([40, 40, 90, 90], [0, 0, 2, 255]))
    assert found == {2: 0.5}, (
        "all of class 1, nothing of class 0; its own strokes and unpainted places do not count"
    )
    many = alarms(ByBrightness(), ([60, 10, 60, 10], [0, 0, 1, 1]))
    assert many == {2: 0.5}


def test_a_name_that_is_not_sure_of_others_strokes_gives_no_alarm() -> None:
    assert alarms(ByBrightness(), ([49, 49], [0, 1])) == {2: 0.0}
    assert alarms(ByBrightness(), ([50, 49], [0, 1])) == {2: 0.5}


@pytest.mark.parametrize("images", [(), (([90, 90], [2, 255]),)], ids=["no strokes", "of the new class only"])
def test_without_strokes_of_others_nothing_is_said(images: tuple[tuple[list[int], list[int]], ...]) -> None:
    assert alarms(ByBrightness(), *images) == {}


def test_one_image_is_looked_at_even_where_there_is_no_time() -> None:
    predictor = ByBrightness()
    assert alarms(predictor, ([60, 10], [0, 1]), ([60, 60], [0, 1]), go_on=False) == {2: 0.5}
    assert predictor.looks == 1
