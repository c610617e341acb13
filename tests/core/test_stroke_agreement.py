from __future__ import annotations

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
            return Prediction(labels, labels.astype(np.float32), labels[None].astype(np.float32))

    monkeypatch.setattr(module, "Predictor", Everything)
    return seen


def image_with(number: int, *labels: int) -> Sample:
    return Sample(f"i{number}", np.full((1, 4, 3), number, np.uint8), np.array([labels], np.uint8))


def test_agreement_is_counted_over_painted_pixels_and_over_classes(predicted: list[int]) -> None:
    domain = MemoryDomain([image_with(0, 0, 0, 0, 1), image_with(1, 1, 255, 255, 255)])
    assert stroke_agreement(tiny_segmenter(), domain) == StrokeAgreement(class_accuracy=0.5, accuracy=0.6)


def test_images_whose_strokes_were_erased_do_not_count(predicted: list[int]) -> None:
    blank = [image_with(n, 255, 255, 255, 255) for n in range(40)]
    found = stroke_agreement(tiny_segmenter(), MemoryDomain([*blank, image_with(77, 0, 1, 255, 255)]))
    assert found == StrokeAgreement(0.5, 0.5)
    assert predicted == [77]


@pytest.mark.parametrize("count", [15, 16, 17, 31, 100])
def test_at_most_sixteen_images_are_looked_at(predicted: list[int], count: int) -> None:
    stroke_agreement(tiny_segmenter(), MemoryDomain([image_with(n, 0, 1, 1, 1) for n in range(count)]))
    assert min(count, 8) <= len(predicted) <= 16
    assert predicted[-1] > 0.8 * count - 2


def test_a_model_that_is_mostly_wrong_is_changed_more() -> None:
    shares = [StrokeAgreement(accuracy, 0.0).share(0.5) for accuracy in (0.0, 0.55, 0.6, 0.65, 1.0)]
    assert shares == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.5])
    assert StrokeAgreement(0.0, 0.0).share(1.0) == 1.0
