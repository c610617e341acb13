"""What the benchmarks run on: a source, a target with strokes, an evaluation set, and which classes look alike."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import Domain, open_evaluation, open_labelled, open_target
from semidavil_core.samples import sample_folder

LOOK_ALIKES: Final = (
    ("road", "sidewalk"),
    ("pedestrian", "bicyclist"),
    ("pole", "traffic sign"),
    ("building", "fence"),
    ("cell", "dividing cell", "debris"),
)
"""Classes that a model confuses because they look alike."""


WORDS: Final[dict[str, tuple[str, ...]]] = {
    "streets": (
        "a street at night in fog",
        "an infrared image of a street",
        "dark asphalt and bright leaves",
    ),
    "cells": ("cells in fluorescence microscopy", "bright nuclei on a dark background", "stained cells"),
    "camvid": (
        "a street at dusk, seen from a car",
        "a town in the evening light",
        "dark houses under a bright sky",
    ),
}
"""What a person might say of the target images."""


@dataclass(frozen=True)
class DataSet:
    """One data set, opened; images are decoded on demand."""

    name: str
    folder: Path
    classes: ClassSet
    source: Domain
    target: Domain
    """Target images, some with strokes."""
    truth: Domain
    """Target images with dense labels, which no method trains on."""
    evaluation: Domain
    fingerprint: str
    """Changes when a file is added, removed or rewritten with another size."""

    @property
    def words(self) -> tuple[str, ...]:
        """Sentences about the target images; none are known of a data set of one's own."""
        return WORDS.get(self.name, ())

    @property
    def look_alikes(self) -> tuple[str, ...]:
        """The classes of all groups of look-alikes that this data set has."""
        return look_alikes(self.classes.names)

    def painted(self, strokes: str) -> DataSet:
        """The same data with the strokes of another folder of ``target/``."""
        folder = self.folder / "target"
        return replace(self, target=open_target(folder, folder / strokes, self.classes))


def open_data_set(folder: Path, *, name: str = "", strokes: str = "") -> DataSet:
    """Open ``source/``, ``target/`` (with strokes and ``labels/``), ``eval/`` and ``classes.json``.

    Parameters
    ----------
    folder
        Where they lie.
    name
        What results call it; the folder's name if empty.
    strokes
        Folder of strokes within ``target/``; ``scribbles``, or ``scribbles_4`` where that is missing, if empty.
    """
    classes, target = ClassSet.read(folder), folder / "target"
    chosen = strokes or ("scribbles" if (target / "scribbles").is_dir() else "scribbles_4")
    return DataSet(
        name=name or folder.name,
        folder=folder,
        classes=classes,
        source=open_labelled(folder / "source", classes),
        target=open_target(target, target / chosen, classes),
        truth=open_evaluation(target / "images", target / "labels", classes),
        evaluation=open_evaluation(folder / "eval/images", folder / "eval/labels", classes),
        fingerprint=_fingerprint(folder),
    )


def open_chosen(options: argparse.Namespace) -> list[DataSet]:
    """The data sets that a command line names; CamVid is left out if it does not say where it lies."""
    found = []
    for name in options.data:
        folder = options.camvid if name == "camvid" else sample_folder(name)
        if folder is not None:
            found.append(open_data_set(folder, name=name, strokes=options.strokes))
    return found + [open_data_set(folder, strokes=options.strokes) for folder in options.also]


def look_alikes(names: Sequence[str]) -> tuple[str, ...]:
    """Which of the classes `names` have their look-alike among them."""
    groups = [group for group in LOOK_ALIKES if set(group) <= set(names)]
    return tuple(name for group in groups for name in group)


def look_alike_iou(iou: Mapping[str, float | None]) -> float | None:
    """Mean intersection over union of the look-alikes that occur; None without any."""
    values = [value for name in look_alikes(tuple(iou)) if (value := iou[name]) is not None]
    return float(np.mean(values)) if values else None


def _fingerprint(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    listing = "\n".join(f"{p.relative_to(folder).as_posix()} {p.stat().st_size}" for p in files)
    return hashlib.blake2b(listing.encode(), digest_size=4).hexdigest()
