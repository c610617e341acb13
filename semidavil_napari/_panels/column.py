"""A scrolling column that is never narrower than what it holds, so that nothing in it is cut off."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

_AIR = 4  # style sheets give the scroll bar margins that it does not tell of


class Column(QScrollArea):
    """Widgets one below the other; scrolls up and down only."""

    def __init__(self, *widgets: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semidavil_sections")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._inside = QWidget()
        layout = QVBoxLayout(self._inside)
        layout.setContentsMargins(2, 2, 2, 2)
        for widget in widgets:
            layout.addWidget(widget)
        layout.addStretch(1)
        self.setWidget(self._inside)
        self._inside.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        """As wide as the widest widget needs, beside the scroll bar."""
        bar, inside = self.verticalScrollBar(), self._inside.minimumSizeHint().width()
        beside = 0 if bar is None else max(bar.sizeHint().width(), bar.width() if bar.isVisible() else 0)
        return QSize(inside + beside + _AIR, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """What it holds may need more room now."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
