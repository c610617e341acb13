"""The status bar under the pointer: what the model sees there, and how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from semidavil_core.events import Event, PreviewReady
from semidavil_napari._image_axes import axes_of
from semidavil_napari._layer_tags import Role, image_of, role_of
from semidavil_napari._layers import LayerBook


class Hover:
    """Adds the predicted class and its confidence to what napari writes into the status bar.

    napari's words stay; whichever layer is selected, the topmost prediction that is shown is told.
    """

    def __init__(self, viewer: Any, book: LayerBook) -> None:
        self._viewer, self._book = viewer, book
        self._writing = False
        viewer.events.status.connect(self._on_status)

    def release(self) -> None:
        """Stop adding to the status bar."""
        self._viewer.events.status.disconnect(self._on_status)

    def on_event(self, event: Event) -> None:
        """A job may have drawn another prediction under a pointer at rest."""
        if isinstance(event, PreviewReady):
            self.refresh()

    def refresh(self) -> None:
        """Say anew what lies under the pointer: napari does only when that moves."""
        if self._viewer.mouse_over_canvas:
            self._viewer.update_status_from_cursor()

    def text(self, position: Any) -> str:
        """What the topmost visible prediction says at a world position; empty where it says nothing."""
        for layer in reversed(self._viewer.layers):
            if role_of(layer) == Role.PREDICTION and layer.visible and layer.opacity > 0:
                place = self._place(layer, position)
                if place is not None and (text := self._told(layer, place)):
                    return text
        return ""

    def _place(self, layer: Any, position: Any) -> tuple[int, ...] | None:
        own = np.asarray(position, float)[-layer.ndim :]
        if len(own) < layer.ndim or not np.isfinite(own).all():
            return None
        place = tuple(round(n) for n in np.asarray(layer.world_to_data(own)))
        return place if all(0 <= p < n for p, n in zip(place, layer.data.shape, strict=True)) else None

    def _told(self, layer: Any, place: tuple[int, ...]) -> str:
        classes, key = self._book.classes, str(image_of(layer))
        index = self._book.paint.index_of(int(layer.data[place]), classes)
        if index is None:
            return ""
        sure, image = self._book.result(Role.CONFIDENCE, key), self._book.image(key)
        known = sure is not None and image is not None and sure.data.shape == axes_of(image).label_shape
        confidence = f", confidence {float(sure.data[place]):.2f}" if known else ""
        return f"predicted: {classes[index].name}{confidence}"

    def _on_status(self, _: Any = None) -> None:
        if self._writing or not self._viewer.mouse_over_canvas:
            return
        text, status = self.text(self._viewer.cursor.position), self._viewer.status
        if not text or text in str(status):  # a second window of ours on this viewer may have told it
            return
        self._writing = True
        try:
            self._viewer.status = _with(status, text)
        finally:
            self._writing = False


def _with(status: Any, text: str) -> Any:
    if not isinstance(status, dict):
        return f"{status}    {text}"
    return {**status, "coordinates": f"{status.get('coordinates', '')}    {text}".strip()}
