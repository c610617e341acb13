"""The layers of one viewer as the window sees them: images and strokes in, results out.

Only this file and those it composes (``_layer_index``, ``_scribble_layers``, ``_result_layers``) touch ``viewer.layers``. In a Labels
layer 0 is "unlabelled" and each class has its value; towards the engine class ``k`` is ``k`` and 255 is "unlabelled".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.events import PreviewReady
from semidavil_napari._aside import Run, run_now
from semidavil_napari._image_axes import Axis, Chosen, ImageAxes, axes_of, tell_axis, tell_channels
from semidavil_napari._image_folder import FolderLayer
from semidavil_napari._known_images import KnownImages
from semidavil_napari._layer_index import LayerIndex
from semidavil_napari._layer_tags import (
    RESULTS,
    Role,
    image_of,
    remember_values,
    role_of,
    tag_of,
    values_of,
    write,
)
from semidavil_napari._layer_watch import LayerWatch, Listeners
from semidavil_napari._paint_values import PaintValues, as_bytes
from semidavil_napari._placement import follow, put_channels_first
from semidavil_napari._places import Place as Place
from semidavil_napari._places import place_named, plan_images, shown_index
from semidavil_napari._result_layers import ResultLayers, paint_classes
from semidavil_napari._round_plan import PlanImage
from semidavil_napari._scribble_layers import BRUSH_SIZE, ScribbleLayers
from semidavil_napari._strokes import Strokes

_OURS: Final = (*RESULTS, Role.SUGGESTIONS)
_DRAWN_IN_CLASSES: Final = (Role.SCRIBBLES, Role.PREDICTION, Role.PSEUDO_LABELS)


class LayerBook:
    """The layers of one viewer.

    Parameters
    ----------
    viewer
        The napari viewer.
    on_layers
        Called when image layers come, go, or change their name, data or axes.
    on_strokes
        Called when strokes may have changed.
    run
        Runs work in the background; by default on the spot.
    """

    def __init__(
        self,
        viewer: Any,
        on_layers: Callable[[], None],
        on_strokes: Callable[[], None],
        run: Run = run_now,
    ) -> None:
        self._viewer = viewer
        self._on_layers, self._on_strokes = on_layers, on_strokes
        self._index = LayerIndex(viewer)
        self.paint = PaintValues()
        """Which label value stands for which class."""
        self._results = ResultLayers(viewer, self._index.find, self.paint)
        self._scribbles = ScribbleLayers(viewer, self._index, self.paint, self._on_strokes, run)
        self._classes = ClassSet.from_names(["class 1", "class 2"])
        for layer in viewer.layers:
            self.paint.learn(values_of(layer))
        self._watch = LayerWatch(
            viewer,
            Listeners(self._on_arrived, self._on_gone, self._on_changed, self._on_moved, self._on_shown),
        )

    def disconnect(self) -> None:
        """Stop listening to the viewer."""
        self._watch.close()
        self._scribbles.disconnect()

    # images

    def know_again(self, images: KnownImages) -> None:
        """Give images that are among these the key that they had; no other image gets one of theirs."""
        self._index.know_again(images)

    def targets(self) -> dict[str, str]:
        """Image layers that may be adapted to, key to present name."""
        return {str(image_of(layer)): layer.name for layer in self._index.images()}

    def image(self, key: str) -> Image | None:
        """The image layer of a key."""
        return self._index.image(key)

    def axes(self, key: str) -> ImageAxes | None:
        """What the axes of an image layer are; None if it is gone."""
        image = self.image(key)
        return None if image is None else axes_of(image)

    def tell_axis(self, keys: Sequence[str], position: int, meaning: Axis) -> None:
        """Write down what a leading axis of some image layers counts."""
        for image in filter(None, map(self.image, keys)):
            tell_axis(image, position, meaning)
            self._scribbles.drop_unused(str(image_of(image)))
        self._on_layers()

    def tell_channels(self, keys: Sequence[str], chosen: Chosen) -> None:
        """Write down which channels of some image layers become red, green and blue."""
        for image in filter(None, map(self.image, keys)):
            tell_channels(image, chosen)
        self._on_layers()

    def put_channels_first(self, keys: Sequence[str]) -> None:
        """Reorder the axes of image layers so that strokes lie on all their channels."""
        for image in filter(None, map(self.image, keys)):
            axes = axes_of(image)
            if (axis := axes.misplaced) is not None:
                write(image, axes=axes.told_with_first(axis))
                put_channels_first(image, axis)
                self._scribbles.drop_unused(str(image_of(image)))
        self._on_layers()

    def shown(self, key: str) -> tuple[int, ...]:
        """Which image of a stack the viewer shows."""
        image = self.image(key)
        if image is None:
            return ()
        return shown_index(image, self._viewer.dims.point)

    def sample_of(self, key: str) -> str | None:
        """Folder of the sample that an image layer was opened from."""
        image = self.image(key)
        return None if image is None else tag_of(image).get("sample")

    def add_image(self, made: FolderLayer, folder: str) -> None:
        """Add an image layer of a folder; only the folder's first one is shown."""
        first = not any(tag_of(la).get("folder") == folder for la in self._index.images())
        layer = Image(
            made.data,
            name=made.name,
            rgb=made.rgb,
            axis_labels=made.axis_labels,
            contrast_limits=made.contrast_limits,
            visible=first,
        )
        write(layer, folder=folder, files=list(made.files))
        self._viewer.add_layer(layer)

    def show_only(self, key: str) -> None:
        """Show this image of a folder and hide its other images, with all that belongs to them."""
        image = self.image(key)
        folder = None if image is None else tag_of(image).get("folder")
        if folder is None:
            return
        for other in list(self._index.images()):
            if tag_of(other).get("folder") == folder and other.visible != (other is image):
                self._index.set_visible(str(image_of(other)), other is image)

    # strokes

    def scribbles(self, key: str) -> Labels | None:
        """The Labels layer that holds the strokes of an image; adopts a fitting one that a person made."""
        return self._scribbles.layer(key)

    def strokes(self, key: str) -> Strokes | None:
        """What is painted on an image; None if it has no scribbles layer."""
        return self._scribbles.strokes(key)

    def add_scribbles(self, key: str, classes: ClassSet) -> None:
        """Give an image an empty scribbles layer, ready to paint."""
        self._scribbles.add(key, classes, several=len(self.targets()) > 1)

    def painted(self, keys: Sequence[str], classes: ClassSet) -> list[int]:
        """Painted pixels of each class, over all `keys`; nothing is read for it."""
        return self._scribbles.painted(keys, classes)

    def problem(self, keys: Sequence[str]) -> str | None:
        """Why these images cannot be used for a round yet, in one sentence."""
        images = {key: image for key in keys if (image := self.image(key)) is not None}
        told = (axes_of(image).problem(image.name) for image in images.values())
        if (sentence := next(filter(None, told), None)) is not None:
            return sentence
        if (sentence := next(filter(None, map(self._scribbles.misfit, images)), None)) is not None:
            return sentence
        counting = any(not s.ready for s in filter(None, map(self.strokes, images)))
        return "Reading the strokes …" if counting else None

    def plan(self, keys: Sequence[str], classes: ClassSet) -> tuple[PlanImage, ...]:
        """All images of the chosen layers, the one that is shown first, with copies of their strokes as they are now."""
        return tuple(image for key in keys for image in self._plan_layer(key, classes))

    def shown_image(self, keys: Sequence[str], classes: ClassSet) -> PlanImage | None:
        """The image that the viewer shows, of the active layer if it is one of these or belongs to one, else of the first."""
        active = self._viewer.layers.selection.active
        of_active = None if active is None else image_of(active)
        key = of_active if of_active in keys else next(iter(keys), None)
        return None if key is None else next(self._plan_layer(key, classes), None)

    def place_of(self, name: str) -> Place | None:
        """Where the image lies that the engine knows by this name; None if its layer is gone."""
        return place_named(name, self.image)

    def _plan_layer(self, key: str, classes: ClassSet) -> Iterator[PlanImage]:
        image = self.image(key)
        if image is not None:
            table = self.paint.to_indices(np.arange(256, dtype=np.uint8), classes)
            yield from plan_images(image, key, self.strokes(key), table, self.shown(key))

    # layers as a source

    def source_choices(self) -> tuple[dict[str, str], dict[str, str]]:
        """Image and Labels layers that may be a labelled source, identifier of the session to name."""
        return self._index.names(Image), self._index.names(Labels)

    def by_id(self, identifier: str | None) -> Layer | None:
        """The layer with this identifier of the session."""
        return next((la for la in self._viewer.layers if str(la.unique_id) == identifier), None)

    def claim_source(self, image: Layer | None, labels: Layer | None) -> None:
        """Let two layers be the source, so that they are neither adapted to nor taken for strokes; release others."""
        self._index.claim({Role.SOURCE: image, Role.SOURCE_LABELS: labels})
        self._on_layers()

    # results

    def show(self, event: PreviewReady, classes: ClassSet) -> None:
        """Draw one image's results in place; a layer that is missing comes back."""
        place = self.place_of(event.image)
        image = self.image(place.key) if place is not None else None
        if place is None or image is None or event.prediction.shape != axes_of(image).size:
            return
        labels = self.paint.to_layer(event.prediction, classes)
        drawn: dict[Role, NDArray[Any]] = {Role.PREDICTION: labels, Role.CONFIDENCE: event.confidence}
        if event.pseudo_labels is not None:
            drawn[Role.PSEUDO_LABELS] = self.paint.to_layer(event.pseudo_labels, classes)
        for role, plane in drawn.items():
            self._results.draw(role, image, place.key, place.index, plane, classes)

    def show_prediction(self, name: str, labels: NDArray[np.uint8], classes: ClassSet) -> None:
        """Draw class indices (H, W) into one image's prediction alone, for a look at another round."""
        place = self.place_of(name)
        image = self.image(place.key) if place is not None else None
        if place is not None and image is not None and labels.shape == axes_of(image).size:
            plane = self.paint.to_layer(labels, classes)
            self._results.draw(Role.PREDICTION, image, place.key, place.index, plane, classes)

    def result(self, role: Role, key: str) -> Any:
        """A result layer of an image; None if there is none."""
        return self._index.find(role, key)

    # classes

    @property
    def classes(self) -> ClassSet:
        """The classes that strokes and results are shown in."""
        return self._classes

    def set_classes(self, classes: ClassSet) -> None:
        """Give strokes and results the class colours, and results the class names."""
        self._classes = classes
        self.paint.follow(classes)
        for key in self.targets():
            if (strokes := self.scribbles(key)) is not None:
                remember_values(strokes, self.paint.known())
        for layer in self._viewer.layers:
            if isinstance(layer, Labels) and role_of(layer) in _DRAWN_IN_CLASSES:
                paint_classes(layer, classes, self.paint)

    def select_class(self, keys: Sequence[str], index: int) -> None:
        """Make the brush paint one class, in the scribbles of the active image or the first."""
        layers = [la for la in map(self.scribbles, keys) if la is not None]
        active = self._viewer.layers.selection.active
        belongs = {la for la in layers if active is not None and image_of(la) == image_of(active)}
        layer = next((la for la in layers if la in belongs), layers[0] if layers else None)
        if layer is not None:
            layer.selected_label = int(self.paint.of(self._classes)[index])
            layer.mode = "paint"
            self._viewer.layers.selection.active = layer

    # listening

    def _on_arrived(self, layer: Layer) -> None:
        self._index.arrived(layer)
        self._translate(layer)
        if role_of(layer) == Role.SCRIBBLES and "sample" in tag_of(layer):
            layer.brush_size = BRUSH_SIZE
            self._viewer.dims.set_current_step(0, 0)  # where a sample's strokes begin
        self._on_changed(layer)

    def _translate(self, layer: Layer) -> None:
        """Strokes that bring values of their own, as those of a sample do, get the values of this window once, as they arrive."""
        if not isinstance(layer, Labels) or role_of(layer) != Role.SCRIBBLES or layer.multiscale:
            return
        table = self.paint.table_from(values_of(layer))
        if table is not None:
            layer.data = table[as_bytes(np.asarray(layer.data))]
            remember_values(layer, self.paint.known())
            paint_classes(layer, self._classes, self.paint)

    def _on_gone(self, layer: Layer) -> None:
        self._index.changed()
        self._scribbles.removed(layer)
        if role_of(layer) == Role.TARGET:
            self._results.forget(str(image_of(layer)))
        self._on_changed(layer)

    def _on_changed(self, layer: Layer) -> None:
        if role_of(layer) not in _OURS:
            self._on_layers()

    def _on_moved(self, image: Layer) -> None:
        """An image got another place in the world: what lies on it follows."""
        if isinstance(image, Image) and (key := image_of(image)) is not None:
            self._results.move(image, key)
            strokes = self.scribbles(key)
            if strokes is not None and tag_of(strokes).get("made_here"):
                follow(strokes, image)

    def _on_shown(self, image: Layer) -> None:
        if isinstance(image, Image) and image.visible and (key := image_of(image)) is not None:
            self._results.shown(image, key, self._classes)
        self._on_layers()


def describe(image: Image) -> str:
    """What the model takes the layer for, in words."""
    return str(axes_of(image))
