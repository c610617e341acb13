"""A small plot of the running round: its loss, and how many of the strokes kept aside the model gets right; earlier rounds faintly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_HEIGHT: Final = 112
_EARLIER: Final = 3
_MOST_POINTS: Final = 600  # of a curve: more than there are pixels
_SMOOTHING: Final = 0.9  # of the loss, which jumps from step to step
_FAINT: Final = 70
# Okabe and Ito's blue and orange, in a lighter and a darker shade: told apart by the colour-blind, on black and on white.
_LOSS: Final = {True: QColor("#e69f00"), False: QColor("#b45f00")}
_RIGHT: Final = {True: QColor("#56b4e9"), False: QColor("#0060a8")}

Points = list[tuple[float, float]]


@dataclass
class Curve:
    """What was drawn of one round."""

    name: str
    seconds: float
    """How long the round may take."""
    loss: Points = field(default_factory=list)
    """(seconds, smoothed loss)."""
    right: Points = field(default_factory=list)
    """(seconds, share of the strokes kept aside that is right)."""
    failed: bool = False
    _smooth: float | None = None
    _every: int = 1
    _count: int = 0

    def add_loss(self, seconds: float, loss: float) -> None:
        """Add one step."""
        self._smooth = loss if self._smooth is None else _SMOOTHING * self._smooth + (1 - _SMOOTHING) * loss
        self._count += 1
        if self._count % self._every == 0:
            self.loss.append((seconds, self._smooth))
        if len(self.loss) > _MOST_POINTS:
            self.loss = self.loss[1::2]
            self._every *= 2

    def add_right(self, seconds: float, share: float) -> None:
        """Add one measurement."""
        self.right.append((seconds, share))
        if len(self.right) > _MOST_POINTS:
            self.right = [*self.right[:-1:2], self.right[-1]]

    @property
    def end(self) -> float:
        """Seconds that the curve reaches."""
        return max([self.loss[-1][0] if self.loss else 0.0, self.right[-1][0] if self.right else 0.0])


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
            "never trained on, the model gets right (mean over the classes). Faint: the rounds before."
        )
        self.curves: list[Curve] = []
        self._hover: float | None = None
        self._stale = False
        self._describe()

    # what happens

    def begin(self, name: str, seconds: float) -> None:
        """A round begins that may take `seconds`."""
        self.curves = [*self.curves[-_EARLIER:], Curve(name, seconds)]
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
        parts = [f"{curve.name}, {seconds:.0f} s: loss {_nearest(curve.loss, seconds):.2f}"]
        if curve.right:
            parts.append(f"{_nearest(curve.right, seconds):.0%} of strokes kept aside right")
        return ", ".join(parts)

    def sizeHint(self) -> QSize:
        """Narrow enough for a dock."""
        return QSize(280, _HEIGHT)

    # drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes and curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _Picture(painter, self, self.curves, self._hover).draw(
            self.value_at(self._hover) if self._hover is not None else ""
        )
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read values under the pointer."""
        area, end = plot_area(self), _longest(self.curves)
        at = (event.pos().x() - area.left()) / max(area.width(), 1) * end
        self._hover = min(max(at, 0.0), self.curves[-1].end) if self.curves else None
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Show the legend again."""
        self._hover = None
        self.update()
        super().leaveEvent(event)

    def _changed(self) -> None:
        self._describe()
        self.refresh()

    def _describe(self) -> None:
        """For a screen reader."""
        self._stale = True
        last = self.value_at(self.curves[-1].end) if self.curves else ""
        self.setAccessibleName("Plot of the rounds")
        self.setAccessibleDescription(last or "No round yet.")


@dataclass
class _Picture:
    """One drawing of the plot."""

    painter: QPainter
    widget: QWidget
    curves: list[Curve]
    hover: float | None

    def __post_init__(self) -> None:
        palette = self.widget.palette()
        self.ink = palette.color(QPalette.ColorRole.WindowText)
        self.dark = self.ink.lightness() > 127
        self.area = plot_area(self.widget)
        self.end = _longest(self.curves)
        losses = [v for c in self.curves for _, v in c.loss]
        rights = [v for c in self.curves for _, v in c.right]
        self.losses = _range(losses, 0.1)
        self.rights = _range(rights, 0.1, 0.0, 1.0)
        self.measured = bool(rights)

    def draw(self, words: str) -> None:
        """Draw everything; `words` in place of the legend while the pointer reads values."""
        font = self.painter.font()
        font.setPointSizeF(max(6.5, font.pointSizeF() * 0.82))
        self.painter.setFont(font)
        self._axes()
        self.painter.setClipRect(self.area.adjusted(-1, -1, 1, 1))
        for place, curve in enumerate(self.curves):
            self._curve(curve, faint=place < len(self.curves) - 1)
        if self.hover is not None and self.curves:
            self.painter.setPen(QPen(self._faded(self.ink, 140), 1))
            x = self._x(self.hover)
            self.painter.drawLine(QPointF(x, self.area.top()), QPointF(x, self.area.bottom()))
        self.painter.setClipping(False)
        self._legend(words)

    def _axes(self) -> None:
        area, painter = self.area, self.painter
        painter.setPen(QPen(self._faded(self.ink, 50), 1))
        for y in (area.top(), area.center().y(), area.bottom()):
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if not self.curves:
            return
        for share, y in ((1.0, area.top()), (0.5, area.center().y()), (0.0, area.bottom())):
            low, high = self.losses
            if any(curve.loss for curve in self.curves):
                box = QRectF(0, y - 8, area.left() - 4, 16)
                self._text(box, _figure(low + share * (high - low), high - low), "right", _LOSS)
            if self.measured:
                low, high = self.rights
                box = QRectF(area.right() + 4, y - 8, self.widget.width() - area.right() - 4, 16)
                self._text(box, f"{low + share * (high - low):.0%}", "left", _RIGHT)
        foot = QRectF(area.left(), area.bottom() + 1, area.width(), 16)
        self._text(foot, "0", "left")
        self._text(foot, "seconds", "center")
        self._text(foot, f"{self.end:.0f}", "right")

    def _curve(self, curve: Curve, *, faint: bool) -> None:
        style = Qt.PenStyle.DotLine if curve.failed else Qt.PenStyle.SolidLine
        for points, ends, colours in ((curve.loss, self.losses, _LOSS), (curve.right, self.rights, _RIGHT)):
            colour = self._faded(colours[self.dark], _FAINT if faint else 255)
            self.painter.setPen(QPen(colour, 1.0 if faint else 1.8, style))
            places = [QPointF(self._x(t), self._y(v, ends)) for t, v in points]
            self.painter.drawPolyline(QPolygonF(places))
            if points is curve.right and not faint:
                self.painter.setBrush(colour)
                for place in places[:: max(1, len(places) // 25)]:
                    self.painter.drawEllipse(place, 2, 2)
                self.painter.setBrush(Qt.BrushStyle.NoBrush)

    def _legend(self, words: str) -> None:
        head = QRectF(4, 0, self.widget.width() - 8, 16)
        if words:
            self._text(head, words, "left")
        elif not self.curves:
            self._text(head, "No round yet.", "left")
        else:
            failed = " (failed)" if self.curves[-1].failed else ""
            self._text(head, f"— loss, {self.curves[-1].name}{failed}", "left", _LOSS)
            if self.measured:
                self._text(head, "●— kept-aside strokes right", "right", _RIGHT)

    def _text(self, box: QRectF, text: str, side: str, colours: dict[bool, QColor] | None = None) -> None:
        flags = {
            "left": Qt.AlignmentFlag.AlignLeft,
            "right": Qt.AlignmentFlag.AlignRight,
            "center": Qt.AlignmentFlag.AlignHCenter,
        }[side]
        self.painter.setPen(self.ink if colours is None else colours[self.dark])
        self.painter.drawText(box, flags | Qt.AlignmentFlag.AlignVCenter, text)

    def _x(self, seconds: float) -> float:
        return float(self.area.left() + self.area.width() * seconds / self.end)

    def _y(self, value: float, ends: tuple[float, float]) -> float:
        low, high = ends
        return float(self.area.bottom() - self.area.height() * (value - low) / (high - low))

    def _faded(self, colour: QColor, alpha: int) -> QColor:
        faded = QColor(colour)
        faded.setAlpha(alpha)
        return faded


def plot_area(widget: QWidget) -> QRectF:
    """Where the curves are drawn within the plot."""
    return QRectF(34, 22, max(10, widget.width() - 34 - 40), widget.height() - 22 - 20)


def _longest(curves: list[Curve]) -> float:
    return max([1.0, *(c.end for c in curves), *(c.seconds for c in curves[-1:])])


def _range(
    values: list[float], least: float, lowest: float | None = None, highest: float | None = None
) -> tuple[float, float]:
    """Ends of an axis: the values with some air, at least `least` long, within `lowest` and `highest`."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    air = max(0.06 * (high - low), (least - (high - low)) / 2)
    low, high = low - air, high + air
    if lowest is not None:
        low = max(low, lowest)
    if highest is not None:
        high = min(high, highest)
    return low, max(high, low + 1e-6)


def _figure(value: float, span: float) -> str:
    """A tick's label with as many decimals as its axis needs."""
    return f"{value:.{0 if span >= 10 else 1 if span >= 1 else 2}f}"


def _nearest(points: Points, seconds: float) -> float:
    return min(points, key=lambda point: abs(point[0] - seconds))[1]
