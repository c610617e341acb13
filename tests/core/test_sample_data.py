"""The sample data keeps its promises: files match, classes occur, tails are rare, rendering repeats."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

SAMPLES = Path(__file__).parents[2] / "sample_data"
IGNORE = 255
RARE = {"streets": ("pole", "traffic sign", "pedestrian", "bicyclist"), "cells": ("dividing cell", "debris")}
LABELLED = ("source/labels", "target/labels", "eval/labels")
SETS = pytest.mark.parametrize("name", ["streets", "cells"])


def _values(name: str) -> dict[str, int]:
    return {
        entry["name"]: entry["value"]
        for entry in json.loads((SAMPLES / name / "classes.json").read_text("utf-8"))
    }


def _stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


def _histogram(folder: Path) -> NDArray[np.int64]:
    """Pixels per value, (256,), over all label files of a folder."""
    return sum(
        (
            np.bincount(np.asarray(Image.open(path)).ravel(), minlength=256)
            for path in sorted(folder.glob("*.png"))
        ),
        start=np.zeros(256, np.int64),
    )


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("skimage")
    monkeypatch.syspath_prepend(str(SAMPLES))
    return importlib.import_module("render_cells")


@SETS
@pytest.mark.parametrize("domain", ["source", "target", "eval"])
def test_every_image_has_a_label_map_of_its_stem_and_size(name: str, domain: str) -> None:
    images, labels = SAMPLES / name / domain / "images", SAMPLES / name / domain / "labels"
    assert _stems(images) == _stems(labels)
    for path in images.iterdir():
        with Image.open(path) as image, Image.open(labels / f"{path.stem}.png") as label:
            assert label.mode == "L"
            assert image.size == label.size


@SETS
def test_four_target_images_are_scribbled(name: str) -> None:
    scribbled = _stems(SAMPLES / name / "target" / "scribbles")
    assert len(scribbled) == 4
    assert scribbled <= _stems(SAMPLES / name / "target" / "images")


@SETS
@pytest.mark.parametrize("folder", [*LABELLED, "target/scribbles"])
def test_label_files_hold_all_classes_and_nothing_else(name: str, folder: str) -> None:
    present = set(np.flatnonzero(_histogram(SAMPLES / name / folder)).tolist())
    assert present - {IGNORE} == set(_values(name).values())


@SETS
@pytest.mark.parametrize("folder", LABELLED)
def test_rare_classes_cover_less_than_two_percent(name: str, folder: str) -> None:
    counts = _histogram(SAMPLES / name / folder)
    shares = {rare: counts[_values(name)[rare]] / counts.sum() for rare in RARE[name]}
    assert max(shares.values()) < 0.02, shares


@SETS
def test_scribbles_are_sparse_and_agree_with_the_labels(name: str) -> None:
    for path in (SAMPLES / name / "target" / "scribbles").iterdir():
        strokes = np.asarray(Image.open(path))
        label = np.asarray(Image.open(SAMPLES / name / "target" / "labels" / path.name))
        painted = strokes != IGNORE
        assert 0.01 < painted.mean() < 0.05
        assert (strokes[painted] == label[painted]).mean() >= 0.98


def test_the_folder_stays_within_eight_megabytes() -> None:
    kept = {".jpg", ".json", ".md", ".png", ".py"}  # not the caches of tools
    sizes = [path.stat().st_size for path in SAMPLES.rglob("*") if path.suffix in kept]
    assert sum(sizes) <= 8 * 2**20


def test_rendering_a_dish_twice_gives_the_same_picture_and_other_indices_another(
    renderer: ModuleType,
) -> None:
    first, again, other = (renderer.render_cells("target", index) for index in (0, 0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


def test_rendering_a_street_twice_gives_the_same_picture(renderer: ModuleType) -> None:
    streets = importlib.import_module("render_streets")
    first, again = streets.render_street("eval", 0), streets.render_street("eval", 0)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_the_stored_labels_are_what_the_scripts_render(renderer: ModuleType) -> None:
    stored = np.asarray(Image.open(SAMPLES / "cells" / "eval" / "labels" / "eval_000.png"))
    # Another library version may move a handful of edge pixels, never a cell.
    assert (renderer.render_cells("eval", 0)[1] == stored).mean() > 0.99
