"""Whether a person painted classes as much as they cover, or all alike."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_SHARE: Final = 1e-4
_LEAST_SPREAD: Final = 0.1
"""Standard deviation of the logarithms below which classes cover so nearly alike that nothing can be told, and nothing matters."""


def proportionality(painted: Floats, covered: Floats) -> float:
    """Slope of the logarithm of what was painted with the logarithm of what is covered, over the painted classes (ours).

    Parameters
    ----------
    painted
        (K,) painted pixels of each class, at least 0.
    covered
        (K,) share of the images that each class covers, or any multiple of it.

    Returns
    -------
    float
        1: classes are painted in proportion to their area, as dense labels are; 0: all alike, however rare they are. Within 0 and 1; 1
        if there are fewer than two classes or if they cover alike.
    """
    chosen = painted > 0
    if chosen.sum() < 2 or covered.sum() <= 0:
        return 1.0
    area = np.log(np.maximum(covered[chosen] / covered.sum(), _LEAST_SHARE))
    if area.std() < _LEAST_SPREAD:
        return 1.0
    strokes = np.log(painted[chosen])
    centred = area - area.mean()
    return float(np.clip((centred * (strokes - strokes.mean())).sum() / (centred**2).sum(), 0, 1))
