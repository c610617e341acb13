"""A job at work in a thread of its own, so that napari's worker, which only hands its events on, can come and go.

napari ends all workers of all viewers when one viewer closes, and waits for them without limit. A job must outlive the end of a worker
where its own window stays open, and must not be waited for.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

from semidavil_core.errors import SemiDavilError
from semidavil_core.events import Event

_HEARTBEAT: Final = 0.1  # seconds: how soon a worker that is told to quit notices


@dataclass(frozen=True)
class Failure:
    """How a job ended badly."""

    sentence: str


@dataclass(frozen=True)
class _End:
    """A job is over."""

    failure: Failure | None


class Pump:
    """Runs a job in a daemon thread and keeps its events until someone takes them.

    Parameters
    ----------
    begin
        Starts the job and gives its events; called in the thread.
    """

    def __init__(self, begin: Callable[[], Iterator[Event]]) -> None:
        self._begin = begin
        self._items: queue.SimpleQueue[Event | _End] = queue.SimpleQueue()
        self._end: _End | None = None
        threading.Thread(target=self._work, name="semidavil-job", daemon=True).start()

    def events(self) -> Generator[Event | None, None, Failure | None]:
        """The events as they come, None where nothing came for a moment; returns how the job ended badly.

        It may be left and called again.
        """
        while self._end is None:
            try:
                item = self._items.get(timeout=_HEARTBEAT)
            except queue.Empty:
                yield None
                continue
            if isinstance(item, _End):
                self._end = item
            else:
                yield item
        return self._end.failure

    def _work(self) -> None:
        failure = None
        try:
            for event in self._begin():
                self._items.put(event)
        except SemiDavilError as error:
            failure = Failure(str(error))
        except MemoryError:
            failure = Failure(
                "The window ran out of memory while it read the images; use fewer or smaller ones."
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, the window must hear of the end
            failure = Failure(f"The job met an unexpected {type(error).__name__} ({error}); try again.")
        self._items.put(_End(failure))
