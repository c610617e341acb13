"""Seeded streams of training crops: random zoom and flip, with a pixel of a rare class, with some stroke, or from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain, Sample
from semidavil_core.data.label_maps import SPARSE

_CROP_SHARE = 0.85  # of the images' shorter side


@dataclass(frozen=True)
class Crop:
    """One training crop before any photometric change."""

    image: Tensor
    """(3, S, S) float32 in [0, 1]."""
    labels: Tensor
    """(S, S) uint8 class indices, 255 where unlabelled."""
    inside: Tensor
    """(S, S) bool, False where the crop reaches over the image's border."""
    hints: Tensor
    """(S, S) uint8, labels that are not a person's; 255 where there is none."""
    key: tuple[str, int]
    """Image name and view number: equal keys are equal crops."""


@dataclass(frozen=True)
class CropGeometry:
    """What a random crop may look like."""

    size: int
    """S, the crop's side in pixels."""
    scale_low: float
    """Smallest zoom; 1 is the image's own resolution."""
    scale_high: float

    @classmethod
    def fitted(cls, size: int, domain: Domain, low: float, high: float) -> CropGeometry:
        """Zooms `low` to `high` around the one at which a typical image's shorter side fills the crop.

        Small images need magnifying crops, or a pole two pixels wide is never seen; large ones need context. The range always holds
        the images' own resolution, at which they are predicted.
        """
        base = size / _shorter_side(domain)
        return cls(size, float(np.clip(low * base, 0.4, 1.0)), float(np.clip(high * base, 1.0, 2.0)))


def crop_side(largest: int, domain: Domain) -> int:
    """A multiple of 32 up to `largest` that spans most of a typical image's shorter side.

    A crop that shows most of a small image leaves out nothing that a larger one would hold, in a fraction of the time.
    """
    return min(largest, 32 * math.ceil(_CROP_SHARE * _shorter_side(domain) / 32))


