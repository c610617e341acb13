"""Layers of the viewer as the labelled source: an image layer of the old domain and a Labels layer with dense labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.channels import to_rgb
from semidavil_napari._aside import Run
from semidavil_napari._image_axes import ImageAxes, axes_of
from semidavil_napari._image_planes import reader
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._sources import LayerSource, Pairs

_MOST: Final = IGNORE_INDEX - 1


class SourceLayers:
    """Keeps the boxes of the source panel and the layers of the viewer together.

    Parameters
    ----------
    book, panel
        The layers, and the section that shows them.
    classes
        Gives the window's present classes.
    run
        Runs work in the background.
    """

    def __init__(
        self, book: LayerBook, panel: SourcePanel, classes: Callable[[], ClassSet | None], run: Run
    ) -> None:
        self._book, self._panel, self._classes, self._run = book, panel, classes, run
        self._chosen: tuple[Image, Labels, bool] | None = None
        self._meant: ClassSet | None = None
        self._made: LayerSource | None = None
        self._version = 0
        panel.layers_chosen.connect(self._on_chosen)

    def on_layers(self) -> None:
        """Layers came, went or changed their names."""
        images, labels = self._book.source_choices()
        self._panel.setLayerChoices(images, labels)

    @property
    def chosen(self) -> LayerSource | None:
        """The source that the chosen layers make; None if they make none."""
        return self._made

    def recall(self, image: Image, labels: Labels, *, zero: bool, meant: ClassSet | None) -> None:
        """Choose layers of an earlier window, whose label values meant these classes."""
        self._panel.chooseLayers(str(image.unique_id), str(labels.unique_id), zero_is_a_class=zero)
        self._meant = meant

    def release(self) -> None:
        """Stop listening to the chosen labels."""
        if self._chosen is not None:
            for event in _events(self._chosen[1]):
                event.disconnect(self._on_labels)
        self._chosen = None

    def _on_chosen(self) -> None:
        image_id, labels_id, zero = self._panel.layers()
        image, labels = self._book.by_id(image_id), self._book.by_id(labels_id)
        self.release()
        self._made = None
        self._book.claim_source(image, labels)
        if not isinstance(image, Image) or not isinstance(labels, Labels):
            self._panel.setLayers(None)
            return
        self._chosen, self._meant = (image, labels, zero), None
        for event in _events(labels):
            event.connect(self._on_labels)
        self._count()

    def _on_labels(self, _: Any = None) -> None:
        self._version += 1
        self._count()

    def _count(self) -> None:
        """Look which values the labels have; they may be big, so not here."""
        if self._chosen is None:
            return
        image, labels, _ = self._chosen
        axes = axes_of(image)
        told = axes.problem(image.name) or _misfit(image, axes, labels)
        if told is not None:
            self._panel.setLayers(None, told)
            return
        data = labels.data
        self._panel.setLayers(None, "Reading the labels …")
        self._run(
            "source labels",
            lambda: _largest(data),
            self._on_counted,
            lambda told: self._panel.setLayers(None, told),
        )

    def _on_counted(self, largest: int) -> None:
        if self._chosen is None:
            return
        image, labels, zero = self._chosen
        count = largest + int(zero)
        if not 1 <= count <= _MOST:
            told = "no labels" if count < 1 else f"label values up to {largest}"
            self._panel.setLayers(
                None,
                f"“{labels.name}” holds {told}; each value must stand for a class: 1, 2, … at most {_MOST}.",
            )
            return
        kept = self._made.classes if self._made is not None else self._meant
        classes = (
            kept if kept is not None and len(kept) >= count else _named(self._classes(), count, zero=zero)
        )
        self._made = LayerSource(
            str(image.unique_id),
            str(labels.unique_id),
            zero,
            self._version,
            classes,
            _reader(image, labels, zero=zero),
        )
        self._panel.setLayers(
            self._made,
            f"{count} class{'es' if count > 1 else ''} in {axes_of(image)}: a first model is learned from them before the first round.",
        )


def _events(labels: Labels) -> tuple[Any, ...]:
    return labels.events.paint, labels.events.data


def _misfit(image: Image, axes: ImageAxes, labels: Labels) -> str | None:
    if not labels.multiscale and tuple(labels.data.shape) == axes.label_shape:
        return None
    given = " x ".join(map(str, labels.data[0].shape if labels.multiscale else labels.data.shape))
    wanted = " x ".join(map(str, axes.label_shape))
    return (
        f"“{labels.name}” is {given}, but labels of “{image.name}” must be {wanted}; choose labels that fit."
    )


def _largest(data: Any) -> int:
    """The largest label; one plane is read at a time."""
    return max((int(np.asarray(data[place]).max()) for place in np.ndindex(*data.shape[:-2])), default=0)


def _named(present: ClassSet | None, count: int, *, zero: bool) -> ClassSet:
    """The window's classes, with as many more as the labels have values."""
    if present is None:
        names = ["background"] * zero + [f"class {n + 1}" for n in range(count - zero)]
        return ClassSet.from_names(names)
    taken = {name.lower() for name in present.names}
    number = 1
    while len(present) < count:
        if f"class {number}" not in taken:
            present = present.with_class(f"class {number}")
        number += 1
    return present


def _reader(image: Image, labels: Labels, *, zero: bool) -> Callable[[], Pairs]:
    """How to read the images with their labels later, in the background; images without labels are left out."""
    axes, data, name = axes_of(image), labels.data, image.name
    reads = {place: reader(image, place) for place in np.ndindex(*axes.stack)}

    def read() -> Pairs:
        images, maps = {}, {}
        for place, read_one in reads.items():
            indices = _to_indices(np.asarray(data[place]), zero=zero)
            if (indices != IGNORE_INDEX).any():
                key = "-".join(["source", *(f"{n:04d}" for n in place)])
                images[key] = to_rgb(read_one(), axes.channels, f"“{name}”", axes=axes.letters)
                maps[key] = indices
        return images, maps

    return read


def _to_indices(values: NDArray[Any], *, zero: bool) -> NDArray[np.uint8]:
    first = 0 if zero else 1
    known = (values >= first) & (values - first < IGNORE_INDEX)
    return np.where(known, values - first, IGNORE_INDEX).astype(np.uint8)
