"""Writing a rendered data set into the folders that the library reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rendering.palette import ClassEntry
from rendering.scribbles import Hand, frames_to_scribble, paint_scribbles

Bytes = NDArray[np.uint8]
Domain = Literal["source", "target", "eval"]
Renderer = Callable[[Domain, int], tuple[Bytes, Bytes]]
JPEG_QUALITY = 88
SCRIBBLED = 4


def write_dataset(
    folder: Path,
    classes: list[ClassEntry],
    counts: dict[Domain, int],
    render: Renderer,
    seed: int,
    hand: Hand,
) -> None:
    """Render every picture of every domain and write images, labels and scribbles.

    Parameters
    ----------
    folder
        Where to write; domain folders that stand there are replaced.
    classes
        Entries of ``classes.json``.
    counts
        Number of pictures per domain.
    render
        Domain and index to a picture (H, W[, 3]) and its labels (H, W), both uint8.
    seed
        Seed of the scribbles.
    hand
        How the scribbles are painted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(" " + json.dumps(entry) for entry in classes)
    (folder / "classes.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    for domain, count in counts.items():
        fresh = folder / f".{domain}"  # replaces the old folder only once it is complete
        shutil.rmtree(fresh, ignore_errors=True)
        labels = [_write_pair(fresh, domain, index, render) for index in range(count)]
        if domain == "target":
            _write_scribbles(fresh / "scribbles", labels, seed, hand)
        shutil.rmtree(folder / domain, ignore_errors=True)
        fresh.rename(folder / domain)


def _stem(domain: Domain, index: int) -> str:
    return f"{domain}_{index:03d}"


def _write_pair(folder: Path, domain: Domain, index: int, render: Renderer) -> Bytes:
    """Write one picture as JPEG and its labels as PNG; returns the labels."""
    picture, label = render(domain, index)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(
        folder / "images" / f"{_stem(domain, index)}.jpg", quality=JPEG_QUALITY, subsampling=0
    )
    Image.fromarray(label).save(folder / "labels" / f"{_stem(domain, index)}.png", optimize=True)
    return label


def _write_scribbles(folder: Path, labels: list[Bytes], seed: int, hand: Hand) -> None:
    folder.mkdir(parents=True)
    for index in frames_to_scribble(labels, SCRIBBLED):
        strokes = paint_scribbles(labels[index], np.random.default_rng([seed, 99, index]), hand)
        Image.fromarray(strokes).save(folder / f"{_stem('target', index)}.png", optimize=True)
