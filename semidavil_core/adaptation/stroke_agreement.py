"""How far a model already agrees with a person's strokes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from semidavil_core.data.domains import Domain
from semidavil_core.inference.predict import PREVIEW, Prediction, Predictor
from semidavil_core.metrics.confusion import ConfusionMatrix
from semidavil_core.model.segmenter import Segmenter

_IMAGES: Final = 16

Watch = Callable[[str, Prediction], bool]
"""Hears the name and the prediction of each image that was looked at; says whether to go on."""


@dataclass(frozen=True)
class StrokeAgreement:
    """Agreement with strokes; before a round that has not seen them it is an honest estimate, afterwards it is not."""

    class_accuracy: float
    """Mean over the painted classes of the share of their pixels that the model gets right, 0 to 1."""
    accuracy: float
    """Share of all painted pixels that the model gets right, 0 to 1."""

    def share(self, least: float) -> float:
        """How far a round may move the weights: `least` from a class accuracy of 0.65 on, all the way up to 0.55.

        What a model that is half wrong knows is not worth keeping. The two bounds are a guess from few single runs, not a fit.
        """
        return float(np.clip(least + (1 - least) * (0.65 - self.class_accuracy) / 0.1, least, 1.0))


def stroke_agreement(model: Segmenter, target: Domain, watch: Watch = lambda *_: True) -> StrokeAgreement:
    """Compare `model` with the strokes of up to 16 painted images of `target`, evenly chosen, while `watch` wants more."""
    matrix, predictor = ConfusionMatrix(model.num_classes), Predictor(model, PREVIEW)
    painted = [i for i in range(len(target)) if target[i].is_painted]
    for index in painted[:: max(1, -(-len(painted) // _IMAGES))]:
        sample = target[index]
        if sample.labels is not None:
            prediction = predictor.predict(sample.image)
            matrix.update(prediction.labels, sample.labels)
            if not watch(sample.name, prediction):
                break
    found, true = np.diag(matrix.counts), matrix.counts.sum(1)
    occurs = true > 0
    return StrokeAgreement(float((found[occurs] / true[occurs]).mean()), float(found.sum() / true.sum()))
