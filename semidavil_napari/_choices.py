"""Images, source, classes and strokes in step with each other: what one section is told, the others hear; and what is still missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, Signal

from semidavil_core.classes import ClassSet
from semidavil_core.samples import sample_folder, sample_of_source
from semidavil_napari._images import TargetImages
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.classes import ClassesPanel
from semidavil_napari._panels.guidance import GuidancePanel
from semidavil_napari._panels.images import ImagesPanel
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._sources import Source

_FEWEST_PAINTED_CLASSES: Final = 2


class Choices(QObject):
    """Follows what a person chooses and paints.

    Parameters
    ----------
    viewer
        The napari viewer, for its status bar.
    book, targets
        Its layers, and the section Images at work.
    images, source, classes, guidance
        The sections, in their order.
    """

    changed = Signal()
    """A round may have become possible, or impossible."""

    sample_chosen = Signal()
    """The images are a sample's, and its source was taken with them."""

    def __init__(
        self,
        viewer: Any,
        book: LayerBook,
        targets: TargetImages,
        images: ImagesPanel,
        source: SourcePanel,
        classes: ClassesPanel,
        guidance: GuidancePanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._book, self._targets = viewer, book, targets
        self._images, self._source, self._classes, self._guidance = images, source, classes, guidance
        self.painted: list[int] = []
        """Painted pixels of each class, over all ticked images."""
        self._origin: object = None
        self._samples: tuple[str, ...] = ()
        images.changed.connect(self._on_images)
        images.scribbles_wanted.connect(self._on_scribbles_wanted)
        source.changed.connect(self._on_source)
        classes.changed.connect(self._on_classes)
        classes.class_selected.connect(self._select_class)
        guidance.changed.connect(self.changed)

    def missing(self) -> str | None:
        """Why no round can begin yet, in one sentence."""
        panels = (self._images, self._source, self._classes, self._guidance)
        told = next((error for panel in panels if (error := panel.validation_error())), None)
        if told is not None:
            return told
        if len(self._samples) > 1:
            return f"The ticked images are of two samples, {' and '.join(self._samples)}, whose classes differ: under Images to adapt to, tick those of one."
        if any(self._book.scribbles(key) is not None for key in self._images.value()):
            few = sum(n > 0 for n in self.painted) < _FEWEST_PAINTED_CLASSES
            return "Paint a few strokes of at least two classes: click a class, then draw." if few else None
        return "Add a scribbles layer and paint a few strokes of at least two classes."

    def choose_class(self, place: int) -> None:
        """Make the brush paint the class at `place` of the list, from 0, or say that there is none."""
        classes = self._classes.value()
        if classes is not None and place < len(classes):
            self._select_class(place)
            self._viewer.status = f"The brush paints {classes[place].name}."
        else:
            self._viewer.status = f"There is no class {place + 1} yet."

    def on_strokes(self) -> None:
        """Strokes may have changed."""
        classes = self._classes.value()
        self.painted = self._book.painted(self._images.value(), classes) if classes else []
        self._classes.setPainted(self.painted)
        self.changed.emit()

    def _select_class(self, place: int) -> None:
        self._book.select_class(self._images.value(), place)

    def _on_images(self) -> None:
        folders = filter(None, map(self._book.sample_of, self._images.value()))
        samples = tuple(dict.fromkeys(Path(folder).name for folder in folders))
        before, self._samples = self._samples, samples
        # What a person chooses afterwards stays, until the samples are others.
        if samples and self._lacks_source(samples, others=samples != before):
            self._source.setValue(sample_folder(samples[0]) / "source")
            self.sample_chosen.emit()
        self._targets.refresh()
        self.on_strokes()

    def _lacks_source(self, samples: tuple[str, ...], *, others: bool) -> bool:
        """Whether the source is still to be taken from the samples: there is none, or one that came with another sample."""
        source = self._source.value()
        known = None if source is None else _sample_behind(source)
        return source is None or (others and known is not None and known not in samples)

    def _on_source(self) -> None:
        source = self._source.value()
        if source is not None and self._source.validation_error() is None and source.origin != self._origin:
            self._origin = source.origin
            if not source.is_known_in(self._classes.value()):
                self._classes.setValue(source.classes)
        self._guidance.setBundle(source is not None and not source.learns)
        self.changed.emit()

    def _on_classes(self) -> None:
        classes = self._classes.value()
        if classes is not None:
            self._book.set_classes(classes)
        self.on_strokes()

    def _on_scribbles_wanted(self) -> None:
        self._targets.add_scribbles(self._classes.value() or ClassSet.from_names(["class 1", "class 2"]))
        self._on_images()


def _sample_behind(source: Source) -> str | None:
    """The sample that a source comes from: its labelled folder, or a model that goes on learning from that."""
    places = filter(None, (source.folder, source.beside))
    return next(filter(None, map(sample_of_source, places)), None)
