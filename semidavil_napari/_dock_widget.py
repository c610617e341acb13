"""The dock widget: puts the panels, the session, the layers and the background job together; no logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import napari
from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QFrame, QGroupBox, QScrollArea, QVBoxLayout, QWidget

from semidavil_core.classes import ClassSet
from semidavil_core.engine.client import EngineClient
from semidavil_core.errors import SemiDavilError
from semidavil_core.events import Event, Notice, PreviewReady, RoundFinished
from semidavil_core.samples import sample_folder
from semidavil_core.settings import Budget
from semidavil_napari._jobs import EngineJobs, close_with
from semidavil_napari._layers import LayerBook, describe
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._panels.classes import ClassesPanel
from semidavil_napari._panels.export import ExportPanel
from semidavil_napari._panels.guidance import GuidancePanel
from semidavil_napari._panels.images import ImagesPanel
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._rounds import EngineMemory, RoundPlan, iter_greeting, iter_round, iter_save
from semidavil_napari._session import Session, Status

_STROKES_SETTLE_MS = 250
_FEWEST_PAINTED_CLASSES = 2


class AdaptWidget(QWidget):
    """Adapt a segmentation model to the images in the viewer.

    Parameters
    ----------
    napari_viewer
        The viewer that the widget belongs to.
    engine_command
        What starts the engine; by default this Python.
    """

    def __init__(self, napari_viewer: napari.Viewer, engine_command: Sequence[str] | None = None) -> None:
        super().__init__()
        self.setObjectName("semidavil_dock")
        self.prepare_budget = Budget(seconds=60)
        self._session = Session()
        self._painted: list[int] = []
        # children
        self._images, self._source, self._classes = ImagesPanel(), SourcePanel(), ClassesPanel()
        self._guidance, self._adapt, self._export = GuidancePanel(), AdaptPanel(), ExportPanel()
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_STROKES_SETTLE_MS)
        self._jobs = EngineJobs(engine_command, parent=self)
        self._book = LayerBook(napari_viewer, self._on_layers, self._settle.start)
        self._lay_out()
        self._connect()
        self._on_layers()

    def _lay_out(self) -> None:
        sections = QWidget()
        column = QVBoxLayout(sections)
        column.setContentsMargins(2, 2, 2, 2)
        column.addWidget(_section("1  Images to adapt to", self._images))
        column.addWidget(_section("2  Start from", self._source))
        column.addWidget(_section("3  Classes", self._classes))
        column.addWidget(_section("4  Guidance", self._guidance))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(sections)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(scroll, 1)
        layout.addWidget(_section("5  Adapt", self._adapt))
        layout.addWidget(_section("6  Export", self._export))
        self.setMinimumWidth(310)

    def _connect(self) -> None:
        self._images.changed.connect(self._on_images)
        self._images.scribbles_wanted.connect(self._on_scribbles_wanted)
        self._source.changed.connect(self._on_source)
        self._classes.changed.connect(self._on_classes)
        self._classes.class_selected.connect(lambda k: self._book.select_class(self._images.value(), k))
        self._guidance.changed.connect(self._show)
        self._adapt.adapt.connect(self._on_adapt)
        self._adapt.pause.connect(self._jobs.pause)
        self._adapt.resume.connect(self._jobs.resume)
        self._adapt.stop.connect(self._on_stop)
        self._export.save_wanted.connect(self._on_save)
        self._settle.timeout.connect(self._on_strokes)
        self._jobs.happened.connect(self._on_event)
        self._jobs.failed.connect(self._on_failed)
        self._jobs.ended.connect(lambda: self._show(self._session.ended()))
        close_with(self._jobs, self.destroyed, QApplication.instance().aboutToQuit)
        self.destroyed.connect(self._book.disconnect)

    # what the panels tell

    def _on_layers(self) -> None:
        self._images.setChoices(self._book.targets())

    def _on_images(self) -> None:
        keys = self._images.value()
        for folder in filter(None, map(self._book.sample_of, keys)):
            if self._source.value() is None:
                self._source.setValue(sample_folder(Path(folder).name) / "source")
        images = [image for key in keys if (image := self._book.image(key)) is not None]
        missing = [key for key in keys if self._book.scribbles(key) is None]
        hint = "\n".join(f"{i.name}: {describe(i)}" for i in images)
        self._images.setHint(hint or "No image is chosen yet.", missing_scribbles=bool(missing))
        self._on_strokes()

    def _on_source(self) -> None:
        source = self._source.value()
        if source is not None and self._source.validation_error() is None:
            self._classes.setValue(source.classes)
        self._show()

    def _on_classes(self) -> None:
        classes = self._classes.value()
        if classes is not None:
            self._book.set_classes(classes)
        self._on_strokes()

    def _on_strokes(self) -> None:
        classes = self._classes.value()
        self._painted = self._book.painted(self._images.value(), classes) if classes else []
        self._classes.setPainted(self._painted)
        self._show()

    def _on_scribbles_wanted(self) -> None:
        classes = self._classes.value() or ClassSet.from_names(["class 1", "class 2"])
        for key in self._images.value():
            self._book.add_scribbles(key, classes)
        self._on_images()

    # jobs

    def _on_adapt(self) -> None:
        plan = self._plan()
        if plan is None or self._session.status.busy:
            return
        self._show(self._session.begin())
        self._jobs.start(partial(_round_job, plan))

    def _on_stop(self) -> None:
        self._show(self._session.stop_requested())
        self._jobs.stop()

    def _on_save(self, folder: Path) -> None:
        if self._session.status.busy:
            return
        self._show(self._session.begin("Saving the bundle …"))
        self._jobs.start(partial(_save_job, folder))

    def _on_event(self, event: Event) -> None:
        classes = self._classes.value()
        if isinstance(event, PreviewReady) and classes is not None:
            self._book.show(event, classes)
        if isinstance(event, RoundFinished) and event.round > 0:
            self._export.setReady(True)
        self._show(self._session.happened(event))

    def _on_failed(self, sentence: str) -> None:
        if self._jobs.engine_pid is None:
            self._export.setReady(False)
        self._show(self._session.failed(sentence))
        show_error(sentence)

    def _plan(self) -> RoundPlan | None:
        source, classes, keys = self._source.value(), self._classes.value(), self._images.value()
        if self._missing() is not None or source is None or classes is None:
            return None
        guidance, images = self._guidance.value(), self._book.plan(keys, classes)
        return RoundPlan(
            source, classes, images, self._adapt.value(), self.prepare_budget, guidance.vlm, guidance.device
        )

    def _missing(self) -> str | None:
        """Why Adapt cannot be pressed yet, in one sentence."""
        panels = (self._images, self._source, self._classes, self._guidance)
        told = next((error for panel in panels if (error := panel.validation_error())), None)
        if told is not None:
            return told
        if any(self._book.scribbles(key) is not None for key in self._images.value()):
            few = sum(n > 0 for n in self._painted) < _FEWEST_PAINTED_CLASSES
            return "Paint a few strokes of at least two classes: click a class, then draw." if few else None
        return "Add a scribbles layer and paint a few strokes of at least two classes."

    def _show(self, status: Status | None = None) -> None:
        status = status or self._session.status
        self._adapt.show_status(status, None if status.busy else self._missing())


def _round_job(
    plan: RoundPlan, client: EngineClient, memory: EngineMemory, stops: Callable[[], int]
) -> Iterator[Event]:
    return iter_round(client, memory, plan, stops)


def _save_job(
    folder: Path, client: EngineClient, memory: EngineMemory, _: Callable[[], int]
) -> Iterator[Event]:
    if not memory.greeted:
        yield from iter_greeting(client, memory)
        raise SemiDavilError("The engine is a fresh one and holds no model; run a round, then save.")
    yield from iter_save(client, folder)
    yield Notice(f"Saved the bundle to {folder}.")


def _section(title: str, content: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(6, 6, 6, 6)
    layout.addWidget(content)
    return box
