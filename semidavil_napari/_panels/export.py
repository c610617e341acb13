"""Saving what was adapted."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget


class ExportPanel(QWidget):
    """A button that asks for a folder."""

    save_wanted = Signal(object)
    """The :class:`~pathlib.Path` to save the bundle to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QPushButton("Save bundle …")
        self._button.setObjectName("semidavil_export")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(self._on_clicked)
        self.setReady(False)

    def setReady(self, ready: bool) -> None:
        """Whether there is a model to save."""
        self._button.setEnabled(ready)
        tip = "Save the adapted model as one folder that runs anywhere: napari, command line, Python."
        self._button.setToolTip(tip if ready else "Finish a round first; then its model can be saved.")

    def ask(self) -> Path | None:
        """Let a person choose where the bundle goes."""
        name, _ = QFileDialog.getSaveFileName(self, "Save the bundle as a folder", "adapted-model")
        return Path(name) if name else None

    def _on_clicked(self) -> None:
        folder = self.ask()
        if folder is not None:
            self.save_wanted.emit(folder)
