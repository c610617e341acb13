"""What a night camera for the near infrared sees: leaves and cloth are bright, asphalt and the sky are black, colours are gone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rendering.palette import (
    BICYCLIST,
    BUILDING,
    CAR,
    FENCE,
    PEDESTRIAN,
    POLE,
    ROAD,
    SIDEWALK,
    SIGN,
    SKY,
    TREE,
)
from rendering.street_scene import StreetScene

Floats = NDArray[np.float64]
LUMINANCE = np.array([0.3, 0.6, 0.1])

_REFLECTANCE: dict[int, tuple[float, float]] = {
    SKY: (0.0, 0.0),
    BUILDING: (0.10, 0.65),
    POLE: (0.10, 0.60),
    ROAD: (0.02, 0.55),
    SIDEWALK: (0.12, 0.60),
    TREE: (0.20, 2.60),  # chlorophyll hardly absorbs beyond 700 nm: leaves shine
    SIGN: (0.25, 0.60),
    FENCE: (0.16, 0.60),
    CAR: (0.03, 0.40),
    PEDESTRIAN: (0.42, 0.50),  # most dyes are transparent there, so dark clothes are bright too
    BICYCLIST: (0.42, 0.50),
}
"""Near-infrared reflectance by class: what is left without any visible light, and its growth with visible luminance."""


def in_near_infrared(scene: StreetScene) -> StreetScene:
    """The same street with grey near-infrared reflectances (sRGB-coded, like every albedo) in place of its colours."""
    buffer = copy.copy(scene.buffer)
    luminance = buffer.albedo**2.2 @ LUMINANCE
    base, slope = (np.array([_REFLECTANCE[k][i] for k in sorted(_REFLECTANCE)]) for i in (0, 1))
    reflectance = np.clip(base[buffer.label] + slope[buffer.label] * luminance, 0, 0.9)
    buffer.albedo = np.repeat(reflectance[..., None] ** (1 / 2.2), 3, axis=-1)
    return replace(scene, buffer=buffer)
