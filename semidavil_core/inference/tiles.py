"""Overlapping tiles over an image of any size, and the weights with which they blend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of an image in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> tuple[slice, slice]:
        """Index of the tile in an (H, W) array."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def iter_tiles(height: int, width: int, *, side: int, overlap: float) -> Iterator[Tile]:
    """Cover a (height, width) image with tiles of at most `side`, neighbours sharing about `overlap` of a side.

    Tiles are evenly spread, of equal size, and never reach over the border.
    """
    for top in _starts(height, side, overlap):
        for left in _starts(width, side, overlap):
            yield Tile(top, left, min(side, height), min(side, width))


def blending_weights(tile: Tile) -> NDArray[np.float32]:
    """Weights (height, width) that fall linearly towards the tile's edges and never reach 0."""
    ramps = [_ramp(tile.height), _ramp(tile.width)]
    return np.minimum.outer(ramps[0], ramps[1])


def _starts(extent: int, side: int, overlap: float) -> list[int]:
    if extent <= side:
        return [0]
    count = int(np.ceil((extent - side) / max(1.0, side * (1 - overlap)))) + 1
    return [round(s) for s in np.linspace(0, extent - side, count)]


def _ramp(length: int) -> NDArray[np.float32]:
    positions = np.arange(length, dtype=np.float32)
    return np.minimum(positions, length - 1 - positions) + 1
