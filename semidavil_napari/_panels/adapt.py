"""The big button, the budget, Pause and Stop, and the status in words."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QProgressBar,
    QToolButton,
    QWidget,
)

from semidavil_core.settings import Budget
from semidavil_napari._panels.plot import RoundPlot
from semidavil_napari._panels.round_words import RoundWords
from semidavil_napari._panels.rows import colour_words, named_button
from semidavil_napari._panels.section import Section
from semidavil_napari._panels.words import Words
from semidavil_napari._session import State, Status, in_words

_PROGRESS_PARTS = 1000
_STATUS_LINES = 3
_ROOMY_WINDOW = 1000  # pixels: in a lower one the classes need the room more


class AdaptPanel(QWidget):
    """Starts, holds and ends rounds; shows how the running one fares."""

    adapt = Signal()
    pause = Signal()
    resume = Signal()
    stop = Signal()
    retold = Signal()
    """The status may say something else."""
    copy_command = Signal()
    """A person wants the command lines that do the same."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paused = self._failed = self._shown = False
        self._adapt = named_button(
            "Adapt", "semidavil_adapt", "Adapt the model to the ticked images and your strokes.", wide=True
        )
        self._adapt.setMinimumHeight(36)
        font = self._adapt.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self._adapt.setFont(font)
        self._pause = named_button("Pause", "semidavil_pause", "Hold at the next step, or go on.", wide=True)
        self._stop = named_button(
            "Stop",
            "semidavil_stop",
            "End the round at its next step and keep the last good model.",
            wide=True,
        )
        self._budget = QDoubleSpinBox()
        self._budget.setObjectName("semidavil_budget")
        self._budget.setToolTip(
            "How long one round may take, in seconds. Half a minute shows whether your strokes help; more polishes."
        )
        self._budget.setDecimals(0)
        self._budget.setRange(1, 7 * 24 * 3600)
        self._budget.setValue(30)
        self._budget.setSuffix(" s per round")
        self._progress = QProgressBar()
        self._progress.setObjectName("semidavil_progress")
        self._progress.setTextVisible(False)
        self._progress.setRange(0, _PROGRESS_PARTS)
        self._progress.setMaximumHeight(8)
        self._status = Words()
        self._status.setObjectName("semidavil_status")
        self._status.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._status.setMinimumHeight(self._status.fontMetrics().lineSpacing() * _STATUS_LINES)
        copy = QToolButton()
        copy.setObjectName("semidavil_copy_command")
        copy.setText("copy\ncommand")
        copy.setToolTip(
            "Copy the equivalent command: what Adapt would do now, as lines for a terminal or a script."
        )
        copy.clicked.connect(lambda: self.copy_command.emit())
        self._said = RoundWords()
        self._about = Section("About this round", self._said)
        self._about.fold(True)
        self.plot = RoundPlot()
        self.plot.hide()

        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._adapt, 0, 0, 1, 3)
        layout.addWidget(copy, 0, 3)
        layout.addWidget(self._budget, 1, 0)
        layout.addWidget(self._pause, 1, 1)
        layout.addWidget(self._stop, 1, 2, 1, 2)
        layout.addWidget(self._progress, 2, 0, 1, 4)
        layout.addWidget(self._status, 3, 0, 1, 4)
        layout.addWidget(self._about, 4, 0, 1, 4)
        layout.addWidget(self.plot, 5, 0, 1, 4)

        self._adapt.clicked.connect(lambda: self.adapt.emit())
        self._pause.clicked.connect(lambda: (self.resume if self._paused else self.pause).emit())
        self._stop.clicked.connect(lambda: self.stop.emit())
        self.show_status(Status(), None)

    def value(self) -> Budget:
        """The budget of one round."""
        return Budget(seconds=self._budget.value())

    def setValue(self, budget: Budget) -> None:
        """Set the budget of one round."""
        self._budget.setValue(budget.seconds)

    def validation_error(self) -> str | None:
        """Nothing can be wrong here."""
        return None

    def summary(self) -> str:
        """The status in one line."""
        return str(self._status.text())

    def say(self, sentence: str) -> None:
        """Show a sentence in place of the status, until that changes."""
        self._status.setText(sentence)

    def show_status(self, status: Status, missing: str | None) -> None:
        """Show where the job is; `missing` is why Adapt cannot be pressed."""
        self._paused = status.state is State.PAUSED
        self._adapt.setEnabled(not status.busy and missing is None)
        self._adapt.setToolTip(missing or "Adapt the model to the ticked images and your strokes.")
        self._pause.setEnabled(status.can_pause)
        self._pause.setText("Resume" if self._paused else "Pause")
        self._stop.setEnabled(status.can_stop)
        self._budget.setEnabled(not status.busy)
        self._show_progress(status.fraction or 0.0)
        left = "" if status.seconds_left is None else f"{in_words(status.seconds_left)} left"
        self._progress.setToolTip(left or "How far the present stage is.")
        words = (
            status.sentence
            if status.busy or missing is None
            else " ".join(filter(None, [status.sentence, missing]))
        )
        self._status.setText(words or "Ready to adapt.")
        self._said.setValue(status.told)
        self._about.setVisible(bool(status.told))
        if status.failed != self._failed:
            self._failed = status.failed
            colour_words(self._status, failed=status.failed)
        self.plot.refresh()
        self.retold.emit()

    def _show_progress(self, fraction: float) -> None:
        """An unknown share is an empty bar: Qt's moving one would draw the whole window anew many times a second."""
        # Without this it draws at once, and the rest of the panel once more.
        self._progress.setUpdatesEnabled(False)
        self._progress.setValue(round(fraction * _PROGRESS_PARTS))
        self._progress.setUpdatesEnabled(True)

    def showEvent(self, event: QShowEvent) -> None:
        """Where there is room, what a round says stands unfolded."""
        super().showEvent(event)
        if not self._shown and (window := self.window()) is not self:
            self._shown = True
            self._about.fold(window.height() < _ROOMY_WINDOW)

    def sizeHint(self) -> QSize:
        """Narrow enough for a dock."""
        return QSize(300, super().sizeHint().height())
