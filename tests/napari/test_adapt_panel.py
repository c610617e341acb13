"""The adapt panel and the activity dock follow the status."""

from __future__ import annotations

import pytest
from napari.utils.progress import progress
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QMainWindow, QProgressBar, QPushButton

from semidavil_napari._activity import Activity
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._session import State, Status
from tests.napari.conftest import child

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qtbot) -> AdaptPanel:
    widget = AdaptPanel()
    qtbot.addWidget(widget)
    return widget


def test_the_budget_is_in_seconds_and_cannot_be_nothing(panel: AdaptPanel) -> None:
    child(panel, "semidavil_budget").setValue(0)
    assert panel.value().seconds == 1


def test_the_bar_says_how_long_is_left(panel: AdaptPanel) -> None:
    panel.show_status(Status(State.ADAPTING, "Round 1: 41 s left", 0.3, seconds_left=41.0), None)
    bar = child(panel, "semidavil_progress")
    assert isinstance(bar, QProgressBar)
    assert bar.toolTip() == "41 s left"
    assert bar.value() == 300
    panel.show_status(Status(State.STARTING, "Starting the engine …", None), None)
    assert bar.value() == 0, "nobody knows: an empty bar, since a moving one would draw all the time"
    panel.show_status(Status(sentence="It failed.", failed=True), None)
    assert (bar.maximum(), bar.value()) == (1000, 0)


def test_a_failure_leaves_no_stale_progress_and_the_button_works(panel: AdaptPanel) -> None:
    panel.show_status(Status(State.ADAPTING, "Round 1", 0.7, seconds_left=9.0), None)
    button, status = child(panel, "semidavil_adapt"), child(panel, "semidavil_status")
    assert isinstance(button, QPushButton)
    assert isinstance(status, QLabel)
    assert not button.isEnabled()
    panel.show_status(Status(sentence="The engine ended.", failed=True), None)
    assert button.isEnabled()
    assert status.text() == "The engine ended."
    for name in ("semidavil_pause", "semidavil_stop"):
        assert not child(panel, name).isEnabled()


PLAN = ("The model agrees with the strokes on 43%; new to it: puddle. The round keeps all that it learns.",)


@pytest.mark.parametrize(("height", "folded"), [(1000, False), (700, True)])
def test_what_a_round_said_stands_below_the_status_during_the_round_and_after(
    qtbot, height: int, folded: bool
) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    panel = AdaptPanel()
    window.setCentralWidget(panel)
    window.resize(400, height)
    window.show()
    head, words = child(panel, "semidavil_section_round"), child(panel, "semidavil_round_words")
    assert not head.isVisible(), "nothing was said yet"
    for status in (
        Status(State.ADAPTING, "Round 1: 28 s left", 0.1, told=PLAN),
        Status(sentence="Round 1 finished: 9 steps in 30 s.", told=PLAN),
    ):
        panel.show_status(status, None)
        assert head.isVisible()
        assert (words.text(), words.isVisible()) == (PLAN[0], not folded)
        assert child(panel, "semidavil_status").text() == status.sentence
    if folded:
        qtbot.mouseClick(head, Qt.MouseButton.LeftButton)
        assert words.isVisible()
    panel.show_status(Status(), None)
    assert not head.isVisible()


def test_every_control_has_a_tooltip(panel: AdaptPanel) -> None:
    names = ("adapt", "budget", "pause", "stop", "progress", "plot")
    assert all(child(panel, f"semidavil_{name}").toolTip() for name in names)


# the activity dock


@pytest.fixture
def activity(make_napari_viewer):
    make_napari_viewer()
    found = Activity()
    yield found
    found.close()
    assert not progress._all_instances


def bars() -> list[str]:
    return [bar.desc for bar in progress._all_instances]


def test_a_job_has_one_bar_in_the_activity_dock_while_it_runs(activity: Activity, qtbot) -> None:
    activity.show_status(Status(State.ADAPTING, "Round 3: 41 s left, 212 steps", 0.25, seconds_left=41.0))
    assert not bars(), "never from within an event's handling"
    qtbot.waitUntil(lambda: activity.running)
    (bar,) = progress._all_instances
    assert (bar.n, bar.total) == (250, 1000)
    activity.show_status(Status(State.PREDICTING, "Predicting the images …", None))
    qtbot.waitUntil(lambda: bar.total == 0)
    activity.show_status(Status(sentence="Round 3 finished."))
    qtbot.waitUntil(lambda: not activity.running)
    assert not bars()
    assert not activity._timer.isActive()


def test_a_short_job_may_pass_without_a_bar(activity: Activity, qtbot) -> None:
    activity.show_status(Status(State.SAVING, "Saving the bundle …", None))
    activity.show_status(Status(sentence="Saved."))
    qtbot.wait(400)
    assert not bars()


def test_closing_takes_the_bar_away(activity: Activity, qtbot) -> None:
    activity.show_status(Status(State.ADAPTING, "Round 1", 0.1))
    qtbot.waitUntil(lambda: activity.running)
    activity.close()
    assert not bars()
    activity.show_status(Status(State.ADAPTING, "Round 1", 0.2))
    qtbot.wait(400)
    assert not bars()
