"""Images in files: reading what the model sees, finding them in folders, writing them.

Read are PNG, JPEG and TIFF; 8 and 16 bits, floats; grey, RGB, RGBA, palette and multi-channel. Photographs are turned upright by
their EXIF orientation.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from semidavil_core.atomic_files import write_bytes
from semidavil_core.data.channels import ChannelChoice as ChannelChoice
from semidavil_core.data.channels import Channels, plan_channels
from semidavil_core.data.channels import to_rgb as to_rgb
from semidavil_core.data.label_files import read_label_values as read_label_values
from semidavil_core.data.label_files import write_label_map as write_label_map
from semidavil_core.data.raw_images import read_header, read_raw
from semidavil_core.errors import InvalidDataset, OutputNotWritable

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_OTHER_IMAGE_SUFFIXES: Final = (
    ".bmp",
    ".gif",
    ".webp",
    ".jp2",
    ".heic",
    ".czi",
    ".nd2",
    ".lif",
    ".svs",
    ".npy",
    ".zarr",
)
_log = logging.getLogger(__name__)


def read_image(path: Path | str, channels: Channels | None = None) -> NDArray[np.uint8]:
    """Read an image file as the model sees it.

    Parameters
    ----------
    path
        A PNG, JPEG or TIFF file.
    channels
        Which channels, counted from 0, become red, green and blue; needed only for multi-channel files.

    Returns
    -------
    NDArray[np.uint8]
        (H, W, 3) RGB.

    Raises
    ------
    InvalidImage
        The file is missing, empty, damaged, truncated, a stack, holds NaN or infinite values, or needs a channel choice.
    """
    path = Path(path)
    raw = read_raw(path)
    axes = raw.header.axes + ("S" if raw.header.indexed else "")
    return to_rgb(raw.colours(), channels, str(path), axes=axes, photographic=raw.header.photographic)


def image_size(path: Path | str, channels: Channels | None = None) -> tuple[int, int]:
    """(height, width) of what :func:`read_image` would return, from the header alone; raises as it does for bad headers."""
    path = Path(path)
    header = read_header(path)
    shape, axes = ((*header.shape, 3), header.axes + "S") if header.indexed else (header.shape, header.axes)
    return plan_channels(shape, channels, str(path), axes=axes, photographic=header.photographic).size


def find_images(folder: Path | str, subfolders: tuple[str, ...] = ("images",)) -> dict[str, Path]:
    """Find the image files of a folder by their stems.

    Parameters
    ----------
    folder
        The folder; the first of `subfolders` that exists in it is searched in its place. Deeper folders and hidden files are
        left out.
    subfolders
        Names to look for first.

    Returns
    -------
    dict[str, Path]
        Stem to path, sorted by stem. The stem of ``a.ome.tif`` is ``a``.

    Raises
    ------
    InvalidDataset
        The folder is missing, no folder, holds no image, or two of its images have one stem.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InvalidDataset(f"The folder {folder} {problem}; give a folder with PNG, JPEG or TIFF images.")
    folder = next((folder / name for name in subfolders if (folder / name).is_dir()), folder)
    visible = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    found: dict[str, Path] = {}
    for path in (p for p in visible if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()):
        if (first := found.setdefault(stem(path), path)) != path:
            raise InvalidDataset(
                f"{folder} holds {first.name} and {path.name}, which have one stem; rename or remove one of them."
            )
    _tell_left_out(folder, visible, found)
    return dict(sorted(found.items()))


def stem(path: Path) -> str:
    """The name that pairs an image with its labels: the file name without its ending, and without ``.ome``."""
    return path.stem[:-4] if path.stem.lower().endswith(".ome") and len(path.stem) > 4 else path.stem


def _tell_left_out(folder: Path, visible: list[Path], found: Mapping[str, Path]) -> None:
    others = sorted({p.suffix.lower() for p in visible if p.suffix.lower() in _OTHER_IMAGE_SUFFIXES})
    if not found:
        only = f" but files of the kinds {', '.join(others)}" if others else ""
        raise InvalidDataset(
            f"The folder {folder} holds no PNG, JPEG or TIFF image{only}; put the images there."
        )
    if others:
        _log.warning(
            "%s: files of the kinds %s are left out; convert them to PNG, JPEG or TIFF.",
            folder,
            ", ".join(others),
        )


def write_image(path: Path | str, image: NDArray[np.uint8]) -> None:
    """Write an image atomically; the ending of `path` gives the format: png, jpg, jpeg, tif or tiff.

    Parameters
    ----------
    path
        Where to; missing folders are made.
    image
        (H, W) grey or (H, W, 3) RGB, 0 to 255.

    Raises
    ------
    OutputNotWritable
        The ending is another one, or the file cannot be written.
    """
    path = Path(path)
    write_bytes(path, _encoded(np.ascontiguousarray(image), path))


def _encoded(image: NDArray[Any], path: Path) -> bytes:
    stream, suffix = io.BytesIO(), path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        tifffile.imwrite(
            stream, image, photometric="rgb" if image.ndim == 3 else "minisblack", compression="zlib"
        )
    elif suffix == ".png":
        Image.fromarray(image).save(stream, "PNG")
    elif suffix in (".jpg", ".jpeg"):
        Image.fromarray(image).save(stream, "JPEG", quality=95)
    else:
        raise OutputNotWritable(
            f"{path} ends with {suffix!r}, which is no image format here; use {', '.join(IMAGE_SUFFIXES)}."
        )
    return stream.getvalue()
