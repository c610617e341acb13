"""What the axes of one image are, in words that can be corrected, and which channels the model sees."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QPushButton, QWidget

from semidavil_napari._image_axes import ORDINALS, Axis, Chosen, ImageAxes
from semidavil_napari._panels.rows import row_of

_WORDS: Final = {
    Axis.IMAGES: "separate images",
    Axis.Z: "depth (z)",
    Axis.TIME: "time",
    Axis.CHANNELS: "channels",
}
_NARROW: Final = 58
_ASK: Final = "please choose …"
_COLOURS: Final = ("red", "green", "blue")


class AxesPanel(QWidget):
    """One line per axis before height and width, and one per colour where there are channels to choose from."""

    told = Signal(int, str)
    """A person says what an axis counts: its position, an :class:`Axis`."""
    channels_told = Signal(object)
    """A person chose channels: red, green and blue, None for none."""
    channels_first_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes: ImageAxes | None = None
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(2)
        self._meanings: list[QComboBox] = []
        self._channels = [self._channel_box(colour) for colour in _COLOURS]
        self._first = QPushButton("Put channels first")
        self._first.setObjectName("semidavil_channels_first")
        self._first.setToolTip(
            "Reorder the layer's axes (no pixel is changed), so that strokes lie on all its channels at once."
        )
        self._colours = row_of(*self._channels)
        self._form.addRow(self._first)
        self._form.addRow("R, G, B", self._colours)
        self._first.clicked.connect(lambda: self.channels_first_wanted.emit())
        self.setValue(None)

    def value(self) -> ImageAxes | None:
        """The axes that are shown."""
        return self._axes

    def setValue(self, axes: ImageAxes | None) -> None:
        """Show the axes of another image, or of the same one with another meaning."""
        if axes == self._axes and axes is not None:
            return
        self._axes = axes
        leading = len(axes.told) if axes is not None else 0
        while len(self._meanings) < leading:
            self._add_meaning(len(self._meanings))
        for position, box in enumerate(self._meanings):
            self._form.setRowVisible(box, position < leading)
            if axes is not None and position < leading:
                self._fill_meaning(box, position, axes)
        channels = axes.channels if axes is not None else None
        self._form.setRowVisible(self._first, axes is not None and axes.misplaced is not None)
        self._form.setRowVisible(self._colours, channels is not None)
        for colour, box in enumerate(self._channels):
            if axes is not None and channels is not None:
                _fill_channels(box, axes.channel_count, channels[colour])
        self.setVisible(bool(leading))

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        return None if self._axes is None else self._axes.problem("This image")

    def _add_meaning(self, position: int) -> None:
        box = QComboBox()
        box.setObjectName(f"semidavil_axis_{position}")
        box.setMinimumWidth(2 * _NARROW)
        box.setToolTip(
            "What this axis of the image counts. Each separate image, depth or time point is painted and predicted by itself;\n"
            "channels are measurements of one and the same image."
        )
        box.activated.connect(lambda _: self._on_meaning(position))
        self._form.insertRow(position, QLabel(), box)
        self._meanings.append(box)

    def _fill_meaning(self, box: QComboBox, position: int, axes: ImageAxes) -> None:
        told = axes.told[position]
        label = self._form.labelForField(box)
        if isinstance(label, QLabel):
            label.setText(f"{_ordinal(position)} axis ({axes.shape[position]})")
        box.clear()
        if told is None:
            box.addItem(_ASK, None)
        for axis in Axis:
            if not (axes.rgb and axis is Axis.CHANNELS):
                box.addItem(_WORDS[axis], str(axis))
        box.setCurrentIndex(0 if told is None else box.findData(str(told)))

    def _channel_box(self, colour: str) -> QComboBox:
        box = QComboBox()
        box.setObjectName(f"semidavil_channel_{colour}")
        box.setMinimumWidth(_NARROW)
        box.setToolTip(
            f"Which channel the model sees as {colour}, counted from 1. A model that learned from photographs sees most when all three carry something."
        )
        box.activated.connect(lambda _: self._on_channels())
        return box

    def _on_meaning(self, position: int) -> None:
        if (meaning := self._meanings[position].currentData()) is not None:
            self.told.emit(position, meaning)

    def _on_channels(self) -> None:
        red, green, blue = (box.currentData() for box in self._channels)
        chosen: Chosen = (red, green, blue)
        if any(channel is not None for channel in chosen):
            self.channels_told.emit(chosen)
        else:  # a black image teaches nothing: put the last choice back
            axes, self._axes = self._axes, None
            self.setValue(axes)


def _fill_channels(box: QComboBox, count: int, chosen: int | None) -> None:
    box.clear()
    box.addItem("none", None)
    for channel in range(count):
        box.addItem(str(channel + 1), channel)
    box.setCurrentIndex(0 if chosen is None else chosen + 1)


def _ordinal(position: int) -> str:
    return ORDINALS[position].capitalize() if position < len(ORDINALS) else f"{position + 1}th"
