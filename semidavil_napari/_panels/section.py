"""A headed part of the window that folds to one line, which still says what the part holds."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

_OPEN, _FOLDED = "▾", "▸"
_LOOK: Final = "QToolButton { border: none; background: transparent; padding: 2px; font-weight: bold; }"


class Section(QFrame):
    """A title above a panel; a click on the title folds the panel away.

    Parameters
    ----------
    title
        What the part is called.
    content
        The panel. Where it has a method ``summary()``, its words stand beside the title of the folded section; its signals ``changed`` and
        ``retold`` say that they are others now.
    """

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._content = title, content
        self._head = QToolButton()
        self._head.setObjectName(f"semidavil_section_{title.split()[-1].lower()}")
        self._head.setToolTip("Fold this section to one line, or unfold it.")
        self._head.setStyleSheet(_LOOK)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._summary = QElidingLabel()
        self._summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._head)
        row.addWidget(self._summary, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 4)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(content)
        self._head.clicked.connect(lambda: self.fold(not self.folded))
        for signal in filter(None, (getattr(content, name, None) for name in ("changed", "retold"))):
            signal.connect(self.refresh)
        self.fold(False)

    @property
    def folded(self) -> bool:
        """Whether only the title shows."""
        return bool(self._content.isHidden())

    def fold(self, folded: bool) -> None:
        """Show the title only, or all."""
        self._content.setVisible(not folded)
        self._head.setText(f"{_FOLDED if folded else _OPEN}  {self._title}")
        self._head.setAccessibleName(f"{self._title}, {'folded' if folded else 'open'}")
        self.refresh()

    def refresh(self) -> None:
        """The panel may hold something else now."""
        words = _summary(self._content) if self.folded else ""
        if words != self._summary.text():
            self._summary.setText(words)
            self._summary.setToolTip(words)


def unfold_around(widget: QWidget) -> None:
    """Open every section that a widget lies in."""
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, Section) and above.folded:
            above.fold(False)
        above = above.parentWidget()


def _summary(content: Any) -> str:
    told = getattr(content, "summary", None)
    return "" if told is None else " ".join(str(told()).split())
