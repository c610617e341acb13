"""One job at a time: loud ones first, quiet ones when nothing else runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from qtpy.QtCore import QThreadPool
from superqt.utils import WorkerBase

from semidavil_core.errors import InvalidInput
from semidavil_core.events import Event, Notice
from semidavil_napari._jobs import EngineJobs, Job
from tests.napari.conftest import FAKE_ENGINE

pytestmark = pytest.mark.gui
_LONGEST_MS = 20_000


class Desk:
    """Jobs, and a record of what was heard of them."""

    def __init__(self) -> None:
        self.jobs = EngineJobs([sys.executable, str(FAKE_ENGINE), "good"])
        self.heard: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.jobs.happened.connect(lambda event: self.heard.append(event.message))
        self.jobs.ended.connect(lambda: self.heard.append("ended"))
        self.jobs.failed.connect(lambda sentence: self.heard.append(f"failed: {sentence}"))
        self.jobs.quiet_ended.connect(lambda key: self.heard.append(f"{key} ended"))
        self.jobs.quiet_failed.connect(lambda key, sentence: self.heard.append(f"{key} failed: {sentence}"))

    def job(self, name: str, error: Exception | None = None, *, held: bool = False) -> Job:
        """A job that says its name; a held one goes on when Stop is pressed or its gate opens."""
        gate = self.gates.setdefault(name, threading.Event())

        def run(_client: object, _memory: object, stops: Callable[[], int]) -> Iterator[Event]:
            yield Notice(name)
            while held and not stops() and not gate.wait(0.01):
                pass
            if error is not None:
                raise error

        return run


@pytest.fixture
def desk(qtbot) -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for gate in desk.gates.values():
        gate.set()
    desk.jobs.close()
    worker = desk.jobs._worker
    qtbot.waitUntil(lambda: worker is None or not worker.is_running, timeout=_LONGEST_MS)


def test_a_quiet_job_runs_at_once_when_nothing_runs_and_ends_quietly(desk: Desk, qtbot) -> None:
    desk.jobs.start_when_idle("map", desk.job("look"))
    assert desk.jobs.quiet == "map"
    qtbot.waitUntil(lambda: not desk.jobs.running, timeout=_LONGEST_MS)
    assert desk.heard == ["look", "map ended"]


def test_quiet_jobs_wait_for_the_loud_one_and_the_latest_of_a_key_stands(desk: Desk, qtbot) -> None:
    desk.jobs.start(desk.job("round", held=True))
    desk.jobs.start_when_idle("map", desk.job("first"))
    desk.jobs.start_when_idle("suggest", desk.job("places"))
    desk.jobs.start_when_idle("map", desk.job("second"))
    desk.jobs.start_when_idle("other", desk.job("unwanted"))
    desk.jobs.forget("other")
    qtbot.waitUntil(lambda: desk.heard == ["round"], timeout=_LONGEST_MS)
    assert desk.jobs.quiet is None
    desk.gates["round"].set()
    qtbot.waitUntil(lambda: "map ended" in desk.heard, timeout=_LONGEST_MS)
    assert desk.heard == ["round", "ended", "places", "suggest ended", "second", "map ended"]


def test_a_loud_job_stops_the_quiet_one_and_goes_before_those_that_wait(desk: Desk, qtbot) -> None:
    desk.jobs.start_when_idle("map", desk.job("look", held=True))
    desk.jobs.start_when_idle("suggest", desk.job("places"))
    qtbot.waitUntil(lambda: desk.heard == ["look"], timeout=_LONGEST_MS)
    desk.jobs.start(desk.job("round"))
    desk.jobs.start(desk.job("a second click"))
    qtbot.waitUntil(lambda: "suggest ended" in desk.heard, timeout=_LONGEST_MS)
    assert desk.heard == ["look", "map ended", "round", "ended", "places", "suggest ended"]


def test_stop_drops_a_loud_job_that_still_waits(desk: Desk, qtbot) -> None:
    desk.jobs.start_when_idle("map", desk.job("look", held=True))
    qtbot.waitUntil(lambda: desk.heard == ["look"], timeout=_LONGEST_MS)
    desk.jobs.start(desk.job("round"))
    desk.jobs.stop()
    qtbot.waitUntil(lambda: not desk.jobs.running, timeout=_LONGEST_MS)
    assert desk.heard == ["look", "ended", "map ended"]


def test_an_error_of_a_quiet_job_is_told_apart_and_the_next_one_runs(desk: Desk, qtbot) -> None:
    desk.jobs.start_when_idle("map", desk.job("look", InvalidInput("There is no such image.")))
    desk.jobs.start_when_idle("suggest", desk.job("places"))
    qtbot.waitUntil(lambda: "suggest ended" in desk.heard, timeout=_LONGEST_MS)
    assert desk.heard == ["look", "map failed: There is no such image.", "places", "suggest ended"]
    desk.jobs.start(desk.job("round", InvalidInput("No strokes.")))
    qtbot.waitUntil(lambda: desk.heard[-1] == "failed: No strokes.", timeout=_LONGEST_MS)


def test_closing_drops_everything_that_waits(desk: Desk, qtbot) -> None:
    desk.jobs.start_when_idle("map", desk.job("look", held=True))
    qtbot.waitUntil(lambda: desk.heard == ["look"], timeout=_LONGEST_MS)
    desk.jobs.start(desk.job("round"))
    desk.jobs.start_when_idle("suggest", desk.job("places"))
    worker = desk.jobs._worker
    desk.jobs.close()
    desk.gates["look"].set()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=_LONGEST_MS)
    desk.jobs.start_when_idle("map", desk.job("late"))
    qtbot.wait(50)
    assert desk.heard == ["look"]


def test_a_job_outlives_the_worker_that_napari_ends_when_another_viewer_closes(desk: Desk, qtbot) -> None:
    desk.jobs.start(desk.job("long", held=True))
    qtbot.waitUntil(lambda: desk.heard == ["long"], timeout=_LONGEST_MS)
    for _ in range(2):
        worker = desk.jobs._worker
        WorkerBase.await_workers(_LONGEST_MS)  # as napari does
        qtbot.waitUntil(lambda ended=worker: desk.jobs._worker is not ended, timeout=_LONGEST_MS)
    desk.gates["long"].set()
    qtbot.waitUntil(lambda: not desk.jobs.running, timeout=_LONGEST_MS)
    assert desk.heard == ["long", "ended"]
    desk.jobs.start(desk.job("next"))
    qtbot.waitUntil(lambda: desk.heard == ["long", "ended", "next", "ended"], timeout=_LONGEST_MS)


def test_an_end_that_nobody_was_there_to_hear_is_heard_later(desk: Desk, qtbot) -> None:
    desk.jobs.start(desk.job("round", InvalidInput("No strokes."), held=True))
    qtbot.waitUntil(lambda: desk.heard == ["round"], timeout=_LONGEST_MS)
    WorkerBase.await_workers(_LONGEST_MS)
    desk.gates["round"].set()
    qtbot.waitUntil(lambda: desk.heard[-1] == "failed: No strokes.", timeout=_LONGEST_MS)


def test_more_jobs_run_at_once_than_there_are_threads_for_workers(qtbot) -> None:
    """Each only waits for its engine."""
    desks = [Desk() for _ in range(2 + (QThreadPool.globalInstance().maxThreadCount()))]
    for desk in desks:
        desk.jobs.start(desk.job("round", held=True))
    qtbot.waitUntil(lambda: all(desk.heard == ["round"] for desk in desks), timeout=_LONGEST_MS)
    for desk in desks:
        desk.gates["round"].set()
    qtbot.waitUntil(lambda: all(desk.heard == ["round", "ended"] for desk in desks), timeout=_LONGEST_MS)
    for desk in desks:
        desk.jobs.close()
