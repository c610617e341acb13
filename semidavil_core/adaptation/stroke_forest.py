"""A random forest on the strokes alone: what colour, edges and texture tell of the classes, where the source misleads.

It is the tool that people would take without a source, and on severe shifts the better one: from few strokes a deep network that was
trained on something else learns slowly. So there it is the first teacher: its sure labels stand beside the strokes, and the network goes
on from them (ours; the features are ilastik's, Berg et al., Nature Methods 2019, as scikit-image computes them). Whether it is to be
trusted, images that it did not see decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise, zip_longest
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features

from semidavil_core.adaptation.held_out import strokes_of
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.control import GoOn
from semidavil_core.data.domains import Domain, Sample
from semidavil_core.data.label_maps import Labels
from semidavil_core.data.selection import evenly, painted_indices

_TILE: Final = 320  # pixels a side, at most: features of a whole slide would take minutes and gigabytes
_MARGIN: Final = 32  # pixels around a tile that its features see
_PAINTED_TILES: Final = 24
_LABELLED_TILES: Final = 16
_PIXELS: Final = 12_000  # painted pixels that it is taught
_TREES: Final = 60
_TRIAL_TREES: Final = 20
"""Of the forests that are only tried: they find as many pixels as those of 60 (cells: 96.6 % and 96.7 %), in a third of the time."""
_PARTS: Final = 4  # of cross-validation
_SURE: Final = 0.7
"""Share of the trees' votes from which on a label teaches."""


@dataclass(frozen=True)
class Tile:
    """A part of one image."""

    image: int
    """Index in its domain."""
    rows: slice
    columns: slice

    def features(self, sample: Sample) -> NDArray[np.float32]:
        """(h, w, F): brightness, edges and texture of each channel at scales from 0.5 to 16 pixels."""
        top, left = max(0, self.rows.start - _MARGIN), max(0, self.columns.start - _MARGIN)
        around = sample.image[top : self.rows.stop + _MARGIN, left : self.columns.stop + _MARGIN]
        narrow = [(0, max(0, 2 - n)) for n in around.shape[:2]]  # one pixel has no gradient
        around = np.pad(around, [*narrow, (0, 0)], mode="edge")
        found = multiscale_basic_features(around, channel_axis=-1, sigma_min=0.5, sigma_max=16)
        rows = slice(self.rows.start - top, self.rows.stop - top)
        columns = slice(self.columns.start - left, self.columns.stop - left)
        return np.asarray(found[rows, columns], np.float32)


def tiles_of(index: int, shape: tuple[int, int]) -> list[Tile]:
    """Tiles of nearly equal size that cover an image of `shape` (H, W)."""
    rows, columns = (_cuts(n) for n in shape)
    return [Tile(index, r, c) for r in rows for c in columns]


@dataclass(frozen=True, eq=False)
class StrokePixels:
    """Painted pixels of a domain and what they look like."""

    features: NDArray[np.float32]
    """(N, F)."""
    labels: Labels
    """(N,) class indices."""
    groups: NDArray[np.intp]
    """(N,) image of each pixel; its stroke, if only one image is painted."""

    @classmethod
    def of(cls, target: Domain, go_on: GoOn = lambda: True) -> StrokePixels | None:
        """Those of up to 24 tiles with most of them, painted images in turn, of one at least and then while `go_on` says so.

        None if there are not two classes in two groups.
        """
        painted = painted_indices(target)
        parts: list[tuple[NDArray[np.float32], Labels, NDArray[np.intp]]] = []
        for tile in _painted_tiles(target, painted):
            if parts and not go_on():
                break
            parts.append(_pixels_in(tile, target[tile.image], alone=len(painted) == 1))
        if not parts:
            return None
        features, labels, groups = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        kept = np.random.default_rng(0).permutation(len(labels))[:_PIXELS]
        pixels = cls(features[kept], labels[kept], groups[kept])
        enough = len(np.unique(pixels.labels)) > 1 and len(np.unique(pixels.groups)) > 1
        return pixels if enough else None

    def checked(self, go_on: GoOn = lambda: True) -> dict[int, float]:
        """Share of a class's pixels that a forest finds which has not seen their image, 0 to 1.

        Images are left out in four turns, while `go_on` says so, in one at least; the pixels of those that had no turn do not count.
        Of the classes that are painted in two images or more (two strokes, if one image is painted): of others nothing can be told.
        """
        groups = np.unique(self.groups)
        part = np.searchsorted(groups, self.groups) % min(_PARTS, len(groups))
        found = np.full(len(self.labels), IGNORE_INDEX, np.uint8)
        tried = np.zeros(len(self.labels), bool)
        for left_out in np.unique(part):
            if tried.any() and not go_on():
                break
            seen = part != left_out
            tried |= ~seen
            if len(np.unique(self.labels[seen])) > 1:
                trial = _fitted(self.features[seen], self.labels[seen], _TRIAL_TREES)
                found[~seen] = trial.predict(self.features[~seen])
        classes = [k for k in np.unique(self.labels[tried]) if len(np.unique(part[self.labels == k])) > 1]
        return {int(k): float(np.mean(found[tried & (self.labels == k)] == k)) for k in classes}


