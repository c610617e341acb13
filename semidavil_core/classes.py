"""The class set: ordered classes with names, prompts, colours and the values they have in label files.

Inside arrays and tensors class ``k`` is its position ``0 .. K-1`` and ``IGNORE_INDEX`` (255) means "no label". In files a class is
written as its ``value``; in a napari Labels layer as ``position + 1`` with 0 for "unlabelled".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.class_colours import DEFAULT_COLORS, farthest_color
from semidavil_core.errors import InvalidClasses, InvalidLabels

IGNORE_INDEX: Final = 255
MAX_CLASSES: Final = 254
_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class.

    Parameters
    ----------
    name
        What a person calls it; unique within a class set, ignoring case.
    prompts
        Synonyms for the language model; the name itself where none are given.
    color
        ``#rrggbb``.
    value
        The integer 0 to 254 that stands for the class in label files.
    """

    name: str
    prompts: tuple[str, ...]
    color: str
    value: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompts", tuple(self.prompts) or (self.name,))
        if not self.name.strip():
            raise InvalidClasses("A class has an empty name; give every class a name of at least one letter.")
        if not _HEX_COLOR.fullmatch(self.color):
            raise InvalidClasses(f"Class {self.name!r} has the colour {self.color!r}; write it as #rrggbb.")
        if type(self.value) is not int or not 0 <= self.value < IGNORE_INDEX:
            raise InvalidClasses(
                f"Class {self.name!r} has the value {self.value!r}; allowed are whole numbers 0 to 254 (255 means ignore)."
            )


