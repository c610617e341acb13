"""The command lines that do what the window does, for a script or another machine. Free of Qt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from semidavil_core.classes import ClassSet
from semidavil_core.errors import SemiDavilError
from semidavil_core.export import formats
from semidavil_core.project.references import ImageEntry
from semidavil_core.requests import (
    AdaptRequest,
    PredictRequest,
    PrepareRequest,
    SuggestRequest,
    ZeroShotRequest,
)
from semidavil_core.settings import Budget
from semidavil_napari._sources import Source, SourceKind

_CHOSEN: Final = "OUT"


@dataclass(frozen=True)
class Situation:
    """What stands in the window."""

    source: Source
    classes: ClassSet
    budget: Budget
    prepare_budget: Budget
    vlm: str
    device: str
    images: tuple[ImageEntry, ...]
    """The ticked images as the saved project notes them; empty without a project."""
    project: Path | None = None
    bundle: Path | None = None
    """The model that stands, where the project keeps it."""
    channels: Sequence[int | None] | None = None
    """Which channels the model sees, if a person may choose."""
    source_copy: Path | None = None
    """The labelled folder that layers of the source make in the project."""


def command_lines(situation: Situation, out: Path | None = None, keys: Collection[str] = ()) -> str:
    """Commands that do what the window does, with a comment where something must be done before.

    They prepare, adapt and predict; what is exported of a model that the project keeps, that model predicts as it is.
    Where nothing is exported, there are also the map of the names alone and the places to paint next.

    Parameters
    ----------
    situation
        What stands in the window.
    out
        Where results go; the project, or ``OUT``, if None.
    keys
        Formats that are exported.
    """
    folder = out or (situation.project / "commands" if situation.project is not None else Path(_CHOSEN))
    target, scribbles, words = _target(situation, folder)
    if out is not None and situation.bundle is not None:
        predict = _predict(situation, situation.bundle, target, folder, keys)
        return "\n".join([*words, *_kept(situation.bundle, keys), predict.command_line()]) + "\n"
    lines = [*words, *_model(situation, folder)]
    start = situation.bundle or (folder / "start" if situation.source.learns else situation.source.folder)
    adapt = AdaptRequest(
        model=start,
        target=target,
        scribbles=scribbles,
        source=_labelled(situation),
        out=folder / (formats.BUNDLE_ZIP.place if formats.BUNDLE_ZIP.key in keys else formats.BUNDLE.place),
        budget=situation.budget.seconds,
        device=_device(situation.device),
        channels=_channels(situation.channels),
    )
    predict = _predict(situation, adapt.out, target, folder, keys)
    lines += [adapt.command_line(), predict.command_line()]
    return "\n".join(lines if keys else [*lines, *_looks(situation, adapt, folder)]) + "\n"


def _predict(
    situation: Situation, model: Path, images: Path, folder: Path, keys: Collection[str]
) -> PredictRequest:
    """The maps that are exported, or label maps alone."""
    return PredictRequest(
        model=model,
        images=images,
        out=folder / formats.LABELS_PNG.place,
        confidence=formats.CONFIDENCE.key in keys,
        probabilities=bool({formats.PROBABILITIES.key, formats.PROBABILITIES_BY_CLASS.key} & set(keys)),
        format="tiff" if formats.LABELS_TIFF.key in keys and formats.LABELS_PNG.key not in keys else "png",
        device=_device(situation.device),
        channels=_channels(situation.channels),
    )


def _kept(bundle: Path, keys: Collection[str]) -> list[str]:
    """Where the model lies, for those who want to take it along."""
    wanted = {formats.BUNDLE.key, formats.BUNDLE_ZIP.key} & set(keys)
    return [f"# The model is a folder already: {bundle}"] if wanted else []


def _looks(situation: Situation, adapt: AdaptRequest, folder: Path) -> list[str]:
    """What a person looks at between the rounds: where strokes pay, and what names alone find."""
    project, classes = situation.project, situation.classes
    suggest = SuggestRequest(
        model=adapt.out,
        images=adapt.target,
        scribbles=adapt.scribbles,
        device=adapt.device,
        channels=adapt.channels,
    )
    by_name = ZeroShotRequest(
        vlm=situation.vlm,
        classes=",".join(classes.names) if project is None else str(project / "classes.json"),
        images=adapt.target,
        out=folder / "by_name",
        device=adapt.device,
        channels=adapt.channels,
    )
    return [suggest.command_line(), by_name.command_line()]


def _target(situation: Situation, folder: Path) -> tuple[Path, Path, list[str]]:
    """Folders of images and of strokes, and what must be done before they hold them."""
    project, images = situation.project, situation.images
    if project is not None and images:
        if all(entry.embedded for entry in images):
            return project / "images", project / "scribbles", []
        folders = {Path(entry.path).parent for entry in images if entry.path is not None}
        files = all(
            entry.path is not None
            and not entry.parts
            and len(entry.shape) == 2
            and Path(entry.path).stem == entry.stem
            for entry in images
        )
        if files and len(folders) == 1:
            return folders.pop(), project / "scribbles", []
    dataset = folder / formats.DATASET.place
    return (
        dataset / "images",
        dataset / "scribbles",
        [
            f"# First export “{formats.DATASET.title}” to {folder}: the images or strokes are not in files that a command can read as they are."
        ],
    )


def _model(situation: Situation, folder: Path) -> list[str]:
    """How the first model is made, if one must be."""
    source = situation.source
    if situation.bundle is not None or not source.learns:
        return _new_classes(situation)
    words = []
    if source.kind is SourceKind.LAYERS and situation.source_copy is None:
        words = [
            "# The source is made of layers: save it as a folder SOURCE with images/, labels/ and classes.json first."
        ]
    prepare = PrepareRequest(
        source=_labelled(situation) or source.folder,
        classes=_named(situation),
        vlm=situation.vlm,
        out=folder / "start",
        budget=situation.prepare_budget.seconds,
        device=_device(situation.device),
    )
    return [*words, prepare.command_line()]


def _named(situation: Situation) -> str | None:
    """The class list that differs from the source's own, as a file."""
    if situation.source.kind is SourceKind.LAYERS or _same_classes(situation):
        return None
    return str((situation.project or Path()) / "classes.json")


def _new_classes(situation: Situation) -> list[str]:
    if situation.bundle is not None or _same_classes(situation):
        return []
    return [
        "# The classes were changed in the window: a command adapts to those of the model it starts from."
    ]


def _same_classes(situation: Situation) -> bool:
    try:
        return situation.source.classes == situation.classes
    except SemiDavilError:
        return False


def _labelled(situation: Situation) -> Path | None:
    source = situation.source
    if source.kind is SourceKind.LAYERS:
        return situation.source_copy or Path("SOURCE")
    return source.folder if source.kind is SourceKind.LABELLED else source.beside


def _device(device: str) -> str:
    return device.partition(":")[0]


def _channels(channels: Sequence[int | None] | None) -> str | None:
    return None if channels is None else ",".join("-" if c is None else str(c) for c in channels)
