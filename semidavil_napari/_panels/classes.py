"""The classes: colour, name, synonyms and how much of each is painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_core.errors import InvalidClasses

_NAME, _SYNONYMS, _PAINTED = range(3)
_ROW_HEIGHT = 24
_FEWEST_ROWS, _MOST_ROWS = 3, 8


class ClassesPanel(QWidget):
    """A table of the class set and a line to add a class by typing its name."""

    changed = Signal()
    class_selected = Signal(int)
    """Position of the class that a person wants to paint."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes: ClassSet | None = None
        self._error: str | None = None
        self._table = _table()
        self._name = QLineEdit()
        self._name.setObjectName("semidavil_class_name")
        self._name.setPlaceholderText("new class, e.g. puddle")
        self._name.setToolTip(
            "Type the name of a class in plain words; the language model knows what it looks like."
        )
        self._add = QPushButton("Add class")
        self._add.setObjectName("semidavil_add_class")
        self._add.setToolTip("Add the class at the end of the list; no stroke is lost.")

        row = QHBoxLayout()
        row.addWidget(self._name)
        row.addWidget(self._add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        layout.addLayout(row)

        self._add.clicked.connect(self._on_add)
        self._name.returnPressed.connect(self._on_add)
        self._table.itemChanged.connect(self._on_edited)
        self._table.cellClicked.connect(lambda row, _: self.class_selected.emit(row))
        self._refill()

    def value(self) -> ClassSet | None:
        """The class set; None while there is none."""
        return self._classes

    def setValue(self, classes: ClassSet | None) -> None:
        """Show another class set."""
        if classes != self._classes:
            self._classes, self._error = classes, None
            self._refill()
            self.changed.emit()

    def setPainted(self, pixels: Sequence[int]) -> None:
        """How many pixels of each class are painted."""
        self._table.blockSignals(True)
        for row, count in enumerate(pixels[: self._table.rowCount()]):
            item = self._table.item(row, _PAINTED)
            if item is not None:
                item.setText(f"{count:,}" if count else "–")
        self._table.blockSignals(False)

    def validation_error(self) -> str | None:
        """What is missing or wrong, or None."""
        if self._classes is None:
            return "Add at least two classes, or choose a source that has some."
        if len(self._classes) < 2:
            return "Add at least two classes."
        return self._error

    def _on_add(self) -> None:
        name = self._name.text().strip()
        if not name:
            return
        try:
            self._classes = self._classes.with_class(name) if self._classes else ClassSet.from_names([name])
        except InvalidClasses as error:
            self._error = str(error)
        else:
            self._error = None
            self._name.clear()
            self._refill()
            self._table.scrollToBottom()
        self.changed.emit()

    def _on_edited(self, item: QTableWidgetItem) -> None:
        """A name or the synonyms were typed over."""
        if self._classes is None:
            return
        row = item.row()
        try:
            info = _edited(self._classes[row], item)
            self._classes = ClassSet((*self._classes.classes[:row], info, *self._classes.classes[row + 1 :]))
            self._error = None
        except InvalidClasses as error:
            self._error = str(error)
        self._refill()
        self.changed.emit()

    def _refill(self) -> None:
        classes = list(self._classes or ())
        self._table.blockSignals(True)
        self._table.setRowCount(len(classes))
        for row, info in enumerate(classes):
            for column, item in enumerate(_cells(info)):
                self._table.setItem(row, column, item)
        self._table.blockSignals(False)
        rows = min(_MOST_ROWS, max(_FEWEST_ROWS, len(classes)))
        self._table.setFixedHeight(_ROW_HEIGHT * (rows + 1) + 6)


def _table() -> QTableWidget:
    table = QTableWidget(0, 3)
    table.setObjectName("semidavil_classes")
    table.setHorizontalHeaderLabels(["class", "synonyms", "painted"])
    table.setToolTip(
        "Click a class to paint it. Double-click its name or synonyms to change them; separate synonyms by commas."
    )
    table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
    table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
    table.setWordWrap(False)
    rows, columns = table.verticalHeader(), table.horizontalHeader()
    if rows is not None and columns is not None:
        rows.setVisible(False)
        rows.setDefaultSectionSize(_ROW_HEIGHT)
        columns.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(_SYNONYMS, QHeaderView.ResizeMode.Stretch)
        columns.setSectionResizeMode(_PAINTED, QHeaderView.ResizeMode.ResizeToContents)
    return table


def _cells(info: ClassInfo) -> tuple[QTableWidgetItem, QTableWidgetItem, QTableWidgetItem]:
    swatch = QPixmap(14, 14)
    swatch.fill(QColor(info.color))
    synonyms = ", ".join(p for p in info.prompts if p.lower() != info.name.lower())
    painted = QTableWidgetItem("–")
    painted.setFlags(painted.flags() & ~Qt.ItemFlag.ItemIsEditable)
    painted.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return QTableWidgetItem(QIcon(swatch), info.name), QTableWidgetItem(synonyms), painted


def _edited(info: ClassInfo, item: QTableWidgetItem) -> ClassInfo:
    text = item.text().strip()
    if item.column() == _NAME:
        others = tuple(p for p in info.prompts if p.lower() != info.name.lower())
        return replace(info, name=text, prompts=(text, *others))
    synonyms = tuple(part.strip() for part in text.split(",") if part.strip())
    return replace(info, prompts=(info.name, *synonyms))
