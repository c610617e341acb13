"""Cars, vans and buses as small meshes of flat faces."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rendering.gbuffer import GBuffer, Material, plain
from rendering.palette import CAR

Floats = NDArray[np.float64]
PAINTS = np.array(
    [[0.85, 0.85, 0.86], [0.65, 0.67, 0.70], [0.18, 0.18, 0.20], [0.35, 0.37, 0.40], [0.60, 0.10, 0.10], [0.12, 0.22, 0.48],
     [0.20, 0.36, 0.30], [0.75, 0.68, 0.52], [0.82, 0.45, 0.12], [0.45, 0.58, 0.72]]
)  # fmt: skip
GLASS, RUBBER, RIM = np.array([0.10, 0.13, 0.16]), np.array([0.07, 0.07, 0.07]), np.array([0.55, 0.56, 0.58])
WHITE_LAMP, RED_LAMP = np.array([1.0, 0.95, 0.85]), np.array([1.0, 0.06, 0.03])


@dataclass(frozen=True)
class Shape:
    """Side view of a vehicle in metres from its middle (front positive) and the ground.

    Attributes
    ----------
    length, width
        Outer size.
    belt, roof
        Heights of the window line and of the roof.
    cabin
        Positions along the vehicle: rear belt, rear roof, front roof, front belt.
    nose
        Height of the front edge of the bonnet.
    """

    length: float
    width: float
    belt: float
    roof: float
    cabin: tuple[float, float, float, float]
    nose: float


SHAPES = (
    Shape(4.0, 1.72, 0.95, 1.47, (-1.95, -1.55, 0.20, 1.00), 0.78),  # hatchback
    Shape(4.5, 1.78, 0.93, 1.43, (-1.60, -0.95, 0.25, 1.05), 0.75),  # saloon
    Shape(4.5, 1.85, 1.08, 1.72, (-2.15, -1.85, 0.25, 0.95), 0.95),  # off-roader
    Shape(4.8, 1.90, 1.15, 1.98, (-2.38, -2.30, 0.95, 1.65), 1.00),  # van
)
BUS = Shape(10.5, 2.45, 1.30, 3.00, (-5.23, -5.2, 5.1, 5.22), 1.28)


@dataclass(frozen=True)
class Vehicle:
    """A vehicle in the world: `foot` (3,) lies under its middle, `heading` is in radians."""

    shape: Shape
    foot: Floats
    heading: float
    paint: Floats
    lamps_on: bool

    def world(self, points: ArrayLike) -> Floats:
        """Local (right, up, forward) points (N, 3) to world points."""
        p = np.asarray(points, float)
        sin, cos = np.sin(self.heading), np.cos(self.heading)
        turned = np.stack([p[:, 0] * cos + p[:, 2] * sin, p[:, 1], -p[:, 0] * sin + p[:, 2] * cos], 1)
        return np.asarray(turned + self.foot)

    @property
    def front(self) -> Floats:
        """Direction of travel, (3,)."""
        return np.array([np.sin(self.heading), 0.0, np.cos(self.heading)])


def random_vehicle(
    rng: np.random.Generator, foot: Floats, heading: float, lamps_on: bool, bus_chance: float = 0.0
) -> Vehicle:
    """A vehicle of random make and colour."""
    shape = BUS if rng.random() < bus_chance else SHAPES[rng.choice(4, p=[0.34, 0.3, 0.22, 0.14])]
    paint = np.clip(PAINTS[rng.integers(len(PAINTS))] * rng.uniform(0.85, 1.1), 0.05, 0.95)
    return Vehicle(shape, foot, heading, paint, lamps_on)


def draw_vehicle(buffer: GBuffer, vehicle: Vehicle) -> None:
    """Draw body, glass, wheels and lamps."""
    _draw_body(buffer, vehicle)
    _draw_glass(buffer, vehicle)
    for side in (-1, 1):
        for axle in (-0.31, 0.30):
            _draw_wheel(buffer, vehicle, side, axle * vehicle.shape.length)
    _draw_ends(buffer, vehicle)


def _face(
    buffer: GBuffer, vehicle: Vehicle, points: ArrayLike, material: Material, lift: float = 0.0
) -> None:
    buffer.polygon(vehicle.world(points), material, CAR, lift)


def _profile(shape: Shape) -> list[tuple[float, float, float]]:
    """The outline over the top as (along, height, half width), from the rear bumper to the front bumper."""
    half, low = shape.width / 2, 0.28
    rear_belt, rear_roof, front_roof, front_belt = shape.cabin
    end = shape.length / 2
    top = half * (0.96 if shape is BUS else 0.78)
    return [
        (-end, low, half * 0.97), (-end, shape.belt * 0.72, half * 0.97), (min(-end + 0.08, rear_belt), shape.belt, half * 0.97),
        (rear_belt, shape.belt, half * 0.97), (rear_roof, shape.roof - 0.03, top), ((rear_roof + front_roof) / 2, shape.roof, top),
        (front_roof, shape.roof - 0.04, top), (front_belt, shape.belt, half * 0.97), (max(end - 0.22, front_belt), shape.nose, half * 0.97),
        (end, shape.nose * 0.8, half * 0.97), (end, low, half * 0.97),
    ]  # fmt: skip


def _draw_body(buffer: GBuffer, vehicle: Vehicle) -> None:
    outline = _profile(vehicle.shape)
    paint = plain(vehicle.paint, gloss=0.16)
    for (z0, y0, w0), (z1, y1, w1) in pairwise(outline):
        if np.hypot(z1 - z0, y1 - y0) > 1e-3:
            _face(buffer, vehicle, [(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)], paint)
    half, shape = vehicle.shape.width / 2, vehicle.shape
    below = [(z, y) for z, y, _ in outline if y <= shape.belt + 1e-9]
    for side in (-1, 1):
        _face(buffer, vehicle, [(side * half * 0.97, y, z) for z, y in below], paint)
        _face(
            buffer,
            vehicle,
            [(side * w, y, z) for z, y, w in (outline[3], outline[4], outline[6], outline[7])],
            paint,
        )
        seam = shape.belt * 0.45
        _face(
            buffer,
            vehicle,
            [
                (side * half * 0.975, y, z)
                for z, y in (
                    (-shape.length / 2, 0.28),
                    (shape.length / 2, 0.28),
                    (shape.length / 2, seam * 0.9),
                    (-shape.length / 2, seam),
                )
            ],
            plain(vehicle.paint * 0.72, gloss=0.08),
            0.01,
        )


def _inset(points: Floats, share: float) -> Floats:
    """A face shrunk towards its middle."""
    return np.asarray(points.mean(0) + (points - points.mean(0)) * share)


def _draw_glass(buffer: GBuffer, vehicle: Vehicle) -> None:
    outline = _profile(vehicle.shape)
    glass = plain(
        GLASS,
        emission=0.1 * np.array([0.9, 0.95, 1.0]) if vehicle.shape is BUS and vehicle.lamps_on else 0.0,
        gloss=0.5,
    )
    for lower, upper in ((outline[3], outline[4]), (outline[7], outline[6])):
        pane = np.array(
            [(s * w, y, z) for (z, y, w), s in ((lower, -1), (lower, 1), (upper, 1), (upper, -1))]
        )
        _face(buffer, vehicle, _inset(pane, 0.86), glass, 0.03)
    (z0, y0, w0), (z1, y1, w1), (z2, _, w2), (z3, _, w3) = outline[3], outline[4], outline[6], outline[7]
    panes = 6 if vehicle.shape is BUS else 2
    for side in (-1, 1):
        for t0, t1 in pairwise(np.linspace(0, 1, panes + 1)):
            low = [(side * (w0 + (w3 - w0) * t), y0, z0 + (z3 - z0) * t) for t in (t0, t1)]
            high = [(side * (w1 + (w2 - w1) * t), y1, z1 + (z2 - z1) * t) for t in (t1, t0)]
            _face(buffer, vehicle, _inset(np.array([*low, *high]), 0.82), glass, 0.03)


def _draw_wheel(buffer: GBuffer, vehicle: Vehicle, side: int, axle: float) -> None:
    """Arch, tread, tyre, rim and hub of one wheel."""
    radius = 0.33 if vehicle.shape is not BUS else 0.48
    outer = side * vehicle.shape.width / 2
    angles = np.linspace(0, 2 * np.pi, 18, endpoint=False)

    def ring(size: float, x: float, floor: float = 0.0) -> list[tuple[float, float, float]]:
        return [
            (
                x,
                max(radius + size * radius * float(np.sin(t)), floor),
                axle + size * radius * float(np.cos(t)),
            )
            for t in angles
        ]

    _face(buffer, vehicle, ring(1.18, outer, floor=0.28), plain(RUBBER * 0.5), 0.03)
    tread_out, tread_in = ring(1.0, outer * 0.99), ring(1.0, outer * 0.76)
    for k in range(18):
        _face(
            buffer,
            vehicle,
            [tread_out[k - 1], tread_out[k], tread_in[k], tread_in[k - 1]],
            plain(RUBBER * 0.8),
        )
    for size, colour, lift in ((1.0, RUBBER, 0.05), (0.62, RIM, 0.06), (0.2, RUBBER * 2, 0.07)):
        _face(buffer, vehicle, ring(size, outer), plain(colour), lift)


def _draw_ends(buffer: GBuffer, vehicle: Vehicle) -> None:
    """Bumper, number plate, grille and lamps at both ends."""
    shape, half = vehicle.shape, vehicle.shape.width / 2
    for end, lamp, level in ((1, WHITE_LAMP, shape.nose * 0.80), (-1, RED_LAMP, shape.belt * 0.78)):
        z = end * (shape.length / 2 + 0.01)
        bright = (14.0 if end > 0 else 2.2) * vehicle.lamps_on

        def box(
            x0: float, x1: float, y0: float, y1: float, material: Material, lift: float, z: float = z
        ) -> None:
            _face(buffer, vehicle, [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], material, lift)

        box(-half * 0.9, half * 0.9, 0.26, 0.45, plain(vehicle.paint * 0.35 + 0.03), 0.02)
        box(-0.26, 0.26, 0.46, 0.58, plain([0.85, 0.83, 0.7], retro=0.3), 0.04)
        if end > 0:
            box(-half * 0.45, half * 0.45, level - 0.12, level - 0.01, plain(RUBBER), 0.03)
        for side in (-1, 1):
            x0, x1 = sorted((side * half * 0.55, side * half * 0.9))
            colour = np.array([0.85, 0.85, 0.82]) if end > 0 else np.array([0.6, 0.08, 0.07])
            box(
                x0,
                x1,
                level - 0.12,
                level + 0.06,
                plain(colour, lamp * bright, gloss=0.2, retro=0.5 * (end < 0)),
                0.05,
            )
