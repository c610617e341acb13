"""The labelled source as rounds see it: its own labels in the present classes, and what names of new classes say where it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.editable_domain import RelabelledDomain
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.control import GoOn
from semidavil_core.data.domains import Domain, Sample
from semidavil_core.data.label_maps import Labels, classes_in, is_dense, with_more_labels
from semidavil_core.inference.predict import Predictor

_LOOKED_AT: Final = 8
"""Images: more cost steps and gave nothing."""
_OPEN: Final = 0.01
"""Share of an image's pixels without a label from which on it is worth a look."""
_SURE: Final = 0.5
"""Probability from which on a name is believed: what the source knows is labelled, so there is little else that it could be."""


def labels_by_name(
    predictor: Predictor, source: Domain, named: Sequence[int], *, seed: int, go_on: GoOn = lambda: True
) -> dict[str, Labels]:
    """Find classes by their names where source images have no label (ours).

    A name that takes other classes for its own as well does no harm here: what they are is labelled.

    Parameters
    ----------
    predictor
        What speaks for these classes.
    source
        Up to 8 of its images are looked at, of those that are labelled for the most part and leave something open. Sparse labels leave
        everything open, whatever it is, so they are no such evidence.
    named
        Classes that the source has no labels of.
    seed
        Decides which images.
    go_on
        Whether there is time for one more.

    Returns
    -------
    dict
        (H, W) uint8 class indices by image, 255 where the source has a label or no name is believed; images with any.
    """
    found: dict[str, Labels] = {}
    looks = 0
    for index in np.random.default_rng(seed).permutation(len(source)):
        if looks == _LOOKED_AT or not go_on():
            break
        sample = source[int(index)]
        where = _open_pixels(sample)
        if where is None:
            continue
        looks += 1
        predicted = predictor.predict(sample.image)
        says = where & np.isin(predicted.labels, named) & (predicted.confidence >= _SURE)
        if says.any():
            found[sample.name] = np.where(says, predicted.labels, IGNORE_INDEX).astype(np.uint8)
    return found


def _open_pixels(sample: Sample) -> NDArray[np.bool_] | None:
    """(H, W) bool, where a mostly labelled sample has no label; None if that is next to nowhere."""
    if sample.labels is None or not is_dense(sample.labels):
        return None
    where = sample.labels == IGNORE_INDEX
    return where if where.mean() >= _OPEN else None


class LabelledSource:
    """The source of a session.

    Parameters
    ----------
    source
        Source images; None adapts source-free.
    classes
        The class set of its labels.
    """

    def __init__(self, source: Domain | None, classes: ClassSet) -> None:
        self._own = self._source = source
        self._own_classes = self._classes = classes
        self._named: frozenset[str] = frozenset()  # classes that names found

    def __bool__(self) -> bool:
        return self._own is not None

    def seen_with(self, classes: ClassSet) -> Domain | None:
        """The source with indices into `classes`; what a name said is forgotten once its class is worded anew."""
        if self._is_worded_anew(classes):
            self._source, self._classes, self._named = self._own, self._own_classes, frozenset()
        if self._source is None or self._classes.names == classes.names:
            return self._source
        return RelabelledDomain(self._source, self._classes, classes)

    def add(self, labels: Mapping[str, Labels], classes: ClassSet) -> None:
        """Keep `labels` by image, indices into `classes`, for the rounds to come."""
        source = self.seen_with(classes)
        if labels and source is not None:
            self._source, self._classes = with_more_labels(source, labels), classes
            self._named |= {classes[k].name for k in classes_in(labels.values())}

    def _is_worded_anew(self, classes: ClassSet) -> bool:
        places = zip(self._classes, self._classes.positions_in(classes), strict=True)
        return any(
            (c.name, c.prompts) != (classes[place].name, classes[place].prompts)
            for c, place in places
            if place is not None and c.name in self._named
        )
