"""An annotator who paints a short smooth stroke of the true class around a place: a person's answer to "paint here"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.ndimage import label as connected_parts
from skimage.graph import route_through_array

from semidavil_core.classes import IGNORE_INDEX

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SimulatedAnnotator:
    """Paints on label maps (H, W) of class indices, 255 = unlabelled."""

    length: float = 0.15
    """Of a stroke, as a share of the image's shorter side."""
    width: float = 3.0
    """Of the brush in pixels."""
    reach: float = 0.05
    """How far from the place the stroke may begin, as a share of the shorter side: where the place itself has no label."""
    smoothing: float = 2.0
    """Of the hand, in pixels along the path."""

    def paint(self, truth: Labels, place: tuple[float, float], rng: np.random.Generator) -> Labels | None:
        """One stroke of the class at `place`.

        Parameters
        ----------
        truth
            (H, W) dense labels.
        place
            Row and column.
        rng
            Decides where the stroke leads.

        Returns
        -------
        Labels or None
            (H, W), the class on the stroke and 255 elsewhere; None if nothing near the place has a label.
        """
        start = self._start(truth, place)
        if start is None:
            return None
        value = truth[start]
        parts, _ = connected_parts(truth == value, np.ones((3, 3)))
        region = parts == parts[start]
        path = self._path(region, start, self.length * min(truth.shape), rng)
        stroke = np.full(truth.shape, IGNORE_INDEX, np.uint8)
        stroke[self._brushed(path, region)] = value
        stroke[start] = value
        return stroke

    def _start(self, truth: Labels, place: tuple[float, float]) -> tuple[int, int] | None:
        """The labelled pixel nearest to the place."""
        labelled = np.argwhere(truth != IGNORE_INDEX)
        if not len(labelled):
            return None
        distances = np.hypot(*(labelled - np.array(place)).T)
        nearest = int(distances.argmin())
        if distances[nearest] > max(1.0, self.reach * min(truth.shape)):
            return None
        return int(labelled[nearest, 0]), int(labelled[nearest, 1])

    def _path(
        self, region: Mask, start: tuple[int, int], length: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """A way (N, 2) through the region to some far point of it, off its rim, as smooth as a hand."""
        depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        inner = np.argwhere(region & (depth >= min(2.0, depth[start])))
        distances = np.hypot(*(inner - np.array(start)).T)
        within = inner[distances <= length]
        far = np.hypot(*(within - np.array(start)).T)
        end = within[rng.choice(np.flatnonzero(far >= np.quantile(far, 0.8)))]
        cost = np.where(region, 1 / (0.3 + np.minimum(depth, 8.0)), 1e4)
        route, _ = route_through_array(cost, start, tuple(end), fully_connected=True, geometric=True)
        way = np.array(route[: max(1, round(length))], float)
        return np.asarray(gaussian_filter1d(way, self.smoothing, axis=0, mode="nearest"))

    def _brushed(self, path: NDArray[np.float64], region: Mask) -> Mask:
        """Pixels of the region within half a brush of the path."""
        off_path = np.ones(region.shape, bool)
        rows, columns = np.rint(path).astype(int).T
        off_path[rows.clip(0, region.shape[0] - 1), columns.clip(0, region.shape[1] - 1)] = False
        near: Mask = distance_transform_edt(off_path) <= self.width / 2
        return near & region


class PaintedStrokes:
    """The strokes so far, image by image."""

    def __init__(self) -> None:
        self.maps: dict[str, Labels] = {}
        self.count = 0

    def add(self, image: str, stroke: Labels) -> None:
        """Paint a stroke; what is painted stays under it as a person's later stroke would."""
        before = self.maps.get(image)
        self.maps[image] = stroke if before is None else np.where(stroke != IGNORE_INDEX, stroke, before)
        self.count += 1
