"""The model that a round begins with: loaded, prepared from a labelled source, or that of a round before; and its classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from semidavil_core.classes import ClassSet
from semidavil_core.engine.requests import ArrayMap, LoadBundle, PrepareFromSource, SetClasses, SetSource
from semidavil_core.events import Event, ModelChanged, StageStarted
from semidavil_core.export.bundle_files import is_bundle
from semidavil_core.settings import Budget
from semidavil_napari._engine_memory import Client, EngineMemory, KeptModel, iter_answer
from semidavil_napari._round_plan import RoundPlan
from semidavil_napari._session import Stage
from semidavil_napari._sources import Source, SourceKind, classes_of_folder


def iter_model(client: Client, memory: EngineMemory, plan: RoundPlan) -> Iterator[Event]:
    """Load or prepare the first model, if the engine has not this one; then its class set."""
    wanted = wanted_model(plan)
    if memory.model != wanted or memory.follows is not None:
        follows, memory.follows = memory.follows, None
        if follows is not None and (follows.began_from != wanted or not is_bundle(follows.bundle)):
            follows = None
        if follows is not None:
            yield StageStarted("loading the model of a round before", 0)
            yield from iter_answer(
                client, LoadBundle(str(follows.bundle), plan.device)
            )  # if it fails, nothing has changed
        memory.model = memory.classes = None
        if follows is not None:
            yield from iter_answer(client, _source_of(plan.source, classes_of_folder(follows.bundle)))
        elif plan.source.kind is SourceKind.BUNDLE:
            yield StageStarted("loading the bundle", 0)
            yield from iter_answer(client, _source_beside(plan.source))
            yield from iter_answer(client, LoadBundle(str(plan.source.folder), plan.device))
        else:
            yield from _iter_preparation(client, plan)
        after = follows or _round_of_the_source(plan)
        memory.begin(wanted, after)
        memory.classes = (
            plan.source.named_now(plan.classes) if follows is None else classes_of_folder(follows.bundle)
        )
        yield ModelChanged(0 if after is None else after.round)
    yield from iter_classes(client, memory, plan.classes)


def iter_classes(client: Client, memory: EngineMemory, classes: ClassSet) -> Iterator[Event]:
    """Tell the engine's model of the present classes, if it has others."""
    if memory.classes == classes:
        return
    before, memory.classes = memory.classes, None
    yield from iter_answer(client, SetClasses(classes))
    if before is None or before.positions_in(classes) != tuple(range(len(before))):
        # The engine moved its strokes along, so that they are no longer what was sent.
        memory.scribbles = dict.fromkeys(memory.scribbles, b"moved")
    memory.classes = classes


def wanted_model(plan: RoundPlan) -> tuple[Any, ...]:
    """What a model must have begun from to be the one of a plan."""
    return (plan.source, plan.vlm, plan.device)


def _round_of_the_source(plan: RoundPlan) -> KeptModel | None:
    """The round whose bundle is what the plan starts from."""
    return KeptModel(wanted_model(plan), plan.source.folder, plan.goes_on_from) if plan.goes_on_from else None


def _source_of(source: Source, classes: ClassSet) -> SetSource:
    """What a model of these classes learns on from."""
    return _whole_source(source, classes) if source.learns else _source_beside(source)


def _source_beside(source: Source) -> SetSource:
    """The labelled folder to keep learning from beside a bundle; nothing makes the rounds source-free."""
    if source.beside is None:
        return SetSource()
    return SetSource(str(source.beside), classes_of_folder(source.beside))


def _whole_source(source: Source, classes: ClassSet) -> SetSource:
    """A labelled source under the names that `classes` have for its values."""
    now = {info.value: info for info in classes}
    named = ClassSet(tuple(now.get(info.value, info) for info in source.classes))
    if source.layers is None:
        return SetSource(str(source.folder), named)
    images, labels = source.layers.read()
    return SetSource(None, named, ArrayMap(images), ArrayMap(labels))


def _iter_preparation(client: Client, plan: RoundPlan) -> Iterator[Event]:
    classes = plan.source.named_now(plan.classes)
    yield StageStarted("reading the source", 0)
    yield from iter_answer(client, _whole_source(plan.source, classes))
    yield training_started(Stage.PREPARE, plan.prepare_budget)
    yield from iter_answer(
        client, PrepareFromSource(classes, plan.vlm, plan.prepare_budget, device=plan.device)
    )


def training_started(stage: Stage, budget: Budget, number: int = 0) -> StageStarted:
    """The event that training begins, with what its budget counts and, of a round, its number."""
    if budget.steps is not None:
        return StageStarted(stage, budget.steps, "steps", number)
    return StageStarted(stage, budget.seconds, "seconds", number)
