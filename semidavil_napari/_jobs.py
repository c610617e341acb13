"""The only threading file: one background thread per job, one engine process per window.

What must hold here, and why:

- ``RuntimeError`` never leaves the generator: the worker would swallow it and neither ``errored`` nor ``finished`` would come.
- ``worker.quit()`` is what napari calls when it closes, and napari then waits for the thread without limit. So quitting ends the
  engine, which frees a thread that waits for its next event.
- Stop and Pause go to the engine at once and never wait for the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, Signal

from semidavil_core.engine.client import EngineClient
from semidavil_core.errors import EngineFailed, SemiDavilError
from semidavil_core.events import Event
from semidavil_napari._rounds import EngineMemory

Job = Callable[[EngineClient, EngineMemory, Callable[[], int]], Iterator[Event]]
"""Gets the engine, what it knows, and how often Stop was pressed; gives events."""


class _EngineWorker(GeneratorWorker):
    """A worker whose `quit` also ends the engine."""

    on_quit: Callable[[], None] = staticmethod(lambda: None)

    def quit(self) -> None:
        """Ask the worker to end; called by napari when it closes."""
        super().quit()
        self.on_quit()


class _Named(partial[Iterator[Event]]):
    """The work under a name for people: napari shows it when it asks whether to close."""

    def __str__(self) -> str:
        return "SemiDAViL's round"


class EngineJobs(QObject):
    """Runs one job at a time.

    Parameters
    ----------
    command
        What starts the engine; by default this Python.
    """

    happened = Signal(object)
    """An :class:`~semidavil_core.events.Event` of the running job."""
    failed = Signal(str)
    """The job is over with this sentence; the next job gets a fresh engine if this one is gone."""
    ended = Signal()
    """The job is over and went well."""

    def __init__(self, command: Sequence[str] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = command
        self._client: EngineClient | None = None
        self._memory = EngineMemory()
        self._worker: _EngineWorker | None = None
        self._stops = 0
        self._closing = False

    @property
    def running(self) -> bool:
        """Whether a job runs."""
        return self._worker is not None

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine; None if there is none."""
        return self._client.pid if self._client is not None and self._client.alive else None

    def start(self, job: Job) -> None:
        """Run `job` in a background thread; one at a time."""
        if self.running or self._closing:
            return
        self._stops = 0
        work = _Named(self._run, job)
        worker = create_worker(work, _start_thread=False, _worker_class=_EngineWorker, _ignore_errors=True)
        worker.on_quit = self._abandon
        worker.yielded.connect(self._on_yielded)
        worker.errored.connect(self._on_errored)
        worker.returned.connect(self._on_returned)
        worker.aborted.connect(self._on_returned)
        self._worker = worker
        worker.start()

    def stop(self) -> None:
        """Ask the job to end at its next step."""
        self._stops += 1
        if self._client is not None:
            self._client.stop()

    def pause(self) -> None:
        """Ask the job to hold at its next step."""
        if self._client is not None:
            self._client.pause()

    def resume(self) -> None:
        """Let a held job go on."""
        if self._client is not None:
            self._client.resume()

    def close(self) -> None:
        """End everything now: the window goes away."""
        self._closing = True
        if self._worker is not None:
            self._worker.quit()
        if self._client is not None:
            self._client.close(timeout=0.5)

    def _run(self, job: Job) -> Iterator[Event]:
        """Background thread: the engine's events, in errors that reach the window."""
        try:
            yield from job(self._engine(), self._memory, lambda: self._stops)
        except SemiDavilError:
            raise
        except (RuntimeError, MemoryError, OSError, ValueError, TypeError, KeyError) as error:
            raise EngineFailed(
                f"The job met an unexpected {type(error).__name__} ({error}); try again."
            ) from error

    def _engine(self) -> EngineClient:
        """The engine that runs, or a fresh one that knows nothing."""
        if self._client is None or not self._client.alive:
            if self._client is not None:
                self._client.close(timeout=0)
            self._memory = EngineMemory()
            self._client = EngineClient(self._command)
        if self._closing:
            self._client.kill()
        return self._client

    def _abandon(self) -> None:
        if self._client is not None:
            self._client.kill()

    def _on_yielded(self, event: Any) -> None:
        if not self._closing:
            self.happened.emit(event)

    def _on_errored(self, error: Exception) -> None:
        self._worker = None
        if not self._closing:
            self.failed.emit(str(error))

    def _on_returned(self, _: object = None) -> None:
        self._worker = None
        if not self._closing:
            self.ended.emit()


def close_with(jobs: EngineJobs, *signals: Any) -> None:
    """End `jobs` when one of `signals` comes, also if the widget that owns it is already gone on the C++ side."""

    def close(*_: object) -> None:
        with suppress(RuntimeError):
            jobs.close()

    for signal in signals:
        signal.connect(close)
