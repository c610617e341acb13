"""One confusion matrix over a whole data set, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet

CALIBRATION_BINS: Final = 15
TAIL_SHARE: Final = 0.02


@dataclass(frozen=True)
class Scores:
    """Scores of a data set, all 0 to 1; None where nothing defines them."""

    miou: float | None
    """Mean intersection over union of the classes that occur in the labels."""
    iou: Mapping[str, float | None]
    """Intersection over union by class name; None for a class that occurs in no label."""
    recall: Mapping[str, float | None]
    """Share of a class's pixels that were found, by class name."""
    tail_classes: tuple[str, ...]
    """Classes under 2 % of the labelled pixels."""
    tail_iou: float | None
    """Mean intersection over union of the tail classes."""
    tail_recall: float | None
    """Mean recall of the tail classes."""
    accuracy: float | None
    """Share of labelled pixels that are right."""
    ece: float | None
    """Expected calibration error over 15 equal bins of confidence (Guo et al. 2017)."""
    pixels: int
    """Number of labelled pixels."""

    def to_json(self) -> dict[str, Any]:
        """The scores as a JSON object."""
        return {**asdict(self), "tail_classes": list(self.tail_classes)}


class ConfusionMatrix:
    """Counts of (true, predicted) classes over a data set, with a calibration histogram beside it."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)
        self._bins: NDArray[np.float64] = np.zeros((CALIBRATION_BINS, 3))  # count, summed confidence, correct

    def update(
        self,
        prediction: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        confidence: NDArray[np.float32] | None = None,
    ) -> None:
        """Add one image: prediction, labels (255 = ignore) and confidence in [0, 1], each (H, W)."""
        valid = labels != IGNORE_INDEX
        true, predicted = labels[valid].astype(np.int64), prediction[valid].astype(np.int64)
        pairs = np.bincount(true * self.num_classes + predicted, minlength=self.num_classes**2)
        self.counts += pairs.reshape(self.num_classes, self.num_classes)
        if confidence is not None:
            self._update_calibration(confidence[valid].astype(np.float64), true == predicted)

    def scores(self, classes: ClassSet) -> Scores:
        """The scores so far."""
        true, found = self.counts.sum(1), np.diag(self.counts)
        total = int(true.sum())
        occurs = true > 0
        tail = occurs & (true < TAIL_SHARE * total)
        with np.errstate(divide="ignore", invalid="ignore"):
            iou = np.where(occurs, found / (true + self.counts.sum(0) - found), np.nan)
            recall = np.where(occurs, found / true, np.nan)
        return Scores(
            miou=_mean(iou[occurs]),
            iou=_by_name(classes, iou),
            recall=_by_name(classes, recall),
            tail_classes=tuple(name for name, is_tail in zip(classes.names, tail, strict=True) if is_tail),
            tail_iou=_mean(iou[tail]),
            tail_recall=_mean(recall[tail]),
            accuracy=float(found.sum() / total) if total else None,
            ece=self._expected_calibration_error(),
            pixels=total,
        )

    def _update_calibration(self, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        for column, weights in enumerate((None, confidence, correct.astype(np.float64))):
            self._bins[:, column] += np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)

    def _expected_calibration_error(self) -> float | None:
        counts, confidence, correct = self._bins.T
        return float(np.abs(confidence - correct).sum() / counts.sum()) if counts.sum() else None


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None


def _by_name(classes: ClassSet, values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: None if np.isnan(v) else float(v) for name, v in zip(classes.names, values, strict=True)}
