"""What the names of new classes say of some target images before a round: hints that teach, unless they mislead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain, MappedDomain, Sample
from semidavil_core.data.selection import shown_samples
from semidavil_core.inference.predict import Predictor

SURE_BY_NAME: Final = 0.5
"""Probability from which on a name teaches: the untouched language model is seldom as sure as a trained one, and the few strokes of a new
class alone teach less than its name."""
MISNAMED: Final = 0.1
"""False alarms from which on a name is not trusted: on streets and CamVid, *building* has 0.24 and 0.28, every other class up to 0.05."""

Hints = NDArray[np.uint8]
"""(H, W) class indices; 255 where there is none."""


@dataclass(frozen=True)
class NamesSeen:
    """What names say of some images."""

    hints: Mapping[str, Hints]
    """By image."""
    alarms: Mapping[int, float]
    """How far names mislead, by class (ours): the share of a class's painted pixels that goes by the name, 0 to 1, as a mean over the
    other painted classes. Each counts alike, since a name that takes all of a rare class has it unlearnt, however few its pixels are."""

    @property
    def misnamed(self) -> dict[int, float]:
        """The alarms of the names that are not to be trusted."""
        return {k: share for k, share in self.alarms.items() if share > MISNAMED}

    def without(self, classes: Collection[int]) -> dict[str, Hints]:
        """The hints without those of `classes`."""
        gone = list(classes)
        return {
            image: np.where(np.isin(hints, gone), IGNORE_INDEX, hints).astype(np.uint8)
            for image, hints in self.hints.items()
        }


def see_names(
    predictor: Predictor,
    target: Domain,
    named: Sequence[int],
    num_classes: int,
    go_on: Callable[[], bool] = lambda: True,
) -> NamesSeen:
    """Look for classes by their names in the painted images, where a person corrects what they say, or in any where none is painted.

    Parameters
    ----------
    predictor
        What speaks for these classes.
    target
        Up to 16 of its images are looked at, evenly chosen.
    named
        Classes that have a name and nothing else.
    num_classes
        Of all classes.
    go_on
        Whether there is time for more images; one is looked at in any case.
    """
    hints: dict[str, Hints] = {}
    painted, called = np.zeros(num_classes), np.zeros((num_classes, num_classes))
    for sample in shown_samples(target):
        hints[sample.name] = seen = _hints(predictor, sample, named)
        if sample.labels is not None:
            has = sample.labels != IGNORE_INDEX
            painted += np.bincount(sample.labels[has], minlength=num_classes)
            both = has & (seen != IGNORE_INDEX)
            np.add.at(called, (seen[both], sample.labels[both]), 1)
        if not go_on():
            break
    shares = called / np.maximum(painted, 1)
    others = {k: (painted > 0) & (np.arange(num_classes) != k) for k in named}
    return NamesSeen(hints, {k: float(shares[k][others[k]].mean()) for k in named if others[k].any()})


def with_hints(target: Domain, hints: Mapping[str, Hints]) -> Domain:
    """`target` with `hints` by image."""
    if not hints:
        return target
    return MappedDomain(target, lambda sample: replace(sample, hints=hints.get(sample.name)))


def _hints(predictor: Predictor, sample: Sample, named: Sequence[int]) -> Hints:
    predicted = predictor.predict(sample.image)
    says = np.isin(predicted.labels, named) & (predicted.confidence >= SURE_BY_NAME)
    return np.where(says, predicted.labels, IGNORE_INDEX).astype(np.uint8)
