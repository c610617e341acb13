"""One drawing of the plot of the rounds: axes, curves, legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from semidavil_napari._panels.curve import Curve

_FAINT: Final = 70
# Okabe and Ito's blue and orange, in a lighter and a darker shade: told apart by the colour-blind, on black and on white.
_LOSS: Final = {True: QColor("#e69f00"), False: QColor("#b45f00")}
_RIGHT: Final = {True: QColor("#56b4e9"), False: QColor("#0060a8")}


@dataclass
class Picture:
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
        self.end = longest(self.curves)
        losses = [v for c in self.curves for _, v in c.loss]
        rights = [v for c in self.curves for _, v in c.right]
        self.losses = _range(losses, 0.1)
        self.rights = _range(rights, 0.1, 0.0, 1.0)
        self.measured = bool(rights)

    def draw(self, words: str) -> None:
        """Draw everything; `words` in place of the legend while the pointer reads values."""
        self._write_small()
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

    def draw_line(self, words: str) -> None:
        """Only a line of words."""
        self._write_small()
        self._text(QRectF(4, 0, self.widget.width() - 8, 16), words, "left")

    def _write_small(self) -> None:
        font = self.painter.font()
        font.setPointSizeF(max(6.5, font.pointSizeF() * 0.82))
        self.painter.setFont(font)

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


def longest(curves: list[Curve]) -> float:
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
