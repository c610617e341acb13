"""Who and what stands and moves on a street: posts, vehicles, pedestrians, bicyclists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.furniture import (
    SIGN_KINDS,
    STEEL,
    draw_bollard,
    draw_lamp_post,
    draw_sign_post,
    draw_traffic_light,
)
from rendering.people import draw_bicyclist, draw_pedestrian
from rendering.shadows import Caster, disc
from rendering.street_plan import StreetPlan
from rendering.street_scene import SIDES, StreetScene
from rendering.vehicles import Vehicle, draw_vehicle, random_vehicle

Floats = NDArray[np.float64]


def place_posts(scene: StreetScene) -> None:
    """Lamp posts, signs, traffic lights and bollards along both kerbs."""
    rng, plan = scene.rng, scene.plan
    steel = STEEL[rng.integers(len(STEEL))]
    step, height = rng.uniform(15, 24), rng.uniform(5.0, 7.5)
    sides = SIDES if rng.random() < 0.6 else (int(rng.choice(SIDES)),)
    for side in sides:
        for z in np.arange(rng.uniform(8, 16), 95, step)[::-1]:
            foot = plan.place(side * (plan.half_road + 0.45), z)
            scene.taken.append((side * (plan.half_road + 0.45), z))
            scene.lamps.append(draw_lamp_post(scene.buffer, foot, height, side, scene.lamp_colour, steel))
            scene.casters.append(Caster(disc(foot[0], foot[2], 0.12), 0.0, height))
    for _ in range(int(rng.integers(3, 7))):
        _place_sign(scene, steel)
    if plan.crossing is not None and rng.random() < 0.75:
        shows = int(rng.integers(3))
        for side in SIDES:
            foot = plan.place(side * (plan.half_road + 0.5), plan.crossing - 0.4)
            scene.taken.append((side * (plan.half_road + 0.5), plan.crossing - 0.4))
            draw_traffic_light(scene.buffer, foot, rng.uniform(2.9, 3.5), shows, steel)
    if rng.random() < 0.3:
        side = int(rng.choice(SIDES))
        for z in np.arange(rng.uniform(6, 10), 40, rng.uniform(2.0, 3.5))[::-1]:
            if scene.is_free(side * (plan.half_road + 0.4), z, 0.5):
                draw_bollard(scene.buffer, plan.place(side * (plan.half_road + 0.4), z), steel)


def _place_sign(scene: StreetScene, steel: Floats) -> None:
    rng, plan = scene.rng, scene.plan
    side, z = int(rng.choice(SIDES)), float(6.5 + 30 * rng.beta(1.1, 1.8))
    lateral = side * (plan.half_road + rng.uniform(0.4, 0.8))
    if scene.is_free(lateral, z, 0.8):
        kinds = [
            SIGN_KINDS[k] for k in rng.choice(len(SIGN_KINDS), int(rng.choice([1, 1, 2])), replace=False)
        ]
        foot = plan.place(lateral, z)
        draw_sign_post(
            scene.buffer,
            foot,
            rng.uniform(2.4, 3.3),
            kinds,
            rng.uniform(0.62, 0.9),
            steel,
            rng.uniform(-0.4, 0.4),
        )
        scene.casters.append(Caster(disc(foot[0], foot[2], 0.08), 0.0, 2.6))


def _add_vehicle(scene: StreetScene, vehicle: Vehicle) -> None:
    scene.vehicles.append(vehicle)
    half, long = vehicle.shape.width / 2, vehicle.shape.length / 2
    corners = vehicle.world(
        [(x, 0, z) for x, z in ((-half, -long), (half, -long), (half, long), (-half, long))]
    )
    scene.casters.append(Caster(corners[:, [0, 2]], 0.2, vehicle.shape.belt))
    scene.casters.append(
        Caster(
            corners.mean(0)[[0, 2]] + 0.7 * (corners[:, [0, 2]] - corners.mean(0)[[0, 2]]),
            0.2,
            vehicle.shape.roof,
        )
    )
    draw_vehicle(scene.buffer, vehicle)


def park_cars(scene: StreetScene) -> None:
    """Rows of parked cars with gaps."""
    rng, plan = scene.rng, scene.plan
    for side in SIDES:
        density = rng.choice([0.0, 0.35, 0.75])
        for z in np.arange(rng.uniform(5.5, 9), 70, 6.0)[::-1]:
            if rng.random() < density and (plan.crossing is None or abs(z - plan.crossing - 1.5) > 5):
                heading = plan.heading(z) + (np.pi if side < 0 else 0.0) + rng.normal(0, 0.02)
                foot = plan.place(side * (plan.half_road - 1.15), z + rng.uniform(-0.5, 0.5))
                _add_vehicle(scene, random_vehicle(rng, foot, heading, False))
                scene.taken.append((side * (plan.half_road - 1.15), z))


def drive_cars(scene: StreetScene) -> None:
    """Traffic ahead in the own lane, and oncoming."""
    rng, plan = scene.rng, scene.plan
    lane = 0.36 * plan.half_road
    for side, first, turn in ((1, 11.0, 0.0), (-1, 9.0, np.pi)):
        z = first + rng.exponential(14)
        while z < 75:
            foot = plan.place(side * lane + rng.normal(0, 0.15), z)
            _add_vehicle(scene, random_vehicle(rng, foot, plan.heading(z) + turn, True, 0.08))
            scene.taken += [(side * lane, z + offset) for offset in (-1.5, 0.0, 1.5)]
            z += rng.uniform(12, 40)


def _pedestrian_spots(plan: StreetPlan, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Lateral position, depth and heading of people on the sidewalks, some in pairs, some on the crossing."""
    spots: list[tuple[float, float, float]] = []
    for _ in range(int(rng.integers(4, 10))):
        side, z = int(rng.choice(SIDES)), float(5.5 + 28 * rng.beta(1.2, 2.0))
        lateral = side * (plan.half_road + rng.uniform(0.9, plan.sidewalk - 0.5))
        heading = plan.heading(z) + rng.choice([0.0, np.pi]) + rng.normal(0, 0.35)
        spots.append((lateral, z, heading))
        if rng.random() < 0.3:
            spots.append((lateral + 0.62, z + 0.1, heading))
    crossing = int(rng.integers(0, 3)) if plan.crossing is not None else 0
    for _ in range(crossing):
        lateral, along = rng.uniform(-0.8, 0.8) * plan.half_road, rng.uniform(0.5, 2.5)
        spots += [(lateral, (plan.crossing or 0.0) + along, rng.choice([-1, 1]) * np.pi / 2)]
    return spots


