"""Small helpers for rows of widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget


def button(text: str, tip: str, clicked: Callable[[], None]) -> QPushButton:
    """A narrow button."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    made.clicked.connect(lambda: clicked())
    return made


def named_button(text: str, name: str, tip: str, *, wide: bool = False) -> QPushButton:
    """A button with a stable object name; a `wide` one takes what room there is."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    if wide:
        made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return made


def colour_words(label: QLabel, *, failed: bool) -> None:
    """Show a sentence in the colour of errors, readable on dark and on light, or in the theme's own."""
    dark = label.palette().color(QPalette.ColorRole.WindowText).lightness() > 127
    label.setStyleSheet(f"color: {'#ff8f66' if dark else '#a83200'}" if failed else "")


def row_of(*widgets: QWidget) -> QWidget:
    """Widgets side by side."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    for widget in widgets:
        layout.addWidget(widget)
    return row


def refill(box: QComboBox, names: Mapping[str, str]) -> None:
    """Give a box other choices, data to text, after an empty first one; what is chosen stays if it is still there."""
    chosen = box.currentData()
    box.blockSignals(True)
    box.clear()
    box.addItem("choose …", None)
    for data, text in names.items():
        box.addItem(text, data)
    box.setCurrentIndex(max(0, box.findData(chosen)))
    box.blockSignals(False)
