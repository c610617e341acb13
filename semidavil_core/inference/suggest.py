"""Where one more stroke pays most: places that the model is unsure of and where several classes meet.

The score follows region impurity (Xie et al., "Towards Fewer Annotations: Active Learning via Region Impurity and Prediction
Uncertainty for Domain Adaptive Semantic Segmentation", CVPR 2022, eq. 2-4): in a window around each place, the entropy of the
predicted classes times the mean entropy of the probabilities. Here it is weighted towards classes that have few strokes or none, and
the best places are spread: over the images, and so that they resemble neither each other nor what is painted. Plain numpy on coarse maps:
milliseconds for each image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.selection import evenly
from semidavil_core.events import Suggestion
from semidavil_core.inference.novelty import Looks, LookScale, Novelty, raw_look
from semidavil_core.inference.windows import any_in_cell, cell_means, entropy_of_shares, window_means
from semidavil_core.settings import Settings

Map = NDArray[np.float32]
_TINY: Final = 1e-12
_SECOND_IS_WORTH_NAMING: Final = 0.2
_OTHERS_ARE_WORTH_NAMING: Final = 0.6
_CLASSES_MEET: Final = 0.5
_CANDIDATES: Final = 8  # of each image at the least: what differs most need not score best
_ALL_CANDIDATES: Final = 64  # of all images at the least
_LEAST_NOVELTY: Final = 0.02  # of a place that looks like one that is painted: it comes last, but it comes
_KNOWN: Final = 64  # painted cells of each image that places are compared with


@dataclass(frozen=True)
class SuggestSettings(Settings):
    """How places are scored and spread."""

    grid: int = 256
    """Cells along the longer side of the map that is scored; finer detail is averaged."""
    radius: float = 0.04
    """Half side of the window, and radius of a suggestion, as a share of the image's shorter side."""
    clearance: float = 1.0
    """How many radii a suggestion stays away from what is painted."""
    separation: float = 4.0
    """How many radii two suggestions in one image are apart."""
    pure_share: float = 0.1
    """Score of an unsure place where only one class is predicted, as a share of one where two classes meet; 0 is the paper's."""
    rare_bonus: float = 1.0
    """How much more a place counts whose likely classes have no strokes than one of the most painted class; 0 leaves it out."""
    image_repeat: float = 0.6
    """Factor on a place for each one that is suggested in the same image already."""
    least_score: float = 1e-3
    """Places below are not suggested: the model is sure."""

    def __post_init__(self) -> None:
        self._require("grid", 16, 4096)
        self._require("radius", 0.005, 0.5)
        self._require("clearance", 0, 10)
        self._require("separation", 0, 100)
        for share in ("pure_share", "image_repeat"):
            self._require(share, 0, 1)
        self._require("rare_bonus", 0, 100)
        self._require("least_score", 0, 1)


@dataclass(frozen=True)
class CoarseMap:
    """The probabilities of one image, averaged over square cells; small enough to keep for every image."""

    probabilities: Map
    """(K, h, w), summing to 1 over K."""
    size: tuple[int, int]
    """Height and width of the image in pixels."""
    cell: int
    """Side of a cell in pixels; the last row and column may cover less."""
    colour: Map | None = None
    """(C, h, w) mean channels of the image, 0 to 1; None if they are not to count."""


def coarse_map(
    probabilities: Map, image: NDArray[np.uint8] | None = None, settings: SuggestSettings | None = None
) -> CoarseMap:
    """Average the probabilities (K, H, W) of an image, and the image (H, W, C) itself, over cells, one plane at a time."""
    height, width = probabilities.shape[1:]
    cell = ceil(max(height, width) / (settings or SuggestSettings()).grid)
    means = np.stack([cell_means(plane, cell) for plane in probabilities])
    colour = None
    if image is not None:
        planes = (np.ascontiguousarray(plane) for plane in np.moveaxis(image, -1, 0))
        colour = np.stack([cell_means(plane, cell) / np.float32(255) for plane in planes])
    return CoarseMap(means, (height, width), cell, colour)


@dataclass(frozen=True)
class PaintedImage:
    """What is known of one image when a person asks where to paint."""

    name: str
    seen: CoarseMap
    strokes: NDArray[np.uint8] | None = None
    """(H, W) class indices, 255 = unlabelled; None: no strokes."""


