"""What a job leaves in the window: pictures in the layers, scores beside the classes, something to export."""

from __future__ import annotations

from qtpy.QtCore import QObject

from semidavil_core.events import Event, ModelChanged, PreviewReady, RoundFinished, RoundRestored
from semidavil_napari._history import HistoryController
from semidavil_napari._jobs import EngineJobs
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.classes import ClassesPanel, class_scores
from semidavil_napari._panels.export import ExportPanel
from semidavil_napari._round_list import leaves_a_round


class Outcomes(QObject):
    """Follows the jobs that a person asked for.

    Parameters
    ----------
    jobs, book
        The engine's jobs, and the layers that are drawn in.
    history
        The rounds in the window; it has heard of each event before.
    classes, export
        The sections that show scores, and that there is a model.
    """

    def __init__(
        self,
        jobs: EngineJobs,
        book: LayerBook,
        history: HistoryController,
        classes: ClassesPanel,
        export: ExportPanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs, self._book, self._history = jobs, book, history
        self._classes, self._export = classes, export
        jobs.happened.connect(self._on_event)
        jobs.failed.connect(self._on_failed)

    def _on_event(self, event: Event) -> None:
        if self._jobs.quiet is not None:
            return  # whoever asked quietly takes the answer
        match event:
            case PreviewReady():
                classes = self._jobs.classes or self._classes.value()
                if classes is not None:
                    self._book.show(event, classes)
            case ModelChanged() | RoundFinished() | RoundRestored():
                if leaves_a_round(event):
                    self._export.setReady(True)
                standing = self._history.rounds.current
                self._classes.setScores(class_scores(standing.scores if standing is not None else {}))

    def _on_failed(self, _: str) -> None:
        if self._jobs.engine_pid is None:  # the model is gone with its engine
            self._export.setReady(False)
