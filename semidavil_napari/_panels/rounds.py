"""The rounds so far: names, scores, before and after, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import QElapsedTimer, Qt, Signal
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from semidavil_napari._panels.rows import named_button
from semidavil_napari._panels.words import Words
from semidavil_napari._round_list import START, RoundEntry, Verdict
from semidavil_napari._session import in_words

_ROWS_SHOWN: Final = 6
_LONGEST_NAME: Final = 20
_HOLD_MS: Final = 350  # a shorter press is a click
_SIGNS: Final = {Verdict.BETTER: "▲", Verdict.WORSE: "▼", Verdict.ALIKE: "≈", Verdict.UNKNOWN: ""}
_COLOURS: Final = {  # blue and orange: told apart by the colour-blind; on dark, on light
    Verdict.BETTER: ("#56b4e9", "#0060a8"),
    Verdict.WORSE: ("#e69f00", "#b45f00"),
}
_WORDS: Final = {
    Verdict.BETTER: "The round made the model better on the strokes kept aside.",
    Verdict.WORSE: "The round made the model worse on the strokes kept aside.",
    Verdict.ALIKE: "The change on the strokes kept aside is no larger than chance explains.",
    Verdict.UNKNOWN: "Too few strokes to keep some aside, so this round was not measured.",
}
_COMPARE_TIP: Final = (
    "Press and hold: the prediction layer shows what the model saw after that other round. Let go: as it is now. "
    "A short click keeps the other one shown until you click again."
)


@dataclass(frozen=True)
class RoundsView:
    """What the panel shows."""

    entries: Sequence[RoundEntry] = ()
    current: RoundEntry | None = None
    before_current: RoundEntry | None = None
    """The round that the standing one went on from."""
    undo: RoundEntry | None = None
    comparable: frozenset[int] = frozenset()
    """Keys of the rounds whose predictions are kept."""
    busy: bool = False


class RoundsPanel(QWidget):
    """The history of rounds."""

    go_to = Signal(int)
    """A person wants the model of the round with this key."""
    undo = Signal()
    """A person wants to undo going back."""
    retold = Signal()
    """Other rounds are shown."""
    renamed = Signal(int, str)
    compare = Signal(int)
    """Show the predictions of the round with this key; -1: those of the standing one again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = RoundsView()
        self._filling = False
        self._comparing = -1
        self._pressed = QElapsedTimer()
        self._list = _table()
        self._alert = Words()
        self._alert.setObjectName("semidavil_round_alert")
        self._none = Words("Each round is listed here, to compare it and to go back.")
        self._back = named_button(
            "", "semidavil_round_back", "Take the model from before this round again.", wide=True
        )
        self._compare = named_button("", "semidavil_compare", _COMPARE_TIP, wide=True)
        self._go = named_button("", "semidavil_go_to_round", "", wide=True)
        self._undo = named_button("Undo", "semidavil_undo_round", "", wide=True)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._alert, 0, 0, 1, 2)
        layout.addWidget(self._none, 1, 0, 1, 2)
        layout.addWidget(self._back, 1, 0, 1, 2)
        layout.addWidget(self._list, 2, 0, 1, 2)
        layout.addWidget(self._compare, 3, 0, 1, 2)
        layout.addWidget(self._go, 4, 0)
        layout.addWidget(self._undo, 4, 1)
        self._list.itemSelectionChanged.connect(self._show_buttons)
        self._list.itemChanged.connect(self._on_edited)
        self._compare.pressed.connect(self._on_compare_pressed)
        self._compare.released.connect(self._on_compare_released)
        self._back.clicked.connect(self._on_back)
        self._go.clicked.connect(self._on_go)
        self._undo.clicked.connect(lambda: self.undo.emit())
        self.setValue(self._view)

    def value(self) -> int | None:
        """Key of the selected round."""
        items = self._list.selectedItems()
        return None if not items else int(items[0].data(0, Qt.ItemDataRole.UserRole))

    def setValue(self, view: RoundsView) -> None:
        """Show other rounds; the selection stays where its round is still there."""
        selected, self._view, self._filling = self.value(), view, True
        self._list.clear()
        for entry in reversed(view.entries):
            item = self._item(entry)
            self._list.addTopLevelItem(item)
            item.setSelected(entry.key == selected)
        _fit_height(self._list)
        self._filling = False
        self._show_alert()
        self._show_buttons()
        self.retold.emit()

    def summary(self) -> str:
        """The round whose model stands, in one line."""
        stands = self._view.current
        return "none yet" if stands is None else f"{stands.name} {_scores(stands)}"

    def validation_error(self) -> str | None:
        """Nothing can be wrong here."""
        return None

    def end_comparing(self) -> None:
        """Show the standing round again, as if the compare button was let go."""
        if self._comparing != -1:
            self._comparing = -1
            self.compare.emit(-1)
            self._show_buttons()

    # rows

    def _item(self, entry: RoundEntry) -> QTreeWidgetItem:
        stands = self._view.current is not None and entry.key == self._view.current.key
        mark = "● " if stands else ""
        steps = str(entry.steps) if entry.number else ""
        seconds = in_words(entry.seconds) if entry.number else ""
        item = QTreeWidgetItem([mark + entry.name, seconds, steps, _scores(entry)])
        item.setData(0, Qt.ItemDataRole.UserRole, entry.key)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        for column in (1, 2):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._colour(item, entry, bold=stands)
        return item

    def _colour(self, item: QTreeWidgetItem, entry: RoundEntry, *, bold: bool) -> None:
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        shades = _COLOURS.get(entry.verdict)
        if shades is not None:
            item.setForeground(3, QColor(shades[0 if ink.lightness() > 127 else 1]))
        tip = _WORDS[entry.verdict] if entry.number else "The model before the first round."
        if not entry.reachable:
            tip = f"{tip} A round of an earlier model: the engine no longer holds it."
            faint = QColor(ink)
            faint.setAlpha(110)
            for column in range(4):
                item.setForeground(column, faint)
        for column in range(4):
            font = item.font(column)
            font.setBold(bold)
            font.setItalic(not entry.reachable)
            item.setFont(column, font)
            item.setToolTip(column, f"{tip} Double-click the name to change it.")

    def _on_edited(self, item: QTreeWidgetItem, column: int) -> None:
        if not self._filling and column == 0:
            name = item.text(0).removeprefix("● ")
            self.renamed.emit(int(item.data(0, Qt.ItemDataRole.UserRole)), name)

    # the round that got worse

    def _show_alert(self) -> None:
        entry, before = self._view.current, self._view.before_current
        worse = entry is not None and before is not None and entry.verdict is Verdict.WORSE
        if worse and entry is not None and before is not None:
            self._alert.setText(
                f"▼ {entry.name} got worse on the strokes kept aside: {_percent(entry.before)} right before, "
                f"{_percent(entry.after)} after."
            )
            self._back.setText(f"Go back to {_as_said(before)}")
            self._back.setEnabled(not self._view.busy)
        self._alert.setVisible(worse)
        self._back.setVisible(worse)

    # buttons

    def _entry(self, key: int | None) -> RoundEntry | None:
        return next((e for e in self._view.entries if e.key == key), None)

    def _compared(self) -> RoundEntry | None:
        """The round to compare with: the selected one, or the one before the one that stands."""
        view, selected = self._view, self._entry(self.value())
        if selected is None or (view.current is not None and selected.key == view.current.key):
            selected = view.before_current
        return selected if selected is not None and selected.key in view.comparable else None

    def _show_buttons(self) -> None:
        view, selected, other = self._view, self._entry(self.value()), self._compared()
        stands = view.current
        self._list.setVisible(bool(view.entries))
        self._none.setVisible(not view.entries)
        compare = other is not None and stands is not None and not view.busy
        self._compare.setEnabled(compare)
        if self._comparing != -1 and (shown := self._entry(self._comparing)) is not None:
            self._compare.setText(f"You see {_as_said(shown)} – click for now")
        else:
            self._compare.setText(
                f"Compare with {_as_said(other)} (hold)" if other is not None else "Compare before / after"
            )
        here = None if stands is None else stands.key
        can_go = selected is not None and selected.reachable and selected.key != here
        self._go.setEnabled(can_go and not view.busy)
        later = can_go and selected is not None and stands is not None and selected.key > stands.key
        where = _as_said(selected) if selected is not None and can_go else "a round"
        self._go.setText(f"Go {'forward' if later else 'back'} to {where}")
        self._go.setToolTip("Take the model of the selected round again; no round is lost by it.")
        self._undo.setEnabled(view.undo is not None and not view.busy)
        self._undo.setText("Undo going back")
        told = f"Take the model of {_as_said(view.undo)} again." if view.undo else "You have not gone back."
        self._undo.setToolTip(told)
        for button in (self._compare, self._go, self._undo):
            button.setVisible(len(view.entries) > 1 or (bool(view.entries) and stands is None))

    def _on_back(self) -> None:
        if self._view.before_current is not None:
            self.go_to.emit(self._view.before_current.key)

    def _on_go(self) -> None:
        if (key := self.value()) is not None:
            self.go_to.emit(key)

    def _on_compare_pressed(self) -> None:
        if self._comparing != -1:
            self._pressed.invalidate()
            self.end_comparing()
        elif (other := self._compared()) is not None:
            self._pressed.start()
            self._comparing = other.key
            self.compare.emit(other.key)
            self._show_buttons()

    def _on_compare_released(self) -> None:
        if self._pressed.isValid() and self._pressed.elapsed() >= _HOLD_MS:
            self.end_comparing()


