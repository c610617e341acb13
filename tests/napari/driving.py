"""What a person does in the window and sees of it; and holding the fake engine at a stage while they do it."""

from __future__ import annotations

import os
from pathlib import Path

from qtpy.QtCore import Qt

from semidavil_napari._session import State
from tests.napari.conftest import child

LONGEST_MS = 90_000  # machines that test are often busy with something else


def click(qtbot, widget, name: str) -> None:
    qtbot.mouseClick(child(widget, name), Qt.MouseButton.LeftButton)


def status(widget) -> str:
    return child(widget, "semidavil_status").text()


def state(widget) -> State:
    return widget._conductor.session.status.state


def layer(viewer, role: str):
    return next((la for la in viewer.layers if la.metadata.get("semidavil", {}).get("role") == role), None)


def wait_for(qtbot, widget, wanted: State) -> None:
    qtbot.waitUntil(lambda: state(widget) is wanted, timeout=LONGEST_MS)


def run_round(qtbot, widget) -> None:
    click(qtbot, widget, "semidavil_adapt")
    assert state(widget) is not State.IDLE, status(widget)
    wait_for(qtbot, widget, State.IDLE)


def hold(stage: State) -> None:
    """Let engines stay at preparing, adapting or predicting, however short their budget, until Stop or :func:`let_go`."""
    _sign(stage).touch()


def let_go(stage: State) -> None:
    _sign(stage).unlink()


def begin_round(qtbot, widget) -> None:
    """Start a round that goes on until Stop or :func:`finish_round`."""
    hold(State.ADAPTING)
    click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.ADAPTING)


def finish_round(qtbot, *widgets) -> None:
    """Let the rounds that were begun end as if their time were over."""
    let_go(State.ADAPTING)
    for widget in widgets:
        wait_for(qtbot, widget, State.IDLE)


def steps_seen(qtbot, widget) -> None:
    """Wait until the round trains and its first picture is drawn."""
    qtbot.waitUntil(lambda: "mean confidence" in status(widget), timeout=LONGEST_MS)


def _sign(stage: State) -> Path:
    return Path(os.environ["SEMIDAVIL_TEST_HELD"]) / stage
