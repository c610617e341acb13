"""How well a model does on strokes that it was not trained on: before, during and after a round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.held_out import HeldOutStrokes
from semidavil_core.data.domains import Domain
from semidavil_core.events import HeldOutMeasured
from semidavil_core.inference.predict import JUDGED, Predictor
from semidavil_core.model.segmenter import Segmenter

_SPREAD = 0.05  # a stroke's share moves by this much for no reason
_LEARNT = 0.5  # share of a class's pixels from which on it counts as learnt

FloatArray = NDArray[np.float64]


class StrokeShares:
    """Which share of each held-out stroke a model gets right, gathered image by image.

    Parameters
    ----------
    held
        The strokes.
    """

    def __init__(self, held: HeldOutStrokes) -> None:
        self.held = held
        self.right: FloatArray = np.full(len(held), np.nan)
        """(S,) share of each stroke, 0 to 1; NaN where not looked at yet."""
        self.pixels: FloatArray = np.array([s.pixels.size for s in held.strokes], float)
        self.labels: NDArray[np.int64] = np.array([s.label for s in held.strokes], np.int64)

    def saw(self, image: str, prediction: NDArray[np.uint8]) -> None:
        """Count what a prediction (H, W) of one image gets right."""
        for number in self.held.by_image.get(image, []):
            stroke = self.held.strokes[number]
            self.right[number] = float((prediction.flat[stroke.pixels] == stroke.label).mean())

    def copy(self) -> StrokeShares:
        """The same figures, to be brought up to date apart."""
        other = StrokeShares(self.held)
        other.right = self.right.copy()
        return other

    @property
    def unseen(self) -> list[str]:
        """Images that hold held-out strokes and were not looked at."""
        return [name for name, numbers in self.held.by_image.items() if np.isnan(self.right[numbers]).any()]

    def accuracies(self, among: NDArray[np.bool_] | None = None) -> dict[int, float]:
        """Share of the held-out pixels that are right by class index, of the strokes that were looked at."""
        seen = ~np.isnan(self.right) & (True if among is None else among)
        return {
            int(k): float(np.average(self.right[mine], weights=self.pixels[mine]))
            for k in np.unique(self.labels[seen])
            if (mine := seen & (self.labels == k)).any()
        }

    @property
    def accuracy(self) -> float | None:
        """Mean of :meth:`accuracies`; None without any."""
        found = self.accuracies()
        return _mean(found) if found else None


@dataclass(frozen=True)
class Comparison:
    """A round's figures on its held-out strokes."""

    before: float
    """Mean over the classes of the share of held-out pixels that the model got right before the round, 0 to 1."""
    after: float
    margin: float
    """How much lower `after` would have to be, for chance to be an unlikely reason (one in twenty)."""
    strokes: int
    by_class: Mapping[int, float] = field(default_factory=dict)
    """Share that is right after the round, by class index."""
    lost: tuple[int, ...] = ()
    """Classes of which the model got most right before, and after the round less than half as much; by at least two strokes, and
    of all strokes less than half is right."""

    @property
    def worse(self) -> bool:
        """Whether the round made the model worse, as far as these strokes can tell."""
        return self.before - self.after > self.margin

    def scores(self, names: tuple[str, ...]) -> dict[str, float]:
        """The figures as :class:`~semidavil_core.events.RoundFinished` carries them."""
        return {
            "held_out_accuracy_before": self.before,
            "held_out_accuracy_after": self.after,
            "held_out_margin": self.margin,
            "held_out_strokes": float(self.strokes),
            "held_out_worse": float(self.worse),
            **{f"class/{names[k]}": share for k, share in self.by_class.items()},
            **{f"lost/{names[k]}": self.by_class[k] for k in self.lost},
        }


