"""How far a model already agrees with a person's strokes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from semidavil_core.adaptation.stroke_balance import proportionality
from semidavil_core.data.domains import Domain
from semidavil_core.inference.predict import JUDGED, Prediction, Predictor
from semidavil_core.metrics.confusion import ConfusionMatrix
from semidavil_core.model.segmenter import Segmenter

_IMAGES: Final = 16

Watch = Callable[[str, Prediction], bool]
"""Hears the name and the prediction of each image that was looked at; says whether to go on."""


@dataclass(frozen=True)
class StrokeAgreement:
    """Agreement with strokes; before a round that has not seen them it is an honest estimate, afterwards it is not."""

    accuracy: float
    """Share of all painted pixels that the model gets right, 0 to 1."""
    by_class: Mapping[int, float]
    """Share of a class's painted pixels that the model gets right, by index of the painted classes."""
    proportional: float = 1.0
    """0: classes were painted alike; 1: as much as they cover in the images, as the model sees it."""

    @property
    def class_accuracy(self) -> float:
        """Mean over the painted classes, 0 to 1."""
        return float(np.mean(list(self.by_class.values())))

    @property
    def beyond_chance(self) -> float:
        """Class accuracy where a blind guess among the painted classes has 0 and a perfect model 1 (Cohen's kappa of even classes)."""
        chance = 1 / len(self.by_class)
        return (self.class_accuracy - chance) / (1 - chance) if chance < 1 else self.class_accuracy


def stroke_agreement(model: Segmenter, target: Domain, watch: Watch = lambda *_: True) -> StrokeAgreement:
    """Compare `model` with the strokes of up to 16 painted images of `target`, evenly chosen, while `watch` wants more."""
    matrix, predictor = ConfusionMatrix(model.num_classes), Predictor(model, JUDGED)
    covered = np.zeros(model.num_classes)
    painted = [i for i in range(len(target)) if target[i].is_painted]
    for index in painted[:: max(1, -(-len(painted) // _IMAGES))]:
        sample = target[index]
        if sample.labels is not None:
            prediction = predictor.predict(sample.image)
            matrix.update(prediction.labels, sample.labels)
            covered += prediction.probabilities.mean((1, 2), dtype=np.float64)
            if not watch(sample.name, prediction):
                break
    found, true = np.diag(matrix.counts), matrix.counts.sum(1)
    by_class = {int(k): float(found[k] / true[k]) for k in np.flatnonzero(true)}
    balance = proportionality(true.astype(np.float64), covered)
    return StrokeAgreement(float(found.sum() / true.sum()), by_class, balance)
