"""Where the first model comes from: a bundle, or a labelled folder to learn from."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from semidavil_core.errors import InvalidClasses
from semidavil_napari._rounds import Source, SourceKind


class SourcePanel(QWidget):
    """One folder; what it holds is found out and said in words."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = QLineEdit()
        self._folder.setObjectName("semidavil_source")
        self._folder.setPlaceholderText("bundle or labelled folder")
        self._folder.setToolTip(
            "What the model knows to begin with: a bundle (an adapted or prepared model), or a folder with images/, labels/ and\n"
            "classes.json of the old domain, from which a first model is learned before the first round."
        )
        browse = QPushButton("Browse …")
        browse.setToolTip("Choose the folder.")
        self._hint = QLabel()
        self._hint.setWordWrap(True)

        row = QHBoxLayout()
        row.addWidget(self._folder)
        row.addWidget(browse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._hint)

        self._folder.textChanged.connect(self._on_text)
        browse.clicked.connect(self._on_browse)
        self._on_text()

    def value(self) -> Source | None:
        """The source; None where there is none yet."""
        text = self._folder.text().strip()
        folder = Path(text).expanduser()
        if not text:
            return None
        if (folder / "config.json").is_file():
            return Source(SourceKind.BUNDLE, folder)
        labelled = (folder / "images").is_dir() and (folder / "labels").is_dir()
        return Source(SourceKind.LABELLED, folder) if labelled else None

    def setValue(self, source: Source | Path | None) -> None:
        """Choose a folder."""
        self._folder.setText(str(source.folder if isinstance(source, Source) else source or ""))

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        source = self.value()
        if source is None:
            if self._folder.text().strip():
                return "The source folder holds neither a bundle (config.json) nor images/ and labels/; choose another."
            return "Choose what to start from: a bundle, or a labelled folder of the old domain."
        try:
            _ = source.classes
        except InvalidClasses as error:
            return str(error)
        return None

    def _on_text(self) -> None:
        self._hint.setText(self._describe())
        self._hint.setVisible(bool(self._hint.text()))
        self.changed.emit()

    def _describe(self) -> str:
        source = self.value()
        if source is None:
            return self.validation_error() or "" if self._folder.text().strip() else ""
        if source.kind is SourceKind.BUNDLE:
            return "A bundle: rounds start from this model, without source images."
        count = sum(1 for p in (source.folder / "labels").iterdir() if not p.name.startswith("."))
        return f"{count} labelled images: a first model is learned from them before the first round."

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Bundle or labelled folder", self._folder.text())
        if folder:
            self._folder.setText(folder)
