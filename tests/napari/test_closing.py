"""Closing napari in the middle of something: it ends within seconds and leaves no process behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semidavil_napari._session import State
from tests.napari.conftest import FAKE_ENGINE, child
from tests.napari.driving import begin_round, click, finish_round, hold, let_go, wait_for
from tests.napari.test_zero_shot_preview import add_class

pytestmark = pytest.mark.gui

_WHOLE_NAPARI = """
import json, sys, time
from pathlib import Path
import napari, numpy as np
from qtpy.QtCore import QTimer
from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget
from semidavil_napari._session import State

engine, behaviour, source, moment = sys.argv[1:]
viewer = napari.Viewer(show=True)
widget = AdaptWidget(viewer, [sys.executable, engine, behaviour])
viewer.window.add_dock_widget(widget, name="SemiDAViL")
widget.prepare_budget = Budget(seconds=0.2 if moment != "preparing" else 600)
viewer.add_image(np.zeros((2, 32, 40, 3), np.uint8), name="night")
strokes = np.zeros((2, 32, 40), np.uint8)
strokes[0, :4], strokes[0, -4:] = 1, 2
viewer.add_labels(strokes, name="my strokes")
widget._source.setText(source) if hasattr(widget._source, "setText") else widget._source.setValue(Path(source))
widget._adapt.setValue(Budget(seconds=600))
widget._adapt.adapt.emit()
paused = False

def look():
    global paused
    state = widget._conductor.session.status.state
    if moment == "paused" and state is State.ADAPTING and not paused:
        paused = True
        widget._adapt.pause.emit()
    if state is not State(moment):
        return
    timer.stop()
    print(json.dumps([widget._jobs.engine_pid, time.time()]), flush=True)
    QTimer.singleShot(0, viewer.close)

timer = QTimer()
timer.timeout.connect(look)
timer.start(20)
napari.run()
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes as Linux shows them")
@pytest.mark.parametrize(
    ("behaviour", "moment"), [("good", "preparing"), ("good", "adapting"), ("good", "paused"), ("hang", "preparing")]
)  # fmt: skip
def test_napari_as_a_whole_ends_within_seconds_and_takes_the_engine_along(
    source_folder, tmp_path, behaviour: str, moment: str
) -> None:
    arguments = [sys.executable, "-c", _WHOLE_NAPARI, str(FAKE_ENGINE), behaviour, str(source_folder), moment]
    environment = {**os.environ, "NAPARI_CONFIG": "", "SEMIDAVIL_RECOVERY": str(tmp_path / "recovery")}
    root = Path(FAKE_ENGINE).parents[2]
    ran = subprocess.run(arguments, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    engine, _ = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("[")))
    assert not is_alive(engine)
    assert "Traceback" not in ran.stderr
    assert (tmp_path / "recovery").is_dir() or not ran.stderr


@pytest.mark.parametrize("moment", [State.ADAPTING, State.PAUSED, State.PREDICTING])
def test_a_viewer_is_closed_mid_round(open_widget, qtbot, moment: State) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    if moment is State.PREDICTING:
        hold(moment)
        let_go(State.ADAPTING)
    elif moment is State.PAUSED:
        click(qtbot, widget, "semidavil_pause")
    wait_for(qtbot, widget, moment)
    qtbot.waitUntil(lambda: widget._activity.running, timeout=20_000)
    process, worker = widget._jobs._client._process, widget._jobs._worker
    began = time.monotonic()
    viewer.close()
    assert time.monotonic() - began < 10, "closing waited for the engine"
    assert process.wait(10) is not None
    qtbot.waitUntil(lambda: worker is None or not worker.is_running, timeout=10_000)


def test_a_viewer_is_closed_while_a_new_class_is_looked_for(open_widget, qtbot) -> None:
    widget, viewer = open_widget("slow")
    add_class(qtbot, widget, "puddle")
    qtbot.waitUntil(lambda: widget._jobs.engine_pid is not None, timeout=20_000)
    process, worker = widget._jobs._client._process, widget._jobs._worker
    viewer.close()
    assert process.wait(10) is not None
    qtbot.waitUntil(lambda: not worker.is_running, timeout=10_000)


def test_the_dock_hidden_mid_round_lets_it_go_on_and_shown_again_tells_its_end(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    begin_round(qtbot, widget)
    dock = widget.parent()
    dock.hide()
    finish_round(qtbot, widget)
    dock.show()
    assert "Round 1 finished" in child(widget, "semidavil_status").text()
    assert child(widget, "semidavil_adapt").isEnabled()
