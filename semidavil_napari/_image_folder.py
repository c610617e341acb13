"""A folder of images as napari layers: one lazy stack for all images of one size and kind. Free of Qt; run it in the background.

Headers are read first, pixels only when napari shows them. Colour photographs are shown as the model sees them, 8-bit RGB; grey and
multi-channel images with the numbers of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.data.image_files import find_images, read_image
from semidavil_core.data.raw_images import RawHeader, read_header, read_raw
from semidavil_core.errors import InvalidDataset, InvalidImage

_AXIS_NAMES: Final = {"C": "channel", "Z": "z", "T": "time", "Y": "y", "X": "x"}
_SKIPPED_TOLD: Final = 3


@dataclass(frozen=True)
class FolderLayer:
    """What one image layer is made of."""

    name: str
    data: Any = field(repr=False)
    rgb: bool
    axis_labels: tuple[str, ...]
    contrast_limits: tuple[float, float] | None
    files: tuple[str, ...]
    """Where the images come from, in the order of the stack."""


@dataclass(frozen=True)
class OpenedFolder:
    """The layers of a folder."""

    folder: Path
    layers: tuple[FolderLayer, ...]
    left_out: str = ""
    """A sentence on files that cannot be read."""

    @property
    def count(self) -> int:
        """How many files were opened."""
        return sum(len(layer.files) for layer in self.layers)


@dataclass(frozen=True)
class _Kind:
    """What must agree for images to form a stack; `colour` pixels have no more axes than two."""

    shape: tuple[int, ...]
    axes: str
    colour: bool


def open_folder(folder: Path) -> OpenedFolder:
    """Open all images of a folder.

    Parameters
    ----------
    folder
        A folder with PNG, JPEG or TIFF images, or with such a folder called ``images`` in it.

    Raises
    ------
    InvalidDataset
        The folder holds no image, or none that can be read.
    """
    kinds, failures = _look_at(find_images(folder))
    if not kinds:
        raise InvalidDataset(f"No image in {folder} can be read. {failures[0]}")
    told = " ".join([f"{len(failures)} files were left out.", *failures[:_SKIPPED_TOLD]]) if failures else ""
    groups: dict[_Kind, list[Path]] = {}
    for path, kind in kinds.items():
        groups.setdefault(kind, []).append(path)
    layers = [
        _stack(_title(folder, kind, several=len(groups) > 1), paths, kind)
        if len(paths) > 1
        else _single(paths[0], kind)
        for kind, paths in groups.items()
    ]
    return OpenedFolder(folder, tuple(layers), told)


def _title(folder: Path, kind: _Kind, *, several: bool) -> str:
    size = " x ".join(str(n) for n in reversed(kind.shape))
    return f"{folder.name} ({size})" if several else folder.name


def open_files(name: str, files: Sequence[Path]) -> FolderLayer:
    """Open some image files as one lazy stack, or one of them alone.

    Raises
    ------
    InvalidImage
        One of them cannot be read, or they are not alike.
    """
    kinds, failures = _look_at({str(path): path for path in files})
    if failures:
        raise InvalidImage(failures[0])
    if len(set(kinds.values())) != 1:
        raise InvalidImage(
            f"The images {files[0]} to {files[-1]} have different sizes, so they are no stack any more."
        )
    kind = kinds[files[0]]
    return _single(files[0], kind) if len(files) == 1 else _stack(name, list(files), kind)


def _look_at(paths: dict[str, Path]) -> tuple[dict[Path, _Kind], list[str]]:
    kinds, failures = {}, []
    for path in paths.values():
        try:
            kinds[path] = _kind(read_header(path))
        except InvalidImage as error:
            failures.append(str(error))
    return kinds, failures


def _kind(header: RawHeader) -> _Kind:
    if header.indexed or "S" in header.axes:
        size = [n for n, letter in zip(header.shape, header.axes, strict=True) if letter in "YX"]
        return _Kind(tuple(size), "YX", colour=True)
    return _Kind(header.shape, header.axes, colour=False)


def _stack(name: str, paths: list[Path], kind: _Kind) -> FolderLayer:
    import dask.array as da  # slow to import, and needed by this alone

    sample = _read(paths[0], kind)
    data = da.stack([_lazy(path, kind, sample) for path in paths])
    names = ("image", *_names(kind))
    return FolderLayer(name, data, kind.colour, names, _limits(sample, kind), tuple(map(str, paths)))


def _single(path: Path, kind: _Kind) -> FolderLayer:
    sample = _read(path, kind)
    return FolderLayer(
        path.stem, _lazy(path, kind, sample), kind.colour, _names(kind), _limits(sample, kind), (str(path),)
    )


def _lazy(path: Path, kind: _Kind, like: NDArray[Any]) -> Any:
    import dask.array as da
    from dask.delayed import delayed

    later = delayed(_read_like)(str(path), kind, like.shape, str(like.dtype))
    return da.from_delayed(later, like.shape, like.dtype)


def _read_like(path: str, kind: _Kind, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Read a file that should look like the first of its stack."""
    array = _read(Path(path), kind)
    if array.shape != shape or not np.can_cast(array.dtype, dtype):
        raise InvalidImage(
            f"{path} holds {array.shape} {array.dtype} values where the images before it hold {shape} {dtype}; "
            "open it from a folder of its own."
        )
    return array.astype(dtype, copy=False)


def _read(path: Path, kind: _Kind) -> NDArray[Any]:
    return read_image(path) if kind.colour else read_raw(path).colours()


def _names(kind: _Kind) -> tuple[str, ...]:
    """Names of the axes that the file tells of; others stay without, so that the window asks."""
    return tuple(_AXIS_NAMES.get(letter, str(i - len(kind.axes))) for i, letter in enumerate(kind.axes))


def _limits(sample: NDArray[Any], kind: _Kind) -> tuple[float, float] | None:
    """Contrast limits from the image that was read, so that napari need not read one more."""
    if kind.colour or sample.size == 0:
        return None
    low, high = float(np.nanmin(sample)), float(np.nanmax(sample))
    return (low, high) if np.isfinite([low, high]).all() and low < high else (low, low + 1)
