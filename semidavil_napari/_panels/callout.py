"""A few words in a box over the window, with Back, Next and Close."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

ACCENT: Final = "#ffb000"
_WIDTH: Final = 300


class Callout(QFrame):
    """Title, words, Back, Next and Close; also by the arrow keys, Enter and Escape."""

    moved = Signal(int)
    """A person goes on (1) or back (-1)."""
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("semidavil_callout")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # Only the border: napari's own style sheet colours the rest by its theme.
        self.setStyleSheet(f"QFrame#semidavil_callout {{ border: 2px solid {ACCENT}; border-radius: 6px; }}")
        self.setFixedWidth(_WIDTH)
        self._title, self._words, self._count = QLabel(), QLabel(), QLabel()
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        self._words.setWordWrap(True)
        self._back = _button("Back", "semidavil_tour_back", "To the step before (left arrow).")
        self._next = _button("Next", "semidavil_tour_next", "To the next step (right arrow or Enter).")
        close = _button("Close", "semidavil_tour_close", "End the tour (Escape).")
        row = QHBoxLayout()
        row.addWidget(self._count)
        row.addStretch(1)
        for button in (self._back, self._next, close):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self._title)
        layout.addWidget(self._words)
        layout.addLayout(row)
        self._back.clicked.connect(lambda: self.moved.emit(-1))
        self._next.clicked.connect(lambda: self.moved.emit(1))
        close.clicked.connect(lambda: self.closed.emit())

    def show_step(self, title: str, words: str, at: int, count: int) -> None:
        """Show the words of one step."""
        self._title.setText(title)
        self._words.setText(words)
        self._count.setText(f"{at + 1} of {count}")
        self._back.setEnabled(at > 0)
        self._next.setText("Done" if at == count - 1 else "Next")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrow keys, Enter and Escape; other keys are not for the tour."""
        steps = {Qt.Key.Key_Right: 1, Qt.Key.Key_Return: 1, Qt.Key.Key_Enter: 1, Qt.Key.Key_Left: -1}
        if event is None:
            return
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() in steps:
            self.moved.emit(steps[event.key()])
        else:
            super().keyPressEvent(event)


def _button(text: str, name: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # arrows and Enter stay with the callout
    return button
