"""What a round said on its way: how it judged the model before it, and what it does about it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from semidavil_napari._panels.words import Words


class RoundWords(Words):
    """The sentences, one below the other; they stand while the round runs and afterwards."""

    retold = Signal()
    """Other sentences are shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setObjectName("semidavil_round_words")

    def setValue(self, sentences: Sequence[str]) -> None:
        """Show these sentences."""
        told = "\n".join(sentences)
        if told != self.text():
            self.setText(told)
            self.retold.emit()

    def summary(self) -> str:
        """All of them in one line."""
        return self.text()
