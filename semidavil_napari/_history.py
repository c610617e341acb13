"""The rounds in the window: draws them while they run, lists them, compares before and after, and goes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info

from semidavil_core.classes import ClassSet
from semidavil_core.engine.client import EngineClient
from semidavil_core.events import (
    Event,
    HeldOutMeasured,
    ModelChanged,
    PreviewReady,
    RoundFinished,
    RoundRestored,
    StageStarted,
    StepFinished,
)
from semidavil_napari._archive import PredictionArchive
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._jobs import EngineJobs, Job
from semidavil_napari._layers import LayerBook, Place
from semidavil_napari._panels.plot import RoundPlot
from semidavil_napari._panels.rounds import RoundsPanel, RoundsView
from semidavil_napari._round_list import RoundEntry, RoundList, own_name
from semidavil_napari._round_plan import RoundPlan
from semidavil_napari._rounds import iter_going_back, iter_restore
from semidavil_napari._session import Stage, Status


class HistoryController:
    """Keeps the list of rounds true.

    Parameters
    ----------
    viewer
        The napari viewer.
    book, jobs
        Its layers, and the engine's jobs.
    panel, plot
        What to show the rounds in.
    images
        Keys of the chosen image layers.
    run
        Starts a job that a person asked for, with a sentence for the status.
    plan
        The round that would run now; None where something is missing.
    """

    def __init__(
        self,
        viewer: Any,
        book: LayerBook,
        jobs: EngineJobs,
        panel: RoundsPanel,
        plot: RoundPlot,
        images: Callable[[], Sequence[str]],
        run: Callable[[str, Job], None],
        plan: Callable[[], RoundPlan | None],
    ) -> None:
        self.rounds = RoundList()
        self._viewer, self._book, self._jobs = viewer, book, jobs
        self._panel, self._plot = panel, plot
        self._images, self._run, self._plan = images, run, plan
        self._archive = PredictionArchive()
        self._compared: RoundEntry | None = None
        self._swapped: set[str] = set()
        self._half_trained: set[str] = set()
        self._busy = self._training = False
        panel.go_to.connect(self.go_to)
        panel.undo.connect(self.undo)
        panel.renamed.connect(self._on_renamed)
        panel.compare.connect(self._on_compare)
        jobs.happened.connect(self._on_event)
        jobs.failed.connect(self._on_failed)
        jobs.ended.connect(self._on_ended)
        viewer.dims.events.current_step.connect(self._on_moved)
        self._show()

    def disconnect(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._on_moved)

    def recorded(self, job: Job, classes: ClassSet) -> Job:
        """`job` such that its predictions, indices into `classes`, can be compared later."""

        def work(client: EngineClient, memory: EngineMemory, stops: Callable[[], int]) -> Iterator[Event]:
            return self._archive.recorded(job(client, memory, stops), classes)

        return work

    def go_to(self, key: int) -> None:
        """Take the model of a round again."""
        entry = self.rounds.get(key)
        if entry is None or not entry.reachable:
            return
        sentence = f"Going to {entry.name} …"
        if entry.available:
            classes = self._jobs.classes or self._book.classes
            self._run(sentence, self.recorded(partial(_restore, entry.number), classes))
        elif (plan := self._plan()) is None:
            show_info(f"{entry.name} can be gone back to once Adapt could run: see what is missing there.")
        elif entry.kept is not None:
            job = partial(_go_back, plan, entry.number, entry.kept)
            self._run(sentence, self.recorded(job, plan.classes))

    def undo(self) -> None:
        """Undo going back."""
        if (entry := self.rounds.undo) is not None:
            self.go_to(entry.key)

    def recall(
        self, listed: Mapping[str, Any], names: Mapping[int, str], kept: Mapping[int, Path], stood: int
    ) -> None:
        """Show the rounds of an earlier window, where `stood` was the last; there is a way back to those that are `kept`."""
        self.rounds.recall(listed, names, kept, stood)
        self._archive.clear()
        self._plot.clear()
        self._show()

    def show_status(self, status: Status) -> None:
        """Follow what the window is doing."""
        if status.busy != self._busy:
            self._busy = status.busy
            if status.busy:
                self._panel.end_comparing()
            self._show()

    # what the job tells

    def _on_event(self, event: Event) -> None:
        if self._jobs.quiet is not None:
            return
        match event:
            case StageStarted():
                self._stage_started(event)
            case StepFinished() if self._training:
                self._plot.add_loss(event.seconds, event.loss)
            case HeldOutMeasured():
                self._plot.add_right(event.seconds, event.accuracy)
            case PreviewReady() if self._training:
                self._half_trained.add(event.image)
            case ModelChanged():
                self._model_changed(event)
            case RoundFinished() if event.round > 0:
                self._training = False
                self.rounds.finished(event)
            case RoundRestored():
                self.rounds.restored(event.round)
                self._show_curve()
            case _:
                return
        if not isinstance(event, StepFinished | HeldOutMeasured | PreviewReady):
            self._show()

    def _stage_started(self, event: StageStarted) -> None:
        if event.stage != Stage.ADAPT:
            return
        self._training = True
        self._half_trained.clear()
        self._plot.begin(own_name(event.round), event.total if event.unit == "seconds" else 0.0)
        self._plot.show()

    def _model_changed(self, event: ModelChanged) -> None:
        self.rounds.model_changed(event.goes_on_from)
        if event.goes_on_from:
            self._show_curve()
        else:
            self._plot.clear()

    def _show_curve(self) -> None:
        """The plot shows the round whose model stands."""
        if (current := self.rounds.current) is not None:
            self._plot.look_at(own_name(current.number))

    def _on_failed(self, _: str) -> None:
        if self._training:
            self._plot.fail()
            # The model is as it was before, so its picture must be too.
            self._draw(self.rounds.current, self._half_trained)
        self._training = False
        if self._jobs.engine_pid is None:
            self.rounds.lost()
        self._show()

    def _on_ended(self) -> None:
        self._training = False
        self._show()

    # what a person does

    def _on_renamed(self, key: int, name: str) -> None:
        self.rounds.rename(key, name)
        self._show()

    def _on_compare(self, key: int) -> None:
        """Swap the predictions of the images that are looked at; the last swap swaps back all that were."""
        self._compared = self.rounds.get(key) if key != -1 else None
        if self._compared is not None:
            self._swap(self._compared)
        else:
            swapped, self._swapped = self._swapped, set()
            self._draw(self.rounds.current, swapped)

    def _on_moved(self, _: Any = None) -> None:
        if self._compared is not None:
            self._swap(self._compared)

    def _swap(self, entry: RoundEntry) -> None:
        """Show what the model saw after a round where the way back to the present prediction is kept."""
        current = self.rounds.current
        looked_at = {Place(key, self._book.shown(key)).name for key in self._images()}
        kept = {
            n for n in looked_at if current is not None and self._archive.get(current.number, n) is not None
        }
        self._swapped |= self._draw(entry, kept)

    def _draw(self, entry: RoundEntry | None, names: Iterable[str]) -> set[str]:
        """Draw what is kept of a round; the names of the images that were drawn."""
        drawn: set[str] = set()
        if entry is None:
            return drawn
        for name in names:
            if (kept := self._archive.get(entry.number, name)) is not None:
                self._book.show_prediction(name, *kept)
                drawn.add(name)
        return drawn

    def _show(self) -> None:
        current = self.rounds.current
        comparable = (e.key for e in self.rounds.entries if self._archive.has(e.number))
        self._panel.setValue(
            RoundsView(
                entries=self.rounds.entries,
                current=current,
                before_current=None if current is None else self.rounds.parent(current),
                undo=self.rounds.undo,
                comparable=frozenset(comparable),
                busy=self._busy,
            )
        )


def _restore(
    number: int, client: EngineClient, memory: EngineMemory, _: Callable[[], int]
) -> Iterator[Event]:
    return iter_restore(client, memory, number)


def _go_back(
    plan: RoundPlan,
    number: int,
    bundle: Path,
    client: EngineClient,
    memory: EngineMemory,
    stops: Callable[[], int],
) -> Iterator[Event]:
    return iter_going_back(client, memory, plan, number, bundle, stops)
