"""What can be asked of the engine: frozen, serialisable request dataclasses.

Work requests are answered, in the order of their arrival, by events and then ``Done`` (or ``Failed``). Urgent requests (`Stop`,
`Pause`, `Resume`, `Shutdown`) act at once on the work that has arrived before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.engine.protocol import PROTOCOL_VERSION, Frame
from semidavil_core.errors import EngineFailed
from semidavil_core.settings import Budget


@dataclass(frozen=True)
class Request:
    """Base of all requests; `kind` is the class name."""

    _registry: ClassVar[dict[str, type[Request]]] = {}
    urgent: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Request._registry[cls.__name__] = cls

    @property
    def kind(self) -> str:
        """Name under which the request is serialised."""
        return type(self).__name__

    def to_frame(self, identifier: int) -> Frame:
        """The request as a message; array fields travel as arrays, mappings of arrays as ``field/key``."""
        body: dict[str, Any] = {"id": identifier, "request": self.kind}
        arrays: dict[str, NDArray[Any]] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                arrays[f.name] = value
            elif isinstance(value, ArrayMap):
                arrays |= {f"{f.name}/{key}": array for key, array in value.items()}
            else:
                body[f.name] = _encoded(value)
        return Frame(body, arrays)


def request_from_frame(frame: Frame) -> tuple[int, Request]:
    """Rebuild ``(identifier, request)`` from :meth:`Request.to_frame`.

    Raises
    ------
    EngineFailed
        The request is unknown or its fields do not fit.
    InvalidInput
        A class set or a budget inside breaks its own rules.
    """
    kind = frame.body.get("request")
    cls = Request._registry.get(str(kind))
    if cls is None:
        raise EngineFailed(
            f"The window sent the unknown request {kind!r}; update both sides to the same version."
        )
    plain = {name: value for name, value in frame.body.items() if name not in ("id", "request")}
    try:
        hints = get_type_hints(cls)
        values = {name: _decoded(hints[name], value) for name, value in plain.items()}
        return identifier_of(frame), cls(**values, **_grouped(frame.arrays))
    except (KeyError, TypeError) as error:
        raise EngineFailed(f"The window sent a malformed {kind} request ({error}).") from error


def identifier_of(frame: Frame) -> int:
    """The id of the request that a frame carries or answers; -1 where it has none."""
    identifier = frame.body.get("id", -1)
    return identifier if isinstance(identifier, int) else -1


class ArrayMap(dict[str, NDArray[Any]]):
    """Arrays by name, as one field of a request."""


def _encoded(value: Any) -> Any:
    if isinstance(value, ClassSet | Budget):
        return value.to_json()
    return value


def _decoded(hint: Any, value: Any) -> Any:
    accepted = get_args(hint) or (hint,)
    if ClassSet in accepted and value is not None:
        return ClassSet.from_json(value, where="the request's class list")
    if Budget in accepted:
        return Budget.from_json(value)
    return tuple(value) if isinstance(value, list) else value


def _grouped(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Undo the flattening of :meth:`Request.to_frame`: ``field/key`` back to one mapping per field."""
    values: dict[str, Any] = {}
    for name, array in arrays.items():
        owner, slash, key = name.partition("/")
        if slash:
            values.setdefault(owner, ArrayMap())[key] = array
        else:
            values[owner] = array
    return values


@dataclass(frozen=True)
class Hello(Request):
    """The handshake. Answer: ``{protocol, version, pid}``."""

    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class LoadBundle(Request):
    """Start from a bundle; ends any session. Answer: ``{classes}`` as ``classes.json`` has them."""

    folder: str
    device: str = "auto"


@dataclass(frozen=True)
class SetSource(Request):
    """The labelled source domain: a dataset folder, or images and labels by name, or nothing (source-free)."""

    folder: str | None = None
    classes: ClassSet | None = None
    """Classes of the source's labels; those of its ``classes.json`` if None."""
    images: ArrayMap = field(default_factory=ArrayMap)
    """Images by name, each (H, W), (H, W, C) of any number type."""
    labels: ArrayMap = field(default_factory=ArrayMap)
    """Class indices by the same names, each (H, W) uint8, 255 = ignore."""


@dataclass(frozen=True)
class PrepareFromSource(Request):
    """Train a first model on the source; answered by its events. The result takes the place of a loaded bundle."""

    classes: ClassSet
    vlm: str = "mini"
    budget: Budget = field(default_factory=Budget)
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    allow_download: bool = False


