"""An image that was closed and is opened again: it is known again, and has the strokes that it had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semidavil_core.data.image_files import write_image
from semidavil_napari._image_axes import Axis
from tests.napari.conftest import child
from tests.napari.driving import click, layer
from tests.napari.test_project_window import all_on_disk, opened, reopen, save, settled

pytestmark = pytest.mark.gui


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four images of one size, as a person opens them."""
    return images_in(tmp_path / "newcells")


def images_in(place: Path, count: int = 4) -> Path:
    rng = np.random.default_rng(len(str(place)))
    for number in range(count):
        write_image(place / f"cell_{number}.png", rng.integers(0, 255, (32, 40, 3), np.uint8))
    return place


def open_folder(qtbot, widget, folder: Path) -> None:
    widget._targets.open_folder(folder)
    qtbot.waitUntil(lambda: not widget._targets.opening and not widget._targets._folder, timeout=20_000)


def paint(viewer, name: str, place: tuple[int, ...], label: int = 1) -> None:
    viewer.layers[name].paint(place, label)


def remove(viewer, *names: str) -> None:
    for name in names:
        viewer.layers.remove(name)


def close_image(qtbot, widget, viewer, name: str = "newcells") -> np.ndarray:
    """Remove an image and its strokes, and let that be noted; the strokes."""
    painted = viewer.layers["scribbles"].data.copy()
    remove(viewer, "scribbles", name)
    settled(qtbot, widget)
    return painted


def paint_anew(qtbot, widget, viewer) -> np.ndarray:
    """A stroke on a scribbles layer that was just added; all strokes of this layer."""
    click(qtbot, widget, "semidavil_add_scribbles")
    paint(viewer, "scribbles", (3, 25, 30), 2)
    return viewer.layers["scribbles"].data.copy()


def begin(qtbot, open_widget, folder: Path, project: Path | None):
    """A window with a folder open and a stroke on its last image, saved as a project if one is given."""
    widget, viewer = open_widget(ready=False)
    widget._project.autosave._timer.setInterval(50)
    open_folder(qtbot, widget, folder)
    click(qtbot, widget, "semidavil_add_scribbles")
    paint(viewer, "scribbles", (3, 10, 10))
    if project is not None:
        save(qtbot, widget, project)
    return widget, viewer


def strokes_are(viewer, wanted: np.ndarray) -> bool:
    found = layer(viewer, "scribbles")
    return found is not None and np.array_equal(found.data, wanted)


def test_strokes_of_an_image_that_was_closed_are_there_when_it_is_opened_again(
    open_widget, qtbot, tmp_path, folder
) -> None:
    widget, viewer = begin(qtbot, open_widget, folder, tmp_path / "job")
    painted = close_image(qtbot, widget, viewer)
    open_folder(qtbot, widget, folder)
    qtbot.waitUntil(lambda: strokes_are(viewer, painted), timeout=20_000)
    paint(viewer, "scribbles", (3, 25, 30), 2)
    settled(qtbot, widget)
    np.testing.assert_array_equal(all_on_disk(tmp_path / "job")["newcells"], viewer.layers["scribbles"].data)


@pytest.mark.parametrize("saved", [True, False])
def test_strokes_painted_before_the_kept_ones_are_read_lie_beside_them(
    open_widget, qtbot, tmp_path, folder, saved: bool
) -> None:
    """A quick person, who also closes the image within the autosave's interval."""
    widget, viewer = begin(qtbot, open_widget, folder, tmp_path / "job" if saved else None)
    widget._project.autosave._timer.setInterval(600_000)
    paint(viewer, "scribbles", (2, 8, 8), 2)
    painted = viewer.layers["scribbles"].data.copy()
    qtbot.waitUntil(lambda: not widget._settle.isActive(), timeout=20_000)
    remove(viewer, "scribbles", "newcells")
    stand_still, widget._project.autosave.files._done = widget._project.autosave.files._done, _Held()
    open_folder(qtbot, widget, folder)
    quick = paint_anew(qtbot, widget, viewer)
    held, widget._project.autosave.files._done = widget._project.autosave.files._done, stand_still
    held.let_go(stand_still)
    both = np.where(quick, quick, painted)
    qtbot.waitUntil(lambda: strokes_are(viewer, both), timeout=20_000)
    save(qtbot, widget, tmp_path / "another")
    np.testing.assert_array_equal(all_on_disk(tmp_path / "another")["newcells"], both)


class _Held:
    """Answers from the background that do not come yet."""

    def __init__(self) -> None:
        self._answers: list[tuple] = []

    def emit(self, *answer: object) -> None:
        self._answers.append(answer)

    def let_go(self, signal) -> None:
        for answer in self._answers:
            signal.emit(*answer)


