"""Models after rounds lie on the disk: an engine that dies takes none along, and rounds of an earlier window can be gone back to."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.engine.requests import LoadBundle, RestoreRound, SetSource
from semidavil_core.errors import InvalidBundle
from semidavil_core.events import Event, ModelChanged, RoundRestored
from semidavil_core.settings import Budget
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._model_shelf import ModelShelf
from semidavil_napari._round_plan import PlanImage, RoundPlan
from semidavil_napari._rounds import iter_going_back, iter_restore, iter_round
from semidavil_napari._session import State
from semidavil_napari._sources import Source, SourceKind
from tests.napari.conftest import child
from tests.napari.driving import (
    begin_round,
    click,
    finish_round,
    let_go,
    run_round,
    status,
    steps_seen,
    wait_for,
)
from tests.napari.recorder import Recorder
from tests.napari.test_project_window import opened, reopen, save, settled
from tests.napari.test_rounds_panel import names, rows, select

gui = pytest.mark.gui


def bundle_at(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"format": "semidavil-bundle"}')
    (folder / "classes.json").write_text('["road", "sky"]')
    return folder


@pytest.fixture
def plan(source_folder: Path, tmp_path: Path) -> RoundPlan:
    images = (PlanImage("a", lambda: np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8)),)
    source = Source(SourceKind.LABELLED, source_folder)
    keep_in = bundle_at(tmp_path / "0001")
    return RoundPlan(source, ClassSet.from_names(["road", "sky"]), images, Budget(), keep_in=keep_in)


def dead_engine(plan: RoundPlan) -> EngineMemory:
    """What is known of an engine that finished one round and died."""
    memory = EngineMemory()
    list(iter_round(Recorder(), memory, plan))
    return memory.successor()


# what the engine is asked


def test_a_fresh_engine_goes_on_from_the_model_that_stood_and_learns_on_from_the_source(plan) -> None:
    engine, memory = Recorder(), dead_engine(plan)
    events = list(iter_round(engine, memory, replace(plan, keep_in=None)))
    assert engine.first(LoadBundle).folder == str(plan.keep_in)
    assert engine.first(SetSource).folder == str(plan.source.folder)
    assert "PrepareFromSource" not in engine.kinds()
    assert [e.goes_on_from for e in events if isinstance(e, ModelChanged)] == [1]


def test_another_source_begins_anew_also_in_a_fresh_engine(plan, tmp_path) -> None:
    engine, memory = Recorder(), dead_engine(plan)
    list(iter_round(engine, memory, replace(plan, device="cpu")))
    assert "PrepareFromSource" in engine.kinds()


def test_a_kept_model_that_is_gone_or_damaged_costs_one_try_at_most(plan) -> None:
    class Refuses(Recorder):
        def request(self, request):
            if isinstance(request, LoadBundle):
                raise InvalidBundle("It is damaged.")
            return super().request(request)

    memory = dead_engine(plan)
    with pytest.raises(InvalidBundle):
        list(iter_round(Refuses(), memory, plan))
    engine = Recorder()
    list(iter_round(engine, memory, plan))
    assert "PrepareFromSource" in engine.kinds()
    memory = dead_engine(plan)
    (plan.keep_in / "config.json").unlink()
    engine = Recorder()
    list(iter_round(engine, memory, plan))
    assert "PrepareFromSource" in engine.kinds()


def test_after_going_back_it_is_that_model_that_is_gone_on_from(plan, tmp_path) -> None:
    class Restores(Recorder):
        def request(self, request):
            events: list[Event] = list(super().request(request))
            if isinstance(request, RestoreRound):
                events.insert(0, RoundRestored(request.round))
            return iter(events)

    engine, memory = Restores(), EngineMemory()
    list(iter_round(engine, memory, plan))
    second = replace(plan, number=2, keep_in=bundle_at(tmp_path / "0002"))
    list(iter_round(engine, memory, second))
    assert memory.successor().follows.bundle == second.keep_in
    list(iter_restore(engine, memory, 1))
    assert memory.successor().follows.bundle == plan.keep_in
    list(iter_restore(engine, memory, 0))
    assert memory.successor().follows is None, "the start is prepared again"


def test_going_back_to_a_model_that_cannot_be_read_leaves_the_present_one(plan) -> None:
    class Refuses(Recorder):
        def request(self, request):
            if isinstance(request, LoadBundle):
                raise InvalidBundle("It is damaged.")
            return super().request(request)

    engine, memory = Refuses(), EngineMemory()
    list(iter_round(engine, memory, plan))
    engine.kinds()
    with pytest.raises(InvalidBundle):
        list(iter_going_back(engine, memory, plan, 1, plan.keep_in))
    list(iter_round(engine, memory, plan))
    assert engine.kinds() == ["Adapt", "SaveBundle", "Predict"]


# in the window


def opened_again(qtbot, open_widget, widget, viewer, project: Path):
    """The window that opens a project after this one was closed."""
    settled(qtbot, widget)
    viewer.close()
    again, _ = reopen(qtbot, open_widget, project)
    opened(qtbot, again)
    settled(qtbot, again)
    return again


@gui
@pytest.mark.skipif(os.name != "posix", reason="kills as Linux and macOS do")
def test_the_rounds_before_an_engine_died_are_not_lost(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    begin_round(qtbot, widget)
    steps_seen(qtbot, widget)
    os.kill(widget._jobs.engine_pid, signal.SIGKILL)
    wait_for(qtbot, widget, State.IDLE)
    let_go(State.ADAPTING)
    states: list[State] = []
    widget._conductor.told.connect(lambda told: states.append(told.state))
    run_round(qtbot, widget)
    assert State.ADAPTING in states
    assert State.PREPARING not in states, "it learned from the source once more"
    assert names(widget) == ["● Round 3", "Round 2", "Round 1"]
    select(widget, "Round 2")
    click(qtbot, widget, "semidavil_go_to_round")
    wait_for(qtbot, widget, State.IDLE)
    assert names(widget) == ["Round 3", "● Round 2", "Round 1"]


@gui
def test_a_round_of_an_earlier_window_can_be_gone_back_to(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget()
    save(qtbot, widget, tmp_path / "job")
    run_round(qtbot, widget)
    run_round(qtbot, widget)
    again = opened_again(qtbot, open_widget, widget, viewer, tmp_path / "job")
    assert names(again) == ["Round 2", "Round 1"]
    again._project.autosave._timer.setInterval(50)
    select(again, "Round 1")
    click(qtbot, again, "semidavil_go_to_round")
    assert again._conductor.session.status.busy
    wait_for(qtbot, again, State.IDLE)
    assert "after round 1 again" in status(again)
    assert names(again) == ["Round 2", "● Round 1"]
    assert rows(again)[1][3] == "▲ 80 → 90%"
    assert child(again, "semidavil_export").isEnabled()
    assert child(again, "semidavil_go_to_round").text() == "Go back to a round"
    qtbot.waitUntil(lambda: "places found" in child(again, "semidavil_next_reason").text(), timeout=20_000)
    settings = lambda: json.loads((tmp_path / "job/project.json").read_text())["settings"]  # noqa: E731
    qtbot.waitUntil(lambda: settings()["round"] == 1, timeout=20_000)
    click(qtbot, again, "semidavil_undo_round")
    wait_for(qtbot, again, State.IDLE)
    assert names(again) == ["● Round 2", "Round 1"]
    select(again, "Round 1")
    assert child(again, "semidavil_compare").text() == "Compare with Round 1 (hold)"
    assert child(again, "semidavil_compare").isEnabled()
    begin_round(qtbot, again)
    steps_seen(qtbot, again)
    assert status(again).startswith("Round 3: ")
    finish_round(qtbot, again)
    assert status(again).startswith("Round 3 finished")
    assert [c.name for c in again._adapt.plot.curves] == ["Round 3"]
    assert names(again) == ["● Round 3", "Round 2", "Round 1"]
    settled(qtbot, again)
    assert sorted(p.name for p in (tmp_path / "job/rounds").iterdir()) == ["0001", "0002", "0003"]
    assert json.loads((tmp_path / "job/rounds/0003/round.json").read_text())["name"] == "Round 3"


@gui
def test_rounds_made_before_the_project_was_saved_can_be_gone_back_to_when_it_is_opened_again(
    open_widget, qtbot, tmp_path
) -> None:
    widget, viewer = open_widget()
    for _ in range(3):
        run_round(qtbot, widget)
    save(qtbot, widget, tmp_path / "job")
    for number in (1, 2, 3):
        qtbot.waitUntil((tmp_path / f"job/rounds/{number:04d}/bundle/config.json").is_file, timeout=20_000)
    run_round(qtbot, widget)
    again = opened_again(qtbot, open_widget, widget, viewer, tmp_path / "job")
    assert [e.name for e in again._history.rounds.entries if e.reachable] == [
        f"Round {n}" for n in (1, 2, 3, 4)
    ]
    select(again, "Round 1")
    click(qtbot, again, "semidavil_go_to_round")
    wait_for(qtbot, again, State.IDLE)
    assert names(again) == ["Round 4", "Round 3", "Round 2", "● Round 1"]


@gui
def test_a_reopened_project_goes_on_from_its_last_round_in_that_row_and_can_be_exported_at_once(
    open_widget, qtbot, tmp_path
) -> None:
    widget, viewer = open_widget()
    save(qtbot, widget, tmp_path / "job")
    run_round(qtbot, widget)
    again = opened_again(qtbot, open_widget, widget, viewer, tmp_path / "job")
    assert child(again, "semidavil_export").isEnabled()
    begin_round(qtbot, again)
    steps_seen(qtbot, again)
    assert child(again, "semidavil_next_reason").text().startswith("After this round")
    finish_round(qtbot, again)
    assert names(again) == ["● Round 2", "Round 1"]
    qtbot.waitUntil(lambda: "places found" in child(again, "semidavil_next_reason").text(), timeout=20_000)
    assert child(again, "semidavil_compare").text() == "Compare with Round 1 (hold)"
    assert child(again, "semidavil_compare").isEnabled()


def test_an_engine_that_dies_after_a_bundle_of_a_round_was_loaded_goes_on_from_that_round(
    plan, tmp_path
) -> None:
    bundle = bundle_at(tmp_path / "0004")
    source = Source(SourceKind.BUNDLE, bundle)
    memory = EngineMemory()
    events = list(iter_round(Recorder(), memory, replace(plan, source=source, goes_on_from=4, keep_in=None)))
    assert [e.goes_on_from for e in events if isinstance(e, ModelChanged)] == [4]
    assert (memory.successor().follows.bundle, memory.successor().follows.round) == (bundle, 4)


@gui
def test_the_models_of_a_project_come_along_when_it_is_saved_elsewhere(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget()
    save(qtbot, widget, tmp_path / "job")
    run_round(qtbot, widget)
    settled(qtbot, widget)
    save(qtbot, widget, tmp_path / "copy")
    place = tmp_path / "copy/rounds/0001/bundle"
    qtbot.waitUntil(lambda: widget._history.rounds.entries[-1].kept == place, timeout=20_000)
    assert (place / "config.json").is_file()


@gui
def test_a_project_saved_while_a_round_runs_gets_its_model(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget()
    begin_round(qtbot, widget)
    save(qtbot, widget, tmp_path / "job")
    let_go(State.ADAPTING)
    wait_for(qtbot, widget, State.IDLE)
    qtbot.waitUntil((tmp_path / "job/rounds/0001/bundle/config.json").is_file, timeout=20_000)


def test_models_without_a_project_go_with_the_window_and_old_ones_make_room() -> None:
    shelf = ModelShelf(keep=2)
    places = [shelf.place(number) for number in (1, 2)]
    for place in places:
        bundle_at(place)
    assert shelf.place(2) == places[1]
    assert shelf.place(3).parent.parent == places[0].parent.parent
    assert not places[0].exists()
    assert places[1].exists()
    shelf.close()
    assert not places[1].parent.parent.exists()
