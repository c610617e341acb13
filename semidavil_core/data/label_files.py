"""Label maps in files: one number per pixel (grey, palette or TIFF), or the exact colours of the classes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from semidavil_core.atomic_files import write_bytes
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.channels import plan_channels
from semidavil_core.data.raw_images import RawHeader, read_header, read_raw
from semidavil_core.errors import InvalidImage, InvalidLabels, OutputNotWritable


def read_labels(
    path: Path | str, classes: ClassSet, *, unlisted_is_ignored: bool = False
) -> NDArray[np.uint8]:
    """Read a label map as class indices.

    A map of numbers holds class values (an indexed-colour file its indices); a map of colours is converted if every colour is
    exactly that of a class. Fully transparent pixels have no label.

    Parameters
    ----------
    path
        A PNG or TIFF file.
    classes
        The classes whose values or colours the file uses.
    unlisted_is_ignored
        Scribble folders: every value or colour that is no class means "not labelled".

    Returns
    -------
    NDArray[np.uint8]
        (H, W), 0 to K-1 or 255.

    Raises
    ------
    InvalidImage
        The file is missing, empty, damaged or truncated.
    InvalidLabels
        It is a JPEG, has fractions, or values or colours that are no class.
    """
    path = Path(path)
    numbers, alpha = _split_alpha(_read_planes(path))
    if numbers.shape[2] == 1:
        values = _whole_numbers(numbers[..., 0], path)
        indices = classes.to_indices(
            values, where=str(path), unlisted_is_ignored=unlisted_is_ignored or alpha is not None
        )
        if alpha is not None and not unlisted_is_ignored:
            classes.to_indices(values[alpha], where=str(path))
    else:
        indices = _from_colours(numbers, alpha, classes, path, unlisted_is_ignored=unlisted_is_ignored)
    if alpha is not None:
        indices[~alpha] = IGNORE_INDEX
    return indices


def read_label_values(path: Path | str) -> NDArray[Any]:
    """Read the stored numbers of a label map: (H, W) integers; an indexed-colour file gives its indices.

    Raises
    ------
    InvalidImage
        The file is missing, empty, damaged or truncated.
    InvalidLabels
        It is a JPEG, has fractions, or holds colours instead of numbers.
    """
    path = Path(path)
    numbers, _ = _split_alpha(_read_planes(path))
    if not _is_grey(numbers):
        raise InvalidLabels(
            f"{path} holds colours, not class values; save a label map as grey or indexed-colour PNG or as TIFF."
        )
    return _whole_numbers(numbers[..., 0], path)


def label_size(path: Path | str) -> tuple[int, int]:
    """(height, width) of a label map, from its header alone; raises as :func:`read_labels` for a bad header."""
    path = Path(path)
    header = read_header(path)
    axis = _plane_axis(header, path)
    height, width = (side for position, side in enumerate(header.shape) if position != axis)
    return height, width


def write_label_map(path: Path | str, indices: NDArray[np.uint8], classes: ClassSet) -> None:
    """Write class indices as a label map, atomically: an indexed-colour PNG or TIFF whose numbers are the class values.

    Parameters
    ----------
    path
        Where to; ends with png, tif or tiff.
    indices
        (H, W), 0 to K-1, 255 for ignore, which stays 255.
    classes
        Give values and colours; every other entry of the palette is black.

    Raises
    ------
    OutputNotWritable
        The ending is another one, or the file cannot be written.
    """
    path = Path(path)
    values = classes.to_values(indices)
    palette = np.zeros((256, 3), np.uint8)
    palette[list(classes.values)] = classes.palette
    stream = io.BytesIO()
    if path.suffix.lower() == ".png":
        image = Image.fromarray(values)
        image.putpalette(palette.tobytes())
        image.save(stream, "PNG")
    elif path.suffix.lower() in (".tif", ".tiff"):
        colormap = palette.T.astype(np.uint16) * 257
        tifffile.imwrite(stream, values, photometric="palette", colormap=colormap, compression="zlib")
    else:
        raise OutputNotWritable(
            f"{path} ends with {path.suffix!r}; a label map is written as .png, .tif or .tiff."
        )
    write_bytes(path, stream.getvalue())


def _plane_axis(header: RawHeader, path: Path) -> int | None:
    if header.format == "JPEG":
        raise InvalidLabels(
            f"{path} is a JPEG, whose compression changes label values; save label maps as PNG or TIFF."
        )
    if len(header.shape) == 2:
        return None
    try:
        plan = plan_channels(
            header.shape, (0,), str(path), axes=header.axes, photographic=header.photographic
        )
    except InvalidImage as error:
        raise InvalidLabels(str(error)) from error
    if plan.axis is None or not plan.photographic or header.shape[plan.axis] > 4:
        raise InvalidLabels(
            f"{path} has the shape {header.shape}; a label map is one plane of class values, or of class colours."
        )
    return plan.axis


def _read_planes(path: Path) -> NDArray[Any]:
    """Planes (H, W, C) of the stored numbers."""
    _plane_axis(read_header(path), path)
    raw = read_raw(path)
    numbers, axis = raw.numbers(), _plane_axis(raw.header, path)
    return numbers[..., None] if axis is None else np.moveaxis(numbers, axis, -1)


def _split_alpha(planes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Planes without alpha (1 or 3 of them), and where the map is not fully transparent (None: everywhere)."""
    count = planes.shape[2]
    if count not in (2, 4):
        return planes, None
    visible = planes[..., -1] > 0
    return planes[..., :-1], None if visible.all() else visible


