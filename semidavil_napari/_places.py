"""Single images of a round: where each lies in the layers, and what the engine is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from semidavil_napari._image_axes import axes_of
from semidavil_napari._image_planes import reader, version
from semidavil_napari._placement import shown_at
from semidavil_napari._round_plan import PlanImage
from semidavil_napari._strokes import Strokes


@dataclass(frozen=True)
class Place:
    """Where one image of a round lies: a layer's key and the index of its stack axes."""

    key: str
    index: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the image towards the engine."""
        return "/".join([self.key, *(f"{i:04d}" for i in self.index)])


def place_named(name: str, find: Callable[[str], Image | None]) -> Place | None:
    """Undo :attr:`Place.name`; None if the layer is gone or its stack has become smaller. Keys may hold slashes."""
    parts = name.split("/")
    for cut in range(len(parts), 0, -1):
        key, rest = "/".join(parts[:cut]), parts[cut:]
        image = find(key) if all(part.isdigit() for part in rest) else None
        if image is not None and len(rest) == len(axes_of(image).stack):
            index = tuple(int(part) for part in rest)
            return Place(key, index) if _inside(index, axes_of(image).stack) else None
    return None


def shown_index(image: Image, point: Any) -> tuple[int, ...]:
    """Which image of the layer's stack is shown when the sliders stand at the world `point`; the first if none is."""
    axes, at = axes_of(image), shown_at(image, point)
    index = tuple(n for i, n in enumerate(at[: len(axes.shape) - 2]) if i != axes.channel_axis)
    return index if _inside(index, axes.stack) else (0,) * len(axes.stack)


def plan_images(
    image: Image, key: str, strokes: Strokes | None, table: NDArray[np.uint8], first: tuple[int, ...]
) -> Iterator[PlanImage]:
    """All images of a layer with copies of their strokes, from the one at `first` on.

    Parameters
    ----------
    image, key
        The layer.
    strokes
        What is painted on it; None if nothing can be.
    table
        (256,) class index of each label value.
    first
        Index of the image to begin with.
    """
    axes = axes_of(image)
    for index in sorted(np.ndindex(*axes.stack), key=lambda index: (index < first, index)):
        yield PlanImage(
            Place(key, index).name,
            reader(image, index),
            None if strokes is None else strokes.indices(index, table),
            axes.channels,
            axes.letters,
            version(image, index),
        )


def _inside(index: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))
