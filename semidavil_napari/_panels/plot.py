"""A small plot of the running round: its loss, and how many of the strokes kept aside the model gets right; earlier rounds faintly."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QMouseEvent, QPainter, QPaintEvent, QShowEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from semidavil_napari._panels.curve import Curve, nearest
from semidavil_napari._panels.plot_drawing import Picture, longest, plot_area

_HEIGHT: Final = 112
_LINE: Final = 18
_SMALL_WINDOW: Final = 800  # pixels: in a lower one the plot begins as one line
_EARLIER: Final = 3


class RoundPlot(QWidget):
    """Draws the last rounds; hover to read values."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semidavil_plot")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setMouseTracking(True)
        self.setToolTip(
            "Orange: the loss, what training makes small. Blue: how many of the strokes that were kept aside, and "
            "never trained on, the model gets right (mean over the classes). Faint: the rounds before. "
            "A click folds the plot to one line, or unfolds it."
        )
        self.curves: list[Curve] = []
        self._hover: float | None = None
        self._stale = False
        self._folded: bool | None = None  # until it is shown, or a person says so
        self._describe()

    @property
    def folded(self) -> bool:
        """Whether only a line with the last values shows."""
        return bool(self._folded)

    def fold(self, folded: bool) -> None:
        """Show a line with the last values, or the curves."""
        self._folded = folded
        self.setFixedHeight(_LINE if folded else _HEIGHT)
        self.update()

    # what happens

    def begin(self, name: str, seconds: float) -> None:
        """A round begins that may take `seconds`."""
        self.curves = [*[curve for curve in self.curves if curve.loss][-_EARLIER:], Curve(name, seconds)]
        self._changed()

    def add_loss(self, seconds: float, loss: float) -> None:
        """A step of the round is done."""
        if self.curves:
            self.curves[-1].add_loss(seconds, loss)
            self._describe()

    def add_right(self, seconds: float, share: float) -> None:
        """The strokes kept aside were measured, `share` 0 to 1."""
        if self.curves:
            self.curves[-1].add_right(seconds, share)
            self._describe()

    def fail(self) -> None:
        """The round failed: its curve is drawn dotted; one without a point is dropped."""
        if self.curves:
            self.curves[-1].failed = True
            if not self.curves[-1].loss:
                self.curves.pop()
            self._changed()

    def look_at(self, name: str) -> None:
        """Show the curve of this round before all others, or say that there is none."""
        drawn = [curve for curve in self.curves if curve.loss]
        shown = next((c for c in reversed(drawn) if c.name == name and not c.failed), None)
        others = [curve for curve in drawn if curve is not shown]
        self.curves = [*others[-_EARLIER:], shown or Curve(f"{name} (no curve)", 0.0)] if drawn else []
        self._changed()

    def clear(self) -> None:
        """Forget all rounds."""
        self.curves = []
        self._changed()

    def refresh(self) -> None:
        """Draw what came since the last drawing; steps come too often to draw each."""
        if self._stale:
            self._stale = False
            self.update()

    def value_at(self, seconds: float) -> str:
        """What the last curve shows at a moment, in words."""
        if not self.curves or not (curve := self.curves[-1]).loss:
            return ""
        parts = [f"{curve.name}, {seconds:.0f} s: loss {nearest(curve.loss, seconds):.2f}"]
        if curve.right:
            parts.append(f"{nearest(curve.right, seconds):.0%} of strokes kept aside right")
        return ", ".join(parts)

    def sizeHint(self) -> QSize:
        """Narrow enough for a dock."""
        return QSize(280, _LINE if self.folded else _HEIGHT)

    # drawing

    def showEvent(self, event: QShowEvent) -> None:
        """In a small window the classes need the room more."""
        super().showEvent(event)
        if self._folded is None and (window := self.window()) is not self:
            self.fold(window.height() < _SMALL_WINDOW)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Fold, or unfold."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.fold(not self.folded)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes and curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        picture = Picture(painter, self, self.curves, self._hover)
        if self.folded:
            picture.draw_line(self._last_values())
        else:
            picture.draw(self.value_at(self._hover) if self._hover is not None else "")
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read values under the pointer."""
        area, end = plot_area(self), longest(self.curves)
        at = (event.pos().x() - area.left()) / max(area.width(), 1) * end
        self._hover = min(max(at, 0.0), self.curves[-1].end) if self.curves else None
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Show the legend again."""
        self._hover = None
        self.update()
        super().leaveEvent(event)

    def _last_values(self) -> str:
        if not self.curves or not (curve := self.curves[-1]).loss:
            return "▸ No step yet."
        right = f", {curve.right[-1][1]:.0%} of kept-aside strokes right" if curve.right else ""
        return f"▸ {curve.name}: loss {curve.loss[-1][1]:.2f}{right}"

    def _changed(self) -> None:
        self._describe()
        self.refresh()

    def _describe(self) -> None:
        """For a screen reader."""
        self._stale = True
        last = self.value_at(self.curves[-1].end) if self.curves else ""
        self.setAccessibleName("Plot of the rounds")
        self.setAccessibleDescription(last or "No round yet.")
