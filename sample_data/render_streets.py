"""Render the street data: source = day in colour, target and eval = foggy night in the near infrared.

Every picture has its own seed, so one picture can be rendered again without the others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rendering.dataset_files import Domain, write_dataset
from rendering.daylight import light_by_day, random_daylight
from rendering.near_infrared import in_near_infrared
from rendering.nightlight import light_by_night, random_night
from rendering.palette import STREET_CLASSES
from rendering.scribbles import Hand
from rendering.sensor import day_sensor, expose, infrared_sensor, shrink, shrink_labels
from rendering.street_builder import build_scene

WIDTH, HEIGHT, SUPERSAMPLING = 288, 208, 2
COUNTS: dict[Domain, int] = {"source": 48, "target": 24, "eval": 12}
SEED = 20250
HAND = Hand(longest=60)


def render_street(domain: Domain, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Picture (208, 288, 3) and labels (208, 288), uint8, of one street."""
    rng = np.random.default_rng([SEED, list(COUNTS).index(domain), index])
    scene = build_scene(rng, WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING)
    if domain == "source":
        light, sensor = light_by_day(scene, random_daylight(rng), rng), day_sensor(rng)
    else:
        light, sensor = light_by_night(in_near_infrared(scene), random_night(rng), rng), infrared_sensor(rng)
    label = shrink_labels(scene.buffer.label, scene.buffer.depth, SUPERSAMPLING)
    return expose(shrink(light, SUPERSAMPLING), sensor, rng), label


def write_streets(folder: Path) -> None:
    """Render the whole data set into `folder`."""
    write_dataset(folder, STREET_CLASSES, COUNTS, render_street, SEED, HAND)


if __name__ == "__main__":
    write_streets(Path(__file__).parent / "streets")
