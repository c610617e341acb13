"""A dish of cells as maps: who is where, how thick, where chromatin and debris lie. No microscope yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rendering.palette import BACKGROUND, CELL, DEBRIS, DIVIDING, NUCLEUS
from rendering.textures import fractal_noise, smoothstep

Floats = NDArray[np.float64]


@dataclass
class Culture:
    """Maps of shape (H, W).

    Attributes
    ----------
    label
        Class values, uint8.
    thickness
        Optical thickness of living matter, about 0 to 3; dividing cells are round and thick.
    rim
        1 on the edge of a cell, 0 elsewhere.
    stain
        How strongly each pixel's cell took the cytoplasm stain; about 1.
    chromatin
        Density of DNA: about 1 in a nucleus, 3 in condensed chromosomes.
    nucleoli, granules
        Small dense bodies, 0 to 1.
    fibres
        Stress fibres along each cell, mean 0.
    debris
        Density of dirt and fragments, 0 to 1.
    """

    label: NDArray[np.uint8]
    thickness: Floats
    rim: Floats
    stain: Floats
    chromatin: Floats
    nucleoli: Floats
    granules: Floats
    fibres: Floats
    debris: Floats


@dataclass(frozen=True)
class Cell:
    """A spread cell: centre (row, column) in pixels, size, direction, and the wobble of its outline."""

    centre: Floats
    radius: float
    turn: float
    stretch: float
    waves: Floats
    tips: Floats


def grow_culture(rng: np.random.Generator, size: int) -> Culture:
    """Grow a dish of `size` x `size` pixels; lengths inside scale with it."""
    unit = size / 256.0
    empty = [np.zeros((size, size)) for _ in range(8)]
    culture = Culture(np.full((size, size), BACKGROUND, np.uint8), *empty)
    crowding = rng.uniform(30, 44) * unit
    centres = _scatter(rng, size, crowding)
    rounded = int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))
    inner = [k for k, c in enumerate(centres) if (np.abs(c - size / 2) < size * 0.42).all()]
    dividing = set(rng.choice(inner, min(rounded, len(inner)), replace=False).tolist())
    spread = [_random_cell(rng, centre, crowding) for k, centre in enumerate(centres) if k not in dividing]
    _draw_cells(culture, spread, rng, unit)
    for k in sorted(dividing):
        _draw_dividing(culture, centres[k], rng, unit)
    _strew_debris(culture, rng, unit)
    return culture


def _scatter(rng: np.random.Generator, size: int, spacing: float) -> list[Floats]:
    """Points that keep at least `spacing` apart, by throwing darts."""
    points: list[Floats] = []
    for _ in range(400):
        dart = rng.uniform(-0.05 * size, 1.05 * size, 2)
        if all(np.hypot(*(dart - p)) > spacing for p in points):
            points.append(dart)
    keep = rng.random(len(points)) < rng.uniform(0.65, 1.0)
    return [p for p, kept in zip(points, keep, strict=True) if kept]


def _random_cell(rng: np.random.Generator, centre: Floats, spacing: float) -> Cell:
    order = np.arange(2, 7)
    waves = np.stack([order, rng.normal(0, 0.22, 5) / (order - 0.6), rng.uniform(0, 2 * np.pi, 5)], 1)
    count = int(rng.integers(1, 5))
    tips = np.stack(
        [rng.uniform(0, 2 * np.pi, count), rng.uniform(0.15, 0.8, count), rng.uniform(0.16, 0.4, count)], 1
    )
    return Cell(
        centre, spacing * rng.uniform(0.44, 0.62), rng.uniform(0, np.pi), rng.uniform(1.0, 1.7), waves, tips
    )


def _window(centre: Floats, reach: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of the dish within `reach` pixels of a place, so that small things are drawn on small arrays."""
    low = np.clip(np.floor(centre - reach).astype(int), 0, shape)
    high = np.clip(np.ceil(centre + reach).astype(int) + 1, 0, shape)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _polar(window: tuple[slice, slice], cell: Cell) -> tuple[Floats, Floats, Floats]:
    """Distance and angle from a cell's centre along its own axes, and position across the long axis."""
    rows, cols = np.mgrid[window]
    y, x = rows - cell.centre[0], cols - cell.centre[1]
    along = (x * np.cos(cell.turn) + y * np.sin(cell.turn)) / np.sqrt(cell.stretch)
    across = (-x * np.sin(cell.turn) + y * np.cos(cell.turn)) * np.sqrt(cell.stretch)
    return np.hypot(along, across), np.arctan2(across, along), across


