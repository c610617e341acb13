"""Ctrl-C and termination as a request to stop: once keeps the last good state, twice ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from semidavil_core.control import RunControl

_STOPPING: Final = (
    "Stopping after this step and keeping the last good state; press Ctrl-C again to end at once."
)


class StopSignal:
    """Which signal asked a job to stop, if any."""

    def __init__(self) -> None:
        self.number: int | None = None

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as shells have it (Ctrl-C: 130); 0 if none came."""
        return 0 if self.number is None else 128 + self.number


@contextmanager
def stop_on_signals(
    control: RunControl, say: Callable[[str], None], *, at_once: bool = False
) -> Iterator[StopSignal]:
    """While inside, the first Ctrl-C (or SIGTERM) asks `control` to stop and the second raises KeyboardInterrupt.

    Parameters
    ----------
    control
        The job's control.
    say
        Called with a sentence for the person, from another thread.
    at_once
        The job has nothing worth keeping: the first signal already raises KeyboardInterrupt.
    """
    came = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield came  # signals reach the main thread only
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
        if at_once or came.number is not None:
            raise KeyboardInterrupt
        came.number = number
        control.stop()
        # In a thread: the signal may have interrupted a write to the same stream.
        threading.Thread(target=say, args=(_STOPPING,), daemon=True).start()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield came
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