@dataclass(frozen=True)
class OpenSession(Request):
    """Begin a session on the present bundle, images and source. Answer: ``{}``; a session that is open is replaced."""

    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SetImage(Request):
    """Give a target image, new or instead of the one with this name."""

    name: str
    image: NDArray[Any]
    """(H, W) or (H, W, C) of any number type."""
    channels: tuple[int | None, ...] | None = None
    """Which channels, counted from 0, the model sees as red, green and blue; None: the usual ones."""
    axes: str = ""
    """Letters of the axes, if known: ``YXC`` are separate channels, ``YXS`` the colours of a photograph."""


@dataclass(frozen=True)
class RemoveImage(Request):
    """Forget a target image and its scribbles."""

    name: str


@dataclass(frozen=True)
class SetScribbles(Request):
    """The strokes of one image."""

    name: str
    labels: NDArray[np.uint8] | None = None
    """(H, W) class indices, 255 = unlabelled; None: no strokes."""
    region: tuple[int, int, int, int] | None = None
    """(top, left, bottom, right), if `labels` is only this part of the image; the rest stays."""


@dataclass(frozen=True)
class SetClasses(Request):
    """Replace the class set; strokes follow their class, those of a class that is no more are forgotten.

    A class is the same if it has the same name, or was renamed and kept its value.
    """

    classes: ClassSet


@dataclass(frozen=True)
class Adapt(Request):
    """Run one round; answered by its events, ``RoundFinished`` last. Opens a session if none is open."""

    budget: Budget = field(default_factory=Budget)
    hold_out: float = 0.0
    """Share of each class's painted pixels that the round does not see and is measured on, 0 to 0.5."""
    keep_better: bool = False
    """Go back by itself if the round got worse on them."""


@dataclass(frozen=True)
class Predict(Request):
    """Predict one target image; answered by one ``PreviewReady``."""

    name: str


@dataclass(frozen=True)
class Suggest(Request):
    """Find the places where one more stroke pays most; answered by one ``SuggestionsReady``, after a Stop by what was found."""

    count: int = 8
    images: tuple[str, ...] | None = None
    """The images to look at; None: all."""


@dataclass(frozen=True)
class ZeroShot(Request):
    """What the bare vision-language model sees in one target image; answered by one ``PreviewReady``.

    With `vlm` and `classes` it needs neither a bundle nor a source, and changes nothing in the session.
    """

    name: str
    vlm: str | None = None
    """Name of the vision-language model; None: the one of the present model."""
    classes: ClassSet | None = None
    """What to look for; None: the classes of the session."""
    device: str = "auto"
    """Where to compute; unused without `vlm`."""


@dataclass(frozen=True)
class FindVlm(Request):
    """Whether a vision-language model is on this machine; answered by one ``VlmFound``. Nothing is fetched."""

    vlm: str


@dataclass(frozen=True)
class DownloadVlm(Request):
    """Fetch a vision-language model; answered by its progress and one ``VlmFound``."""

    vlm: str


@dataclass(frozen=True)
class ListDevices(Request):
    """What can compute on this machine; answered by one ``DevicesFound``."""


@dataclass(frozen=True)
class Evaluate(Request):
    """Measure the model on labelled images. Answer: the scores as ``semidavil evaluate`` writes them."""

    images: str
    labels: str


@dataclass(frozen=True)
class SaveBundle(Request):
    """Write the present model as a bundle. Answer: ``{folder}``."""

    folder: str


@dataclass(frozen=True)
class ExportPredictions(Request):
    """Predict target images and write the maps. Answer: ``{images}``, how many were written; a Stop ends it after the present one."""

    folder: str
    formats: tuple[str, ...]
    """Keys of :mod:`semidavil_core.export.formats`."""
    names: tuple[str, ...] = ()
    """The images; all if none is named."""


@dataclass(frozen=True)
class RestoreRound(Request):
    """Go back to the state after a round (0: before the first), or forward again.

    Answered by ``RoundRestored`` and a ``PreviewReady`` of each of `images` (a Stop ends these); its answer is that of
    :class:`ListRounds`.
    """

    round: int
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListRounds(Request):
    """The rounds so far. Answer: ``{rounds: [{round, reason, steps, seconds, scores, parent}], current}``, the start first."""


@dataclass(frozen=True)
class Stop(Request):
    """End the work that has arrived so far, at its next step boundary."""

    urgent: ClassVar[bool] = True


@dataclass(frozen=True)
class Pause(Request):
    """Hold the work at its next step boundary."""

    urgent: ClassVar[bool] = True


@dataclass(frozen=True)
class Resume(Request):
    """Let held work go on."""

    urgent: ClassVar[bool] = True


@dataclass(frozen=True)
class Shutdown(Request):
    """Stop all work and end the process."""

    urgent: ClassVar[bool] = True
