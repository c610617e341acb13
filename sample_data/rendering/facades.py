"""Buildings: facades with windows, shop fronts, brick and plaster, end walls and pitched roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.gbuffer import GBuffer, Surface
from rendering.palette import BUILDING
from rendering.street_plan import StreetPlan
from rendering.textures import NoiseTile, cell_random

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WALL_COLOURS = np.array(
    [[0.62, 0.32, 0.25], [0.72, 0.48, 0.36], [0.82, 0.75, 0.62], [0.80, 0.78, 0.74], [0.70, 0.62, 0.50],
     [0.55, 0.36, 0.30], [0.85, 0.70, 0.50], [0.62, 0.66, 0.68], [0.76, 0.60, 0.56], [0.50, 0.48, 0.46]]
)  # fmt: skip
SHOP_COLOURS = np.array(
    [
        [0.65, 0.12, 0.12],
        [0.10, 0.25, 0.50],
        [0.12, 0.38, 0.22],
        [0.20, 0.20, 0.22],
        [0.80, 0.60, 0.15],
        [0.45, 0.2, 0.4],
    ]
)
WARM, COOL = np.array([1.0, 0.68, 0.34]), np.array([0.85, 0.95, 1.0])


@dataclass(frozen=True)
class Facade:
    """The design of one building; lengths in metres, colours (3,) sRGB."""

    wall: Floats
    brick: bool
    height: float
    floor: float
    spacing: float
    window: tuple[float, float]
    shop: Floats | None
    lit_share: float
    seed: int
    noise: NoiseTile

    def __call__(self, a: Floats, b: Floats, z: Floats) -> Surface:
        """The material: position along the wall and height above the ground to a Surface."""
        albedo = self._wall(a, b, z)
        emission = np.zeros_like(albedo)
        gloss = np.zeros(a.shape)
        ground_floor = b < self.floor * 1.15
        self._windows(a, b, albedo, emission, gloss, ~ground_floor)
        if self.shop is not None:
            self._shop(a, b, albedo, emission, gloss, ground_floor)
        else:
            self._windows(a, b, albedo, emission, gloss, ground_floor)
            self._doors(a, b, albedo, ground_floor)
        cornice = (b > self.height - 0.45) | (np.abs(b - self.floor * 1.15) < 0.12)
        albedo[cornice] = albedo[cornice] * 0.55 + 0.25
        return Surface(albedo, emission, gloss)

    def _wall(self, a: Floats, b: Floats, z: Floats) -> Floats:
        fade = 1 / (1 + (z / 18) ** 2)
        shade = 0.05 * self.noise.at(a, b, 0.08) * fade + 0.06 * self.noise.at(a + 31, b, 0.35)
        shade -= 0.16 * np.exp(-b / 0.8)
        if self.brick:
            course = np.floor(b / 0.13)
            shifted = a + 0.17 * np.mod(course, 2)
            shade += 0.35 * (cell_random(np.floor(shifted / 0.34), course, self.seed) - 0.5) * fade
            joint = (np.mod(b, 0.13) < 0.03) | (np.mod(shifted, 0.34) < 0.03)
            shade += 0.28 * joint * fade
        return np.asarray(np.clip(self.wall * (1 + shade[:, None]), 0.03, 1))

    def _windows(
        self, a: Floats, b: Floats, albedo: Floats, emission: Floats, gloss: Floats, allowed: Bools
    ) -> None:
        """Panes with frames, sills and curtains; some are lit at night."""
        i, j = np.floor(a / self.spacing), np.floor(b / self.floor)
        x, y = a - (i + 0.5) * self.spacing, b - (j + 0.56) * self.floor
        half_w, half_h = self.window[0] / 2, self.window[1] / 2
        allowed = allowed & (b < self.height - 0.6)
        frame = allowed & (np.abs(x) < half_w + 0.12) & (np.abs(y) < half_h + 0.12)
        sill = allowed & (np.abs(x) < half_w + 0.2) & (np.abs(y + half_h + 0.16) < 0.07)
        pane = frame & (np.abs(x) < half_w) & (np.abs(y) < half_h) & (np.abs(x) > 0.035)
        albedo[frame | sill] = np.clip(self.wall * 0.4 + 0.5, 0, 0.92)
        chance = cell_random(i, j, self.seed + 1)
        curtain = cell_random(i, j, self.seed + 2)
        glass = np.array([0.16, 0.20, 0.25]) * (0.6 + 0.9 * curtain[:, None])
        drawn = (np.abs(x) > half_w * 0.6) & (curtain > 0.45)
        albedo[pane] = np.where(drawn[:, None], 0.62, glass)[pane]
        gloss[pane] = 0.55
        warmth = cell_random(i, j, self.seed + 3)[:, None]
        colour = WARM * warmth + COOL * (1 - warmth) * 0.8
        strength = (
            (0.35 + 0.9 * curtain) * (0.65 + 0.35 * np.clip(y / half_h, -1, 1)) * np.where(drawn, 0.55, 1.0)
        )
        lit = pane & (chance < self.lit_share)
        emission[lit] = (colour * strength[:, None])[lit]

    def _shop(
        self, a: Floats, b: Floats, albedo: Floats, emission: Floats, gloss: Floats, allowed: Bools
    ) -> None:
        """A glass front between pillars under a coloured sign band."""
        shop = self.shop if self.shop is not None else self.wall
        i = np.floor(a / 5.2)
        x = a - i * 5.2
        open_late = cell_random(i, i * 0, self.seed + 7) < 0.55
        band = allowed & (b > self.floor * 0.88) & (b < self.floor * 1.1)
        tint = np.clip(shop + 0.5 * (cell_random(i, i * 0, self.seed + 8)[:, None] - 0.5), 0.05, 0.9)
        albedo[allowed] = tint[allowed] * 0.7
        albedo[band] = tint[band]
        writing = (
            band
            & (np.abs(b - self.floor * 0.99) < 0.18)
            & (cell_random(np.floor(a / 0.22), i, self.seed + 9) < 0.6)
            & (np.abs(x - 2.6) < 1.6)
        )
        albedo[writing] = 0.9
        glass = (
            allowed & (b > 0.5) & (b < self.floor * 0.82) & (np.mod(x, 1.7) > 0.12) & (x > 0.35) & (x < 4.85)
        )
        goods = 0.25 + 0.35 * cell_random(np.floor(a / 0.45), np.floor(b / 0.5), self.seed + 10)[:, None]
        albedo[glass] = (goods * np.array([0.75, 0.8, 0.85]))[glass]
        gloss[glass] = 0.4
        light = np.where(cell_random(i, i * 0, self.seed + 11)[:, None] < 0.6, WARM, COOL)
        emission[glass & open_late] = (light * (0.6 + 1.6 * goods))[glass & open_late]
        emission[writing & open_late] = (light * 0.8)[writing & open_late]

    def _doors(self, a: Floats, b: Floats, albedo: Floats, allowed: Bools) -> None:
        """A front door in every third axis of windows."""
        i = np.floor(a / self.spacing)
        x = np.abs(a - (i + 0.5) * self.spacing)
        axis = allowed & (np.mod(i, 3) == 1) & (b < 2.6)
        albedo[axis & (x < 0.75)] = np.clip(self.wall * 0.4 + 0.5, 0, 0.9)
        albedo[axis & (x < 0.55) & (b < 2.35)] = (
            cell_random(i, i, self.seed + 5)[axis & (x < 0.55) & (b < 2.35)][:, None]
            * np.array([0.5, 0.3, 0.25])
            + 0.08
        )


def random_facade(rng: np.random.Generator, noise: NoiseTile, with_shop: bool) -> Facade:
    """Design a building of 2 to 7 floors."""
    floor = rng.uniform(2.9, 3.6)
    spacing = rng.uniform(2.0, 3.4)
    return Facade(
        wall=np.clip(
            WALL_COLOURS[rng.integers(len(WALL_COLOURS))] * rng.uniform(0.8, 1.12) + rng.normal(0, 0.03, 3),
            0.1,
            0.95,
        ),
        brick=bool(rng.random() < 0.45),
        height=floor * float(rng.choice([2, 2, 3, 3, 4, 5, 6, 7])) + rng.uniform(0.4, 0.9),
        floor=floor,
        spacing=spacing,
        window=(spacing * rng.uniform(0.38, 0.62), floor * rng.uniform(0.42, 0.58)),
        shop=SHOP_COLOURS[rng.integers(len(SHOP_COLOURS))] if with_shop else None,
        lit_share=rng.uniform(0.12, 0.5),
        seed=int(rng.integers(1 << 30)),
        noise=noise,
    )


def draw_building(
    buffer: GBuffer,
    plan: StreetPlan,
    side: int,
    start: float,
    end: float,
    facade: Facade,
    roof: Floats | None,
) -> None:
    """Draw one building beside the road from depth `start` to `end`; `side` is -1 left, 1 right."""
    line = side * plan.building_line
    near, far = plan.place(line, start), plan.place(line, end)
    deep = near + np.array([side * 14.0, 0.0, 0.0])
    up = np.array([0.0, facade.height, 0.0])
    buffer.polygon([near, far, far + up, near + up], facade, BUILDING)
    buffer.polygon([near, deep, deep + up, near + up], facade, BUILDING)
    if roof is not None:
        back = np.array([side * 4.0, 3.2, 0.0])

        def tiles(a: Floats, b: Floats, _z: Floats) -> Surface:
            return Surface(
                roof
                * (1 - 0.25 * (np.mod(b, 0.5) < 0.12)[:, None] + 0.06 * facade.noise.at(a, b, 0.1)[:, None])
            )

        buffer.polygon([near + up, far + up, far + up + back, near + up + back], tiles, BUILDING)
        gable = plain_gable(facade)
        buffer.polygon(
            [near + up, near + up + np.array([side * 8.0, 0, 0]), near + up + back], gable, BUILDING
        )


def plain_gable(facade: Facade) -> Facade:
    """The same wall without windows or shop, for the triangle under a roof."""
    return Facade(
        facade.wall,
        facade.brick,
        0.3,
        facade.floor,
        facade.spacing,
        (0.01, 0.01),
        None,
        0.0,
        facade.seed,
        facade.noise,
    )
