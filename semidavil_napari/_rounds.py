"""What the window asks of the engine, in which order: free of Qt, of threads and of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.engine.requests import (
    Adapt,
    Predict,
    RemoveImage,
    RestoreRound,
    SaveBundle,
    SetImage,
    SetScribbles,
)
from semidavil_core.errors import EngineFailed, OutputNotWritable
from semidavil_core.events import (
    Event,
    Notice,
    PreviewReady,
    RoundFinished,
    RoundRestored,
    StageProgress,
    StageStarted,
)
from semidavil_napari._engine_memory import Client, EngineMemory, KeptModel, iter_answer, iter_greeting
from semidavil_napari._round_plan import PlanImage, RoundPlan
from semidavil_napari._session import Stage
from semidavil_napari._start_model import iter_model, training_started, wanted_model

_FIRST_LOOKS: Final = 4


def iter_round(
    client: Client, memory: EngineMemory, plan: RoundPlan, stops: Callable[[], int] = lambda: 0
) -> Iterator[Event]:
    """Tell the engine what changed, run one round, predict every image.

    Parameters
    ----------
    client, memory
        The engine and what it knows; `memory` is brought up to date.
    plan
        The round.
    stops
        How often Stop has been pressed in this job: the engine ends what it is at, and what would follow is left out.

    Yields
    ------
    Event
        The engine's events, with a ``StageStarted`` before each stage.
    """
    yield from iter_greeting(client, memory)
    yield from iter_model(client, memory, plan)
    if stops():
        memory.model = None  # a preparation that was cut short is no model to go on from
        return
    yield from iter_images(client, memory, plan)
    if stops():
        return
    if not memory.rounds:
        yield from _iter_first_look(client, plan, stops)
        if stops():
            return
    yield training_started(Stage.ADAPT, plan.budget, plan.number)
    for event in iter_answer(client, Adapt(plan.budget, plan.hold_out)):
        yield replace(event, round=plan.number) if isinstance(event, RoundFinished) else event
    memory.finish(plan.number)
    if plan.keep_in is not None:
        yield from _iter_keeping(client, memory, plan.number, plan.keep_in)
    yield from _iter_predictions(client, plan, stops)


def _iter_keeping(client: Client, memory: EngineMemory, number: int, bundle: Path) -> Iterator[Event]:
    """Keep the model on the disk; a full one costs that copy, not the round."""
    try:
        yield from iter_answer(client, SaveBundle(str(bundle)))
        memory.keep(number, bundle)
    except OutputNotWritable as error:
        yield Notice(f"The model of this round could not be kept: {error}")


def iter_restore(client: Client, memory: EngineMemory, number: int) -> Iterator[Event]:
    """Go to the model that a round of the window left (0: the start) and predict every image that the engine has.

    Raises
    ------
    EngineFailed
        The engine is a fresh one.
    """
    if number not in memory.numbers:
        yield from iter_greeting(client, memory)
        raise EngineFailed(
            "The engine that held the rounds is gone, so there is no way back to them; adapt again."
        )
    yield StageStarted(Stage.PREDICT, len(memory.images), "images")
    done = 0
    for event in iter_answer(client, RestoreRound(memory.numbers[number], tuple(memory.images))):
        yield replace(event, round=number) if isinstance(event, RoundRestored) else event
        if isinstance(event, RoundRestored):
            memory.standing = number if number in memory.kept else None
        if isinstance(event, PreviewReady):
            done += 1
            yield StageProgress(done)


def iter_going_back(
    client: Client,
    memory: EngineMemory,
    plan: RoundPlan,
    number: int,
    bundle: Path,
    stops: Callable[[], int] = lambda: 0,
) -> Iterator[Event]:
    """Take the model of a round that only the disk holds, and predict every image."""
    yield from iter_greeting(client, memory)
    memory.follows = KeptModel(wanted_model(plan), bundle, number)
    yield from iter_model(client, memory, plan)
    if stops():
        return
    yield from iter_images(client, memory, plan)
    yield from _iter_predictions(client, plan, stops)


def iter_images(client: Client, memory: EngineMemory, plan: RoundPlan) -> Iterator[Event]:
    """Send the images and strokes that the engine does not have yet, known by their content."""
    for name in sorted(set(memory.images) - {image.name for image in plan.images}):
        yield from iter_answer(client, RemoveImage(name))
        for known in (memory.images, memory.scribbles, memory.versions):
            known.pop(name, None)
    yield StageStarted("sending images", len(plan.images), "images")
    for count, image in enumerate(plan.images, 1):
        yield from iter_pixels(client, memory, image)
        strokes = image.scribbles if _painted(image.scribbles) else None
        if memory.scribbles.get(image.name, b"") != (content := _content(strokes)):
            yield from iter_answer(client, SetScribbles(image.name, strokes))
            memory.scribbles[image.name] = content
        yield StageProgress(count)


def iter_pixels(client: Client, memory: EngineMemory, image: PlanImage) -> Iterator[Event]:
    """Send one image if the engine has another one, or none, under its name."""
    seen_as = (image.channels, image.axes)
    if image.version is not None and memory.versions.get(image.name) == (image.version, *seen_as):
        return
    pixels = image.read()
    content = _content(pixels) + repr(seen_as).encode()
    if memory.images.get(image.name) != content:
        yield from iter_answer(client, SetImage(image.name, pixels, image.channels, image.axes))
        memory.images[image.name] = content
        memory.scribbles.pop(image.name, None)
    if image.version is not None:
        memory.versions[image.name] = (image.version, *seen_as)


def _iter_first_look(client: Client, plan: RoundPlan, stops: Callable[[], int]) -> Iterator[Event]:
    """Predict a few images before the first round, so that before and after can be compared: the one shown, and painted ones."""
    painted = [image for image in plan.images[1:] if _painted(image.scribbles)]
    looks = [*plan.images[:1], *painted][:_FIRST_LOOKS]
    yield StageStarted("looking at the images before the first round", len(looks), "images")
    for count, image in enumerate(looks, 1):
        if stops():
            return
        yield from iter_answer(client, Predict(image.name))
        yield StageProgress(count)


def _iter_predictions(client: Client, plan: RoundPlan, stops: Callable[[], int]) -> Iterator[Event]:
    """Predict every image; a Stop from now on ends it."""
    before = stops()
    yield StageStarted(Stage.PREDICT, len(plan.images), "images")
    for count, image in enumerate(plan.images, 1):
        yield from iter_answer(client, Predict(image.name))
        yield StageProgress(count)
        if stops() > before:
            return


def _content(array: NDArray[Any] | None) -> bytes:
    """A fingerprint of an array; empty for no array."""
    if array is None:
        return b""
    digest = hashlib.blake2b(f"{array.dtype}{array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _painted(labels: NDArray[np.uint8] | None) -> bool:
    return labels is not None and bool((labels != IGNORE_INDEX).any())
