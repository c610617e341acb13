"""The running job in napari's activity dock.

napari's progress bars let Qt handle waiting events whenever they change. So they are brought up to date by a timer, never from within
the handling of an engine's event, which such a detour would put out of order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from napari.utils import progress
from qtpy.QtCore import QObject, QTimer

from semidavil_napari._session import Status, in_words

_PARTS: Final = 1000
_EVERY_MS: Final = 250


class Activity(QObject):
    """Shows the window's status as one progress bar while a job runs.

    Parameters
    ----------
    title
        Whose job it is.
    """

    def __init__(self, title: str = "SemiDAViL", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._status = Status()
        self._bar: Any = None
        self._drawing = self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._draw)

    @property
    def running(self) -> bool:
        """Whether a bar is shown."""
        return self._bar is not None

    def show_status(self, status: Status) -> None:
        """Remember what to show at the next tick."""
        self._status = status
        if (status.busy or self.running) and not self._timer.isActive() and not self._closed:
            self._timer.start()

    def close(self) -> None:
        """Take the bar away: the window goes away."""
        self._closed = True
        with suppress(RuntimeError):  # the timer may be gone on the C++ side
            self._timer.stop()
        self._end()

    def _draw(self) -> None:
        if self._drawing:  # called again while the bar lets Qt handle events
            return
        self._drawing = True
        try:
            if self._status.busy:
                self._update(self._status)
            else:
                self._timer.stop()
                self._end()
        finally:
            self._drawing = False

    def _update(self, status: Status) -> None:
        if self._bar is None:
            # The format is what stands right of the bar; tqdm's own counts parts and guesses from all stages together.
            bar = progress(total=_PARTS, desc=self._title, bar_format="|")
            if self._closed:  # the viewer was closed while the bar was made
                bar.close()
                return
            self._bar = bar
        bar = self._bar
        total = 0 if status.fraction is None else _PARTS
        if bar.total != total:
            bar.total = total
        if total:
            bar.n = round((status.fraction or 0) * _PARTS)
            bar.events.value(value=bar.n)
        left = "" if status.seconds_left is None else f"{in_words(status.seconds_left)} left"
        bar.events.eta(value=left)
        bar.events.description(value=f"{self._title}: {_brief(status.sentence)}")

    def _end(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            with suppress(RuntimeError, KeyError):  # napari may have closed it first
                bar.close()


def _brief(sentence: str) -> str:
    """The part of a status that names the stage."""
    return sentence.split(":")[0].split(". ")[0].rstrip(" …")[:48]
