"""The ground: asphalt with its marks, kerbs, paving stones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.gbuffer import GBuffer, Surface
from rendering.palette import ROAD, SIDEWALK, TREE
from rendering.street_plan import StreetPlan
from rendering.textures import NoiseTile, cell_random

Floats = NDArray[np.float64]
FARTHEST = 400.0
KERB = 0.22  # metres


def draw_ground(buffer: GBuffer, plan: StreetPlan, noise: NoiseTile, rng: np.random.Generator) -> None:
    """Fill everything below the horizon with road and sidewalk."""
    camera = buffer.camera
    first = int(np.ceil(camera.horizon + camera.focal * camera.eye_height / FARTHEST))
    rows, cols = (grid.ravel() for grid in np.mgrid[first : camera.height, 0 : camera.width])
    rays = camera.rays(rows, cols)
    points = camera.eye + rays * (camera.eye_height / -rays[:, 1])[:, None]
    lateral = points[:, 0] - plan.middle(points[:, 2])
    on_road = np.abs(lateral) < plan.half_road
    up = np.array([0.0, 1.0, 0.0])
    asphalt = _asphalt(plan, noise, rng, lateral, points[:, 2])
    paving = _paving(plan, noise, rng, lateral, points[:, 2])
    grass = _grass(noise, rng, lateral, points[:, 2])
    wet = rng.choice([0.0, 0.3])
    in_park = (np.abs(lateral) > plan.building_line) & np.where(
        lateral > 0, plan.sides[1] == "park", plan.sides[0] == "park"
    )
    on_foot = ~on_road & ~in_park
    parts = (
        (on_road, asphalt, 0.05 + wet, ROAD),
        (on_foot, paving, 0.03 + wet / 2, SIDEWALK),
        (in_park, grass, 0.0, TREE),
    )
    for where, albedo, gloss, label in parts:
        buffer.write(rows[where], cols[where], points[where], up, Surface(albedo[where], gloss=gloss), label)


def _fade(z: Floats, scale: float) -> Floats:
    """Contrast left at depth z once fine texture melts into its mean."""
    return np.asarray(1 / (1 + (z / scale) ** 2))


def _asphalt(
    plan: StreetPlan, noise: NoiseTile, rng: np.random.Generator, lateral: Floats, z: Floats
) -> Floats:
    """Colour (N, 3): grain, stains, darker wheel tracks, repaired patches, paint."""
    base = rng.uniform(0.27, 0.42)
    tint = np.array([1.0, 0.99, 0.97]) + rng.uniform(-0.03, 0.03, 3)
    grey = (
        base
        + 0.03 * noise.at(lateral, z, 0.03) * _fade(z, 10)
        + 0.012 * noise.at(lateral + 50, z * 0.3, 0.15)
    )
    grey -= (
        0.025
        * np.cos((np.abs(lateral) - plan.half_road / 2) * 4)
        * np.exp(-((np.abs(lateral) - plan.half_road / 2) ** 2))
    )
    seed = int(rng.integers(1 << 30))
    patch = cell_random(np.floor(lateral / 2.3), np.floor(z / 6.1), seed) < 0.1
    grey = np.where(patch, grey * rng.uniform(0.75, 0.9), grey)
    grey = np.where((np.abs(lateral) > plan.half_road - 0.35), grey * 0.85, grey)
    albedo = np.clip(grey, 0.05, 0.9)[:, None] * tint
    worn = np.clip(0.85 + 0.12 * noise.at(lateral, z, 0.05), 0.3, 1)[:, None]
    paint = _marks(plan, lateral, z)[:, None]
    return np.asarray(np.where(paint, albedo * (1 - worn) + 0.88 * worn, albedo))


def _marks(plan: StreetPlan, lateral: Floats, z: Floats) -> NDArray[np.bool_]:
    """Where paint lies: broken middle line, and the zebra crossing with its stop line."""
    marks = np.zeros(lateral.shape, bool)
    if plan.has_lane_marks:
        marks |= (np.abs(lateral) < 0.08) & (np.mod(z, 6.0) < 3.0)
        marks |= np.abs(np.abs(lateral) - plan.half_road + 0.5) < 0.06
    if plan.crossing is not None:
        zone = (z > plan.crossing) & (z < plan.crossing + 3.0)
        marks = np.where(zone, np.mod(lateral, 1.0) < 0.5, marks)
        marks |= (np.abs(z - plan.crossing + 1.4) < 0.2) & (lateral > 0)
    return np.asarray(marks)


def _grass(noise: NoiseTile, rng: np.random.Generator, lateral: Floats, z: Floats) -> Floats:
    """Colour (N, 3) of a lawn."""
    base = np.array([0.36, 0.44, 0.20]) * rng.uniform(0.8, 1.1)
    shade = 0.16 * noise.at(lateral, z, 0.04) * _fade(z, 14) + 0.07 * noise.at(lateral, z, 0.3)
    return np.asarray(np.clip(base * (1 + shade[:, None]), 0.02, 1))


def _paving(
    plan: StreetPlan, noise: NoiseTile, rng: np.random.Generator, lateral: Floats, z: Floats
) -> Floats:
    """Colour (N, 3): slabs with joints, each a little different, behind a lighter kerb stone."""
    base = np.array([0.60, 0.57, 0.53]) * rng.uniform(0.8, 1.15) + rng.uniform(-0.04, 0.04, 3)
    side = rng.uniform(0.45, 0.9)
    seed = int(rng.integers(1 << 30))
    shade = 0.12 * (cell_random(np.floor(lateral / side), np.floor(z / side), seed) - 0.5) * _fade(z, 25)
    shade += 0.03 * noise.at(lateral, z, 0.04) * _fade(z, 12) + 0.03 * noise.at(lateral + 9, z, 0.2)
    joint = (np.mod(lateral, side) < 0.05) | (np.mod(z, side) < 0.05)
    shade -= 0.13 * joint * _fade(z, 12)
    albedo = base * (1 + shade[:, None])
    kerb = np.abs(lateral) - plan.half_road
    albedo = np.where((kerb < KERB)[:, None], 0.68 * (1 - 0.2 * (np.mod(z, 1.0) < 0.05)[:, None]), albedo)
    return np.asarray(np.where((kerb < 0.06)[:, None], 0.25, albedo))
