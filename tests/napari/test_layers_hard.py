"""Hard moments of layers in a real window, while a round runs or two windows share a viewer."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from semidavil_napari import _strokes
from semidavil_napari._session import State
from tests.napari.conftest import child
from tests.napari.driving import begin_round, click, finish_round, layer, run_round, state, status
from tests.napari.test_images_panel import choose, words

pytestmark = pytest.mark.gui


def painted(widget) -> list[int]:
    widget._choices.on_strokes()
    return widget._choices.painted


@pytest.mark.parametrize("roles", [("scribbles",), ("target",), ("prediction", "confidence", "pseudo_labels"), ("target", "scribbles")])  # fmt: skip
def test_layers_deleted_mid_round_do_no_harm(open_widget, qtbot, roles) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    qtbot.waitUntil(lambda: layer(viewer, "prediction") is not None, timeout=10_000)
    for role in roles:
        if (found := layer(viewer, role)) is not None:
            viewer.layers.remove(found)
    finish_round(qtbot, widget)
    ready = "target" not in roles and "scribbles" not in roles
    assert child(widget, "semidavil_adapt").isEnabled() is ready
    assert layer(viewer, "prediction") is not None  # came back, or is kept as it was


def test_all_layers_cleared_mid_round(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    viewer.layers.clear()
    finish_round(qtbot, widget)
    assert not viewer.layers
    assert "Open images" in status(widget)


def test_every_layer_renamed_mid_round_is_still_known(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    qtbot.waitUntil(lambda: layer(viewer, "pseudo_labels") is not None, timeout=10_000)
    for number, found in enumerate(list(viewer.layers)):
        found.name = f"layer {number}"
    count = len(viewer.layers)
    finish_round(qtbot, widget)
    run_round(qtbot, widget)
    assert len(viewer.layers) == count
    assert layer(viewer, "prediction").data.all()
    assert child(widget, "semidavil_target").item(0).text().startswith("layer")


def test_painting_and_undo_mid_round_count_for_the_next(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    before = painted(widget)
    begin_round(qtbot, widget)
    strokes.brush_size = 5
    strokes.paint((1, 10, 10), 2)
    more = painted(widget)
    assert more[1] > before[1]
    strokes.undo()
    assert painted(widget) == before
    strokes.redo()
    assert painted(widget) == more
    finish_round(qtbot, widget)
    plan = widget._plans.plan()
    second = next(image for image in plan.images if image.name.endswith("0001"))
    assert (second.scribbles == 1).sum() == (strokes.data[1] == 2).sum() > 0


def test_the_plan_of_a_running_round_does_not_see_later_strokes(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    plan = widget._plans.plan()
    kept = [None if image.scribbles is None else image.scribbles.copy() for image in plan.images]
    strokes = viewer.layers["my strokes"]
    for plane in (0, 1):
        strokes.paint((plane, 12, 12), 2)
    for image, was in zip(plan.images, kept, strict=True):
        np.testing.assert_array_equal(image.scribbles, was)


def test_images_switched_mid_round(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    viewer.dims.set_current_step(0, 1)
    viewer.add_image(np.zeros((20, 24, 3), np.uint8), name="another", rgb=True)
    assert widget._images.value() == ("night", "another")
    widget._images.setValue(("another",))
    child(widget, "semidavil_target").setCurrentRow(1)
    click(qtbot, widget, "semidavil_add_scribbles")
    viewer.layers["night"].visible = False
    finish_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)
    assert layer(viewer, "prediction").metadata["semidavil"]["image"] == "night"
    names = {la.name for la in viewer.layers if la.metadata["semidavil"]["image"] == "another"}
    assert names == {"another", "scribbles: another"}
    strokes = viewer.layers["scribbles: another"]
    strokes.paint((2, 2), 1)
    strokes.paint((15, 15), 2)
    qtbot.waitUntil(lambda: child(widget, "semidavil_adapt").isEnabled(), timeout=5_000)
    run_round(qtbot, widget)
    assert any(la.metadata["semidavil"]["image"] == "another" and la.metadata["semidavil"]["role"] == "prediction" for la in viewer.layers)  # fmt: skip


def test_axes_corrected_mid_round_drop_the_old_previews(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    viewer.add_image(np.zeros((12, 32, 40), np.uint16), name="stack")
    book = widget._book
    name = book.plan(("stack",), book.classes)[3].name
    choose(child(widget, "semidavil_axis_0"), "channels")
    assert book.place_of(name) is None
    assert words(widget).startswith("stack: one image of 40 x 32 pixels, 12 channels")


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_deep_stack_goes_round(open_widget, qtbot, source_folder, dtype) -> None:
    widget, viewer = open_widget(ready=False)
    child(widget, "semidavil_source").setText(str(source_folder))
    child(widget, "semidavil_budget").setValue(1)
    data = np.random.default_rng(0).integers(500, 40_000, (10, 32, 40)).astype(dtype)
    viewer.add_image(data, name="stack", scale=(3, 0.5, 0.5))
    click(qtbot, widget, "semidavil_add_scribbles")
    strokes = layer(viewer, "scribbles")
    strokes.paint((4, 5, 5), 1)
    strokes.paint((7, 20, 20), 2)
    qtbot.waitUntil(lambda: child(widget, "semidavil_adapt").isEnabled(), timeout=5_000)
    run_round(qtbot, widget)
    prediction = layer(viewer, "prediction")
    assert prediction.data.shape == (10, 32, 40)
    assert prediction.data.all()
    np.testing.assert_allclose(prediction.scale, (3, 0.5, 0.5))


def test_labels_of_another_shape_are_told_and_a_fitting_layer_is_one_click_away(
    open_widget, qtbot, source_folder
) -> None:
    widget, viewer = open_widget(ready=False)
    child(widget, "semidavil_source").setText(str(source_folder))
    viewer.add_image(np.zeros((12, 32, 40), np.uint8), name="stack")
    viewer.add_labels(np.ones((32, 40), np.uint8), name="flat")
    said = "The labels layer “flat” is 32 x 40, but strokes on “stack” must be 12 x 32 x 40; press Add scribbles layer."
    assert said in status(widget)
    click(qtbot, widget, "semidavil_add_scribbles")
    assert "flat" not in status(widget)
    assert layer(viewer, "scribbles").data.shape == (12, 32, 40)
    assert viewer.layers["flat"].data.all()


def test_the_scribbles_data_replaced_by_another_shape_is_told_and_nothing_breaks(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    strokes = viewer.layers["my strokes"]
    strokes.data = np.ones((32, 40), np.uint8)
    assert "“my strokes” is 32 x 40" in status(widget)
    assert not child(widget, "semidavil_adapt").isEnabled()
    fresh = np.zeros((2, 32, 40), np.int32)
    fresh[1, :4], fresh[1, -4:] = 1, 2
    strokes.data = fresh
    qtbot.waitUntil(lambda: child(widget, "semidavil_adapt").isEnabled(), timeout=5_000)
    assert painted(widget) == [160, 160]


def test_a_big_scribbles_layer_is_counted_beside_the_window_and_then_adapt_works(
    open_widget, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(_strokes, "_READ_AT_ONCE", 10)
    read_in: list[str] = []
    plane = _strokes.count_plane
    monkeypatch.setattr(_strokes, "count_plane", lambda p: read_in.append(threading.current_thread().name) or plane(p))  # fmt: skip
    widget, _ = open_widget()
    assert "Reading the strokes" in status(widget)
    qtbot.waitUntil(lambda: child(widget, "semidavil_adapt").isEnabled(), timeout=10_000)
    assert painted(widget) == [160, 160]
    assert threading.main_thread().name not in read_in


def test_two_viewers_know_nothing_of_each_other(open_widget, qtbot) -> None:
    (first, one), (second, _) = open_widget(), open_widget()
    before = painted(second)
    one.layers["my strokes"].paint((0, 15, 15), 2)
    assert painted(second) == before != painted(first)
    run_round(qtbot, first)
    assert layer(one, "prediction") is not None
    assert all(la.metadata["semidavil"]["role"] in ("target", "scribbles") for la in second._viewer.layers)


def test_the_plugin_opened_again_is_the_window_that_is_there(plugin, make_napari_viewer_proxy) -> None:
    viewer = make_napari_viewer_proxy()
    _, first = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    _, second = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    assert first is second


def test_two_windows_on_one_viewer_share_the_layers_and_double_nothing(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    from semidavil_napari._dock_widget import AdaptWidget

    second = AdaptWidget(viewer, widget._jobs._command)
    viewer.window.add_dock_widget(second, name="SemiDAViL again")
    counted = painted(widget)
    viewer.layers["my strokes"].paint((1, 15, 15), 2)
    assert painted(widget)[1] > counted[1]
    child(second, "semidavil_source").setText(child(widget, "semidavil_source").text())
    child(second, "semidavil_budget").setValue(1)
    second.prepare_budget = widget.prepare_budget
    assert painted(second) == painted(widget)
    run_round(qtbot, widget)
    run_round(qtbot, second)
    roles = [la.metadata["semidavil"]["role"] for la in viewer.layers]
    assert sorted(roles) == sorted(set(roles))  # one layer of each role
    viewer.window.remove_dock_widget(second)
    second.deleteLater()
    qtbot.wait(200)
    viewer.layers["my strokes"].paint((1, 20, 15), 1)
    viewer.dims.set_current_step(0, 1)
    assert painted(widget)[0] > 0
    assert state(widget) is State.IDLE
