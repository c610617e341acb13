"""Where the first model comes from: a bundle, a labelled folder, layers of the viewer, or a sample that ships with the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from semidavil_core.errors import SemiDavilError
from semidavil_core.samples import SAMPLE_NAMES, sample_folder
from semidavil_core.settings import Budget
from semidavil_napari._panels.rows import button, refill, row_of
from semidavil_napari._panels.words import Words
from semidavil_napari._sources import LayerSource, Source, SourceKind, classes_of_folder, find_source

_FILES: Final = "Folder or bundle"
_LAYERS: Final = "Layers in this viewer"
_SAMPLE: Final = "Sample: "
_BUNDLE_FILTER: Final = "Bundle (*.zip)"


class SourcePanel(QWidget):
    """One choice; what it holds is found out and said in words."""

    changed = Signal()
    layers_chosen = Signal()
    """A person chose layers, or said what label value 0 means: see :meth:`layers`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._source: Source | None = None
        self._error: str | None = None
        self._layers: LayerSource | None = None
        self._layers_told = ""
        self._budget = Budget(seconds=60)
        self._kind = QComboBox()
        self._kind.setObjectName("semidavil_source_kind")
        self._kind.addItems([_FILES, _LAYERS, *(_SAMPLE + name for name in SAMPLE_NAMES)])
        self._kind.setToolTip("Where a first model comes from: files, layers that are open here, or a sample of the plugin.")  # fmt: skip
        self._folder = _line("semidavil_source", "bundle or labelled folder", _SOURCE_TIP)
        self._beside = _line("semidavil_source_beside", "none: source-free", _BESIDE_TIP)
        self._image = _box(
            "semidavil_source_image", "The image layer of the old domain, completely labelled."
        )
        self._labels = _box(
            "semidavil_source_labels",
            "The Labels layer with the labels of all its pixels: 1 is the first class, 2 the second, …",
        )
        self._zero = QCheckBox("0 is a class too (background)")
        self._zero.setObjectName("semidavil_source_zero")
        self._zero.setToolTip(
            "On: label 0 is the first class, 1 the second, …  Off: 0 means “not labelled” and 1 is the first class."
        )
        self._prepare = QDoubleSpinBox()
        self._prepare.setObjectName("semidavil_prepare_budget")
        self._prepare.setToolTip(
            "How long a first model learns from the labelled source, once, before the first round. Longer is better: try 300."
        )
        self._prepare.setDecimals(0)
        self._prepare.setRange(1, 7 * 24 * 3600)
        self._prepare.setSuffix(" s, once, before round 1")
        self._prepare.setValue(self._budget.seconds)
        self._hint = Words()
        self._hint.setObjectName("semidavil_source_hint")
        self._lay_out()
        self._connect()
        self._on_text()

    def _lay_out(self) -> None:
        self._file_row = row_of(self._folder, button("Folder …", "Choose a folder.", self._on_browse), button("Zip …", "Choose a bundle that is one zip file.", self._on_zip))  # fmt: skip
        self._beside_row = row_of(self._beside, button("Folder …", "Choose a labelled folder.", self._on_beside))  # fmt: skip
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(2)
        self._form.addRow(self._kind)
        self._form.addRow(self._file_row)
        self._form.addRow("Images", self._image)
        self._form.addRow("Labels", self._labels)
        self._form.addRow(self._zero)
        self._form.addRow("Keep learning from", self._beside_row)
        self._form.addRow("Learn for", self._prepare)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._form)
        layout.addWidget(self._hint)

    def _connect(self) -> None:
        self._kind.activated.connect(lambda _: self._on_kind())
        self._folder.textChanged.connect(self._on_text)
        self._folder.editingFinished.connect(self._look_again)
        self._beside.textChanged.connect(self._on_text)
        self._prepare.valueChanged.connect(self._on_prepare)
        for box in (self._image, self._labels):
            box.activated.connect(lambda _: self.layers_chosen.emit())
        self._zero.toggled.connect(lambda _: self.layers_chosen.emit())

    def value(self) -> Source | None:
        """The source; None where there is none yet."""
        return self._source

    def setValue(self, source: Source | Path | None) -> None:
        """Choose a source by its files; layers are chosen in their boxes."""
        if isinstance(source, Source) and source.kind is SourceKind.LAYERS:
            self._kind.setCurrentText(_LAYERS)
            self.setLayers(source.layers)
            return
        self._kind.setCurrentText(_FILES)
        beside = source.beside if isinstance(source, Source) else None
        folder = source.folder if isinstance(source, Source) else source
        self._beside.setText(str(beside or ""))
        self._folder.setText(str(folder or ""))
        self._on_text()

    def summary(self) -> str:
        """The source in one line."""
        if self._source is None or self._error is not None:
            return self._error or ""
        by_layers = self._source.layers is not None
        return "layers of this viewer" if by_layers else "/".join(self._source.folder.parts[-2:])

    @property
    def prepare_budget(self) -> Budget:
        """How long a first model learns from the source."""
        return self._budget

    def set_prepare_budget(self, budget: Budget) -> None:
        """Set how long a first model learns."""
        self._prepare.blockSignals(True)
        self._prepare.setValue(budget.seconds)
        self._prepare.blockSignals(False)
        self._budget = budget

    def layers(self) -> tuple[str | None, str | None, bool]:
        """Identifiers of the chosen image and Labels layer, and whether label 0 is a class."""
        if self._kind.currentText() != _LAYERS:
            return None, None, False
        return self._image.currentData(), self._labels.currentData(), self._zero.isChecked()

    def chooseLayers(self, image: str, labels: str, *, zero_is_a_class: bool) -> None:
        """Choose layers by their identifiers, as a person does in the boxes."""
        self._kind.setCurrentText(_LAYERS)
        self._zero.blockSignals(True)
        self._zero.setChecked(zero_is_a_class)
        self._zero.blockSignals(False)
        for box, chosen in ((self._image, image), (self._labels, labels)):
            box.setCurrentIndex(max(0, box.findData(chosen)))
        self._on_text()
        self.layers_chosen.emit()

    def setLayerChoices(self, images: Mapping[str, str], labels: Mapping[str, str]) -> None:
        """The layers that there are, identifier to name; what is chosen stays if it is still there."""
        before = self.layers()
        for box, names in ((self._image, images), (self._labels, labels)):
            refill(box, names)
        if self.layers() != before:
            self.layers_chosen.emit()

    def setLayers(self, layers: LayerSource | None, sentence: str = "") -> None:
        """What the chosen layers make, or why they make no source yet."""
        self._layers, self._layers_told = layers, sentence
        if self._kind.currentText() == _LAYERS:
            self._on_text()

    def setHint(self, text: str) -> None:
        """Say more of the source that is chosen."""
        self._hint.setText(text)
        self._hint.setVisible(bool(text))

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        return self._error

    def _on_kind(self) -> None:
        chosen = self._kind.currentText()
        if chosen.startswith(_SAMPLE):
            self._kind.setCurrentText(_FILES)
            try:
                self._folder.setText(str(sample_folder(chosen.removeprefix(_SAMPLE)) / "source"))
            except SemiDavilError as error:
                self.setHint(str(error))
                return
        self._on_text()
        self.layers_chosen.emit()

    def _look_again(self) -> None:
        """A folder that was typed before it was there may be there now."""
        if self._source is None and self._folder.text().strip():
            self._on_text()

    def _on_text(self) -> None:
        self._source = self._find()
        self._error = self._find_error()
        for line, tip in ((self._folder, _SOURCE_TIP), (self._beside, _BESIDE_TIP)):
            line.setToolTip("\n\n".join(filter(None, (line.text().strip(), tip))))
        by_layers, source = self._kind.currentText() == _LAYERS, self._source
        for row in (self._image, self._labels, self._zero):
            self._form.setRowVisible(row, by_layers)
        self._form.setRowVisible(self._file_row, not by_layers)
        self._form.setRowVisible(self._beside_row, source is not None and source.kind is SourceKind.BUNDLE)
        self._form.setRowVisible(self._prepare, source is not None and source.learns)
        self.setHint(self._describe())
        self.changed.emit()

    def _find(self) -> Source | None:
        if self._kind.currentText() == _LAYERS:
            return None if self._layers is None else Source(SourceKind.LAYERS, layers=self._layers)
        text = self._folder.text().strip()
        source = find_source(Path(text).expanduser()) if text else None
        beside = self._beside.text().strip()
        if source is None or source.kind is not SourceKind.BUNDLE or not beside:
            return source
        return Source(SourceKind.BUNDLE, source.folder, Path(beside).expanduser())

    def _find_error(self) -> str | None:
        if self._source is None:
            if self._kind.currentText() == _LAYERS:
                return self._layers_told or "Choose the image layer and the labels layer of the old domain."
            if self._folder.text().strip():
                return "The source folder holds neither a bundle (config.json) nor images/ and labels/; choose another."
            return "Choose what to start from: a bundle, or a labelled folder of the old domain."
        try:
            return _misfit(self._source)
        except SemiDavilError as error:
            return str(error)

    def _describe(self) -> str:
        source = self._source
        if source is None:
            asked = self._folder.text().strip() or self._kind.currentText() == _LAYERS
            return self._error or "" if asked else ""
        if self._error is not None:
            return self._error
        if source.kind is SourceKind.LAYERS:
            return self._layers_told
        if source.kind is SourceKind.LABELLED:
            return "Labelled images: a first model is learned from them before the first round."
        if source.beside is None:
            return "A bundle: rounds start from this model, without source images."
        return "A bundle: rounds start from this model and keep learning from the labelled folder too."

    def _on_prepare(self, seconds: float) -> None:
        self._budget = Budget(seconds=seconds)

    def _on_browse(self) -> None:
        self._ask_folder(self._folder, "Bundle or labelled folder")

    def _on_beside(self) -> None:
        self._ask_folder(self._beside, "Labelled folder to keep learning from")

    def _on_zip(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Bundle", self._folder.text(), _BUNDLE_FILTER)
        if name:
            self._folder.setText(name)

    def _ask_folder(self, line: QLineEdit, title: str) -> None:
        if folder := QFileDialog.getExistingDirectory(self, title, line.text()):
            line.setText(folder)


_SOURCE_TIP: Final = (
    "What the model knows to begin with: a bundle (an adapted or prepared model, a folder or a zip file), or a folder with images/,\n"
    "labels/ and classes.json of the old domain, from which a first model is learned before the first round."
)
_BESIDE_TIP: Final = (
    "Optional: a folder with images/, labels/ and classes.json, from which rounds keep learning beside the bundle.\n"
    "Without one the rounds are source-free."
)


def _misfit(source: Source) -> str | None:
    """Why a bundle and the labelled folder beside it do not go together; raises where one of them cannot be read."""
    classes = source.classes
    if source.beside is None:
        return None
    found = find_source(source.beside)
    if found is None or found.kind is not SourceKind.LABELLED:
        return f"{source.beside} is no labelled folder with images/ and labels/; choose another, or leave the line empty."
    theirs = classes_of_folder(source.beside).names
    if {name.lower() for name in theirs} & {name.lower() for name in classes.names}:
        return None
    return (
        f"The labelled folder knows {', '.join(theirs[:4])}, the bundle {', '.join(classes.names[:4])}: no class in common; "
        "choose another folder, or leave the line empty."
    )


def _line(name: str, placeholder: str, tip: str) -> QLineEdit:
    line = QLineEdit()
    line.setObjectName(name)
    line.setPlaceholderText(placeholder)
    line.setToolTip(tip)
    return line


def _box(name: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box