def _reach(angle: Floats, cell: Cell) -> Floats:
    """Radius of the outline at an angle: waves plus pointed feet."""
    reach = 1.0 + sum(size * np.cos(order * angle + phase) for order, size, phase in cell.waves)
    for where, size, width in cell.tips:
        gap = np.angle(np.exp(1j * (angle - where)))
        reach = reach + size * np.exp(-(np.abs(gap / width) ** 1.3))
    return np.asarray(cell.radius * np.clip(reach, 0.35, 2.2))


def _draw_cells(culture: Culture, cells: list[Cell], rng: np.random.Generator, unit: float) -> None:
    """Draw spread cells; where two would overlap the ground goes to the relatively nearer one."""
    shape = culture.label.shape
    best = np.full(shape, np.inf)
    owner = np.full(shape, -1)
    ruffle = fractal_noise(rng, shape[0], 2.4) * 0.045
    across = np.zeros(shape)
    for k, cell in enumerate(cells):
        window = _window(cell.centre, 2.3 * cell.radius * np.sqrt(cell.stretch), shape)
        distance, angle, side = _polar(window, cell)
        relative = distance / _reach(angle, cell) + ruffle[window]
        nearer = relative < np.minimum(best[window], 1.0)
        best[window][nearer], owner[window][nearer], across[window][nearer] = (
            relative[nearer],
            k,
            side[nearer],
        )
    body = owner >= 0
    culture.label[body] = CELL
    edge = np.zeros(shape, bool)
    for axis in (0, 1):
        edge |= owner != np.roll(owner, 1, axis)
    culture.rim = np.clip(gaussian_filter((edge & body).astype(float), 0.9 * unit) * 2.2 * unit, 0, 1)
    dome = np.where(body, np.clip(1 - best, 0, 1), 0.0)
    tone = rng.lognormal(0, 0.35, len(cells) + 1)[owner]
    culture.stain = np.where(body, tone, 0.0)
    culture.thickness = body * (0.16 + 0.75 * dome) * gaussian_filter(np.where(body, 1.0, 0.0), 0.8 * unit)
    culture.fibres = (
        body * np.sin(across / (1.1 * unit) + 1.5 * fractal_noise(rng, shape[0], 2.6)) * (0.4 + 0.6 * dome)
    )
    for k, cell in enumerate(cells):
        _draw_nucleus(culture, cell, owner == k, rng, unit)
    speckle = gaussian_filter(rng.random(shape), 0.9 * unit)
    dense = smoothstep(np.quantile(speckle, 0.93), np.quantile(speckle, 0.99), speckle)
    culture.granules = dense * body * smoothstep(0.25, 0.7, dome) * (culture.label == CELL)


def _draw_nucleus(
    culture: Culture, cell: Cell, own: NDArray[np.bool_], rng: np.random.Generator, unit: float
) -> None:
    """An oval nucleus with one to four nucleoli near the centre of its cell."""
    order = np.arange(2, 5)
    waves = np.stack([order, rng.normal(0, 0.05, 3), rng.uniform(0, 2 * np.pi, 3)], 1)
    radius = rng.uniform(7.8, 10.5) * unit
    shifted = Cell(
        cell.centre + rng.normal(0, 1.5, 2) * unit,
        radius,
        cell.turn + rng.normal(0, 0.4),
        rng.uniform(1.05, 1.5),
        waves,
        np.zeros((0, 3)),
    )
    window = _window(shifted.centre, 2.0 * radius, culture.label.shape)
    distance, angle, _ = _polar(window, shifted)
    relative = distance / _reach(angle, shifted)
    inside = (relative < 1) & own[window]
    if inside.sum() < 60 * unit**2:
        return
    culture.label[window][inside] = NUCLEUS
    lump = gaussian_filter(rng.standard_normal(inside.shape), 1.3 * unit) * 3 * unit
    culture.chromatin[window] += (
        inside * rng.uniform(0.65, 1.25) * (1 + 0.16 * lump) * smoothstep(1.0, 0.78, relative)
    )
    culture.thickness[window] += inside * (0.35 * np.sqrt(np.clip(1 - relative**2, 0, 1)))
    rows, cols = np.mgrid[window]
    for _ in range(int(rng.integers(1, 5))):
        spot = shifted.centre + rng.normal(0, 0.35, 2) * radius
        blob = np.exp(
            -(((rows - spot[0]) ** 2 + (cols - spot[1]) ** 2) / (2 * (rng.uniform(1.0, 1.7) * unit) ** 2))
        )
        culture.nucleoli[window] = np.maximum(culture.nucleoli[window], blob * inside)


