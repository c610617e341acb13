"""What long work tells while it runs: frozen, serialisable event dataclasses.

Every generator of the core yields these; a window draws them, the command line turns them into a progress bar or JSON lines,
a test reads them. Arrays never travel inside an event's JSON: array fields are listed in :func:`array_fields` and go beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
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
    round: int = 0
    """Number of the round that begins; 0 for every other stage."""


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
    """Seconds since the round or preparation began, pauses not counted."""
    fraction: float
    """How much of the budget is used, 0 to 1."""
    loss: float
    """Total loss of the step."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """The weighted parts of `loss` by name."""
    mean_confidence: float | None = None
    """Mean confidence of the pseudo-labels in this step, 0 to 1; None where there are none."""


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
class Suggestion:
    """A place where one more stroke pays."""

    image: str
    """The image's name."""
    y: float
    """Row of the centre, in pixels of the image."""
    x: float
    """Column of the centre."""
    radius: float
    """How far the place reaches, in pixels."""
    score: float
    """Higher pays more; about 1 where two classes are equally likely and fill half of the place each, more where more classes do."""
    class_index: int
    """The likely class."""
    class_name: str
    """Its name."""
    reason: str
    """Why, in words that follow "The model is"."""


@dataclass(frozen=True)
class SuggestionsReady(Event):
    """Where to paint next."""

    suggestions: tuple[Suggestion, ...]
    """Best first."""

    def __post_init__(self) -> None:
        told: Any = self.suggestions  # mappings, if they come from JSON
        read = tuple(s if isinstance(s, Suggestion) else Suggestion(**s) for s in told)
        object.__setattr__(self, "suggestions", read)

    def to_json(self) -> dict[str, Any]:
        """The event as a JSON object."""
        return {"event": self.kind, "suggestions": [asdict(s) for s in self.suggestions]}


@dataclass(frozen=True)
class HeldOutMeasured(Event):
    """How the model does on the strokes that the running round does not see."""

    step: int
    """Steps of this round so far; 0 before the first."""
    seconds: float
    """Seconds since the round began, pauses not counted."""
    accuracy: float
    """Mean over the classes of the share of held-out pixels that are right, 0 to 1; images that were not looked at again count with
    their last figure."""


@dataclass(frozen=True)
class ModelChanged(Event):
    """Another model was loaded or prepared, and with it those of the rounds before are gone from the engine."""

    goes_on_from: int = 0
    """Number of the round whose model it is; 0 for a new beginning."""


@dataclass(frozen=True)
class RoundRestored(Event):
    """The model is again the one that a round left."""

    round: int
    """Number of the round; 0 is the state before the first."""


@dataclass(frozen=True)
class VlmFound(Event):
    """Whether a vision-language model can be loaded without fetching anything."""

    vlm: str
    """Its name, as asked."""
    here: bool
    problem: str = ""
    """What else is missing, in one sentence; empty for nothing."""


@dataclass(frozen=True)
class DevicesFound(Event):
    """What can compute on the engine's machine."""

    devices: tuple[str, ...]
    """``cpu``, and ``cuda`` or ``mps`` where there is one; the one that ``auto`` takes first."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "devices", tuple(self.devices))


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
    """Figures of the round, 0 to 1. ``stroke_accuracy_before`` and ``_after``: on the strokes of up to 16 images, class mean. Where
    strokes were held out: ``held_out_accuracy_before`` and ``_after`` (class mean), ``class/<name>`` (after, of each class with held-out
    strokes), ``lost/<name>`` (after, of each class that was learnt before and is not any more), ``held_out_margin``,
    ``held_out_worse`` (1 if it fell by more than the margin) and ``held_out_strokes`` (their number, 0 if there were too few).
    ``strokes_first`` is the share of the budget that learnt from strokes alone, since the model before misled, ``forest_lead`` the
    part of it in which a random forest on the strokes taught too, ``image_prior`` how far predictions believe the classes that fill an
    image."""


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
