"""Image files as they are stored: PNG and JPEG through Pillow, 16-bit PNG through imagecodecs, TIFF through tifffile.

The format is told by a file's first bytes, not by its name. What the numbers mean (colours, channels, classes) is decided by the
readers on top: ``image_files`` and ``label_files``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from semidavil_core.errors import InvalidImage

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_TIFF: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_EXIF_ORIENTATION: Final = 0x0112
_PNG_GREY: Final = 0


@dataclass(frozen=True, slots=True)
class RawHeader:
    """What a file tells without decoding its pixels."""

    format: str
    """PNG, JPEG or TIFF."""
    shape: tuple[int, ...]
    """Array shape, axes of length 1 dropped beside Y and X, orientation applied."""
    axes: str
    """One letter per axis: Y, X, S (colour samples), C (channels), or what a TIFF names or leaves unknown (Q, I)."""
    photographic: bool
    """Whether S are the colours of a photograph: grey, grey + alpha, RGB or RGBA."""
    indexed: bool
    """Whether the numbers are indices of a palette of colours."""


@dataclass(frozen=True, slots=True)
class RawImage:
    """A decoded file: numbers as stored."""

    header: RawHeader
    array: NDArray[Any]
    palette: NDArray[np.uint8] | None = None
    """(N, 3) colours where `array` holds palette indices."""
    white_is_zero: bool = False
    grey_step: int = 1
    """Pillow spreads 2- and 4-bit greys over 0 to 255; dividing by this gives the stored number."""

    def colours(self) -> NDArray[Any]:
        """The array as light: palette looked up, inverted greys turned round."""
        if self.palette is not None:
            shown: NDArray[Any] = self.palette[np.clip(self.array, 0, len(self.palette) - 1)]
            return shown
        if self.white_is_zero and self.array.dtype.kind in "ub":
            return np.asarray(~self.array)  # unsigned: maximum minus value
        return self.array

    def numbers(self) -> NDArray[Any]:
        """The array as stored numbers: palette indices, unspread greys."""
        return np.asarray(self.array // self.grey_step) if self.grey_step > 1 else self.array


def read_header(path: Path) -> RawHeader:
    """Read a file's size and kind without decoding its pixels.

    Raises
    ------
    InvalidImage
        The file is missing, empty, of another format, or damaged in its header.
    """
    if file_format(path) == "TIFF":
        return _read_tiff(path, decode=False).header
    return _read_with_pillow(path, decode=False).header


def read_raw(path: Path) -> RawImage:
    """Decode a file completely.

    Raises
    ------
    InvalidImage
        As :func:`read_header`, or the pixel data is truncated or damaged.
    """
    if file_format(path) == "TIFF":
        return _read_tiff(path, decode=True)
    return _read_with_pillow(path, decode=True)


def file_format(path: Path) -> str:
    """``PNG``, ``JPEG`` or ``TIFF`` by the file's first bytes; `InvalidImage` otherwise."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise InvalidImage(
            f"{path} cannot be opened ({error.strerror or error}); check the path and its rights."
        ) from error
    if not start:
        raise InvalidImage(f"{path} is an empty file (0 bytes); save or copy the image again.")
    if start == _PNG:
        return "PNG"
    if start.startswith(_JPEG):
        return "JPEG"
    if start.startswith(_TIFF):
        return "TIFF"
    raise InvalidImage(
        f"{path} is no PNG, JPEG or TIFF file by its first bytes; convert the image to one of these."
    )


def _unreadable(path: Path, error: Exception) -> InvalidImage:
    if isinstance(error, Image.DecompressionBombError):
        return InvalidImage(
            f"{path} is too large for this format ({error}); save it as TIFF or cut it into smaller images."
        )
    if isinstance(error, MemoryError):
        return InvalidImage(f"{path} does not fit the memory of this computer; cut it into smaller images.")
    detail = " ".join(str(error).split()) or type(error).__name__
    return InvalidImage(f"{path} is damaged or incomplete ({detail}); save or copy the image again.")


def _read_with_pillow(path: Path, *, decode: bool) -> RawImage:
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            orientation = _orientation(image)
            if not decode:
                return RawImage(_pillow_header(image, orientation), np.empty(0, np.uint8))
            return _decode_with_pillow(path, image, orientation)
    except (
        Exception
    ) as error:  # decoders of damaged data raise nearly anything: OSError, SyntaxError, struct.error, ...
        raise _unreadable(path, error) from error


def _pillow_header(image: Image.Image, orientation: int) -> RawHeader:
    width, height = image.size
    if orientation >= 5:
        width, height = height, width
    bands = 3 if image.mode == "CMYK" else len(image.getbands())
    shape, axes = ((height, width), "YX") if bands == 1 else ((height, width, bands), "YXS")
    return RawHeader(str(image.format), shape, axes, photographic=True, indexed=image.mode == "P")


def _decode_with_pillow(path: Path, image: Image.Image, orientation: int) -> RawImage:
    header = _pillow_header(image, orientation)
    depth, kind = _png_depth(path) if header.format == "PNG" else (8, None)
    palette = None
    if depth == 16:  # Pillow would reduce 16-bit colour to 8 bits without a word
        array = np.asarray(imagecodecs.png_decode(path.read_bytes()))
    else:
        if image.mode == "CMYK":
            image = image.convert("RGB")
        array = np.array(image)
        if image.mode == "P":
            palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    grey_step = 255 // (2**depth - 1) if kind == _PNG_GREY and 1 < depth < 8 else 1
    return RawImage(header, _upright(array, orientation), palette, grey_step=grey_step)


def _png_depth(path: Path) -> tuple[int, int]:
    with path.open("rb") as stream:
        start = stream.read(26)  # signature 8, chunk head 8, width 4, height 4, bit depth 1, colour type 1
    return start[24], start[25]


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:  # asking Pillow further would decode the whole PNG
        return 1
    try:
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a damaged EXIF block, whatever it raises, says nothing about the pixels
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror as the EXIF orientation (1 to 8) asks: 5 to 8 swap the sides first, then rows or columns flip."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _read_tiff(path: Path, *, decode: bool) -> RawImage:
    try:
        with tifffile.TiffFile(path) as tiff:
            images = [s for s in tiff.series if not s.keyframe.is_reduced] or list(tiff.series)
            if len(images) > 1:
                raise InvalidImage(
                    f"{path} holds {len(images)} separate images; save the one that is meant as a file of its own."
                )
            return _tiff_image(images[0], decode=decode)
    except InvalidImage:
        raise
    except Exception as error:  # see above; imagecodecs adds its own RuntimeErrors
        raise _unreadable(path, error) from error


def _tiff_image(series: tifffile.TiffPageSeries, *, decode: bool) -> RawImage:
    page = series.keyframe
    kept = [
        i
        for i, (axis, size) in enumerate(zip(series.axes, series.shape, strict=True))
        if size != 1 or axis in "YX"
    ]
    shape, axes = tuple(int(series.shape[i]) for i in kept), "".join(series.axes[i] for i in kept)
    photometric = tifffile.PHOTOMETRIC
    colours = page.photometric in (photometric.RGB, photometric.YCBCR)
    indexed = page.photometric == photometric.PALETTE and page.colormap is not None
    header = RawHeader("TIFF", shape, axes, photographic=colours or axes == "YX", indexed=indexed)
    palette = None
    if indexed:
        palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    array = np.asarray(series.asarray()).reshape(shape) if decode else np.empty(0, np.uint8)
    return RawImage(header, array, palette, white_is_zero=page.photometric == photometric.MINISWHITE)
