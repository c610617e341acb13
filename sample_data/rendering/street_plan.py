"""The plan of one street: where the road runs, how wide it is, what lines its sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rendering.camera import PinholeCamera

Floats = NDArray[np.float64]
SideKind = Literal["houses", "shops", "park"]


@dataclass(frozen=True)
class StreetPlan:
    """Numbers that fix a street; lengths in metres.

    Attributes
    ----------
    lane_offset
        How far right of the middle of the road the camera is.
    yaw, curvature
        Direction of the road at the camera (radians) and its change per metre.
    half_road, sidewalk
        Half width of the road and width of each sidewalk.
    sides
        What stands on the left and on the right.
    crossing
        Distance of the zebra crossing, or None.
    has_lane_marks
        Whether a broken middle line is painted.
    """

    lane_offset: float
    yaw: float
    curvature: float
    half_road: float
    sidewalk: float
    sides: tuple[SideKind, SideKind]
    crossing: float | None
    has_lane_marks: bool

    def middle(self, z: ArrayLike) -> Floats:
        """World x of the middle of the road at depth z."""
        z = np.asarray(z, float)
        return np.asarray(self.yaw * z + 0.5 * self.curvature * z**2 - self.lane_offset)

    def heading(self, z: float) -> float:
        """Direction of the road at depth z in radians, 0 straight ahead, positive to the right."""
        return float(np.arctan(self.yaw + self.curvature * z))

    def place(self, lateral: float, z: float, height: float = 0.0) -> Floats:
        """World point (3,) at `lateral` metres right of the middle of the road."""
        return np.array([float(self.middle(z)) + lateral, height, z])

    @property
    def building_line(self) -> float:
        """Lateral distance of the facades."""
        return self.half_road + self.sidewalk


def random_camera(rng: np.random.Generator, width: int, height: int) -> PinholeCamera:
    """A dash-board or tripod camera: eye 1.3 to 2.1 m above the ground, 55 to 70 degrees wide."""
    return PinholeCamera(
        width,
        height,
        focal=width * rng.uniform(0.72, 0.95),
        horizon=height * rng.uniform(0.46, 0.57),
        eye_height=rng.uniform(1.3, 2.1),
    )


def random_plan(rng: np.random.Generator) -> StreetPlan:
    """Draw a street."""
    half_road = rng.uniform(3.6, 5.6)
    kinds: list[SideKind] = ["houses", "shops", "park"]
    left, right = rng.choice(3, 2, p=[0.4, 0.3, 0.3])
    return StreetPlan(
        lane_offset=rng.uniform(0.2, 0.55) * half_road,
        yaw=rng.uniform(-0.06, 0.06),
        curvature=rng.choice([0.0, 1.0]) * rng.uniform(-0.0035, 0.0035),
        half_road=half_road,
        sidewalk=rng.uniform(2.2, 4.2),
        sides=(kinds[left], kinds[right]),
        crossing=rng.uniform(9, 22) if rng.random() < 0.45 else None,
        has_lane_marks=bool(rng.random() < 0.75),
    )
