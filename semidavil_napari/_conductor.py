"""The jobs that a person asks for: started one at a time, followed by the state machine, told in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, QTimer, Signal

from semidavil_core.events import Event, HeldOutMeasured, StageProgress, StepFinished
from semidavil_napari._jobs import EngineJobs, Job
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._session import Session

_OFTEN: Final = (StepFinished, StageProgress, HeldOutMeasured)
_SHOW_EVERY_MS: Final = 400  # beside an OpenGL canvas each change of a widget draws the whole window anew


class Conductor(QObject):
    """Runs jobs and shows how they go.

    Parameters
    ----------
    jobs
        The engine's jobs.
    panel
        The section with the big button and the status.
    missing
        Says why no round can begin yet.
    """

    told = Signal(object)
    """The :class:`~semidavil_napari._session.Status` that is shown now."""

    def __init__(
        self,
        jobs: EngineJobs,
        panel: AdaptPanel,
        missing: Callable[[], str | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = Session()
        self._jobs, self._panel, self._missing = jobs, panel, missing
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(_SHOW_EVERY_MS)
        self._tick.timeout.connect(self.show)
        panel.pause.connect(jobs.pause)
        panel.resume.connect(jobs.resume)
        panel.stop.connect(self._on_stop)
        jobs.happened.connect(self._on_event)
        jobs.failed.connect(self._on_failed)
        jobs.ended.connect(self._on_ended)

    def run(self, sentence: str, job: Job) -> None:
        """Start a job that a person asked for, with a sentence to begin with, unless one runs."""
        if not self.session.status.busy:
            self.session.begin(sentence)
            self.show()
            self._jobs.start(job)

    def show(self) -> None:
        """Show the status that stands, and what is missing."""
        status = self.session.status
        self._panel.show_status(status, None if status.busy else self._missing())
        self.told.emit(status)

    def _on_stop(self) -> None:
        self.session.stop_requested()
        self.show()
        self._jobs.stop()

    def _on_event(self, event: Event) -> None:
        if self._jobs.quiet is not None:
            return  # whoever asked quietly takes the answer
        self.session.happened(event)
        if not isinstance(event, _OFTEN):
            self.show()
        elif not self._tick.isActive():
            self._tick.start()

    def _on_ended(self) -> None:
        self.session.ended()
        self.show()

    def _on_failed(self, sentence: str) -> None:
        self.session.failed(sentence)
        self.show()
        show_error(sentence)
