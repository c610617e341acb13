"""The history of rounds in the window: listed, compared, gone back to, and what a failure leaves of it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTreeWidget

from semidavil_napari._session import State
from tests.napari.conftest import child
from tests.napari.driving import begin_round, click, layer, let_go, run_round, state, status, wait_for

pytestmark = pytest.mark.gui


def table(widget) -> QTreeWidget:
    return child(widget, "semidavil_rounds")


def rows(widget) -> list[list[str]]:
    items = [table(widget).topLevelItem(n) for n in range(table(widget).topLevelItemCount())]
    return [[item.text(column) for column in range(4)] for item in items]


def names(widget) -> list[str]:
    return [row[0] for row in rows(widget)]


def select(widget, name: str) -> None:
    table(widget).setCurrentItem(table(widget).topLevelItem(names(widget).index(name)))


def shown(viewer) -> int:
    """The class value that the prediction layer shows in the first image."""
    (value,) = np.unique(layer(viewer, "prediction").data[0])
    return int(value)


def wait_idle(qtbot, widget) -> None:
    wait_for(qtbot, widget, State.IDLE)


def test_rounds_are_listed_last_first_with_their_scores_and_the_standing_one_is_marked(
    open_widget, qtbot
) -> None:
    widget, _ = open_widget("worse")
    assert not table(widget).isVisible()
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    assert rows(widget) == [
        ["● Round 2", "1 s", "9", "▼ 80 → 50%"],
        ["Round 1", "1 s", "9", "▲ 80 → 90%"],
        ["Start", "", "", ""],
    ]
    assert [c.name for c in widget._adapt.plot.curves] == ["Round 1", "Round 2"]
    assert widget._adapt.plot.curves[0].loss
    assert widget._adapt.plot.curves[0].right[0] == (0.0, 0.8)


def test_a_round_that_got_worse_says_so_and_offers_the_way_back(open_widget, qtbot) -> None:
    widget, viewer = open_widget("worse")
    run_round(qtbot, widget)
    assert not child(widget, "semidavil_round_back").isVisible()
    run_round(qtbot, widget)
    assert "got worse" in status(widget)
    assert "80% right before, 50% after" in child(widget, "semidavil_round_alert").text()
    back = child(widget, "semidavil_round_back")
    assert back.text() == "Go back to Round 1"
    assert shown(viewer) == 1
    click(qtbot, widget, "semidavil_round_back")
    wait_idle(qtbot, widget)
    assert "after round 1 again" in status(widget)
    assert [c.name for c in widget._adapt.plot.curves] == ["Round 2", "Round 1"], (
        "the one that stands is drawn in front"
    )
    assert names(widget) == ["Round 2", "● Round 1", "Start"]
    assert shown(viewer) == 2
    assert not back.isVisibleTo(widget)


def test_going_back_is_undone_and_any_round_can_be_gone_to(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    assert not child(widget, "semidavil_undo_round").isEnabled()
    select(widget, "Start")
    assert child(widget, "semidavil_go_to_round").text() == "Go back to the start"
    click(qtbot, widget, "semidavil_go_to_round")
    wait_idle(qtbot, widget)
    assert names(widget) == ["Round 2", "Round 1", "● Start"]
    click(qtbot, widget, "semidavil_undo_round")
    wait_idle(qtbot, widget)
    assert names(widget)[0] == "● Round 2"
    assert not child(widget, "semidavil_undo_round").isEnabled()
    assert shown(viewer) == 1


def test_holding_compare_shows_the_round_before_and_letting_go_the_present_one(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    run_round(qtbot, widget)
    compare = child(widget, "semidavil_compare")
    assert compare.text() == "Compare with the start (hold)"
    assert shown(viewer) == 2
    qtbot.mousePress(compare, Qt.MouseButton.LeftButton)
    assert shown(viewer) == 1
    qtbot.wait(500)
    qtbot.mouseRelease(compare, Qt.MouseButton.LeftButton)
    assert shown(viewer) == 2


def test_a_click_on_compare_keeps_the_other_round_shown_until_the_next(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    run_round(qtbot, widget)
    compare = child(widget, "semidavil_compare")
    qtbot.mouseClick(compare, Qt.MouseButton.LeftButton)
    assert shown(viewer) == 1
    assert compare.text().startswith("You see the start")
    viewer.dims.set_current_step(0, 1)
    assert (layer(viewer, "prediction").data[1] == 2).all(), "the second image was not looked at before"
    qtbot.mouseClick(compare, Qt.MouseButton.LeftButton)
    assert (layer(viewer, "prediction").data == 2).all(), "also the image that was looked at first"
    qtbot.mouseClick(compare, Qt.MouseButton.LeftButton)
    run_round(qtbot, widget)
    assert shown(viewer) == 1, "a new round ends the comparison"
    assert compare.text() == "Compare with Round 1 (hold)"


def test_a_round_can_be_renamed_and_keeps_its_name(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    run_round(qtbot, widget)
    table(widget).topLevelItem(0).setText(0, "many poles")
    assert names(widget) == ["● many poles", "Start"]
    run_round(qtbot, widget)
    assert names(widget) == ["● Round 2", "many poles", "Start"]
    assert child(widget, "semidavil_compare").text() == "Compare with many poles (hold)"


@pytest.mark.parametrize("how", ["killed", "refused"])
def test_a_round_that_fails_is_no_row_and_leaves_nothing_stale(open_widget, qtbot, how: str) -> None:
    widget, _ = open_widget()
    run_round(qtbot, widget)
    begin_round(qtbot, widget)
    qtbot.waitUntil(lambda: len(widget._adapt.plot.curves) == 2 and bool(widget._adapt.plot.curves[-1].loss))
    if how == "killed":
        widget._jobs._client._process.kill()
        qtbot.waitUntil(lambda: "The engine ended" in status(widget), timeout=20_000)
        assert names(widget) == ["Round 1"], "the round of the engine that is gone"
        assert not child(widget, "semidavil_compare").isEnabled()
    else:
        widget._jobs.failed.emit("A training step failed.")
        assert names(widget) == ["● Round 1", "Start"]
    assert widget._adapt.plot.curves[-1].failed
    assert child(widget, "semidavil_progress").value() == 0
    assert not child(widget, "semidavil_go_to_round").isEnabled()
    qtbot.waitUntil(lambda: not widget._activity.running)
    if how == "killed":
        let_go(State.ADAPTING)
        run_round(qtbot, widget)
        assert names(widget) == ["● Round 2", "Round 1"]


def test_while_a_job_runs_there_is_no_going_back(open_widget, qtbot) -> None:
    widget, _ = open_widget("worse")
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    begin_round(qtbot, widget)
    select(widget, "Start")
    for name in ("semidavil_round_back", "semidavil_go_to_round", "semidavil_compare"):
        assert not child(widget, name).isEnabled()
    click(qtbot, widget, "semidavil_stop")
    wait_idle(qtbot, widget)
    assert child(widget, "semidavil_go_to_round").isEnabled()
    assert state(widget) is State.IDLE


def test_every_control_has_a_tooltip(open_widget, qtbot) -> None:
    widget, _ = open_widget("worse")
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    wanted = ("rounds", "compare", "go_to_round", "undo_round", "round_back")
    assert all(child(widget, f"semidavil_{name}").toolTip() for name in wanted)
