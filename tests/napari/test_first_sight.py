"""What a newcomer sees: a tooltip on everything that can be pressed or filled in, and nothing cut off on a small screen."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
import pytest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QWidget,
)

from semidavil_napari._panels.class_table import NAME
from semidavil_napari._panels.export import ExportDialog
from semidavil_napari._panels.section import Section
from tests.napari.conftest import child

pytestmark = pytest.mark.gui
_INTERACTIVE = (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox, QAbstractItemView)


def interactive(widget: QWidget) -> list[QWidget]:
    """All that a person can press or fill in, without the insides of Qt's own widgets."""
    found = [part for kind in _INTERACTIVE for part in widget.findChildren(kind)]
    return [part for part in found if not part.objectName().startswith("qt_") and not _inside(part, widget)]


def _inside(part: QWidget, widget: QWidget) -> bool:
    """Whether it is a piece of a larger interactive widget: a combo box's line, a table's corner."""
    above = part.parentWidget()
    while above is not None and above is not widget:
        if isinstance(above, _INTERACTIVE):
            return True
        above = above.parentWidget()
    return False


def test_everything_that_can_be_used_has_a_tooltip(open_widget) -> None:
    widget, _ = open_widget()
    widget._manners.show_help()
    parts = [*interactive(widget), *interactive(widget._manners._dialog)]
    assert len(parts) > 30
    assert [f"{type(p).__name__} {p.objectName()}" for p in parts if not p.toolTip()] == []


def test_everything_in_the_export_dialog_has_a_tooltip(qtbot) -> None:
    dialog = ExportDialog()
    qtbot.addWidget(dialog)
    assert [p.objectName() for p in interactive(dialog) if not p.toolTip()] == []


@pytest.fixture
def small_screen(open_widget, qtbot):
    widget, _ = open_widget()
    window = napari.current_viewer().window._qt_window
    window.resize(1280, 720)
    window.show()
    qtbot.waitExposed(window)
    qtbot.wait(50)
    return widget


def test_a_small_screen_cuts_off_no_button(small_screen) -> None:
    area = small_screen.findChild(QScrollArea)
    assert small_screen.window().height() <= 720
    assert area.widget().width() <= area.viewport().width()
    buttons = [b for b in small_screen.findChildren(QAbstractButton) if b.isVisible() and b.text()]
    assert len(buttons) > 15
    cut = [b.text() for b in buttons if b.width() < min(b.sizeHint().width(), _text_width(b))]
    assert cut == []


def test_the_long_name_of_a_layer_does_not_widen_the_window(small_screen, qtbot) -> None:
    before = small_screen.minimumSizeHint().width()
    viewer = napari.current_viewer()
    name = "experiment_2024-03-12_plate07_wellB04_site3_" + 4 * "averylongname"
    viewer.add_image(np.zeros((4, 32, 40), np.uint16), name=name)
    qtbot.wait(300)
    assert name in child(small_screen, "semidavil_status").text()
    assert small_screen.minimumSizeHint().width() <= before + 40, "all but a short piece of it wraps"


def test_long_names_of_classes_leave_room_for_the_rest(small_screen) -> None:
    table, line = child(small_screen, "semidavil_classes"), child(small_screen, "semidavil_class_name")
    line.setText("a kind of overhead sign that spans the whole width of the motorway")
    child(small_screen, "semidavil_add_class").click()
    assert table.columnWidth(NAME) < table.viewport().width() / 2
    assert table.horizontalScrollBar().maximum() == 0
    row = table.rowCount() - 1
    assert "spans the whole width" in table.item(row, NAME).toolTip(), "the whole name is in the tooltip"


def test_a_long_folder_can_be_read_in_the_tooltip_and_in_the_folded_title(
    small_screen, tmp_path: Path
) -> None:
    folder = child(small_screen, "semidavil_source")
    assert str(tmp_path) in folder.toolTip()
    section = next(s for s in small_screen.findChildren(Section) if "Start" in s._title)
    section.fold(True)
    assert section._summary.text() == f"{tmp_path.name}/source"


def _text_width(button: QAbstractButton) -> int:
    lines = button.text().replace("&", "").split("\n")
    return max(button.fontMetrics().horizontalAdvance(line) for line in lines) + 6
