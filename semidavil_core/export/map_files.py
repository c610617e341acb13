"""The maps of one prediction as files: labels, confidence, probabilities."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from semidavil_core.atomic_files import write_bytes
from semidavil_core.classes import ClassSet
from semidavil_core.data.label_files import write_label_map
from semidavil_core.export.formats import (
    CONFIDENCE,
    LABELS_PNG,
    LABELS_TIFF,
    PROBABILITIES,
    PROBABILITIES_BY_CLASS,
    ExportFormat,
)
from semidavil_core.export.label_maps import safe_file_name


class Maps(Protocol):
    """What a predictor returns."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(H, W) class indices."""

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(H, W), 0 to 1."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(K, H, W), 0 to 1."""


def file_stems(names: Sequence[str]) -> dict[str, str]:
    """A file name for each image that no other image has, on any file system."""
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = safe_file_name(name)
        free = (c for n in count(1) if (c := plain if n == 1 else f"{plain} ({n})").casefold() not in taken)
        stems[name] = next(free)
        taken.add(stems[name].casefold())
    return stems


def write_maps(folder: Path, stem: str, maps: Maps, classes: ClassSet, formats: Collection[str]) -> None:
    """Write what `formats` (keys) ask of one image's prediction, below `folder`.

    Raises
    ------
    OutputNotWritable
        A file cannot be written; older files stay as they were.
    """
    for wanted, suffix in ((LABELS_PNG, "png"), (LABELS_TIFF, "tiff")):
        if wanted.key in formats:
            write_label_map(_place(folder, wanted) / f"{stem}.{suffix}", maps.labels, classes)
    if CONFIDENCE.key in formats:
        _write(_place(folder, CONFIDENCE) / f"{stem}.tiff", maps.confidence)
    if PROBABILITIES.key in formats:
        write_probabilities(_place(folder, PROBABILITIES) / f"{stem}.tiff", maps.probabilities, classes)
    if PROBABILITIES_BY_CLASS.key in formats:
        for info, plane in zip(classes, maps.probabilities, strict=True):
            _write(_place(folder, PROBABILITIES_BY_CLASS) / safe_file_name(info.name) / f"{stem}.tiff", plane)


def write_probabilities(path: Path, probabilities: NDArray[np.float32], classes: ClassSet) -> None:
    """Write (K, H, W) as a TIFF with one page per class, whose names its description lists."""
    _write(path, probabilities, json.dumps({"classes": list(classes.names)}))


def _write(path: Path, array: NDArray[np.float32], description: str | None = None) -> None:
    stream = io.BytesIO()
    finite = np.clip(np.nan_to_num(array), 0, 1).astype(np.float32)
    tifffile.imwrite(
        stream, finite, compression="zlib", photometric="minisblack", description=description, metadata=None
    )
    write_bytes(path, stream.getvalue())


def _place(folder: Path, wanted: ExportFormat) -> Path:
    return folder / wanted.place
