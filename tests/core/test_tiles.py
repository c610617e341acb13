from __future__ import annotations

import numpy as np
import pytest

from semidavil_core.inference.tiles import blending_weights, iter_tiles


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 64), (300, 90), (1000, 37)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.75])
def test_tiles_cover_every_pixel_and_stay_inside(size: tuple[int, int], overlap: float) -> None:
    weight = np.zeros(size, np.float32)
    for tile in iter_tiles(*size, side=64, overlap=overlap):
        assert weight[tile.area].shape == (tile.height, tile.width)
        assert tile.height == min(64, size[0])
        assert tile.width == min(64, size[1])
        weight[tile.area] += blending_weights(tile)
    assert weight.min() >= 1  # never 0, so that dividing by it is safe


def test_an_image_that_fits_is_one_tile() -> None:
    assert len(list(iter_tiles(64, 50, side=64, overlap=0.25))) == 1


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_neighbours_share_at_least_the_wanted_overlap(overlap: float) -> None:
    tops = sorted({tile.top for tile in iter_tiles(500, 64, side=64, overlap=overlap)})
    assert max(np.diff(tops)) <= 64 * (1 - overlap) + 1


def test_weights_fall_towards_the_edges_symmetrically() -> None:
    (tile,) = iter_tiles(5, 3, side=64, overlap=0.25)
    assert blending_weights(tile).tolist() == [[1, 1, 1], [1, 2, 1], [1, 2, 1], [1, 2, 1], [1, 1, 1]]
