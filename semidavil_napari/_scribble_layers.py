"""The Labels layers that hold a person's strokes: which one belongs to which image, and what is painted in it.

Strokes are the person's: nothing here writes pixels. An empty layer is made on request, and taken away only while it is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from napari.layers import Labels, Layer

from semidavil_core.classes import ClassSet
from semidavil_napari._aside import Run
from semidavil_napari._image_axes import ImageAxes, axes_of
from semidavil_napari._layer_index import LayerIndex
from semidavil_napari._layer_tags import Role, mark, tag_of, unmark
from semidavil_napari._paint_values import PaintValues
from semidavil_napari._placement import placement
from semidavil_napari._strokes import Strokes

BRUSH_SIZE: Final = 4


class ScribbleLayers:
    """The scribbles layers of one viewer.

    Parameters
    ----------
    viewer, index
        The napari viewer and its layers by role.
    paint
        Which label value stands for which class.
    on_strokes
        Called when strokes changed.
    run
        Runs the counting of big layers.
    """

    def __init__(
        self, viewer: Any, index: LayerIndex, paint: PaintValues, on_strokes: Callable[[], None], run: Run
    ) -> None:
        self._viewer, self._index, self._paint = viewer, index, paint
        self._on_strokes, self._run = on_strokes, run
        self._strokes: dict[Layer, Strokes] = {}

    def layer(self, key: str) -> Labels | None:
        """The layer with the strokes of an image; the only fitting one that a person made is adopted."""
        image = self._index.image(key)
        axes = None if image is None else axes_of(image)
        ours = (la for la in self._index.all(Role.SCRIBBLES, key) if axes is None or _fits(la, axes))
        if (found := next(ours, None)) is not None or axes is None or axes.undecided:
            return found
        foreign = [la for la in self._index.unclaimed() if _fits(la, axes)]
        if len(foreign) != 1:
            return None
        mark(foreign[0], Role.SCRIBBLES, key)
        self._index.changed()
        return foreign[0]

    def strokes(self, key: str) -> Strokes | None:
        """What is painted on an image; None if it has no scribbles layer."""
        layer = self.layer(key)
        if layer is None:
            return None
        if layer not in self._strokes:
            self._listen(layer)
        return self._strokes[layer]

    def painted(self, keys: Sequence[str], classes: ClassSet) -> list[int]:
        """Painted pixels of each class, over all `keys`; nothing is read for it."""
        counts = sum((s.total() for s in filter(None, map(self.strokes, keys))), np.zeros(256, np.int64))
        return [int(n) for n in counts[self._paint.of(classes)]]

    def add(self, key: str, classes: ClassSet, *, several: bool) -> None:
        """Give an image an empty layer, ready to paint; one of another shape becomes an ordinary layer."""
        image = self._index.image(key)
        if image is None or self.layer(key) is not None:
            return
        for other in list(self._index.all(Role.SCRIBBLES, key)):
            unmark(other)
        layer = Labels(
            np.zeros(axes_of(image).label_shape, np.uint8),
            name=f"scribbles: {image.name}" if several else "scribbles",
            colormap=self._paint.colormap(classes),
            opacity=1.0,
            **placement(image),
        )
        mark(layer, Role.SCRIBBLES, key, made_here=True)
        self._listen(layer, empty=True)
        self._viewer.add_layer(layer)
        layer.brush_size = BRUSH_SIZE
        layer.mode = "paint"

    def drop_unused(self, key: str) -> None:
        """Take away a layer of ours that no longer fits its image and that nobody has painted in."""
        image = self._index.image(key)
        if image is None:
            return
        axes = axes_of(image)
        for layer in list(self._index.all(Role.SCRIBBLES, key)):
            strokes = self._strokes.get(layer)
            empty = strokes is not None and strokes.ready and not strokes.places
            if empty and tag_of(layer).get("made_here") and not _fits(layer, axes):
                self._viewer.layers.remove(layer)

    def misfit(self, key: str) -> str | None:
        """A sentence on the Labels layer that a person meant for an image but that does not fit it."""
        image = self._index.image(key)
        if image is None or self.layer(key) is not None:
            return None
        axes = axes_of(image)
        candidates = [*self._index.all(Role.SCRIBBLES, key), *self._index.unclaimed()]
        wrong = next((la for la in candidates if not _fits(la, axes)), None)
        if wrong is None:
            return None
        return (
            f"The labels layer “{wrong.name}” is {_words(_shape(wrong))}, but strokes on “{image.name}” must be "
            f"{_words(axes.label_shape)}; press Add scribbles layer."
        )

    def removed(self, layer: Layer) -> None:
        """A layer left the viewer."""
        if (strokes := self._strokes.pop(layer, None)) is not None:
            strokes.disconnect()
            self._on_strokes()

    def disconnect(self) -> None:
        """Stop listening to all layers."""
        for strokes in self._strokes.values():
            strokes.disconnect()
        self._strokes.clear()

    def _listen(self, layer: Labels, *, empty: bool = False) -> None:
        self._strokes[layer] = Strokes(
            layer, self._on_strokes, lambda: tuple(self._viewer.dims.point), self._run, empty=empty
        )


def _shape(layer: Labels) -> tuple[int, ...]:
    return tuple(int(n) for n in (layer.data[0] if layer.multiscale else layer.data).shape)


def _fits(layer: Labels, axes: ImageAxes) -> bool:
    return not layer.multiscale and _shape(layer) == axes.label_shape


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
