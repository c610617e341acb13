"""Help that is always at hand: a question mark, and a tour."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

SECTIONS: Final = (
    (
        "Images to adapt to",
        "the images of the new domain: layers that you tick; a stack counts as many images.",
    ),
    (
        "Start from",
        "where the model has learned before: a labelled folder of the old domain, or a saved bundle.",
    ),
    (
        "Classes",
        "what there is to tell apart. Click a class to paint it; a class is known by its name and synonyms.",
    ),
    ("Guidance", "the vision-language model that knows your class names, and where to compute."),
    (
        "Adapt",
        "one round: the model learns from your strokes for some seconds. Paint on meanwhile; it counts next time.",
    ),
    ("Rounds", "every round with its scores: compare, go back, and change your mind."),
    ("Paint next", "the few places where one more stroke helps most, ringed in the layer “paint next”."),
    (
        "Export",
        "the adapted model as a bundle that runs anywhere, label maps, and the command that does the same.",
    ),
)


class HelpPanel(QWidget):
    """Two small buttons."""

    help_wanted = Signal()
    tour_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = QLabel("New here?")
        tour = QPushButton("Take a tour")
        tour.setObjectName("semidavil_tour")
        tour.setToolTip("Five short steps through this window.")
        ask = QPushButton("?")
        ask.setObjectName("semidavil_help")
        ask.setAccessibleName("Help")
        ask.setToolTip("Keys, and what each section does (F1).")
        ask.setFixedWidth(ask.fontMetrics().height() * 2)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(words)
        layout.addStretch(1)
        layout.addWidget(tour)
        layout.addWidget(ask)
        tour.clicked.connect(lambda: self.tour_wanted.emit())
        ask.clicked.connect(lambda: self.help_wanted.emit())


class HelpDialog(QDialog):
    """Keys and sections; stays open beside the work.

    Parameters
    ----------
    keys
        Each key as keyboards write it, and what it does.
    """

    def __init__(self, keys: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semidavil_help_dialog")
        self.setWindowTitle("SemiDAViL: keys and sections")
        self.setModal(False)
        text = QLabel(_page(keys))
        text.setTextFormat(Qt.TextFormat.RichText)
        text.setWordWrap(True)
        text.setAlignment(Qt.AlignmentFlag.AlignTop)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        text.setContentsMargins(8, 8, 8, 8)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(text)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        for button in close.buttons():
            button.setToolTip("Close the help (Escape); F1 opens it again.")
        layout = QVBoxLayout(self)
        layout.addWidget(scroll)
        layout.addWidget(close)
        self.resize(520, 600)


def _page(keys: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><td style='padding-right: 12px'><b>{escape(key)}</b></td><td>{escape(words)}</td></tr>"
        for key, words in keys
    )
    sections = "".join(f"<p><b>{escape(title)}</b>: {escape(words)}</p>" for title, words in SECTIONS)
    return f"<h3>Keys</h3><table cellspacing='4'>{rows}</table><h3>Sections</h3>{sections}"
