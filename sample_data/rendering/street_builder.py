"""Building a whole street: first what stands, then what moves, see-through things last."""

from __future__ import annotations

import numpy as np

from rendering.gbuffer import GBuffer
from rendering.ground import draw_ground
from rendering.palette import SKY
from rendering.street_plan import random_camera, random_plan
from rendering.street_scene import SIDES, StreetScene
from rendering.street_sides import fence_side, line_far_end, line_side, plant_trees
from rendering.street_traffic import drive_cars, park_cars, place_bicyclists, place_people, place_posts
from rendering.textures import NoiseTile


def build_scene(rng: np.random.Generator, width: int, height: int) -> StreetScene:
    """Draw a random street as seen by a random camera."""
    camera = random_camera(rng, width, height)
    plan = random_plan(rng)
    sodium = rng.random() < 0.6
    lamp_colour = np.array([1.0, 0.55, 0.18]) if sodium else np.array([0.9, 0.95, 1.0])
    scene = StreetScene(GBuffer(camera, SKY), plan, rng, NoiseTile(rng, 256, 1.6), lamp_colour)
    draw_ground(scene.buffer, plan, scene.noise, rng)
    line_far_end(scene)
    for side in SIDES:
        line_side(scene, side)
    plant_trees(scene)
    place_posts(scene)
    park_cars(scene)
    drive_cars(scene)
    place_people(scene)
    for side in SIDES:
        fence_side(scene, side)
    place_bicyclists(scene)
    return scene