def place_people(scene: StreetScene) -> None:
    """Pedestrians, far ones first."""
    rng, plan = scene.rng, scene.plan
    spots = _pedestrian_spots(plan, rng)
    for lateral, z, heading in sorted(spots, key=lambda spot: -spot[1]):
        if scene.is_free(lateral, z, 0.55):
            height = rng.uniform(1.55, 1.92) if rng.random() < 0.87 else rng.uniform(1.0, 1.4)
            foot = plan.place(lateral, z)
            draw_pedestrian(scene.buffer, foot, heading, height, rng)
            scene.casters.append(Caster(disc(foot[0], foot[2], 0.22), 0.0, height))


def place_bicyclists(scene: StreetScene) -> None:
    """Riders near the kerb, along the road or across it."""
    rng, plan = scene.rng, scene.plan
    spots = []
    for _ in range(int(rng.choice([2, 3, 4], p=[0.4, 0.4, 0.2]))):
        side, z = int(rng.choice(SIDES)), float(6.5 + 20 * rng.beta(1.2, 1.9))
        across = rng.random() < 0.25
        heading = plan.heading(z) + (0.0 if side > 0 else np.pi) + rng.normal(0, 0.15)
        lateral = side * (plan.half_road * 0.5 + rng.uniform(-0.8, 0.9))
        spots.append((lateral, z, float(rng.choice([-1, 1])) * rng.uniform(1.2, 1.8) if across else heading))
    for lateral, z, heading in sorted(spots, key=lambda spot: -spot[1]):
        if scene.is_free(lateral, z, 1.3):
            foot = plan.place(lateral, z)
            draw_bicyclist(scene.buffer, foot, heading, rng)
            scene.casters.append(Caster(disc(foot[0], foot[2], 0.28), 0.0, 1.7))
