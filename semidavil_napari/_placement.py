"""Where an image lies in the world, for layers that lie on it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from semidavil_napari._image_axes import axes_of

PLACEMENT_EVENTS: Final = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def placement(image: Image) -> dict[str, Any]:
    """The layer's transform, units and axis names, the channel axis left out, as arguments of a layer."""
    skipped = axes_of(image).channel_axis
    kept = [i for i in range(image.ndim) if i != skipped]
    grid = np.ix_(kept, kept)
    return {
        "scale": np.asarray(image.scale)[kept],
        "translate": np.asarray(image.translate)[kept],
        "rotate": np.asarray(image.rotate)[grid],
        "shear": _matrix(image.shear, image.ndim)[grid],
        "affine": _affine(image, kept),
        "units": tuple(image.units[i] for i in kept),
        "axis_labels": tuple(image.axis_labels[i] for i in kept),
    }


def follow(layer: Layer, image: Image) -> None:
    """Lay `layer` where `image` lies now; what is right already is left alone."""
    for name, value in placement(image).items():
        if not _same(_present(layer, name), value):
            setattr(layer, name, value)


def put_channels_first(image: Image, axis: int) -> None:
    """Make the channels the first axis of the layer, with all that is said of the axes; no pixel is copied."""
    order = [axis, *(i for i in range(image.ndim) if i != axis)]
    grid = np.ix_(order, order)
    affine = np.eye(image.ndim + 1)
    present = _matrix_of(image.affine)
    affine[:-1, :-1], affine[:-1, -1] = present[:-1, :-1][grid], present[:-1, -1][order]
    values = {
        "scale": np.asarray(image.scale)[order],
        "translate": np.asarray(image.translate)[order],
        "rotate": np.asarray(image.rotate)[grid],
        "affine": affine,
        "units": tuple(image.units[i] for i in order),
        "axis_labels": tuple(image.axis_labels[i] for i in order),
    }
    levels = [_moved(level, axis) for level in (image.data if image.multiscale else [image.data])]
    image.data = levels if image.multiscale else levels[0]
    for name, value in values.items():
        setattr(image, name, value)


def shown_at(layer: Layer, point: tuple[float, ...]) -> tuple[int, ...]:
    """Which plane of `layer` the viewer shows when its sliders stand at the world `point`."""
    own = np.asarray(point, float)[-layer.ndim :]
    if len(own) < layer.ndim:
        return ()
    return tuple(round(n) for n in np.asarray(layer.world_to_data(own))[:-2])


def _moved(level: Any, axis: int) -> Any:
    order = (axis, *(i for i in range(level.ndim) if i != axis))
    return level.transpose(order) if hasattr(level, "transpose") else np.transpose(np.asarray(level), order)


def _present(layer: Layer, name: str) -> Any:
    return _matrix(layer.shear, layer.ndim) if name == "shear" else getattr(layer, name)


def _same(a: Any, b: Any) -> bool:
    if isinstance(b, tuple):
        return tuple(a) == b
    a, b = _matrix_of(a), _matrix_of(b)
    return a.shape == b.shape and bool(np.allclose(a, b))


def _affine(image: Image, kept: list[int]) -> NDArray[Any]:
    rows = [*kept, image.ndim]
    return _matrix_of(image.affine)[np.ix_(rows, rows)]


def _matrix(shear: Any, ndim: int) -> NDArray[Any]:
    """A shear as a matrix, however napari gives it: as such, or as the upper triangle row by row."""
    given: NDArray[Any] = np.asarray(shear, float)
    if given.ndim == 2:
        return given
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, 1)] = given
    return matrix


def _matrix_of(affine: Any) -> NDArray[Any]:
    matrix: NDArray[Any] = np.asarray(getattr(affine, "affine_matrix", affine), float)
    return matrix
