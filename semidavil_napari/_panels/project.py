"""The project: open it, save it, what is saved, and what is asked about it; nothing here waits for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from semidavil_napari._panels.rows import colour_words, named_button
from semidavil_napari._panels.words import Words

_NAMED = 3


class ProjectPanel(QWidget):
    """Two buttons, a line that says where strokes are kept, and up to one question."""

    open_wanted = Signal(object)
    """The :class:`~pathlib.Path` of a project to open."""
    save_wanted = Signal(object)
    """The :class:`~pathlib.Path` of a new project."""
    answered = Signal(str)
    """Name of the button that answered the question."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._open = named_button("Open project …", "semidavil_open_project", "Open a folder that was saved here: images, strokes, classes and rounds come back.")  # fmt: skip
        self._save = named_button("Save project …", "semidavil_save_project", "Save images, strokes, classes and rounds as one folder. From then on every stroke is saved there by itself.")  # fmt: skip
        self._status = Words()
        self._status.setObjectName("semidavil_project_status")
        self._status.setToolTip("Where your strokes are kept.")
        self._question = Words()
        self._question.setObjectName("semidavil_project_question")
        self._answers = QHBoxLayout()
        buttons = QHBoxLayout()
        buttons.addWidget(self._open)
        buttons.addWidget(self._save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self._status)
        layout.addWidget(self._question)
        layout.addLayout(self._answers)
        self._open.clicked.connect(self._on_open)
        self._save.clicked.connect(self._on_save)
        self.ask(None)
        self.setStatus("Strokes are kept for recovery until you save a project.")

    def setStatus(self, sentence: str, *, failed: bool = False) -> None:
        """Say where strokes are kept, or what went wrong."""
        self._status.setText(sentence)
        colour_words(self._status, failed=failed)

    def setBusy(self, busy: bool) -> None:
        """Whether a project is being opened or saved, so that no other can be."""
        self._open.setEnabled(not busy)
        self._save.setEnabled(not busy)

    def setSaved(self, saved: bool) -> None:
        """Whether there is a project already."""
        self._save.setText("Save project as …" if saved else "Save project …")

    def ask(self, question: str | None, answers: Sequence[tuple[str, str, str]] = ()) -> None:
        """Put a question with a button for each answer (object name, text, tooltip); None takes it away."""
        while (item := self._answers.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(None)
                widget.deleteLater()
        self._question.setText(question or "")
        self._question.setVisible(question is not None)
        for name, text, tip in answers:
            button = named_button(text, name, tip)
            button.clicked.connect(lambda _=False, name=name: self.answered.emit(name))
            self._answers.addWidget(button)

    def ask_open(self) -> Path | None:
        """Let a person choose a project."""
        name = QFileDialog.getExistingDirectory(self, "Open a project folder")
        return Path(name) if name else None

    def ask_save(self) -> Path | None:
        """Let a person name a new folder."""
        name, _ = QFileDialog.getSaveFileName(self, "Save the project as a new folder", "my-project")
        return Path(name) if name else None

    def ask_folder(self) -> Path | None:
        """Let a person say where moved images are."""
        name = QFileDialog.getExistingDirectory(self, "Where are the images now?")
        return Path(name) if name else None

    def _on_open(self) -> None:
        if (folder := self.ask_open()) is not None:
            self.open_wanted.emit(folder)

    def _on_save(self) -> None:
        if (folder := self.ask_save()) is not None:
            self.save_wanted.emit(folder)


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
