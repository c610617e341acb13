"""Shadows on the ground, kept as a map seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import ConvexHull
from skimage.draw import polygon as polygon_pixels

Floats = NDArray[np.float64]
CELL = 0.125  # metres per cell
LEFT, FAR = -32.0, 110.0
SHAPE = (int(FAR / CELL), int(-2 * LEFT / CELL))


@dataclass(frozen=True)
class Caster:
    """Something that blocks light: its outline (N, 2) as (x, z), standing from height `base` to `top`, metres."""

    outline: Floats
    base: float
    top: float


def disc(x: float, z: float, radius: float) -> Floats:
    """A round outline, (12, 2)."""
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.stack([x + radius * np.cos(t), z + radius * np.sin(t)], 1)


def _fill(target: Floats, outline: Floats) -> None:
    hull = outline[ConvexHull(outline).vertices]
    rows, cols = polygon_pixels(hull[:, 1] / CELL, (hull[:, 0] - LEFT) / CELL, SHAPE)
    target[rows, cols] = 1.0


def sun_shadow(casters: list[Caster], sun: Floats, softness: float) -> Floats:
    """Share of sunlight blocked, (Z, X) map, for a sun in direction `sun` (3,); `softness` in metres."""
    blocked = np.zeros(SHAPE)
    drift = -np.array([sun[0], sun[2]]) / sun[1]
    for caster in casters:
        _fill(
            blocked,
            np.concatenate([caster.outline + drift * caster.base, caster.outline + drift * caster.top]),
        )
    return np.asarray(gaussian_filter(blocked, softness / CELL))


def contact_shade(casters: list[Caster]) -> Floats:
    """Darkness close under low things, (Z, X) map, 0 to 1; it needs no sun."""
    near = np.zeros(SHAPE)
    for caster in casters:
        if caster.base < 0.5 and caster.top < 4.0:
            _fill(near, caster.outline)
    return np.asarray(gaussian_filter(near, 0.22 / CELL))


def at_points(shadow: Floats, points: Floats) -> Floats:
    """Values of a map under world points (..., 3)."""
    where = np.stack([points[..., 2] / CELL, (points[..., 0] - LEFT) / CELL])
    return np.asarray(map_coordinates(shadow, where, order=1, mode="nearest"))
