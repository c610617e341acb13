"""Counting strokes from what the Labels tools tell, without reading whole layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from semidavil_core.classes import ClassSet
from semidavil_napari import _strokes
from semidavil_napari._layers import LayerBook
from semidavil_napari._strokes import Strokes, count_planes

TABLE = np.array([255, 0, 1, 2, *[255] * 252], np.uint8)


class Later:
    """Work that is done when the test says so."""

    def __init__(self) -> None:
        self.todo: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def __call__(self, key, work, then, failed=None) -> None:
        self.todo.append((work, then))

    def do(self) -> None:
        while self.todo:
            work, then = self.todo.pop(0)
            then(work())


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def reads(monkeypatch) -> list[int]:
    """Grows when a whole layer is read."""
    read: list[int] = []

    def counted(data):
        read.append(data.size)
        return count_planes(data)

    monkeypatch.setattr(_strokes, "count_planes", counted)
    return read


def listen(viewer, layer: Labels, **how: Any) -> Strokes:
    return Strokes(layer, lambda: None, lambda: tuple(viewer.dims.point), **how)


def check(strokes: Strokes, layer: Labels) -> None:
    truth = count_planes(layer.data)
    assert set(strokes.places) == set(truth)
    for place, count in truth.items():
        np.testing.assert_array_equal(strokes.count(place), count)


def stack(viewer, dtype: Any = np.uint8) -> Labels:
    return viewer.add_labels(np.zeros((4, 30, 40), dtype), name="s")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("edited", [2, 3])
def test_whatever_tool_paints_the_counts_are_right_and_nothing_is_read(viewer, reads, dtype, edited) -> None:
    layer = stack(viewer, dtype)
    layer.n_edit_dimensions = edited
    strokes = listen(viewer, layer, empty=True)
    rng = np.random.default_rng(0)
    for step in range(12):
        viewer.dims.set_current_step(0, step % 4)
        layer.brush_size = int(rng.integers(1, 9))
        with layer.block_history():  # one stroke of several dabs
            for _ in range(3):
                layer.paint((step % 4, rng.integers(30), rng.integers(40)), int(rng.integers(0, 4)))
        check(strokes, layer)
    layer.fill((1, 3, 3), 3)
    check(strokes, layer)
    layer.n_edit_dimensions = 2
    layer.paint_polygon([(2, 2, 2), (2, 2, 20), (2, 20, 10)], 2)
    check(strokes, layer)
    layer.data_setitem((np.array([0, 0, 3]), np.array([1, 2, 3]), np.array([4, 5, 6])), 3)
    check(strokes, layer)
    assert not reads


def test_undo_and_redo_are_counted_and_nothing_is_read(viewer, reads) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    for value in (1, 2, 3):
        layer.paint((value, 10, 10), value)
    for _ in range(2):
        layer.undo()
        check(strokes, layer)
    layer.redo()
    check(strokes, layer)
    layer.paint((0, 5, 5), 2)  # drops what could be redone
    check(strokes, layer)
    layer.redo()
    layer.undo()
    check(strokes, layer)
    layer.undo()
    layer.undo()
    check(strokes, layer)
    assert strokes.places == ()
    assert not reads


def test_the_sliders_read_nothing(viewer, reads) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    layer.paint((1, 5, 5), 2)
    for plane in range(4):
        viewer.dims.set_current_step(0, plane)
    check(strokes, layer)
    assert not reads


def test_an_undo_while_the_layer_is_hidden_is_noticed_with_the_next_stroke(viewer) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    layer.paint((1, 5, 5), 2)
    layer.paint((2, 5, 5), 1)
    layer.visible = False
    layer.undo()
    layer.paint((3, 5, 5), 1)
    check(strokes, layer)
    layer.undo()
    layer.undo()
    layer.redo()
    layer.paint((0, 5, 5), 1)
    check(strokes, layer)


def test_many_strokes_and_a_history_that_is_reset_do_not_confuse_the_counts(viewer, reads) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    for step in range(130):  # napari keeps 100
        layer.paint((step % 4, step % 30, step % 40), 1 + step % 3)
    check(strokes, layer)
    layer.editable = False
    layer.editable = True
    layer.paint((1, 20, 2), 3)
    check(strokes, layer)
    assert not reads


def test_what_is_written_without_a_stroke_is_read_when_it_is_drawn(viewer, reads) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    layer.data[2, :5] = 3
    layer.refresh()
    check(strokes, layer)
    before = strokes.indices((2,), TABLE)
    layer.data[2, :5] = 1
    layer.refresh()
    np.testing.assert_array_equal(before[:5], 2)  # a copy
    np.testing.assert_array_equal(strokes.indices((2,), TABLE)[:5], 0)
    assert reads


def test_new_data_is_read_anew(viewer) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    layer.paint((1, 5, 5), 2)
    data = np.zeros((4, 30, 40), np.int32)
    data[3, 3, 3], data[3, 3, 4] = 2, -1
    layer.data = data
    check(strokes, layer)
    assert strokes.places == ((3,),)


def test_a_big_layer_is_read_in_the_background_and_strokes_meanwhile_are_not_lost(
    viewer, monkeypatch
) -> None:
    monkeypatch.setattr(_strokes, "_READ_AT_ONCE", 10)
    data = np.zeros((4, 30, 40), np.uint8)
    data[1, :3], data[2, :3] = 1, 2
    layer, later = viewer.add_labels(data), Later()
    strokes = listen(viewer, layer, run=later)
    assert not strokes.ready
    work, then = later.todo.pop()
    found = work()
    layer.paint((3, 9, 9), 3)
    layer.paint((1, 1, 1), 0)
    layer.paint((2, 1, 1), 0)
    layer.undo()
    then(found)
    assert strokes.ready
    check(strokes, layer)


def test_data_that_is_replaced_while_it_is_read_is_read_again(viewer, monkeypatch) -> None:
    monkeypatch.setattr(_strokes, "_READ_AT_ONCE", 10)
    layer, later = viewer.add_labels(np.ones((4, 30, 40), np.uint8)), Later()
    strokes = listen(viewer, layer, run=later)
    layer.data = np.zeros((4, 30, 40), np.uint8)
    layer.data[0, 0, 0] = 2
    later.do()
    assert strokes.ready
    check(strokes, layer)


def test_copies_of_strokes_are_made_again_only_where_someone_painted(viewer) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    layer.paint((1, 5, 5), 2)
    layer.paint((2, 5, 5), 1)
    first, second = (strokes.indices((n,), TABLE) for n in (1, 2))
    assert strokes.indices((0,), TABLE) is None
    layer.paint((2, 9, 9), 3)
    assert strokes.indices((1,), TABLE) is first
    again = strokes.indices((2,), TABLE)
    assert again is not second
    np.testing.assert_array_equal(again[5, 5], 0)
    np.testing.assert_array_equal(again[9, 9], 2)
    assert strokes.version((0,)) == 0 < strokes.version((1,)) < strokes.version((2,))


def test_strokes_of_no_class_are_no_strokes(viewer) -> None:
    layer = stack(viewer, np.int32)
    strokes = listen(viewer, layer, empty=True)
    layer.paint((1, 5, 5), 9)
    layer.paint((2, 5, 5), 300)
    assert strokes.indices((1,), TABLE) is None
    assert strokes.indices((2,), TABLE) is None


def test_erased_planes_cost_nothing_any_more(viewer) -> None:
    layer = stack(viewer)
    strokes = listen(viewer, layer, empty=True)
    layer.paint((1, 5, 5), 2)
    layer.brush_size = 60
    layer.paint((1, 15, 20), 0)
    assert not layer.data.any()
    assert strokes.places == ()
    assert strokes.indices((1,), TABLE) is None


def test_adapt_waits_for_a_big_layer_that_is_being_read(viewer, monkeypatch) -> None:
    monkeypatch.setattr(_strokes, "_READ_AT_ONCE", 10)
    later = Later()
    viewer.add_image(np.zeros((30, 40)), name="a")
    viewer.add_labels(np.ones((30, 40), np.uint8))
    book = LayerBook(viewer, lambda: None, lambda: None, later)
    keys = tuple(book.targets())
    assert book.problem(keys) == "Reading the strokes …"
    later.do()
    assert book.problem(keys) is None
    assert book.painted(keys, ClassSet.from_names(["road", "sky"])) == [1200, 0]
