"""Scribbles as a person would paint them: a few smooth strokes along the middle of things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.ndimage import label as connected_parts
from skimage.graph import route_through_array

from rendering.palette import IGNORE

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hand:
    """How somebody paints.

    Attributes
    ----------
    strokes
        Most strokes per class.
    longest
        Longest stroke in pixels.
    widths
        Brush widths in pixels for thin and for wide regions.
    smallest
        Smallest region in pixels that gets a stroke.
    spill
        Chance that a pixel of a stroke just outside its region stays.
    """

    strokes: int = 3
    longest: int = 60
    widths: tuple[float, float] = (2.0, 3.0)
    smallest: int = 25
    spill: float = 0.12


def paint_scribbles(label: Labels, rng: np.random.Generator, hand: Hand) -> Labels:
    """Simulate scribbles on a label map.

    Parameters
    ----------
    label
        (H, W) uint8 class values, 255 ignored.
    rng
        Random generator.
    hand
        Habits of the painter.

    Returns
    -------
    (H, W) uint8: class values on strokes, 255 elsewhere.
    """
    painted = np.full(label.shape, IGNORE, np.uint8)
    for value in np.unique(label[label != IGNORE]):
        for part in _chosen_parts(label == value, hand, rng):
            stroke = _stroke(part, hand, rng)
            outside = stroke & (label != value)
            keep = ~outside | (rng.random(label.shape) < hand.spill)
            painted[stroke & keep & (painted == IGNORE)] = value
    return painted


def _chosen_parts(mask: Mask, hand: Hand, rng: np.random.Generator) -> list[Mask]:
    """The regions of a class that get a stroke: the largest first, and a very large one twice."""
    parts, count = connected_parts(mask, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    order = [k for k in np.argsort(-sizes, kind="stable") if sizes[k] >= hand.smallest]
    chosen = [parts == k + 1 for k in order[: int(rng.integers(2, hand.strokes + 1))]]
    if chosen and chosen[0].sum() > mask.size / 30 and len(chosen) < hand.strokes:
        chosen.append(chosen[0])
    return chosen


def _stroke(part: Mask, hand: Hand, rng: np.random.Generator) -> Mask:
    """One stroke within a region, (H, W) bool."""
    depth = distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    path = _path(part, depth, hand, rng)
    wide = np.median(depth[tuple(path.T)]) > 3
    smooth = gaussian_filter1d(path.astype(float), 2.0 if wide else 0.7, axis=0, mode="nearest")
    return _brush(smooth, hand.widths[int(wide)], part.shape)


def _path(part: Mask, depth: Floats, hand: Hand, rng: np.random.Generator) -> NDArray[np.intp]:
    """A way (N, 2) through the region from a random inner point to a far one, keeping off the rim."""
    inner = np.argwhere(depth >= min(2.5, 0.5 * depth.max()))
    start = inner[rng.integers(len(inner))]
    distance = np.hypot(*(inner - start).T)
    within = inner[distance <= hand.longest * rng.uniform(0.6, 1.0)]
    far = np.hypot(*(within - start).T)
    end = within[rng.choice(np.flatnonzero(far >= np.quantile(far, 0.85)))]
    cost = np.where(part, 1.0 / (0.3 + np.minimum(depth, 8.0)), 1e4) * rng.uniform(0.8, 1.25, part.shape)
    route, _ = route_through_array(cost, start, end, fully_connected=True, geometric=True)
    return np.array(route[: int(hand.longest * 1.3)])


def _brush(path: Floats, width: float, shape: tuple[int, ...]) -> Mask:
    """Pixels within half a brush of a path."""
    canvas = np.ones(shape, bool)
    for row, col in path:
        top, left = max(int(row) - 3, 0), max(int(col) - 3, 0)
        rows, cols = np.mgrid[top : min(int(row) + 5, shape[0]), left : min(int(col) + 5, shape[1])]
        canvas[
            rows[np.hypot(rows - row, cols - col) <= width / 2],
            cols[np.hypot(rows - row, cols - col) <= width / 2],
        ] = False
    return ~canvas


def frames_to_scribble(labels: list[Labels], count: int) -> list[int]:
    """The `count` pictures that together show every class best, chosen greedily; sorted positions."""
    values = np.unique(np.concatenate([np.unique(label) for label in labels]))
    amounts = np.array(
        [[np.sqrt((label == value).sum()) for value in values if value != IGNORE] for label in labels]
    )
    amounts = amounts / amounts.max(0).clip(1)
    chosen: list[int] = []
    for _ in range(count):
        # Least shown classes count most: the gain is in the square root of what is already covered.
        covered = amounts[chosen].sum(0)
        gain = (np.sqrt(covered + amounts) - np.sqrt(covered)).sum(1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
    return sorted(chosen)
