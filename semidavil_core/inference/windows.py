"""Sums over windows and cells of maps, in plain numpy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
_TINY: Final = 1e-12


def entropy_of_shares(labels: NDArray[np.integer], num_classes: int, half: int) -> Map:
    """(h, w) bits: entropy of the classes' shares of the window around each cell."""
    total = np.zeros(labels.shape, np.float32)
    for index in range(num_classes):
        share = window_means((labels == index).astype(np.float32), half)
        total -= share * np.log2(np.maximum(share, np.float32(_TINY)))
    return np.maximum(total, 0)


def window_means(plane: Map, half: int) -> Map:
    """Mean over the part of the (2 half + 1)^2 window that lies inside the map, by an integral image; never below 0."""
    sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    sums[1:, 1:] = plane.cumsum(0, np.float64).cumsum(1)
    top, bottom = _limits(plane.shape[0], half)
    left, right = _limits(plane.shape[1], half)
    inside = sums[bottom][:, right] - sums[top][:, right] - sums[bottom][:, left] + sums[top][:, left]
    means = inside / np.outer(bottom - top, right - left)
    means[means < 1e-9] = 0  # what the subtraction of equal sums leaves
    return means.astype(np.float32)


def _limits(length: int, half: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    at = np.arange(length)
    return np.maximum(at - half, 0), np.minimum(at + half + 1, length)


def cell_means(plane: Map, cell: int) -> Map:
    """Mean over square cells; those of the last row and column may be cut off by the border."""
    rows, columns = (np.arange(0, n, cell) for n in plane.shape)
    sums = np.add.reduceat(np.add.reduceat(plane, rows, 0, np.float64), columns, 1)
    heights, widths = (
        np.diff(np.append(starts, n)) for starts, n in zip((rows, columns), plane.shape, strict=True)
    )
    means: Map = (sums / np.outer(heights, widths)).astype(np.float32)
    return means


def any_in_cell(mask: NDArray[np.bool_], cell: int) -> NDArray[np.bool_]:
    """Whether a cell holds a pixel of the mask."""
    rows, columns = (np.arange(0, n, cell) for n in mask.shape)
    found: NDArray[np.bool_] = np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, 0), columns, 1)
    return found
