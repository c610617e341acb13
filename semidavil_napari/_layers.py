"""The only file that touches ``viewer.layers``: finds images and strokes, and draws results into layers of our own.

In a Labels layer 0 is "unlabelled" and class ``k`` is ``k + 1``; towards the engine class ``k`` is ``k`` and 255 is "unlabelled".
Every layer that takes part carries ``metadata["semidavil"]``: its ``role`` and the ``image`` it belongs to, a key that survives renaming.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.events import PreviewReady
from semidavil_napari._colours import class_colormap
from semidavil_napari._rounds import PlanImage

_GREY_OR_RGB: Final = (1, 3)
_BRUSH_SIZE: Final = 4


class Role(StrEnum):
    """What a layer is to us."""

    TARGET = "target"
    SCRIBBLES = "scribbles"
    PREDICTION = "prediction"
    PSEUDO_LABELS = "pseudo_labels"
    CONFIDENCE = "confidence"


RESULTS: Final = (Role.CONFIDENCE, Role.PSEUDO_LABELS, Role.PREDICTION)
_TITLES: Final = {
    Role.PREDICTION: "prediction",
    Role.PSEUDO_LABELS: "pseudo-labels",
    Role.CONFIDENCE: "confidence",
}


@dataclass(frozen=True)
class Place:
    """Where one image of a round lies: a layer's key and the index of its leading axes."""

    key: str
    index: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the image towards the engine."""
        return "/".join([self.key, *(f"{i:04d}" for i in self.index)])


class LayerBook:
    """The layers of one viewer, as the window sees them.

    Parameters
    ----------
    viewer
        The napari viewer.
    on_layers
        Called when image layers come, go or change their names.
    on_strokes
        Called when strokes may have changed.
    """

    def __init__(self, viewer: Any, on_layers: Callable[[], None], on_strokes: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_layers_callback = on_layers
        self._on_strokes_callback = on_strokes
        self._places: dict[str, Place] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in viewer.layers:
            self._watch(layer)

    def disconnect(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._viewer.layers:
            self._unwatch(layer)

    # images and strokes in

    def targets(self) -> dict[str, str]:
        """Image layers that may be adapted to, key to present name."""
        images = (la for la in self._viewer.layers if isinstance(la, Image) and _role(la) not in RESULTS)
        return {self._key(layer): layer.name for layer in images}

    def image(self, key: str) -> Image | None:
        """The image layer of a key."""
        found = (la for la in self._viewer.layers if isinstance(la, Image) and _role(la) not in RESULTS)
        return next((la for la in found if _tag(la).get("image") == key), None)

    def scribbles(self, key: str) -> Labels | None:
        """The Labels layer that holds the strokes of an image; adopts a fitting one that a person made."""
        labels = [la for la in self._viewer.layers if isinstance(la, Labels)]
        ours = next(
            (la for la in labels if _role(la) == Role.SCRIBBLES and _tag(la).get("image") == key), None
        )
        image = self.image(key)
        if ours is not None or image is None:
            return ours
        foreign = [la for la in labels if _role(la) is None and la.data.shape == _shape(image)]
        if len(foreign) == 1:
            _tag_as(foreign[0], Role.SCRIBBLES, key)
            return foreign[0]
        return None

    def add_scribbles(self, key: str, classes: ClassSet) -> None:
        """Give an image an empty scribbles layer, ready to paint."""
        image = self.image(key)
        if image is None or self.scribbles(key) is not None:
            return
        several = len(self.targets()) > 1
        layer = Labels(
            np.zeros(_shape(image), np.uint8),
            name=f"scribbles: {image.name}" if several else "scribbles",
            colormap=class_colormap(classes),
            opacity=1.0,
            **_placement(image),
        )
        _tag_as(layer, Role.SCRIBBLES, key)
        self._viewer.add_layer(layer)
        layer.brush_size = _BRUSH_SIZE
        layer.mode = "paint"

    def painted(self, keys: tuple[str, ...], classes: ClassSet) -> list[int]:
        """Painted pixels of each class, over all `keys`."""
        counts = np.zeros(256, np.int64)
        for layer in filter(None, map(self.scribbles, keys)):
            values = np.asarray(layer.data)
            counts += np.bincount(values[(values > 0) & (values < 256)].ravel(), minlength=256)
        return [int(n) for n in counts[1 : len(classes) + 1]]

    def plan(self, keys: tuple[str, ...], classes: ClassSet) -> tuple[PlanImage, ...]:
        """All images of the chosen layers with copies of their strokes as they are now."""
        return tuple(image for key in keys for image in self._plan_layer(key, classes))

    def _plan_layer(self, key: str, classes: ClassSet) -> Iterator[PlanImage]:
        image, strokes = self.image(key), self.scribbles(key)
        if image is None:
            return
        for index in self._indices(image):
            place = Place(key, tuple(index))
            self._places[place.name] = place
            labels = (
                None if strokes is None else _to_indices(np.asarray(strokes.data[place.index]), len(classes))
            )
            yield PlanImage(place.name, _reader(image, place.index), labels, _channels(image))

    def _indices(self, image: Image) -> list[tuple[int, ...]]:
        """All images of a stack, from the one that is shown."""
        leading = _leading(image)
        indices = [tuple(index) for index in np.ndindex(*leading)]
        shown = tuple(self._viewer.dims.current_step[-2 - len(leading) : -2])
        first = indices.index(shown) if shown in indices else 0
        return indices[first:] + indices[:first]

    def _key(self, layer: Layer) -> str:
        """The layer's key; its first name, made unique."""
        tag = _tag(layer)
        if "image" not in tag:
            taken = {_tag(la).get("image") for la in self._viewer.layers}
            names = (layer.name, *(f"{layer.name} ({n})" for n in range(2, 10**6)))
            _tag_as(layer, Role.TARGET, next(n for n in names if n not in taken))
        return str(_tag(layer)["image"])

    # results out

    def show(self, event: PreviewReady, classes: ClassSet) -> None:
        """Draw one image's results in place; a layer that is missing comes back."""
        place = self._places.get(event.image)
        image = self.image(place.key) if place is not None else None
        if place is None or image is None or event.prediction.shape != _shape(image)[-2:]:
            return
        self._draw(Role.PREDICTION, image, place, _to_layer(event.prediction), classes)
        self._draw(Role.CONFIDENCE, image, place, event.confidence, classes)
        if event.pseudo_labels is not None:
            self._draw(Role.PSEUDO_LABELS, image, place, _to_layer(event.pseudo_labels), classes)

    def _draw(self, role: Role, image: Image, place: Place, plane: NDArray[Any], classes: ClassSet) -> None:
        layer = self._result(role, place.key)
        if layer is None or layer.data.shape != _shape(image):
            if layer is not None:
                self._viewer.layers.remove(layer)
            layer = self._add_result(role, image, place.key, classes)
        layer.data[place.index] = plane
        layer.refresh(extent=False)

    def _result(self, role: Role, key: str) -> Any:
        found = (la for la in self._viewer.layers if _role(la) == role and _tag(la).get("image") == key)
        return next(found, None)

    def _add_result(self, role: Role, image: Image, key: str, classes: ClassSet) -> Any:
        """Insert an empty result layer under the strokes, leaving selection and camera as they are."""
        title = _TITLES[role] if len(self.targets()) == 1 else f"{_TITLES[role]}: {image.name}"
        layer = _result_layer(role, title, image, classes)
        _tag_as(layer, role, key)
        strokes, selected = self.scribbles(key), set(self._viewer.layers.selection)
        active = self._viewer.layers.selection.active
        below = strokes or image
        position = self._viewer.layers.index(below) + (strokes is None)
        self._viewer.layers.insert(position, layer)
        self._viewer.layers.selection = selected
        self._viewer.layers.selection.active = active
        if isinstance(layer, Labels):
            layer.editable = False
        return layer

    # classes

    def set_classes(self, classes: ClassSet) -> None:
        """Give strokes and results the class colours."""
        ours = (Role.SCRIBBLES, Role.PREDICTION, Role.PSEUDO_LABELS)
        for layer in self._viewer.layers:
            if isinstance(layer, Labels) and _role(layer) in ours:
                layer.colormap = class_colormap(classes)

    def select_class(self, keys: tuple[str, ...], index: int) -> None:
        """Make the brush paint one class, in the scribbles of the active image or the first."""
        layers = [la for la in map(self.scribbles, keys) if la is not None]
        active = self._viewer.layers.selection.active
        layer = next((la for la in layers if la is active), layers[0] if layers else None)
        if layer is not None:
            layer.selected_label = index + 1
            layer.mode = "paint"
            self._viewer.layers.selection.active = layer

    def sample_of(self, key: str) -> str | None:
        """Folder of the sample that an image layer was opened from."""
        image = self.image(key)
        return None if image is None else _tag(image).get("sample")

    # listening

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        self._watch(layer)
        if _role(layer) == Role.SCRIBBLES and "sample" in _tag(layer):
            layer.brush_size = _BRUSH_SIZE
            self._viewer.dims.set_current_step(0, 0)  # where a sample's strokes begin
        self._on_layers()

    def _on_removed(self, event: Any) -> None:
        self._unwatch(event.value)
        self._on_layers()

    def _on_layers(self, _: Any = None) -> None:
        self._on_layers_callback()

    def _on_strokes(self, _: Any = None) -> None:
        self._on_strokes_callback()

    def _watch(self, layer: Layer) -> None:
        layer.events.name.connect(self._on_layers)
        if isinstance(layer, Labels) and _role(layer) not in RESULTS:
            for event in (layer.events.paint, layer.events.data, layer.events.labels_update):
                event.connect(self._on_strokes)

    def _unwatch(self, layer: Layer) -> None:
        layer.events.name.disconnect(self._on_layers)
        if isinstance(layer, Labels) and _role(layer) not in RESULTS:
            for event in (layer.events.paint, layer.events.data, layer.events.labels_update):
                event.disconnect(self._on_strokes)


