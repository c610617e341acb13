"""Strokes of images that were closed, given back when their image is opened again.

They are read in the background. Until they are there, what a person paints on the image is written over them and not in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.project.folder import Project
from semidavil_core.project.references import ImageEntry
from semidavil_napari._aside import Run
from semidavil_napari._image_notes import ImageNotes
from semidavil_napari._layers import LayerBook
from semidavil_napari._project_layers import ProjectLayers, labels_of


class ReturningStrokes:
    """Reads the strokes that a project keeps of images that came back, and gives them their strokes.

    Parameters
    ----------
    layers, book
        The layers towards a project, and as the window sees them.
    notes
        What is noted of the images.
    run
        Reads in the background, after all that was written before.
    on_failed
        Called with a sentence when strokes could not be read.
    """

    def __init__(
        self,
        layers: ProjectLayers,
        book: LayerBook,
        notes: ImageNotes,
        run: Run,
        on_failed: Callable[[str], None],
    ) -> None:
        self._layers, self._book, self._notes = layers, book, notes
        self._run, self._on_failed = run, on_failed
        self.awaited: set[str] = set()
        """Keys of images whose strokes are not there yet; they stay so where the strokes cannot be read."""

    def forget(self) -> None:
        """Other images take the place of all present ones."""
        self.awaited.clear()

    def read(self, project: Project, key: str, classes: ClassSet) -> None:
        """Read what `project` keeps of an image, and give it to the image."""
        (entry,) = self._notes.of((key,))
        self.awaited.add(key)
        work = partial(project.read_strokes, entry, classes, labels_of(self._book, classes))
        self._run(f"returning/{key}", work, partial(self._on_read, entry, classes), self._on_failed)

    def _on_read(
        self, entry: ImageEntry, classes: ClassSet, read: tuple[NDArray[Any] | None, tuple[str, ...]]
    ) -> None:
        axes = self._book.axes(entry.key)
        if entry.key not in self.awaited or axes is None:  # closed again: what was painted is not written yet
            return
        self.awaited.discard(entry.key)
        strokes, told = read
        if strokes is not None and axes.label_shape == strokes.shape:
            self._layers.give_strokes(entry.key, strokes, classes, entry)
        if told:
            self._on_failed(" ".join(told))