def _shorter_side(domain: Domain) -> float:
    """Median of the shorter sides of 8 to 15 images, or of all if there are fewer."""
    chosen = range(0, len(domain), max(1, len(domain) // 8))
    return float(np.median([min(domain[i].image.shape[:2]) for i in chosen]))


class CropStream:
    """Random crops of a domain.

    Parameters
    ----------
    domain
        Where the images come from.
    geometry
        Size and zoom of the crops.
    num_classes
        K.
    seed
        Together with the number of draws so far it decides everything.
    views
        None: every crop is new. Otherwise each image has only this many crops, so that their features can be kept.
    rare_temperature
        T of rare-class sampling: a class of frequency f is drawn with probability proportional to exp((1 - f) / T) (DAFormer,
        Hoyer et al., CVPR 2022).
    """

    def __init__(
        self,
        domain: Domain,
        geometry: CropGeometry,
        *,
        num_classes: int,
        seed: int,
        views: int | None = None,
        rare_temperature: float = 0.2,
    ) -> None:
        self.domain = domain
        self._geometry = geometry
        self._num_classes = num_classes
        self._seed = seed
        self._views = views
        self._temperature = rare_temperature
        self._rng = np.random.default_rng(seed)

    def anywhere(self, count: int) -> list[Crop]:
        """`count` crops from random places of random images."""
        return [self._draw(int(self._rng.integers(len(self.domain))), None) for _ in range(count)]

    def on_classes(self, count: int) -> list[Crop]:
        """`count` crops that each hold a labelled pixel of a class drawn with a preference for rare ones."""
        probabilities = self._class_probabilities
        if probabilities is None:
            return self.anywhere(count)
        classes = self._rng.choice(self._num_classes, count, p=probabilities)
        return [self._draw(int(self._rng.choice(self._images_by_class[int(c)])), int(c)) for c in classes]

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """(N, K) labelled pixels by image and class."""
        rows = []
        for index in range(len(self.domain)):
            labels = self.domain[index].labels
            flat = np.empty(0, np.uint8) if labels is None else labels[labels != IGNORE_INDEX]
            rows.append(np.bincount(flat, minlength=self._num_classes)[: self._num_classes])
        return np.stack(rows)

    @cached_property
    def _images_by_class(self) -> list[NDArray[np.int64]]:
        return [np.flatnonzero(column) for column in self._counts.T]

    @cached_property
    def _class_probabilities(self) -> NDArray[np.float64] | None:
        totals = self._counts.sum(0)
        if not totals.any():
            return None
        rarity = np.where(totals > 0, 1 - totals / totals.sum(), -np.inf) / self._temperature
        scores = np.exp(
            rarity - rarity.max()
        )  # the largest is 1, so that a low temperature does not overflow
        return np.asarray(scores / scores.sum(), np.float64)

    def _draw(self, image: int, wanted: int | None) -> Crop:
        sample = self.domain[image]
        view = int(self._rng.integers(2**31 if self._views is None else self._views))
        # A kept view must not depend on the class that asked for it, or equal keys would be unequal crops; for the same reason
        # views around labels are numbered apart from views of anywhere.
        if self._views is not None and wanted is not None:
            view += self._views
        rng = np.random.default_rng((self._seed, image, view))
        if self._views is not None and wanted is not None:
            wanted = _some_class(sample, rng)
        return _crop(sample, self._geometry, wanted, rng, view)


def _some_class(sample: Sample, rng: np.random.Generator) -> int | None:
    if sample.labels is None:
        return None
    present = np.unique(sample.labels[sample.labels != IGNORE_INDEX])
    return int(rng.choice(present)) if present.size else None


def _crop(
    sample: Sample, geometry: CropGeometry, wanted: int | None, rng: np.random.Generator, view: int
) -> Crop:
    size = geometry.size
    zoom = float(np.exp(rng.uniform(np.log(geometry.scale_low), np.log(geometry.scale_high))))
    window = max(8, round(size / zoom))
    top, left = _place(sample, window, wanted, rng)
    shape = sample.image.shape[:2]
    nothing = np.broadcast_to(np.uint8(IGNORE_INDEX), shape)
    labels = nothing if sample.labels is None else sample.labels
    hints = nothing if sample.hints is None else sample.hints
    cut = _Window(top, left, window)
    # Images repeat their edge beyond the border: a black frame would be a false boundary.
    image = vision.resize(cut.of(sample.image, None).movedim(-1, 0), [size, size], antialias=True)
    layers = [(labels, IGNORE_INDEX), (np.ones(shape, np.uint8), 0), (hints, IGNORE_INDEX)]
    maps = torch.stack([cut.of(layer, beyond) for layer, beyond in layers])
    small = vision.resize(maps, [size, size], interpolation=InterpolationMode.NEAREST)
    maps = torch.stack([_with_thin_strokes(small[0], maps[0]), *small[1:]])
    if rng.random() < 0.5:
        image, maps = image.flip(-1), maps.flip(-1)
    return Crop(image.float() / 255, maps[0], maps[1] > 0, maps[2], (sample.name, view))


def _with_thin_strokes(small: Tensor, labels: Tensor) -> Tensor:
    """`small` (S, S), made of sparse `labels` (side, side) by nearest neighbour, with the strokes that fell between its samples."""
    side, size = len(labels), len(small)
    painted = labels != IGNORE_INDEX
    if side <= size or painted.sum() > SPARSE * painted.numel():
        return small
    rows, columns = torch.nonzero(painted, as_tuple=True)
    y, x = rows * size // side, columns * size // side
    lost = small[y, x] == IGNORE_INDEX
    kept = small.clone()
    kept[y[lost], x[lost]] = labels[rows[lost], columns[lost]]
    return kept


@dataclass(frozen=True)
class _Window:
    """A square window that may reach over an image's border."""

    top: int
    left: int
    side: int

    def of(self, array: NDArray[np.uint8], fill: int | None) -> Tensor:
        """The window's content (side, side, …), outside filled with `fill` or with the repeated edge (None)."""
        extents = []
        for start, extent in zip((self.top, self.left), array.shape[:2], strict=True):
            extents.append((max(0, -start), max(0, start + self.side - extent)))
        content = array[max(0, self.top) : self.top + self.side, max(0, self.left) : self.left + self.side]
        if any(sum(e) for e in extents):
            widths = [*extents, *[(0, 0)] * (array.ndim - 2)]
            content = (
                np.pad(content, widths, "edge")
                if fill is None
                else np.pad(content, widths, constant_values=fill)
            )
        return torch.from_numpy(np.array(content))


def _place(sample: Sample, window: int, wanted: int | None, rng: np.random.Generator) -> tuple[int, int]:
    """Top left corner of the window: around a pixel of the wanted class, or anywhere."""
    corner = []
    pixel: Sequence[int | None] = (None, None)
    if wanted is not None and sample.labels is not None:
        rows, columns = np.nonzero(sample.labels == wanted)
        pick = int(rng.integers(len(rows)))
        pixel = (int(rows[pick]), int(columns[pick]))
    for extent, at in zip(sample.image.shape[:2], pixel, strict=True):
        low, high = min(0, (extent - window) // 2), max(0, extent - window)
        start = int(rng.integers(low, high + 1)) if extent > window else low
        if at is not None and extent > window:
            start = int(np.clip(at - int(rng.integers(window)), 0, high))
        corner.append(start)
    return corner[0], corner[1]
