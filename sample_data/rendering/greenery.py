"""Trees, hedges and bushes: balls of noisy leaves on branching rods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.gbuffer import GBuffer, Surface, plain
from rendering.palette import TREE
from rendering.textures import NoiseTile

Floats = NDArray[np.float64]
LEAVES = np.array(
    [
        [0.30, 0.44, 0.18],
        [0.36, 0.48, 0.20],
        [0.24, 0.38, 0.17],
        [0.46, 0.50, 0.20],
        [0.58, 0.44, 0.16],
        [0.34, 0.42, 0.28],
    ]
)
BARK = np.array([0.32, 0.26, 0.21])


def leaf_colour(rng: np.random.Generator) -> Floats:
    """One kind of leaf, (3,) sRGB."""
    return np.asarray(LEAVES[rng.integers(len(LEAVES))] * rng.uniform(0.85, 1.15))


def draw_leaves(
    buffer: GBuffer, centre: Floats, radius: float, colour: Floats, noise: NoiseTile, seed: float
) -> None:
    """A ball of leaves whose rim is ragged and whose lighting flickers from leaf to leaf."""
    camera = buffer.camera
    if centre[2] - radius < 1.0:
        return
    (u, v), reach = camera.project(centre[None])[0], radius * camera.focal / centre[2]
    low_r, high_r = max(int(v - 1.4 * reach), 0), min(int(v + 1.4 * reach) + 2, camera.height)
    low_c, high_c = max(int(u - 1.4 * reach), 0), min(int(u + 1.4 * reach) + 2, camera.width)
    if low_r >= high_r or low_c >= high_c:
        return
    rows, cols = (grid.ravel() for grid in np.mgrid[low_r:high_r, low_c:high_c])
    x, y = (cols - u) / reach, (v - rows) / reach
    grain = noise.at(x * radius + seed, y * radius + seed * 0.7, 0.045)
    clump = noise.at(x * radius - seed, y * radius + seed, 0.16)
    across = np.hypot(x, y) + 0.13 * grain + 0.10 * clump
    inside = across < 1
    rows, cols, x, y, grain, clump = (array[inside] for array in (rows, cols, x, y, grain, clump))
    bulge = np.sqrt(1 - np.clip(across[inside], 0, 1) ** 2)
    points = (
        camera.eye + camera.rays(rows, cols) * (centre[2] - bulge * radius + 0.15 * radius * clump)[:, None]
    )
    normals = np.stack([x + 0.45 * grain, y + 0.45 * clump + 0.15, -bulge - 0.2], 1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shade = np.clip(0.78 + 0.25 * y + 0.22 * grain + 0.10 * clump, 0.15, 1.5)
    buffer.write(rows, cols, points, normals, Surface(np.clip(colour * shade[:, None], 0, 1)), TREE)


def draw_tree(
    buffer: GBuffer, foot: Floats, height: float, colour: Floats, noise: NoiseTile, rng: np.random.Generator
) -> None:
    """A street tree: trunk, four to six branches, a crown of leaf balls."""
    trunk = rng.uniform(0.30, 0.42) * height
    fork = foot + np.array([rng.normal(0, 0.1), trunk, 0.0])
    thick = 0.022 * height + 0.05
    buffer.capsule(foot, fork, (thick * 1.2, thick), plain(BARK), TREE)
    crown = fork + np.array([0.0, 0.32 * height, 0.0])
    spread = np.array([0.27, 0.32, 0.27]) * height
    for _ in range(int(rng.integers(4, 7))):
        buffer.capsule(
            fork, crown + rng.uniform(-0.6, 0.6, 3) * spread, (thick * 0.6, 0.03), plain(BARK), TREE
        )
    for _ in range(int(rng.integers(26, 44))):
        direction = rng.standard_normal(3)
        offset = direction / np.linalg.norm(direction) * rng.uniform(0.25, 1.0) * spread
        tone = 0.75 + 0.35 * (offset[1] / spread[1] + 1) / 2 + rng.normal(0, 0.06)
        draw_leaves(
            buffer,
            crown + offset,
            height * rng.uniform(0.07, 0.14),
            colour * tone,
            noise,
            float(rng.uniform(0, 99)),
        )


def draw_hedge(
    buffer: GBuffer,
    start: Floats,
    end: Floats,
    height: float,
    colour: Floats,
    noise: NoiseTile,
    rng: np.random.Generator,
) -> None:
    """A row of bushes between two points on the ground, dense enough to hide what is behind."""
    count = max(2, int(np.linalg.norm(end - start) / (0.55 * height)))
    for t in np.linspace(0, 1, count):
        foot = start + (end - start) * t
        for level in (0.25, 0.65):
            centre = foot + np.array([rng.normal(0, 0.15), level * height, rng.normal(0, 0.15)])
            draw_leaves(
                buffer,
                centre,
                height * rng.uniform(0.36, 0.5),
                colour * rng.uniform(0.8, 1.1),
                noise,
                float(rng.uniform(0, 99)),
            )