def test_closing_napari_before_the_kept_strokes_are_back_loses_none(
    open_widget, qtbot, tmp_path, folder
) -> None:
    widget, viewer = begin(qtbot, open_widget, folder, tmp_path / "job")
    painted = close_image(qtbot, widget, viewer)
    widget._project.autosave._timer.setInterval(600_000)
    widget._project.autosave.files._done = _Held()
    open_folder(qtbot, widget, folder)
    quick = paint_anew(qtbot, widget, viewer)
    widget._project.close()
    np.testing.assert_array_equal(all_on_disk(tmp_path / "job")["newcells"], np.where(quick, quick, painted))


def test_strokes_of_an_image_closed_in_an_earlier_window_are_there_when_it_is_opened_again(
    open_widget, qtbot, tmp_path, folder
) -> None:
    other = images_in(tmp_path / "others", 2)
    widget, viewer = begin(qtbot, open_widget, folder, tmp_path / "job")
    painted = viewer.layers["scribbles"].data.copy()
    open_folder(qtbot, widget, other)
    remove(viewer, "scribbles", "newcells")
    settled(qtbot, widget)
    widget._project.close()
    again, viewer = reopen(qtbot, open_widget, tmp_path / "job")
    opened(qtbot, again)
    assert [la.name for la in viewer.layers] == ["others"]
    open_folder(qtbot, again, folder)
    qtbot.waitUntil(lambda: strokes_are(viewer, painted), timeout=20_000)
    settled(qtbot, again)
    np.testing.assert_array_equal(all_on_disk(tmp_path / "job")["newcells"], painted)


def test_another_folder_of_the_same_name_and_size_leaves_the_kept_strokes_alone(
    open_widget, qtbot, tmp_path, folder
) -> None:
    widget, viewer = begin(qtbot, open_widget, folder, tmp_path / "job")
    painted = close_image(qtbot, widget, viewer)
    open_folder(qtbot, widget, images_in(tmp_path / "elsewhere" / "newcells"))
    settled(qtbot, widget)
    assert layer(viewer, "scribbles") is None
    anew = paint_anew(qtbot, widget, viewer)
    settled(qtbot, widget)
    found = all_on_disk(tmp_path / "job")
    np.testing.assert_array_equal(found["newcells"], painted)
    np.testing.assert_array_equal(found["newcells (2)"], anew)


@pytest.mark.parametrize("saved", [True, False])
def test_an_image_whose_strokes_stayed_on_screen_has_them_when_it_is_opened_again(
    open_widget, qtbot, tmp_path, folder, saved: bool
) -> None:
    widget, viewer = begin(qtbot, open_widget, folder, tmp_path / "job" if saved else None)
    strokes = viewer.layers["scribbles"]
    paint(viewer, "scribbles", (1, 5, 5), 2)
    settled(qtbot, widget)
    remove(viewer, "newcells")
    paint(viewer, "scribbles", (0, 25, 30), 2)
    settled(qtbot, widget)
    open_folder(qtbot, widget, folder)
    assert widget._book.scribbles("newcells").unique_id == strokes.unique_id
    assert widget._images.value() == ("newcells",)
    settled(qtbot, widget)
    strokes.undo()
    assert not strokes.data[0].any(), "and they can still be undone"
    if not saved:
        return
    settled(qtbot, widget)
    assert set(all_on_disk(tmp_path / "job")) == {"newcells"}
    widget._project.close()
    again, other = reopen(qtbot, open_widget, tmp_path / "job")
    opened(qtbot, again)
    assert strokes_are(other, strokes.data)


def test_an_image_of_another_size_does_not_take_strokes_that_stayed_on_screen(
    open_widget, qtbot, folder
) -> None:
    widget, viewer = begin(qtbot, open_widget, folder, None)
    remove(viewer, "newcells")
    viewer.add_image(np.zeros((2, 20, 24, 3), np.uint8), name="newcells", rgb=True)
    assert widget._images.value() == ("newcells (2)",)


def test_results_that_stayed_on_screen_belong_to_the_image_again(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    image = viewer.layers["night"].data
    viewer.add_labels(
        np.ones((2, 32, 40), np.uint8),
        name="prediction",
        metadata={"semidavil": {"role": "prediction", "image": "night"}},
    )
    remove(viewer, "night")
    viewer.add_image(image, name="night", scale=(1, 2, 2))
    assert widget._images.value() == ("night",)
    found = widget._book.result("prediction", "night")
    assert found.unique_id == viewer.layers["prediction"].unique_id


def test_what_was_said_of_the_axes_of_a_closed_image_still_holds(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget(ready=False)
    stack = np.random.default_rng(0).integers(0, 255, (4, 32, 40), np.uint8)
    viewer.add_image(stack, name="channels?")
    widget._book.tell_axis(["channels?"], 0, Axis.CHANNELS)
    click(qtbot, widget, "semidavil_add_scribbles")
    paint(viewer, "scribbles", (10, 10))
    save(qtbot, widget, tmp_path / "job")
    painted = close_image(qtbot, widget, viewer, "channels?")
    viewer.add_image(stack, name="channels?")
    qtbot.waitUntil(lambda: strokes_are(viewer, painted), timeout=20_000)
    assert child(widget, "semidavil_adapt") is not None
    assert "assumed" not in str(widget._book.axes("channels?"))
