"""Five steps through the window: a frame around the real control and a few words beside it; nothing is blocked meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from weakref import ref

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget

from semidavil_napari._panels.callout import ACCENT, Callout
from semidavil_napari._panels.section import unfold_around

_GAP: Final = 12


@dataclass(frozen=True)
class Step:
    """One stop of the tour."""

    target: str
    """Object name of the control."""
    title: str
    words: str


STEPS: Final = (
    Step(
        "semidavil_target",
        "Your images",
        "Drop images of the new domain into napari and tick them here. To try it out: File > Open Sample > SemiDAViL. "
        "Below, choose what the model has learned from before: a labelled folder or a bundle.",
    ),
    Step(
        "semidavil_classes",
        "Classes and strokes",
        "Click a class, then draw a few short strokes of it in the image; two classes are enough to begin. "
        "The keys 1 to 9 choose a class while you paint.",
    ),
    Step(
        "semidavil_adapt",
        "Adapt",
        "Press it: the model learns in the background for the seconds that you set, and shows what it sees. "
        "Go on painting meanwhile; it counts for the next round.",
    ),
    Step(
        "semidavil_next",
        "Where to paint next",
        "After a round this takes you to the places where one more stroke helps most, with the brush ready. "
        "The key N does the same. Paint, then adapt again.",
    ),
    Step(
        "semidavil_export",
        "Take it with you",
        "Good enough? Save the adapted model; it runs in napari, on the command line and in Python. "
        "All keys and sections are behind the question mark.",
    ),
)


class Tour(QObject):
    """Leads through `STEPS`.

    Parameters
    ----------
    widget
        The dock widget that holds the controls.
    """

    ended = Signal()

    def __init__(self, widget: QWidget, steps: tuple[Step, ...] = STEPS) -> None:
        super().__init__(widget)
        self._widget, self._steps = widget, steps
        self._at = 0
        self._frame: QFrame | None = None
        self._callout: Callout | None = None
        self._watched: list[ref[QObject]] = []  # a strong one would keep a closed window alive

    @property
    def step(self) -> int | None:
        """The present step from 0; None while no tour runs."""
        return self._at if self._callout is not None else None

    def start(self) -> None:
        """Begin at the first step; a tour that runs begins anew."""
        self.close()
        window = self._widget.window()
        self._frame = _frame(window)
        self._callout = Callout(window)
        self._callout.moved.connect(self.go)
        self._callout.closed.connect(self.close)
        self._watch(window)
        for area in self._scroll_areas():
            area.verticalScrollBar().valueChanged.connect(self._place)
            self._watch(area.viewport())
        self._watch(self._widget)
        self._at = 0
        self.go(0)

    def go(self, by: int) -> None:
        """Go some steps on or back; past the last one the tour ends."""
        if self._callout is None:
            return
        if self._at + by >= len(self._steps):
            self.close()
            return
        self._at = max(0, self._at + by)
        step = self._steps[self._at]
        self._callout.show_step(step.title, step.words, self._at, len(self._steps))
        self._reveal()
        self._place()
        self._callout.setFocus(Qt.FocusReason.OtherFocusReason)

    def close(self) -> None:
        """End the tour."""
        if self._callout is None or self._frame is None:
            return
        for watched in filter(None, (known() for known in self._watched)):
            watched.removeEventFilter(self)
        self._watched.clear()
        for area in self._scroll_areas():
            area.verticalScrollBar().valueChanged.disconnect(self._place)
        for part in (self._callout, self._frame):
            part.hide()
            part.deleteLater()
        self._callout = self._frame = None
        self.ended.emit()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the control when the window or its sections change their size or place."""
        moves = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.LayoutRequest, QEvent.Type.Show)
        if event is not None and event.type() in moves:
            if event.type() == QEvent.Type.Resize:
                self._reveal()
            self._place()
        return bool(super().eventFilter(watched, event))

    def _watch(self, watched: QObject) -> None:
        watched.installEventFilter(self)
        self._watched.append(ref(watched))

    def _scroll_areas(self) -> list[QScrollArea]:
        return list(self._widget.findChildren(QScrollArea))

    def _target(self) -> QWidget:
        found = self._widget.findChild(QWidget, self._steps[self._at].target)
        return found if found is not None and found.isVisibleTo(self._widget) else self._widget

    def _reveal(self) -> None:
        """Unfold and scroll the control into view."""
        if (hidden := self._widget.findChild(QWidget, self._steps[self._at].target)) is not None:
            unfold_around(hidden)
        target = self._target()
        for area in self._scroll_areas():
            inside = area.widget()
            if inside is not None and inside.isAncestorOf(target):
                area.ensureWidgetVisible(target, 0, 40)

    def _place(self, _: object = None) -> None:
        """Put the frame around the control, as far as it is seen, and the words beside it."""
        if self._callout is None or self._frame is None:
            return
        window, target = self._widget.window(), self._target()
        if window is not self._callout.parentWidget():  # the dock was torn off, or put back
            self.close()
            return
        seen = _in(window, target)
        for area in self._scroll_areas():
            if area.isAncestorOf(target) and area is not target:
                seen &= _in(window, area.viewport())
        self._frame.setGeometry(seen.adjusted(-4, -4, 4, 4) & window.rect())
        self._frame.setVisible(not seen.isEmpty())
        self._callout.adjustSize()
        self._callout.move(_beside(seen, _in(window, self._widget), self._callout.rect(), window.rect()))
        for part in (self._frame, self._callout):
            part.raise_()
        self._callout.show()


def _frame(window: QWidget) -> QFrame:
    frame = QFrame(window)
    frame.setObjectName("semidavil_tour_frame")
    frame.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    frame.setStyleSheet(
        f"QFrame#semidavil_tour_frame {{ border: 3px solid {ACCENT}; border-radius: 4px; background: transparent; }}"
    )
    return frame


def _in(window: QWidget, widget: QWidget) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def _beside(target: QRect, dock: QRect, callout: QRect, window: QRect) -> QPoint:
    """Left of the dock or right of it, else below the control or above: the first that fits, kept inside the window."""
    width, height = callout.width(), callout.height()
    middle = target.center()
    if dock.left() - _GAP - width >= 0:
        x, y = dock.left() - _GAP - width, middle.y() - height // 2
    elif dock.right() + _GAP + width <= window.width():
        x, y = dock.right() + _GAP, middle.y() - height // 2
    elif target.bottom() + _GAP + height <= window.height():
        x, y = middle.x() - width // 2, target.bottom() + _GAP
    else:
        x, y = middle.x() - width // 2, target.top() - _GAP - height
    return QPoint(
        max(0, min(x, window.width() - width)),
        max(0, min(y, window.height() - height)),
    )
