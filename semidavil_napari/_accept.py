"""Taking what the model says under the cursor over into the strokes: a person's command, undone like any stroke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_napari._layer_tags import Role, image_of
from semidavil_napari._layers import LayerBook

_REACH: Final = 0.06
"""How far around the cursor is taken over, as a share of the image's shorter side."""
_LEAST_REACH: Final = 6
NO_IMAGE: Final = "Point at one of the ticked images, with the cursor on the canvas."
NO_SCRIBBLES: Final = "This image has no scribbles layer yet: press Add scribbles layer."
NOTHING_YET: Final = "There are no pseudo-labels here yet: run a round first."
NOT_TRUSTED: Final = "The model is not sure enough here to make a pseudo-label; paint it yourself."
PAINTED: Final = "Everything around the cursor is painted already; your strokes are never changed."


def accept_under_cursor(viewer: Any, book: LayerBook, keys: Sequence[str]) -> str:
    """Paint the patch of pseudo-label under the cursor into the scribbles of its image.

    The patch is what hangs together with the pixel under the cursor, has its class, lies within reach and is not painted. It is written
    in one piece through the Labels layer, so that napari's undo takes it back in one piece.

    Returns
    -------
    str
        What was done, or why nothing was, in one sentence.
    """
    key = _key_under_cursor(viewer, book, keys)
    if key is None:
        return NO_IMAGE
    strokes, told = book.scribbles(key), book.result(Role.PSEUDO_LABELS, key)
    if strokes is None:
        return NO_SCRIBBLES
    if told is None or told.data.shape != strokes.data.shape:
        return NOTHING_YET
    at = _pixel(strokes, viewer.cursor.position)
    value = int(told.data[at])
    if value == 0:
        return NOT_TRUSTED
    indices = _patch(told.data[at[:-2]], strokes.data[at[:-2]], at[-2:], value)
    if indices is None:
        return PAINTED
    lead = tuple(np.full(indices[0].shape, n) for n in at[:-2])
    strokes.data_setitem((*lead, *indices), value)
    return f"Took over {len(indices[0])} pixels of pseudo-label; Ctrl+Z takes them back."


def _key_under_cursor(viewer: Any, book: LayerBook, keys: Sequence[str]) -> str | None:
    """The image of the active layer if the cursor is on it, else the topmost visible one under the cursor."""
    active = viewer.layers.selection.active
    first = [] if active is None else [active]
    shown = [layer for layer in reversed(list(viewer.layers)) if layer.visible]
    for key in (str(image_of(layer)) for layer in (*first, *shown)):
        image = book.image(key) if key in keys else None
        if image is not None and _is_inside(book.scribbles(key) or image, viewer.cursor.position):
            return key
    return None


def _is_inside(layer: Any, position: Sequence[float]) -> bool:
    shape = layer.data.shape[:-1] if getattr(layer, "rgb", False) else layer.data.shape
    return all(0 <= n < size for n, size in zip(_pixel(layer, position), shape, strict=False))


def _pixel(layer: Any, position: Sequence[float]) -> tuple[int, ...]:
    """The pixel of a layer under a world position of the viewer."""
    return tuple(round(float(n)) for n in np.asarray(layer.world_to_data(position[-layer.ndim :])))


def _patch(
    told: NDArray[Any], strokes: NDArray[Any], at: tuple[int, ...], value: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Rows and columns of the patch, or None if all of it is painted; only the surroundings of `at` are read."""
    from scipy import ndimage  # napari brings it; not needed to open a window

    reach = max(_LEAST_REACH, round(_REACH * min(told.shape)))
    top, left = (max(0, n - reach) for n in at)
    box = (slice(top, at[0] + reach + 1), slice(left, at[1] + reach + 1))
    same = np.asarray(told[box]) == value
    rows, columns = np.ogrid[: same.shape[0], : same.shape[1]]
    same &= (rows + top - at[0]) ** 2 + (columns + left - at[1]) ** 2 <= reach**2
    pieces, _ = ndimage.label(same)
    patch = (pieces == pieces[at[0] - top, at[1] - left]) & (np.asarray(strokes[box]) == 0)
    y, x = np.nonzero(patch)
    return (y + top, x + left) if y.size else None