def describe(image: Image) -> str:
    """What the model takes the layer for, in words."""
    leading = int(np.prod(_leading(image), dtype=int))
    what = f"{leading} images" if _leading(image) else "one image"
    height, width = _shape(image)[-2:]
    return f"{what} of {width} x {height} pixels{_seen(image)}"


def _seen(image: Image) -> str:
    if not _has_channel_axis(image):
        return ""
    count = int(_data(image).shape[0])
    colours = ("red", "green", "blue")[: min(3, count)]
    if count == 1:
        return ", one grey channel"
    numbers = ", ".join(str(n + 1) for n in range(len(colours)))
    return f", channels {numbers} of {count} seen as {', '.join(colours)}"


def _tag(layer: Layer) -> dict[str, Any]:
    tag = layer.metadata.get("semidavil")
    return tag if isinstance(tag, dict) else {}


def _role(layer: Layer) -> str | None:
    return _tag(layer).get("role")


def _tag_as(layer: Layer, role: Role, key: str) -> None:
    layer.metadata = {**layer.metadata, "semidavil": {**_tag(layer), "role": str(role), "image": key}}


def _data(image: Image) -> Any:
    return image.data[0] if image.multiscale else image.data


def _has_channel_axis(image: Image) -> bool:
    """Whether the first axis counts channels: named so, or too short for a stack of a person's images."""
    shape = _data(image).shape
    if image.rgb or len(shape) < 3:
        return False
    name = str(image.axis_labels[0]).lower()
    return name in ("c", "ch", "channel", "channels") or (name not in ("z", "t") and shape[0] <= 4)


