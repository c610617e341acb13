"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

DeviceOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|mps",
        help="Where to compute; auto takes CUDA, then MPS, then the CPU.",
    ),
]
SeedOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="Seed of everything random; the same seed and --steps repeat a run on the CPU.",
    ),
]
SettingsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="JSON file with hyper-parameters; unnamed ones keep their defaults.",
    ),
]
ChannelsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--channels",
        metavar="R[,G,B]",
        help="Channels of multi-channel images, from 0, that the model sees as red, green, blue.",
    ),
]
JsonOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", "--json-events", help="Print events as one JSON object per line on standard output."
    ),
]
JsonEventsOption: TypeAlias = Annotated[
    bool, typer.Option("--json-events", help="Print events as JSON lines (here --json takes the file).")
]
"""In place of `JsonOption` where a command writes a JSON file."""
StepsOption: TypeAlias = Annotated[
    int | None, typer.Option("--steps", metavar="N", help="Optimiser steps, in place of seconds.")
]
VlmOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--vlm",
        metavar="NAME",
        help="Vision-language model: a preset (mini, natural, …), an open_clip model:tag, a weights file, or local-dir:FOLDER.",
    ),
]
ModelOption: TypeAlias = Annotated[
    Path,
    typer.Option("--model", metavar="BUNDLE", help="Folder or .zip file of a prepared or adapted model."),
]
ImagesOption: TypeAlias = Annotated[
    Path, typer.Option("--images", metavar="DIR", help="Folder of images (PNG, JPEG, TIFF).")
]
OutBundleOption: TypeAlias = Annotated[
    Path, typer.Option("--out", metavar="BUNDLE", help="Folder for the new model, or a .zip file.")
]
OutFolderOption: TypeAlias = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")
]
ConfidenceOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--confidence",
        help="Also write confidence maps to DIR/confidence: 0 to 255 in a PNG, 0 to 1 in a TIFF.",
    ),
]
ProbabilitiesOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--probabilities",
        help="Also write probability maps to DIR/probabilities: a TIFF with a page per class, 0 to 1.",
    ),
]
FormatOption: TypeAlias = Annotated[
    str, typer.Option("--format", metavar="png|tiff", help="File format of the maps.")
]
