"""What can go wrong with the images of a target domain, besides being of another domain: strong, seeded, the same for every method."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from data_sets import DataSet
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from semidavil_core.data.domains import Domain, MappedDomain, Sample

Image = NDArray[np.uint8]
CAST: Final = np.array([1.0, 0.75, 0.45])  # red, green, blue
_NOISE: Final = 40.0  # grey values of 255
_BLUR: Final = 0.01  # of the shorter side


def noisy(image: Image, rng: np.random.Generator) -> Image:
    """Gaussian noise of 40 grey values."""
    return _clipped(image + rng.normal(0, _NOISE, image.shape))


def blurred(image: Image, _: np.random.Generator) -> Image:
    """Out of focus by a hundredth of the shorter side."""
    sigma = _BLUR * min(image.shape[:2])
    return _clipped(gaussian_filter(image.astype(float), (sigma, sigma, 0)))


def inverted(image: Image, _: np.random.Generator) -> Image:
    """Contrast turned round, under a warm colour cast."""
    return _clipped((255.0 - image) * CAST)


CORRUPTIONS: Final[dict[str, Callable[[Image, np.random.Generator], Image]]] = {
    "noise": noisy,
    "blur": blurred,
    "inverted contrast and colour cast": inverted,
}


def corrupted(data: DataSet, name: str | None) -> DataSet:
    """`data` with all target and evaluation images changed; None changes nothing."""
    if name is None:
        return data
    change = CORRUPTIONS[name]

    def seen(domain: Domain) -> Domain:
        return MappedDomain(domain, lambda sample: _changed(sample, change))

    return replace(data, target=seen(data.target), truth=seen(data.truth), evaluation=seen(data.evaluation))


def _changed(sample: Sample, change: Callable[[Image, np.random.Generator], Image]) -> Sample:
    rng = np.random.default_rng(zlib.crc32(sample.name.encode()))
    return Sample(sample.name, change(sample.image, rng), sample.labels)


def _clipped(values: NDArray[np.float64]) -> Image:
    return np.rint(values).clip(0, 255).astype(np.uint8)
