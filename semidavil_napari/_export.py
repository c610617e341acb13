"""The export at work: what is ticked is asked of the engine, one after the other, with progress and Stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

from semidavil_core.atomic_files import write_json
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.label_files import write_label_map
from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import ExportPredictions, SaveBundle
from semidavil_core.errors import InvalidInput
from semidavil_core.events import Event, Notice, StageProgress, StageStarted
from semidavil_core.export.formats import BUNDLE, BUNDLE_ZIP, DATASET, ExportFormat, Needs
from semidavil_core.export.map_files import file_stems
from semidavil_core.project.image_copies import write_copy
from semidavil_napari._command_lines import Situation, command_lines
from semidavil_napari._engine_memory import EngineMemory, iter_answer, iter_greeting
from semidavil_napari._jobs import Job
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._panels.export import ExportDialog, ExportPanel
from semidavil_napari._round_plan import RoundPlan
from semidavil_napari._rounds import iter_images
from semidavil_napari._session import Stage, Status
from semidavil_napari._start_model import iter_model

_COPIED: Final = "Copied: paste it into a terminal."
_COPIED_KEPT: Final = (
    "Copied: the lines predict with the model that the project keeps. Paste them into a terminal."
)
_BUSY: Final = "Something else is running: export when it is over, or press Stop in the section Adapt."


@dataclass(frozen=True)
class ExportOrder:
    """What a person asked to export."""

    folder: Path
    formats: tuple[ExportFormat, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the formats."""
        return tuple(f.key for f in self.formats)

    def needs(self, what: Needs) -> bool:
        """Whether any of the formats is made so."""
        return any(f.needs is what for f in self.formats)


class ExportController(QObject):
    """The export dialog, and the equivalent commands.

    Parameters
    ----------
    panel, adapt
        The section with the buttons; the copy button beside Adapt.
    run
        Starts a job that a person asked for, with a sentence for the status.
    plan
        The round that would run now; None with a sentence where something is missing.
    situation
        What a command line must know.
    """

    def __init__(
        self,
        panel: ExportPanel,
        adapt: AdaptPanel,
        run: Callable[[str, Job], None],
        plan: Callable[[], RoundPlan | None],
        situation: Callable[[], Situation | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._panel, self._adapt, self._run, self._plan, self._situation = panel, adapt, run, plan, situation
        self._dialog: ExportDialog | None = None
        self._busy = self._exporting = False
        panel.export_wanted.connect(self.show)
        adapt.copy_command.connect(lambda: self._copy(None))

    def show(self) -> None:
        """Open the dialog, or bring it to the front."""
        if self._dialog is None:
            self._dialog = ExportDialog(self._panel)
            self._dialog.export_wanted.connect(self._on_export)
            self._dialog.command_wanted.connect(lambda: self._copy(self._dialog))
        self._dialog.refresh()
        self._dialog.show()
        self._dialog.raise_()

    def _on_export(self, folder: Path, formats: Sequence[ExportFormat]) -> None:
        if self._busy:
            (self._dialog or self._panel).say(_BUSY)
            return
        order = ExportOrder(folder, tuple(formats))
        plan = self._plan()
        if plan is None and (order.needs(Needs.IMAGES) or order.needs(Needs.NOTHING)):
            (self._dialog or self._panel).say(
                "The images cannot be exported before Adapt could run: see what is missing there."
            )
            return
        self._exporting = True
        self._run(f"Exporting to {folder} …", partial(_export_job, order, plan))

    def show_status(self, status: Status) -> None:
        """Follow what the window is doing, and tell in the dialog what came of an export."""
        self._busy = status.busy
        if self._exporting and not status.busy:
            self._exporting = False
            if self._dialog is not None:
                self._dialog.say(status.sentence, failed=status.failed)

    def _copy(self, dialog: ExportDialog | None) -> None:
        situation = self._situation()
        if situation is None:
            text = "There is nothing to copy yet: choose images and what to start from."
        else:
            folder, keys = (
                (None, ()) if dialog is None else (dialog.folder(), [f.key for f in dialog.formats()])
            )
            clipboard = QApplication.clipboard()
            if clipboard is not None:
                clipboard.setText(command_lines(situation, folder, keys))
            kept = dialog is not None and situation.bundle is not None
            text = _COPIED_KEPT if kept else _COPIED
        (self._adapt if dialog is None else dialog).say(text)


def _export_job(
    order: ExportOrder,
    plan: RoundPlan | None,
    client: EngineClient,
    memory: EngineMemory,
    stops: Callable[[], int],
) -> Iterator[Event]:
    return iter_export(client, memory, order, plan, stops)


def iter_export(
    client: EngineClient,
    memory: EngineMemory,
    order: ExportOrder,
    plan: RoundPlan | None,
    stops: Callable[[], int] = lambda: 0,
) -> Iterator[Event]:
    """Make everything that was ordered; a Stop ends it after the present image.

    Raises
    ------
    InvalidInput
        The engine holds no model and there is none to load.
    OutputNotWritable
        A file cannot be written.
    """
    if order.needs(Needs.MODEL) or order.needs(Needs.IMAGES):
        yield from _iter_standing_model(client, memory, plan)
    for wanted in (BUNDLE, BUNDLE_ZIP):
        if wanted.key in order.keys and not stops():
            yield StageStarted(Stage.SAVE, 0)
            yield from iter_answer(client, SaveBundle(str(order.folder / wanted.place)))
    if plan is not None and order.needs(Needs.IMAGES) and not stops():
        yield from iter_images(client, memory, plan)
        names = tuple(image.name for image in plan.images)
        if not stops():
            yield from iter_answer(client, ExportPredictions(str(order.folder), order.keys, names))
    if plan is not None and DATASET.key in order.keys and not stops():
        yield from _iter_dataset(order.folder / DATASET.place, plan, stops)
    yield Notice(
        f"Export stopped; {order.folder} is incomplete." if stops() else f"Exported to {order.folder}."
    )


def _iter_standing_model(
    client: EngineClient, memory: EngineMemory, plan: RoundPlan | None
) -> Iterator[Event]:
    """The model that stands; a fresh engine loads the bundle that the window starts from."""
    yield from iter_greeting(client, memory)
    if memory.model is not None:
        return
    if plan is None or (plan.source.learns and memory.follows is None):
        raise InvalidInput("The engine is a fresh one and holds no model; run a round, then export.")
    yield from iter_model(client, memory, plan)


def _iter_dataset(folder: Path, plan: RoundPlan, stops: Callable[[], int]) -> Iterator[Event]:
    """Images and strokes as files that every command reads."""
    stems = file_stems([image.name for image in plan.images])
    yield StageStarted(Stage.COPY, len(plan.images), "images")
    for count, image in enumerate(plan.images, 1):
        if stops():
            return
        pixels = image.read()
        colours = pixels.ndim == 3 and image.axes != "YXC"
        write_copy(folder / "images" / f"{stems[image.name]}.tif", pixels, colours=colours)
        strokes = image.scribbles
        if strokes is not None and (strokes != IGNORE_INDEX).any():
            write_label_map(folder / "scribbles" / f"{stems[image.name]}.png", strokes, plan.classes)
        yield StageProgress(count)
    write_json(folder / "classes.json", plan.classes.to_json())
