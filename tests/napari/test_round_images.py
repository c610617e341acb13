"""Which target images are read and sent again, and which are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from semidavil_core.classes import ClassSet
from semidavil_core.settings import Budget
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._round_plan import PlanImage, RoundPlan
from semidavil_napari._rounds import iter_round
from semidavil_napari._sources import Source, SourceKind
from tests.napari.recorder import Recorder

CLASSES = ClassSet.from_names(["road", "sky"])


class Reader:
    """An image that counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> np.ndarray:
        self.reads += 1
        return np.zeros((4, 5, 3), np.uint8)


def sent(engine: Recorder, memory: EngineMemory, plan: RoundPlan) -> list:
    list(iter_round(engine, memory, plan))
    images = [request for request in engine.requests if request.kind == "SetImage"]
    engine.requests.clear()
    return images


def plan_of(image: PlanImage, folder: Path) -> RoundPlan:
    return RoundPlan(Source(SourceKind.LABELLED, folder), CLASSES, (image,), Budget())


def test_an_image_with_a_version_is_read_once(source_folder: Path) -> None:
    engine, memory, read = Recorder(), EngineMemory(), Reader()
    plan = plan_of(PlanImage("a", read, version="v1"), source_folder)
    assert len(sent(engine, memory, plan)) == 1
    assert sent(engine, memory, plan) == []
    assert read.reads == 1
    sent(engine, memory, replace(plan, images=(PlanImage("a", read, version="v2"),)))
    assert read.reads == 2


def test_an_image_without_a_version_is_known_by_its_pixels(source_folder: Path) -> None:
    engine, memory, read = Recorder(), EngineMemory(), Reader()
    plan = plan_of(PlanImage("a", read), source_folder)
    assert len(sent(engine, memory, plan)) == 1
    assert sent(engine, memory, plan) == []
    assert read.reads == 2


def test_other_channels_are_sent_again(source_folder: Path) -> None:
    engine, memory = Recorder(), EngineMemory()
    for version in (None, "v1"):
        for channels in ((0, 1, 2), (2, 1, None)):
            plan = plan_of(PlanImage("a", Reader(), None, channels, "YXC", version), source_folder)
            (request,) = sent(engine, memory, plan)
            assert request.channels == channels
            assert request.axes == "YXC"
        memory = EngineMemory()


def test_an_image_that_comes_back_is_sent_again(source_folder: Path) -> None:
    engine, memory = Recorder(), EngineMemory()
    plan = plan_of(PlanImage("a", Reader(), version="v1"), source_folder)
    sent(engine, memory, plan)
    sent(engine, memory, replace(plan, images=(PlanImage("b", Reader()),)))
    assert len(sent(engine, memory, plan)) == 1
