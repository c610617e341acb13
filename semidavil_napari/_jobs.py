"""The threads of the engine: one job at a time, one engine process per window (short work beside it: ``_aside``).

What must hold here, and why:

- No error leaves the generator; what goes wrong is its return value. A ``RuntimeError`` would be swallowed by the worker without any
  signal, and with PySide6 napari 0.9.2 itself stumbles over ``errored``.
- napari tells all workers of all viewers to quit when one of them closes, and waits for their threads without limit. So a worker only
  hands on what the job's own thread (``_pump``) gives it, and another takes its place where this window stays.
- Stop and Pause go to the engine at once and never wait for the thread.
- A job is either loud (a person pressed a button for it and watches it) or quiet (the window asked by itself, for instance for
  a first map of a new class). Quiet jobs wait for their turn, make way for loud ones, and tell of their end by signals of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, QThreadPool, QTimer, Signal

from semidavil_core.classes import ClassSet
from semidavil_core.engine.client import EngineClient
from semidavil_core.events import Event
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._pump import Failure, Pump

_CLOSING_MS: Final = 300
Job = Callable[[EngineClient, EngineMemory, Callable[[], int]], Iterator[Event]]
"""Gets the engine, what it knows, and how often Stop was pressed; gives events."""


@dataclass(frozen=True)
class _Task:
    """A job and how it was asked for: `key` is None for a loud one."""

    job: Job
    key: str | None = None


class EngineJobs(QObject):
    """Runs one job at a time.

    Parameters
    ----------
    command
        What starts the engine; by default this Python.
    """

    happened = Signal(object)
    """An :class:`~semidavil_core.events.Event` of the running job; :attr:`quiet` tells whether it is a quiet one."""
    failed = Signal(str)
    """The loud job is over with this sentence; the next job gets a fresh engine if this one is gone."""
    ended = Signal()
    """The loud job is over and went well."""
    quiet_failed = Signal(str, str)
    """The quiet job of this key is over with this sentence."""
    quiet_ended = Signal(str)
    """The quiet job of this key is over and went well, or made way for a loud one."""

    def __init__(self, command: Sequence[str] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = command
        self._client: EngineClient | None = None
        self._memory = EngineMemory()
        self._worker: GeneratorWorker | None = None
        self._pump: Pump | None = None
        self._task: _Task | None = None
        self._loud: _Task | None = None
        self._waiting: dict[str, _Task] = {}
        self._begun = self._finished = 0
        self._stops = 0
        self._closing = False
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(_CLOSING_MS)
        self._again.timeout.connect(self._attach)

    @property
    def running(self) -> bool:
        """Whether a job runs."""
        return self._task is not None

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine; None if there is none."""
        return self._client.pid if self._client is not None and self._client.alive else None

    @property
    def quiet(self) -> str | None:
        """Key of the quiet job that runs; None while a loud one or nothing runs."""
        return None if self._task is None else self._task.key

    @property
    def classes(self) -> ClassSet | None:
        """The classes that the engine's model predicts, in their order; None while it has no model."""
        return self._memory.classes

    def start(self, job: Job) -> None:
        """Run a loud job in a background thread, before all quiet ones; ignored while another loud one runs or waits.

        A quiet job that runs is asked to end, and `job` begins when it has.
        """
        if self._closing or self._loud is not None or (self.running and self.quiet is None):
            return
        self._loud = _Task(job)
        if self.running:
            self._ask_to_stop()
        self._start_next()

    def start_when_idle(self, key: str, job: Job) -> None:
        """Run a quiet job when nothing else runs; a waiting one of the same `key` is replaced."""
        if not self._closing:
            self._waiting.pop(key, None)
            self._waiting[key] = _Task(job, key)
            self._start_next()

    def forget(self, key: str) -> None:
        """Drop the quiet job of `key` if it still waits."""
        self._waiting.pop(key, None)

    def _start_next(self) -> None:
        """Begin what waits, a loud job first, if nothing runs."""
        if self.running or self._closing:
            return
        if self._loud is not None:
            task, self._loud = self._loud, None
            self._begin(task)
        elif self._waiting:
            self._begin(self._waiting.pop(next(iter(self._waiting))))

    def _begin(self, task: _Task) -> None:
        self._stops = 0
        self.resume()  # a pause that the last job did not live to hear is not for this one
        self._task = task
        self._pump = Pump(lambda: task.job(self._engine(), self._memory, lambda: self._stops))
        self._attach()

    def _attach(self) -> None:
        """Let a worker of napari hand on what the job gives."""
        if self._pump is None or self._closing:
            return
        work = _Named(self._pump.events)
        worker = create_worker(work, _start_thread=False, _worker_class=GeneratorWorker, _ignore_errors=True)
        worker.yielded.connect(self._on_yielded)
        worker.returned.connect(self._on_returned)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        self._begun += 1
        # The thread only waits for the engine, so it takes no other worker's place, and no other takes its: there are as many as cores.
        _take_place()
        worker.start()

    def stop(self) -> None:
        """Ask the loud job to end at its next step; one that still waits is dropped."""
        if self._loud is not None:
            self._loud = None
            self.ended.emit()
        elif self.quiet is None:
            self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        self._stops += 1
        if self._client is not None:
            self._client.stop()

    def pause(self) -> None:
        """Ask the job to hold at its next step, be it of another request than the one that runs."""
        if self._client is not None:
            self._client.pause()

    def resume(self) -> None:
        """Let a held job go on."""
        if self._client is not None:
            self._client.resume()

    def close(self) -> None:
        """End everything now: the window goes away."""
        self._closing = True
        self._loud = None
        self._waiting.clear()
        if self._worker is not None:
            self._worker.quit()
        if self._client is not None:
            self._client.close(timeout=0.5)

    def _engine(self) -> EngineClient:
        """The engine that runs, or a fresh one that knows nothing."""
        if self._client is None or not self._client.alive:
            if self._client is not None:
                self._client.close(timeout=0)
            self._memory = self._memory.successor()
            self._client = EngineClient(self._command)
        if self._closing:
            self._client.kill()
        return self._client

    def _on_yielded(self, event: Any) -> None:
        if event is not None and not self._closing:
            self.happened.emit(event)

    def _on_finished(self) -> None:
        """A worker is over; one that napari told to quit gives no other sign."""
        self._finished += 1
        _give_place_back()
        if self._task is not None and self._finished == self._begun:
            self._again.start()  # if this window closes, we will have been told by then

    def _on_returned(self, result: object = None) -> None:
        key = self._end_task()
        if self._closing:
            return
        if isinstance(result, Failure):
            if key is None:
                self.failed.emit(result.sentence)
            else:
                self.quiet_failed.emit(key, result.sentence)
        elif key is None:
            self.ended.emit()
        else:
            self.quiet_ended.emit(key)
        self._start_next()

    def _end_task(self) -> str | None:
        key = self.quiet
        self._worker = self._task = self._pump = None
        return key


class Closes(Protocol):
    """A part of the window that ends with it."""

    def close(self) -> None:
        """End now."""


class _Named(partial[Any]):
    """Work under a name for people: napari shows it when it asks whether to close."""

    def __str__(self) -> str:
        return "SemiDAViL's round"


def _take_place() -> None:
    """Let napari's threads be one more while a worker of ours only waits."""
    if (pool := QThreadPool.globalInstance()) is not None:
        pool.releaseThread()


def _give_place_back() -> None:
    if (pool := QThreadPool.globalInstance()) is not None:
        pool.reserveThread()


def close_with(part: Closes, *signals: Any) -> None:
    """End `part` when one of `signals` comes, also if the widget that owns it is already gone on the C++ side."""

    def close(*_: object) -> None:
        with suppress(RuntimeError):
            part.close()

    for signal in signals:
        signal.connect(close)