def suggest(
    images: Sequence[PaintedImage],
    classes: Sequence[str],
    stroke_counts: Sequence[int],
    count: int,
    settings: SuggestSettings | None = None,
) -> tuple[Suggestion, ...]:
    """The `count` places where a stroke pays most, best first; fewer where the model is sure or everything is painted.

    Parameters
    ----------
    images
        What is known of each.
    classes
        Names of the K classes.
    stroke_counts
        Painted pixels of each class over all images, (K,).
    count
        How many places are wanted, at least 0.
    settings
        Scoring and spreading.
    """
    settings = settings or SuggestSettings()
    scorer = _Scorer(tuple(classes), np.asarray(stroke_counts, np.float64), settings)
    # Looks are made twice, here and to compare: kept, those of many images would fill the memory.
    scale = LookScale(look for image in images if (look := scorer.raw_look(image)) is not None)
    wanted = max(count, _CANDIDATES, ceil(_ALL_CANDIDATES / max(1, len(images))))
    found, candidates, known = list[Suggestion](), list[Looks](), list[Looks]()
    for image in images:
        seen = scorer.see(image)
        best = list(scorer.best_of(image, seen, wanted))
        found += [place for _, place in best]
        candidates.append(scale.looks(seen.raw, seen.window, [cell for cell, _ in best]))
        known.append(scale.looks(seen.raw, seen.window, _painted_cells(image)))
    if not found:
        return ()
    return tuple(_spread(found, Novelty(np.concatenate(candidates), np.concatenate(known)), count, settings))


@dataclass(frozen=True)
class _Seen:
    """An image through the windows of its places."""

    radius: float
    """Of a place, in pixels."""
    half: int
    """Half the side of its window, in cells."""
    window: Map
    """(K, h, w) mean probabilities."""
    raw: Map | None
    """(2 C, h, w) look; None without colours."""


