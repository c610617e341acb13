"""Hard moments of a round in a real viewer: errors, an engine that dies, classes that change, many images, two windows.

Others are told where their subject is: layers deleted or renamed (``test_layers_hard``), images that moved (``test_project_window``),
closing (``test_closing``).
"""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

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
    status,
    steps_seen,
    wait_for,
)
from tests.napari.test_rounds_panel import names

pytestmark = pytest.mark.gui


def shown(viewer) -> np.ndarray:
    return layer(viewer, "prediction").data.copy()


# errors of the engine


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("memory", "ran out of memory"),
        ("graphics memory", "ran out of memory"),
        ("broken", "unexpected RuntimeError (The size of tensor a (3)"),
    ],
)
def test_an_error_mid_round_ends_it_in_a_sentence_and_the_last_good_state_stands(
    open_widget, qtbot, behaviour: str, words: str
) -> None:
    widget, viewer = open_widget(behaviour)
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    good, strokes, pid = shown(viewer), viewer.layers["my strokes"].data.copy(), widget._jobs.engine_pid
    run_round(qtbot, widget)
    assert words in status(widget)
    assert "the model is" in status(widget)
    assert names(widget) == ["● Round 2", "Round 1", "Start"]
    np.testing.assert_array_equal(shown(viewer), good)  # not what the broken round saw last
    np.testing.assert_array_equal(viewer.layers["my strokes"].data, strokes)
    assert child(widget, "semidavil_export").isEnabled()
    run_round(qtbot, widget)
    assert "Round 3 finished" in status(widget)
    assert widget._jobs.engine_pid == pid


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_strokes_painted_in_a_round_whose_engine_dies_count_in_the_next(open_widget, qtbot, how) -> None:
    """SIGKILL is also what the system's out-of-memory killer sends."""
    widget, viewer = open_widget()
    run_round(qtbot, widget)
    good, dead = shown(viewer), widget._jobs.engine_pid
    begin_round(qtbot, widget)
    steps_seen(qtbot, widget)
    strokes = viewer.layers["my strokes"]
    strokes.paint((1, 10, 10), 2)
    strokes.paint((1, 20, 10), 1)
    painted = strokes.data.copy()
    os.kill(dead, how)
    wait_for(qtbot, widget, State.IDLE)
    assert f"by signal {int(how)}" in status(widget)
    assert "nothing you painted is lost" in status(widget)
    np.testing.assert_array_equal(strokes.data, painted)
    np.testing.assert_array_equal(shown(viewer), good)
    assert not child(widget, "semidavil_export").isEnabled()
    second = next(image for image in widget._plans.plan().images if image.name.endswith("0001"))
    assert (second.scribbles == 1).any()
    let_go(State.ADAPTING)
    run_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)
    assert widget._jobs.engine_pid not in (None, dead)


def test_an_engine_that_dies_between_rounds_is_replaced_by_the_next_adapt(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    run_round(qtbot, widget)
    process = widget._jobs._client._process
    process.kill()
    process.wait(10)
    assert child(widget, "semidavil_adapt").isEnabled()
    run_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)


def test_an_engine_that_dies_while_paused_or_stopping_is_told(open_widget, qtbot) -> None:
    for button in ("semidavil_pause", "semidavil_stop"):
        widget, _ = open_widget("hang" if button == "semidavil_stop" else "good")
        child(widget, "semidavil_budget").setValue(60)
        click(qtbot, widget, "semidavil_adapt")
        qtbot.waitUntil(child(widget, button).isEnabled, timeout=LONGEST_MS)
        steps_seen(qtbot, widget)
        click(qtbot, widget, button)
        wait_for(qtbot, widget, State.PAUSED if button == "semidavil_pause" else State.STOPPING)
        os.kill(widget._jobs.engine_pid, signal.SIGKILL)
        wait_for(qtbot, widget, State.IDLE)
        assert "nothing you painted is lost" in status(widget)
        assert child(widget, "semidavil_adapt").isEnabled()
        assert not child(widget, "semidavil_pause").isEnabled()
        assert child(widget, "semidavil_pause").text() == "Pause"


def test_a_command_that_starts_no_engine_is_told(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    good, widget._jobs._command = widget._jobs._command, ["/nowhere/python"]
    run_round(qtbot, widget)
    assert "cannot be started with '/nowhere/python'" in status(widget)
    widget._jobs._command = good
    run_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)


# a person who is quick


def test_a_paused_round_lets_a_person_paint_and_stop(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    click(qtbot, widget, "semidavil_pause")
    wait_for(qtbot, widget, State.PAUSED)
    strokes = viewer.layers["my strokes"]
    strokes.paint((1, 10, 10), 2)
    strokes.undo()
    strokes.paint((1, 12, 12), 2)
    click(qtbot, widget, "semidavil_stop")
    wait_for(qtbot, widget, State.IDLE)
    assert "stopped after 9 steps" in status(widget)
    assert strokes.data[1].any()


def test_a_pause_that_preparing_does_not_live_to_hear_holds_the_round(open_widget, qtbot) -> None:
    widget, _ = open_widget("deaf")
    hold(State.PREPARING)
    hold(State.ADAPTING)
    click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.PREPARING)
    click(qtbot, widget, "semidavil_pause")
    let_go(State.PREPARING)
    wait_for(qtbot, widget, State.PAUSED)
    click(qtbot, widget, "semidavil_pause")
    wait_for(qtbot, widget, State.ADAPTING)
    finish_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)


def test_impatient_clicks_do_nothing_wrong(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    hold(State.ADAPTING)
    for _ in range(3):
        click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.ADAPTING)
    for name in ("pause", "pause", "stop", "stop", "pause", "adapt", "stop"):
        click(qtbot, widget, f"semidavil_{name}")
    wait_for(qtbot, widget, State.IDLE)
    assert widget._conductor.session.status.rounds == 1
    let_go(State.ADAPTING)
    run_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)


def test_classes_renamed_moved_removed_and_brought_back_mid_round(open_widget, qtbot, monkeypatch) -> None:
    widget, viewer = open_widget()
    strokes, table = viewer.layers["my strokes"], child(widget, "semidavil_classes")
    before = strokes.data.copy()
    begin_round(qtbot, widget)
    table.item(0, 0).setText("wet road")
    table.selectRow(1)
    click(qtbot, widget, "semidavil_class_up")
    monkeypatch.setattr(widget._classes, "ask_removal", lambda *_: True)
    table.selectRow(0)
    click(qtbot, widget, "semidavil_class_remove")
    assert widget._classes.value().names == ("wet road",)
    finish_round(qtbot, widget)
    assert "Round 1 finished" in status(widget)
    assert not child(widget, "semidavil_adapt").isEnabled()
    # The round was of the classes that stood when it began: all is the second class, "sky", in its colour.
    assert (shown(viewer) == 2).all()
    click(qtbot, widget, "semidavil_undo_removal")
    assert widget._classes.value().names == ("sky", "wet road")
    np.testing.assert_array_equal(strokes.data, before)
    run_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)
    # The engine saw its first class, which is "sky" now, and strokes keep their value whatever the order.
    assert (shown(viewer) == 2).all()
    np.testing.assert_array_equal(strokes.data, before)
