"""Short work beside the window: reading headers, thinning an image, counting a big layer.

One background thread per window, apart from the engine's. It is a daemon, so that a network drive which hangs never keeps napari from
closing. Results come back to the window's thread; of two pieces of work under one key only the later one's result does.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from qtpy.QtCore import QObject, Signal

from semidavil_core.errors import SemiDavilError

_log = logging.getLogger(__name__)
_Work = Callable[[], Any]
_Then = Callable[[Any], None]
_Failed = Callable[[str], None]


class Run(Protocol):
    """Runs work somewhere and gives its result, or a sentence why there is none."""

    def __call__(self, key: str, work: _Work, then: _Then, failed: _Failed | None = None) -> None:
        """Run `work`, then call `then` with its result or `failed` with a sentence; an older call of `key` is dropped."""


def run_now(key: str, work: _Work, then: _Then, failed: _Failed | None = None) -> None:  # noqa: ARG001
    """Run work on the spot."""
    _answer(_outcome(work), then, failed)


class Aside(QObject):
    """Runs short work in the background, one piece after the other; call it as a :class:`Run`."""

    _done = Signal(str, int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._numbers = count(1)
        self._latest: dict[str, int] = {}
        self._answers: dict[int, tuple[_Then, _Failed | None]] = {}
        self._todo: queue.SimpleQueue[tuple[str, int, _Work] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._done.connect(self._on_done)
        threading.Thread(target=self._work, name="semidavil-aside", daemon=True).start()

    def __call__(self, key: str, work: _Work, then: _Then, failed: _Failed | None = None) -> None:
        """See :class:`Run`."""
        number = next(self._numbers)
        self._answers.pop(self._latest.get(key, 0), None)
        self._latest[key], self._answers[number] = number, (then, failed)
        self._todo.put((key, number, work))

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._answers

    def finish(self, seconds: float) -> bool:
        """Wait for all that is to do, at most so long; whether it was done. Results are not given any more."""
        done = threading.Event()
        self("finish", done.set, lambda _: None)
        return done.wait(seconds)

    def close(self) -> None:
        """Give no further result and end the thread after what it is at."""
        self._closed.set()
        self._answers.clear()
        self._todo.put(None)

    def _work(self) -> None:
        while (task := self._todo.get()) is not None and not self._closed.is_set():
            key, number, work = task
            if self._latest.get(key) == number:
                outcome = _outcome(work)
                with suppress(RuntimeError):  # the window is gone on the C++ side
                    self._done.emit(key, number, outcome)

    def _on_done(self, _: str, number: int, outcome: tuple[bool, Any]) -> None:
        then, failed = self._answers.pop(number, (None, None))
        if then is not None and not self._closed.is_set():
            _answer(outcome, then, failed)


def _outcome(work: _Work) -> tuple[bool, Any]:
    try:
        return True, work()
    except SemiDavilError as error:
        return False, str(error)
    except Exception as error:  # noqa: BLE001 - any reader of any layer may be behind it; the thread must live on
        _log.info("work beside the window failed", exc_info=True)
        return False, f"Reading failed ({type(error).__name__}: {error})."


def _answer(outcome: tuple[bool, Any], then: _Then, failed: _Failed | None) -> None:
    well, result = outcome
    if well:
        then(result)
    elif failed is not None:
        failed(result)
