"""How unlike places are to those that are painted or chosen already: what they look like, and what the model sees there.

Where a model is wrong all over, what it is unsure of tells nothing; places that differ from each other show more of the classes (ours, in the
spirit of core sets, Sener and Savarese, ICLR 2018, whose distances are between learnt features).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.inference.windows import window_means

Map = NDArray[np.float32]
Looks = NDArray[np.float64]
"""(N, D): a row for each place."""
_SEEN: Final = 2.0
"""Weight of the class probabilities beside colours of unit variance, all together."""
_TINY: Final = 1e-6


def raw_look(colour: Map, half: int) -> Map:
    """(2 C, h, w): mean and deviation of each channel (C, h, w) in the window around each cell."""
    means = np.stack([window_means(plane, half) for plane in colour])
    squares = np.stack([window_means(plane * plane, half) for plane in colour])
    return np.concatenate([means, np.sqrt(np.maximum(squares - means * means, 0))])


class LookScale:
    """Mean and spread of what images look like, so that every channel counts alike.

    Parameters
    ----------
    looks
        :func:`raw_look` of each image; read once.
    """

    def __init__(self, looks: Iterable[Map]) -> None:
        count, sums, squares = 0, np.zeros(1), np.zeros(1)
        for look in looks:
            flat = look.reshape(len(look), -1).astype(np.float64)
            count, sums, squares = (
                count + flat.shape[1],
                sums + flat.sum(1),
                squares + (flat * flat).sum(1),
            )
        self._mean = sums / max(count, 1)
        self._spread = np.sqrt(np.maximum(squares / max(count, 1) - self._mean**2, 0)) + _TINY

    def looks(
        self, raw: Map | None, probabilities: Map, cells: Sequence[tuple[int, int]] | NDArray[np.intp]
    ) -> Looks:
        """What `cells` (N, 2) of an image look like, its raw look (D, h, w) and windows of probabilities (K, h, w) given."""
        rows, columns = np.asarray(cells, np.intp).reshape(-1, 2).T
        seen = _SEEN * probabilities[:, rows, columns].T.astype(np.float64)
        if raw is None:
            return seen
        colour = (raw[:, rows, columns].T - self._mean) / self._spread / np.sqrt(len(raw))
        return np.concatenate([colour, seen], 1)


class Novelty:
    """Novelty of candidates, lowered as places are chosen.

    Parameters
    ----------
    candidates
        What each looks like.
    known
        What the painted places look like.
    """

    def __init__(self, candidates: Looks, known: Looks) -> None:
        self._candidates = candidates
        self._nearest = np.full(len(candidates), np.inf)  # squared distances
        for look in known:
            self._lower(look)

    def values(self) -> NDArray[np.float64]:
        """(N,) 0 for what is known already to 1 for what resembles nothing."""
        return np.asarray(1 - np.exp(-self._nearest / 2), np.float64)

    def choose(self, index: int) -> None:
        """Note that a candidate will be painted."""
        self._lower(self._candidates[index])

    def _lower(self, look: NDArray[np.float64]) -> None:
        np.minimum(self._nearest, ((self._candidates - look) ** 2).sum(1), out=self._nearest)
