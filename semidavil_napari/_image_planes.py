"""Reading single images out of a layer: arrays, lazy stacks and pyramids; in the background, when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from semidavil_napari._image_axes import ImageAxes, axes_of, first_level

PREVIEW_SIDE: Final = 160

Read = Callable[[], NDArray[Any]]


def reader(image: Image, place: tuple[int, ...]) -> Read:
    """How to read the image at `place` of the layer's stack later, (H, W) or (H, W, C)."""
    return _reader(first_level(image), axes_of(image), place)


def small_reader(image: Image, place: tuple[int, ...]) -> Read:
    """As :func:`reader`, thinned to about `PREVIEW_SIDE` pixels: from a pyramid's small level where there is one."""
    axes, levels = axes_of(image), list(image.data) if image.multiscale else [image.data]
    big_enough = [
        data for data in levels if min(data.shape[-3:-1] if axes.rgb else data.shape[-2:]) >= PREVIEW_SIDE
    ]
    data = big_enough[-1] if big_enough else levels[0]
    return _reader(
        data, axes, _scaled(place, axes, data), step=max(1, max(_size(data, axes)) // PREVIEW_SIDE)
    )


def version(image: Image, place: tuple[int, ...]) -> str | None:
    """A name for the pixels at `place` that changes when they do; None where only reading them tells."""
    name = getattr(first_level(image), "name", None)  # a dask array is never written to
    return f"{name}/{place}" if isinstance(name, str) and hasattr(first_level(image), "dask") else None


def _reader(data: Any, axes: ImageAxes, place: tuple[int, ...], step: int = 1) -> Read:
    index = axes.index(place)
    thin = (slice(None, None, step), slice(None, None, step)) if step > 1 else ()
    whole = (*index, *thin)

    def read() -> NDArray[Any]:
        plane = np.asarray(data[whole] if whole else data)
        if axes.channel_axis is not None:
            plane = np.moveaxis(plane, 0, -1)
        return np.ascontiguousarray(plane)

    return read


def _size(data: Any, axes: ImageAxes) -> tuple[int, int]:
    height, width = data.shape[-3:-1] if axes.rgb else data.shape[-2:]
    return int(height), int(width)


def _scaled(place: tuple[int, ...], axes: ImageAxes, data: Any) -> tuple[int, ...]:
    """The place in a smaller level, whose stack may be thinned too."""
    shape = [n for i, n in enumerate(data.shape[: len(axes.shape) - 2]) if i != axes.channel_axis]
    return tuple(min(int(p * n / m), n - 1) for p, n, m in zip(place, shape, axes.stack, strict=True))
