"""The layers that are ours to write: prediction, pseudo-labels and confidence of each image.

They are locked, lie where their image lies, share one class colormap, are drawn in place, and come back when someone deletes them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_napari._image_axes import axes_of
from semidavil_napari._layer_tags import RESULTS, Role, mark, role_of
from semidavil_napari._paint_values import PaintValues
from semidavil_napari._placement import follow, placement, shown_at

_TITLES: Final = {
    Role.PREDICTION: "prediction",
    Role.PSEUDO_LABELS: "pseudo-labels",
    Role.CONFIDENCE: "confidence",
}
_NOTHING: Final = {Role.PREDICTION: "not predicted", Role.PSEUDO_LABELS: "not trusted"}
_HALF_PRECISION_FROM: Final = 2**27
"""Pixels from which confidence takes two bytes each instead of four."""

Find = Callable[[Role, str], Any]


class ResultLayers:
    """Draws results into one viewer.

    Parameters
    ----------
    viewer
        The napari viewer.
    find
        Finds a layer by role and image key.
    paint
        Which label value stands for which class.
    """

    def __init__(self, viewer: Any, find: Find, paint: PaintValues) -> None:
        self._viewer, self._find, self._paint = viewer, find, paint
        self._waiting: dict[str, dict[tuple[Role, tuple[int, ...]], NDArray[Any]]] = {}

    def draw(
        self,
        role: Role,
        image: Image,
        key: str,
        place: tuple[int, ...],
        plane: NDArray[Any],
        classes: ClassSet,
    ) -> None:
        """Write one plane in place; a layer that is missing, or of another shape than its image, is made anew.

        What belongs to a hidden image waits until it is shown: of 200 images nobody needs 600 more layers at once.
        """
        layer = self._find(role, key)
        if layer is None and not image.visible:
            self._waiting.setdefault(key, {})[role, place] = plane
            return
        if layer is None or layer.data.shape != axes_of(image).label_shape:
            if layer is not None:
                self._viewer.layers.remove(layer)
            layer = self._add(role, image, key, classes)
        layer.data[place] = plane
        if not self._is_hidden(layer, place):
            layer.refresh(extent=False)

    def shown(self, image: Image, key: str, classes: ClassSet) -> None:
        """Draw what waited for an image to be shown."""
        shape = axes_of(image).size
        for (role, place), plane in self._waiting.pop(key, {}).items():
            if plane.shape == shape and len(place) == len(axes_of(image).stack):
                self.draw(role, image, key, place, plane, classes)

    def forget(self, key: str) -> None:
        """Drop what waited for an image that is gone."""
        self._waiting.pop(key, None)

    def move(self, image: Image, key: str) -> None:
        """Lay the results of an image where it lies now."""
        for role in RESULTS:
            if (layer := self._find(role, key)) is not None and layer.ndim == len(axes_of(image).label_shape):
                follow(layer, image)

    def _is_hidden(self, layer: Layer, place: tuple[int, ...]) -> bool:
        """Whether the viewer shows another plane of the stack, so that nothing needs to be drawn anew."""
        dims = self._viewer.dims
        flat = dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)
        return flat and bool(place) and shown_at(layer, dims.point) != place

    def _add(self, role: Role, image: Image, key: str, classes: ClassSet) -> Any:
        """Insert an empty layer under the strokes; selection and camera stay as they are."""
        layer = _empty(role, image, self._title(role, image))
        mark(layer, role, key)
        if isinstance(layer, Labels):
            paint_classes(layer, classes, self._paint)
        strokes, layers = self._find(Role.SCRIBBLES, key), self._viewer.layers
        position = layers.index(strokes) if strokes is not None else layers.index(image) + 1
        insert_locked(layers, position, layer)
        return layer

    def _title(self, role: Role, image: Image) -> str:
        others = (la for la in self._viewer.layers if role_of(la) == role)
        several = any(role_of(la) == Role.TARGET and la is not image for la in self._viewer.layers)
        return f"{_TITLES[role]}: {image.name}" if several or any(others) else _TITLES[role]


def paint_classes(layer: Labels, classes: ClassSet, paint: PaintValues) -> None:
    """Give a Labels layer the class colours, and one of ours the class names too."""
    layer.colormap = paint.colormap(classes)
    nothing = _NOTHING.get(Role(role_of(layer) or Role.TARGET))
    if nothing is not None:
        layer.features = {"index": [0, *paint.of(classes).tolist()], "class": [nothing, *classes.names]}


def insert_locked(layers: Any, position: int, layer: Layer) -> None:
    """Put a layer of ours among the viewer's, locked; what is selected stays selected."""
    selected, active = set(layers.selection), layers.selection.active
    layers.insert(position, layer)
    layers.selection = selected
    layers.selection.active = active
    _lock(layer)


def _lock(layer: Layer) -> None:
    """Keep people from painting into a layer of ours: it would be overwritten with the next preview."""

    def close(_: Any = None) -> None:
        if layer.editable:
            layer.editable = False

    layer.events.editable.connect(close)
    close()


def _empty(role: Role, image: Image, title: str) -> Any:
    shape, where = axes_of(image).label_shape, placement(image)
    if role is Role.CONFIDENCE:
        precision = np.float16 if prod(shape) > _HALF_PRECISION_FROM else np.float32
        return Image(
            np.zeros(shape, precision), name=title, colormap="cividis", contrast_limits=(0, 1), opacity=0.7, visible=False, **where
        )  # fmt: skip
    return Labels(
        np.zeros(shape, np.uint8), name=title, opacity=0.5, visible=role is Role.PREDICTION, **where
    )
