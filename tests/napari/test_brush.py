"""The class that the brush paints is marked in the table, and the status bar tells the keys that hold."""

from __future__ import annotations

import pytest

from semidavil_napari._panels.class_table import ClassTable
from tests.napari.conftest import child, press
from tests.napari.driving import click

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


def test_a_removed_class_leaves_the_brush_to_its_neighbour_and_no_stroke_is_invisible(
    open_widget, qtbot, monkeypatch
) -> None:
    widget, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    monkeypatch.setattr(widget._classes, "ask_removal", lambda *_: True)
    add_class(qtbot, widget, "puddle")
    road, _, puddle = labels(widget)
    widget._choices.choose_class(1)
    click(qtbot, widget, "semidavil_class_remove")
    assert (strokes.selected_label, strokes.mode, marked(widget)) == (puddle, "paint", [1])
    assert "The brush paints puddle." in str(viewer.status)
    click(qtbot, widget, "semidavil_class_remove")
    assert (strokes.selected_label, marked(widget)) == (road, [0])
    assert strokes.colormap.map(int(strokes.selected_label))[3] == 1
    strokes.selected_label = 0
    click(qtbot, widget, "semidavil_undo_removal")
    assert strokes.selected_label == 0, "who erases goes on erasing"
    assert labels(widget) == [road, puddle]


def test_a_layer_whose_brush_paints_no_class_gets_one_when_it_is_worked_on(open_widget, monkeypatch) -> None:
    widget, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    viewer.layers.selection.active = viewer.layers["night"]
    strokes.selected_label = 77
    viewer.layers.selection.active = strokes
    assert strokes.selected_label in labels(widget)
    assert marked(widget) == [0]


def test_a_typed_class_is_the_one_that_the_brush_paints(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    widget._choices.choose_class(0)
    add_class(qtbot, widget, "puddle")
    assert (strokes.selected_label, strokes.mode, marked(widget)) == (labels(widget)[2], "paint", [2])


def add_class(qtbot, widget, name: str) -> None:
    child(widget, "semidavil_class_name").setText(name)
    click(qtbot, widget, "semidavil_add_class")
