"""Which strokes a round does not see, so that it can be measured on them.

A stroke is what hangs together: painted pixels of one class that touch. Of each class about 15 % of the pixels are kept aside, whole
strokes where the class has at least three, else the end of one long stroke; a class with too little paint keeps all of it in training.
What was kept aside once stays aside, and what was trained on once is never measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain, MappedDomain, Sample

SHARE: Final = 0.15
"""Share of a class's painted pixels that a person's rounds keep aside."""
_FEWEST_STROKES: Final = 3
_LONG: Final = 40  # pixels: a stroke of which a part can be spared
_MOST_STROKES: Final = 8  # of a class; more would cost labels and make the figure hardly surer
_TOLERANCE: Final = 1.5  # whole strokes rarely add up to the share


@dataclass(frozen=True, eq=False)
class Stroke:
    """Painted pixels of one class that hang together."""

    image: str
    pixels: NDArray[np.int64]
    """Flat indices into the image's label map, ascending."""
    label: int
    """Class index."""
    width: int
    """Width of the image."""

    def order(self, seed: int) -> bytes:
        """Where the stroke stands in a random order that depends on nothing but `seed` and the stroke."""
        digest = hashlib.blake2b(f"{seed} {self.image} {self.label} ".encode(), digest_size=8)
        digest.update(self.pixels.tobytes())
        return digest.digest()


class HeldOutStrokes:
    """The strokes that one round does not see.

    Parameters
    ----------
    strokes
        Each of one image and one class; none if there were too few.
    """

    def __init__(self, strokes: Iterable[Stroke] = ()) -> None:
        self.strokes = tuple(strokes)
        self.by_image: dict[str, list[int]] = {}
        for number, stroke in enumerate(self.strokes):
            self.by_image.setdefault(stroke.image, []).append(number)

    def __len__(self) -> int:
        return len(self.strokes)

    def removed_from(self, target: Domain) -> Domain:
        """`target` without these strokes: what the round trains on."""
        return MappedDomain(target, self.without) if self.strokes else target

    def without(self, sample: Sample) -> Sample:
        """`sample` without these strokes."""
        numbers = self.by_image.get(sample.name)
        if numbers is None or sample.labels is None:
            return sample
        labels = sample.labels.copy()
        for number in numbers:
            labels.flat[self.strokes[number].pixels] = IGNORE_INDEX
        return Sample(sample.name, sample.image, labels)


class HoldOut:
    """Chooses what is kept aside, round after round.

    Parameters
    ----------
    seed
        With the strokes it decides everything.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._held: dict[str, _Marks] = {}
        self._trained: dict[str, _Marks] = {}
        self._pending: dict[str, _Marks] = {}

    def choose(self, target: Domain, share: float) -> HeldOutStrokes:
        """The strokes of `target` that the next round leaves out; `share` is the wanted share of each class's pixels, 0 for none."""
        paint = _Paint()
        images: dict[str, _Marks] = {}
        if share <= 0:
            self._held.clear()  # what is trained on now cannot be kept aside again
        for sample in (target[index] for index in range(len(target))):
            if not sample.is_painted:
                continue
            marks = images[sample.name] = _Marks.of(sample)
            if share > 0:
                known = [m.pixels for m in self._known(sample.name) if m.fits(marks)]
                paint.add(strokes_of(sample), np.concatenate(known) if known else None)
                paint.kept += _still_held(sample, self._held.get(sample.name), marks)
        held = HeldOutStrokes([*paint.kept, *self._more(paint, share)])
        self._note(held, images)
        return held

    def trained(self, *, all_of_it: bool = False) -> None:
        """Note that the round of the last :meth:`choose` has trained on what it saw: that is never measured from now on.

        Parameters
        ----------
        all_of_it
            Whether it has trained on what was kept aside too, in the end.
        """
        for name, marks in (*self._pending.items(), *(self._held.items() if all_of_it else ())):
            self._trained[name] = marks.joined(self._trained.get(name))
        if all_of_it:
            self._held.clear()
        self._pending = {}

    def _known(self, name: str) -> Iterable[_Marks]:
        """What was kept aside or trained on in one image."""
        return (where[name] for where in (self._held, self._trained) if name in where)

    def _more(self, paint: _Paint, share: float) -> Iterable[Stroke]:
        """Strokes to keep aside on top of those that are."""
        for k in sorted(paint.pixels):
            kept = [s for s in paint.kept if s.label == k]
            fresh = sorted((s for s in paint.fresh if s.label == k), key=lambda s: s.order(self._seed))
            wanted = share * paint.pixels[k]
            chosen = _whole_strokes(fresh, kept, wanted) if paint.strokes[k] >= _FEWEST_STROKES else []
            yield from chosen or ([] if kept else _end_of_longest(fresh, wanted))

    def _note(self, held: HeldOutStrokes, images: dict[str, _Marks]) -> None:
        for name, marks in images.items():
            aside = [held.strokes[number].pixels for number in held.by_image.get(name, [])]
            if aside:
                self._held[name] = marks.with_pixels(np.concatenate(aside))
                marks = marks.with_pixels(np.setdiff1d(marks.pixels, self._held[name].pixels))
            self._pending[name] = marks


