"""What is painted in one Labels layer, plane by plane, kept up to date by the strokes themselves.

A stroke tells which pixels it changed, and so do its undo and redo: the counts are corrected by that alone. The whole layer is read
only when its data is replaced or someone wrote into it without a stroke, and then, if it is big, in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Final

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_napari._aside import Run, run_now
from semidavil_napari._paint_values import as_bytes

Place = tuple[int, ...]
Counts = dict[Place, NDArray[np.int64]]

_VALUES: Final = 256
_READ_AT_ONCE: Final = 2**21
"""Pixels that are counted on the spot, in about a millisecond; more are counted in the background."""


class Strokes:
    """The strokes of one Labels layer.

    Parameters
    ----------
    layer
        The layer; its leading axes are the stack.
    on_changed
        Called when counts changed, or a count of the whole layer is done.
    shown
        Tells where the viewer's sliders stand, so that moving them is not taken for a change.
    run
        Runs work in the background; by default on the spot.
    empty
        Whether the layer is known to hold nothing yet.
    """

    def __init__(
        self,
        layer: Labels,
        on_changed: Callable[[], None],
        shown: Callable[[], Any] = lambda: None,
        run: Run = run_now,
        *,
        empty: bool = False,
    ) -> None:
        self._layer, self._on_changed, self._shown, self._run = layer, on_changed, shown, run
        self._counts: Counts = {}
        self._versions: dict[Place, int] = {}
        self._copies: dict[Place, tuple[int, bytes, NDArray[np.uint8]]] = {}
        self._clock = 0
        self._touched: set[Place] | None = None
        self._redo: list[Any] = []
        self._undo: list[Any] = []
        self._remember_history()
        self._seen_at = shown()
        self._handlers = ((layer.events.paint, self._on_paint), (layer.events.data, self._on_data), (layer.events.set_data, self._on_refresh), (layer.events.editable, self._remember_history))  # fmt: skip
        for event, handler in self._handlers:
            event.connect(handler)
        if not empty:
            self.recount()

    def disconnect(self) -> None:
        """Stop listening to the layer."""
        for event, handler in self._handlers:
            event.disconnect(handler)
        self._on_changed = lambda: None

    @property
    def ready(self) -> bool:
        """Whether the counts are complete."""
        return self._touched is None

    @property
    def places(self) -> tuple[Place, ...]:
        """Planes with strokes."""
        return tuple(self._counts)

    def total(self) -> NDArray[np.int64]:
        """Painted pixels by label value, (256,), over all planes."""
        return sum(self._counts.values(), np.zeros(_VALUES, np.int64))

    def count(self, place: Place) -> NDArray[np.int64]:
        """Painted pixels of one plane by label value."""
        return self._counts.get(place, np.zeros(_VALUES, np.int64))

    def version(self, place: Place) -> int:
        """A number that grows when a plane's strokes change; 0 for a plane that never had any."""
        return self._versions.get(place, 0)

    def indices(self, place: Place, table: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """A plane's strokes as class indices (H, W), 255 = unlabelled; None if it has none.

        A copy that stays as it is while painting goes on; made again only when the plane, or the table, has changed since.

        Parameters
        ----------
        place
            The plane.
        table
            (256,) class index of each label value.
        """
        if place not in self._counts:
            return None
        version, known, copy = self._copies.get(place, (-1, b"", np.empty(0, np.uint8)))
        if (version, known) != (self.version(place), table.tobytes()):
            copy = table[as_bytes(np.asarray(self._layer.data[place]))]
            self._copies[place] = (self.version(place), table.tobytes(), copy)
        return copy if (table[np.flatnonzero(self._counts[place])] != IGNORE_INDEX).any() else None

    def recount(self) -> None:
        """Read the whole layer again."""
        data = self._layer.data
        self._touched = set()
        if prod(data.shape) <= _READ_AT_ONCE and isinstance(data, np.ndarray):
            self._on_counted(data, count_planes(data))
        else:
            self._run(
                f"strokes {id(self)}",
                lambda: count_planes(data),
                lambda counts: self._on_counted(data, counts),
                lambda _: self._on_counted(data, self._counts),
            )

    def _on_counted(self, data: Any, counts: Counts) -> None:
        if data is not self._layer.data or self._touched is None:
            return  # replaced meanwhile: another count is on its way
        touched, self._touched = self._touched, None
        for place in set(counts) | set(self._counts):
            self._bump(place)
        self._counts = dict(counts)
        for place in touched:  # painted while the count ran
            self._counts.pop(place, None)
            if (count := count_plane(data[place])) is not None:
                self._counts[place] = count
        self._on_changed()

    # what is heard

    def _on_paint(self, event: Any) -> None:
        """A stroke is complete."""
        known = self._undo
        self._remember_history()
        gone, come = _apart(known, self._undo[:-1])
        for item in reversed(gone):  # undone while the layer was hidden, which nobody tells
            self._apply(reversed(item), undoing=True)
        for item in come:  # likewise redone
            self._apply(item, undoing=False)
        self._apply(event.value, undoing=False)

    def _on_data(self, _: Any) -> None:
        self._remember_history()
        self._copies.clear()
        self.recount()

    def _on_refresh(self, _: Any) -> None:
        """Something was drawn anew: an undo or redo, another plane, or data that was written without a stroke."""
        seen, self._seen_at = self._seen_at, self._shown()
        redo = self._redo
        self._remember_history()
        undone = self._redo
        if len(undone) > len(redo):
            for item in undone[len(redo) :]:
                self._apply(item, undoing=True)
        elif len(undone) < len(redo):
            redone = redo[len(undone) :]
            if self._was_redone(redone):
                for item in reversed(redone):
                    self._apply(reversed(item), undoing=False)
        elif seen == self._seen_at and not getattr(self._layer, "_staged_history", ()):
            self.recount()

    def _remember_history(self, _: Any = None) -> None:
        self._redo = list(getattr(self._layer, "_redo_history", ()))
        self._undo = list(getattr(self._layer, "_undo_history", ()))

    def _was_redone(self, items: list[Any]) -> bool:
        """Whether the items went back to the undo history, rather than being dropped by a new stroke."""
        last = self._undo[-1:]
        return bool(last and items and last[0] and items[0] and last[0][0] is items[0][-1])

    def _apply(self, atoms: Any, *, undoing: bool) -> None:
        try:
            for atom in atoms:
                for place, old, new in changes(atom):
                    self._correct(place, *((new, old) if undoing else (old, new)))
        except (
            AttributeError,
            TypeError,
            ValueError,
            IndexError,
        ):  # a napari that keeps its history otherwise
            self.recount()
        self._on_changed()

    def _correct(self, place: Place, gone: NDArray[np.int64], come: NDArray[np.int64]) -> None:
        count = self._counts.get(place, np.zeros(_VALUES, np.int64)) - gone + come
        count[0] = 0
        self._bump(place)
        if self._touched is not None:
            self._touched.add(place)
        if count.any():
            self._counts[place] = count
        else:
            self._counts.pop(place, None)

    def _bump(self, place: Place) -> None:
        self._clock += 1
        self._versions[place] = self._clock


def _apart(known: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]]:
    """What two states of a history do not share: items at the end of `known`, and at the end of `now`."""
    before, after = ([id(item[0]) for item in items if item] for items in (known, now))
    start = before.index(after[0]) if after and after[0] in before else 0  # old items drop out at the front
    shared = 0
    while shared < min(len(before) - start, len(after)) and before[start + shared] == after[shared]:
        shared += 1
    return known[start + shared :], now[shared:]


