"""The class that the brush paints is marked in the table, and the status bar tells the keys that hold."""

from __future__ import annotations

import pytest

from semidavil_napari._panels.class_table import ClassTable
from tests.napari.conftest import child, press

pytestmark = pytest.mark.gui


def marked(widget) -> list[int]:
    table = child(widget, "semidavil_classes")
    assert isinstance(table, ClassTable)
    return sorted({item.row() for item in table.selectedItems()})


def labels(widget) -> list[int]:
    """What stands for the classes in a scribbles layer."""
    return widget._book.paint.of(widget._classes.value()).tolist()


def test_the_table_marks_the_class_of_the_brush_however_it_was_chosen(open_widget) -> None:
    widget, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    viewer.layers.selection.active = strokes
    first, second = labels(widget)
    press("2")
    assert (strokes.selected_label, marked(widget)) == (second, [1])
    assert "sky" in str(viewer.status)
    strokes.selected_label = first
    assert marked(widget) == [0]
    strokes.selected_label = 77
    assert marked(widget) == [], "a label that is no class"


def test_another_layer_leaves_the_mark_and_coming_back_renews_it(open_widget) -> None:
    widget, viewer = open_widget()
    viewer.layers.selection.active = viewer.layers["my strokes"]
    press("2")
    viewer.layers.selection.active = viewer.layers["night"]
    viewer.layers["my strokes"].selected_label = labels(widget)[0]
    viewer.layers.selection.active = viewer.layers["my strokes"]
    assert marked(widget) == [0]


def test_the_status_bar_does_not_say_that_digits_choose_tools(open_widget) -> None:
    _, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    viewer.layers.selection.active = strokes
    for mode in ("paint", "erase", "pan_zoom"):
        strokes.mode = mode
        assert "1 to 9 choose a class" in viewer.help
        assert "<1>" not in viewer.help
