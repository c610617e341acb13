"""Where one more stroke pays most: places that the model is unsure of and where several classes meet.

The score follows region impurity (Xie et al., "Towards Fewer Annotations: Active Learning via Region Impurity and Prediction
Uncertainty for Domain Adaptive Semantic Segmentation", CVPR 2022, eq. 2-4): in a window around each place, the entropy of the
predicted classes times the mean entropy of the probabilities. Here it is weighted towards classes that have few strokes or none, and
the best places are spread over the images and over the classes. Plain numpy on coarse maps: milliseconds for each image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.events import Suggestion
from semidavil_core.inference.windows import any_in_cell, cell_means, entropy_of_shares, window_means
from semidavil_core.settings import Settings

Map = NDArray[np.float32]
_TINY: Final = 1e-12
_SECOND_IS_WORTH_NAMING: Final = 0.2
_OTHERS_ARE_WORTH_NAMING: Final = 0.6
_CLASSES_MEET: Final = 0.5


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
    class_repeat: float = 0.8
    """Factor on a place for each one of the same likely class that is suggested already."""
    least_score: float = 1e-3
    """Places below are not suggested: the model is sure."""

    def __post_init__(self) -> None:
        self._require("grid", 16, 4096)
        self._require("radius", 0.005, 0.5)
        self._require("clearance", 0, 10)
        self._require("separation", 0, 100)
        for share in ("pure_share", "image_repeat", "class_repeat"):
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


def coarse_map(probabilities: Map, settings: SuggestSettings | None = None) -> CoarseMap:
    """Average the probabilities (K, H, W) of an image over cells, one class at a time."""
    height, width = probabilities.shape[1:]
    cell = ceil(max(height, width) / (settings or SuggestSettings()).grid)
    means = [cell_means(plane, cell) for plane in probabilities]
    return CoarseMap(np.stack(means), (height, width), cell)


@dataclass(frozen=True)
class PaintedImage:
    """What is known of one image when a person asks where to paint."""

    name: str
    seen: CoarseMap
    strokes: NDArray[np.uint8] | None = None
    """(H, W) class indices, 255 = unlabelled; None: no strokes."""


def suggest(
    images: Iterable[PaintedImage],
    classes: Sequence[str],
    stroke_counts: Sequence[int],
    count: int,
    settings: SuggestSettings | None = None,
) -> tuple[Suggestion, ...]:
    """The `count` places where a stroke pays most, best first; fewer where the model is sure or everything is painted.

    Parameters
    ----------
    images
        Read once, one after the other.
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
    found = [place for image in images for place in scorer.best_of(image, count)]
    return tuple(_spread(found, count, settings))


@dataclass(frozen=True)
class _Scorer:
    classes: tuple[str, ...]
    stroke_counts: NDArray[np.float64]
    settings: SuggestSettings

    def best_of(self, image: PaintedImage, count: int) -> Iterator[Suggestion]:
        """The best places of one image, apart from each other."""
        seen, settings = image.seen, self.settings
        radius = max(2.0, settings.radius * min(seen.size))
        half = max(1, round(radius / seen.cell))
        window = np.stack([window_means(plane, half) for plane in seen.probabilities])
        impurity = entropy_of_shares(seen.probabilities.argmax(0), len(seen.probabilities), half)
        scores = self._scores(seen.probabilities, window, impurity, half)
        scores[self._forbidden(image, radius, half)] = 0
        for y, x in _peaks(scores, count, settings.separation * radius / seen.cell, settings.least_score):
            yield self._suggestion(
                image, (y, x), radius, float(scores[y, x]), window[:, y, x], float(impurity[y, x])
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


def _spread(found: Sequence[Suggestion], count: int, settings: SuggestSettings) -> Iterator[Suggestion]:
    """Greedy: the best place, each score lowered for images and classes that have their share; the first of equals wins."""
    left = list(found)
    images: Counter[str] = Counter()
    classes: Counter[int] = Counter()

    def worth(place: Suggestion) -> float:
        repeats = (
            settings.image_repeat ** images[place.image] * settings.class_repeat ** classes[place.class_index]
        )
        return place.score * repeats

    for _ in range(min(count, len(left))):
        best = max(left, key=worth)
        left.remove(best)
        images[best.image] += 1
        classes[best.class_index] += 1
        yield best


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
