"""Label maps: a person's strokes or dense, and joined with labels that come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain, MappedDomain, Sample

Labels = NDArray[np.uint8]
"""(H, W) class indices; 255 where there is none."""
SPARSE: Final = 0.1
"""Share of labelled pixels up to which a map is a person's strokes; above it is dense."""


def is_dense(labels: Labels) -> bool:
    """Whether more of a map is labelled than strokes would cover."""
    return float((labels != IGNORE_INDEX).mean()) > SPARSE


def classes_in(maps: Iterable[Labels]) -> list[int]:
    """Indices of the classes that occur in any of the `maps`, in order."""
    return sorted({int(k) for labels in maps for k in np.unique(labels)} - {IGNORE_INDEX})


def with_more_labels(domain: Domain, labels: Mapping[str, Labels]) -> Domain:
    """`domain` with `labels` by image where its own, which win, leave room."""

    def labelled(sample: Sample) -> Sample:
        more = labels.get(sample.name)
        if more is None:
            return sample
        own = more if sample.labels is None else sample.labels
        return Sample(sample.name, sample.image, np.where(own != IGNORE_INDEX, own, more).astype(np.uint8))

    return MappedDomain(domain, labelled)
