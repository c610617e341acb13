"""The rounds towards the disk: each model is kept, in a project with its scores, under a number that never comes twice.

So an engine that dies takes no model along, and a round of an earlier window can be gone back to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, QTimer, Signal

from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import SaveBundle
from semidavil_core.events import Event, FinishReason, ModelChanged, RoundFinished, RoundRestored
from semidavil_core.export.bundle_files import is_bundle
from semidavil_core.project.folder import Project
from semidavil_core.project.rounds import SavedRound
from semidavil_napari._aside import Aside
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._history import HistoryController
from semidavil_napari._jobs import EngineJobs
from semidavil_napari._model_shelf import ModelShelf
from semidavil_napari._project_files import Found, Writer, bring_model
from semidavil_napari._round_list import RoundEntry

_KEEP = "project model"
_CLOSING_SECONDS: Final = 2.0


class ProjectRounds(QObject):
    """Follows the window's rounds.

    Parameters
    ----------
    jobs
        The engine's jobs.
    history
        The rounds in the window; it has heard of each event before.
    """

    changed = Signal()
    """Something is to be written."""
    failed = Signal(str)
    """A sentence: a model could not be kept."""
    recalled = Signal(bool)
    """The rounds of another project are shown; whether there is a model among them to go on from."""

    def __init__(self, jobs: EngineJobs, history: HistoryController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs, self._history = jobs, history
        self._project: Project | None = None
        self._files: Aside | None = None
        self._noted: dict[int, SavedRound] = {}
        self.next_number = 1
        """Number of the next round."""
        self.current = 0
        """Number of the round that the project goes on from when it is opened again."""
        self._base = 0
        self._shelf = ModelShelf()
        self._models = Aside(parent=self)
        """Copies models, which takes longer than strokes may wait."""
        jobs.happened.connect(self._on_event)
        jobs.ended.connect(self._on_ended)

    def take(self, project: Project, files: Aside) -> None:
        """Note rounds in `project` from now on, those that there are at once."""
        self._project, self._files = project, files
        self._noted.clear()
        self._note()
        self._bring(project)

    def recall(self, found: Found, files: Aside) -> None:
        """Show the rounds of a project that was opened, and note further ones there, unless it can only be read."""
        self._project, self._files = (found.project if found.project.read_only is None else None), files
        self._base, self.current, self.next_number = found.round, found.round, found.next_round
        self._noted = {saved.round: saved for saved in found.rounds}
        rows = [
            {
                "round": r.round,
                "reason": r.reason,
                "steps": r.steps,
                "seconds": r.seconds,
                "scores": r.scores,
                "parent": 0,
            }
            for r in found.rounds
        ]
        kept = {r.round: found.project.rounds.bundle(r.round) for r in found.rounds}
        names = {r.round: r.name for r in found.rounds if r.name}
        self._history.recall({"rounds": rows}, names, kept, found.round)
        self.recalled.emit(found.bundle is not None)

    def round_of(self, bundle: Path) -> int:
        """Number of the round whose model a bundle is; 0 if it is none's."""
        return next((e.number for e in self._history.rounds.entries if e.kept == bundle), 0)

    def next_bundle(self) -> Path:
        """Where the model after the next round shall be kept."""
        return self._place(self.next_number)

    def close(self) -> None:
        """Let go of models that no project keeps, within a few seconds."""
        if not self._models.idle:
            self._models.finish(_CLOSING_SECONDS)
        self._models.close()
        self._shelf.close()

    def standing_bundle(self) -> Path | None:
        """Where the project keeps the model that stands, or that it goes on from while none does; None if it does not."""
        stands = self._history.rounds.current
        number = self.current if stands is None else stands.number
        if self._project is None or not self._project.rounds.has_bundle(number):
            return None
        return self._project.rounds.bundle(number)

    def keep_present(self) -> None:
        """Keep the model that stands now, once the engine is free, if it lies nowhere: the project was saved during its round."""
        current = self._history.rounds.current
        if current is None or (current.kept is not None and is_bundle(current.kept)):
            return
        if current.number and self._project is not None:
            bundle = self._project.rounds.bundle(current.number)
            self._history.rounds.keep(current.number, bundle)
            self._jobs.start_when_idle(_KEEP, partial(_keep_job, current.number, bundle))

    def _on_event(self, event: Event) -> None:
        match event:
            case ModelChanged():
                self._base = self.current = event.goes_on_from or self.current
            case RoundFinished() if event.round > 0:
                self._history.rounds.keep(event.round, self._place(event.round))
                self.next_number = max(self.next_number, event.round + 1)
                if event.reason != FinishReason.RESTORED:
                    self.current = event.round
                QTimer.singleShot(0, self._note)
            case RoundRestored():
                self.current = event.round or self._base
            case _:
                return
        self.changed.emit()

    def _on_ended(self) -> None:
        """A project that was saved while a round ran has not its model yet."""
        if self._project is not None and self.current and not self._project.rounds.has_bundle(self.current):
            self._bring(self._project)
            self.keep_present()

    def _place(self, number: int) -> Path:
        """Where the model after a round is kept, or shall be."""
        return self._shelf.place(number) if self._project is None else self._project.rounds.bundle(number)

    def _bring(self, project: Project) -> None:
        """Let models that lie elsewhere, as those of rounds before the first save, come into the project."""
        for entry in self._history.rounds.entries:
            if entry.kept is not None and entry.kept != project.rounds.bundle(entry.number):
                work = partial(bring_model, project, entry.number, entry.kept, spare=self.current)
                then = partial(self._brought, project, entry.number)
                self._models(f"{project.folder} {entry.number}", work, then, self.failed.emit)

    def _brought(self, project: Project, number: int, there: bool) -> None:
        if there and project is self._project:
            self._history.rounds.keep(number, project.rounds.bundle(number))

    def _note(self) -> None:
        """Write the rounds that are new or have another name."""
        if self._project is None or self._files is None:
            return
        for entry in self._history.rounds.entries:
            saved = _saved(entry)
            if entry.number and self._noted.get(entry.number) != saved:
                self._noted[entry.number] = saved
                self._write(saved, self._project, self._files)

    def _write(self, saved: SavedRound, project: Project, files: Aside) -> None:
        files(
            f"round/{saved.round}", partial(Writer(project).round, saved, spare=self.current), _nothing, _told
        )


def _saved(entry: RoundEntry) -> SavedRound:
    return SavedRound(
        entry.number, entry.name, str(entry.reason), entry.steps, entry.seconds, dict(entry.scores)
    )


def _keep_job(
    number: int, bundle: Path, client: EngineClient, memory: EngineMemory, _: Callable[[], int]
) -> Iterator[Event]:
    if memory.model is not None:
        yield from client.request(SaveBundle(str(bundle)))
        memory.keep(number, bundle)


def _nothing(_: Any) -> None:
    """The round is noted."""


def _told(_: str) -> None:
    """The state is written to the same folder and tells what is wrong there."""