def compare(
    before: StrokeShares, after: StrokeShares, of_all: Mapping[int, float] | None = None
) -> Comparison | None:
    """Compare two looks at the same strokes; None if none was looked at twice.

    The margin is a one-sided 95 % bound of a paired comparison. Its unit is the stroke, not the pixel, since the pixels of a stroke stand
    and fall together: with weights ``w`` that sum to 1 (classes alike, pixels of a class alike) the mean change ``D = sum w d`` has the
    standard error ``s / sqrt(n)`` with ``n = 1 / sum w^2`` (Kish's effective number) and the weighted spread ``s`` of the strokes'
    changes ``d``, at least 0.05; Student's quantile with n - 1 degrees is near ``1.645 (1 + 1.5 / (n - 1))``
    from n = 3 on; below, it is larger, and the margin, at most 0.5, too small.

    Parameters
    ----------
    before, after
        The looks.
    of_all
        Share of all strokes that is right after the round, 0 to 1, by class index; None takes those of `after` for all. A class that is
        gone is wrong there too; one whose few strokes kept aside happen to lie where the model is wrong is not.
    """
    both = ~np.isnan(before.right) & ~np.isnan(after.right)
    if not both.any():
        return None
    was, now = before.accuracies(both), after.accuracies(both)
    weights = np.zeros(len(before.right))
    for k in was:
        mine = both & (before.labels == k)
        weights[mine] = before.pixels[mine] / before.pixels[mine].sum() / len(was)
    change = np.where(both, after.right - before.right, 0.0)
    everywhere = now if of_all is None else of_all
    lost = tuple(
        k
        for k in was
        if was[k] >= _LEARNT and now[k] < was[k] / 2 and (both & (before.labels == k)).sum() > 1
        if everywhere.get(k, 0.0) < _LEARNT
    )
    return Comparison(_mean(was), _mean(now), _margin(weights, change), int(both.sum()), now, lost)


def _mean(shares: Mapping[int, float]) -> float:
    return float(np.mean(list(shares.values())))


def _margin(weights: FloatArray, change: FloatArray) -> float:
    number = 1 / float((weights**2).sum())
    if number < 1.5:
        return 0.5  # a single stroke proves little
    spread = float((weights * (change - (weights * change).sum()) ** 2).sum()) * number / (number - 1)
    error = max(math.sqrt(spread), _SPREAD) / math.sqrt(number)
    return min(0.5, 1.645 * (1 + 1.5 / (number - 1)) * error)


class HeldOutWatch:
    """Looks at the held-out strokes while a round runs, on a small share of its time.

    Parameters
    ----------
    shares
        Figures from before the round; brought up to date image by image.
    target
        The images.
    every
        Seconds between two :class:`~semidavil_core.events.HeldOutMeasured`.
    share
        Share of the time that may be spent.
    clock
        Tells seconds.
    """

    def __init__(
        self,
        shares: StrokeShares,
        target: Domain,
        *,
        every: float = 2.0,
        share: float = 0.03,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shares = shares.copy()
        self._target = target
        self._rows = {name: row for row, name in enumerate(target.names)}
        self._queue = list(shares.held.by_image)
        self._every, self._share, self._clock = every, share, clock
        self._began = self._told = clock()
        self._spent = self._last = 0.0
        self._news = False

    def saw(self, image: str, prediction: NDArray[np.uint8]) -> None:
        """Use a prediction that was made anyway."""
        if image in self._queue:
            self._shares.saw(image, prediction)
            self._queue.append(self._queue.pop(self._queue.index(image)))  # looked at last
            self._news = True

    def close(self) -> None:
        """Look at nothing any more: the strokes are being learnt from now on."""
        self._queue, self._news = [], False

    def look(self, model: Segmenter, step: int, seconds: float) -> Iterator[HeldOutMeasured]:
        """Look at one image if there is time for it; tell the figure when it is due."""
        now = self._clock()
        if self._queue and self._spent + self._last <= self._share * (now - self._began):
            self._look_at(self._queue[0], model)
            self._last = self._clock() - now
            self._spent += self._last
        accuracy = self._shares.accuracy
        if self._news and accuracy is not None and now - self._told >= self._every:
            self._told, self._news = now, False
            yield HeldOutMeasured(step, seconds, accuracy)

    def _look_at(self, image: str, model: Segmenter) -> None:
        sample = self._target[self._rows[image]]
        self.saw(image, Predictor(model, JUDGED).predict(sample.image).labels)
