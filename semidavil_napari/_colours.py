"""The class colours as napari wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from semidavil_core.classes import ClassSet


def class_colormap(classes: ClassSet) -> DirectLabelColormap:
    """Class ``k`` in its colour as label ``k + 1``; everything else transparent."""
    colours: dict[int | None, Any] = {None: np.zeros(4, np.float32), 0: np.zeros(4, np.float32)}
    colours |= {k: np.array([*(rgb / 255), 1], np.float32) for k, rgb in enumerate(classes.palette, 1)}
    return DirectLabelColormap(color_dict=colours)
