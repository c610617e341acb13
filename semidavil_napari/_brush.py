"""Which class the brush paints: the table of classes shows it, however it was chosen, and no stroke is painted of a class that is gone."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer

from semidavil_napari._layer_tags import Role, role_of
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.classes import ClassesPanel


class Brush:
    """Follows the label of the scribbles layer that is worked on.

    Where that label stands for no class when the classes change or work on the layer begins, the brush takes the class that stands
    where its last one stood: it would paint what nobody sees and no round uses. A label that a person chooses afterwards stays.

    Parameters
    ----------
    viewer
        The napari viewer.
    book
        Knows which class a label stands for.
    panel
        Marks the class.
    """

    def __init__(self, viewer: Any, book: LayerBook, panel: ClassesPanel) -> None:
        self._viewer, self._book, self._panel = viewer, book, panel
        self._layer: Layer | None = None
        self._place = 0
        viewer.layers.selection.events.active.connect(self.refresh)

    def release(self) -> None:
        """Stop following."""
        self._viewer.layers.selection.events.active.disconnect(self.refresh)
        self._leave()

    def refresh(self, _: Any = None) -> None:
        """Another layer is worked on, or this one has become a scribbles layer."""
        layer = self._viewer.layers.selection.active
        layer = getattr(layer, "__wrapped__", layer)  # napari hands plugins short-lived shells of its layers
        if layer is not None and role_of(layer) != Role.SCRIBBLES:
            layer = None
        if layer is not self._layer:
            self._leave()
            self._layer = layer
            if layer is not None:
                layer.events.selected_label.connect(self._on_label)
            self.follow_classes()
        self._on_label()

    def follow_classes(self) -> None:
        """The classes are others now: the brush paints one of them, unless it erases."""
        classes = self._panel.value()
        if self._layer is None or classes is None:
            return
        label = int(self._layer.selected_label)
        if label and self._book.paint.index_of(label, classes) is None:
            place = min(self._place, len(classes) - 1)
            self._layer.selected_label = int(self._book.paint.of(classes)[place])
            self._viewer.status = f"The brush paints {classes[place].name}."
        self._on_label()

    def _leave(self) -> None:
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._on_label)
        self._layer = None

    def _on_label(self, _: Any = None) -> None:
        classes = self._panel.value()
        if self._layer is not None and classes is not None:  # before, no label may be given to a class
            place = self._book.paint.index_of(int(self._layer.selected_label), classes)
            self._place = self._place if place is None else place
            self._panel.setChosen(place)
