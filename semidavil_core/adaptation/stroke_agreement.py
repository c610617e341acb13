"""How far a model already agrees with a person's strokes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from semidavil_core.adaptation.stroke_balance import proportionality
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain
from semidavil_core.data.selection import judged_samples
from semidavil_core.inference.predict import JUDGED, Prediction, Predictor
from semidavil_core.metrics.confusion import ConfusionMatrix
from semidavil_core.model.segmenter import Segmenter

WORTH_ASKING: Final = (0.1, 0.25)
"""Agreement beyond chance up to which a model guesses, and from which on its pseudo-labels and its source help; the bounds are a guess from
few runs, not a fit."""
_COVERED: Final = (0.7, 0.9)
"""Share of the images from which on, and from which on fully, strokes of these classes speak for a model."""
_AS_SURE: Final = (0.6, 0.8)
"""Likewise for its confidence at the strokes, relative to elsewhere; strokes all over an image have about 1, at suggestions 0.2 to 0.7."""

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
    covered: float = 1.0
    """Share of the images that the model gives to the painted classes, 0 to 1."""
    sureness: float = 1.0
    """Mean confidence of the model at the strokes over that in the whole of these images."""

    @property
    def class_accuracy(self) -> float:
        """Mean over the painted classes, 0 to 1."""
        return float(np.mean(list(self.by_class.values())))

    @property
    def representative(self) -> float:
        """How far the strokes tell what the model is worth elsewhere, 0 to 1 (ours).

        Strokes at suggestions lie where it is unsure, and the first strokes of all show few of its classes: a good model may misread
        every one of them.
        """
        return self.as_sure * ramp(self.covered, *_COVERED)

    @property
    def as_sure(self) -> float:
        """How far the strokes lie where the model is as sure as elsewhere, 0 to 1."""
        return ramp(self.sureness, *_AS_SURE)

    @property
    def beyond_chance(self) -> float:
        """Class accuracy where a blind guess among the painted classes has 0 and a perfect model 1 (Cohen's kappa of even classes)."""
        return beyond_chance(self.class_accuracy, len(self.by_class))

    @property
    def misled(self) -> float:
        """How far the model guesses, 0 to 1: what it and its source would teach misleads."""
        return 1 - ramp(self.beyond_chance, *WORTH_ASKING)

    @property
    def surely_misled(self) -> float:
        """The same, as far as the strokes lie where the model is as sure as elsewhere: where it is not, a good one may be wrong."""
        return self.as_sure * self.misled


def beyond_chance(accuracy: float, classes: int) -> float:
    """Class accuracy where a blind guess among so many `classes` has 0 and a perfect model 1; as it is of one class."""
    chance = 1 / classes
    return (accuracy - chance) / (1 - chance) if chance < 1 else accuracy


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, and straight in between."""
    return float(np.clip((value - low) / (high - low), 0, 1))


def stroke_agreement(model: Segmenter, target: Domain, watch: Watch = lambda *_: True) -> StrokeAgreement:
    """Compare `model` with the strokes of up to 16 painted images of `target`, evenly chosen, while `watch` wants more."""
    matrix, predictor = ConfusionMatrix(model.num_classes), Predictor(model, JUDGED)
    area, sure = np.zeros(model.num_classes), np.zeros(2)
    for sample, labels in judged_samples(target):
        prediction = predictor.predict(sample.image)
        matrix.update(prediction.labels, labels)
        area += prediction.probabilities.mean((1, 2), dtype=np.float64)
        there = prediction.confidence[labels != IGNORE_INDEX]
        sure += there.sum(dtype=np.float64), there.size * prediction.confidence.mean(dtype=np.float64)
        if not watch(sample.name, prediction):
            break
    found, true = np.diag(matrix.counts), matrix.counts.sum(1)
    by_class = {int(k): float(found[k] / true[k]) for k in np.flatnonzero(true)}
    return StrokeAgreement(
        float(found.sum() / true.sum()),
        by_class,
        proportional=proportionality(true.astype(np.float64), area),
        covered=float(area[true > 0].sum() / area.sum()),
        sureness=float(sure[0] / sure[1]),
    )