@dataclass(frozen=True)
class _Scorer:
    classes: tuple[str, ...]
    stroke_counts: NDArray[np.float64]
    settings: SuggestSettings

    def see(self, image: PaintedImage) -> _Seen:
        """What its windows show."""
        radius, half = self._window(image.seen)
        window = np.stack([window_means(plane, half) for plane in image.seen.probabilities])
        return _Seen(radius, half, window, self.raw_look(image))

    def raw_look(self, image: PaintedImage) -> Map | None:
        """(2 C, h, w) what its windows look like; None without colours."""
        return None if image.seen.colour is None else raw_look(image.seen.colour, self._window(image.seen)[1])

    def _window(self, seen: CoarseMap) -> tuple[float, int]:
        radius = max(2.0, self.settings.radius * min(seen.size))
        return radius, max(1, round(radius / seen.cell))

    def best_of(
        self, image: PaintedImage, seen: _Seen, count: int
    ) -> Iterator[tuple[tuple[int, int], Suggestion]]:
        """The best places of one image, apart from each other, each with its cell."""
        settings, probabilities, window = self.settings, image.seen.probabilities, seen.window
        impurity = entropy_of_shares(probabilities.argmax(0), len(probabilities), seen.half)
        scores = self._scores(probabilities, window, impurity, seen.half)
        scores[self._forbidden(image, seen.radius, seen.half)] = 0
        apart = settings.separation * seen.radius / image.seen.cell
        for y, x in _peaks(scores, count, apart, settings.least_score):
            yield (
                (y, x),
                self._suggestion(
                    image, (y, x), seen.radius, float(scores[y, x]), window[:, y, x], float(impurity[y, x])
                ),
            )

    def _scores(self, probabilities: Map, window: Map, impurity: Map, half: int) -> Map:
        """(h, w): about 1 where two classes are equally likely and fill half of the window each."""
        logs = np.log(np.maximum(probabilities, _TINY))
        unsure = window_means(-(probabilities * logs).sum(0) / np.float32(log(2)), half)
        pure = self.settings.pure_share
        wanted = np.tensordot(self._class_weights(), window, 1)
        scores: Map = (unsure * (pure + (1 - pure) * impurity) * wanted).astype(np.float32)
        return scores

    def _class_weights(self) -> Map:
        """(K,): 1 for a class without strokes, 1 / (1 + rare_bonus) for the most painted one."""
        most = max(1.0, float(self.stroke_counts.max(initial=0)))
        lacking = 1 - self.stroke_counts / most
        bonus = self.settings.rare_bonus
        return np.asarray((1 + bonus * lacking) / (1 + bonus), np.float32)

    def _forbidden(self, image: PaintedImage, radius: float, half: int) -> NDArray[np.bool_]:
        """(h, w): painted or close to it, or so close to the border that half of the place lies outside."""
        h, w = image.seen.probabilities.shape[1:]
        forbidden = np.ones((h, w), bool)
        margin = min(half // 2, (h - 1) // 2, (w - 1) // 2)
        forbidden[margin : h - margin, margin : w - margin] = False
        if image.strokes is not None:
            painted = any_in_cell(image.strokes != IGNORE_INDEX, image.seen.cell)
            away = ceil(self.settings.clearance * radius / image.seen.cell) + 1
            forbidden |= window_means(painted.astype(np.float32), away) > 0
        return forbidden

    def _suggestion(
        self,
        image: PaintedImage,
        at: tuple[int, int],
        radius: float,
        score: float,
        window: Map,
        impurity: float,
    ) -> Suggestion:
        likely = int(window.argmax())
        y, x = (min((i + 0.5) * image.seen.cell, n - 1.0) for i, n in zip(at, image.seen.size, strict=True))
        return Suggestion(
            image.name, y, x, radius, score, likely, self.classes[likely], self._reason(window, impurity)
        )

    def _reason(self, window: Map, impurity: float) -> str:
        order = np.argsort(-window, kind="stable")
        first = int(order[0])
        words = f"unsure whether this is {self._named(first, window)}"
        named = [first]
        if len(order) > 1 and window[order[1]] >= _SECOND_IS_WORTH_NAMING * window[first]:
            named.append(int(order[1]))
            both = (self._named(k, window) for k in named)
            few = window[named].sum() < _OTHERS_ARE_WORTH_NAMING
            words = (
                f"unsure between {', '.join(both)} and others"
                if few
                else f"unsure between {' and '.join(both)}"
            )
        if impurity >= _CLASSES_MEET:
            words += ", and several classes meet here"
        unpainted = [self.classes[k] for k in named if self.stroke_counts[k] == 0]
        return words + (f"; no stroke of {' or '.join(unpainted)} yet" if unpainted else "")

    def _named(self, index: int, window: Map) -> str:
        return f"{self.classes[index]} ({float(window[index]):.0%})"


def _spread(
    found: Sequence[Suggestion], novelty: Novelty, count: int, settings: SuggestSettings
) -> Iterator[Suggestion]:
    """Greedy: the place worth most, as unsure as it is and as it is unlike what was painted or chosen; the first of equals wins.

    The root of the score: what differs shows more of the classes than what is unsure, as long as a model knows little.
    """
    worth = np.sqrt([place.score for place in found])
    images = np.array([place.image for place in found])
    for _ in range(min(count, len(found))):
        best = int(np.argmax(worth * np.maximum(novelty.values(), _LEAST_NOVELTY)))
        yield found[best]
        novelty.choose(best)
        worth[images == found[best].image] *= settings.image_repeat
        worth[best] = 0


def _painted_cells(image: PaintedImage) -> NDArray[np.intp]:
    """(N, 2) some cells that hold a stroke, evenly chosen."""
    if image.strokes is None:
        return np.empty((0, 2), np.intp)
    cells = np.argwhere(any_in_cell(image.strokes != IGNORE_INDEX, image.seen.cell))
    return cells[evenly(len(cells), _KNOWN)]


def _peaks(scores: Map, count: int, apart: float, least: float) -> Iterator[tuple[int, int]]:
    """The highest cells, each at least `apart` cells from those before it."""
    left = scores.copy()
    rows, columns = np.ogrid[: left.shape[0], : left.shape[1]]
    for _ in range(count):
        y, x = (int(i) for i in np.unravel_index(int(left.argmax()), left.shape))
        if left[y, x] <= least:
            return
        yield y, x
        left[(rows - y) ** 2 + (columns - x) ** 2 < max(1.0, apart) ** 2] = 0
