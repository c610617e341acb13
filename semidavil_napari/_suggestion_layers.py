"""The layer ``paint next``: a ring around each place where one more stroke pays. Ours, locked, one for each image with places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from napari.layers import Image, Layer, Points

from semidavil_napari._image_axes import axes_of
from semidavil_napari._layer_tags import Role, image_of, mark, role_of
from semidavil_napari._placement import follow, placement
from semidavil_napari._result_layers import insert_locked

_TITLE: Final = "paint next"
_RING: Final = "#ffffff"
_CHOSEN: Final = "#ffd400"
_BORDER: Final = 0.08
"""Width of a ring as a share of its diameter."""
_TEXT: Final = {"string": "{number}", "size": 13, "color": _CHOSEN, "anchor": "center"}


@dataclass(frozen=True)
class Ring:
    """One place of one image."""

    number: int
    """What a person knows it by, from 1."""
    index: tuple[int, ...]
    """Which image of the stack."""
    y: float
    x: float
    radius: float
    chosen: bool = False
    """Whether it is the place that is looked at."""


class SuggestionLayers:
    """Draws rings into one viewer.

    Parameters
    ----------
    viewer
        The napari viewer.
    find
        Finds a layer by role and image key.
    """

    def __init__(self, viewer: Any, find: Callable[[Role, str], Any]) -> None:
        self._viewer, self._find = viewer, find

    def draw(self, image: Image, key: str, rings: Sequence[Ring]) -> None:
        """Show exactly these rings on an image; without any the layer goes, and one that was deleted comes back."""
        layer = self._find(Role.SUGGESTIONS, key)
        if layer is not None and (not rings or layer.ndim != len(axes_of(image).label_shape)):
            self._viewer.layers.remove(layer)
            layer = None
        if not rings:
            return
        if layer is None:
            self._add(image, key, rings)
        else:
            follow(layer, image)
            _fill(layer, rings)

    def clear(self) -> None:
        """Take all rings away."""
        for layer in [la for la in self._viewer.layers if role_of(la) == Role.SUGGESTIONS]:
            self._viewer.layers.remove(layer)

    def to_world(self, image: Image, ring: Ring) -> tuple[float, ...]:
        """Where a ring lies in the world, in the axes of a label map of the image."""
        empty = Points(ndim=len(axes_of(image).label_shape), **placement(image))
        return tuple(float(n) for n in empty.data_to_world((*ring.index, ring.y, ring.x)))

    def _add(self, image: Image, key: str, rings: Sequence[Ring]) -> None:
        layer = Points(
            ndim=len(axes_of(image).label_shape),
            name=self._title(image, key),
            symbol="disc",
            face_color="transparent",
            border_width=_BORDER,
            border_width_is_relative=True,
            border_color=_RING,
            opacity=1.0,
            **placement(image),
        )
        mark(layer, Role.SUGGESTIONS, key)
        _fill(layer, rings)
        insert_locked(self._viewer.layers, self._above(key), layer)

    def _above(self, key: str) -> int:
        """Position right above everything that belongs to the image."""
        layers: list[Layer] = list(self._viewer.layers)
        own = [i for i, la in enumerate(layers) if image_of(la) == key]
        return max(own) + 1

    def _title(self, image: Image, key: str) -> str:
        several = any(role_of(la) == Role.TARGET and image_of(la) != key for la in self._viewer.layers)
        return f"{_TITLE}: {image.name}" if several else _TITLE


def _fill(layer: Points, rings: Sequence[Ring]) -> None:
    """Write the rings into the layer."""
    layer.text = None  # refers to the features that are replaced
    layer.selected_data = set()
    layer.data = np.array([(*ring.index, ring.y, ring.x) for ring in rings])
    layer.size = np.array([2 * ring.radius for ring in rings])
    layer.border_color = [_CHOSEN if ring.chosen else _RING for ring in rings]
    layer.features = {"number": [str(ring.number) for ring in rings]}
    layer.text = {**_TEXT, "translation": -rings[0].radius}  # up and to the left, just outside the ring
