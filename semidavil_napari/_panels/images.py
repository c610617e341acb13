"""Which image layers are the target domain."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

_ROW_HEIGHT = 18
_MOST_ROWS = 5


class ImagesPanel(QWidget):
    """A list of image layers with a box to tick, and a button that makes scribble layers."""

    changed = Signal()
    scribbles_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._list = QListWidget()
        self._list.setObjectName("semidavil_target")
        self._list.setToolTip(
            "The images of the new domain: tick every image layer to adapt to. A stack counts as many images."
        )
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._add = QPushButton("Add scribbles layer")
        self._add.setObjectName("semidavil_add_scribbles")
        self._add.setToolTip("Give every ticked image an empty Labels layer to paint strokes into.")

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._list, self._hint, self._add):
            layout.addWidget(widget)

        self._list.itemChanged.connect(lambda _: self.changed.emit())
        self._add.clicked.connect(lambda: self.scribbles_wanted.emit())
        self.setChoices({})

    def value(self) -> tuple[str, ...]:
        """Keys of the ticked layers, in the order of the list."""
        return tuple(
            i.data(Qt.ItemDataRole.UserRole) for i in self._items() if i.checkState() == Qt.CheckState.Checked
        )

    def setValue(self, keys: tuple[str, ...]) -> None:
        """Tick exactly these layers."""
        for item in self._items():
            ticked = item.data(Qt.ItemDataRole.UserRole) in keys
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def setChoices(self, names: Mapping[str, str]) -> None:
        """The image layers that there are, key to name; ticks stay, and an only image is ticked."""
        present = {i.data(Qt.ItemDataRole.UserRole) for i in self._items()}
        keep = set(self.value()) | ({k for k in names if k not in present} if not self.value() else set())
        self._list.blockSignals(True)
        self._list.clear()
        for key, name in names.items():
            item = QListWidgetItem(name)
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if key in keep else Qt.CheckState.Unchecked)
            self._list.addItem(item)
        self._list.blockSignals(False)
        row_height = max(_ROW_HEIGHT, self._list.sizeHintForRow(0))
        self._list.setFixedHeight(
            row_height * min(_MOST_ROWS, max(1, len(names))) + 2 * self._list.frameWidth()
        )
        self._list.setVisible(bool(names))
        self.changed.emit()

    def setHint(self, text: str, *, missing_scribbles: bool) -> None:
        """What the ticked layers are taken for; whether the button to add scribbles has a use."""
        self._hint.setText(text)
        self._add.setVisible(missing_scribbles)

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        if self._list.count() == 0:
            return (
                "Open images of the new domain (drop files into napari, or File > Open Sample > SemiDAViL)."
            )
        return None if self.value() else "Tick at least one image layer."

    def _items(self) -> list[QListWidgetItem]:
        items = (self._list.item(row) for row in range(self._list.count()))
        return [item for item in items if item is not None]