def _draw_dividing(culture: Culture, centre: Floats, rng: np.random.Generator, unit: float) -> None:
    """A rounded-up cell with condensed chromosomes: a clump, a plate, or two plates moving apart."""
    phase = rng.choice(["clump", "plate", "parting"], p=[0.25, 0.4, 0.35])
    turn, radius = rng.uniform(0, np.pi), rng.uniform(9.5, 12.5) * unit
    rows, cols = np.mgrid[: culture.label.shape[0], : culture.label.shape[1]]
    y, x = rows - centre[0], cols - centre[1]
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    stretch = 1.28 if phase == "parting" else 1.0
    waist = 1 - 0.22 * np.exp(-((u / (0.35 * radius)) ** 2)) * (phase == "parting")
    relative = np.hypot(u / stretch, v / waist) / radius
    inside = relative < 1
    around = smoothstep(1.5, 1.02, relative) * ~inside  # the neighbours give way
    culture.thickness *= 1 - 0.8 * around
    for name in ("rim", "chromatin", "nucleoli", "granules", "fibres"):
        getattr(culture, name)[relative < 1.12] = 0.0
    ring = (relative < 1.12) & ~inside
    culture.label[ring], culture.thickness[ring], culture.stain[ring] = BACKGROUND, 0.0, 0.0
    culture.label[inside] = DIVIDING
    culture.stain[inside] = rng.uniform(0.65, 1.05)
    culture.thickness[inside] = (0.9 + 2.1 * np.sqrt(np.clip(1 - relative**2, 0, 1)))[inside]
    ragged = 0.22 * gaussian_filter(rng.standard_normal(inside.shape), 1.2 * unit) * 3 * unit
    culture.chromatin += inside * rng.uniform(2.4, 3.4) * _chromosomes(phase, u / radius, v / radius, ragged)


def _chromosomes(phase: str, u: Floats, v: Floats, ragged: Floats) -> Floats:
    """Condensed DNA, 0 to 1, in units of the cell's radius; u is the axis of division."""

    def bar(at: float, half_u: float, half_v: float) -> Floats:
        return smoothstep(1.15, 0.8, np.hypot((u - at) / half_u, v / half_v) + ragged)

    if phase == "plate":
        return bar(0.0, 0.20, 0.66)
    if phase == "parting":
        return np.maximum(bar(-0.55, 0.18, 0.5), bar(0.55, 0.18, 0.5))
    return bar(0.0, 0.45, 0.45) * (0.75 + 0.25 * smoothstep(0.1, 0.35, np.hypot(u, v)))


def _strew_debris(culture: Culture, rng: np.random.Generator, unit: float) -> None:
    """Specks, clusters of fragments and short fibres that lie on the dish and on cells."""
    size = culture.label.shape[0]
    wobble = fractal_noise(rng, size, 2.0) * 0.28
    for _ in range(int(rng.integers(4, 10))):
        centre = rng.uniform(0.03, 0.97, 2) * size
        for _ in range(int(rng.choice([1, 1, 2, 4]))):
            spot = centre + rng.normal(0, 3.0, 2) * unit
            turn, long = rng.uniform(0, np.pi), rng.choice([1.0, 1.4, 3.5], p=[0.5, 0.35, 0.15])
            radius = rng.uniform(1.5, 3.4) * unit / np.sqrt(long) ** 0.5
            window = _window(spot, 2.5 * long * radius, culture.label.shape)
            rows, cols = np.mgrid[window]
            y, x = rows - spot[0], cols - spot[1]
            u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
            relative = np.hypot(u / long, v) / radius + wobble[window]
            inside = (relative < 1) & (culture.label[window] != DIVIDING)
            culture.label[window][inside] = DEBRIS
            density = inside * rng.uniform(0.6, 1.0) * smoothstep(1.05, 0.5, relative)
            culture.debris[window] = np.maximum(culture.debris[window], density)
