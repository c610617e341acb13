"""What the window asks of the engine, in which order: free of Qt, of threads and of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.engine.requests import (
    Adapt,
    Hello,
    LoadBundle,
    Predict,
    PrepareFromSource,
    RemoveImage,
    Request,
    SaveBundle,
    SetClasses,
    SetImage,
    SetScribbles,
    SetSource,
)
from semidavil_core.events import Done, Event, StageProgress, StageStarted
from semidavil_core.settings import Budget
from semidavil_napari._session import Stage


class Client(Protocol):
    """What a round needs of the engine's client."""

    def request(self, request: Request) -> Iterator[Event]:
        """Send a request and give its events, ``Done`` last."""


class SourceKind(StrEnum):
    """What a person starts from."""

    BUNDLE = "bundle"
    LABELLED = "labelled"


@dataclass(frozen=True)
class Source:
    """Where the first model comes from: a bundle, or a labelled folder to prepare one from."""

    kind: SourceKind
    folder: Path

    @property
    def classes(self) -> ClassSet:
        """The classes of the folder's own ``classes.json`` (beside it or one level up).

        Raises
        ------
        InvalidClasses
            There is none, or it breaks a rule.
        """
        beside = self.folder / "classes.json"
        return ClassSet.read(beside if beside.is_file() else self.folder.parent / "classes.json")


@dataclass(frozen=True)
class PlanImage:
    """One target image of a round: read when it is sent, in the background."""

    name: str
    read: Callable[[], NDArray[Any]] = field(compare=False)
    scribbles: NDArray[np.uint8] | None = field(compare=False, default=None)
    """(H, W) class indices, 255 = unlabelled; a copy, so that painting goes on."""
    channels: tuple[int | None, ...] | None = None
    """Which channels the model sees as red, green and blue; None for grey and RGB images."""


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


@dataclass
class EngineMemory:
    """What one engine process has been told; a fresh engine knows nothing."""

    greeted: bool = False
    model: tuple[Any, ...] | None = None
    classes: ClassSet | None = None
    images: dict[str, bytes] = field(default_factory=dict)
    scribbles: dict[str, bytes] = field(default_factory=dict)


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
    yield from _iter_model(client, memory, plan)
    if stops():
        memory.model = None  # a preparation that was cut short is no model to go on from
        return
    yield from _iter_images(client, memory, plan)
    if stops():
        return
    yield StageStarted(Stage.ADAPT, plan.budget.seconds, "seconds")
    yield from _ask(client, Adapt(plan.budget))
    yield from _iter_predictions(client, plan, stops)


def iter_greeting(client: Client, memory: EngineMemory) -> Iterator[Event]:
    """Shake hands with an engine that has not been greeted."""
    if memory.greeted:
        return
    yield StageStarted(Stage.START, 0)
    yield from _ask(client, Hello())
    memory.greeted = True


def iter_save(client: Client, folder: Path) -> Iterator[Event]:
    """Write the present model as a bundle."""
    yield StageStarted(Stage.SAVE, 0)
    yield from _ask(client, SaveBundle(str(folder)))


def _iter_model(client: Client, memory: EngineMemory, plan: RoundPlan) -> Iterator[Event]:
    """Load or prepare the first model, if the engine has not this one; then its class set."""
    wanted = (plan.source, plan.vlm, plan.device)
    if memory.model != wanted:
        memory.model = memory.classes = None
        if plan.source.kind is SourceKind.BUNDLE:
            yield StageStarted("loading the bundle", 0)
            yield from _ask(client, SetSource())
            yield from _ask(client, LoadBundle(str(plan.source.folder), plan.device))
        else:
            yield from _iter_preparation(client, plan)
        memory.model, memory.classes = wanted, plan.source.classes
    if memory.classes != plan.classes:
        yield from _ask(client, SetClasses(plan.classes))
        memory.classes = plan.classes


def _iter_preparation(client: Client, plan: RoundPlan) -> Iterator[Event]:
    classes = plan.source.classes
    yield StageStarted("reading the source", 0)
    yield from _ask(client, SetSource(str(plan.source.folder), classes))
    yield StageStarted(Stage.PREPARE, plan.prepare_budget.seconds, "seconds")
    yield from _ask(client, PrepareFromSource(classes, plan.vlm, plan.prepare_budget, device=plan.device))


def _iter_images(client: Client, memory: EngineMemory, plan: RoundPlan) -> Iterator[Event]:
    """Send the images and strokes that the engine does not have yet, known by their content."""
    for name in sorted(set(memory.images) - {image.name for image in plan.images}):
        yield from _ask(client, RemoveImage(name))
        memory.images.pop(name), memory.scribbles.pop(name, None)
    yield StageStarted("sending images", len(plan.images), "images")
    for count, image in enumerate(plan.images, 1):
        pixels = image.read()
        if memory.images.get(image.name) != (content := _content(pixels)):
            yield from _ask(client, SetImage(image.name, pixels, image.channels))
            memory.images[image.name] = content
            memory.scribbles.pop(image.name, None)
        strokes = image.scribbles if _painted(image.scribbles) else None
        if memory.scribbles.get(image.name, b"") != (content := _content(strokes)):
            yield from _ask(client, SetScribbles(image.name, strokes))
            memory.scribbles[image.name] = content
        yield StageProgress(count)


def _iter_predictions(client: Client, plan: RoundPlan, stops: Callable[[], int]) -> Iterator[Event]:
    """Predict every image; a Stop from now on ends it."""
    before = stops()
    yield StageStarted(Stage.PREDICT, len(plan.images), "images")
    for count, image in enumerate(plan.images, 1):
        yield from _ask(client, Predict(image.name))
        yield StageProgress(count)
        if stops() > before:
            return


def _ask(client: Client, request: Request) -> Iterator[Event]:
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
