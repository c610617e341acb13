"""Bringing a place into view: the right image, the right slice, the camera above it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from napari.layers import Image, Layer

from semidavil_napari._image_axes import axes_of
from semidavil_napari._layer_tags import Role, image_of, role_of

_SHARE_OF_CANVAS: Final = 0.1
"""How much of the canvas's shorter side the place fills after a flight."""
_CLOSE_ENOUGH: Final = (0.06, 0.5)
"""A place that fills a share between these is not zoomed."""
_USUAL_CANVAS: Final = (600, 800)


class Flight:
    """Moves the view of one viewer.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._hidden: dict[str, list[Layer]] = {}

    def to(self, image: Image, key: str, world: Sequence[float], radius: float) -> None:
        """Show the place at `world` (the last axes of the viewer), whose radius is in world units."""
        self._uncover(image, key, world)
        dims = self._viewer.dims
        dims.ndisplay = 2
        dims.order = tuple(range(dims.ndim))
        first = dims.ndim - len(world)
        for axis, at in enumerate(world[:-2], first):
            dims.set_point(axis, at)
        camera = camera_of(self._viewer)
        camera.center = (0.0, float(world[-2]), float(world[-1]))
        canvas = min(_canvas_size(self._viewer))
        share = 2 * radius * camera.zoom / canvas
        if not _CLOSE_ENOUGH[0] <= share <= _CLOSE_ENOUGH[1]:
            camera.zoom = _SHARE_OF_CANVAS * canvas / (2 * radius)

    def _uncover(self, image: Image, key: str, world: Sequence[float]) -> None:
        """Hide other images that lie over the place with all that belongs to them; those come back when one flies to them."""
        for layer in self._hidden.pop(key, []):
            layer.visible = True
        image.visible = True
        layers = self._viewer.layers
        for other in list(layers)[layers.index(image) + 1 :]:
            if other.visible and role_of(other) == Role.TARGET and _covers(other, world):
                self._hide(str(image_of(other)))

    def _hide(self, key: str) -> None:
        mine = [la for la in self._viewer.layers if image_of(la) == key and la.visible]
        self._hidden[key] = mine
        for layer in mine:
            layer.visible = False


def camera_of(viewer: Any) -> Any:
    """The viewer's camera, which moved into ``scene`` with napari 0.9."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def _canvas_size(viewer: Any) -> tuple[int, int]:
    size = getattr(getattr(viewer, "canvas", None), "size", None)
    return size if size is not None and min(size) > 0 else _USUAL_CANVAS


def _covers(image: Image, world: Iterable[float]) -> bool:
    """Whether a world point, seen along the leading axes, lies on an image layer."""
    point = np.zeros(image.ndim)
    at = np.asarray(tuple(world))[-image.ndim :]
    point[image.ndim - len(at) :] = at
    y, x = np.asarray(image.world_to_data(point))[-2:]
    height, width = axes_of(image).size
    return bool(-0.5 <= y < height and -0.5 <= x < width)
