"""The pinhole camera: world metres (x right, y up, z forward, eye above the origin) to pixels and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAR = 0.4  # metres; nothing nearer to the eye is drawn


@dataclass(frozen=True)
class PinholeCamera:
    """A level camera; looking up or down is a shift of the horizon, so vertical edges stay vertical.

    Parameters
    ----------
    width, height
        Size of the picture in pixels.
    focal
        Focal length in pixels.
    horizon
        Row of the horizon.
    eye_height
        Height of the eye above the ground in metres.
    """

    width: int
    height: int
    focal: float
    horizon: float
    eye_height: float

    @property
    def eye(self) -> Floats:
        """Position of the eye, (3,) metres."""
        return np.array([0.0, self.eye_height, 0.0])

    def project(self, points: Floats) -> Floats:
        """Columns and rows, (N, 2), of world points (N, 3) with z > 0."""
        scale = self.focal / points[:, 2]
        return np.stack(
            [self.width / 2 + points[:, 0] * scale, self.horizon - (points[:, 1] - self.eye_height) * scale],
            1,
        )

    def rays(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Floats:
        """Viewing directions (N, 3) with z = 1, so that ``eye + z * ray`` is the point at depth z."""
        x = (cols - self.width / 2) / self.focal
        y = (self.horizon - rows) / self.focal
        return np.stack([x, y, np.ones_like(x)], -1)


def clip_near(polygon: Floats) -> Floats:
    """The part of a polygon (N, 3) with z >= NEAR (Sutherland and Hodgman, 1974)."""
    kept: list[Floats] = []
    for here, there in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        inside, next_inside = here[2] >= NEAR, there[2] >= NEAR
        if inside:
            kept.append(here)
        if inside != next_inside:
            kept.append(here + (there - here) * (NEAR - here[2]) / (there[2] - here[2]))
    return np.array(kept).reshape(-1, 3)
