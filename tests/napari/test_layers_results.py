"""The result layers: where they lie, that they are locked, drawn in place, and come back."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from semidavil_core.classes import ClassSet
from semidavil_core.events import PreviewReady
from semidavil_napari._image_axes import Axis
from semidavil_napari._layer_tags import RESULTS, Role
from semidavil_napari._layers import LayerBook

CLASSES = ClassSet.from_names(["road", "sky"])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def book_of(viewer: ViewerModel) -> LayerBook:
    book = LayerBook(viewer, lambda: None, lambda: None)
    book.set_classes(CLASSES)
    book.targets()
    return book


def preview(name: str, shape=(8, 9), value: int = 1, *, pseudo: bool = True) -> PreviewReady:
    labels = np.full(shape, value, np.uint8)
    return PreviewReady(name, labels, np.full(shape, 0.75, np.float32), labels if pseudo else None)


def test_results_lie_between_the_image_and_the_strokes(viewer) -> None:
    viewer.add_image(np.zeros((12, 8, 9)), name="a")
    book = book_of(viewer)
    book.add_scribbles("a", CLASSES)
    book.show(preview("a/0001"), CLASSES)
    assert {la.name for la in viewer.layers[1:4]} == {"prediction", "confidence", "pseudo-labels"}
    assert [viewer.layers[0].name, viewer.layers[4].name] == ["a", "scribbles"]
    prediction = book.result(Role.PREDICTION, "a")
    assert not prediction.data[0].any()
    assert (prediction.data[1] == 2).all()
    assert viewer.layers.selection.active.name == "scribbles"


PLACES = {
    "scale": (1, 5, 2, 2),
    "translate": (0, 1, 2, 3),
    "units": ("pixel", "um", "um", "um"),
    "axis_labels": ("c", "z", "y", "x"),
}


def test_results_have_the_images_place_in_the_world_without_its_channels(viewer) -> None:
    affine = np.eye(5)
    affine[2, 3], affine[3, 4] = 0.25, 7
    image = viewer.add_image(np.zeros((3, 2, 8, 9)), name="a", shear=[0, 0, 0, 0, 0, 0.1], affine=affine, rotate=np.eye(4), **PLACES)  # fmt: skip
    book = book_of(viewer)
    book.show(preview("a/0001"), CLASSES)
    for role in RESULTS:
        layer = book.result(role, "a")
        np.testing.assert_allclose(layer.scale, image.scale[1:])
        np.testing.assert_allclose(layer.translate, image.translate[1:])
        np.testing.assert_allclose(layer.affine.affine_matrix, affine[1:, 1:])
        assert layer.units == image.units[1:]
        assert layer.axis_labels == ("z", "y", "x")
        point = (1, 3, 4)
        np.testing.assert_allclose(layer.data_to_world(point), image.data_to_world((0, *point))[1:])


def test_results_follow_an_image_that_gets_another_place(viewer) -> None:
    image = viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    book.add_scribbles("a", CLASSES)
    book.show(preview("a"), CLASSES)
    image.scale, image.translate, image.rotate = (0.5, 0.25), (10, 20), 30
    image.units = ("um", "um")
    for layer in viewer.layers:
        np.testing.assert_allclose(layer.data_to_world((2, 3)), image.data_to_world((2, 3)))
        assert layer.units == image.units


def test_results_are_locked_and_stay_locked(viewer) -> None:
    viewer.add_image(np.zeros((12, 8, 9)), name="a")
    book = book_of(viewer)
    book.show(preview("a/0000"), CLASSES)
    prediction = book.result(Role.PREDICTION, "a")
    assert not prediction.editable
    prediction.editable = True
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert not prediction.editable


def test_results_share_the_class_colours_and_know_the_names(viewer) -> None:
    viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    book.show(preview("a"), CLASSES)
    more = CLASSES.with_class("puddle", color="#ff0000")
    book.set_classes(more)
    for role in (Role.PREDICTION, Role.PSEUDO_LABELS):
        layer = book.result(role, "a")
        np.testing.assert_allclose(layer.colormap.map(np.array([3]))[0], [1, 0, 0, 1])
        assert list(layer.features["class"][1:]) == ["road", "sky", "puddle"]


def test_a_preview_is_drawn_in_place_without_a_sign_to_anyone(viewer) -> None:
    viewer.add_image(np.zeros((12, 8, 9)), name="a")
    book = book_of(viewer)
    book.add_scribbles("a", CLASSES)
    book.show(preview("a/0000"), CLASSES)
    layers, data = list(viewer.layers), book.result(Role.PREDICTION, "a").data
    book.result(Role.PREDICTION, "a").visible = False
    viewer.camera.zoom, viewer.camera.center = 3.5, (0, 1, 2)
    heard: list[str] = []
    for emitter in (viewer.layers.events, viewer.layers.selection.events, viewer.camera.events):
        emitter.connect(lambda event: heard.append(event.type))
    for index in range(12):
        book.show(preview(f"a/{index:04d}", value=0), CLASSES)
    assert list(viewer.layers) == layers
    assert book.result(Role.PREDICTION, "a").data is data
    assert not book.result(Role.PREDICTION, "a").visible
    assert (data == 1).all()
    assert set(heard) <= {"thumbnail", "set_data", "loaded", "features", "properties"}


def test_only_the_plane_that_is_shown_is_drawn_anew(viewer) -> None:
    viewer.add_image(np.zeros((12, 8, 9)), name="a", scale=(10, 1, 1), translate=(5, 0, 0))
    book = book_of(viewer)
    book.show(preview("a/0000"), CLASSES)
    drawn: list[int] = []
    book.result(Role.PREDICTION, "a").events.set_data.connect(lambda: drawn.append(1))
    viewer.dims.set_point(0, 5 + 3 * 10)
    drawn.clear()
    book.show(preview("a/0004"), CLASSES)
    assert not drawn
    book.show(preview("a/0003"), CLASSES)
    assert len(drawn) == 1
    viewer.dims.ndisplay = 3
    drawn.clear()
    book.show(preview("a/0004"), CLASSES)
    assert len(drawn) == 1


def test_deleted_results_come_back_and_renamed_ones_are_known(viewer) -> None:
    viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    book.show(preview("a"), CLASSES)
    prediction = book.result(Role.PREDICTION, "a")
    prediction.name = "mine"
    viewer.layers["a"].name = "b"
    viewer.layers.remove("confidence")
    book.show(preview("a", value=0), CLASSES)
    assert book.result(Role.PREDICTION, "a") is prediction
    assert (prediction.data == 1).all()
    assert book.result(Role.CONFIDENCE, "a") is not None
    assert sum(la.metadata.get("semidavil", {}).get("role") == "prediction" for la in viewer.layers) == 1


def test_results_of_an_image_whose_size_changed_are_made_anew(viewer) -> None:
    image = viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    book.show(preview("a"), CLASSES)
    image.data = np.zeros((4, 5))
    book.show(preview("a"), CLASSES)  # of before: dropped
    assert book.result(Role.PREDICTION, "a").data.shape == (8, 9)
    book.show(preview("a", (4, 5)), CLASSES)
    assert book.result(Role.PREDICTION, "a").data.shape == (4, 5)


def test_results_of_a_hidden_image_wait_until_it_is_shown(viewer) -> None:
    image = viewer.add_image(np.zeros((8, 9)), name="a", visible=False)
    book = book_of(viewer)
    book.show(preview("a"), CLASSES)
    assert book.result(Role.PREDICTION, "a") is None
    image.visible = True
    assert (book.result(Role.PREDICTION, "a").data == 2).all()


def test_results_fit_an_image_whose_axis_was_told_meanwhile(viewer) -> None:
    viewer.add_image(np.zeros((3, 8, 9), np.uint16), name="a")
    book = book_of(viewer)
    book.tell_axis(("a",), 0, Axis.IMAGES)
    book.show(preview("a/0001"), CLASSES)
    book.tell_axis(("a",), 0, Axis.CHANNELS)
    book.show(preview("a/0001"), CLASSES)  # of before: there is no such image any more
    book.show(preview("a"), CLASSES)
    assert book.result(Role.PREDICTION, "a").data.shape == (8, 9)


def test_pyramids_get_results_at_full_size(viewer) -> None:
    viewer.add_image([np.zeros((32, 36)), np.zeros((16, 18))], name="a", multiscale=True)
    book = book_of(viewer)
    book.add_scribbles("a", CLASSES)
    book.show(preview("a", (32, 36)), CLASSES)
    assert book.result(Role.PREDICTION, "a").data.shape == (32, 36)
    assert book.scribbles("a").data.shape == (32, 36)