@dataclass(frozen=True, slots=True)
class ClassSet:
    """An ordered, immutable set of classes; every change returns a new set.

    Parameters
    ----------
    classes
        The classes in order.
    retired
        Values of classes that were removed: a new class does not take them while others are free, so that no label of the old
        class passes for one of the new.
    """

    classes: tuple[ClassInfo, ...]
    retired: frozenset[int] = field(default=frozenset(), repr=False, compare=False)
    _lookup: NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.classes:
            raise InvalidClasses("The class set is empty; list at least one class.")
        if len(self.classes) > MAX_CLASSES:
            raise InvalidClasses(
                f"The class set has {len(self.classes)} classes; at most {MAX_CLASSES} fit a label map."
            )
        _refuse_duplicates("name", [c.name.strip().lower() for c in self.classes])
        _refuse_duplicates("value", [c.value for c in self.classes])
        lookup = np.full(256, IGNORE_INDEX, np.uint8)
        lookup[list(self.values)] = np.arange(len(self.classes), dtype=np.uint8)
        object.__setattr__(self, "_lookup", lookup)

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[ClassInfo]:
        return iter(self.classes)

    def __getitem__(self, index: int) -> ClassInfo:
        return self.classes[index]

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(c.name for c in self.classes)

    @property
    def values(self) -> tuple[int, ...]:
        """The label-file values in order."""
        return tuple(c.value for c in self.classes)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """Colours, shape (K, 3), 0 to 255."""
        return np.array([[int(c.color[i : i + 2], 16) for i in (1, 3, 5)] for c in self.classes], np.uint8)

    def index(self, name: str) -> int:
        """Position of the class called `name` (any case)."""
        lowered = [c.name.strip().lower() for c in self.classes]
        if name.strip().lower() not in lowered:
            raise InvalidClasses(
                f"There is no class called {name!r}; the classes are {', '.join(self.names)}."
            )
        return lowered.index(name.strip().lower())

    def with_class(self, name: str, prompts: Sequence[str] = (), color: str | None = None) -> ClassSet:
        """A new set with one more class at its end, on a value that no class has or had and the free colour that is told best from the others."""
        color = color or farthest_color([c.color for c in self.classes])
        info = ClassInfo(name.strip(), tuple(prompts) or (name.strip(),), color, self._new_value())
        return ClassSet((*self.classes, info), self.retired)

    def with_inserted(self, index: int, info: ClassInfo) -> ClassSet:
        """A new set with `info`, as it is, at the position `index`: the way back from :meth:`without`."""
        return ClassSet((*self.classes[:index], info, *self.classes[index:]), self.retired)

    def with_changed(self, index: int, info: ClassInfo) -> ClassSet:
        """A new set with `info` in place of the class at `index`; with the same value it stays the same class, renamed or not."""
        classes = list(self.classes)
        classes[index] = info
        return ClassSet(tuple(classes), self.retired)

    def with_moved(self, index: int, to: int) -> ClassSet:
        """A new set in which the class at `index` has moved to the position `to`."""
        classes = list(self.classes)
        classes.insert(to, classes.pop(index))
        return ClassSet(tuple(classes), self.retired)

    def without(self, index: int) -> ClassSet:
        """A new set without the class at `index`, whose value no other class takes over.

        Raises
        ------
        InvalidClasses
            It is the last class.
        """
        kept = (*self.classes[:index], *self.classes[index + 1 :])
        return ClassSet(kept, self.retired | {self.classes[index].value})

    def positions_in(self, new: ClassSet) -> tuple[int | None, ...]:
        """Where each of these classes is in `new`; None for a class that is no more.

        A class is the same if it has the same name (ignoring case); or the same value, where neither name is in the other set:
        then it was renamed.
        """
        lowered = [name.lower() for name in new.names]
        before = {name.lower() for name in self.names}
        renamed = {c.value: place for place, c in enumerate(new) if c.name.lower() not in before}
        return tuple(
            lowered.index(c.name.lower()) if c.name.lower() in lowered else renamed.get(c.value) for c in self
        )

    def _new_value(self) -> int:
        above = max(self.values) + 1
        known = {*self.values, *self.retired}
        candidates = (*range(above, IGNORE_INDEX), *range(above))
        # There are more values than classes, so at the latest those of removed classes are free.
        fresh = [v for v in candidates if v not in known] or [v for v in candidates if v not in self.values]
        return int(fresh[0])

    def to_indices(
        self, values: NDArray[Any], *, where: str, unlisted_is_ignored: bool = False
    ) -> NDArray[np.uint8]:
        """Translate label-file values to class indices.

        Parameters
        ----------
        values
            (H, W) integers as read from a file.
        where
            The file, for the error message.
        unlisted_is_ignored
            Scribble folders: everything that is no class counts as unlabelled.

        Returns
        -------
        NDArray[np.uint8]
            (H, W), 0 to K-1 or 255.

        Raises
        ------
        InvalidLabels
            A value is neither a class nor 255.
        """
        in_range = (values >= 0) & (values <= IGNORE_INDEX)
        small = values.astype(np.uint8)
        small[~in_range] = IGNORE_INDEX
        indices = self._lookup[small]
        unknown = ~in_range | ((indices == IGNORE_INDEX) & (small != IGNORE_INDEX))
        if not unlisted_is_ignored and unknown.any():
            bad = [int(v) for v in np.unique(values[unknown])]
            raise InvalidLabels(
                f"{where} holds the label values {bad[:8]}, which are no class; allowed are {sorted(self.values)} and 255 "
                "for ignore: correct the map or list the classes in the classes file."
            )
        return indices

    def to_values(self, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Translate class indices (H, W) back to label-file values; 255 stays 255."""
        table = np.full(256, IGNORE_INDEX, np.uint8)
        table[: len(self)] = self.values
        return table[indices]

    def to_json(self) -> list[dict[str, Any]]:
        """The list that ``classes.json`` holds."""
        return [
            {"name": c.name, "prompts": list(c.prompts), "color": c.color, "value": c.value}
            for c in self.classes
        ]

    @classmethod
    def from_json(cls, entries: Any, *, where: str = "the class list") -> ClassSet:
        """Read the list that ``classes.json`` holds; prompts, colour and value may be missing."""
        if isinstance(entries, dict) and "classes" in entries:
            entries = entries["classes"]
        if not isinstance(entries, list):
            raise InvalidClasses(
                f"{where} holds {type(entries).__name__}; expected a list of classes with a name each."
            )
        return cls(tuple(_class_from_json(entry, position, where) for position, entry in enumerate(entries)))

    @classmethod
    def from_names(cls, names: Iterable[str]) -> ClassSet:
        """A class set from names alone: values 0, 1, 2, … and default colours."""
        return cls.from_json([name.strip() for name in names if name.strip()], where="the list of names")

    @classmethod
    def read(cls, path: Path | str) -> ClassSet:
        """Read a ``classes.json``.

        Raises
        ------
        InvalidClasses
            The file is missing, no JSON, or breaks a rule of this class.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "classes.json"
        try:
            entries = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InvalidClasses(
                f"{path} cannot be read as a classes file ({error}); give a JSON list of classes."
            ) from error
        return cls.from_json(entries, where=str(path))


def _class_from_json(entry: Any, position: int, where: str) -> ClassInfo:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise InvalidClasses(
            f"{where}: entry {position + 1} is {entry!r}; expected an object with at least a name."
        )
    prompts = entry.get("prompts") or []
    if not isinstance(prompts, list) or not all(isinstance(p, str) and p.strip() for p in prompts):
        raise InvalidClasses(
            f"{where}: class {entry['name']!r} has the prompts {prompts!r}; expected a list of texts."
        )
    color = entry.get("color", DEFAULT_COLORS[position % len(DEFAULT_COLORS)])
    return ClassInfo(
        entry["name"].strip(), tuple(p.strip() for p in prompts), str(color), entry.get("value", position)
    )


def _refuse_duplicates(what: str, items: Sequence[str | int]) -> None:
    duplicates = sorted({str(i) for i in items if items.count(i) > 1})
    if duplicates:
        raise InvalidClasses(
            f"The class {what} {', '.join(duplicates)} occurs more than once; every {what} must be unique."
        )
