"""The rounds towards the disk: each model is kept, in a project with its scores, under a number that never comes twice.

So an engine that dies takes no model along, and a round of an earlier window can be gone back to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import SaveBundle
from semidavil_core.events import Event, FinishReason, ModelChanged, RoundFinished, RoundRestored
from semidavil_core.project.folder import Project
from semidavil_core.project.rounds import RoundStore, SavedRound
from semidavil_napari._aside import Aside
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._history import HistoryController
from semidavil_napari._jobs import EngineJobs
from semidavil_napari._model_shelf import ModelShelf
from semidavil_napari._project_files import Writer
from semidavil_napari._round_list import RoundEntry

_KEEP = "project model"


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

    def __init__(self, jobs: EngineJobs, history: HistoryController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs, self._history = jobs, history
        self._project: Project | None = None
        self._files: Aside | None = None
        self._numbers: dict[int, int] = {}
        self._noted: dict[int, SavedRound] = {}
        self._next = 1
        self._base = self.current = 0
        self._shelf = ModelShelf()
        jobs.happened.connect(self._on_event)
        jobs.ended.connect(self._on_ended)

    def take(self, project: Project | None, files: Aside) -> None:
        """Note rounds in `project` from now on."""
        self._project, self._files = project, files
        self._noted.clear()
        if project is not None:
            self._note()

    def recall(self, store: RoundStore, rounds: Sequence[SavedRound], current: int, next_number: int) -> None:
        """Show the rounds of a project that was opened."""
        self._numbers.clear()
        self._base, self.current, self._next = current, current, next_number
        self._noted = {saved.round: saved for saved in rounds}
        rows = [
            {
                "round": r.round,
                "reason": r.reason,
                "steps": r.steps,
                "seconds": r.seconds,
                "scores": r.scores,
                "parent": 0,
            }
            for r in rounds
        ]
        kept = {r.round: store.bundle(r.round) for r in rounds}
        self._history.recall({"rounds": rows}, {r.round: r.name for r in rounds if r.name}, kept)

    def next_bundle(self) -> Path:
        """Where the model after the next round shall be kept."""
        return self._place(self._next)

    def close(self) -> None:
        """Let go of models that no project keeps."""
        self._shelf.close()

    def standing_bundle(self) -> Path | None:
        """Where the model of the standing round is kept; None without a project or a round."""
        return (
            self._project.rounds.bundle(self.current) if self._project is not None and self.current else None
        )

    def keep_present(self) -> None:
        """Keep the model that stands now, once the engine is free: the project was saved after its round."""
        current = self._history.rounds.current
        number = None if current is None else self._numbers.get(current.number)
        if current is not None and number is not None and self._project is not None:
            bundle = self._project.rounds.bundle(number)
            self._history.rounds.keep(current.number, bundle)
            self._jobs.start_when_idle(_KEEP, partial(_keep_job, current.number, bundle))

    def _on_event(self, event: Event) -> None:
        match event:
            case ModelChanged():
                self._numbers.clear()
                if event.goes_on_from:
                    self.current = int(Path(event.goes_on_from).parent.name)
                self._base = self.current
            case RoundFinished() if event.round > 0:
                self._history.rounds.keep(event.round, self.next_bundle())
                self._numbers[event.round], self._next = self._next, self._next + 1
                if event.reason != FinishReason.RESTORED:
                    self.current = self._numbers[event.round]
                QTimer.singleShot(0, self._note)
            case RoundRestored():
                self.current = self._numbers.get(event.round, self._base)
            case _:
                return
        self.changed.emit()

    def _on_ended(self) -> None:
        """A project that was saved while a round ran has not its model yet."""
        if self._project is not None and self.current and not self._project.rounds.has_bundle(self.current):
            self.keep_present()

    def _place(self, number: int) -> Path:
        """Where the model after a round is kept, or shall be."""
        return self._shelf.place(number) if self._project is None else self._project.rounds.bundle(number)

    def _note(self) -> None:
        """Write the rounds that are new or have another name."""
        for entry in self._history.rounds.entries:
            if entry.available and entry.number > 0:
                number = self._numbers.setdefault(entry.number, self._next)
                self._next = max(self._next, number + 1)
                saved = _saved(entry, number)
                if self._project is not None and self._files is not None and self._noted.get(number) != saved:
                    self._noted[number] = saved
                    self._write(saved, self._project, self._files)

    def _write(self, saved: SavedRound, project: Project, files: Aside) -> None:
        files(
            f"round/{saved.round}", partial(Writer(project).round, saved, spare=self.current), _nothing, _told
        )


def _saved(entry: RoundEntry, number: int) -> SavedRound:
    name = f"Round {number}" if entry.name == f"Round {entry.number}" else entry.name
    return SavedRound(number, name, str(entry.reason), entry.steps, entry.seconds, dict(entry.scores))


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
