"""More streets by day from the project's own renderer, so that `mini` learns none of the shipped ones by heart."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

WIDTH, HEIGHT = 480, 352
_SEED = 777  # unlike the seed of the shipped streets


def render_streets(sample_data: Path, folder: Path, count: int) -> None:
    """Render `count` streets with labels into `folder`; pictures that stand there already are kept.

    Parameters
    ----------
    sample_data : Path
        The checkout's ``sample_data`` with its ``rendering`` package.
    folder : Path
        Receives ``images/``, ``labels/`` and a copy of ``classes.json``.
    count : int
        Number of streets.
    """
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    classes = (sample_data / "streets" / "classes.json").read_bytes()
    (folder / "classes.json").write_bytes(classes)
    for index in range(count):
        label_file = folder / "labels" / f"{index:04d}.png"
        if label_file.is_file():
            continue
        picture, labels = render_street(sample_data, index, WIDTH, HEIGHT)
        Image.fromarray(picture).save(folder / "images" / f"{index:04d}.png")
        Image.fromarray(labels).save(label_file)  # last: its presence says that the pair is whole
        if index % 20 == 0:
            log.info("rendered street %d of %d", index, count)


def render_street(
    sample_data: Path, index: int, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return one street by day: picture (H, W, 3) and labels (H, W), uint8."""
    rng = np.random.default_rng([_SEED, index])
    daylight, sensor = _renderer(sample_data, "daylight"), _renderer(sample_data, "sensor")
    scene = _renderer(sample_data, "street_builder").build_scene(rng, width, height)
    light = daylight.light_by_day(scene, daylight.random_daylight(rng), rng)
    picture = sensor.expose(light, sensor.day_sensor(rng), rng)
    return picture, scene.buffer.label.astype(np.uint8)


def _renderer(sample_data: Path, module: str) -> Any:
    """Import a module of the renderer, which lives beside the package and not in it."""
    path = str(sample_data)
    if path not in sys.path:
        sys.path.insert(0, path)
    return importlib.import_module(f"rendering.{module}")
