"""How logits become a prediction: how sure to be, and how far the classes that fill an image are believed before others."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_TINY: Final = 1e-6


@dataclass(frozen=True)
class Readout:
    """What a round leaves beside the weights; training does not see it."""

    temperature: float = 1.0
    """Divides the logits, above 0."""
    image_prior: float = 0.0
    """Exponent of an image's class shares, 0 to 1."""

    def __post_init__(self) -> None:
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"a temperature of {self.temperature!r}")
        if not 0 <= self.image_prior <= 1:
            raise ValueError(f"an image prior of {self.image_prior!r}")


def class_weights(probabilities: Floats, exponent: float) -> Floats:
    """What the probabilities of one image are multiplied with, so that classes with more of it are believed before others.

    ``w(k) = pi(k)^a``, with ``pi(k)`` the mean of ``p(k)`` over the image: one step of the correction of class priors by Saerens et al.,
    "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 2002, image by image and tempered by
    ``a`` (ours). People paint rare classes as readily as common ones, and DyCE weighs them alike: a model that learnt so finds
    rare classes in images that have none. What an image shows elsewhere puts some of their rarity back.

    Parameters
    ----------
    probabilities
        (K, H, W), summing to 1 over K.
    exponent
        a, 0 to 1; 0 leaves all as it is.

    Returns
    -------
    Floats
        (K,), the largest 1.
    """
    if exponent == 0:
        return np.ones(len(probabilities), np.float32)
    shares = probabilities.mean((1, 2), dtype=np.float64) + _TINY
    return np.asarray((shares / shares.max()) ** exponent, np.float32)
