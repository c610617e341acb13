"""The section Images in a real window: ticks, axes in words, channels, folders, and what the model sees."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from semidavil_core.data.image_files import write_image
from semidavil_core.errors import InvalidDataset
from semidavil_napari._aside import run_now
from semidavil_napari._image_axes import Axis, ImageAxes
from semidavil_napari._image_folder import FolderLayer, open_folder
from semidavil_napari._images import TargetImages
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.axes import AxesPanel
from semidavil_napari._panels.images import ImagesPanel
from tests.napari.conftest import child

pytestmark = pytest.mark.gui


def choose(combo, text: str) -> None:
    """As a person does: pick an entry."""
    index = combo.findText(text)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def words(widget) -> str:
    return child(widget, "semidavil_images_hint").text()


def write_folder(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    rng = np.random.default_rng(0)
    for number, size in enumerate(sizes):
        write_image(folder / f"night_{number:03d}.png", rng.integers(0, 255, (*size, 3)).astype(np.uint8))
    return folder


def open_and_wait(qtbot, widget, folder: Path) -> None:
    widget._images.folder_wanted.emit(folder)
    qtbot.waitUntil(lambda: not widget._targets.opening and widget._aside.idle and not widget._targets._folder, timeout=30_000)  # fmt: skip


# the panels alone


def test_ticks_stay_and_new_images_are_ticked_unless_a_person_unticked_one(qtbot) -> None:
    panel = ImagesPanel()
    qtbot.addWidget(panel)
    panel.setChoices({"a": "a"})
    assert panel.value() == ("a",)
    panel.setChoices({"a": "a", "b": "b"})
    assert panel.value() == ("a", "b")
    panel.setValue(("b",))
    panel.setChoices({"a": "new name", "b": "b", "c": "c"})
    assert panel.value() == ("b",)
    panel.setChoices({"b": "b"})
    assert panel.value() == ("b",)
    panel.setChoices({})
    assert "Open images" in panel.validation_error()


def test_the_axes_panel_asks_only_what_is_open(qtbot) -> None:
    panel = AxesPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.setValue(ImageAxes((64, 64), ()))
    assert not panel.isVisible()
    panel.setValue(ImageAxes((3, 64, 64), (None,)))
    axis = child(panel, "semidavil_axis_0")
    assert axis.currentText() == "please choose …"
    assert child(panel, "semidavil_channel_red").isVisible()  # assumed, so that the preview means something
    told: list[tuple[int, str]] = []
    panel.told.connect(lambda *what: told.append(what))
    choose(axis, "depth (z)")
    assert told == [(0, "z")]
    panel.setValue(ImageAxes((3, 64, 64), (Axis.Z,)))
    assert axis.findText("please choose …") < 0
    assert not child(panel, "semidavil_channel_red").isVisible()
    panel.setValue(ImageAxes((5, 64, 64), (Axis.IMAGES,), rgb=True))
    assert axis.findText("channels") < 0


def test_three_times_none_is_no_choice_of_channels(qtbot) -> None:
    panel = AxesPanel()
    qtbot.addWidget(panel)
    panel.setValue(ImageAxes((2, 64, 64), (Axis.CHANNELS,)))
    chosen: list[object] = []
    panel.channels_told.connect(chosen.append)
    choose(child(panel, "semidavil_channel_red"), "none")
    assert chosen == [(None, 1, None)]
    panel.setValue(ImageAxes((2, 64, 64), (Axis.CHANNELS,), chosen=(None, 1, None)))
    choose(child(panel, "semidavil_channel_green"), "none")
    assert chosen == [(None, 1, None)]
    assert child(panel, "semidavil_channel_green").currentText() == "2"


# in the window


def test_a_short_first_axis_must_be_told_before_adapt(open_widget, qtbot, source_folder) -> None:
    widget, viewer = open_widget(ready=False)
    child(widget, "semidavil_source").setText(str(source_folder))
    viewer.add_image(np.zeros((3, 40, 50), np.uint16), name="cells")
    said = child(widget, "semidavil_status").text()
    assert "are the 3 entries of its first axis channels of one image, or separate images?" in said
    assert "assumed" in words(widget)
    choose(child(widget, "semidavil_axis_0"), "channels")
    assert "3 channels: 1 as red, 2 as green, 3 as blue" in words(widget)
    assert "Add a scribbles layer" in child(widget, "semidavil_status").text()
    choose(child(widget, "semidavil_channel_blue"), "none")
    (image,) = widget._book.plan(("cells",), widget._classes.value())
    assert image.channels == (0, 1, None)
    choose(child(widget, "semidavil_axis_0"), "time")
    assert words(widget) == "cells: 3 time points of 50 x 40 pixels, grey"


def test_what_is_told_of_one_layer_holds_for_the_ticked_ones_like_it(open_widget) -> None:
    widget, viewer = open_widget(ready=False)
    for name in "abc":
        viewer.add_image(np.zeros((3, 40, 50), np.uint16), name=name)
    viewer.add_image(np.zeros((4, 40, 50), np.uint16), name="other")
    choose(child(widget, "semidavil_axis_0"), "channels")
    axes = {key: widget._book.axes(key) for key in "abc"}
    assert all(a.told == (Axis.CHANNELS,) for a in axes.values())
    assert widget._book.axes("other").undecided


def test_the_preview_shows_what_the_model_gets_and_follows_the_sliders(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    data = np.zeros((12, 300, 400, 3), np.uint8)
    data[:, :, :200] = 255, 0, 0
    data[7] = 0, 0, 255
    viewer.add_image(data, name="stack")
    preview = child(widget, "semidavil_preview")

    def colour() -> str:
        shown = preview.pixmap()
        return "" if shown.isNull() else shown.toImage().pixelColor(5, shown.height() // 2).name()

    qtbot.waitUntil(lambda: colour() == "#ff0000", timeout=10_000)
    viewer.dims.set_current_step(0, 7)
    qtbot.waitUntil(lambda: colour() == "#0000ff", timeout=10_000)


def test_an_image_of_no_numbers_is_told_in_place_of_the_preview(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    viewer.add_image(np.full((40, 50), np.nan, np.float32), name="dark", contrast_limits=(0, 1))
    preview = child(widget, "semidavil_preview")
    qtbot.waitUntil(lambda: "dark" in preview.text(), timeout=10_000)
    viewer.add_image(np.ones((40, 50)), name="fine")
    child(widget, "semidavil_target").setCurrentRow(1)
    qtbot.waitUntil(lambda: not preview.pixmap().isNull(), timeout=10_000)


def test_pixels_are_read_beside_the_window(open_widget, qtbot) -> None:
    dask = pytest.importorskip("dask.array")
    threads: list[str] = []

    def block(_=None, block_info=None):
        threads.append(threading.current_thread().name)
        return np.zeros((1, 400, 400), np.uint16)

    widget, viewer = open_widget(ready=False)
    data = dask.map_blocks(block, chunks=((1,) * 30, (400,), (400,)), dtype=np.uint16)
    viewer.add_image(data, name="lazy", contrast_limits=(0, 1), visible=False)
    threads.clear()
    widget._targets._show_preview()
    qtbot.waitUntil(lambda: bool(threads) and widget._aside.idle, timeout=10_000)
    assert threading.main_thread().name not in threads


def test_a_folder_of_equal_images_becomes_one_lazy_stack(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget(ready=False)
    folder = write_folder(tmp_path / "night", [(32, 40)] * 5)
    open_and_wait(qtbot, widget, folder)
    (layer,) = viewer.layers
    assert layer.name == "night"
    assert layer.rgb
    assert "5 images of 40 x 32 pixels, in colour" in words(widget)
    assert hasattr(layer.data, "dask")
    viewer.dims.set_current_step(0, 3)
    plan = widget._book.plan(widget._images.value(), widget._book.classes)
    assert len(plan) == 5
    assert plan[0].read().shape == (32, 40, 3)
    assert len({image.version for image in plan}) == 5


def test_a_folder_of_sizes_becomes_one_layer_each_of_which_one_is_shown(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget(ready=False)
    open_and_wait(qtbot, widget, write_folder(tmp_path / "night", [(32, 40), (30, 44), (32, 41)]))
    assert [layer.visible for layer in viewer.layers] == [True, False, False]
    assert len(widget._images.value()) == 3
    child(widget, "semidavil_add_scribbles").click()
    assert [la.name for la in viewer.layers if la.visible] == ["night_000", "scribbles: night_000"]
    child(widget, "semidavil_target").setCurrentRow(1)
    assert [la.name for la in viewer.layers if la.visible] == ["night_001"]
    child(widget, "semidavil_target").setCurrentRow(0)
    assert [la.name for la in viewer.layers if la.visible] == ["night_000", "scribbles: night_000"]


def test_damaged_files_are_left_out_and_told(open_widget, qtbot, tmp_path, monkeypatch) -> None:
    told: list[str] = []
    widget, viewer = open_widget(ready=False)
    widget._targets._tell = told.append
    folder = write_folder(tmp_path / "night", [(32, 40)] * 3)
    (folder / "broken.png").write_bytes(b"no image")
    open_and_wait(qtbot, widget, folder)
    assert viewer.layers[0].data.shape[0] == 3
    assert "1 files were left out" in told[0]
    assert "broken.png" in told[0]
    open_and_wait(qtbot, widget, tmp_path / "missing")
    assert "does not exist" in told[1]
    assert "3 images" in words(widget)


def test_two_hundred_images_of_many_sizes_open_one_layer_in_each_turn_of_the_event_loop(
    open_widget, qtbot, tmp_path
) -> None:
    widget, viewer = open_widget(ready=False)
    folder = write_folder(tmp_path / "many", [(16 + n % 4, 20) for n in range(200)])
    turns: list[int] = []
    widget._targets._next.timeout.connect(lambda: turns.append(len(viewer.layers)))
    open_and_wait(qtbot, widget, folder)
    assert turns == [1, 2, 3, 4]
    assert [layer.name for layer in viewer.layers] == [f"many (20 x {n})" for n in (16, 17, 18, 19)]
    assert sum(layer.data.shape[0] for layer in viewer.layers) == 200
    assert len(widget._book.plan(widget._images.value(), widget._book.classes)) == 200


def test_two_hundred_layers_in_the_list(qtbot) -> None:
    viewer, panel = ViewerModel(), ImagesPanel()
    qtbot.addWidget(panel)
    book = LayerBook(viewer, lambda: targets.on_layers(), lambda: None)
    targets = TargetImages(viewer, book, panel, run_now, lambda sentence: None)
    panel.changed.connect(targets.refresh)
    for number in range(200):
        made = FolderLayer(f"image {number}", np.zeros((16, 20 + number % 3)), False, ("y", "x"), (0, 1), ())
        book.add_image(made, "folder")
    target = child(panel, "semidavil_target")
    assert target.count() == len(panel.value()) == 200
    assert target.height() < 200  # scrolls
    assert words(panel).splitlines()[0] == "67 layers: one image of 20 x 16 pixels, grey"
    child(panel, "semidavil_tick_none").click()
    assert panel.value() == ()
    target.item(150).setCheckState(Qt.CheckState.Checked)
    target.setCurrentRow(150)
    targets.add_scribbles(book.classes)
    assert [la.name for la in viewer.layers if la.visible] == ["image 150", "scribbles: image 150"]
    book.scribbles("image 150").paint((2, 2), 2)
    assert book.painted(panel.keys(), book.classes)[1] > 0
    assert sum(image.scribbles is not None for image in book.plan(panel.keys(), book.classes)) == 1


# folders without a window


def test_sixteen_bit_stacks_keep_their_numbers_and_named_axes(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        data = rng.integers(100, 60_000, (2, 32, 40)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"{number}.tif", data, imagej=True, metadata={"axes": "CYX"})
    (layer,) = open_folder(tmp_path).layers
    assert layer.data.shape == (3, 2, 32, 40)
    assert layer.data.dtype == np.uint16
    assert layer.axis_labels == ("image", "channel", "y", "x")
    assert layer.contrast_limits[1] > 255
    np.testing.assert_array_equal(layer.data[2].compute(), data)


def test_an_axis_that_the_file_does_not_name_is_left_to_the_person(tmp_path) -> None:
    for number in range(2):
        tifffile.imwrite(
            tmp_path / f"{number}.tif", np.zeros((3, 32, 40), np.uint16), photometric="minisblack"
        )
    (layer,) = open_folder(tmp_path).layers
    assert layer.axis_labels == ("image", "-3", "y", "x")


def test_a_folder_without_images_is_told(tmp_path) -> None:
    with pytest.raises(InvalidDataset, match="holds no PNG"):
        open_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InvalidDataset, match="No image in"):
        open_folder(tmp_path)