def _shape(image: Image) -> tuple[int, ...]:
    """Shape of a label map of the layer: leading axes, height, width."""
    shape = tuple(int(n) for n in _data(image).shape)
    if image.rgb:
        return shape[:-1]
    return shape[1:] if _has_channel_axis(image) else shape


def _leading(image: Image) -> tuple[int, ...]:
    return _shape(image)[:-2]


def _channels(image: Image) -> tuple[int | None, ...] | None:
    """Which channels the model sees; None where grey, RGB or RGBA speaks for itself."""
    if not _has_channel_axis(image) or (count := int(_data(image).shape[0])) in _GREY_OR_RGB:
        return None
    return (0, 1, 2) if count > 2 else (0, 1, None)


def _reader(image: Image, index: tuple[int, ...]) -> Callable[[], NDArray[Any]]:
    """How to read one image later, in the background."""
    data, channel_first = _data(image), _has_channel_axis(image)

    def read() -> NDArray[Any]:
        plane = np.asarray(data[(slice(None), *index)] if channel_first else data[index])
        return np.ascontiguousarray(np.moveaxis(plane, 0, -1) if channel_first else plane)

    return read


def _placement(image: Image) -> dict[str, Any]:
    """Where the image lies in the world, for a layer that lies on it."""
    axes = slice(1, None) if _has_channel_axis(image) else slice(None)
    return {
        "scale": image.scale[axes],
        "translate": image.translate[axes],
        "units": image.units[axes],
        "axis_labels": image.axis_labels[axes],
    }


def _result_layer(role: Role, title: str, image: Image, classes: ClassSet) -> Any:
    shape, placement = _shape(image), _placement(image)
    if role is Role.CONFIDENCE:
        return Image(
            np.zeros(shape, np.float32), name=title, colormap="cividis", contrast_limits=(0, 1), opacity=0.7, visible=False, **placement
        )  # fmt: skip
    visible = role is Role.PREDICTION
    return Labels(
        np.zeros(shape, np.uint8),
        name=title,
        colormap=class_colormap(classes),
        opacity=0.5,
        visible=visible,
        **placement,
    )


def _to_layer(indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class indices as a Labels layer shows them: k + 1, and 0 for 255."""
    return np.where(indices == IGNORE_INDEX, 0, indices + np.uint8(1)).astype(np.uint8)


def _to_indices(values: NDArray[Any], num_classes: int) -> NDArray[np.uint8]:
    """The way back, as a copy; values beyond the classes count as unlabelled."""
    known = (values > 0) & (values <= num_classes)
    return np.where(known, values.astype(np.int64) - 1, IGNORE_INDEX).astype(np.uint8)
