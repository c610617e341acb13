"""Which image layers are the target domain, what they are taken for, and what the model sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from semidavil_napari._panels.axes import AxesPanel
from semidavil_napari._panels.rows import named_button, row_of
from semidavil_napari._panels.words import Words

_ROW_HEIGHT = 18
_MOST_ROWS = 5
_PREVIEW_SIDE = 84
_SAMPLES = {"streets": "Streets at night", "cells": "Fluorescent cells"}
_HINT_WIDTH = 120
_NO_IMAGES = "Open images of the new domain: drop files into napari, open a folder, or try a sample."
_LIST_TIP = "The images of the new domain: tick every image layer to adapt to. A stack counts as many images."
_WHERE_FROM = (
    "Drop images into napari, or open a folder. To try it out first, open a sample with everything in it:"
)


class ImagesPanel(QWidget):
    """A list of image layers with a box to tick, details of the selected one, and a button that makes scribble layers."""

    changed = Signal()
    selected = Signal()
    """Another row is selected."""
    scribbles_wanted = Signal()
    folder_wanted = Signal(object)
    """The :class:`~pathlib.Path` of a folder to open."""
    retold = Signal()
    """What the ticked images are taken for is told anew."""
    sample_wanted = Signal(str)
    """Key of a sample to open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._problem: str | None = None
        self._list = QListWidget()
        self._list.setObjectName("semidavil_target")
        self._list.setToolTip(_LIST_TIP)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setUniformItemSizes(True)
        self._folder = named_button("Open folder …", "semidavil_open_folder", "Open all images of a folder: those of one size become one stack.")  # fmt: skip
        self._welcome = Words(_WHERE_FROM)
        self._samples = row_of(*map(self._sample_button, _SAMPLES))
        self._all = named_button("All", "semidavil_tick_all", "Tick every image.")
        self._none = named_button("None", "semidavil_tick_none", "Tick no image.")
        self.axes = AxesPanel()
        self._preview = QLabel()
        self._preview.setObjectName("semidavil_preview")
        self._preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._preview.setWordWrap(True)
        self._hint = Words()
        self._hint.setObjectName("semidavil_images_hint")
        self._hint.setMinimumWidth(_HINT_WIDTH)
        self._add = named_button("Add scribbles layer", "semidavil_add_scribbles", "Give every ticked image that is shown an empty Labels layer to paint strokes into.")  # fmt: skip
        self._lay_out()
        self._list.itemChanged.connect(lambda _: self.changed.emit())
        self._list.currentRowChanged.connect(lambda _: self.selected.emit())
        self._add.clicked.connect(lambda: self.scribbles_wanted.emit())
        self._folder.clicked.connect(self._on_folder)
        self._all.clicked.connect(lambda: self.setValue(self.keys()))
        self._none.clicked.connect(lambda: self.setValue(()))
        self.setChoices({})
        self.setPreview(None)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._folder, 1)
        for button in (self._all, self._none):
            button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            buttons.addWidget(button)
        details = QHBoxLayout()
        details.addWidget(self._hint, 1)
        details.addWidget(self._preview, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self._welcome)
        layout.addWidget(self._samples)
        layout.addWidget(self._list)
        layout.addWidget(self.axes)
        layout.addLayout(details)
        layout.addWidget(self._add)

    def value(self) -> tuple[str, ...]:
        """Keys of the ticked layers, in the order of the list."""
        return tuple(_key(i) for i in self._items() if i.checkState() == Qt.CheckState.Checked)

    def setValue(self, keys: tuple[str, ...]) -> None:
        """Tick exactly these layers."""
        wanted = set(keys)
        self._list.blockSignals(True)
        for item in self._items():
            item.setCheckState(Qt.CheckState.Checked if _key(item) in wanted else Qt.CheckState.Unchecked)
        self._list.blockSignals(False)
        self.changed.emit()

    def keys(self) -> tuple[str, ...]:
        """Keys of all layers in the list."""
        return tuple(_key(item) for item in self._items())

    def current(self) -> str | None:
        """Key of the selected row, else of the first ticked one, else of the first."""
        item = self._list.currentItem()
        keys = [*self.value(), *self.keys()]
        return _key(item) if item is not None else (keys[0] if keys else None)

    def setChoices(self, names: Mapping[str, str]) -> None:
        """The image layers that there are, key to name. Ticks stay; a new layer is ticked unless a person has unticked one."""
        before = self.keys()
        tick_new = len(self.value()) == len(before)
        if tuple(names) == before:
            self._rename(names)
        else:
            self._refill(names, set(self.value()), tick_new=tick_new)
        row_height = max(_ROW_HEIGHT, self._list.sizeHintForRow(0))
        rows = min(_MOST_ROWS, max(1, len(names)))
        self._list.setFixedHeight(row_height * rows + 2 * self._list.frameWidth())
        self._list.setVisible(bool(names))
        for part in (self._welcome, self._samples):
            part.setVisible(not names)
        for button in (self._all, self._none):
            button.setVisible(len(names) > 1)
        self.changed.emit()

    def _rename(self, names: Mapping[str, str]) -> None:
        self._list.blockSignals(True)
        for item in self._items():
            if item.text() != names[_key(item)]:
                item.setText(names[_key(item)])
                item.setToolTip(f"{names[_key(item)]}\n{_LIST_TIP}")
        self._list.blockSignals(False)

    def _refill(self, names: Mapping[str, str], ticked: set[str], *, tick_new: bool) -> None:
        """Take away the rows of layers that are gone and add those that came, in the order of the viewer."""
        current, known = self.current() if self._list.currentItem() else None, set(self.keys())
        self._list.blockSignals(True)
        self._list.clear()
        for key, name in names.items():
            item = QListWidgetItem(name)
            item.setToolTip(f"{name}\n{_LIST_TIP}")
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            tick = key in ticked or (tick_new and key not in known)
            item.setCheckState(Qt.CheckState.Checked if tick else Qt.CheckState.Unchecked)
            self._list.addItem(item)
            if key == current:
                self._list.setCurrentItem(item)
        self._list.blockSignals(False)

    def setHint(self, text: str, *, missing_scribbles: bool, problem: str | None = None) -> None:
        """What the ticked layers are taken for; whether the button to add scribbles has a use; why no round can use them."""
        self._problem = problem
        self._hint.setText(text)
        self._hint.setVisible(bool(text))
        self._add.setVisible(missing_scribbles)
        self.retold.emit()

    def setProblem(self, problem: str | None) -> None:
        """Why no round can use the ticked images; None if one can."""
        self._problem = problem
        self.retold.emit()

    def setPreview(self, rgb: NDArray[np.uint8] | None, sentence: str = "") -> None:
        """What the model sees, (H, W, 3) uint8; or a sentence why that cannot be shown."""
        self._preview.setVisible(rgb is not None or bool(sentence))
        if rgb is None:
            self._preview.setPixmap(QPixmap())
            self._preview.setText(sentence)
            self._preview.setMinimumSize(0, 0)
            self._preview.setMaximumSize(16777215, 16777215)
            return
        self._preview.setToolTip("What the model sees of the selected image, thinned out.")
        pixmap = _pixmap(rgb)
        self._preview.setFixedSize(_PREVIEW_SIDE, max(1, pixmap.height()))
        self._preview.setPixmap(pixmap)

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        if self._list.count() == 0:
            return _NO_IMAGES
        return self._problem if self.value() else "Tick at least one image layer."

    def summary(self) -> str:
        """The ticked images in one line."""
        return self.validation_error() or self._hint.text() or f"{len(self.value())} ticked"

    def ask_folder(self) -> Path | None:
        """Let a person choose a folder."""
        name = QFileDialog.getExistingDirectory(self, "Folder with images of the new domain")
        return Path(name) if name else None

    def _on_folder(self) -> None:
        if (folder := self.ask_folder()) is not None:
            self.folder_wanted.emit(folder)

    def _sample_button(self, key: str) -> QWidget:
        tip = f"Open the sample “{key}” that comes with the plugin: images of a new domain, strokes on four of them, and where to start from."
        button = named_button(_SAMPLES[key], f"semidavil_try_{key}", tip, wide=True)
        button.clicked.connect(lambda: self.sample_wanted.emit(key))
        return button

    def _items(self) -> list[QListWidgetItem]:
        items = (self._list.item(row) for row in range(self._list.count()))
        return [item for item in items if item is not None]


def _key(item: QListWidgetItem) -> str:
    return str(item.data(Qt.ItemDataRole.UserRole))


def _pixmap(rgb: NDArray[np.uint8]) -> Any:
    height, width = rgb.shape[:2]
    pixels = np.ascontiguousarray(rgb)
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy()).scaled(
        _PREVIEW_SIDE,
        _PREVIEW_SIDE,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
