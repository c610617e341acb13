"""The running job in napari's activity dock.

napari's progress bars let Qt handle waiting events whenever they change. So they are brought up to date by a timer, never from within
the handling of an engine's event, which such a detour would put out of order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from napari.utils import progress
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QLabel, QWidget

from semidavil_napari._session import Status, in_words

_PARTS: Final = 1000
_EVERY_MS: Final = 500
_SLOWLY: Final = 10  # percent of its speed


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
        self._told = ""
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
        self._end(wheel=False)  # the window is half taken down: asking it for its parts may crash

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
            self._turn_wheel(_SLOWLY)
        bar = self._bar
        total = 0 if status.fraction is None else _PARTS
        if bar.total != total:
            bar.total = total
        if total and bar.n != (done := round((status.fraction or 0) * _PARTS)):
            bar.n = done
            bar.events.value(value=done)
        left = "" if status.seconds_left is None else f"{in_words(status.seconds_left)} left"
        bar.events.eta(value=left)
        if self._told != (told := f"{self._title}: {_brief(status.sentence)}"):
            self._told = told
            bar.events.description(value=told)

    def _turn_wheel(self, percent: int) -> None:
        """Set the speed of napari's turning wheel: beside an OpenGL canvas each of its pictures draws the whole window anew.

        Where OpenGL is software, that takes more than half of a processor core from the training at full speed.
        """
        parent = self.parent()
        window = parent.window() if isinstance(parent, QWidget) else None
        for label in window.findChildren(QLabel) if window is not None else ():
            if (wheel := label.movie()) is not None:
                wheel.setSpeed(percent)

    def _end(self, *, wheel: bool = True) -> None:
        bar, self._bar = self._bar, None
        self._told = ""
        if bar is not None:
            if wheel:
                with suppress(RuntimeError):
                    self._turn_wheel(100)
            with suppress(RuntimeError, KeyError):  # napari may have closed it first
                bar.close()


def _brief(sentence: str) -> str:
    """The part of a status that names the stage."""
    return sentence.split(":")[0].split(". ")[0].rstrip(" …")[:48]
