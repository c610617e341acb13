"""How a running job is asked to stop or pause: requests that the core honours at its next step boundary."""

from __future__ import annotations

import threading
from collections.abc import Callable

GoOn = Callable[[], bool]
"""Whether there is time for more."""


class RunControl:
    """Thread-safe stop and pause requests for one job.

    The side that asks calls :meth:`stop`, :meth:`pause` and :meth:`resume`; the job calls :meth:`wait_if_paused` and reads
    :attr:`stop_requested` at every step boundary and answers with a last event.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running = threading.Event()
        self._running.set()

    @property
    def stop_requested(self) -> bool:
        """Whether the job should end at its next step boundary."""
        return self._stop.is_set()

    @property
    def paused(self) -> bool:
        """Whether the job should hold at its next step boundary."""
        return not self._running.is_set()

    def stop(self) -> None:
        """Ask the job to end; a paused job wakes to end."""
        with self._lock:
            self._stop.set()
            self._running.set()

    def pause(self) -> None:
        """Ask the job to hold; a job that was asked to end is not held up."""
        with self._lock:
            if not self._stop.is_set():
                self._running.clear()

    def resume(self) -> None:
        """Let a held job go on."""
        self._running.set()

    def wait_if_paused(self, timeout: float | None = None) -> bool:
        """Block while paused; return whether the job may run (False: the timeout, in seconds, passed)."""
        return self._running.wait(timeout)