def count_planes(data: Any) -> Counts:
    """Painted pixels of every plane that has some, by label value; reads one plane at a time."""
    counts = ((place, count_plane(data[place])) for place in np.ndindex(*data.shape[:-2]))
    return {place: count for place, count in counts if count is not None}


def count_plane(plane: Any) -> NDArray[np.int64] | None:
    """Painted pixels of one plane by label value; None if there are none."""
    values = np.asarray(plane)
    if not values.any():
        return None
    counts = _histogram(values)
    counts[0] = 0
    return counts if counts.any() else None


def changes(atom: Any) -> Iterator[tuple[Place, NDArray[np.int64], NDArray[np.int64]]]:
    """What one entry of a layer's history changed: by plane, pixels of each label value before and after."""
    if hasattr(atom, "slice_key"):
        yield from _changes_of_mask(atom)
        return
    indices, old, new = atom
    lead = [np.asarray(axis).ravel() for axis in indices[:-2]]
    before = np.asarray(old).ravel()
    after = np.broadcast_to(np.asarray(new).ravel(), before.shape) if np.size(new) == 1 else np.asarray(new)
    yield from _grouped(lead, before, after.ravel())


def _changes_of_mask(atom: Any) -> Iterator[tuple[Place, NDArray[np.int64], NDArray[np.int64]]]:
    starts = [int(s.start) for s in atom.slice_key]
    lengths = [int(s.stop) - int(s.start) for s in atom.slice_key]
    old = np.asarray(atom.old_values).ravel()
    if prod(lengths[:-2]) == 1:
        lead: list[NDArray[Any]] = [np.array([start]) for start in starts[:-2]]
    else:
        mask = np.ones(lengths, bool) if atom.mask is None else np.asarray(atom.mask)
        lead = [axis + start for axis, start in zip(np.nonzero(mask)[:-2], starts, strict=False)]
    yield from _grouped(lead, old, np.full(old.shape, atom.new_value))


def _grouped(
    lead: list[NDArray[Any]], before: NDArray[Any], after: NDArray[Any]
) -> Iterator[tuple[Place, NDArray[np.int64], NDArray[np.int64]]]:
    """Split changes by their plane."""
    if not lead or all(axis.size == 1 for axis in lead):
        yield tuple(int(axis[0]) for axis in lead), _histogram(before), _histogram(after)
        return
    places, which = np.unique(np.stack(lead, axis=1), axis=0, return_inverse=True)
    for row, place in enumerate(places):
        inside = which.ravel() == row
        yield tuple(int(n) for n in place), _histogram(before[inside]), _histogram(after[inside])


def _histogram(values: NDArray[Any]) -> NDArray[np.int64]:
    """How often each value occurs, as a class can have it."""
    return np.bincount(as_bytes(values).ravel(), minlength=_VALUES)
