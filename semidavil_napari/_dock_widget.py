"""The dock widget: puts the sections, the layers and the engine's jobs of one window together; no logic of its own."""

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

from semidavil_core.engine.client import EngineClient
from semidavil_core.events import Event
from semidavil_core.settings import Budget
from semidavil_napari._accept import accept_under_cursor
from semidavil_napari._activity import Activity
from semidavil_napari._aside import Aside
from semidavil_napari._brush import Brush
from semidavil_napari._choices import Choices
from semidavil_napari._conductor import Conductor
from semidavil_napari._desk import Desk
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._export import ExportController
from semidavil_napari._guidance import GuidanceController
from semidavil_napari._history import HistoryController
from semidavil_napari._hover import Hover
from semidavil_napari._images import TargetImages
from semidavil_napari._jobs import EngineJobs, close_with
from semidavil_napari._layers import LayerBook
from semidavil_napari._manners import Manners
from semidavil_napari._outcomes import Outcomes
from semidavil_napari._paint_next import PaintNext
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._panels.classes import ClassesPanel
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
from semidavil_napari._plans import Plans
from semidavil_napari._project import ProjectKeeper
from semidavil_napari._project_layers import ProjectLayers
from semidavil_napari._project_rounds import ProjectRounds
from semidavil_napari._project_source import ProjectSource
from semidavil_napari._round_plan import RoundPlan
from semidavil_napari._rounds import iter_round
from semidavil_napari._settings import read_settings
from semidavil_napari._source_layers import SourceLayers
from semidavil_napari._zero_shot import ZeroShotPreview

_STROKES_SETTLE_MS = 250
_FIT_AFTER_MS = 300


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
        self._viewer, self._preferences = napari_viewer, read_settings()
        self._aside = Aside(parent=self)
        self._jobs = EngineJobs(engine_command or self._preferences.engine_command, parent=self)
        self._make_sections()
        self._make_layers()
        self._make_work()
        self._make_project()
        self._manners = Manners(napari_viewer, self, self._help, self._preferences)
        self._lay_out()
        self._connect()
        self._close_with_the_window()
        self._on_layers()

    # the parts, each from those before it

    def _make_sections(self) -> None:
        self._project_panel, self._help = ProjectPanel(), HelpPanel()
        self._images, self._source, self._classes = ImagesPanel(), SourcePanel(), ClassesPanel(self._aside)
        self._guidance, self._adapt, self._next_panel = GuidancePanel(), AdaptPanel(), PaintNextPanel()
        self._rounds, self._export = RoundsPanel(), ExportPanel()
        self._guidance.setValue(replace(self._guidance.value(), device=self._preferences.device))

    def _make_layers(self) -> None:
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_STROKES_SETTLE_MS)
        self._fit = QTimer(self)  # the canvas has another size once this window stands beside it
        self._fit.setSingleShot(True)
        self._fit.setInterval(_FIT_AFTER_MS)
        self._book = LayerBook(self._viewer, self._on_layers, self._settle.start, self._aside)
        self._targets = TargetImages(self._viewer, self._book, self._images, self._aside, show_error)
        self._source_layers = SourceLayers(self._book, self._source, self._classes.value, self._aside)
        self._hover = Hover(self._viewer, self._book)
        self._brush = Brush(self._viewer, self._book, self._classes)
        choices = (self._images, self._source, self._classes, self._guidance)
        self._choices = Choices(self._viewer, self._book, self._targets, *choices, parent=self)

    def _make_work(self) -> None:
        jobs, book, ticked = self._jobs, self._book, self._images.value
        self._conductor = Conductor(jobs, self._adapt, self._choices.missing, parent=self)
        self._activity = Activity(parent=self)
        run, plot = self._conductor.run, self._adapt.plot
        self._history = HistoryController(
            self._viewer, book, jobs, self._rounds, plot, ticked, run, self._plan
        )
        self._outcomes = Outcomes(jobs, book, self._history, self._classes, self._export, parent=self)
        self._next = PaintNext(self._viewer, book, jobs, self._next_panel, self._classes.value, parent=self)
        self._zero_shot = ZeroShotPreview(book, jobs, self._classes, self._guidance, ticked, parent=self)
        self._guide = GuidanceController(self._guidance, jobs, run, parent=self)

    def _make_project(self) -> None:
        self._kept_rounds = ProjectRounds(self._jobs, self._history, parent=self)
        choices = (self._images, self._source, self._classes, self._guidance, self._adapt)
        self._project = ProjectKeeper(
            self._project_panel,
            ProjectLayers(self._viewer, self._book),
            self._book,
            ProjectSource(self._viewer, self._source_layers),
            Desk(*choices),
            self._kept_rounds,
            self._preferences.autosave_seconds,
            parent=self,
        )
        self._plans = Plans(self._book, *choices, self._project, self._choices.missing)
        self._exports = ExportController(
            self._export,
            self._adapt,
            self._conductor.run,
            self._plans.plan,
            self._plans.situation,
            parent=self,
        )

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
        self._adapt.adapt.connect(self._on_adapt)
        self._choices.changed.connect(self._conductor.show)
        self._kept_rounds.recalled.connect(self._export.setReady)
        self._conductor.told.connect(self._history.show_status)
        self._conductor.told.connect(self._activity.show_status)
        self._conductor.told.connect(self._exports.show_status)
        self._jobs.happened.connect(self._hover.on_event)  # after it was drawn
        self._rounds.compare.connect(lambda _: self._hover.refresh())
        self._choices.sample_chosen.connect(self._settle_in)
        self._fit.timeout.connect(self._viewer.reset_view)
        self._images.sample_wanted.connect(partial(self._viewer.open_sample, "semidavil-napari"))
        self._images.changed.connect(self._manners.refresh)
        self._images.changed.connect(self._brush.refresh)
        self._classes.changed.connect(self._brush.follow_classes)  # after the layers have heard of it
        for heard in (self._targets.check, self._choices.on_strokes, self._next.on_strokes, self._project.on_strokes):  # fmt: skip
            self._settle.timeout.connect(heard)

    def _close_with_the_window(self) -> None:
        for part in (self._project, self._jobs, self._aside, self._kept_rounds):
            close_with(part, self.destroyed, QApplication.instance().aboutToQuit)
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

    def showEvent(self, event: Any) -> None:
        """From now on the main window tells when it is asked to close."""
        super().showEvent(event)
        self._project.guard(self.window())

    def _on_layers(self) -> None:
        self._targets.on_layers()
        self._source_layers.on_layers()
        self._next.on_layers()

    def _settle_in(self) -> None:
        """A sample has all it needs: fold what is chosen, so that the classes are seen, and show the whole image."""
        for section in self._settled:
            section.fold(True)
        self._fit.start()

    def _plan(self) -> RoundPlan | None:
        return self._plans.plan()

    def _on_adapt(self) -> None:
        plan = self._plan()
        if plan is not None:
            job = self._history.recorded(partial(_round_job, plan), plan.classes)
            self._conductor.run("Starting the engine …", job)

    # what keys, commands and scripts ask

    @property
    def prepare_budget(self) -> Budget:
        """How long a first model learns from a labelled source."""
        return self._source.prepare_budget

    @prepare_budget.setter
    def prepare_budget(self, budget: Budget) -> None:
        self._source.set_prepare_budget(budget)

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
        self._choices.choose_class(place)


def _round_job(
    plan: RoundPlan, client: EngineClient, memory: EngineMemory, stops: Callable[[], int]
) -> Iterator[Event]:
    return iter_round(client, memory, plan, stops)
