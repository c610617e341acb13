"""Where one more stroke helps most: a button that goes from place to place, and why it is one."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from semidavil_napari._panels.words import Words

BEFORE_A_ROUND = "After a round this shows where one more stroke helps most."
_TIP = "Show the next place where one more stroke helps most, with the brush set to its likely class (key N)."


@dataclass(frozen=True)
class Places:
    """What the panel shows."""

    total: int = 0
    """How many places there are."""
    current: int | None = None
    """Which one is looked at, from 0."""
    likely: str = ""
    """Its likely class."""
    words: str = BEFORE_A_ROUND
    """Why it is a place, or why there is none."""
    can_ask: bool = False
    """Whether pressing the button makes sense although there is no place yet."""


class PaintNextPanel(QWidget):
    """A button, "k of n", and the reason."""

    retold = Signal()
    """Other places are shown."""
    wanted = Signal(int)
    """A person wants the next place (1) or the one before (-1)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = Places()
        self._next = QPushButton("Show me where to paint next")
        self._next.setObjectName("semidavil_next")
        self._next.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._back = QPushButton("◀")
        self._back.setObjectName("semidavil_next_back")
        self._back.setAccessibleName("Place before")
        self._back.setToolTip("Back to the place before (Shift+N).")
        self._back.setFixedWidth(self._back.fontMetrics().height() * 2)
        self._words = Words()
        self._words.setObjectName("semidavil_next_reason")

        row = QHBoxLayout()
        row.addWidget(self._back)
        row.addWidget(self._next, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._words)
        self._next.clicked.connect(lambda: self.wanted.emit(1))
        self._back.clicked.connect(lambda: self.wanted.emit(-1))
        self.setValue(Places())

    def value(self) -> Places:
        """What is shown."""
        return self._value

    def setValue(self, places: Places) -> None:
        """Show this."""
        self._value = places
        self._next.setEnabled(places.total > 0 or places.can_ask)
        self._next.setToolTip(_TIP if self._next.isEnabled() else places.words)
        self._back.setEnabled(places.total > 1)
        self._words.setText(_sentence(places))
        self._words.setToolTip("Why one more stroke helps there.")
        self.retold.emit()

    def summary(self) -> str:
        """What is said of the places, in one line."""
        return str(self._words.text())

    def validation_error(self) -> str | None:
        """Nothing can be wrong here."""
        return None


def _sentence(places: Places) -> str:
    if places.total == 0:
        return places.words
    if places.current is None:
        one = places.total == 1
        return (
            "1 place found; it is ringed in the image."
            if one
            else f"{places.total} places found; they are ringed in the images."
        )
    return (
        f"Place {places.current + 1} of {places.total}, likely {places.likely}: the model is {places.words}."
    )
