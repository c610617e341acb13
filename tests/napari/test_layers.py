"""Images and strokes out of real layers, results into them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from semidavil_core.classes import ClassSet
from semidavil_core.events import PreviewReady
from semidavil_napari._layers import LayerBook, describe

CLASSES = ClassSet.from_names(["road", "sky"])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def book_of(viewer: ViewerModel) -> LayerBook:
    return LayerBook(viewer, lambda: None, lambda: None)


@pytest.mark.parametrize(
    ("data", "rgb", "count", "plane", "channels"),
    [
        (np.zeros((8, 9), np.uint16), False, 1, (8, 9), None),
        (np.zeros((8, 9, 3), np.uint8), True, 1, (8, 9, 3), None),
        (np.zeros((5, 8, 9, 4), np.uint8), True, 5, (8, 9, 4), None),
        (np.zeros((6, 8, 9), np.float32), False, 6, (8, 9), None),
        (np.zeros((2, 8, 9), np.uint16), False, 1, (8, 9, 2), (0, 1, None)),
        (np.zeros((4, 8, 9), np.uint16), False, 1, (8, 9, 4), (0, 1, 2)),
        (np.zeros((2, 3, 5, 8, 9), np.uint8), False, 15, (8, 9, 2), (0, 1, None)),
    ],
)
def test_a_layer_is_taken_apart_into_images(viewer, data, rgb, count, plane, channels) -> None:
    viewer.add_image(data, rgb=rgb, name="a")
    plan = book_of(viewer).plan(tuple(book_of(viewer).targets()), CLASSES)
    assert len(plan) == count
    assert plan[0].read().shape == plane
    assert plan[0].channels == channels
    assert len({p.name for p in plan}) == count


def test_an_axis_that_is_called_z_is_a_stack_however_short(viewer) -> None:
    layer = viewer.add_image(np.zeros((3, 8, 9), np.uint8), axis_labels=("z", "y", "x"), rgb=False)
    assert describe(layer) == "3 images of 9 x 8 pixels"
    channels = viewer.add_image(np.zeros((3, 8, 9), np.uint8), rgb=False)
    assert describe(channels) == "one image of 9 x 8 pixels, channels 1, 2, 3 of 3 seen as red, green, blue"


def test_the_image_that_is_shown_is_sent_and_predicted_first(viewer) -> None:
    viewer.add_image(np.zeros((6, 8, 9)), name="a")
    viewer.dims.set_current_step(0, 4)
    book = book_of(viewer)
    plan = book.plan(tuple(book.targets()), CLASSES)
    assert [image.name for image in plan] == [f"a/{n:04d}" for n in (4, 5, 0, 1, 2, 3)]


def test_dask_and_multiscale_layers_are_read_when_asked(viewer) -> None:
    dask = pytest.importorskip("dask.array")
    stack = dask.arange(6 * 8 * 9, chunks=50).reshape(6, 8, 9)
    viewer.add_image(stack, name="lazy")
    viewer.add_image([np.ones((16, 18)), np.ones((8, 9))], name="pyramid", multiscale=True)
    book = book_of(viewer)
    lazy, pyramid = (book.plan((key,), CLASSES) for key in book.targets())
    last = next(image for image in lazy if image.name == "lazy/0005")
    np.testing.assert_array_equal(last.read(), stack[5].compute())
    assert pyramid[0].read().shape == (16, 18)


def test_strokes_are_copied_as_class_indices(viewer) -> None:
    viewer.add_image(np.zeros((2, 3, 3), np.uint8), rgb=True, name="a")
    strokes = viewer.add_labels(np.array([[0, 1, 2], [9, 0, 0]]), name="mine")
    book = book_of(viewer)
    plan = book.plan(tuple(book.targets()), CLASSES)
    strokes.data[0, 1] = 2
    np.testing.assert_array_equal(plan[0].scribbles, [[255, 0, 1], [255, 255, 255]])
    assert book.painted(("a",), CLASSES) == [0, 2]


def test_labels_of_another_shape_are_not_taken_for_strokes(viewer) -> None:
    viewer.add_image(np.zeros((8, 9)), name="a")
    viewer.add_labels(np.zeros((4, 9), int))
    book = book_of(viewer)
    assert book.targets() == {"a": "a"}
    assert book.scribbles("a") is None
    book.add_scribbles("a", CLASSES)
    assert book.scribbles("a").data.shape == (8, 9)


def test_two_layers_of_one_name_after_renaming_stay_apart(viewer) -> None:
    book = book_of(viewer)
    first = viewer.add_image(np.zeros((8, 9)), name="a")
    assert book.targets() == {"a": "a"}
    first.name = "b"
    viewer.add_image(np.zeros((8, 9)), name="a")
    assert book.targets() == {"a": "b", "a (2)": "a"}


def test_results_lie_on_a_scaled_image_between_it_and_the_strokes(viewer) -> None:
    image = viewer.add_image(
        np.zeros((3, 2, 8, 9)),
        name="a",
        scale=(1, 5, 2, 2),
        translate=(0, 1, 2, 3),
        axis_labels=("c", "z", "y", "x"),
    )
    book = book_of(viewer)
    book.add_scribbles(next(iter(book.targets())), CLASSES)
    plan = book.plan(("a",), CLASSES)
    book.show(
        PreviewReady(plan[1].name, np.ones((8, 9), np.uint8), np.ones((8, 9), np.float32), None), CLASSES
    )
    prediction = viewer.layers["prediction"]
    assert [la.name for la in viewer.layers] == ["a", "prediction", "confidence", "scribbles"]
    np.testing.assert_allclose(prediction.scale, image.scale[1:])
    np.testing.assert_allclose(prediction.translate, image.translate[1:])
    assert prediction.axis_labels == ("z", "y", "x")
    assert not prediction.data[0].any()
    assert (prediction.data[1] == 2).all()
    assert not prediction.editable


def test_a_preview_of_an_image_that_is_gone_or_changed_is_dropped(viewer) -> None:
    image = viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    (plan,) = book.plan(tuple(book.targets()), CLASSES)
    preview = PreviewReady(plan.name, np.ones((8, 9), np.uint8), np.ones((8, 9), np.float32), None)
    image.data = np.zeros((4, 4))
    book.show(preview, CLASSES)
    viewer.layers.clear()
    book.show(preview, CLASSES)
    assert not viewer.layers


def test_our_own_results_are_no_targets_and_no_strokes(viewer) -> None:
    viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    (plan,) = book.plan(tuple(book.targets()), CLASSES)
    book.show(PreviewReady(plan.name, np.ones((8, 9), np.uint8), np.ones((8, 9), np.float32), None), CLASSES)
    assert list(book.targets()) == ["a"]
    assert book.scribbles("a") is None
    assert {type(la) for la in viewer.layers} == {Image, Labels}


def test_a_new_class_colours_strokes_and_results_alike(viewer) -> None:
    viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    book.targets()
    book.add_scribbles("a", CLASSES)
    more = CLASSES.with_class("puddle", color="#ff0000")
    book.set_classes(more)
    np.testing.assert_allclose(viewer.layers["scribbles"].colormap.map(np.array([3]))[0], [1, 0, 0, 1])


def test_listening_ends_when_told(viewer) -> None:
    heard: list[str] = []
    book = LayerBook(viewer, lambda: heard.append("layers"), lambda: heard.append("strokes"))
    layer = viewer.add_labels(np.zeros((8, 9), int))
    layer.paint((2, 2), 1)
    assert {"layers", "strokes"} == set(heard)
    book.disconnect()
    heard.clear()
    layer.name = "b"
    viewer.add_image(np.zeros((8, 9)))
    assert not heard
