"""Taking the results along: a button, and a dialog that lists what can be exported."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from semidavil_core.export.formats import FORMATS, ExportFormat, Needs
from semidavil_napari._panels.rows import colour_words, named_button
from semidavil_napari._panels.words import Words

_READY = "Save the adapted model, predictions of all images, confidence and probability maps."
_NOT_READY = "Finish a round first; then its model can be saved."


class ExportPanel(QWidget):
    """The button, and a line for what came of it."""

    export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = _button("Export …", "semidavil_export", _NOT_READY)
        self._words = Words()
        self._words.setObjectName("semidavil_export_said")
        self._words.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        layout.addWidget(self._words)
        self._button.clicked.connect(lambda: self.export_wanted.emit())
        self.setReady(False)

    def setReady(self, ready: bool) -> None:
        """Whether there is a model to export."""
        self._button.setEnabled(ready)
        self._button.setToolTip(_READY if ready else _NOT_READY)
        if not ready or self._words.text() == _NOT_READY:
            self.say("" if ready else _NOT_READY)

    def say(self, sentence: str) -> None:
        """Show a sentence below the button."""
        self._words.setText(sentence)
        self._words.setVisible(bool(sentence))


class ExportDialog(QDialog):
    """A folder, boxes to tick, and two buttons. It may stay open while the export runs."""

    export_wanted = Signal(object, object)
    """The folder (:class:`~pathlib.Path`) and the ticked formats."""
    command_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semidavil_export_dialog")
        self.setWindowTitle("Export")
        self._replacing: tuple[str, ...] = ()
        self._boxes = {f.key: _box(f) for f in FORMATS}
        self._folder = QLineEdit(str(Path.home() / "semidavil-export"))
        self._folder.setObjectName("semidavil_export_folder")
        self._folder.setToolTip("Everything goes into this folder; it is made if it is not there.")
        browse = _button("Browse …", "semidavil_export_browse", "Choose the folder.")
        self._words = Words()
        self._words.setObjectName("semidavil_export_words")
        self._start = _button("Export", "semidavil_export_start", "Export what is ticked. Progress and Stop are in the section Adapt.")  # fmt: skip
        self._start.setDefault(True)
        self._copy = _button("Copy the equivalent command", "semidavil_export_command", "Copy command lines that make the same maps, for a script or another computer: with the model that a saved project keeps, or else by the whole job again.")  # fmt: skip
        close = _button("Close", "semidavil_export_close", "Close this dialog; a running export goes on.")
        self._lay_out(browse, close)
        browse.clicked.connect(self._on_browse)
        close.clicked.connect(self.hide)
        self._folder.textChanged.connect(lambda _: self.refresh())
        for box in self._boxes.values():
            box.toggled.connect(lambda _: self.refresh())
        self._start.clicked.connect(self._on_start)
        self._copy.clicked.connect(lambda: self.command_wanted.emit())
        self.refresh()

    def _lay_out(self, browse: QPushButton, close: QPushButton) -> None:
        layout = QVBoxLayout(self)
        for needs, title in (
            (Needs.MODEL, "Model"),
            (Needs.IMAGES, "Maps of all ticked images"),
            (Needs.NOTHING, "Data"),
        ):
            layout.addWidget(QLabel(title))
            for wanted in (f for f in FORMATS if f.needs is needs):
                layout.addWidget(self._boxes[wanted.key])
        row = QHBoxLayout()
        row.addWidget(QLabel("Into the folder"))
        row.addWidget(self._folder, 1)
        row.addWidget(browse)
        layout.addLayout(row)
        layout.addWidget(self._words)
        buttons = QHBoxLayout()
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        buttons.addWidget(close)
        buttons.addWidget(self._start)
        layout.addLayout(buttons)
        self.setMinimumWidth(480)

    def folder(self) -> Path:
        """Where to."""
        return Path(self._folder.text().strip()).expanduser().absolute()

    def setFolder(self, folder: Path) -> None:
        """Choose where to."""
        self._folder.setText(str(folder))

    def formats(self) -> tuple[ExportFormat, ...]:
        """What is ticked."""
        return tuple(f for f in FORMATS if self._boxes[f.key].isChecked())

    def refresh(self) -> None:
        """Ask again before anything is replaced, since the choice changed."""
        self._replacing = ()
        self._start.setText("Export")
        self.say(self.validation_error() or "")
        self._start.setEnabled(self.validation_error() is None)

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        if not self._folder.text().strip():
            return "Choose a folder."
        return None if self.formats() else "Tick at least one thing to export."

    def say(self, sentence: str, *, failed: bool = False) -> None:
        """Show a sentence above the buttons; `failed`: it tells of an error."""
        self._words.setText(sentence)
        colour_words(self._words, failed=failed)
        if self.isVisible():
            self._make_room()

    def showEvent(self, event: QShowEvent) -> None:
        """What was said in the meantime may need more room."""
        super().showEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """Grow for a longer sentence: a dialog does not by itself, and would cut it off."""
        layout = self.layout()
        needed = 0 if layout is None else layout.totalHeightForWidth(self.width())
        if needed > self.height():
            self.resize(self.width(), needed)

    def _on_start(self) -> None:
        standing = self._standing()
        if standing and standing != self._replacing:
            self._replacing = standing
            self.say(
                f"{self.folder()} holds {', '.join(standing)} already. Press again to replace what is there."
            )
            self._start.setText("Replace and export")
            return
        formats, folder = self.formats(), self.folder()
        self.refresh()
        self.say(f"Exporting to {folder}; see the section Adapt for progress.")
        self.export_wanted.emit(folder, formats)

    def _standing(self) -> tuple[str, ...]:
        """What would be replaced: a look at a few names."""
        places = dict.fromkeys(f.place for f in self.formats())
        return tuple(place for place in places if (self.folder() / place).exists())

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export into a folder", self._folder.text())
        if folder:
            self._folder.setText(folder)


def _box(wanted: ExportFormat) -> QCheckBox:
    box = QCheckBox(wanted.title)
    box.setObjectName(f"semidavil_export_{wanted.key}")
    box.setToolTip(f"{wanted.explanation} Goes to {wanted.place}.")
    box.setChecked(wanted.ticked)
    return box


def _button(text: str, name: str, tip: str) -> QPushButton:
    button = named_button(text, name, tip)
    button.setAutoDefault(False)
    return button
