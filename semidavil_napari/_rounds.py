"""What the window asks of the engine, in which order: free of Qt, of threads and of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.engine.requests import (
    Adapt,
    ArrayMap,
    Hello,
    LoadBundle,
    Predict,
    PrepareFromSource,
    RemoveImage,
    Request,
    RestoreRound,
    SaveBundle,
    SetClasses,
    SetImage,
    SetScribbles,
    SetSource,
)
from semidavil_core.errors import EngineFailed, OutputNotWritable
from semidavil_core.events import Done, Event, ModelChanged, Notice, PreviewReady, StageProgress, StageStarted
from semidavil_core.settings import Budget
from semidavil_napari._session import Stage
from semidavil_napari._sources import Source as Source
from semidavil_napari._sources import SourceKind as SourceKind
from semidavil_napari._sources import classes_of_folder

HOLD_OUT: Final = 0.15
_FIRST_LOOKS: Final = 4


class Client(Protocol):
    """What a round needs of the engine's client."""

    def request(self, request: Request) -> Iterator[Event]:
        """Send a request and give its events, ``Done`` last."""


@dataclass(frozen=True)
class PlanImage:
    """One target image of a round: read when it is sent, in the background."""

    name: str
    read: Callable[[], NDArray[Any]] = field(compare=False)
    scribbles: NDArray[np.uint8] | None = field(compare=False, default=None)
    """(H, W) class indices, 255 = unlabelled; a copy, so that painting goes on."""
    channels: tuple[int | None, ...] | None = None
    """Which channels the model sees as red, green and blue; None for grey and RGB images."""
    axes: str = ""
    """Letters of the axes where they are known: ``YXC`` are separate channels, not the colours of a photograph."""
    version: str | None = None
    """A name of the pixels that changes when they do, so that they need not be read again; None: only reading them tells."""


@dataclass(frozen=True)
class RoundPlan:
    """Everything that a round uses, frozen with the strokes of the moment it was asked for."""

    source: Source
    classes: ClassSet
    images: tuple[PlanImage, ...]
    budget: Budget
    prepare_budget: Budget = field(default_factory=Budget)
    vlm: str = "mini"
    device: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)
    hold_out: float = HOLD_OUT
    """Share of each class's strokes that the round is measured on instead of trained on."""
    keep_in: Path | None = None
    """Where the model after the round is kept; None: nowhere."""


@dataclass
class EngineMemory:
    """What one engine process has been told; a fresh engine knows nothing."""

    greeted: bool = False
    model: tuple[Any, ...] | None = None
    classes: ClassSet | None = None
    images: dict[str, bytes] = field(default_factory=dict)
    scribbles: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """What the images were when they were sent, where that can be told without reading them."""
    rounds: int = 0
    """Rounds that the present model has finished."""


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
    yield StageStarted(Stage.ADAPT, plan.budget.seconds, "seconds")
    yield from iter_answer(client, Adapt(plan.budget, plan.hold_out))
    memory.rounds += 1
    if plan.keep_in is not None:
        yield from _iter_keeping(client, plan.keep_in)
    yield from _iter_predictions(client, plan, stops)


def _iter_keeping(client: Client, bundle: Path) -> Iterator[Event]:
    """Keep the model in the project; a full disk costs that copy, not the round."""
    try:
        yield from iter_answer(client, SaveBundle(str(bundle)))
    except OutputNotWritable as error:
        yield Notice(f"The model of this round could not be kept in the project: {error}")


def iter_greeting(client: Client, memory: EngineMemory) -> Iterator[Event]:
    """Shake hands with an engine that has not been greeted."""
    if memory.greeted:
        return
    yield StageStarted(Stage.START, 0)
    yield from iter_answer(client, Hello())
    memory.greeted = True


def iter_restore(client: Client, memory: EngineMemory, number: int) -> Iterator[Event]:
    """Go to the model that a round left (0: the start) and predict every image that the engine has.

    Raises
    ------
    EngineFailed
        The engine is a fresh one.
    """
    if not memory.greeted:
        yield from iter_greeting(client, memory)
        raise EngineFailed(
            "The engine that held the rounds is gone, so there is no way back to them; adapt again."
        )
    yield StageStarted(Stage.PREDICT, len(memory.images), "images")
    done = 0
    for event in iter_answer(client, RestoreRound(number, tuple(memory.images))):
        yield event
        if isinstance(event, PreviewReady):
            done += 1
            yield StageProgress(done)


def iter_model(client: Client, memory: EngineMemory, plan: RoundPlan) -> Iterator[Event]:
    """Load or prepare the first model, if the engine has not this one; then its class set."""
    wanted = (plan.source, plan.vlm, plan.device)
    if memory.model != wanted:
        memory.model = memory.classes = None
        if plan.source.kind is SourceKind.BUNDLE:
            yield StageStarted("loading the bundle", 0)
            yield from iter_answer(client, _source_beside(plan.source))
            yield from iter_answer(client, LoadBundle(str(plan.source.folder), plan.device))
        else:
            yield from _iter_preparation(client, plan)
        memory.model, memory.classes, memory.rounds = wanted, plan.source.named_now(plan.classes), 0
        yield ModelChanged()
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


def _source_beside(source: Source) -> SetSource:
    """The labelled folder to keep learning from beside a bundle; nothing makes the rounds source-free."""
    if source.beside is None:
        return SetSource()
    return SetSource(str(source.beside), classes_of_folder(source.beside))


def _iter_preparation(client: Client, plan: RoundPlan) -> Iterator[Event]:
    classes = plan.source.named_now(plan.classes)
    yield StageStarted("reading the source", 0)
    if plan.source.layers is not None:
        images, labels = plan.source.layers.read()
        yield from iter_answer(client, SetSource(None, classes, ArrayMap(images), ArrayMap(labels)))
    else:
        yield from iter_answer(client, SetSource(str(plan.source.folder), classes))
    yield StageStarted(Stage.PREPARE, plan.prepare_budget.seconds, "seconds")
    yield from iter_answer(
        client, PrepareFromSource(classes, plan.vlm, plan.prepare_budget, device=plan.device)
    )


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


def iter_answer(client: Client, request: Request) -> Iterator[Event]:
    """Ask the engine and give what it tells, without the ``Done`` that ends it."""
    return (event for event in client.request(request) if not isinstance(event, Done))


def _content(array: NDArray[Any] | None) -> bytes:
    """A fingerprint of an array; empty for no array."""
    if array is None:
        return b""
    digest = hashlib.blake2b(f"{array.dtype}{array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _painted(labels: NDArray[np.uint8] | None) -> bool:
    return labels is not None and bool((labels != IGNORE_INDEX).any())
