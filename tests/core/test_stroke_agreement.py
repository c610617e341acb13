from __future__ import annotations

from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.adaptation import stroke_agreement as module
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement, stroke_agreement
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.inference.predict import Prediction
from tests.core.tiny_tower import tiny_segmenter


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A model that calls every pixel class 0; lists the first pixel of every image it is shown."""
    seen: list[int] = []

    class Everything:
        def __init__(self, *_: object) -> None: ...

        def predict(self, image: NDArray[np.uint8]) -> Prediction:
            seen.append(int(image[0, 0, 0]))
            labels = np.zeros(image.shape[:2], np.uint8)
            probabilities = np.stack([np.full(image.shape[:2], p, np.float32) for p in (0.7, 0.2, 0.1)])
            return Prediction(labels, probabilities[0], probabilities, np.ones(3, np.float32))

    monkeypatch.setattr(module, "Predictor", Everything)
    return seen


def image_with(number: int, *labels: int) -> Sample:
    return Sample(f"i{number}", np.full((1, 4, 3), number, np.uint8), np.array([labels], np.uint8))


def test_agreement_is_counted_over_painted_pixels_and_over_classes(predicted: list[int]) -> None:
    domain = MemoryDomain([image_with(0, 0, 0, 0, 1), image_with(1, 1, 255, 255, 255)])
    found = stroke_agreement(tiny_segmenter(), domain)
    assert (found.accuracy, found.by_class) == (0.6, {0: 1.0, 1: 0.0})
    assert found.proportional == pytest.approx(log(3 / 2) / log(7 / 2)), (
        "0.7 and 0.2 of the images, as 3 : 2 painted"
    )
    assert found.class_accuracy == 0.5


def test_it_is_told_how_much_of_the_images_the_painted_classes_are(predicted: list[int]) -> None:
    domain = MemoryDomain([image_with(0, 1, 2, 255, 255)])
    found = stroke_agreement(tiny_segmenter(), domain)
    assert found.covered == pytest.approx(0.3), "0.2 and 0.1 of the image"
    assert found.sureness == pytest.approx(1)
    assert found.representative == 0


def test_strokes_where_the_model_is_unsure_are_known_by_its_confidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class LeftIsSure:
        def __init__(self, *_: object) -> None: ...

        def predict(self, image: NDArray[np.uint8]) -> Prediction:
            labels = np.zeros(image.shape[:2], np.uint8)
            confidence = np.linspace(0.9, 0.3, image.shape[1], dtype=np.float32)[None].repeat(len(image), 0)
            shares = np.stack([confidence, 1 - confidence, 0 * confidence])
            return Prediction(labels, confidence, shares, np.ones(3, np.float32))

    monkeypatch.setattr(module, "Predictor", LeftIsSure)
    unsure, sure, all_over = (
        stroke_agreement(tiny_segmenter(), MemoryDomain([image_with(0, *labels)]))
        for labels in ((255, 255, 255, 0), (0, 1, 255, 255), (0, 1, 0, 1))
    )
    assert unsure.sureness == pytest.approx(0.5)
    assert unsure.representative == 0
    assert sure.sureness > 1
    assert all_over.sureness == pytest.approx(1)
    assert all_over.representative == sure.representative == 1


def test_images_whose_strokes_were_erased_do_not_count(predicted: list[int]) -> None:
    blank = [image_with(n, 255, 255, 255, 255) for n in range(40)]
    found = stroke_agreement(tiny_segmenter(), MemoryDomain([*blank, image_with(77, 0, 1, 255, 255)]))
    assert (found.accuracy, found.by_class) == (0.5, {0: 1.0, 1: 0.0})
    assert found.proportional == 0
    assert predicted == [77]


@pytest.mark.parametrize("count", [15, 16, 17, 31, 100])
def test_at_most_sixteen_images_are_looked_at(predicted: list[int], count: int) -> None:
    stroke_agreement(tiny_segmenter(), MemoryDomain([image_with(n, 0, 1, 1, 1) for n in range(count)]))
    assert min(count, 8) <= len(predicted) <= 16
    assert predicted[-1] > 0.8 * count - 2


def test_a_blind_guess_is_worth_nothing_whatever_the_number_of_classes() -> None:
    for count in (2, 3, 11):
        guessed = StrokeAgreement(0.7, dict.fromkeys(range(count), 1 / count))
        assert guessed.beyond_chance == pytest.approx(0)
        assert StrokeAgreement(1.0, dict.fromkeys(range(count), 1.0)).beyond_chance == 1
    assert StrokeAgreement(0.2, dict.fromkeys(range(5), 0.1)).beyond_chance < 0