@dataclass
class _Paint:
    """All strokes of a domain, sorted into what may be kept aside and what is already."""

    fresh: list[Stroke] = field(default_factory=list)
    kept: list[Stroke] = field(default_factory=list)
    pixels: dict[int, int] = field(default_factory=dict)
    strokes: dict[int, int] = field(default_factory=dict)

    def add(self, strokes: list[Stroke], known: NDArray[np.int64] | None) -> None:
        """Count the strokes of one image; those without a `known` pixel are fresh."""
        for stroke in strokes:
            self.pixels[stroke.label] = self.pixels.get(stroke.label, 0) + stroke.pixels.size
            self.strokes[stroke.label] = self.strokes.get(stroke.label, 0) + 1
            if known is None or not np.isin(stroke.pixels, known).any():
                self.fresh.append(stroke)


@dataclass(frozen=True, eq=False)
class _Marks:
    """Pixels of one image; another image under the same name does not fit them."""

    pixels: NDArray[np.int64]
    shape: tuple[int, ...]
    image: str

    @classmethod
    def of(cls, sample: Sample) -> _Marks:
        """All painted pixels of a sample."""
        labels = np.empty((0, 0), np.uint8) if sample.labels is None else sample.labels
        return cls(np.flatnonzero(labels.ravel() != IGNORE_INDEX), labels.shape, sample.mark)

    def fits(self, other: _Marks) -> bool:
        return (self.shape, self.image) == (other.shape, other.image)

    def with_pixels(self, pixels: NDArray[np.int64]) -> _Marks:
        return replace(self, pixels=pixels)

    def joined(self, other: _Marks | None) -> _Marks:
        fits = other is not None and other.fits(self)
        return self.with_pixels(np.union1d(self.pixels, other.pixels)) if other and fits else self


def strokes_of(sample: Sample) -> list[Stroke]:
    """The strokes of one image, in the order of their first pixel."""
    if sample.labels is None:
        return []
    pixels = np.flatnonzero(sample.labels.ravel() != IGNORE_INDEX)
    if not pixels.size:
        return []
    top, left, bottom, right = _extent(pixels, sample.labels.shape[1])
    cut = sample.labels[top:bottom, left:right]
    numbers = np.zeros(sample.labels.shape, np.int32)
    numbers[top:bottom, left:right] = label(cut.astype(np.int16), background=IGNORE_INDEX, connectivity=2)
    owner = numbers.ravel()[pixels]
    order = np.argsort(owner, kind="stable")
    parts = np.split(pixels[order], np.flatnonzero(np.diff(owner[order])) + 1)
    flat, width = sample.labels.ravel(), sample.labels.shape[1]
    return [Stroke(sample.name, part, int(flat[part[0]]), width) for part in parts]


def _still_held(sample: Sample, held: _Marks | None, now: _Marks) -> list[Stroke]:
    """What is left of the strokes kept aside earlier, in the classes that it has now."""
    if held is None or sample.labels is None or not held.fits(now):
        return []
    left = np.full_like(sample.labels, IGNORE_INDEX)
    left.flat[held.pixels] = sample.labels.flat[held.pixels]
    return strokes_of(Sample(sample.name, sample.image, left))


def _whole_strokes(fresh: list[Stroke], kept: list[Stroke], wanted: float) -> list[Stroke]:
    """The first of `fresh` that together with `kept` come close to `wanted` pixels."""
    size = sum(s.pixels.size for s in kept)
    chosen: list[Stroke] = []
    for stroke in fresh:
        if size >= wanted / _TOLERANCE or len(kept) + len(chosen) >= _MOST_STROKES:
            break
        if size + stroke.pixels.size <= wanted * _TOLERANCE:
            chosen.append(stroke)
            size += stroke.pixels.size
    return chosen


def _end_of_longest(fresh: list[Stroke], wanted: float) -> list[Stroke]:
    """`wanted` pixels, or a third, of the longest stroke, from its right or lower end; nothing of a short one."""
    longest = max(fresh, key=lambda s: s.pixels.size, default=None)
    if longest is None or longest.pixels.size < _LONG:
        return []
    rows, columns = longest.pixels // longest.width, longest.pixels % longest.width
    along = columns if np.ptp(columns) > np.ptp(rows) else rows
    count = min(round(wanted), longest.pixels.size // 3)
    end = longest.pixels[np.argsort(along, kind="stable")][longest.pixels.size - count :]
    return [replace(longest, pixels=np.sort(end))] if count else []


def _extent(pixels: NDArray[np.int64], width: int) -> tuple[int, int, int, int]:
    """Bounding box (top, left, bottom, right) of ascending flat indices."""
    rows, columns = pixels // width, pixels % width
    return int(rows[0]), int(columns.min()), int(rows[-1]) + 1, int(columns.max()) + 1
