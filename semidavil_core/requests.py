"""What each command asks for: one frozen dataclass per command, with its JSON and the command line that says the same.

A window that offers the same work builds one of these and can show :meth:`CommandRequest.command_line` for a script; the field
``some_name`` is the option ``--some-name``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Self, get_type_hints

from semidavil_core.errors import InvalidSettings

DEVICES: Final = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, kw_only=True)
class CommandRequest:
    """Base of all requests.

    Raises
    ------
    InvalidSettings
        A value lies outside its range.
    """

    command: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[CommandRequest]]] = {}

    device: str = "auto"
    """Where to compute: ``auto`` takes CUDA, then MPS, then the CPU."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.command:
            CommandRequest.kinds[cls.command] = cls

    def __post_init__(self) -> None:
        self._require_positive("budget", "seconds")
        self._require_positive("steps", "steps")
        self._require_positive("rounds", "rounds")
        self._require_positive("count", "places")
        hold_out = getattr(self, "hold_out", 0.0)
        if not 0 <= hold_out <= 0.5:
            raise InvalidSettings(f"--hold-out is {hold_out!r}; give a share from 0 (none) to 0.5.")
        if self.device not in DEVICES:
            raise InvalidSettings(
                f"The device {self.device!r} is not known; allowed are {', '.join(DEVICES)}."
            )

    def _require_positive(self, name: str, unit: str) -> None:
        value = getattr(self, name, None)
        if value is not None and not 0 < value < float("inf"):
            raise InvalidSettings(f"--{name} is {value!r}; give a number of {unit} above 0.")

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON object; paths are written as given."""
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"command": self.command} | {k: _as_json(v) for k, v in content.items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read :meth:`to_json`; on the base class any command, on a subclass that command only.

        Raises
        ------
        InvalidSettings
            The command or a field is unknown, or a required field is missing.
        """
        kind = CommandRequest.kinds.get(str(content.get("command")))
        if kind is None or not issubclass(kind, cls):
            raise InvalidSettings(
                f"The command {content.get('command')!r} is not known; known are {', '.join(CommandRequest.kinds)}."
            )
        given = {name: value for name, value in content.items() if name != "command"}
        hints = get_type_hints(kind)
        unknown = sorted(set(given) - {f.name for f in fields(kind)})
        missing = sorted(f.name for f in fields(kind) if f.default is MISSING and f.name not in given)
        if unknown or missing:
            raise InvalidSettings(
                f"The request {kind.command!r} has the unknown fields {unknown} and lacks {missing}."
            )
        return kind(**{name: _from_json(value, hints[name]) for name, value in given.items()})

    def command_line(self) -> str:
        """The command that asks the same, quoted for a POSIX shell; options at their default are left out."""
        words = ["semidavil", self.command]
        for f in fields(self):
            value = getattr(self, f.name)
            if value != f.default or f.default is MISSING:
                option = "--" + f.name.replace("_", "-")
                for one in value if isinstance(value, tuple) else (value,):
                    words += [option] if one is True else [option, _word(one)]
        return shlex.join(words)


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _from_json(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return Path(value) if isinstance(value, str) and "Path" in str(hint) else value


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class DemoRequest(CommandRequest):
    """Prepare, adapt and compare on sample data."""

    command: ClassVar[str] = "demo"
    out: Path
    """Folder for figures, pictures and the adapted model."""
    sample: str = "streets"
    """``streets`` or ``cells``."""
    budget: float = 120.0
    """Seconds of adaptation."""
    prepare_budget: float = 35.0
    """Seconds of training on the source."""
    seed: int | None = None
    """Seed of everything random."""


@dataclass(frozen=True, kw_only=True)
class PretrainRequest(CommandRequest):
    """Align a vision-language model to a modality: from captioned images, or from a labelled dataset."""

    command: ClassVar[str] = "pretrain"
    images: Path | None = None
    """Folder of captioned images."""
    captions: Path | None = None
    """Table (CSV, TSV or JSON) of file name and caption."""
    source: Path | None = None
    """Labelled dataset, in place of captions."""
    classes: str | None = None
    """Classes file or comma-separated names for `source`; its own ``classes.json`` where not given."""
    vlm: str = "mini"
    """Model to start from."""
    out: Path
    """Folder of the new model; use it as ``local-dir:FOLDER``."""
    budget: float = 600.0
    """Seconds of training."""
    steps: int | None = None
    """Optimiser steps, in place of seconds."""
    seed: int | None = None
    """Seed of everything random."""
    settings: Path | None = None
    """JSON file with further hyper-parameters."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        captioned, labelled = self.images is not None and self.captions is not None, self.source is not None
        if captioned == labelled or (labelled and (self.images or self.captions)):
            raise InvalidSettings(
                "Give either --images and --captions together, or --source alone; these say what to learn from."
            )


@dataclass(frozen=True, kw_only=True)
class ZeroShotRequest(CommandRequest):
    """Segment by class names alone."""

    command: ClassVar[str] = "zero-shot"
    vlm: str = "mini"
    """Preset, ``model:tag``, file or ``local-dir:FOLDER``."""
    classes: str
    """Classes file or comma-separated names."""
    images: Path
    """Folder of images."""
    out: Path
    """Folder for the label maps."""
    confidence: bool = False
    """Also write confidence maps."""
    format: str = "png"
    """``png`` or ``tiff``."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""


@dataclass(frozen=True, kw_only=True)
class PrepareRequest(CommandRequest):
    """Train on the labelled source domain."""

    command: ClassVar[str] = "prepare"
    source: Path
    """Folder with ``images/`` and ``labels/``."""
    classes: str | None = None
    """Classes file or comma-separated names; the source folder's ``classes.json`` where not given."""
    vlm: str = "mini"
    """Preset, ``model:tag``, file or ``local-dir:FOLDER``."""
    out: Path
    """Bundle to write."""
    budget: float = 300.0
    """Seconds of training."""
    steps: int | None = None
    """Optimiser steps, in place of seconds."""
    seed: int | None = None
    """Seed of everything random."""
    settings: Path | None = None
    """JSON file with further hyper-parameters."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""


@dataclass(frozen=True, kw_only=True)
class AdaptRequest(CommandRequest):
    """Adapt a prepared model to a target domain."""

    command: ClassVar[str] = "adapt"
    model: Path
    """Bundle to start from."""
    target: Path
    """Folder of target images."""
    scribbles: Path
    """Folder of sparse (or dense) label maps with the images' names."""
    source: Path | None = None
    """Labelled source dataset; without it adaptation is source-free."""
    describe: tuple[str, ...] = ()
    """Sentences about the target images that join the guidance."""
    captioner: str | None = None
    """CoCa model that describes some target images instead."""
    hold_out: float = 0.15
    """Share of each class's strokes, 0 to 0.5, that a round does not see and is judged by; one that got worse is taken back."""
    out: Path
    """Bundle to write."""
    budget: float = 60.0
    """Seconds per round."""
    steps: int | None = None
    """Optimiser steps per round, in place of seconds."""
    rounds: int = 1
    """How many rounds."""
    seed: int | None = None
    """Seed of everything random."""
    settings: Path | None = None
    """JSON file with further hyper-parameters."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""


@dataclass(frozen=True, kw_only=True)
class PredictRequest(CommandRequest):
    """Write label maps of images."""

    command: ClassVar[str] = "predict"
    model: Path
    """Bundle to use."""
    images: Path
    """Folder of images."""
    out: Path
    """Folder for the label maps."""
    confidence: bool = False
    """Also write confidence maps."""
    probabilities: bool = False
    """Also write probability maps, a TIFF with a page per class."""
    format: str = "png"
    """``png`` or ``tiff``."""
    settings: Path | None = None
    """JSON file with further settings."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest(CommandRequest):
    """Measure a model on labelled images."""

    command: ClassVar[str] = "evaluate"
    model: Path
    """Bundle to measure."""
    images: Path
    """Folder of images."""
    labels: Path
    """Folder of label maps with the images' names."""
    json: Path | None = None
    """File for the scores."""
    settings: Path | None = None
    """JSON file with further settings."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""


@dataclass(frozen=True, kw_only=True)
class SuggestRequest(CommandRequest):
    """Tell where to paint next."""

    command: ClassVar[str] = "suggest"
    model: Path
    """Bundle to use."""
    images: Path
    """Folder of images."""
    scribbles: Path | None = None
    """Folder of label maps with the images' names; painted places are left out."""
    json: Path | None = None
    """File for the places."""
    count: int = 8
    """How many places."""
    settings: Path | None = None
    """JSON file with further settings."""
    channels: str | None = None
    """Channels shown as red, green, blue, e.g. ``1,0,2``."""
