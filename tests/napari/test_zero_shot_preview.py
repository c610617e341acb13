"""A map by names alone: asked for when a name is typed, drawn in place, and out of the way of rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from semidavil_core.classes import ClassSet
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._panels.guidance import Guidance
from semidavil_napari._round_plan import PlanImage
from semidavil_napari._session import State
from semidavil_napari._zero_shot import Look, iter_look, newly_named
from tests.napari.conftest import child
from tests.napari.driving import begin_round, finish_round, run_round
from tests.napari.recorder import Recorder

CITY = ClassSet.from_names(["road", "sky"])
gui = pytest.mark.gui


def asked(memory: EngineMemory, stops: Callable[[], int] = lambda: 0) -> list[str]:
    engine = Recorder()
    image = PlanImage("a", lambda: np.zeros((4, 5, 3), np.uint8))
    list(iter_look(engine, memory, Look(image, CITY, Guidance()), stops))
    return [r.kind for r in engine.requests]


def test_without_a_model_the_language_model_is_asked_and_the_image_is_sent_once() -> None:
    memory = EngineMemory()
    assert asked(memory) == ["Hello", "SetImage", "ZeroShot"]
    assert asked(memory) == ["ZeroShot"]


def test_with_a_model_the_model_hears_the_names_once_and_predicts() -> None:
    memory = EngineMemory(greeted=True, model=("something",), classes=ClassSet.from_names(["road"]))
    assert asked(memory) == ["SetImage", "SetClasses", "Predict"]
    assert asked(memory) == ["Predict"]
    assert memory.classes == CITY


def test_strokes_are_sent_again_when_the_engine_moved_them() -> None:
    memory = EngineMemory(greeted=True, model=("m",), classes=CITY.with_moved(1, 0), scribbles={"b": b"x"})
    asked(memory)
    assert memory.scribbles == {"b": b"moved"}


def test_a_round_that_waits_is_not_held_up() -> None:
    assert asked(EngineMemory(greeted=True), lambda: 1) == []


def test_only_a_new_name_or_new_synonyms_are_worth_a_look() -> None:
    described = CITY.with_changed(0, replace(CITY[0], prompts=("road", "street")))
    assert newly_named(CITY, CITY.with_class("puddle")).name == "puddle"
    assert newly_named(CITY, described).name == "road"
    assert newly_named(CITY, CITY.with_moved(0, 1)) is None
    assert newly_named(CITY.with_class("x"), CITY) is None
    assert newly_named(CITY, CITY.with_changed(0, replace(CITY[0], color="#000000"))) is None
    assert newly_named(CITY, ClassSet.from_names(["cell", "nucleus"])) is None
    assert newly_named(None, CITY) is None


def add_class(qtbot, widget, name: str) -> None:
    child(widget, "semidavil_class_name").setText(name)
    qtbot.mouseClick(child(widget, "semidavil_add_class"), Qt.MouseButton.LeftButton)


def prediction(viewer):
    roles = {la.metadata.get("semidavil", {}).get("role"): la for la in viewer.layers}
    return roles.get("prediction")


@gui
def test_a_typed_class_is_shown_before_any_stroke_and_without_a_source(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    viewer.add_image(np.zeros((60, 80, 3), np.uint8), name="night")
    add_class(qtbot, widget, "road")
    add_class(qtbot, widget, "puddle")
    assert "Looking for puddle" in widget._classes.words()
    qtbot.waitUntil(lambda: prediction(viewer) is not None, timeout=20_000)
    np.testing.assert_array_equal(np.unique(prediction(viewer).data[:, :40]), [2])
    np.testing.assert_array_equal(np.unique(prediction(viewer).data[:, 40:]), [1])
    assert widget._classes.words().startswith("puddle: 50% of the shown image")
    assert widget._conductor.session.status.state is State.IDLE
    assert not widget._conductor.session.status.failed


@gui
def test_what_a_look_found_is_not_said_any_more_when_a_round_has_drawn_over_it(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    add_class(qtbot, widget, "puddle")
    qtbot.waitUntil(lambda: "of the shown image" in widget._classes.words(), timeout=20_000)
    run_round(qtbot, widget)
    assert widget._classes.words() == ""
    widget._classes.setWords("3 classes were read.")
    run_round(qtbot, widget)
    assert widget._classes.words() == "3 classes were read.", "others said that"


@gui
def test_a_look_that_fails_says_so_in_the_panel_and_nowhere_else(open_widget, qtbot) -> None:
    widget, _ = open_widget("blind")
    add_class(qtbot, widget, "puddle")
    qtbot.waitUntil(lambda: "not on this machine" in widget._classes.words(), timeout=20_000)
    assert child(widget, "semidavil_adapt").isEnabled()
    assert not widget._conductor.session.status.failed


@gui
def test_adapt_ends_a_look_and_begins(open_widget, qtbot) -> None:
    widget, _ = open_widget("slow")
    add_class(qtbot, widget, "puddle")
    qtbot.waitUntil(lambda: widget._jobs.engine_pid is not None, timeout=20_000)
    qtbot.mouseClick(child(widget, "semidavil_adapt"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: widget._conductor.session.status.rounds == 1, timeout=20_000)


@gui
def test_strokes_keep_their_class_when_classes_move_and_go_and_come_back(
    open_widget, qtbot, monkeypatch
) -> None:
    widget, viewer = open_widget()
    table, strokes = child(widget, "semidavil_classes"), viewer.layers["my strokes"]
    before = strokes.data.copy()
    table.selectRow(1)
    qtbot.mouseClick(child(widget, "semidavil_class_up"), Qt.MouseButton.LeftButton)
    assert widget._classes.value().names == ("sky", "road")
    keys = widget._images.value()
    (shown, _) = widget._book.plan(keys, widget._classes.value())
    assert (shown.scribbles[:4] == 1).all()
    assert (shown.scribbles[-4:] == 0).all()
    add_class(qtbot, widget, "puddle")
    monkeypatch.setattr(widget._classes, "ask_removal", lambda *_: True)
    table.selectRow(0)
    qtbot.mouseClick(child(widget, "semidavil_class_remove"), Qt.MouseButton.LeftButton)
    (shown, _) = widget._book.plan(keys, widget._classes.value())
    assert (shown.scribbles[-4:] == 255).all()
    assert (shown.scribbles[:4] == 0).all()
    assert (
        "160"
        in child(widget, "semidavil_undo_removal")
        .parent()
        .findChildren(type(widget._classes._undo_text))[0]
        .text()
    )
    qtbot.mouseClick(child(widget, "semidavil_undo_removal"), Qt.MouseButton.LeftButton)
    assert table.item(0, 2).text() == "160"
    np.testing.assert_array_equal(strokes.data, before)
    widget._book.select_class(keys, 2)
    assert strokes.selected_label == 3


@gui
def test_a_window_opened_later_understands_the_strokes_of_the_first(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    child(widget, "semidavil_classes").selectRow(1)
    qtbot.mouseClick(child(widget, "semidavil_class_up"), Qt.MouseButton.LeftButton)
    moved = widget._classes.value()
    from semidavil_napari._layers import LayerBook

    second = LayerBook(viewer, lambda: None, lambda: None)
    second.set_classes(moved)
    assert second.painted(second.targets(), moved) == widget._book.painted(widget._images.value(), moved)
    second.disconnect()


@gui
def test_the_table_shows_the_scores_of_the_round_that_stands(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    qtbot.mouseClick(child(widget, "semidavil_adapt"), Qt.MouseButton.LeftButton)
    table = child(widget, "semidavil_classes")
    qtbot.waitUntil(lambda: table.item(0, 3).text() == "75%", timeout=20_000)
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=20_000)
    widget._history.go_to(widget._history.rounds.entries[0].key)
    qtbot.waitUntil(lambda: table.item(0, 3).text() == "–", timeout=20_000)


@gui
def test_classes_moved_and_removed_while_a_round_runs_leave_its_pictures_right(
    open_widget, qtbot, monkeypatch
) -> None:
    widget, viewer = open_widget()
    begin_round(qtbot, widget)
    child(widget, "semidavil_classes").selectRow(1)
    qtbot.mouseClick(child(widget, "semidavil_class_up"), Qt.MouseButton.LeftButton)
    finish_round(qtbot, widget)
    np.testing.assert_array_equal(
        np.unique(prediction(viewer).data), [2]
    )  # sky, whose place was 1 when the round began
