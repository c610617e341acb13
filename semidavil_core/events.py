"""What long work tells while it runs: frozen, serialisable event dataclasses.

Every generator of the core yields these; a window draws them, the command line turns them into a progress bar or JSON lines,
a test reads them. Arrays never travel inside an event's JSON: array fields are listed in :func:`array_fields` and go beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from semidavil_core.errors import EngineFailed


class FinishReason(StrEnum):
    """Why a round or a preparation ended."""

    BUDGET = "budget"
    """The seconds or steps were used up."""
    STOPPED = "stopped"
    """A person asked for it; the state is the last good one."""
    RESTORED = "restored"
    """The round got worse on held-out strokes and the state from before it was kept."""


@dataclass(frozen=True)
class Event:
    """Base of all events; `kind` is the class name."""

    _registry: ClassVar[dict[str, type[Event]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Event._registry[cls.__name__] = cls

    @property
    def kind(self) -> str:
        """Name under which the event is serialised."""
        return type(self).__name__

    def to_json(self) -> dict[str, Any]:
        """The event as a JSON object, arrays left out."""
        arrays = self.arrays()
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in arrays}
        return {"event": self.kind, **plain}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The array fields by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def event_from_json(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> Event:
    """Rebuild an event from :meth:`Event.to_json` and its arrays.

    Raises
    ------
    EngineFailed
        The kind is unknown or the fields do not fit it.
    """
    kind = content.get("event")
    cls = Event._registry.get(str(kind))
    if cls is None:
        raise EngineFailed(
            f"The engine sent the unknown event {kind!r}; update both sides to the same version."
        )
    try:
        return cls(**{name: value for name, value in content.items() if name != "event"}, **(arrays or {}))
    except TypeError as error:
        raise EngineFailed(f"The engine sent a malformed {kind} event ({error}).") from error


@dataclass(frozen=True)
class StageStarted(Event):
    """A stage of a longer job begins."""

    stage: str
    """Short words for a person: "reading images", "caching features", "training on the source"."""
    total: float
    """How much there is to do, in `unit`; 0 if unknown."""
    unit: str = "steps"
    """What `total` counts: "images", "steps", "seconds"."""


@dataclass(frozen=True)
class StageProgress(Event):
    """The current stage went on."""

    done: float
    """How much of the stage's total is done."""


@dataclass(frozen=True)
class StepFinished(Event):
    """One optimiser step is done."""

    step: int
    """Steps of this round so far, from 1."""
    seconds: float
    """Seconds since the round's first step began, pauses not counted."""
    fraction: float
    """How much of the budget is used, 0 to 1."""
    loss: float
    """Total loss of the step."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """The weighted parts of `loss` by name."""
    mean_confidence: float | None = None
    """Mean weight of the pseudo-labels in this step, 0 to 1; None where there are none."""


@dataclass(frozen=True)
class PreviewReady(Event):
    """The teacher's present prediction of one image."""

    image: str
    """The image's name."""
    prediction: NDArray[np.uint8] = field(repr=False)
    """(H, W) class indices."""
    confidence: NDArray[np.float32] = field(repr=False)
    """(H, W), 0 to 1: the probability of the predicted class."""
    pseudo_labels: NDArray[np.uint8] | None = field(default=None, repr=False)
    """(H, W) class indices, 255 where the teacher is not trusted; None outside a round."""


@dataclass(frozen=True)
class Paused(Event):
    """The job holds at a step boundary."""


@dataclass(frozen=True)
class Resumed(Event):
    """The job goes on."""


@dataclass(frozen=True)
class Notice(Event):
    """Something a person should know, in one sentence."""

    message: str


@dataclass(frozen=True)
class RoundFinished(Event):
    """A round, or a preparation, is over; always the last event of its generator."""

    round: int
    """Number of the round, from 1; 0 for source preparation."""
    reason: str
    """A :class:`FinishReason`."""
    steps: int
    seconds: float
    """Seconds of training, pauses not counted."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Figures measured on held-out strokes, e.g. ``held_out_accuracy`` before and after."""


@dataclass(frozen=True)
class Failed(Event):
    """A job ended with an error; sent by the engine in place of the job's last event."""

    error: str
    """Name of the error's class."""
    message: str
    """The sentence for a person."""


@dataclass(frozen=True)
class Done(Event):
    """The engine has answered a request completely."""

    request: int
    """The id of the request."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """What the request asked for, as JSON."""
