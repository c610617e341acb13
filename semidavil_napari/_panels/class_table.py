"""The table of the classes panel: a row per class, with its key, colour, name, synonyms, painted pixels and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_napari._classes_editing import synonyms

NAME, SYNONYMS, PAINTED, SCORE, COLOUR = range(5)
_TITLES = ("Class", "Also called", "Painted", "Score", "")
_HEADER_TIPS = {
    NAME: "What you call it. Click to paint it; double-click to rename it.",
    SYNONYMS: "Synonyms that the language model looks for too, separated by commas.",
    PAINTED: "Painted pixels, over all ticked images.",
    SCORE: "Share of its kept-aside strokes that the last round got right.",
    COLOUR: "Click a colour to choose another.",
}
_ROW_HEIGHT = 24
_FEWEST_ROWS, _MOST_ROWS = 3, 12
_LONGEST_NAME = 130  # of pixels; a longer name is shortened with dots
_KEYS = 9
_SWATCH = 14


class ClassTable(QTableWidget):
    """Shows a class set; says what a person did to it and changes nothing itself."""

    chosen = Signal(int)
    """Row of the class to paint."""
    renamed = Signal(int, str)
    described = Signal(int, str)
    colour_clicked = Signal(int)
    moved = Signal(int, int)
    """A row was dragged: from, to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_TITLES), parent)
        self.setObjectName("semidavil_classes")
        self.setHorizontalHeaderLabels(_TITLES)
        self.setToolTip(
            "Click a class to paint it, or press its number. Double-click its name or synonyms to change them; separate synonyms by\n"
            "commas. Click its colour to choose another. Drag its number to move it. No stroke is lost by any of this."
        )
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for column, tip in _HEADER_TIPS.items():
            if (title := self.horizontalHeaderItem(column)) is not None:
                title.setToolTip(tip)
        self._set_up_headers()
        self.itemChanged.connect(self._on_edited)
        self.cellClicked.connect(self._on_clicked)

    def fill(self, classes: ClassSet | None) -> None:
        """Show these classes; painted pixels and scores are to be set again."""
        row = self.currentRow()
        self.blockSignals(True)
        self.setRowCount(len(classes or ()))
        for index, info in enumerate(classes or ()):
            for column, item in _cells(info).items():
                self.setItem(index, column, item)
            self.setVerticalHeaderItem(index, _key(index))
        self.blockSignals(False)
        self.setColumnWidth(NAME, min(_LONGEST_NAME, max(self.sizeHintForColumn(NAME), _SWATCH * 4)))
        if 0 <= row < self.rowCount():
            self.selectRow(row)
        rows = min(_MOST_ROWS, max(_FEWEST_ROWS, self.rowCount()))
        self.setFixedHeight(_ROW_HEIGHT * (rows + 1) + 6)

    def set_painted(self, pixels: Sequence[int]) -> None:
        """Write the painted pixels of each class."""
        for row in range(self.rowCount()):
            count = pixels[row] if row < len(pixels) else 0
            self._write(row, PAINTED, f"{count:,}" if count else "–")

    def set_scores(self, classes: ClassSet | None, scores: Mapping[str, float]) -> None:
        """Write the score of each class, 0 to 1, where there is one."""
        self.setColumnHidden(SCORE, not scores)  # room for the synonyms until there are some
        for row, info in enumerate(classes or ()):
            score = scores.get(info.name)
            self._write(row, SCORE, "–" if score is None else f"{score:.0%}")

    def _write(self, row: int, column: int, text: str) -> None:
        if (item := self.item(row, column)) is not None and item.text() != text:
            self.blockSignals(True)
            item.setText(text)
            self.blockSignals(False)
            self.viewport().update()

    def _set_up_headers(self) -> None:
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is None or columns is None:
            return
        rows.setDefaultSectionSize(_ROW_HEIGHT)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setSectionsMovable(True)
        rows.setHighlightSections(False)
        rows.setToolTip("The key that chooses the class. Drag to move the class.")
        rows.sectionMoved.connect(self._on_section_moved)
        columns.setHighlightSections(False)
        columns.moveSection(COLOUR, 0)
        columns.setMinimumSectionSize(_SWATCH + 10)
        columns.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Interactive)
        for column in (PAINTED, SCORE):
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(SYNONYMS, QHeaderView.ResizeMode.Stretch)
        columns.setSectionResizeMode(COLOUR, QHeaderView.ResizeMode.Fixed)
        columns.resizeSection(COLOUR, _SWATCH + 12)

    def _on_clicked(self, row: int, column: int) -> None:
        if column == COLOUR:
            self.colour_clicked.emit(row)
        else:
            self.chosen.emit(row)

    def _on_edited(self, item: QTableWidgetItem) -> None:
        if item.column() == NAME:
            self.renamed.emit(item.row(), item.text())
        elif item.column() == SYNONYMS:
            self.described.emit(item.row(), item.text())

    def _on_section_moved(self, logical: int, _: int, to: int) -> None:
        # The header goes back to its own order; the class moves instead. Later, for the header is still being dragged.
        QTimer.singleShot(0, lambda: self._move_instead(logical, to))

    def _move_instead(self, row: int, to: int) -> None:
        rows = self.verticalHeader()
        if rows is None:
            return
        rows.blockSignals(True)
        rows.moveSection(rows.visualIndex(row), row)
        rows.blockSignals(False)
        self.moved.emit(row, to)


def _key(row: int) -> QTableWidgetItem:
    item = QTableWidgetItem(str(row + 1) if row < _KEYS else "")
    item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
    return item


def _swatch(color: str) -> QIcon:
    """A square of the colour, which is the same in the row that is selected: Qt would tint it."""
    square = QPixmap(_SWATCH, _SWATCH)
    square.fill(QColor(color))
    icon = QIcon(square)
    icon.addPixmap(square, QIcon.Mode.Selected)
    return icon


def _cells(info: ClassInfo) -> dict[int, QTableWidgetItem]:
    colour = QTableWidgetItem(_swatch(info.color), "")
    colour.setToolTip(f"{info.name} is {info.color}; click to choose another colour.")
    name, words = QTableWidgetItem(info.name), QTableWidgetItem(synonyms(info))
    name.setToolTip(f"Click to paint {info.name}; double-click to rename it.")
    words.setToolTip(
        "What else it may be called, separated by commas; the language model looks for all of it."
    )
    painted, score = QTableWidgetItem("–"), QTableWidgetItem("–")
    painted.setToolTip("Painted pixels, over all chosen images.")
    score.setToolTip(
        "Share of its held-out strokes that the last round got right. They were kept aside and not trained on."
    )
    for item in (colour, painted, score):
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
    for item in (painted, score):
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return {COLOUR: colour, NAME: name, SYNONYMS: words, PAINTED: painted, SCORE: score}
