"""The classes: add one by typing its name, rename, recolour, move and remove without losing a stroke, import and export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from semidavil_core.atomic_files import write_json
from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidClasses
from semidavil_napari._aside import Run, run_now
from semidavil_napari._classes_editing import ClassEditor
from semidavil_napari._panels.class_table import ClassTable
from semidavil_napari._panels.words import Words

_SCORE = "class/"
_FILES = "Classes (*.json);;All files (*)"


class ClassesPanel(QWidget):
    """A table of the class set and what can be done to it.

    Parameters
    ----------
    run
        Reads and writes files in the background; by default on the spot.
    """

    changed = Signal()
    retold = Signal()
    """Other painted pixels are shown."""
    class_selected = Signal(int)
    """Position of the class that a person wants to paint."""
    look_wanted = Signal()
    """A person wants to see what the names find in the shown image."""

    def __init__(self, run: Run = run_now, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run = run
        self._editor = ClassEditor()
        self._painted: Sequence[int] = ()
        self._scores: Mapping[str, float] = {}
        self._table = ClassTable()
        self._name = QLineEdit()
        self._add = QPushButton("Add class")
        self._undo_bar, self._undo_text, self._undo = QFrame(), Words(), QPushButton("Undo")
        self._tools = _tools()
        self._words = Words()
        self._lay_out()
        self._connect()
        self._refill()

    def _lay_out(self) -> None:
        self._name.setObjectName("semidavil_class_name")
        self._name.setPlaceholderText("new class, e.g. puddle")
        self._name.setToolTip(
            "Type the name of a class in plain words; the language model knows what it looks like."
        )
        self._add.setObjectName("semidavil_add_class")
        self._add.setToolTip("Add the class at the end of the list and paint it; no stroke is lost.")
        self._undo.setObjectName("semidavil_undo_removal")
        self._undo.setToolTip("Bring the class back to its place, with its strokes.")
        self._words.setObjectName("semidavil_class_words")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        layout.addLayout(_row(self._name, self._add))
        tools = list(self._tools.values())
        layout.addLayout(_row(*tools[:4]))
        layout.addLayout(_row(*tools[4:]))
        self._undo_bar.setLayout(_row(self._undo_text, self._undo))
        layout.addWidget(self._undo_bar)
        layout.addWidget(self._words)
        self._words.hide()

    def _connect(self) -> None:
        self._add.clicked.connect(self._on_add)
        self._name.returnPressed.connect(self._on_add)
        self._undo.clicked.connect(lambda: self._edit(self._editor.undo))
        self._table.chosen.connect(self.class_selected)
        self._table.renamed.connect(lambda row, text: self._edit(lambda: self._editor.rename(row, text)))
        self._table.described.connect(lambda row, text: self._edit(lambda: self._editor.describe(row, text)))
        self._table.moved.connect(self._on_move)
        self._table.colour_clicked.connect(self._on_colour)
        self._table.itemSelectionChanged.connect(self._enable_tools)
        actions: dict[str, Callable[[], None]] = {
            "up": lambda: self._on_move(self._table.currentRow(), self._table.currentRow() - 1),
            "down": lambda: self._on_move(self._table.currentRow(), self._table.currentRow() + 1),
            "remove": self._on_remove, "look": self.look_wanted.emit, "import": self._on_import, "export": self._on_export,
        }  # fmt: skip
        for name, action in actions.items():
            self._tools[name].clicked.connect(lambda _=False, act=action: act())

    def value(self) -> ClassSet | None:
        """The class set; None while there is none."""
        return self._editor.classes

    def setValue(self, classes: ClassSet | None) -> None:
        """Show another class set."""
        if classes != self._editor.classes:
            self._editor.replace(classes)
            self._scores = {}
            self.setWords("")
            self._refill()
            self.changed.emit()

    def setChosen(self, row: int | None) -> None:
        """Mark the class that the brush paints; None for none."""
        if row is None:
            self._table.clearSelection()
        elif row != self._table.currentRow() or not self._table.selectedItems():
            self._table.selectRow(row)

    def setPainted(self, pixels: Sequence[int]) -> None:
        """How many pixels of each class are painted."""
        self._painted = tuple(pixels)
        self._table.set_painted(self._painted)
        self.retold.emit()

    def setScores(self, scores: Mapping[str, float]) -> None:
        """How well each class does, 0 to 1 by its name; classes without a score show none."""
        self._scores = dict(scores)
        self._table.set_scores(self._editor.classes, self._scores)

    def setWords(self, sentence: str) -> None:
        """Say something below the table; nothing hides the line."""
        self._words.setText(sentence)
        self._words.setVisible(bool(sentence))

    def words(self) -> str:
        """What is said below the table."""
        return str(self._words.text())

    def validation_error(self) -> str | None:
        """What is missing, or None."""
        if self._editor.classes is None:
            return "Add at least two classes, or choose a source that has some."
        return "Add at least two classes." if len(self._editor.classes) < 2 else None

    def summary(self) -> str:
        """How many classes there are, and of how many something is painted."""
        if self.validation_error() is not None or self._editor.classes is None:
            return self.validation_error() or ""
        return f"{len(self._editor.classes)} classes, strokes of {sum(n > 0 for n in self._painted)}"

    # what a person is asked; replaced in tests

    def ask_removal(self, name: str, pixels: int) -> bool:
        """Whether to remove a class of which `pixels` are painted."""
        strokes = (
            f"{pixels:,} painted pixels of {name} will be hidden and no longer used. They stay in the scribbles layer and come back with Undo."
            if pixels
            else f"Nothing is painted of {name}."
        )
        answer: object = QMessageBox.question(
            self, f"Remove {name}?", f"Remove the class {name}?\n\n{strokes}"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def ask_colour(self, present: str) -> str | None:
        """The colour to take instead of `present`; None for no other."""
        colour = QColorDialog.getColor(QColor(present), self, "Colour of the class")
        return str(colour.name()) if colour.isValid() else None

    def ask_file(self, *, save: bool) -> Path | None:
        """The file to write or read; None for none."""
        ask = QFileDialog.getSaveFileName if save else QFileDialog.getOpenFileName
        text, _ = ask(self, "Export classes" if save else "Import classes", "classes.json", _FILES)
        return Path(text) if text else None

    # what a person does

    def _on_add(self) -> None:
        name = self._name.text().strip()
        if name and self._edit(lambda: self._editor.add(name)):
            self._name.clear()
            self._table.scrollToBottom()
            added = self._table.rowCount() - 1
            self._table.selectRow(added)
            self.class_selected.emit(added)

    def _on_move(self, row: int, to: int) -> None:
        count = self._table.rowCount()
        if 0 <= row < count and 0 <= to < count and self._edit(lambda: self._editor.move(row, to)):
            self._table.selectRow(to)

    def _on_colour(self, row: int) -> None:
        classes = self._editor.classes
        if classes is not None and (colour := self.ask_colour(classes[row].color)) is not None:
            self._edit(lambda: self._editor.recolour(row, colour))

    def _on_remove(self) -> None:
        classes, row = self._editor.classes, self._table.currentRow()
        if classes is None or not 0 <= row < len(classes):
            return
        pixels = self._painted[row] if row < len(self._painted) else 0
        if len(classes) == 1 or self.ask_removal(classes[row].name, pixels):
            self._edit(lambda: self._editor.remove(row, pixels))

    def _on_import(self) -> None:
        if (path := self.ask_file(save=False)) is not None:
            self._run("read classes", lambda: ClassSet.read(path), self._on_imported, self.setWords)

    def _on_imported(self, classes: ClassSet) -> None:
        self.setValue(classes)
        self.setWords(f"{len(classes)} classes were read.")

    def _on_export(self) -> None:
        classes = self._editor.classes
        if classes is not None and (path := self.ask_file(save=True)) is not None:
            said = f"{len(classes)} classes were written to {path}."
            self._run("write classes", lambda: write_json(path, classes.to_json()), lambda _: self.setWords(said), self.setWords)  # fmt: skip

    def _edit(self, change: Callable[[], Any]) -> bool:
        """Make a change and show it; whether it broke no rule."""
        before = self._editor.classes
        try:
            change()
        except InvalidClasses as error:
            self._refill()
            self.setWords(str(error))
            return False
        self._scores = _followed(self._scores, before, self._editor.classes)
        self.setWords("")
        self._refill()
        self.changed.emit()
        return True

    def _refill(self) -> None:
        removed = self._editor.removed
        self._table.fill(self._editor.classes)
        self._table.set_scores(self._editor.classes, self._scores)
        self._undo_bar.setVisible(removed is not None)
        self._undo_text.setText(removed.sentence if removed is not None else "")
        self._enable_tools()

    def _enable_tools(self) -> None:
        row, count = self._table.currentRow(), self._table.rowCount()
        chosen = 0 <= row < count
        self._tools["up"].setEnabled(chosen and row > 0)
        self._tools["down"].setEnabled(chosen and row < count - 1)
        self._tools["remove"].setEnabled(chosen)
        self._tools["look"].setEnabled(count > 1)
        self._tools["export"].setEnabled(count > 0)


def _followed(scores: Mapping[str, float], old: ClassSet | None, new: ClassSet | None) -> dict[str, float]:
    """The scores, also under the new names of renamed classes."""
    if old is None or new is None:
        return dict(scores)
    pairs = zip(old, old.positions_in(new), strict=True)
    now = {new[place].name: scores[c.name] for c, place in pairs if place is not None and c.name in scores}
    return {**scores, **now}


def class_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores of single classes, by name, among those that a round ends with."""
    return {name.removeprefix(_SCORE): value for name, value in scores.items() if name.startswith(_SCORE)}


def _tools() -> dict[str, QPushButton]:
    words = {
        "up": ("▲", "Move the chosen class up; its strokes stay."),
        "down": ("▼", "Move the chosen class down; its strokes stay."),
        "remove": ("Remove", "Remove the chosen class. You are asked first, and it can be undone."),
        "look": (
            "Preview by name",
            "Show what the language model finds in the shown image by these names alone, without any training.",
        ),
        "import": ("Import classes", "Read the classes from a classes.json."),
        "export": ("Export classes", "Write the classes to a classes.json."),
    }
    tools = {}
    for name, (text, tip) in words.items():
        tool = tools[name] = QPushButton(text)
        if name in ("up", "down"):
            tool.setFixedWidth(2 * tool.fontMetrics().height())
        tool.setToolTip(tip)
        tool.setObjectName(f"semidavil_class_{name}")
    return tools


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    return row
