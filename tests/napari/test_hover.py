"""What the status bar says under the pointer."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel

from semidavil_core.classes import ClassSet
from semidavil_core.events import PreviewReady
from semidavil_napari._hover import Hover
from semidavil_napari._layer_tags import Role
from semidavil_napari._layers import LayerBook

CLASSES = ClassSet.from_names(["road", "sky"])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def window(viewer) -> tuple[LayerBook, Hover]:
    book = LayerBook(viewer, lambda: None, lambda: None)
    book.set_classes(CLASSES)
    book.targets()
    return book, Hover(viewer, book)


def point_at(viewer, position) -> None:
    viewer.mouse_over_canvas = True
    viewer.cursor.position = position
    viewer.update_status_from_cursor()


def status(viewer) -> str:
    said = viewer.status
    return said if isinstance(said, str) else said["coordinates"]


def half_and_half(name: str) -> PreviewReady:
    labels = np.zeros((20, 30), np.uint8)
    labels[10:] = 1
    confidence = np.full((20, 30), 0.5, np.float32)
    confidence[10:] = 0.83
    return PreviewReady(name, labels, confidence, None)


def test_class_and_confidence_are_told_whichever_layer_is_selected(viewer) -> None:
    image = viewer.add_image(np.zeros((12, 20, 30)), name="a", scale=(1, 2, 2), translate=(0, 100, 0))
    book, _ = window(viewer)
    book.add_scribbles("a", CLASSES)
    book.show(half_and_half("a/0003"), CLASSES)
    viewer.dims.set_current_step(0, 3)
    for selected in (viewer.layers["scribbles"], image, book.result(Role.PREDICTION, "a")):
        viewer.layers.selection.active = selected
        point_at(viewer, (3, 104, 4))
        assert status(viewer).count("predicted: road, confidence 0.50") == 1
        point_at(viewer, (3, 130, 4))
        assert "predicted: sky, confidence 0.83" in status(viewer)
    assert not book.result(Role.CONFIDENCE, "a").visible


def test_nothing_is_added_where_there_is_no_prediction(viewer) -> None:
    viewer.add_image(np.zeros((12, 20, 30)), name="a")
    book, hover = window(viewer)
    book.show(half_and_half("a/0003"), CLASSES)
    for position in ((0, 5, 5), (3, -5, 5), (3, 5, 99)):
        point_at(viewer, position)
        assert "predicted" not in status(viewer)
    book.result(Role.PREDICTION, "a").visible = False
    point_at(viewer, (3, 5, 5))
    assert "predicted" not in status(viewer)
    book.result(Role.PREDICTION, "a").visible = True
    hover.release()
    point_at(viewer, (3, 5, 5))
    assert "predicted" not in status(viewer)


def test_two_windows_of_ours_tell_it_once(viewer) -> None:
    viewer.add_image(np.zeros((20, 30)), name="a")
    book, _ = window(viewer)
    window(viewer)
    book.show(half_and_half("a"), CLASSES)
    point_at(viewer, (5, 5))
    assert status(viewer).count("predicted: road") == 1


def test_it_goes_on_without_the_confidence_layer_and_after_new_classes(viewer) -> None:
    viewer.add_image(np.zeros((20, 30)), name="a")
    book, _ = window(viewer)
    book.show(half_and_half("a"), CLASSES)
    viewer.layers.remove("confidence")
    book.set_classes(ClassSet.from_names(["sky", "puddle", "road"]))
    point_at(viewer, (5, 5))
    assert status(viewer).endswith("predicted: road")


@pytest.mark.gui
def test_a_prediction_that_changes_under_a_pointer_at_rest_is_told(open_widget) -> None:
    widget, viewer = open_widget()
    classes = widget._classes.value()
    name = widget._book.plan(widget._images.value(), classes)[0].name
    for k, told in enumerate(("road", "sky")):
        seen = PreviewReady(name, np.full((32, 40), k, np.uint8), np.full((32, 40), 0.5 + k / 4, np.float32))
        widget._jobs.happened.emit(seen)
        if not k:
            point_at(viewer, (0, 10, 10))
        assert status(viewer).endswith(f"predicted: {told}, confidence {0.5 + k / 4:.2f}")
        assert status(viewer).count("predicted") == 1
    widget._book.show_prediction(name, np.zeros((32, 40), np.uint8), classes)
    widget._rounds.compare.emit(-1)
    assert "predicted: road" in status(viewer)


@pytest.mark.gui
def test_the_status_bar_of_a_real_window_tells_it(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    name = widget._book.plan(widget._images.value(), widget._classes.value())[0].name
    widget._book.show(PreviewReady(name, np.ones((32, 40), np.uint8), np.full((32, 40), 0.83, np.float32), None), widget._classes.value())  # fmt: skip
    point_at(viewer, (0, 10, 10))
    assert "predicted: sky, confidence 0.83" in status(viewer)
    bar = widget.window().statusBar()
    assert any("predicted: sky" in label.text() for label in bar.findChildren(QLabel))
