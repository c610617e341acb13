"""Predictions as files and as pictures: label maps, confidence maps, overlays and before/after figures."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from semidavil_core.atomic_files import write_bytes
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.image_files import write_image, write_label_map

LabelFormat = Literal["png", "tiff"]
CONFIDENCE_FOLDER: Final = "confidence"
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_MARGIN: Final = 8
_FONT_SIZE: Final = 14
_LINE: Final = 20
_TEXT: Final = (32, 32, 32)
_PAPER: Final = (255, 255, 255)


def write_prediction(
    folder: Path | str,
    name: str,
    labels: NDArray[np.uint8],
    classes: ClassSet,
    confidence: NDArray[np.float32] | None = None,
    format: LabelFormat = "png",  # noqa: A002 - the word that the command line uses too
) -> tuple[Path, ...]:
    """Write one prediction: ``<folder>/<name>.png`` and, if given, ``<folder>/confidence/<name>.png`` (or ``.tiff``).

    Parameters
    ----------
    folder
        Where to; made if missing.
    name
        The image's name; characters that a file name cannot hold become ``_``.
    labels
        (H, W) class indices, 255 for ignore; the file holds class values and their colours as palette.
    classes
        Give values and colours.
    confidence
        (H, W) float, 0 to 1. A PNG holds it as 0 to 255, a TIFF as float32.
    format
        ``png`` or ``tiff``.

    Returns
    -------
    tuple[Path, ...]
        The written files, the label map first.

    Raises
    ------
    OutputNotWritable
        A file cannot be written; older files stay as they were.
    """
    folder, file_name = Path(folder), f"{safe_file_name(name)}.{format}"
    write_label_map(folder / file_name, labels, classes)
    if confidence is None:
        return (folder / file_name,)
    path = folder / CONFIDENCE_FOLDER / file_name
    clipped = np.clip(np.nan_to_num(confidence), 0.0, 1.0).astype(np.float32)
    if format == "png":
        write_image(path, np.rint(clipped * 255).astype(np.uint8))
    else:
        stream = io.BytesIO()
        tifffile.imwrite(stream, clipped, compression="zlib")
        write_bytes(path, stream.getvalue())
    return folder / file_name, path


def safe_file_name(name: str) -> str:
    """`name` with everything that a file name cannot hold on some system replaced by ``_``; never empty or hidden."""
    cleaned = _FORBIDDEN.sub("_", name).strip(" .")
    return cleaned or "image"


def overlay(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], classes: ClassSet, alpha: float = 0.5
) -> NDArray[np.uint8]:
    """Lay the colours of the classes over an image.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    labels
        (H, W) class indices; where 255 the image stays as it is.
    classes
        Give the colours.
    alpha
        0 shows the image alone, 1 the colours alone.

    Returns
    -------
    NDArray[np.uint8]
        (H, W, 3).
    """
    table = np.zeros((256, 3), np.float32)
    table[: len(classes)] = classes.palette
    weight = np.where(labels == IGNORE_INDEX, 0.0, alpha).astype(np.float32)[..., None]
    mixed = image.astype(np.float32) * (1 - weight) + table[labels] * weight
    return np.rint(mixed).astype(np.uint8)


def legend_strip(classes: ClassSet, width: int) -> NDArray[np.uint8]:
    """Draw every class's colour and name, wrapped into lines of `width` pixels: (H, width, 3)."""
    font = ImageFont.load_default(_FONT_SIZE)
    placed, x, y = [], _MARGIN, _MARGIN // 2
    for info in classes:
        needed = _LINE + int(font.getlength(info.name)) + 2 * _MARGIN
        if x > _MARGIN and x + needed > width:
            x, y = _MARGIN, y + _LINE
        placed.append((x, y, info))
        x += needed
    strip = Image.new("RGB", (width, y + _LINE + _MARGIN // 2), _PAPER)
    draw = ImageDraw.Draw(strip)
    for x, y, info in placed:
        draw.rectangle((x, y + 3, x + 13, y + 16), fill=info.color, outline=_TEXT)
        draw.text((x + _LINE, y + 1), info.name, fill=_TEXT, font=font)
    return np.array(strip)


def figure(
    panels: Sequence[tuple[str, NDArray[np.uint8]]],
    classes: ClassSet | None = None,
    columns: int | None = None,
) -> NDArray[np.uint8]:
    """Put titled pictures side by side, with the classes' legend below.

    Parameters
    ----------
    panels
        (title, (H, W, 3) uint8) each; sizes may differ.
    classes
        Drawn as legend; None leaves it out.
    columns
        Pictures per row; all in one row if None.

    Returns
    -------
    NDArray[np.uint8]
        (H, W, 3), white paper.
    """
    columns = max(1, columns or len(panels))
    rows = [_row(panels[i : i + columns]) for i in range(0, len(panels), columns)]
    width = max((row.shape[1] for row in rows), default=_MARGIN)
    if classes is not None:
        rows.append(legend_strip(classes, width))
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded) if padded else np.full((_MARGIN, width, 3), 255, np.uint8)


def _row(panels: Sequence[tuple[str, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    font = ImageFont.load_default(_FONT_SIZE)
    widths = [max(image.shape[1], int(font.getlength(title)) + 1) for title, image in panels]
    height = max(image.shape[0] for _, image in panels)
    paper = Image.new("RGB", (sum(widths) + _MARGIN * (len(panels) + 1), height + _LINE + _MARGIN), _PAPER)
    draw, x = ImageDraw.Draw(paper), _MARGIN
    for (title, image), width in zip(panels, widths, strict=True):
        draw.text((x, 2), title, fill=_TEXT, font=font)
        paper.paste(Image.fromarray(image), (x, _LINE))
        x += width + _MARGIN
    return np.array(paper)
