"""Layers that were read in the background come into the viewer one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QObject, QTimer

from semidavil_napari._desk import Desk
from semidavil_napari._project_layers import ProjectLayers, Restored


class Arrivals(QObject):
    """Adds layers one per turn of the event loop, so that many do not stop it.

    Parameters
    ----------
    layers, desk
        Where they go, and which classes they are shown in.
    """

    def __init__(self, layers: ProjectLayers, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers, self._desk = layers, desk
        self._waiting: list[Restored] = []
        self._then: Callable[[], None] = lambda: None
        self._next = QTimer(self)
        self._next.setInterval(0)
        self._next.timeout.connect(self._add_next)

    def add(self, images: Sequence[Restored], then: Callable[[], None]) -> None:
        """Add these, then call `then`."""
        self._waiting, self._then = list(images), then
        self._next.start()

    def _add_next(self) -> None:
        if self._waiting:
            self._layers.add(self._waiting.pop(0), self._desk.classes)
            return
        self._next.stop()
        then, self._then = self._then, lambda: None
        then()
