"""Many images, two viewers and two windows while rounds run; and a device that is not there."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget
from semidavil_napari._session import State
from tests.napari.conftest import child
from tests.napari.driving import (
    LONGEST_MS,
    begin_round,
    click,
    finish_round,
    hold,
    layer,
    let_go,
    run_round,
    state,
    status,
    wait_for,
)

pytestmark = pytest.mark.gui


def test_a_round_over_two_hundred_images_and_a_stop_among_them(open_widget, qtbot, source_folder) -> None:
    widget, viewer = open_widget(ready=False)
    child(widget, "semidavil_source").setText(str(source_folder))
    child(widget, "semidavil_budget").setValue(1)
    viewer.add_image(np.zeros((200, 16, 20, 3), np.uint8), name="many", rgb=True)
    click(qtbot, widget, "semidavil_add_scribbles")
    strokes = layer(viewer, "scribbles")
    strokes.paint((3, 5, 5), 1)
    strokes.paint((197, 5, 5), 2)
    qtbot.waitUntil(lambda: child(widget, "semidavil_adapt").isEnabled(), timeout=LONGEST_MS)
    run_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)
    assert layer(viewer, "prediction").data.any(axis=(1, 2)).all()
    viewer.dims.set_current_step(0, 150)
    begin_round(qtbot, widget)
    hold(State.PREDICTING)
    let_go(State.ADAPTING)
    wait_for(qtbot, widget, State.PREDICTING)
    click(qtbot, widget, "semidavil_stop")
    wait_for(qtbot, widget, State.IDLE)
    assert "Round 2" in status(widget)
    assert child(widget, "semidavil_adapt").isEnabled()


def test_two_viewers_adapt_at_once_and_what_happens_to_one_is_not_the_others(open_widget, qtbot) -> None:
    (first, one), (second, two), (third, _) = open_widget(), open_widget(), open_widget()
    for widget in (first, second, third):
        begin_round(qtbot, widget)
    assert len({w._jobs.engine_pid for w in (first, second, third)}) == 3
    os.kill(first._jobs.engine_pid, signal.SIGKILL)
    wait_for(qtbot, first, State.IDLE)
    assert "nothing you painted is lost" in status(first)
    engine = third._jobs._client._process
    third._viewer.close()
    assert engine.wait(10) is not None
    assert state(second) is State.ADAPTING
    click(qtbot, second, "semidavil_stop")
    wait_for(qtbot, second, State.IDLE)
    assert "Round 1 stopped" in status(second)
    assert layer(two, "prediction") is not None
    one.layers["my strokes"].paint((1, 5, 5), 1)


def test_two_windows_of_one_viewer_adapt_at_once(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    second = AdaptWidget(viewer, widget._jobs._command)
    viewer.window.add_dock_widget(second, name="SemiDAViL again")
    child(second, "semidavil_source").setText(child(widget, "semidavil_source").text())
    second.prepare_budget = Budget(seconds=0.2)
    try:
        for window in (widget, second):
            begin_round(qtbot, window)
        viewer.layers["my strokes"].paint((1, 15, 15), 2)
        finish_round(qtbot, widget, second)
        for window in (widget, second):
            assert "Round 1 finished" in status(window)
        roles = [la.metadata["semidavil"]["role"] for la in viewer.layers]
        assert sorted(roles) == sorted(set(roles))
    finally:
        second._project.close()
        second._jobs.close()


@pytest.mark.slow
def test_a_graphics_card_that_is_not_there_is_told_and_the_next_choice_works(
    open_widget, qtbot, source_folder
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    widget, viewer = open_widget()
    planes = {"images": viewer.layers["night"].data[0], "labels": viewer.layers["my strokes"].data[0] // 2}
    for part, plane in planes.items():
        Image.fromarray(plane).save(source_folder / part / "a.png")
    fake, widget._jobs._command = widget._jobs._command, None  # the real engine
    widget._guidance.setValue(replace(widget._guidance.value(), device="cuda"))
    click(qtbot, widget, "semidavil_adapt")
    qtbot.waitUntil(lambda: state(widget) is State.IDLE, timeout=LONGEST_MS)
    assert "'cuda' is not on this machine; use auto or cpu" in status(widget)
    assert child(widget, "semidavil_adapt").isEnabled()
    widget._jobs._client.kill()
    widget._jobs._command = fake
    child(widget, "semidavil_device").setCurrentIndex(child(widget, "semidavil_device").findData("cpu"))
    run_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)
