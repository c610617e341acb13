"""Which value in a Labels layer stands for which class, for ever.

Towards the engine a class is its place in the list, 0 to K - 1, and 255 is "unlabelled". In a Labels layer 0 is "unlabelled", and a class
keeps the value it got when it was first seen, through renaming, moving, removing and coming back: strokes are never rewritten, and
napari's own undo stays true. The first class set gets 1, 2, 3, …; a class that comes later gets a value that no class has had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet

_VALUES: Final = 256


class PaintValues:
    """The values of one window's classes."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._classes: ClassSet | None = None

    def follow(self, classes: ClassSet) -> None:
        """Take `classes` for the present ones: who is renamed keeps its value, who is new gets one."""
        kept = self._kept(classes)
        for info in classes:
            name = info.name.lower()
            value = kept.get(name, self._by_name.get(name))
            if value is None or (name not in kept and value in kept.values()):
                value = self._free(kept)
            kept[name] = value
        self._by_name |= kept
        self._classes = classes

    def learn(self, values: Mapping[str, int]) -> None:
        """Take over what :meth:`known` told, for instance in an earlier window; what is known already stays."""
        taken = set(self._by_name.values())
        for name, value in values.items():
            if name.lower() not in self._by_name and int(value) not in taken and 0 < int(value) < _VALUES:
                self._by_name[name.lower()] = int(value)

    def table_from(self, told: Mapping[str, int]) -> NDArray[np.uint8] | None:
        """How values of a layer that was painted elsewhere become ones of this window.

        Parameters
        ----------
        told
            What the values stand for there, by the class's name. Classes that are new here get a value.

        Returns
        -------
        NDArray[np.uint8] | None
            The value here of each value there, (256,); None where all stay the same.
        """
        self.learn(told)
        # A renamed class has its value under both of its names: one of them that holds here is enough.
        same = {value for name, value in told.items() if self._by_name.get(name.lower()) == value}
        table = np.arange(_VALUES, dtype=np.uint8)
        for name, value in told.items():
            if value not in same and 0 < value < _VALUES:
                table[value] = self._by_name.setdefault(name.lower(), self._free({}))
        return table if (table != np.arange(_VALUES)).any() else None

    def known(self) -> dict[str, int]:
        """Every value given so far, by the class's name in small letters."""
        return dict(self._by_name)

    def of(self, classes: ClassSet) -> NDArray[np.uint8]:
        """The values of `classes` in their order, (K,) uint8; they may be older than the present ones."""
        if self._classes is None:
            self.follow(classes)
        missing = [c for c in classes if c.name.lower() not in self._by_name]
        for info in missing:
            self._by_name[info.name.lower()] = self._free({})
        return np.array([self._by_name[c.name.lower()] for c in classes], np.uint8)

    def to_layer(self, indices: NDArray[np.uint8], classes: ClassSet) -> NDArray[np.uint8]:
        """Class indices (255 = unlabelled) as a Labels layer holds them; any shape."""
        table = np.zeros(_VALUES, np.uint8)
        table[: len(classes)] = self.of(classes)
        return table[indices]

    def to_indices(self, values: NDArray[Any], classes: ClassSet) -> NDArray[np.uint8]:
        """The way back, as a copy; values of no present class count as unlabelled."""
        table = np.full(_VALUES, IGNORE_INDEX, np.uint8)
        table[self.of(classes)] = np.arange(len(classes), dtype=np.uint8)
        return table[as_bytes(values)]

    def index_of(self, value: int, classes: ClassSet) -> int | None:
        """Place of the class that `value` stands for in a Labels layer; None for no class."""
        found = np.flatnonzero(self.of(classes) == value)
        return int(found[0]) if found.size else None

    def colormap(self, classes: ClassSet) -> DirectLabelColormap:
        """Each class in its colour under its value; everything else transparent."""
        colours: dict[int | None, Any] = {None: np.zeros(4, np.float32), 0: np.zeros(4, np.float32)}
        for value, rgb in zip(self.of(classes).tolist(), classes.palette, strict=True):
            colours[value] = np.array([*(rgb / 255), 1], np.float32)
        return DirectLabelColormap(color_dict=colours)

    def _kept(self, classes: ClassSet) -> dict[str, int]:
        """Values of the classes that were there before, by their present names."""
        if self._classes is None:
            return {}
        known = {name.lower() for name in self._classes.names}
        if sum(name.lower() not in known for name in classes.names) > 1:
            return {}  # another list, not a person's edit: only the names tell who is who
        places = self._classes.positions_in(classes)
        old = self.of(self._classes).tolist()
        return {
            classes[place].name.lower(): value
            for place, value in zip(places, old, strict=True)
            if place is not None
        }

    def _free(self, kept: Mapping[str, int]) -> int:
        """The smallest value that no class has had; when all are used up, one that no present class has."""
        everyone = {*self._by_name.values(), *kept.values()}
        present = set(kept.values()) or everyone
        candidates = range(1, _VALUES)
        return next((v for v in candidates if v not in everyone), None) or next(
            v for v in candidates if v not in present
        )


def as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Label values as bytes: what no class can have counts as unlabelled."""
    if values.dtype == np.uint8:
        return values
    return np.where((values > 0) & (values < _VALUES), values, 0).astype(np.uint8)
