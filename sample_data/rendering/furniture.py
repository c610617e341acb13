"""Street furniture: lamp posts, sign posts, traffic lights, bollards, fences."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rendering.gbuffer import GBuffer, Material, Surface, plain
from rendering.palette import FENCE, POLE, SIGN
from rendering.textures import NoiseTile, cell_random

Floats = NDArray[np.float64]
STEEL = np.array([[0.42, 0.44, 0.45], [0.20, 0.22, 0.22], [0.18, 0.26, 0.22], [0.55, 0.55, 0.53]])
RED, BLUE, WHITE, YELLOW = (
    np.array(c) for c in ([0.80, 0.08, 0.09], [0.08, 0.25, 0.65], [0.93, 0.93, 0.92], [0.95, 0.75, 0.10])
)
SignKind = Literal["limit", "no_entry", "warning", "blue", "yield", "parking", "diamond", "board"]
SIGN_KINDS: tuple[SignKind, ...] = (
    "limit",
    "no_entry",
    "warning",
    "blue",
    "yield",
    "parking",
    "diamond",
    "board",
)


def draw_lamp_post(
    buffer: GBuffer, foot: Floats, height: float, side: int, glow: Floats, colour: Floats
) -> Floats:
    """A tall post with an arm over the road; returns the position (3,) of its lamp."""
    top = foot + np.array([0.0, height, 0.0])
    tip = top + np.array([-side * 1.5, 0.25, 0.0])
    buffer.capsule(foot, top, (0.08, 0.05), plain(colour), POLE)
    buffer.capsule(foot, foot + np.array([0, 0.9, 0]), (0.115, 0.105), plain(colour * 0.9), POLE)
    buffer.capsule(top, tip, (0.055, 0.05), plain(colour), POLE)
    buffer.capsule(
        tip, tip + np.array([-side * 0.6, 0.02, 0.0]), (0.11, 0.11), plain([0.75, 0.75, 0.72], glow * 9), POLE
    )
    return np.asarray(tip + np.array([-side * 0.3, -0.1, 0.0]))


def draw_bollard(buffer: GBuffer, foot: Floats, colour: Floats) -> None:
    """A knee-high post at the kerb."""
    buffer.capsule(foot, foot + np.array([0, 0.95, 0]), (0.065, 0.065), plain(colour), POLE)
    buffer.capsule(
        foot + np.array([0, 0.78, 0]),
        foot + np.array([0, 0.84, 0]),
        (0.07, 0.07),
        plain(WHITE, retro=0.6),
        POLE,
    )


def draw_sign_post(
    buffer: GBuffer,
    foot: Floats,
    height: float,
    kinds: list[SignKind],
    size: float,
    colour: Floats,
    turn: float,
) -> None:
    """A thin post with one or two signs that face the camera, turned by `turn` radians."""
    buffer.capsule(foot, foot + np.array([0, height, 0]), (0.05, 0.05), plain(colour), POLE)
    for step, kind in enumerate(kinds):
        centre = foot + np.array([0.0, height - size * (0.5 + 1.1 * step), -0.07])
        draw_sign(buffer, centre, size, kind, turn)


def draw_sign(buffer: GBuffer, centre: Floats, size: float, kind: SignKind, turn: float) -> None:
    """One sign of `size` metres across."""
    right = np.array([np.cos(turn), 0.0, np.sin(turn)])
    outline, marks = _sign_face(kind)
    up = np.array([0.0, 1.0, 0.0])
    for layer, (shape, colour) in enumerate([outline, *marks]):
        corners = [centre + size / 2 * (x * right + y * up) for x, y in shape]
        buffer.polygon(corners, plain(colour, retro=1.0), SIGN, 0.02 * (layer + 1))


Layer = tuple[list[tuple[float, float]], Floats]


def _sign_face(kind: SignKind) -> tuple[Layer, list[Layer]]:
    """The back plate and the marks upon it, in units of half the size."""
    if kind == "limit":
        return (_ring(1), RED), [
            (_ring(0.74), WHITE),
            (_bar(-0.35, -0.08, 0.38), np.zeros(3) + 0.08),
            (_bar(0.08, 0.35, 0.38), np.zeros(3) + 0.08),
        ]
    if kind == "no_entry":
        return (_ring(1), RED), [(_bar(-0.7, 0.7, 0.17), WHITE)]
    if kind == "blue":
        return (_ring(1), BLUE), [
            (_bar(-0.12, 0.12, 0.6), WHITE),
            ([(-0.45, 0.1), (0.45, 0.1), (0, 0.7)], WHITE),
        ]
    if kind == "warning":
        return ([(-1, -0.8), (1, -0.8), (0, 0.95)], RED), [
            ([(-0.62, -0.6), (0.62, -0.6), (0, 0.5)], WHITE),
            (_bar(-0.09, 0.09, 0.3), np.zeros(3) + 0.08),
        ]
    if kind == "yield":
        return ([(-1, 0.8), (1, 0.8), (0, -0.95)], RED), [([(-0.62, 0.6), (0.62, 0.6), (0, -0.5)], WHITE)]
    if kind == "parking":
        return (_bar(-0.9, 0.9, 0.9), BLUE), [
            (_bar(-0.4, -0.15, 0.6), WHITE),
            ([(-0.2, 0.6), (0.45, 0.6), (0.45, -0.05), (-0.2, -0.05)], WHITE),
        ]
    if kind == "diamond":
        return ([(-1, 0), (0, -1), (1, 0), (0, 1)], WHITE), [
            ([(-0.75, 0), (0, -0.75), (0.75, 0), (0, 0.75)], YELLOW)
        ]
    return (_bar(-1.6, 1.6, 0.65), BLUE), [(_line(0.25), WHITE), (_line(-0.25), WHITE)]


def _ring(radius: float) -> list[tuple[float, float]]:
    return [
        (radius * float(np.cos(t)), radius * float(np.sin(t)))
        for t in np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ]


def _bar(left: float, right: float, half: float) -> list[tuple[float, float]]:
    return [(left, -half), (right, -half), (right, half), (left, half)]


def _line(level: float) -> list[tuple[float, float]]:
    return [(-1.3, level - 0.14), (1.0, level - 0.14), (1.0, level + 0.14), (-1.3, level + 0.14)]


def draw_traffic_light(buffer: GBuffer, foot: Floats, height: float, shows: int, colour: Floats) -> None:
    """A post with a signal head; `shows` is 0 red, 1 amber, 2 green."""
    buffer.capsule(foot, foot + np.array([0, height, 0]), (0.06, 0.06), plain(colour), POLE)
    middle = foot + np.array([0.0, height - 0.45, -0.12])
    box = [
        middle + np.array([x, y, 0.0]) for x, y in ((-0.2, -0.52), (0.2, -0.52), (0.2, 0.52), (-0.2, 0.52))
    ]
    buffer.polygon(box, plain([0.08, 0.09, 0.08]), SIGN)
    for place, lamp in enumerate(np.array([[1.0, 0.05, 0.03], [1.0, 0.6, 0.05], [0.1, 1.0, 0.45]])):
        disc = [middle + np.array([0.13 * x, 0.32 * (1 - place) + 0.13 * y, 0.0]) for x, y in _ring(1)]
        on = place == shows
        buffer.polygon(
            disc, plain(np.clip(lamp * (0.95 if on else 0.22), 0, 1), lamp * (5.0 if on else 0.0)), SIGN, 0.04
        )


def fence_material(
    kind: Literal["boards", "railing", "pickets"], height: float, colour: Floats, noise: NoiseTile, seed: int
) -> Material:
    """Colour of a fence by position along and height; between the bars of a railing only the class is written."""

    def boards(a: Floats, b: Floats, _z: Floats) -> Surface:
        tone = (
            1 + 0.3 * (cell_random(np.floor(a / 0.16), a * 0, seed) - 0.5) + 0.06 * noise.at(a * 4, b, 0.06)
        )
        tone = np.where(np.mod(a, 0.16) < 0.025, 0.35, tone)
        return Surface(np.clip(colour * tone[:, None], 0, 1))

    def bars(a: Floats, b: Floats, _z: Floats) -> Surface:
        step, thick = (0.16, 0.05) if kind == "railing" else (0.19, 0.11)
        rail = (np.abs(b - 0.15) < 0.05) | (np.abs(b - height + 0.08) < 0.06)
        post = np.mod(a, 2.2) < 0.10
        return Surface(colour, solid=(np.mod(a, step) < thick) | rail | post)

    return boards if kind == "boards" else bars


def draw_fence(buffer: GBuffer, start: Floats, end: Floats, height: float, material: Material) -> None:
    """A fence panel between two points on the ground; draw after everything that stands behind."""
    up = np.array([0.0, height, 0.0])
    buffer.polygon([start, end, end + up, start + up], material, FENCE)
