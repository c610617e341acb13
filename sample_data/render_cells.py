"""Render the cell data: source = phase contrast, target and eval = fluorescence of other dishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rendering.cell_culture import grow_culture
from rendering.dataset_files import Domain, write_dataset
from rendering.microscopes import expose_fluorescence, expose_phase, fluorescence, phase_contrast
from rendering.palette import CELL_CLASSES
from rendering.scribbles import Hand
from rendering.sensor import shrink, shrink_labels

SIZE, SUPERSAMPLING = 256, 2
COUNTS: dict[Domain, int] = {"source": 32, "target": 16, "eval": 8}
SEED = 4711
HAND = Hand(longest=95, widths=(2.6, 3.0))


def render_cells(domain: Domain, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Picture (256, 256, 3) and labels (256, 256), uint8, of one dish."""
    rng = np.random.default_rng([SEED, list(COUNTS).index(domain), index])
    culture = grow_culture(rng, SIZE * SUPERSAMPLING)
    label = shrink_labels(culture.label, np.zeros(culture.label.shape), SUPERSAMPLING)
    if domain == "source":
        return expose_phase(
            shrink(phase_contrast(culture, rng)[..., None], SUPERSAMPLING)[..., 0], rng
        ), label
    return expose_fluorescence(shrink(fluorescence(culture, rng), SUPERSAMPLING), rng), label


def write_cells(folder: Path) -> None:
    """Render the whole data set into `folder`."""
    write_dataset(folder, CELL_CLASSES, COUNTS, render_cells, SEED, HAND)


if __name__ == "__main__":
    write_cells(Path(__file__).parent / "cells")
