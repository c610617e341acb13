"""The dock widget: puts the panels, the session, the layers and the background job together; no logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import napari
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from semidavil_core.classes import ClassSet
from semidavil_core.engine.client import EngineClient
from semidavil_core.events import (
    Event,
    HeldOutMeasured,
    PreviewReady,
    RoundFinished,
    RoundRestored,
    StageProgress,
    StepFinished,
)
from semidavil_core.samples import sample_folder
from semidavil_core.settings import Budget
from semidavil_napari._accept import accept_under_cursor
from semidavil_napari._activity import Activity
from semidavil_napari._aside import Aside
from semidavil_napari._brush import Brush
from semidavil_napari._command_lines import Situation
from semidavil_napari._desk import Desk
from semidavil_napari._export import ExportController
from semidavil_napari._guidance import GuidanceController
from semidavil_napari._history import HistoryController
from semidavil_napari._hover import Hover
from semidavil_napari._images import TargetImages
from semidavil_napari._jobs import EngineJobs, Job, close_with
from semidavil_napari._layers import LayerBook
from semidavil_napari._manners import Manners
from semidavil_napari._paint_next import PaintNext
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._panels.classes import ClassesPanel, class_scores
from semidavil_napari._panels.column import Column
from semidavil_napari._panels.export import ExportPanel
from semidavil_napari._panels.guidance import GuidancePanel
from semidavil_napari._panels.help import HelpPanel
from semidavil_napari._panels.images import ImagesPanel
from semidavil_napari._panels.paint_next import PaintNextPanel
from semidavil_napari._panels.project import ProjectPanel
from semidavil_napari._panels.rounds import RoundsPanel
from semidavil_napari._panels.section import Section
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._project import ProjectKeeper
from semidavil_napari._project_layers import ProjectLayers
from semidavil_napari._project_rounds import ProjectRounds
from semidavil_napari._rounds import EngineMemory, RoundPlan, iter_round
from semidavil_napari._session import Session, Status
from semidavil_napari._settings import read_settings
from semidavil_napari._source_layers import SourceLayers
from semidavil_napari._zero_shot import ZeroShotPreview

_STROKES_SETTLE_MS = 250
_FIT_AFTER_MS = 300
_FEWEST_PAINTED_CLASSES = 2
_OFTEN = (StepFinished, StageProgress, HeldOutMeasured)
_SHOW_EVERY_MS = 400  # beside an OpenGL canvas each change of a widget draws the whole window anew


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
        self._session = Session()
        self._painted: list[int] = []
        self._origin: object = None
        # children
        self._aside = Aside(parent=self)
        self._images, self._source, self._classes = ImagesPanel(), SourcePanel(), ClassesPanel(self._aside)
        self._guidance, self._adapt, self._export = GuidancePanel(), AdaptPanel(), ExportPanel()
        self._next_panel, self._help = PaintNextPanel(), HelpPanel()
        self._preferences = read_settings()
        self._guidance.setValue(replace(self._guidance.value(), device=self._preferences.device))
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_STROKES_SETTLE_MS)
        self._fit = QTimer(self)  # the canvas has another size once this window stands beside it
        self._fit.setSingleShot(True)
        self._fit.setInterval(_FIT_AFTER_MS)
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(_SHOW_EVERY_MS)
        self._jobs = EngineJobs(engine_command or self._preferences.engine_command, parent=self)
        self._book = LayerBook(napari_viewer, self._on_layers, self._settle.start, self._aside)
        self._targets = TargetImages(napari_viewer, self._book, self._images, self._aside, show_error)
        self._source_layers = SourceLayers(self._book, self._source, self._classes.value, self._aside)
        self._hover = Hover(napari_viewer, self._book)
        self._brush = Brush(napari_viewer, self._book, self._classes)
        self._next = PaintNext(
            napari_viewer, self._book, self._jobs, self._next_panel, self._classes.value, parent=self
        )
        self._viewer = napari_viewer
        self._manners = Manners(napari_viewer, self, self._help, self._preferences)
        self._rounds, self._activity = RoundsPanel(), Activity(parent=self)
        self._history = HistoryController(
            napari_viewer,
            self._book,
            self._jobs,
            self._rounds,
            self._adapt.plot,
            self._images.value,
            self._run,
        )
        self._project_panel = ProjectPanel()
        self._project = ProjectKeeper(
            self._project_panel,
            ProjectLayers(napari_viewer, self._book),
            self._book,
            Desk(self._images, self._source, self._classes, self._guidance, self._adapt),
            ProjectRounds(self._jobs, self._history, parent=self),
            self._preferences.autosave_seconds,
            parent=self,
        )
        self._lay_out()
        self._connect()
        self._zero_shot = ZeroShotPreview(
            self._book, self._jobs, self._classes, self._guidance, self._images.value, parent=self
        )
        self._exports = ExportController(
            self._export, self._adapt, self._run, self._plan, self._situation, parent=self
        )
        self._guide = GuidanceController(self._guidance, self._jobs, self._run, parent=self)
        self._on_layers()

    def _lay_out(self) -> None:
        images, source, guidance = (
            Section("1  Images to adapt to", self._images),
            Section("2  Start from", self._source),
            Section("4  Guidance", self._guidance),
        )
        self._settled = images, source, guidance
        classes, rounds = Section("3  Classes", self._classes), Section("7  Rounds", self._rounds)
        export = Section("8  Export", self._export)
        column = Column(self._project_panel, images, source, classes, guidance, rounds, export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self._help)
        layout.addWidget(column, 1)
        layout.addWidget(Section("5  Adapt", self._adapt))
        layout.addWidget(Section("6  Paint next", self._next_panel))

    def _connect(self) -> None:
        self._images.changed.connect(self._on_images)
        self._images.sample_wanted.connect(partial(self._viewer.open_sample, "semidavil-napari"))
        self._images.scribbles_wanted.connect(self._on_scribbles_wanted)
        self._source.changed.connect(self._on_source)
        self._classes.changed.connect(self._on_classes)
        self._classes.class_selected.connect(lambda k: self._book.select_class(self._images.value(), k))
        self._guidance.changed.connect(self._show)
        self._adapt.adapt.connect(self._on_adapt)
        self._adapt.pause.connect(self._jobs.pause)
        self._adapt.resume.connect(self._jobs.resume)
        self._adapt.stop.connect(self._on_stop)
        self._settle.timeout.connect(self._targets.check)
        self._settle.timeout.connect(self._on_strokes)
        self._settle.timeout.connect(self._next.on_strokes)
        self._settle.timeout.connect(self._project.on_strokes)
        self._images.changed.connect(self._manners.refresh)
        self._images.changed.connect(self._brush.refresh)
        self._jobs.happened.connect(self._on_event)
        self._tick.timeout.connect(self._show)
        self._fit.timeout.connect(self._viewer.reset_view)
        self._jobs.failed.connect(self._on_failed)
        self._jobs.ended.connect(lambda: self._show(self._session.ended()))
        close_with(self._project, self.destroyed, QApplication.instance().aboutToQuit)
        close_with(self._jobs, self.destroyed, QApplication.instance().aboutToQuit)
        close_with(self._aside, self.destroyed, QApplication.instance().aboutToQuit)
        for undone in (
            self._targets.release,
            self._source_layers.release,
            self._hover.release,
            self._brush.release,
            self._book.disconnect,
            self._history.disconnect,
            self._activity.close,
        ):
            self.destroyed.connect(undone)

    @property
    def prepare_budget(self) -> Budget:
        """How long a first model learns from a labelled source."""
        return self._source.prepare_budget

    @prepare_budget.setter
    def prepare_budget(self, budget: Budget) -> None:
        self._source.set_prepare_budget(budget)

    def showEvent(self, event: Any) -> None:
        """From now on the main window tells when it is asked to close."""
        super().showEvent(event)
        self._project.guard(self.window())

    # what keys and commands ask

    def open_project(self, folder: Path) -> None:
        """Open a project folder."""
        self._project.open(folder)

    def start_from(self, bundle: Path) -> None:
        """Start from a bundle."""
        self._source.setValue(bundle)

    def go_to_suggestion(self, step: int = 1) -> None:
        """Fly to the next place where a stroke helps (1), or to the one before (-1)."""
        self._next.go(step)

    def accept_pseudo_label(self) -> None:
        """Paint the pseudo-label under the cursor into the scribbles."""
        self._viewer.status = accept_under_cursor(self._viewer, self._book, self._images.value())

    def choose_class(self, place: int) -> None:
        """Make the brush paint the class at `place` of the list, from 0."""
        classes = self._classes.value()
        if classes is not None and place < len(classes):
            self._book.select_class(self._images.value(), place)
            self._viewer.status = f"The brush paints {classes[place].name}."
        else:
            self._viewer.status = f"There is no class {place + 1} yet."

    # what the panels tell

    def _on_layers(self) -> None:
        self._targets.on_layers()
        self._source_layers.on_layers()

    def _on_images(self) -> None:
        keys = self._images.value()
        for folder in filter(None, map(self._book.sample_of, keys)):
            if self._source.value() is None:
                self._source.setValue(sample_folder(Path(folder).name) / "source")
                self._settle_in()
        self._targets.refresh()
        self._on_strokes()

    def _settle_in(self) -> None:
        """A sample has all it needs: fold what is chosen, so that the classes are seen, and show the whole image."""
        for section in self._settled:
            section.fold(True)
        self._fit.start()

    def _on_source(self) -> None:
        source = self._source.value()
        if source is not None and self._source.validation_error() is None and source.origin != self._origin:
            self._origin = source.origin
            self._classes.setValue(source.classes)
        self._guidance.setBundle(source is not None and not source.learns)
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
        self._targets.add_scribbles(classes)
        self._on_images()

    # jobs

    def _on_adapt(self) -> None:
        plan = self._plan()
        if plan is not None:
            job = self._history.recorded(partial(_round_job, plan), plan.classes)
            self._run("Starting the engine …", job)

    def _on_stop(self) -> None:
        self._show(self._session.stop_requested())
        self._jobs.stop()

    def _run(self, sentence: str, job: Job) -> None:
        """Start a job that a person asked for, unless one runs."""
        if not self._session.status.busy:
            self._show(self._session.begin(sentence))
            self._jobs.start(job)

    def _on_event(self, event: Event) -> None:
        if self._jobs.quiet is not None:
            return  # whoever asked quietly takes the answer
        classes = self._jobs.classes or self._classes.value()
        if isinstance(event, PreviewReady) and classes is not None:
            self._book.show(event, classes)
        if isinstance(event, RoundFinished) and event.round > 0:
            self._export.setReady(True)
        if isinstance(event, RoundFinished | RoundRestored):
            standing = self._history.rounds.current
            self._classes.setScores(class_scores(standing.scores if standing is not None else {}))
        status = self._session.happened(event)
        if not isinstance(event, _OFTEN):
            self._show(status)
        elif not self._tick.isActive():
            self._tick.start()

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
            source,
            classes,
            images,
            self._adapt.value(),
            self._source.prepare_budget,
            guidance.vlm,
            guidance.device,
            keep_in=self._project.next_bundle,
        )

    def _situation(self) -> Situation | None:
        """What a command line must know to do the same."""
        source, classes, guidance = self._source.value(), self._classes.value(), self._guidance.value()
        if source is None or classes is None or not self._images.value():
            return None
        axes = self._book.axes(self._images.value()[0])
        return Situation(
            source,
            classes,
            self._adapt.value(),
            self._source.prepare_budget,
            guidance.vlm,
            guidance.device,
            self._project.entries_of(self._images.value()),
            None if self._project.project is None else self._project.project.folder,
            self._project.standing_bundle,
            None if axes is None else axes.channels,
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
        self._history.show_status(status)
        self._activity.show_status(status)


def _round_job(
    plan: RoundPlan, client: EngineClient, memory: EngineMemory, stops: Callable[[], int]
) -> Iterator[Event]:
    return iter_round(client, memory, plan, stops)
