"""Images and strokes out of real layers, results into them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from semidavil_core.classes import ClassSet
from semidavil_core.events import PreviewReady
from semidavil_napari._image_axes import Axis
from semidavil_napari._layers import LayerBook, describe

CLASSES = ClassSet.from_names(["road", "sky"])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def book_of(viewer: ViewerModel) -> LayerBook:
    return LayerBook(viewer, lambda: None, lambda: None)


RGB, GREY = {"rgb": True}, {"rgb": False}


@pytest.mark.parametrize(
    ("data", "how", "count", "plane", "channels"),
    [
        (np.zeros((8, 9), np.uint16), GREY, 1, (8, 9), None),
        (np.zeros((8, 9, 3), np.uint8), RGB, 1, (8, 9, 3), None),
        (np.zeros((5, 8, 9, 4), np.uint8), RGB, 5, (8, 9, 4), None),
        (np.zeros((12, 8, 9), np.float32), GREY, 12, (8, 9), None),
        (np.zeros((2, 8, 9), np.uint16), {"axis_labels": ("c", "y", "x")}, 1, (8, 9, 2), (0, 1, None)),
        (np.zeros((4, 8, 9), np.uint16), {"axis_labels": ("channel", "y", "x")}, 1, (8, 9, 4), (0, 1, 2)),
        (np.zeros((12, 8, 9), np.uint16), {"axis_labels": ("C", "y", "x")}, 1, (8, 9, 12), (0, 1, 2)),
        (np.zeros((2, 3, 5, 8, 9), np.uint8), {"axis_labels": ("c", "t", "z", "y", "x")}, 15, (8, 9, 2), (0, 1, None)),
    ],
)  # fmt: skip
def test_a_layer_is_taken_apart_into_images(viewer, data, how, count, plane, channels) -> None:
    viewer.add_image(data, name="a", **{"rgb": False, **how})
    book = book_of(viewer)
    plan = book.plan(tuple(book.targets()), CLASSES)
    assert book.problem(tuple(book.targets())) is None
    assert len(plan) == count
    assert plan[0].read().shape == plane
    assert plan[0].channels == channels
    assert len({p.name for p in plan}) == count


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_a_short_axis_without_a_name_is_taken_for_nothing_until_a_person_tells(viewer, length: int) -> None:
    viewer.add_image(np.zeros((length, 8, 9), np.uint16), name="a")
    book = book_of(viewer)
    keys = tuple(book.targets())
    assert "separate images" in book.problem(keys)
    assert "assumed" in describe(viewer.layers["a"])
    book.tell_axis(keys, 0, Axis.IMAGES)
    assert book.problem(keys) is None
    assert len(book.plan(keys, CLASSES)) == length
    book.tell_axis(keys, 0, Axis.CHANNELS)
    (image,) = book.plan(keys, CLASSES)
    assert image.read().shape == (8, 9, length)
    assert image.axes == "YXC"


def test_what_was_told_of_the_axes_survives_renaming_and_saving_of_the_layer(viewer) -> None:
    layer = viewer.add_image(np.zeros((3, 8, 9), np.uint16), name="a")
    book = book_of(viewer)
    book.tell_axis(tuple(book.targets()), 0, Axis.CHANNELS)
    book.tell_channels(("a",), (2, None, 0))
    layer.name = "b"
    data, meta, kind = layer.as_layer_data_tuple()
    viewer.layers.clear()
    viewer._add_layer_from_data(data, meta, kind)
    (image,) = book_of(viewer).plan(("a",), CLASSES)
    assert image.channels == (2, None, 0)


def test_channels_that_are_not_the_first_axis_are_put_there_on_request(viewer) -> None:
    data = np.arange(4 * 3 * 8 * 9, dtype=np.uint16).reshape(4, 3, 8, 9)
    layer = viewer.add_image(data, name="a", axis_labels=("z", "c", "y", "x"), scale=(5, 1, 2, 3))
    book = book_of(viewer)
    keys = tuple(book.targets())
    assert "Put channels first" in book.problem(keys)
    book.put_channels_first(keys)
    assert book.problem(keys) is None
    assert layer.axis_labels == ("c", "z", "y", "x")
    np.testing.assert_allclose(layer.scale, (1, 5, 2, 3))
    plan = book.plan(keys, CLASSES)
    assert len(plan) == 4
    np.testing.assert_array_equal(plan[2].read(), np.moveaxis(data[2], 0, -1))
    book.add_scribbles("a", CLASSES)
    assert book.scribbles("a").data.shape == (4, 8, 9)
    np.testing.assert_allclose(book.scribbles("a").scale, (5, 2, 3))


def test_channels_that_are_the_last_axis_are_asked_for_and_put_first_on_request(viewer) -> None:
    data = np.arange(20 * 24 * 5, dtype=np.uint16).reshape(20, 24, 5)
    layer = viewer.add_image(data, name="a", scale=(2, 3, 1))
    book = book_of(viewer)
    keys = tuple(book.targets())
    assert "only 5 pixels wide?" in describe(layer)
    book.put_channels_first(keys)
    assert describe(layer).startswith("one image of 24 x 20 pixels, 5 channels")
    np.testing.assert_allclose(layer.scale, (1, 2, 3))
    np.testing.assert_array_equal(book.plan(keys, CLASSES)[0].read(), data)


def test_an_unused_scribbles_layer_follows_a_correction_of_the_axes_and_a_used_one_is_told_of(viewer) -> None:
    viewer.add_image(np.zeros((12, 8, 9), np.uint16), name="a")
    book = book_of(viewer)
    keys = tuple(book.targets())
    book.add_scribbles("a", CLASSES)
    book.tell_axis(keys, 0, Axis.CHANNELS)
    assert book.scribbles("a") is None
    book.add_scribbles("a", CLASSES)
    book.scribbles("a").paint((2, 2), 1)
    book.tell_axis(keys, 0, Axis.Z)
    assert "8 x 9, but strokes on “a” must be 12 x 8 x 9" in book.problem(keys)
    book.add_scribbles("a", CLASSES)
    assert book.problem(keys) is None
    assert book.scribbles("a").data.shape == (12, 8, 9)
    assert viewer.layers["scribbles"].data.any()  # the strokes are still there, in an ordinary layer


def test_axes_are_told_in_words(viewer) -> None:
    stack = viewer.add_image(np.zeros((3, 8, 9), np.uint8), axis_labels=("z", "y", "x"), rgb=False)
    assert describe(stack) == "3 planes in depth of 9 x 8 pixels, grey"
    channels = viewer.add_image(np.zeros((3, 8, 9), np.uint8), axis_labels=("c", "y", "x"), rgb=False)
    assert describe(channels) == "one image of 9 x 8 pixels, 3 channels: 1 as red, 2 as green, 3 as blue"
    many = viewer.add_image(np.zeros((20, 10, 8, 9, 3), np.uint8), axis_labels=("t", "z", "y", "x"), rgb=True)
    assert describe(many) == "20 time points x 10 planes in depth (200 images) of 9 x 8 pixels, in colour"


def test_the_image_that_is_shown_is_sent_and_predicted_first(viewer) -> None:
    viewer.add_image(np.zeros((6, 8, 9)), name="a", axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 4)
    book = book_of(viewer)
    plan = book.plan(tuple(book.targets()), CLASSES)
    assert [image.name for image in plan] == [f"a/{n:04d}" for n in (4, 5, 0, 1, 2, 3)]


def test_dask_and_multiscale_layers_are_read_when_asked(viewer) -> None:
    dask = pytest.importorskip("dask.array")
    stack = dask.arange(12 * 8 * 9, chunks=50).reshape(12, 8, 9)
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
    strokes.refresh()
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
    viewer.add_image(np.zeros((8, 9)), name="a")
    layer = viewer.add_labels(np.zeros((8, 9), int))
    assert book.painted(tuple(book.targets()), CLASSES) == [0, 0]
    layer.paint((2, 2), 1)
    assert {"layers", "strokes"} == set(heard)
    book.disconnect()
    heard.clear()
    layer.name = "b"
    layer.paint((2, 2), 2)
    viewer.add_image(np.zeros((8, 9)))
    assert not heard


@pytest.mark.parametrize("name", ["a", "a/b", "a/0001", "0001"])
def test_the_engines_name_of_an_image_leads_back_to_its_place(viewer, name: str) -> None:
    viewer.add_image(np.zeros((12, 8, 9)), name=name)
    viewer.add_image(np.zeros((8, 9)), name="a/b/0003")
    book = book_of(viewer)
    for key in book.targets():
        for image in book.plan((key,), CLASSES):
            assert book.place_of(image.name).name == image.name
    assert book.place_of("unknown/0001") is None
    assert book.place_of(f"{name}/0012") is None


def test_a_copied_image_is_an_image_of_its_own_and_a_copied_result_an_ordinary_layer(viewer) -> None:
    image = viewer.add_image(np.zeros((8, 9)), name="a")
    book = book_of(viewer)
    book.add_scribbles(next(iter(book.targets())), CLASSES)
    (plan,) = book.plan(("a",), CLASSES)
    book.show(PreviewReady(plan.name, np.ones((8, 9), np.uint8), np.ones((8, 9), np.float32), None), CLASSES)
    for layer in (image, viewer.layers["scribbles"], viewer.layers["prediction"]):
        data, meta, kind = layer.as_layer_data_tuple()
        viewer._add_layer_from_data(data.copy(), {**meta, "name": f"{layer.name} copy"}, kind)
    assert book.targets() == {"a": "a", "a (2)": "a copy"}
    assert book.scribbles("a").name == "scribbles"
    assert book.scribbles("a (2)").name == "scribbles copy"
    assert viewer.layers["prediction copy"].editable
    assert "semidavil" not in viewer.layers["prediction copy"].metadata
