"""File > Open Sample > SemiDAViL: target images with strokes, and the window ready for Adapt."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import napari
import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.data.image_files import find_images, read_image
from semidavil_core.data.label_files import read_labels
from semidavil_core.samples import sample_folder
from semidavil_napari._colours import class_colormap

_log = logging.getLogger(__name__)
LayerData = tuple[Any, dict[str, Any], str]


def streets() -> list[LayerData]:
    """Night streets in the near infrared to adapt to, from day streets in colour."""
    return _open("streets")


def cells() -> list[LayerData]:
    """Fluorescence-like cells to adapt to, from phase contrast."""
    return _open("cells")


def sample_images(name: str) -> NDArray[np.uint8]:
    """The target images of a sample (N, H, W, 3), in the order in which the sample is shown.

    Raises
    ------
    SemiDavilError
        There is no such sample, or it cannot be read.
    """
    folder = sample_folder(name)
    return _target(folder, ClassSet.read(folder))[0]


def _open(name: str) -> list[LayerData]:
    folder = sample_folder(name)
    classes = ClassSet.read(folder)
    images, strokes = _target(folder, classes)
    _show_widget()
    tag = {"image": name, "sample": str(folder)}
    axes = {"axis_labels": ("image", "y", "x")}
    target = {"name": name, "rgb": True, "metadata": {"semidavil": {**tag, "role": "target"}}}
    return [(images, {**target, **axes}, "image"), (strokes, {**_scribbles(classes, tag), **axes}, "labels")]


def _target(folder: Path, classes: ClassSet) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The images (N, H, W, 3), those with strokes first, and the strokes (N, H, W), 0 = unlabelled and k + 1 = class k."""
    paths = find_images(folder / "target")
    beside = folder / "scribbles"
    maps = find_images(
        beside if beside.is_dir() else folder / "target" / "scribbles", ("labels", "scribbles")
    )
    names = sorted(paths, key=lambda stem: (stem not in maps, stem))
    images = np.stack([read_image(paths[name]) for name in names])
    strokes = np.zeros(images.shape[:3], np.uint8)
    for position, name in enumerate(names):
        if name in maps:
            indices = read_labels(maps[name], classes, unlisted_is_ignored=True)
            strokes[position] = np.where(indices == 255, 0, indices + 1)
    return images, strokes


def _scribbles(classes: ClassSet, tag: dict[str, str]) -> dict[str, Any]:
    values = {info.name.lower(): k for k, info in enumerate(classes, 1)}
    return {
        "name": "scribbles",
        "opacity": 1.0,
        "colormap": class_colormap(classes),
        "metadata": {"semidavil": {**tag, "role": "scribbles", "values": values}},
    }


def _show_widget() -> None:
    """Open the dock widget beside the sample, if there is a window."""
    viewer = napari.current_viewer()
    if viewer is None:
        return
    try:
        viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    except (
        AttributeError,
        ValueError,
        KeyError,
    ) as error:  # a viewer without a window, or a plugin that is switched off
        _log.info("the sample opens without its widget: %s", error)
