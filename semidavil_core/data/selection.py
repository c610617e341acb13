"""Choosing some of many: the samples with strokes, and every n-th of a sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.data.domains import Domain, Sample

_JUDGED: Final = 16


def painted_indices(domain: Domain) -> list[int]:
    """Indices of the samples of `domain` that have a stroke."""
    return [index for index in range(len(domain)) if domain[index].is_painted]


def judged_samples(domain: Domain) -> Iterator[tuple[Sample, NDArray[np.uint8]]]:
    """Up to 16 samples of `domain` that have a stroke, evenly chosen, and their labels (H, W): a look at more would take too long."""
    for sample in _some_of(domain, painted_indices(domain)):
        if sample.labels is not None:
            yield sample, sample.labels


def shown_samples(domain: Domain) -> Iterator[Sample]:
    """Up to 16 samples of `domain`, evenly chosen from those that have a stroke, or from all where none has."""
    return _some_of(domain, painted_indices(domain) or range(len(domain)))


def _some_of(domain: Domain, indices: Sequence[int]) -> Iterator[Sample]:
    return (domain[index] for index in indices[evenly(len(indices), _JUDGED)])


def evenly(count: int, at_most: int) -> slice:
    """The slice that takes every n-th of `count` items, from the first one on, with the least n that gives no more than `at_most`.

    Parameters
    ----------
    count
        How many items there are.
    at_most
        How many are wanted at most, 1 or more.
    """
    return slice(None, None, max(1, -(-count // at_most)))