def _scores(entry: RoundEntry) -> str:
    if not entry.number:
        return ""
    if entry.before is None or entry.after is None:
        return "not measured"
    return f"{_SIGNS[entry.verdict]} {100 * entry.before:.0f} → {_percent(entry.after)}"


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{share:.0%}"


def _as_said(entry: RoundEntry) -> str:
    """A round's name within a sentence or on a button, which a long name must not widen."""
    if entry.number == 0 and entry.name == START:
        return "the start"
    return entry.name if len(entry.name) <= _LONGEST_NAME else f"{entry.name[:_LONGEST_NAME].rstrip()}…"


def _table() -> QTreeWidget:
    table = QTreeWidget()
    table.setObjectName("semidavil_rounds")
    table.setHeaderLabels(["Round", "Time", "Steps", "Score"])
    table.setToolTip("The rounds so far, the last one first; ● is the model that stands now.")
    head = table.headerItem()
    if head is not None:
        head.setToolTip(
            3,
            "How many of the strokes kept aside were right before and after the round (mean over the classes).",
        )
    table.setRootIsDecorated(False)
    table.setStyleSheet("QTreeWidget::item { padding: 0 5px; }")  # else steps and scores read as one figure
    table.setUniformRowHeights(True)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = table.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in (1, 2, 3):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    return table


def _fit_height(table: QTreeWidget) -> None:
    """As high as its rows, up to a few."""
    row = max(table.sizeHintForRow(0), table.fontMetrics().height())
    table.setFixedHeight(
        table.header().sizeHint().height() + row * min(table.topLevelItemCount(), _ROWS_SHOWN) + 6
    )
