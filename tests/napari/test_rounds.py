"""What the engine is asked, in which order, and what it is not asked twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.engine.requests import RestoreRound
from semidavil_core.errors import EngineFailed
from semidavil_core.settings import Budget
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._round_plan import PlanImage, RoundPlan
from semidavil_napari._rounds import iter_restore, iter_round
from semidavil_napari._sources import Source, SourceKind
from tests.napari.recorder import Recorder


def image(name: str, value: int = 0, *, painted: bool = False) -> PlanImage:
    strokes = np.full((4, 5), 255, np.uint8)
    strokes[0] = 0 if painted else 255
    return PlanImage(name, lambda: np.full((4, 5, 3), value, np.uint8), strokes)


@pytest.fixture
def plan(source_folder: Path) -> RoundPlan:
    classes = ClassSet.from_names(["road", "sky"])
    images = (image("a", painted=True), image("b"))
    return RoundPlan(Source(SourceKind.LABELLED, source_folder), classes, images, Budget())


FIRST = [
    "Hello",
    "SetSource",
    "PrepareFromSource",
    "SetImage",
    "SetScribbles",
    "SetImage",
    "Predict",
    "Adapt",
    "Predict",
    "Predict",
]


def test_a_fresh_engine_is_told_everything_once(plan: RoundPlan) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, plan))
    assert engine.kinds() == FIRST
    list(iter_round(engine, memory, plan))
    assert engine.kinds() == ["Adapt", "Predict", "Predict"]


def test_only_what_changed_is_sent_again(plan: RoundPlan) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, plan))
    engine.kinds()
    more = replace(plan, classes=plan.classes.with_class("puddle"), images=(image("a"), image("c", 3)))
    list(iter_round(engine, memory, more))
    assert engine.kinds() == [
        "SetClasses",
        "RemoveImage",
        "SetScribbles",
        "SetImage",
        "Adapt",
        "Predict",
        "Predict",
    ]
    changed = replace(more, images=(image("a", 9, painted=True), image("c", 3)))
    list(iter_round(engine, memory, changed))
    assert engine.kinds() == ["SetImage", "SetScribbles", "Adapt", "Predict", "Predict"]


def test_a_bundle_is_loaded_and_adapted_without_a_source(plan: RoundPlan, source_folder: Path) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, replace(plan, source=Source(SourceKind.BUNDLE, source_folder))))
    assert engine.kinds()[:3] == ["Hello", "SetSource", "LoadBundle"]


def test_another_source_begins_anew_but_keeps_the_images(plan: RoundPlan) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, plan))
    engine.kinds()
    list(iter_round(engine, memory, replace(plan, vlm="natural")))
    assert engine.kinds() == ["SetSource", "PrepareFromSource", "Predict", "Adapt", "Predict", "Predict"]


def test_a_stop_during_preparation_runs_no_round_and_the_next_prepares_again(plan: RoundPlan) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, plan, lambda: 1))
    assert engine.kinds() == FIRST[:3]
    list(iter_round(engine, memory, plan))
    assert engine.kinds()[:2] == ["SetSource", "PrepareFromSource"]


def test_the_first_stop_ends_the_round_and_still_predicts_a_second_ends_that(plan: RoundPlan) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, plan))
    engine.kinds()
    stops = 0

    def pressed() -> int:
        return stops

    for event in iter_round(engine, memory, plan, pressed):
        stops = {"Adapt": 1, "Predict": 2}.get(engine.requests[-1].kind, 0) if engine.requests else 0
        assert event is not None
    assert engine.kinds()[-2:] == ["Adapt", "Predict"]


def test_the_classes_lie_beside_the_source_or_one_level_up(source_folder: Path) -> None:
    source = Source(SourceKind.LABELLED, source_folder)
    assert source.classes.names == ("road", "sky")
    (source_folder / "classes.json").rename(source_folder.parent / "classes.json")
    assert source.classes.names == ("road", "sky")


def test_before_the_first_round_a_few_images_are_looked_at_and_a_stop_then_ends_the_job(
    plan: RoundPlan,
) -> None:
    images = tuple(image(name, painted=name != "b") for name in "abcdefgh")
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, replace(plan, images=images)))
    kinds = engine.kinds()
    looks = kinds[: kinds.index("Adapt")].count("Predict")
    assert looks == 4
    list(iter_round(engine, memory, replace(plan, images=images)))
    assert engine.kinds()[0] == "Adapt", "later rounds begin at once"
    engine = Recorder()
    list(iter_round(engine, EngineMemory(), plan, lambda: int(engine.requests[-1].kind == "Predict")))
    assert "Adapt" not in engine.kinds()


def test_going_back_asks_for_the_images_that_the_engine_has_and_needs_an_engine_that_has_rounds(
    plan: RoundPlan,
) -> None:
    engine, memory = Recorder(), EngineMemory()
    list(iter_round(engine, memory, plan))
    engine.kinds()
    list(iter_restore(engine, memory, 0))
    assert engine.requests == [RestoreRound(0, ("a", "b"))]
    with pytest.raises(EngineFailed, match="no way back"):
        list(iter_restore(engine, EngineMemory(), 0))
