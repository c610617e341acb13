"""The vision-language model that guides, and the device that computes."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from semidavil_core.vlm.presets import DEFAULT_PRESET, PRESETS, Preset

_DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Guidance:
    """What the panel gives."""

    vlm: str = DEFAULT_PRESET
    device: str = "auto"


class GuidancePanel(QWidget):
    """Two choices with their consequences in words."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._vlm = QComboBox()
        self._vlm.setObjectName("semidavil_vlm")
        self._vlm.setEditable(True)
        for preset in PRESETS.values():
            self._vlm.addItem(preset.name)
            self._vlm.setItemData(self._vlm.count() - 1, _described(preset), Qt.ItemDataRole.ToolTipRole)
        self._vlm.setToolTip(
            "The vision-language model: a preset, any open_clip model:tag, or a folder (local-dir:…). A bundle brings its own."
        )
        self._device = QComboBox()
        self._device.setObjectName("semidavil_device")
        self._device.addItems(_DEVICES)
        self._device.setToolTip("Where the engine computes; auto takes a GPU if there is one.")
        self._hint = QLabel()
        self._hint.setWordWrap(True)

        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow("Language model", self._vlm)
        layout.addRow(self._hint)
        layout.addRow("Device", self._device)

        self._vlm.currentTextChanged.connect(self._on_changed)
        self._device.currentTextChanged.connect(self._on_changed)
        self._on_changed()

    def value(self) -> Guidance:
        """Both choices."""
        return Guidance(self._vlm.currentText().strip(), self._device.currentText())

    def setValue(self, guidance: Guidance) -> None:
        """Make both choices."""
        self._vlm.setCurrentText(guidance.vlm)
        self._device.setCurrentText(guidance.device)

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        return None if self.value().vlm else "Choose a vision-language model, for instance mini."

    def _on_changed(self) -> None:
        preset = PRESETS.get(self.value().vlm)
        self._hint.setText(_described(preset) if preset else "An open_clip model of your choice.")
        self.changed.emit()


def _described(preset: Preset) -> str:
    size = f"{preset.size_mb} MB to download" if preset.size_mb else "no download"
    return f"{preset.purpose} {preset.licence}, {size}."
