"""Seeded noise, the raw stuff of every texture: asphalt, leaves, clouds, cytoplasm."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

Floats = NDArray[np.float64]


def fractal_noise(rng: np.random.Generator, size: int, exponent: float) -> Floats:
    """Tileable noise (size, size), mean 0, standard deviation 1, with a power spectrum of 1 / f^exponent."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * frequency ** (-exponent / 2)
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(noise / noise.std())


class NoiseTile:
    """Fractal noise that can be read anywhere on a plane.

    Parameters
    ----------
    rng
        Random generator.
    size
        Side of the tile in cells; it repeats beyond.
    exponent
        Slope of the spectrum; 1 is gritty, 3 is cloudy.
    """

    def __init__(self, rng: np.random.Generator, size: int = 256, exponent: float = 2.0) -> None:
        self._tile = fractal_noise(rng, size, exponent)

    def at(self, a: ArrayLike, b: ArrayLike, cell: float = 1.0) -> Floats:
        """Noise at positions (a, b) where one cell of the tile measures `cell` in the same unit."""
        where = np.stack(np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))) / cell
        return np.asarray(map_coordinates(self._tile, where, order=1, mode="grid-wrap"))


def cell_random(i: ArrayLike, j: ArrayLike, seed: int) -> Floats:
    """A fixed random number in [0, 1) for each grid cell (i, j): lit windows, shades of bricks."""
    x = np.asarray(i).astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x ^= np.asarray(j).astype(np.int64).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(seed)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(32)
    return np.asarray((x & np.uint64(0xFFFFFF)).astype(float) / 0x1000000)


def smoothstep(low: float, high: float, x: ArrayLike) -> Floats:
    """0 below `low`, 1 above `high`, a smooth cubic between."""
    t = np.clip((np.asarray(x, float) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
