"""What lines a street: houses, parks, trees, fences, and whatever closes the view."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rendering.facades import draw_building, random_facade
from rendering.furniture import STEEL, draw_fence, fence_material
from rendering.greenery import draw_hedge, draw_leaves, draw_tree, leaf_colour
from rendering.palette import BUILDING
from rendering.shadows import Caster, disc
from rendering.street_scene import SIDES, StreetScene

Floats = NDArray[np.float64]
FENCE_STYLES: tuple[Literal["boards", "railing", "pickets"], ...] = ("boards", "railing", "pickets")


def line_far_end(scene: StreetScene) -> None:
    """What closes the view: a wood, a house across, or nothing but sky."""
    ending = scene.rng.random()
    colour = leaf_colour(scene.rng)
    if ending < 0.55:
        for x in np.arange(-90, 90, 5.0):
            centre = np.array([x, scene.rng.uniform(1, 3), scene.rng.uniform(125, 140)])
            draw_leaves(
                scene.buffer,
                centre,
                scene.rng.uniform(4, 7.5),
                colour * scene.rng.uniform(0.8, 1.1),
                scene.noise,
                x,
            )
    else:
        for x in np.arange(-70, 70, 14.0):
            facade = random_facade(scene.rng, scene.noise, False)
            ends = [np.array([x, 0.0, 130.0]), np.array([x + 14.0, 0.0, 130.0])]
            up = np.array([0.0, facade.height, 0.0])
            scene.buffer.polygon([ends[0], ends[1], ends[1] + up, ends[0] + up], facade, BUILDING)


def line_side(scene: StreetScene, side: int) -> None:
    """Houses or a park along one side."""
    kind = scene.plan.sides[(side + 1) // 2]
    rng = scene.rng
    if kind == "park":
        _plant_park(scene, side)
        return
    z = -6.0 + rng.uniform(0, 6)
    while z < 120:
        length = rng.uniform(8, 18)
        facade = random_facade(rng, scene.noise, kind == "shops" and rng.random() < 0.8)
        roof = (
            np.array([0.42, 0.25, 0.20]) * rng.uniform(0.7, 1.2)
            if facade.height < 12 and rng.random() < 0.7
            else None
        )
        draw_building(scene.buffer, scene.plan, side, max(z, 0.45), z + length, facade, roof)
        corners = [
            scene.plan.place(side * (scene.plan.building_line + deep), at)
            for at in (z, z + length)
            for deep in (0, 10)
        ]
        scene.casters.append(Caster(np.array([[c[0], c[2]] for c in corners]), 0.0, facade.height))
        z += length + (rng.uniform(2.5, 7) if rng.random() < 0.25 else 0.0)


def _plant_park(scene: StreetScene, side: int) -> None:
    """A hedge and a row of trees behind the sidewalk."""
    rng, plan = scene.rng, scene.plan
    colour = leaf_colour(rng)
    height = rng.uniform(1.2, 2.2)
    for start in np.arange(96, 1, -6.0):
        ends = [
            plan.place(side * (plan.building_line + 0.5 * height + 0.3), z)
            for z in (max(start, 2.2), start + 6)
        ]
        draw_hedge(scene.buffer, ends[0], ends[1], height, colour, scene.noise, rng)
    for z in np.arange(95, 7, -rng.uniform(6, 9)):
        foot = plan.place(side * (plan.building_line + rng.uniform(2, 7)), z + rng.uniform(-2, 2))
        _one_tree(scene, foot, rng.uniform(6, 11), leaf_colour(rng) * 0.5 + colour * 0.5)


def _one_tree(scene: StreetScene, foot: Floats, height: float, colour: Floats) -> None:
    draw_tree(scene.buffer, foot, height, colour, scene.noise, scene.rng)
    scene.casters.append(Caster(disc(foot[0], foot[2], 0.15), 0.0, 0.5 * height))
    for _ in range(7):
        dx, dz = scene.rng.normal(0, 0.12 * height, 2)
        scene.casters.append(
            Caster(disc(foot[0] + dx, foot[2] + dz, 0.09 * height), 0.55 * height, 0.8 * height)
        )


def plant_trees(scene: StreetScene) -> None:
    """Street trees at the kerb of some streets."""
    rng, plan = scene.rng, scene.plan
    for side in SIDES:
        if rng.random() < 0.45:
            step, colour = rng.uniform(9, 16), leaf_colour(rng)
            for z in np.arange(rng.uniform(9, 18), 90, step)[::-1]:
                lateral = side * (plan.half_road + 0.75)
                if scene.is_free(lateral, z):
                    _one_tree(
                        scene, plan.place(lateral, z), rng.uniform(4.5, 7.5), colour * rng.uniform(0.9, 1.1)
                    )


def fence_side(scene: StreetScene, side: int) -> None:
    """A fence before a park, and now and then one at the kerb or before a house."""
    rng, plan = scene.rng, scene.plan
    kind = plan.sides[(side + 1) // 2]
    if rng.random() > (0.85 if kind == "park" else 0.35):
        return
    style = FENCE_STYLES[int(rng.integers(3))]
    height = rng.uniform(0.9, 1.6)
    colour = (
        STEEL[rng.integers(len(STEEL))]
        if style == "railing"
        else np.array([0.55, 0.42, 0.30]) * rng.uniform(0.7, 1.5)
    )
    material = fence_material(
        style, height, np.clip(colour, 0, 0.95), scene.noise, int(rng.integers(1 << 30))
    )
    line = plan.building_line - 0.25
    first = 3.0 if kind == "park" else rng.uniform(5, 14)
    last = 90.0 if kind == "park" else first + rng.uniform(10, 25)
    for z in np.arange(first, last, 6.0)[::-1]:
        draw_fence(
            scene.buffer,
            plan.place(side * line, z),
            plan.place(side * line, min(z + 6.0, last)),
            height,
            material,
        )
        ends = [plan.place(side * (line + w), at) for at in (z, z + 6) for w in (-0.03, 0.03)]
        scene.casters.append(Caster(np.array([[e[0], e[2]] for e in ends]), 0.0, height))
