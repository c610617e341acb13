"""Copies of images that are no files, one TIFF per plane, so that a project is complete and every command can read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from semidavil_core.atomic_files import written_file
from semidavil_core.errors import InvalidImage

_COLOURS: Final = (3, 4)


def write_copy(path: Path, plane: NDArray[Any], *, colours: bool) -> None:
    """Write one plane of any number type, atomically.

    Parameters
    ----------
    path
        Ends with ``.tif``.
    plane
        (H, W), or (H, W, C).
    colours
        Whether C are the colours of a photograph; other channels are written one after the other, as microscopes do.

    Raises
    ------
    OutputNotWritable
        The file cannot be written.
    """
    array = plane.astype(np.uint8) if plane.dtype == np.bool_ else np.asarray(plane)
    photograph = colours and array.ndim == 3 and array.shape[-1] in _COLOURS
    if array.ndim == 3 and not photograph:
        array = np.moveaxis(array, -1, 0)
    kind: dict[str, Any] = {"photometric": "rgb" if photograph else "minisblack"}
    if not photograph:
        kind |= {
            "metadata": {"axes": "CYX"[-array.ndim :]},
            "planarconfig": "separate" if array.ndim == 3 else None,
        }
    with written_file(path) as temporary:
        tifffile.imwrite(
            temporary, np.ascontiguousarray(array), compression="zlib", compressionargs={"level": 1}, **kind
        )


def read_copy(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    """Read :func:`write_copy`: (H, W) or (H, W, C).

    Parameters
    ----------
    path
        The file.
    shape
        Height and width.

    Raises
    ------
    InvalidImage
        It is missing, damaged or of another size.
    """
    try:
        array = np.asarray(tifffile.imread(path))
    except Exception as error:  # decoders of damaged data raise nearly anything
        detail = " ".join(str(error).split()) or type(error).__name__
        raise InvalidImage(
            f"The copy {path} of an image cannot be read ({detail}); put a whole one there."
        ) from error
    if array.shape[:2] != shape and array.shape[-2:] == shape:
        array = np.moveaxis(array, 0, -1)
    if array.shape[:2] != shape or array.ndim > 3:
        raise InvalidImage(
            f"The copy {path} of an image is {array.shape}, not {shape}; put a whole one there."
        )
    return array
