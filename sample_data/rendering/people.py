"""Pedestrians and bicyclists, put together from rounded rods."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rendering.gbuffer import GBuffer, Surface, plain
from rendering.palette import BICYCLIST, PEDESTRIAN

Floats = NDArray[np.float64]
CLOTHES = np.array(
    [[0.75, 0.15, 0.15], [0.15, 0.25, 0.55], [0.12, 0.12, 0.14], [0.85, 0.83, 0.78], [0.25, 0.42, 0.28], [0.85, 0.65, 0.15],
     [0.50, 0.30, 0.50], [0.45, 0.40, 0.35], [0.20, 0.50, 0.58], [0.88, 0.50, 0.55], [0.35, 0.36, 0.40], [0.92, 0.45, 0.10]]
)  # fmt: skip
TROUSERS = np.array(
    [
        [0.16, 0.19, 0.30],
        [0.12, 0.12, 0.13],
        [0.45, 0.40, 0.30],
        [0.30, 0.30, 0.33],
        [0.25, 0.30, 0.42],
        [0.55, 0.52, 0.48],
    ]
)
SKIN = np.array([[0.85, 0.66, 0.54], [0.72, 0.52, 0.40], [0.48, 0.32, 0.24], [0.90, 0.74, 0.64]])
HAIR = np.array(
    [[0.12, 0.09, 0.07], [0.35, 0.22, 0.12], [0.62, 0.48, 0.28], [0.55, 0.53, 0.50], [0.10, 0.10, 0.10]]
)


class Figure:
    """A pen that draws rods in the frame of a person: right, up, forward in metres, scaled and turned."""

    def __init__(self, buffer: GBuffer, foot: Floats, heading: float, scale: float, label: int) -> None:
        self._buffer, self._foot, self._scale, self._label = buffer, foot, scale, label
        self._right = np.array([np.cos(heading), 0.0, -np.sin(heading)])
        self._forward = np.array([np.sin(heading), 0.0, np.cos(heading)])

    def world(self, local: tuple[float, float, float]) -> Floats:
        """World point (3,) of a local one."""
        right, up, forward = (self._scale * value for value in local)
        return np.asarray(self._foot + right * self._right + np.array([0, up, 0]) + forward * self._forward)

    def rod(
        self,
        start: tuple[float, float, float],
        end: tuple[float, float, float],
        radii: tuple[float, float],
        colour: Floats,
        retro: float = 0.0,
        emission: float | Floats = 0.0,
    ) -> None:
        """One limb."""
        sizes = (radii[0] * self._scale, radii[1] * self._scale)
        self._buffer.capsule(
            self.world(start), self.world(end), sizes, plain(colour, emission, retro=retro), self._label
        )

    def area(self, corners: list[tuple[float, float, float]]) -> None:
        """Give the class, but no colour, to a see-through face such as a wheel."""
        hidden = lambda a, _b, _z: Surface(0.0, solid=np.zeros(a.shape, bool))  # noqa: E731
        self._buffer.polygon([self.world(corner) for corner in corners], hidden, self._label)


def _pick(rng: np.random.Generator, colours: Floats) -> Floats:
    return np.asarray(np.clip(colours[rng.integers(len(colours))] * rng.uniform(0.85, 1.15), 0.03, 0.97))


def draw_pedestrian(
    buffer: GBuffer, foot: Floats, heading: float, height: float, rng: np.random.Generator
) -> None:
    """A person who walks or stands; `height` in metres."""
    pen = Figure(buffer, foot, heading, height / 1.75, PEDESTRIAN)
    shirt, trousers, skin, hair = (
        _pick(rng, CLOTHES),
        _pick(rng, TROUSERS),
        _pick(rng, SKIN),
        _pick(rng, HAIR),
    )
    stride = rng.uniform(0.05, 0.32)
    for side, swing in ((-1, stride), (1, -stride)):
        hip, knee, ankle = (
            (side * 0.09, 0.90, 0.0),
            (side * 0.10, 0.48, swing * 0.55 + 0.04),
            (side * 0.10, 0.08, swing),
        )
        pen.rod(hip, knee, (0.105, 0.075), trousers)
        pen.rod(knee, ankle, (0.075, 0.055), trousers)
        pen.rod(
            (ankle[0], 0.05, swing),
            (ankle[0], 0.04, swing + 0.16),
            (0.055, 0.045),
            np.array([0.10, 0.08, 0.07]),
        )
        elbow, hand = (side * 0.27, 1.10, -swing * 0.5), (side * 0.26, 0.86, -swing + 0.08)
        pen.rod((side * 0.20, 1.40, 0.0), elbow, (0.07, 0.058), shirt * 0.92)
        pen.rod(elbow, hand, (0.055, 0.045), shirt * 0.92)
        pen.rod(hand, hand, (0.05, 0.05), skin)
    for side in (-1, 1):
        pen.rod((side * 0.07, 0.92, 0.0), (side * 0.11, 1.37, 0.0), (0.13, 0.115), shirt)
    style = rng.random()
    if style < 0.35:  # a coat or a skirt
        pen.rod((0.0, 1.0, 0.0), (0.0, 0.62, 0.0), (0.17, 0.21), shirt * 0.95)
    elif style < 0.6:  # a rucksack
        pen.rod((0.0, 1.05, -0.17), (0.0, 1.32, -0.17), (0.14, 0.13), _pick(rng, CLOTHES))
    elif style < 0.75:  # a shopping bag
        pen.rod((0.3, 0.68, 0.05), (0.3, 0.55, 0.05), (0.10, 0.13), _pick(rng, CLOTHES))
    pen.rod((0.0, 1.45, 0.0), (0.0, 1.55, 0.02), (0.06, 0.06), skin)
    pen.rod((0.0, 1.62, 0.02), (0.0, 1.65, 0.02), (0.10, 0.10), skin)
    pen.rod((0.0, 1.68, -0.02), (0.0, 1.66, -0.03), (0.105, 0.105), hair)


def draw_bicyclist(
    buffer: GBuffer, foot: Floats, heading: float, rng: np.random.Generator, lamps_on: bool = True
) -> None:
    """A person riding a bicycle; draw after everything that stands behind, because wheels are see-through."""
    pen = Figure(buffer, foot, heading, rng.uniform(0.97, 1.12), BICYCLIST)
    _draw_bicycle(pen, _pick(rng, CLOTHES), lamps_on)
    shirt, trousers, skin = _pick(rng, CLOTHES), _pick(rng, TROUSERS), _pick(rng, SKIN)
    helmet = _pick(rng, CLOTHES) if rng.random() < 0.7 else _pick(rng, HAIR)
    lean = rng.uniform(0.12, 0.38)
    turn = rng.uniform(0, 2 * np.pi)
    for side in (-1, 1):
        pedal = (side * 0.13, 0.30 + 0.16 * side * np.sin(turn), 0.02 + 0.16 * side * np.cos(turn))
        knee = (side * 0.13, (0.97 + pedal[1]) / 2 + 0.06, 0.32 + 0.3 * (pedal[2] - 0.02))
        pen.rod((side * 0.09, 0.97, -0.17), knee, (0.105, 0.075), trousers)
        pen.rod(knee, pedal, (0.075, 0.055), trousers)
        pen.rod(pedal, (pedal[0], pedal[1] - 0.03, pedal[2] + 0.16), (0.05, 0.045), np.array([0.1, 0.1, 0.1]))
        pen.rod((side * 0.09, 0.98, -0.17), (side * 0.12, 1.42, lean - 0.10), (0.135, 0.12), shirt)
        elbow = (side * 0.30, 1.20, lean + 0.12)
        pen.rod((side * 0.20, 1.43, lean - 0.08), elbow, (0.07, 0.055), shirt * 0.92)
        pen.rod(elbow, (side * 0.26, 1.04, 0.42), (0.05, 0.042), skin)
    pen.rod((0.0, 1.50, lean - 0.04), (0.0, 1.58, lean), (0.06, 0.06), skin)
    pen.rod((0.0, 1.64, lean + 0.02), (0.0, 1.68, lean + 0.02), (0.10, 0.10), skin)
    pen.rod((0.0, 1.73, lean + 0.03), (0.0, 1.71, lean - 0.04), (0.10, 0.11), helmet)


def _draw_bicycle(pen: Figure, colour: Floats, lamps_on: bool) -> None:
    """Two wheels, a diamond frame, handlebar, lamps."""
    tyre = np.array([0.08, 0.08, 0.08])
    angles = np.linspace(0, 2 * np.pi, 17)
    for axle in (-0.53, 0.53):
        ring = [(0.0, 0.34 + 0.33 * np.sin(t), axle + 0.33 * np.cos(t)) for t in angles]
        for start, end in pairwise(ring):
            pen.rod(start, end, (0.026, 0.026), tyre)
        for t in np.linspace(0, np.pi, 4, endpoint=False):
            pen.rod(
                (0, 0.34 - 0.3 * np.sin(t), axle - 0.3 * np.cos(t)),
                (0, 0.34 + 0.3 * np.sin(t), axle + 0.3 * np.cos(t)),
                (0.004, 0.004),
                np.array([0.5, 0.5, 0.5]),
            )
        pen.area(ring[:-1])
    saddle, pedals, head, hub = (0.0, 0.92, -0.2), (0.0, 0.30, 0.0), (0.0, 0.88, 0.38), (0.0, 0.34, -0.53)
    for start, end in (
        (saddle, pedals),
        (pedals, head),
        (head, (0.0, 0.78, -0.16)),
        (hub, pedals),
        (hub, (0.0, 0.78, -0.16)),
        ((0.0, 0.34, 0.53), (0.0, 1.02, 0.38)),
    ):
        pen.rod(start, end, (0.022, 0.022), colour)
    pen.rod((-0.27, 1.03, 0.40), (0.27, 1.03, 0.40), (0.02, 0.02), tyre)
    pen.rod((0.0, 0.95, -0.28), (0.0, 0.95, -0.10), (0.06, 0.04), tyre)
    pen.rod(
        (0.0, 0.70, -0.34),
        (0.0, 0.70, -0.36),
        (0.035, 0.035),
        np.array([0.6, 0.05, 0.05]),
        1.0,
        lamps_on * np.array([4.0, 0.2, 0.1]),
    )
    pen.rod(
        (0.0, 0.85, 0.48),
        (0.0, 0.85, 0.50),
        (0.035, 0.035),
        np.array([0.9, 0.9, 0.85]),
        0.3,
        lamps_on * np.array([6.0, 5.8, 5.2]),
    )
