"""What is measured of a model: scores on the evaluation set, and how good its pseudo-labels are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from data_sets import DataSet, look_alike_iou
from torch import Tensor

from semidavil_core.adaptation.pseudo_labels import smooth_by_affinity, with_prior
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.selection import evenly, painted_indices
from semidavil_core.inference.evaluate import evaluate
from semidavil_core.inference.predict import JUDGED, Predictor
from semidavil_core.model.segmenter import Segmenter

CONFIDENCE_EDGES: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Bounds of the bins of confidence; the last bin holds 1."""
_IMAGES: Final = 12

Refine = Callable[[Tensor, Tensor], Tensor]
"""Changes probabilities (1, K, H, W), given the image (1, 3, H, W)."""


def scores_of(segmenter: Segmenter, data: DataSet) -> dict[str, Any]:
    """Scores on the evaluation set, 0 to 1."""
    scores = evaluate(segmenter, data.evaluation, data.classes)
    return {
        "miou": scores.miou,
        "tail_iou": scores.tail_iou,
        "tail_recall": scores.tail_recall,
        "ece": scores.ece,
        "accuracy": scores.accuracy,
        "look_alike_iou": look_alike_iou(scores.iou),
        "iou": dict(scores.iou),
    }


class ConfidenceBins:
    """How many pixels fall into each bin of confidence, and how many of them are right."""

    def __init__(self) -> None:
        self.pixels = np.zeros(len(CONFIDENCE_EDGES) - 1, np.int64)
        self.right = np.zeros(len(CONFIDENCE_EDGES) - 1, np.int64)

    def add(
        self, probabilities: np.ndarray[Any, np.dtype[np.float32]], truth: np.ndarray[Any, np.dtype[np.uint8]]
    ) -> None:
        """Count one image: probabilities (K, H, W) and dense labels (H, W)."""
        valid = truth != IGNORE_INDEX
        confidence, labels = probabilities.max(0)[valid], probabilities.argmax(0)[valid]
        bins = np.searchsorted(CONFIDENCE_EDGES[1:-1], confidence, side="right")
        self.pixels += np.bincount(bins, minlength=len(self.pixels))
        self.right += np.bincount(bins[labels == truth[valid]], minlength=len(self.right))

    def summary(self, threshold: float) -> dict[str, float | None]:
        """Accuracy of all pseudo-labels, and accuracy and share of those from `threshold`, a bin's bound, on."""
        sure = np.array(CONFIDENCE_EDGES[:-1]) >= threshold
        total, sure_total = int(self.pixels.sum()), int(self.pixels[sure].sum())
        return {
            "pseudo_accuracy": float(self.right.sum() / total) if total else None,
            "pseudo_sure_accuracy": float(self.right[sure].sum() / sure_total) if sure_total else None,
            "pseudo_sure_share": sure_total / total if total else None,
        }


def pseudo_label_bins(segmenter: Segmenter, data: DataSet, refine: Refine | None = None) -> ConfidenceBins:
    """Pseudo-labels of up to 12 target images without strokes, by confidence, against the dense labels that no method sees."""
    painted = {data.target.names[i] for i in painted_indices(data.target)}
    unpainted = [i for i, name in enumerate(data.truth.names) if name not in painted]
    chosen = unpainted[evenly(len(unpainted), _IMAGES)]
    bins, predictor = ConfidenceBins(), Predictor(segmenter, JUDGED)
    for index in chosen:
        sample = data.truth[index]
        if sample.labels is None:
            continue
        probabilities = predictor.predict(sample.image).probabilities
        if refine is not None:
            image = torch.from_numpy(np.array(sample.image)).movedim(-1, 0)[None].float() / 255
            probabilities = refine(torch.from_numpy(probabilities)[None], image)[0].numpy()
        bins.add(probabilities, sample.labels)
    return bins


def evaluation_bins(segmenter: Segmenter, data: DataSet) -> ConfidenceBins:
    """Predictions of the evaluation set, by confidence."""
    bins, predictor = ConfidenceBins(), Predictor(segmenter)
    for index in range(len(data.evaluation)):
        sample = data.evaluation[index]
        if sample.labels is not None:
            bins.add(predictor.predict(sample.image).probabilities, sample.labels)
    return bins


def refinement(zero_shot: Segmenter | None, prior: float, *, smoothing: bool) -> Refine | None:
    """The refinement that a round's settings ask for, at its start; None for none."""
    if not smoothing and (zero_shot is None or not prior):
        return None

    @torch.no_grad()
    def refine(probabilities: Tensor, image: Tensor) -> Tensor:
        if zero_shot is not None and prior:
            probabilities = with_prior(probabilities, zero_shot(image).softmax(1), prior)
        return smooth_by_affinity(probabilities, image) if smoothing else probabilities

    return refine
