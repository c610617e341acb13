"""The strokes of a project: one small label map per image plane, replaced as a whole or not at all.

The files hold class values, which stay with a class when it is renamed or moved, so they fit any later ``classes.json`` and every
command reads them. Labels of a layer that belong to no class yet are kept too, on free values that the file itself explains.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from semidavil_core.atomic_files import write_bytes
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.errors import InvalidLabels, OutputNotWritable

_UNLISTED: Final = "semidavil_unlisted"
_LARGEST_PNG: Final = 64 * 10**6  # pixels; beyond, TIFF has no limit and is faster


class StrokeStore:
    """The strokes in one folder, by plane name.

    In memory strokes are as a Labels layer has them: 0 is unlabelled and class ``k`` is ``labels[k]``, by default ``k + 1``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """The planes that have strokes."""
        if not self.folder.is_dir():
            return ()
        files = (
            p for p in self.folder.iterdir() if p.suffix in (".png", ".tif") and not p.name.startswith(".")
        )
        return tuple(sorted(p.stem for p in files))

    def write(self, name: str, strokes: NDArray[Any], classes: ClassSet, labels: Sequence[int] = ()) -> None:
        """Replace the strokes (H, W), integers, of one plane; all 0 removes its file.

        Parameters
        ----------
        name
            The plane.
        strokes
            What a Labels layer holds.
        classes
            Give the values in the file.
        labels
            What stands for each class in `strokes`.

        Raises
        ------
        OutputNotWritable
            The file cannot be written; the older strokes stay.
        InvalidLabels
            There are more different labels than a file can hold.
        """
        png, tiff = self.folder / f"{name}.png", self.folder / f"{name}.tif"
        if not strokes.any():
            _remove(png, tiff)
            return
        values, unlisted = _to_values(strokes, classes, _labels(labels, classes), str(png))
        as_png = values.size <= _LARGEST_PNG
        content = _png(values, unlisted, classes) if as_png else _tiff(values, unlisted)
        write_bytes(png if as_png else tiff, content)
        _remove(tiff if as_png else png)

    def read(
        self, name: str, classes: ClassSet, labels: Sequence[int] = ()
    ) -> NDArray[np.uint8] | NDArray[np.int32] | None:
        """The strokes (H, W) of one plane; None if there are none.

        Raises
        ------
        InvalidLabels
            The file is damaged.
        """
        found = next(
            (p for p in (self.folder / f"{name}.png", self.folder / f"{name}.tif") if p.is_file()), None
        )
        if found is None:
            return None
        try:
            values, unlisted = _read(found)
        except Exception as error:  # decoders of damaged data raise nearly anything
            detail = " ".join(str(error).split()) or type(error).__name__
            raise InvalidLabels(
                f"The strokes in {found} cannot be read ({detail}); put a copy of the file in its place or paint them again."
            ) from error
        return _to_layer(values, unlisted, classes, _labels(labels, classes))


def _labels(labels: Sequence[int], classes: ClassSet) -> list[int]:
    return [int(label) for label in labels] or list(range(1, len(classes) + 1))


def _to_values(
    strokes: NDArray[Any], classes: ClassSet, labels: list[int], where: str
) -> tuple[NDArray[np.uint8], dict[int, int]]:
    """Layer labels as file values, and what the values mean that are no class's: {file value: layer label}."""
    present = [int(v) for v in np.unique(strokes) if v != 0]
    strange = [v for v in present if v not in labels]
    taken = {*classes.values, *classes.retired, IGNORE_INDEX}
    free = [v for v in range(IGNORE_INDEX - 1, -1, -1) if v not in taken]
    if len(strange) > len(free):
        raise InvalidLabels(
            f"{where} cannot hold {len(present)} different labels; erase labels beyond the {len(classes)} classes."
        )
    unlisted = dict(zip(free, strange, strict=False))
    values = np.full(strokes.shape, IGNORE_INDEX, np.uint8)
    known = dict(zip(classes.values, labels, strict=True))
    for value, label in (known | unlisted).items():
        if label in present:
            values[strokes == label] = value
    return values, unlisted


def _to_layer(
    values: NDArray[np.uint8], unlisted: Mapping[int, int], classes: ClassSet, labels: list[int]
) -> NDArray[np.uint8] | NDArray[np.int32]:
    """The way back; a value that is neither a class nor explained belonged to a class that is gone, and counts as unlabelled."""
    table = np.zeros(256, np.int64)
    table[list(classes.values)] = labels
    for value, label in unlisted.items():
        if value not in classes.values and label not in labels:
            table[value] = label
    small = table.min() >= 0 and table.max() <= IGNORE_INDEX
    return table.astype(np.uint8)[values] if small else table.astype(np.int32)[values]


def _png(values: NDArray[np.uint8], unlisted: Mapping[int, int], classes: ClassSet) -> bytes:
    palette = np.full((256, 3), 255, np.uint8)
    palette[list(classes.values)] = classes.palette
    palette[IGNORE_INDEX] = 0
    image = Image.fromarray(values)
    image.putpalette(palette.tobytes())
    note = PngImagePlugin.PngInfo()
    if unlisted:
        note.add_text(_UNLISTED, json.dumps(unlisted))
    stream = io.BytesIO()
    image.save(stream, "PNG", pnginfo=note, compress_level=1)
    return stream.getvalue()


def _tiff(values: NDArray[np.uint8], unlisted: Mapping[int, int]) -> bytes:
    stream = io.BytesIO()
    note = json.dumps({_UNLISTED: unlisted})
    tifffile.imwrite(
        stream,
        values,
        compression="zlib",
        photometric="minisblack",
        rowsperstrip=512,
        description=note,
        metadata=None,
    )
    return stream.getvalue()


def _read(path: Path) -> tuple[NDArray[np.uint8], dict[int, int]]:
    if path.suffix == ".png":
        with Image.open(path, formats=("PNG",)) as image:
            note = json.loads(image.info.get(_UNLISTED, "{}"))
            values = np.array(image)
    else:
        with tifffile.TiffFile(path) as tiff:
            note = json.loads(tiff.pages.first.description or "{}").get(_UNLISTED, {})
            values = tiff.asarray()
    if values.ndim != 2 or values.dtype != np.uint8:
        raise ValueError(f"it holds {values.dtype} of the shape {values.shape}, not one byte per pixel")
    return values, {int(value): int(label) for value, label in note.items()}


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            with suppress(FileNotFoundError):
                path.unlink()
        except OSError as error:
            raise OutputNotWritable(f"{path} cannot be removed ({error.strerror or error}).") from error
