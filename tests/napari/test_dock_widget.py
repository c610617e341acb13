"""The window in a real viewer, with an engine of a few lines: what a person clicks and what comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from semidavil_napari._session import State
from tests.napari.conftest import child
from tests.napari.driving import (
    begin_round,
    click,
    finish_round,
    hold,
    layer,
    let_go,
    run_round,
    state,
    status,
    steps_seen,
    wait_for,
)

pytestmark = pytest.mark.gui


def test_adapt_is_disabled_and_says_what_is_missing_step_by_step(open_widget, qtbot, source_folder) -> None:
    widget, viewer = open_widget(ready=False)
    button = child(widget, "semidavil_adapt")
    assert not button.isEnabled()
    assert "Open images" in status(widget)
    viewer.add_image(np.zeros((32, 40, 3), np.uint8), name="night")
    assert "Choose what to start from" in status(widget)
    child(widget, "semidavil_source").setText(str(source_folder.parent))
    assert "neither a bundle" in status(widget)
    child(widget, "semidavil_source").setText(str(source_folder))
    assert "Add a scribbles layer" in status(widget)
    click(qtbot, widget, "semidavil_add_scribbles")
    assert "at least two classes" in status(widget)
    strokes = layer(viewer, "scribbles")
    strokes.paint((3, 3), 1)
    strokes.paint((20, 20), 2)
    qtbot.waitUntil(button.isEnabled)
    assert child(widget, "semidavil_classes").item(0, 2).text() != "–"


def test_a_round_shows_locked_results_that_lie_on_the_image(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    camera = viewer.camera.zoom
    run_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)
    prediction, image = layer(viewer, "prediction"), viewer.layers["night"]
    np.testing.assert_array_equal(prediction.data, np.full((2, 32, 40), 2))
    assert not prediction.editable
    np.testing.assert_allclose(prediction.scale, image.scale[:3])
    assert layer(viewer, "confidence").data.max() == np.float32(0.5)
    assert not layer(viewer, "pseudo_labels").data.any()
    assert viewer.camera.zoom == camera
    assert viewer.layers.selection.active.name == "my strokes"
    assert child(widget, "semidavil_export").isEnabled()


def test_the_strokes_are_never_written_and_rounds_go_on_in_the_same_engine(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    before = viewer.layers["my strokes"].data.copy()
    run_round(qtbot, widget)
    pid, data = widget._jobs.engine_pid, layer(viewer, "prediction").data
    viewer.layers.remove(layer(viewer, "confidence"))
    run_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)
    assert widget._jobs.engine_pid == pid
    assert layer(viewer, "prediction").data is data  # in place
    assert layer(viewer, "confidence") is not None  # comes back
    np.testing.assert_array_equal(viewer.layers["my strokes"].data, before)


def test_pause_resume_and_stop(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    begin_round(qtbot, widget)
    steps_seen(qtbot, widget)
    assert "mean confidence 0.83" in status(widget)
    assert child(widget, "semidavil_progress").maximum() > 0
    click(qtbot, widget, "semidavil_pause")
    wait_for(qtbot, widget, State.PAUSED)
    assert child(widget, "semidavil_pause").text() == "Resume"
    click(qtbot, widget, "semidavil_pause")
    wait_for(qtbot, widget, State.ADAPTING)
    click(qtbot, widget, "semidavil_stop")
    wait_for(qtbot, widget, State.IDLE)
    assert "stopped after 9 steps" in status(widget)
    assert child(widget, "semidavil_adapt").isEnabled()


def test_stop_during_preparation_ends_it_and_the_next_round_prepares_again(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    hold(State.PREPARING)
    click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.PREPARING)
    click(qtbot, widget, "semidavil_stop")
    wait_for(qtbot, widget, State.IDLE)
    assert status(widget) == "Stopped."
    let_go(State.PREPARING)
    run_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)


def test_a_refusal_of_the_engine_is_one_sentence_and_the_button_works_again(open_widget, qtbot) -> None:
    widget, _ = open_widget("refuse")
    run_round(qtbot, widget)
    assert "all of one class" in status(widget)
    assert child(widget, "semidavil_adapt").isEnabled()


@pytest.mark.parametrize("behaviour", ["segfault", "good"])
def test_an_engine_that_dies_mid_round_gives_a_sentence_and_a_fresh_one_works(
    open_widget, qtbot, behaviour: str
) -> None:
    widget, viewer = open_widget(behaviour)
    before = viewer.layers["my strokes"].data.copy()
    hold(State.ADAPTING)
    click(qtbot, widget, "semidavil_adapt")
    if behaviour == "good":
        wait_for(qtbot, widget, State.ADAPTING)
        widget._jobs._client._process.kill()
    qtbot.waitUntil(lambda: "The engine ended" in status(widget), timeout=20_000)
    assert state(widget) is State.IDLE
    np.testing.assert_array_equal(viewer.layers["my strokes"].data, before)
    widget._jobs._command = [*widget._jobs._command[:-1], "good"]
    let_go(State.ADAPTING)
    run_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)


def test_painting_deleting_and_renaming_mid_round_do_no_harm(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    viewer.layers["my strokes"].paint((1, 10, 10), 2)
    viewer.layers["night"].name = "renamed"
    child(widget, "semidavil_class_name").setText("puddle")
    click(qtbot, widget, "semidavil_add_class")
    if (shown := layer(viewer, "prediction")) is not None:
        viewer.layers.remove(shown)
    finish_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)
    assert layer(viewer, "prediction") is not None
    assert widget._classes.value().names == ("road", "sky", "puddle")
    viewer.layers.remove("renamed")
    assert not child(widget, "semidavil_adapt").isEnabled()


def test_the_image_removed_mid_round_ends_in_words(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    viewer.layers.remove("night")
    finish_round(qtbot, widget)
    assert "Open images" in status(widget)


@pytest.mark.parametrize("behaviour", ["good", "hang"])
def test_closing_the_viewer_mid_round_ends_thread_and_engine(open_widget, qtbot, behaviour: str) -> None:
    widget, viewer = open_widget(behaviour)
    hold(State.PREPARING)
    click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.PREPARING)
    jobs, process = widget._jobs, widget._jobs._client._process
    worker = jobs._worker
    viewer.close()
    assert process.wait(10) is not None
    qtbot.waitUntil(lambda: not worker.is_running, timeout=10_000)


def test_two_widgets_have_two_engines(open_widget, qtbot) -> None:
    first, _ = open_widget()
    second, _ = open_widget()
    run_round(qtbot, first)
    run_round(qtbot, second)
    assert first._jobs.engine_pid != second._jobs.engine_pid


def test_closing_the_dock_widget_ends_its_engine_and_the_viewer_goes_on(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    hold(State.PREPARING)
    click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.PREPARING)
    process = widget._jobs._client._process
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.waitUntil(lambda: process.poll() is not None, timeout=10_000)
    viewer.add_image(np.zeros((8, 9)))
    viewer.layers["my strokes"].paint((0, 3, 3), 1)
    qtbot.wait(300)
