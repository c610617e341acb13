from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.metrics.confusion import ConfusionMatrix, Scores

CLASSES = ClassSet.from_names(["a", "b", "c"])


def row(*values: int) -> NDArray[np.uint8]:
    return np.array([values], np.uint8)


def scored(*images: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> Scores:
    matrix = ConfusionMatrix(3)
    for prediction, labels in images:
        matrix.update(prediction, labels)
    return matrix.scores(CLASSES)


def test_intersection_over_union_recall_and_accuracy_of_a_hand_counted_image() -> None:
    scores = scored((row(0, 0, 1, 1, 2, 0), row(0, 0, 0, 1, 1, 255)))
    assert scores.iou == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3), "c": None}
    assert scores.recall == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 2), "c": None}
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.pixels == 5


def test_the_mean_is_over_the_classes_that_occur_in_the_labels() -> None:
    scores = scored((row(0, 0, 1, 1, 2, 0), row(0, 0, 0, 1, 1, 255)))
    assert scores.miou == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_pixels_of_all_images_are_counted_together_not_scored_image_by_image() -> None:
    images = (row(*[0] * 9, 1), row(*[0] * 10)), (row(1, 0), row(1, 1))
    scores = scored(*images)
    assert scores.iou["a"] == pytest.approx(9 / 11)
    assert scores.iou["b"] == pytest.approx(1 / 3)
    assert scores.miou == pytest.approx((9 / 11 + 1 / 3) / 2)


def test_tail_classes_have_less_than_two_percent_of_the_labelled_pixels() -> None:
    labels = np.zeros((10, 100), np.uint8)
    labels[0, :19] = 1
    labels[1, :20] = 2  # exactly 2 %
    prediction = labels.copy()
    prediction[0, :10] = 0
    scores = scored((prediction, labels))
    assert scores.tail_classes == ("b",)
    assert scores.tail_recall == pytest.approx(9 / 19)
    assert scores.tail_iou == pytest.approx(9 / 19)


def test_without_tail_classes_or_labels_the_figures_are_missing_not_zero() -> None:
    assert scored((row(0, 1), row(0, 1))).tail_iou is None
    empty = scored((row(0, 1), row(255, 255)))
    assert (empty.miou, empty.accuracy, empty.ece, empty.pixels) == (None, None, None, 0)


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy_weighed_by_bin() -> None:
    matrix = ConfusionMatrix(2)
    confidence = np.array([[0.95, 0.97, 0.61, 0.65, 1.0]], np.float32)
    matrix.update(row(0, 0, 1, 1, 1), row(0, 1, 1, 0, 255), confidence)
    upper, middle = abs(0.95 + 0.97 - 1), abs(0.61 + 0.65 - 1)
    ece = matrix.scores(ClassSet.from_names(["a", "b"])).ece
    assert ece == pytest.approx((upper + middle) / 4, abs=1e-6)


@pytest.mark.parametrize(
    ("confidence", "right", "error"), [(1.0, True, 0.0), (1.0, False, 1.0), (0.0, False, 0.0)]
)
def test_calibration_reaches_its_ends(confidence: float, right: bool, error: float) -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(row(0), row(0 if right else 1), np.array([[confidence]], np.float32))
    assert matrix.scores(ClassSet.from_names(["a", "b"])).ece == pytest.approx(error)


def test_scores_go_through_json() -> None:
    content = scored((row(0, 1), row(0, 0))).to_json()
    assert json.loads(json.dumps(content)) == content