def _whole_numbers(values: NDArray[Any], path: Path) -> NDArray[Any]:
    if values.dtype.kind in "ui":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind != "f" or not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise InvalidLabels(
            f"{path} holds values that are no whole numbers; a label map holds class values: save it as 8-bit PNG."
        )
    return values.astype(np.int64)


def _is_grey(planes: NDArray[Any]) -> bool:
    return planes.shape[2] == 1 or bool((planes == planes[..., :1]).all())


def _from_colours(
    colours: NDArray[Any],
    visible: NDArray[np.bool_] | None,
    classes: ClassSet,
    path: Path,
    *,
    unlisted_is_ignored: bool,
) -> NDArray[np.uint8]:
    indices = np.full(colours.shape[:2], IGNORE_INDEX, np.uint8)
    known = np.zeros(colours.shape[:2], np.bool_) if visible is None else ~visible
    for index, colour in enumerate(classes.palette):
        here = (colours == colour).all(axis=-1)
        indices[here & (indices == IGNORE_INDEX)] = index
        known |= here
    _refuse_shared_colours(indices, classes, path)
    if known.all() or unlisted_is_ignored:
        return indices
    if _is_grey(colours):  # class values saved as grey RGB
        return classes.to_indices(
            np.where(known & (indices == IGNORE_INDEX), IGNORE_INDEX, colours[..., 0]), where=str(path)
        )
    unknown = np.unique(colours[~known].reshape(-1, 3), axis=0)
    named = ", ".join("#" + "".join(f"{int(v):02x}" for v in colour) for colour in unknown[:5])
    raise InvalidLabels(
        f"{path} is a map of colours of which {len(unknown)} are no class ({named}); allowed are exactly the colours of the classes "
        "file, or save a grey or indexed-colour map of class values with 255 for ignore."
    )


def _refuse_shared_colours(indices: NDArray[np.uint8], classes: ClassSet, path: Path) -> None:
    colours = [c.color.lower() for c in classes]
    for index in np.unique(indices[indices != IGNORE_INDEX]):
        if colours.count(colours[index]) > 1:
            raise InvalidLabels(
                f"{path} uses the colour {colours[index]}, which several classes share; give every class its own colour."
            )
