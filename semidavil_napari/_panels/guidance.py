"""The vision-language model that guides, with its licence and size in words, and the device that computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QWidget,
)

from semidavil_core.vlm.presets import DEFAULT_PRESET, PRESETS, Preset
from semidavil_napari._panels.words import Words

_DEVICES = {
    "auto": "automatic",
    "cpu": "processor (CPU)",
    "cuda": "graphics card (CUDA)",
    "mps": "Apple graphics (MPS)",
}
_OFFLINE = "Without internet: fetch it on another machine, copy it here and choose its folder."


@dataclass(frozen=True)
class Guidance:
    """What the panel gives."""

    vlm: str = DEFAULT_PRESET
    device: str = "auto"


class GuidancePanel(QWidget):
    """Two choices with their consequences in words; a model that is not here is downloaded only when asked."""

    changed = Signal()
    download_wanted = Signal(str)
    """Name of the model to fetch."""
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: dict[str, bool] = {}
        self._problems: dict[str, str] = {}
        self._downloading = ""
        self._from_bundle = False
        self._vlm, self._device, self._hint = QComboBox(), QComboBox(), Words()
        self._download, self._folder = QPushButton(), QPushButton("Choose folder …")
        self._progress, self._fetching = QProgressBar(), QWidget()
        self._fill()
        self._lay_out()
        self._vlm.currentTextChanged.connect(self._on_changed)
        self._device.currentIndexChanged.connect(lambda _: self.changed.emit())
        self._download.clicked.connect(self._on_download)
        self._folder.clicked.connect(self._on_folder)
        self._show()

    def _fill(self) -> None:
        self._vlm.setObjectName("semidavil_vlm")
        self._vlm.setEditable(True)
        for preset in PRESETS.values():
            self._vlm.addItem(preset.name)
            self._vlm.setItemData(self._vlm.count() - 1, _described(preset), Qt.ItemDataRole.ToolTipRole)
        self._vlm.setToolTip(
            "The language model that knows what class names look like: a preset, any open_clip model:tag, or a folder (local-dir:…).\n"
            "A bundle brings its own."
        )
        self._device.setObjectName("semidavil_device")
        for name, words in _DEVICES.items():
            self._device.addItem(words, name)
        self._device.setToolTip("Where the engine computes; automatic takes a graphics card if there is one.")
        self._download.setObjectName("semidavil_download")
        self._download.setToolTip("Fetch the model from the Hugging Face hub, now; it stays on this machine.")
        self._folder.setObjectName("semidavil_vlm_folder")
        self._folder.setToolTip(
            "Use a model folder in open_clip's format: open_clip_config.json and weights."
        )

    def _lay_out(self) -> None:
        row = QHBoxLayout(self._fetching)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._download)
        row.addWidget(self._progress, 1)
        row.addWidget(self._folder)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        layout.addRow("Language model", self._vlm)
        layout.addRow(self._hint)
        layout.addRow(self._fetching)
        layout.addRow("Device", self._device)

    def value(self) -> Guidance:
        """Both choices."""
        return Guidance(self._vlm.currentText().strip(), str(self._device.currentData()))

    def setValue(self, guidance: Guidance) -> None:
        """Make both choices."""
        self._vlm.setCurrentText(guidance.vlm)
        self._device.setCurrentIndex(max(0, self._device.findData(guidance.device)))

    def setBundle(self, brings_its_own: bool) -> None:
        """Whether the model to start from is a bundle, which has its language model with it."""
        self._from_bundle = brings_its_own
        self._show()

    def setFound(self, vlm: str, here: bool, problem: str = "") -> None:
        """Whether a model is on this machine, and what else is wrong with it in a sentence."""
        self._found[vlm], self._problems[vlm] = here, problem
        self._show()
        self.changed.emit()

    def found(self, vlm: str) -> bool | None:
        """Whether a model is on this machine; None where nobody has looked."""
        return True if _is_local(vlm) else self._found.get(vlm)

    def setDevices(self, devices: Sequence[str]) -> None:
        """Leave only the devices that are there to choose from."""
        model = self._device.model()
        for row in range(self._device.count()):
            name = self._device.itemData(row)
            there = name == "auto" or name in devices
            if isinstance(model, QStandardItemModel) and (item := model.item(row)) is not None:
                item.setEnabled(there)
                item.setToolTip("" if there else "The engine found no such device on this machine.")
        if self._device.currentData() not in ("auto", *devices):
            self._device.setCurrentIndex(0)

    def setProgress(self, vlm: str, done: float = 0.0, total: float = 0.0) -> None:
        """Show a download that is under way, in megabytes; an empty name for none."""
        self._downloading = vlm
        self._progress.setRange(0, max(0, round(total)))
        self._progress.setValue(round(done))
        self._progress.setFormat(f"{done:.0f} of {total:.0f} MB" if total else "")
        self._show()

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        vlm = self.value().vlm
        if self._from_bundle:
            return None
        if not vlm:
            return "Choose a language model, for instance mini."
        if problem := self._problems.get(vlm):
            return problem
        if self.found(vlm) is False:
            return f"The language model {vlm} is not on this machine yet: download it, or choose mini."
        return None

    def summary(self) -> str:
        """Both choices in one line."""
        vlm = "that of the bundle" if self._from_bundle else self.value().vlm
        return self.validation_error() or f"{vlm}; device: {self._device.currentText()}"

    def ask_folder(self) -> str:
        """The folder of a model; empty for none. Replaced in tests."""
        return str(QFileDialog.getExistingDirectory(self, "Folder of a language model"))

    def _on_folder(self) -> None:
        if folder := self.ask_folder():
            self._vlm.setCurrentText(f"local-dir:{folder}")

    def _on_download(self) -> None:
        if self._downloading:
            self.cancel_wanted.emit()
        else:
            self.download_wanted.emit(self.value().vlm)

    def _on_changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        vlm = self.value().vlm
        missing = self.found(vlm) is False and not self._from_bundle
        size = PRESETS[vlm].size_mb if vlm in PRESETS else 0
        self._vlm.setEnabled(not self._from_bundle and not self._downloading)
        self._hint.setText(self._words(vlm, missing=missing))
        self._download.setText(
            "Cancel" if self._downloading else f"Download {size} MB" if size else "Download"
        )
        self._fetching.setVisible(missing or bool(self._downloading))
        self._progress.setVisible(bool(self._downloading))
        self._folder.setVisible(not self._downloading)

    def _words(self, vlm: str, *, missing: bool) -> str:
        if self._from_bundle:
            return "The bundle brings its own language model."
        preset = PRESETS.get(vlm)
        if problem := self._problems.get(vlm):
            return problem
        parts = [_described(preset) if preset else "A language model of your choice."]
        if self._downloading:
            parts = [f"Downloading {self._downloading} …"]
        elif missing:
            parts.append(f"It is not on this machine yet. {_OFFLINE}")
        elif self._found.get(vlm) and not _is_local(vlm):
            parts.append("It is on this machine.")
        return " ".join(parts)


def _is_local(vlm: str) -> bool:
    """Whether a name stands for something on this machine by its nature, as far as it tells."""
    preset = PRESETS.get(vlm)
    return (
        not preset.size_mb
        if preset
        else vlm.startswith(("local-dir:", "/", "~", "./")) or Path(vlm).is_absolute()
    )


def _described(preset: Preset) -> str:
    size = f"{preset.size_mb} MB to download" if preset.size_mb else "no download"
    needs = f" Needs the package {', '.join(preset.needs)}." if preset.needs else ""
    return f"{preset.purpose} Licence: {preset.licence}; {size}.{needs}"
