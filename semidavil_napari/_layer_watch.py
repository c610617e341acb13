"""Listening to the layers of a viewer: who comes, who goes, who changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari.layers import Image, Labels, Layer

from semidavil_napari._layer_tags import RESULTS, role_of
from semidavil_napari._placement import PLACEMENT_EVENTS

Heard = Callable[[Layer], None]


@dataclass(frozen=True)
class Listeners:
    """Whom to tell, with the layer in question."""

    arrived: Heard
    gone: Heard
    changed: Heard
    """Its name, data or axes."""
    moved: Heard
    """It is an image and lies elsewhere in the world."""
    shown: Heard
    """It is an image and was shown or hidden."""


class LayerWatch:
    """Tells `listeners` what happens to the layers of `viewer`, from now on until it is closed."""

    def __init__(self, viewer: Any, listeners: Listeners) -> None:
        self._viewer, self._to = viewer, listeners
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in viewer.layers:
            self._watch(layer)

    def close(self) -> None:
        """Stop listening."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._viewer.layers:
            self._unwatch(layer)

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)
        self._to.arrived(event.value)

    def _on_removed(self, event: Any) -> None:
        self._unwatch(event.value)
        self._to.gone(event.value)

    def _on_changed(self, event: Any) -> None:
        self._to.changed(event.source)

    def _on_moved(self, event: Any) -> None:
        self._to.moved(event.source)

    def _on_shown(self, event: Any) -> None:
        self._to.shown(event.source)

    def _watch(self, layer: Layer) -> None:
        for emitter, handler in self._handlers(layer):
            emitter.connect(handler)

    def _unwatch(self, layer: Layer) -> None:
        for emitter, handler in self._handlers(layer):
            emitter.disconnect(handler)

    def _handlers(self, layer: Layer) -> Iterator[tuple[Any, Callable[[Any], None]]]:
        yield layer.events.name, self._on_changed
        if isinstance(layer, Image | Labels):
            yield layer.events.data, self._on_changed
        if isinstance(layer, Image) and role_of(layer) not in RESULTS:
            yield layer.events.visible, self._on_shown
            yield layer.events.axis_labels, self._on_changed
            for name in PLACEMENT_EVENTS:
                yield layer.events[name], self._on_moved
