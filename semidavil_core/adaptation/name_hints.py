"""What the names of new classes say of some target images before a round: hints that teach, unless they mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.control import GoOn
from semidavil_core.data.domains import Domain, MappedDomain
from semidavil_core.data.label_maps import Labels
from semidavil_core.data.selection import shown_samples
from semidavil_core.inference.predict import Predictor

PROVEN: Final = 0.4
"""Balanced precision from which on strokes bear a name out."""
MISNAMED: Final = 0.1
"""Mean share of another class's strokes that may go by a name."""
SURE_BY_NAME: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Probabilities from which on a name may be believed: the first is enough where no stroke tells."""


@dataclass(frozen=True)
class NamesSeen:
    """What names say of some images."""

    hints: Mapping[str, Labels]
    """By image, of the classes whose names are believed."""
    proven: tuple[int, ...]
    """Those of them whose own strokes bear the name out."""
    alarms: Mapping[int, float]
    """By class, the share of another class's painted pixels that goes by its name, 0 to 1, as a mean over the other painted classes. Each
    counts alike, since a name that takes all of a rare class has it unlearnt, however few its pixels are."""
    misnamed: tuple[int, ...]
    """Classes whose names fit too much of others, so that they are not believed."""
    fitting: tuple[int, ...]
    """Painted classes whose names fit their own strokes more than others', or none too much: believed where the others are labelled."""


def see_names(
    predictor: Predictor,
    target: Domain,
    named: Sequence[int],
    num_classes: int,
    go_on: GoOn = lambda: True,
) -> NamesSeen:
    """Look for classes by their names in the painted images, or in any where none is painted, and let the strokes judge (ours).

    Of a class with strokes, a name is believed from the lowest of the probabilities `SURE_BY_NAME` on at which its balanced precision
    reaches `PROVEN`: the share of its own painted pixels that go by it, over the sum of such shares of all classes. Of a class without,
    it is believed from the first one on, unless it fits too much of other classes.

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
    seen: dict[str, tuple[Labels, NDArray[np.float16]]] = {}
    painted = np.zeros(num_classes)
    called = np.zeros((len(SURE_BY_NAME), num_classes, num_classes))
    for sample in shown_samples(target):
        predicted = predictor.predict(sample.image)
        says = np.where(np.isin(predicted.labels, named), predicted.labels, IGNORE_INDEX).astype(np.uint8)
        seen[sample.name] = says, predicted.confidence.astype(np.float16)
        if sample.labels is not None:
            has = sample.labels != IGNORE_INDEX
            painted += np.bincount(sample.labels[has], minlength=num_classes)
            called += _called(says[has], predicted.confidence[has], sample.labels[has], num_classes)
        if not go_on():
            break
    shares = called / np.maximum(painted, 1)
    others = {k: (painted > 0) & (np.arange(num_classes) != k) for k in named}
    alarms = {k: float(shares[0, k][others[k]].mean()) for k in named if others[k].any()}
    proven = {k: start for k in named if painted[k] and (start := _proven_from(shares[:, k], k)) is not None}
    misnamed = tuple(k for k in named if k not in proven and alarms.get(k, 0) > MISNAMED)
    typed = {k: SURE_BY_NAME[0] for k in named if not painted[k] and k not in misnamed}
    fitting = tuple(k for k in named if painted[k] and (k not in misnamed or shares[0, k, k] > alarms[k]))
    hints = {image: _believed(*maps, {**typed, **proven}) for image, maps in seen.items()}
    return NamesSeen(hints, tuple(proven), alarms, misnamed, fitting)


def with_hints(target: Domain, hints: Mapping[str, Labels]) -> Domain:
    """`target` with `hints` by image."""
    if not hints:
        return target
    return MappedDomain(target, lambda sample: replace(sample, hints=hints.get(sample.name)))


def _called(
    says: Labels, confidence: NDArray[np.float32], painted: Labels, num_classes: int
) -> NDArray[np.float64]:
    """(T, K, K) counts of painted pixels by probability, name and class."""
    counts = np.zeros((len(SURE_BY_NAME), num_classes, num_classes))
    for row, start in enumerate(SURE_BY_NAME):
        sure = (says != IGNORE_INDEX) & (confidence >= start)
        np.add.at(counts[row], (says[sure], painted[sure]), 1)
    return counts


def _proven_from(shares: NDArray[np.float64], own: int) -> float | None:
    """The lowest probability at which a name is precise, from the shares (T, K) of all classes that go by it; None if at none."""
    precise = np.flatnonzero(shares[:, own] >= PROVEN * np.maximum(shares.sum(1), 1e-9))
    return SURE_BY_NAME[precise[0]] if precise.size else None


def _believed(says: Labels, confidence: NDArray[np.float16], start: Mapping[int, float]) -> Labels:
    hints = np.full_like(says, IGNORE_INDEX)
    for k, least in start.items():
        hints[(says == k) & (confidence >= least)] = k
    return hints