class StrokeForest:
    """A forest taught by strokes.

    Parameters
    ----------
    pixels
        What it is taught.
    """

    def __init__(self, pixels: StrokePixels) -> None:
        self._forest = _fitted(pixels.features, pixels.labels, _TREES)

    def labels_of(self, tile: Tile, sample: Sample) -> Labels:
        """(h, w) class indices of a tile; 255 where the trees do not agree."""
        features = tile.features(sample)
        votes = self._forest.predict_proba(features.reshape(-1, features.shape[-1]))
        labels = np.asarray(self._forest.classes_, np.uint8)[votes.argmax(1)]
        return (
            np.where(votes.max(1) >= _SURE, labels, np.uint8(IGNORE_INDEX))
            .reshape(features.shape[:2])
            .astype(np.uint8)
        )

    def iter_labels(self, target: Domain) -> Iterator[tuple[str, Labels]]:
        """Label up to 16 tiles, those with strokes before those anywhere: the name and (H, W) labels of an image, for each tile anew."""
        maps: dict[int, Labels] = {}
        for tile in _tiles_to_label(target):
            sample = target[tile.image]
            whole = maps.setdefault(tile.image, np.full(sample.image.shape[:2], IGNORE_INDEX, np.uint8))
            whole[tile.rows, tile.columns] = self.labels_of(tile, sample)
            yield sample.name, whole


def _cuts(length: int) -> list[slice]:
    bounds = np.linspace(0, length, -(-length // _TILE) + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]


def _painted_tiles(target: Domain, painted: list[int]) -> list[Tile]:
    """Tiles with strokes: of each image the one with most, then of each the next, and so on."""
    chosen = painted[evenly(len(painted), _PAINTED_TILES)]
    ranked = [tile for index in chosen for tile in enumerate(_by_paint(target[index], index))]
    return [tile for _, tile in sorted(ranked, key=lambda place: place[0])][:_PAINTED_TILES]


def _by_paint(sample: Sample, index: int) -> list[Tile]:
    """The tiles of an image that have strokes, most painted first."""
    if sample.labels is None:
        return []
    painted = sample.labels != IGNORE_INDEX
    amounts = [(int(painted[t.rows, t.columns].sum()), t) for t in tiles_of(index, painted.shape)]
    return [tile for amount, tile in sorted(amounts, key=lambda each: -each[0]) if amount]


def _tiles_to_label(target: Domain) -> list[Tile]:
    """Up to three quarters of the tiles where strokes are, then some in images without any, evenly chosen, then what is left of all these."""
    painted = painted_indices(target)
    others = sorted(set(range(len(target))) - set(painted))
    with_strokes = _painted_tiles(target, painted)
    spared = min(len(others), max(_LABELLED_TILES // 4, _LABELLED_TILES - len(with_strokes)))
    chosen = with_strokes[: _LABELLED_TILES - spared]
    some = others[evenly(len(others), max(1, spared))]
    rng = np.random.default_rng(0)
    left = []
    for index in [*some, *painted]:
        tiles = [t for t in tiles_of(index, target[index].image.shape[:2]) if t not in chosen]
        left.append([tiles[i] for i in rng.permutation(len(tiles))])
    turns = (tile for turn in zip_longest(*left) for tile in turn if tile is not None)
    return [*chosen, *islice(turns, _LABELLED_TILES - len(chosen))]


def _pixels_in(
    tile: Tile, sample: Sample, *, alone: bool
) -> tuple[NDArray[np.float32], Labels, NDArray[np.intp]]:
    """Features, labels and groups of the painted pixels of a tile."""
    assert sample.labels is not None  # tiles with strokes only
    labels = sample.labels[tile.rows, tile.columns]
    painted = labels != IGNORE_INDEX
    groups = np.full(sample.labels.shape, tile.image, np.intp)
    if alone:
        for number, stroke in enumerate(strokes_of(sample)):
            groups.flat[stroke.pixels] = number
    return tile.features(sample)[painted], labels[painted], groups[tile.rows, tile.columns][painted]


def _fitted(features: NDArray[np.float32], labels: Labels, trees: int) -> Any:
    from sklearn.ensemble import (
        RandomForestClassifier,
    )  # here: it takes most of a second to import, and few rounds need it

    threads = torch.get_num_threads()  # as many as training has, which waits meanwhile
    forest = RandomForestClassifier(trees, min_samples_leaf=2, random_state=0, n_jobs=threads)
    # One thread counts the votes: several add them up in an order, and so to a last digit, that differs from run to run.
    return forest.fit(features, labels).set_params(n_jobs=1)
