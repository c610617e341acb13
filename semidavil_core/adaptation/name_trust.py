"""Whether the language model may teach a class that is new to the model: how much of other classes' strokes goes by its name too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.pseudo_labels import SURE_BY_NAME
from semidavil_core.adaptation.stroke_forest import GoOn
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain
from semidavil_core.data.selection import judged_samples
from semidavil_core.inference.predict import Predictor

MISNAMED: Final = 0.1
"""False alarms from which on a name is not trusted: on streets and CamVid, *building* has 0.24 and 0.28, every other class up to 0.05."""


def false_alarms(
    predictor: Predictor,
    target: Domain,
    named: Sequence[int],
    num_classes: int,
    go_on: GoOn = lambda: True,
) -> dict[int, float]:
    """How far names mislead, by index of the classes `named` (ours).

    The share of a class's painted pixels that goes by the name, as a mean over the other painted classes: each counts alike, since a
    name that takes all of a rare class has it unlearnt, however few its pixels are.

    Parameters
    ----------
    predictor
        What speaks for these classes.
    target
        Up to 16 of its painted images are looked at, evenly chosen.
    named
        Classes that have a name and nothing else.
    num_classes
        Of all classes.
    go_on
        Whether there is time for more images; one is looked at in any case.

    Returns
    -------
    dict
        0 to 1; empty where no other class has strokes.
    """
    painted, called = np.zeros(num_classes), np.zeros((len(named), num_classes))
    for sample, labels in judged_samples(target):
        said = predictor.predict(sample.image).probabilities
        painted += _counts(labels, num_classes)
        called += [_counts(labels[said[k] >= SURE_BY_NAME], num_classes) for k in named]
        if not go_on():
            break
    shares = called / np.maximum(painted, 1)
    others = {k: (painted > 0) & (np.arange(num_classes) != k) for k in named}
    return {k: float(shares[row][others[k]].mean()) for row, k in enumerate(named) if others[k].any()}


def _counts(labels: NDArray[np.uint8], num_classes: int) -> NDArray[np.intp]:
    return np.bincount(labels[labels != IGNORE_INDEX], minlength=num_classes)
