"""The G-buffer: what every pixel sees (class, colour, place, direction, glow), before any light falls on it.

Three primitives fill it, each with a depth test: the ground, flat polygons, and rounded capsules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.draw import polygon as polygon_pixels

from rendering.camera import NEAR, PinholeCamera, clip_near

Floats = NDArray[np.float64]
Pixels = NDArray[np.intp]


@dataclass
class Surface:
    """What a material says about N points; every field broadcasts to its shape.

    Attributes
    ----------
    albedo
        (N, 3) sRGB colour, 0 to 1.
    emission
        (N, 3) linear light sent out at night; 1 is a well lit window.
    gloss
        (N,) share of sky mirrored, 0 to 1.
    retro
        (N,) how strongly head lamps are thrown back, 0 to 1.
    solid
        (N,) bool; where False only the class is written (the gaps of a railing), or None for solid throughout.
    """

    albedo: ArrayLike
    emission: ArrayLike = 0.0
    gloss: ArrayLike = 0.0
    retro: ArrayLike = 0.0
    solid: NDArray[np.bool_] | None = None


Material = Callable[[Floats, Floats, Floats], Surface]
"""Local coordinates in metres (a along, b up) and depth, each (N,), to a Surface."""


def plain(albedo: ArrayLike, emission: ArrayLike = 0.0, gloss: float = 0.0, retro: float = 0.0) -> Material:
    """A material that is the same everywhere."""
    return lambda _a, _b, _z: Surface(albedo, emission, gloss, retro)


class GBuffer:
    """Arrays of shape (H, W[, 3]) that the primitives fill; a fresh one shows sky everywhere."""

    def __init__(self, camera: PinholeCamera, sky_label: int) -> None:
        shape = (camera.height, camera.width)
        self.camera = camera
        self.label = np.full(shape, sky_label, np.uint8)
        self.depth = np.full(shape, np.inf)
        self.albedo = np.zeros((*shape, 3))
        self.emission = np.zeros((*shape, 3))
        self.normal = np.zeros((*shape, 3))
        self.point = np.zeros((*shape, 3))
        self.gloss = np.zeros(shape)
        self.retro = np.zeros(shape)

    def write(
        self, rows: Pixels, cols: Pixels, points: Floats, normals: Floats, surface: Surface, label: int
    ) -> None:
        """Put N surface points into their pixels where they are nearer than what stands there."""
        near = (points[:, 2] > NEAR) & (points[:, 2] < self.depth[rows, cols])
        self.label[rows[near], cols[near]] = label
        if surface.solid is not None:
            near &= surface.solid
        rows_near, cols_near = rows[near], cols[near]
        self.depth[rows_near, cols_near] = points[near, 2]
        self.point[rows_near, cols_near] = points[near]
        self.normal[rows_near, cols_near] = np.broadcast_to(normals, points.shape)[near]
        self.albedo[rows_near, cols_near] = np.broadcast_to(surface.albedo, points.shape)[near]
        self.emission[rows_near, cols_near] = np.broadcast_to(surface.emission, points.shape)[near]
        self.gloss[rows_near, cols_near] = np.broadcast_to(surface.gloss, near.shape)[near]
        self.retro[rows_near, cols_near] = np.broadcast_to(surface.retro, near.shape)[near]

    def polygon(self, corners: ArrayLike, material: Material, label: int, lift: float = 0.0) -> None:
        """Draw a flat polygon.

        Parameters
        ----------
        corners
            (N, 3) world points. The first is the origin of the material's coordinates, the first edge its a axis.
        material
            Colour by local position.
        label
            Class value.
        lift
            Metres by which it is drawn nearer, so that a lamp lies on a body instead of inside it.
        """
        outline = np.asarray(corners, float)
        visible = clip_near(outline)
        axis_a, axis_b, normal = _axes(outline)
        if len(visible) < 3:
            return
        flat = self.camera.project(visible)
        rows, cols = polygon_pixels(flat[:, 1], flat[:, 0], self.label.shape)
        rays = self.camera.rays(rows, cols)
        facing = rays @ normal
        usable = np.abs(facing) > 1e-6
        rows, cols, rays, facing = rows[usable], cols[usable], rays[usable], facing[usable]
        depth = ((outline[0] - self.camera.eye) @ normal) / facing
        points = self.camera.eye + rays * depth[:, None]
        a, b = (points - outline[0]) @ axis_a, (points - outline[0]) @ axis_b
        surface = material(a, b, depth)
        points = points * np.array([1, 1, 1]) - np.array([0, 0, lift])
        toward = normal * -np.sign(facing)[:, None]
        self.write(rows, cols, points, toward, surface, label)

    def capsule(
        self, start: ArrayLike, end: ArrayLike, radii: tuple[float, float], material: Material, label: int
    ) -> None:
        """Draw a rounded rod from `start` to `end` (3,), its radii in metres; a ball where both ends agree."""
        ends = np.array([start, end], float)
        if ends[:, 2].min() < NEAR + 0.2:
            return
        flat = self.camera.project(ends)
        # A rod thinner than a pixel would break into dots; real optics would smear it instead.
        sizes = np.maximum(np.array(radii) * self.camera.focal / ends[:, 2], 0.55)
        rows, cols = _box(flat, sizes, self.label.shape)
        if rows.size == 0:
            return
        along, offset = _along_segment(cols, rows, flat)
        size = sizes[0] + (sizes[1] - sizes[0]) * along
        across = np.hypot(offset[:, 0], offset[:, 1]) / size
        inside = across < 1
        rows, cols, along, offset, size = (
            rows[inside],
            cols[inside],
            along[inside],
            offset[inside],
            size[inside],
        )
        bulge = np.sqrt(1 - across[inside] ** 2)
        depth = (
            ends[0, 2]
            + (ends[1, 2] - ends[0, 2]) * along
            - bulge * size * ends[:, 2].mean() / self.camera.focal
        )
        points = self.camera.eye + self.camera.rays(rows, cols) * depth[:, None]
        normals = np.stack([offset[:, 0] / size, -offset[:, 1] / size, -bulge], 1)
        length = float(np.linalg.norm(ends[1] - ends[0]))
        self.write(rows, cols, points, normals, material(offset[:, 0] / size, along * length, depth), label)


def _axes(outline: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit vectors along the first edge, up within the plane, and across it."""
    axis_a = (outline[1] - outline[0]) / np.linalg.norm(outline[1] - outline[0])
    spread = outline - outline[0]
    spread = spread - (spread @ axis_a)[:, None] * axis_a
    up = spread[np.argmax(np.linalg.norm(spread, axis=1))]
    axis_b = up / np.linalg.norm(up)
    return axis_a, axis_b, np.cross(axis_a, axis_b)


def _box(flat: Floats, sizes: Floats, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """All pixels of the box around two discs."""
    low = np.floor((flat - sizes[:, None]).min(0)).astype(int)
    high = np.ceil((flat + sizes[:, None]).max(0)).astype(int) + 1
    cols, rows = np.meshgrid(
        np.arange(max(low[0], 0), min(high[0], shape[1])), np.arange(max(low[1], 0), min(high[1], shape[0]))
    )
    return rows.ravel(), cols.ravel()


def _along_segment(cols: Pixels, rows: Pixels, flat: Floats) -> tuple[Floats, Floats]:
    """Position 0 to 1 along the segment, and the offset (N, 2) from it in pixels."""
    here = np.stack([cols, rows], 1) - flat[0]
    step = flat[1] - flat[0]
    along = np.clip(here @ step / max(float(step @ step), 1e-9), 0, 1)
    return along, here - along[:, None] * step
