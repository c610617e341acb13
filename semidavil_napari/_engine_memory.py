"""What the window's engine has been told, and what a fresh one may go on from; free of Qt, of threads and of torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from semidavil_core.classes import ClassSet
from semidavil_core.engine.requests import Hello, Request
from semidavil_core.events import Done, Event, StageStarted
from semidavil_napari._session import Stage


class Client(Protocol):
    """What a round needs of the engine's client."""

    def request(self, request: Request) -> Iterator[Event]:
        """Send a request and give its events, ``Done`` last."""


@dataclass(frozen=True)
class KeptModel:
    """The model after a round, on the disk."""

    began_from: tuple[Any, ...]
    """The source, the language model and the device that its first round began with."""
    bundle: Path
    round: int
    """Number of the round in the window."""


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
    numbers: dict[int, int] = field(default_factory=dict)
    """The engine's number of the rounds whose models it holds, by the number that they have in the window; its 0 is what it began with."""
    kept: dict[int, Path] = field(default_factory=dict)
    """Bundles with the models of some of these rounds, by the number in the window."""
    standing: int | None = None
    """Which of them stands, or else the last one before it that is kept."""
    follows: KeptModel | None = None
    """What stood in the engine before this one, when that died; or the round that a person goes back to."""

    def successor(self) -> EngineMemory:
        """What a fresh engine may go on from when this one is gone."""
        if self.model is None or self.standing is None:
            return EngineMemory(follows=self.follows if self.model is None else None)
        return EngineMemory(follows=KeptModel(self.model, self.kept[self.standing], self.standing))

    def begin(self, model: tuple[Any, ...], after: KeptModel | None) -> None:
        """The engine has another model: a new one, or the one `after` a round of before."""
        number = 0 if after is None else after.round
        self.model, self.rounds, self.numbers = model, 0, {number: 0}
        self.kept = {} if after is None else {number: after.bundle}
        self.standing = None if after is None else number

    def finish(self, number: int) -> None:
        """The engine has finished the round that the window calls `number`."""
        self.rounds += 1
        self.numbers[number] = self.rounds

    def keep(self, number: int, bundle: Path) -> None:
        """The model that stands was kept after round `number`."""
        self.kept[number], self.standing = bundle, number


def iter_greeting(client: Client, memory: EngineMemory) -> Iterator[Event]:
    """Shake hands with an engine that has not been greeted."""
    if memory.greeted:
        return
    yield StageStarted(Stage.START, 0)
    yield from iter_answer(client, Hello())
    memory.greeted = True


def iter_answer(client: Client, request: Request) -> Iterator[Event]:
    """Ask the engine and give what it tells, without the ``Done`` that ends it."""
    return (event for event in client.request(request) if not isinstance(event, Done))
