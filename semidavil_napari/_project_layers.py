"""Image and scribbles layers of a project: how they are described in its folder, and how they come back.

Part of what touches ``viewer.layers``; see ``_layers``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidImage, SemiDavilError
from semidavil_core.project.folder import Project
from semidavil_core.project.references import ImageEntry
from semidavil_napari._image_axes import axes_of, first_level
from semidavil_napari._layer_tags import RESULTS, Role, image_of, mark, role_of, tag_of
from semidavil_napari._layers import LayerBook
from semidavil_napari._placement import placement

LARGEST_COPY: Final = 2**30
"""Bytes of an image in memory that a project still takes a copy of."""
_TOLD: Final = ("axes", "channels", "sample", "folder", "files")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restored:
    """What was read of one image in the background, ready for a layer."""

    entry: ImageEntry
    data: Any = field(repr=False)
    """None: no image, its strokes alone."""
    strokes: NDArray[Any] | None = field(repr=False)


class ProjectLayers:
    """The layers of one viewer towards a project folder.

    Parameters
    ----------
    viewer
        The napari viewer.
    book
        Its layers as the window sees them.
    """

    def __init__(self, viewer: Any, book: LayerBook) -> None:
        self._viewer, self._book = viewer, book

    # out

    def describe(self, key: str, stem: str) -> ImageEntry | None:
        """What a project notes of an image layer; None if the layer is gone. Nothing is read."""
        image = self._book.image(key)
        if image is None:
            return None
        entry, strokes = describe_image(image, key, stem), self._book.scribbles(key)
        return (
            entry
            if strokes is None
            else replace(entry, layer={**entry.layer, "scribbles_name": strokes.name})
        )

    def view(self) -> dict[str, Any]:
        """Where the viewer looks, as JSON."""
        camera, dims = self._viewer.camera, self._viewer.dims
        return {
            "camera": {
                "center": [float(n) for n in camera.center],
                "zoom": float(camera.zoom),
                "angles": [float(n) for n in camera.angles],
            },
            "dims": {"ndisplay": int(dims.ndisplay), "current_step": [int(n) for n in dims.current_step]},
        }

    def in_memory(self, key: str) -> bool:
        """Whether an image is small enough for a copy of it."""
        image = self._book.image(key)
        return image is not None and is_small(first_level(image))

    # in

    def clear(self, *, source: bool) -> None:
        """Take away the images that take part, their strokes and results, and the layers that are the `source`."""
        ours: tuple[Role, ...] = (Role.TARGET, Role.SCRIBBLES, Role.SUGGESTIONS, *RESULTS)
        ours += (Role.SOURCE, Role.SOURCE_LABELS) if source else ()
        for layer in [la for la in self._viewer.layers if role_of(la) in ours]:
            self._viewer.layers.remove(layer)

    def add(self, restored: Restored, classes: ClassSet | None) -> None:
        """Show an image and its strokes as they were."""
        entry = restored.entry
        if restored.data is None:
            if restored.strokes is not None:  # they wait for their image under its key
                alone = self._labels(restored.strokes, f"strokes: {entry.name or entry.key}", classes)
                mark(alone, Role.SCRIBBLES, entry.key)
                self._viewer.add_layer(alone)
            return
        image = as_image(restored, Role.TARGET)
        self._viewer.add_layer(image)
        if restored.strokes is not None:
            self._put_strokes(image, str(image_of(image)), restored.strokes, classes, entry)

    def fits(self, entry: ImageEntry, strokes: NDArray[Any] | None = None) -> str | None:
        """Key of an image in the viewer that looks like `entry` and has no other strokes than these; None if there is none."""
        for key, name in self._book.targets().items():
            axes = self._book.axes(key)
            alike = axes is not None and axes.label_shape == entry.shape and entry.name in (name, key)
            if alike and self._has_no_other(key, strokes):
                return key
        return None

    def _has_no_other(self, key: str, strokes: NDArray[Any] | None) -> bool:
        present, layer = self._book.strokes(key), self._book.scribbles(key)
        if present is None or layer is None or not present.places:
            return True
        painted = np.asarray(layer.data)
        return strokes is not None and bool(((painted == 0) | (painted == strokes)).all())

    def give_strokes(
        self, key: str, strokes: NDArray[Any], classes: ClassSet | None, entry: ImageEntry | None = None
    ) -> None:
        """Give an image strokes that it had; what is painted on it by now lies over them."""
        image, present = self._book.image(key), self._book.scribbles(key)
        if image is None:
            return
        if present is None:
            self._put_strokes(image, key, strokes, classes, entry)
            return
        painted = np.asarray(present.data)
        together = np.where(painted != 0, painted, strokes)
        if not np.array_equal(together, painted):
            present.data = together

    def look(self, view: Mapping[str, Any]) -> None:
        """Look where `view` says, as far as that is possible."""
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            dims, camera = view["dims"], view["camera"]
            self._viewer.dims.ndisplay = int(dims["ndisplay"])
            steps = [int(n) for n in dims["current_step"]]
            if len(steps) == self._viewer.dims.ndim:
                self._viewer.dims.set_current_step(range(len(steps)), steps)
            self._viewer.camera.angles = tuple(camera["angles"])
            self._viewer.camera.center = tuple(camera["center"])
            self._viewer.camera.zoom = float(camera["zoom"])

    def _put_strokes(
        self,
        image: Image,
        key: str,
        strokes: NDArray[Any],
        classes: ClassSet | None,
        entry: ImageEntry | None,
    ) -> None:
        layer = self._labels(strokes, f"scribbles: {image.name}", classes, **placement(image))
        mark(layer, Role.SCRIBBLES, key, made_here=True)
        if entry is not None and isinstance(name := entry.layer.get("scribbles_name"), str):
            layer.name = name
        self._viewer.add_layer(layer)

    def _labels(self, strokes: NDArray[Any], name: str, classes: ClassSet | None, **arguments: Any) -> Labels:
        colours = {} if classes is None else {"colormap": self._book.paint.colormap(classes)}
        return Labels(strokes, name=name, opacity=1.0, **colours, **arguments)


def describe_image(image: Image, key: str, stem: str) -> ImageEntry:
    """What a project notes of an image layer, its strokes left out; nothing is read."""
    tag = tag_of(image)
    path, parts = _files(image, tag)
    shape, look = axes_of(image).label_shape, _look(image, tag)
    return ImageEntry(key, stem, shape, image.name, path, parts, layer=look)


def is_small(data: Any) -> bool:
    """Whether an array is small enough for a copy of it."""
    return bool(prod(data.shape) * np.dtype(data.dtype).itemsize <= LARGEST_COPY)


def as_image(restored: Restored, role: Role) -> Image:
    """The layer of an image as it was, marked with its role."""
    entry, look = restored.entry, dict(restored.entry.layer)
    arguments = {name: look[name] for name in ("axis_labels", "scale", "translate", "units") if name in look}
    multiscale = isinstance(restored.data, list | tuple)
    image = Image(
        restored.data,
        name=entry.name or entry.key,
        rgb=bool(look.get("rgb", False)),
        multiscale=multiscale,
        contrast_limits=look.get("contrast_limits"),
        **arguments,
    )
    for name in ("colormap", "gamma", "opacity", "visible", "blending"):
        if name in look:
            with suppress(KeyError, TypeError, ValueError):  # a colormap that this napari lacks
                setattr(image, name, look[name])
    told = {name: look[name] for name in _TOLD if look.get(name) is not None}
    if entry.path is not None and "files" in told:  # they may have moved
        told["files"] = [str(Path(entry.path) / part) for part in entry.parts] or [entry.path]
    mark(image, role, entry.key, **told)
    return image


def labels_of(book: LayerBook, classes: ClassSet) -> list[int]:
    """The value of each class in the window's Labels layers."""
    return [int(value) for value in book.paint.of(classes)]


def learn_paint(book: LayerBook, settings: Mapping[str, Any]) -> None:
    """Give classes the values that they had in the window that saved these settings."""
    known = settings.get("paint")
    if isinstance(known, dict):
        book.paint.learn({str(name): value for name, value in known.items() if isinstance(value, int)})


def read_layer(project: Project, entry: ImageEntry, path: Path | None) -> Any:
    """The data of an image layer, from its file, the project's copy or the sample; None without. Run it in the background.

    Raises
    ------
    SemiDavilError
        It cannot be read, or is another image by its size.
    """
    if path is None and entry.embedded:
        data = project.read_copies(entry)
        axis = entry.layer.get("channel_axis")
        return np.moveaxis(data, -1, axis) if isinstance(axis, int) else data
    readers: tuple[Any, ...] = (_from_folder, _with_plugin, _plainly)
    if path is None:
        sample = entry.layer.get("sample")
        if entry.path is not None or not isinstance(sample, str):
            return None
        path, readers = Path(sample), (_from_sample,)
    wanted = tuple(entry.layer.get("shape", entry.shape))
    for read in readers:
        for data in _attempt(read, path, entry):
            level = data[0] if isinstance(data, list | tuple) else data
            if tuple(level.shape) == wanted:
                return data
    raise InvalidImage(
        f"{path} could not be opened as the image it was ({' x '.join(map(str, wanted))} numbers); put the original in its place."
    )


def _attempt(read: Any, path: Path, entry: ImageEntry) -> Sequence[Any]:
    try:
        return list(read(path, entry))
    except SemiDavilError:
        return ()
    except Exception as error:  # noqa: BLE001 - any plugin may be behind it
        _log.info("%s could not be read: %s", path, error)
        return ()


def _from_folder(path: Path, entry: ImageEntry) -> Sequence[Any]:
    """As the window itself opened it from a folder."""
    if not entry.layer.get("files"):
        return ()
    from semidavil_napari._image_folder import open_files

    files = [path / part for part in entry.parts] or [path]
    return [open_files(entry.name, files).data]


def _from_sample(path: Path, _: ImageEntry) -> Sequence[Any]:
    from semidavil_napari._sample_data import sample_images

    return [sample_images(path.name)]  # by its name: it may be installed elsewhere by now


def _with_plugin(path: Path, entry: ImageEntry) -> Sequence[Any]:
    from npe2 import read

    layers = read([str(path)], stack=False, plugin_name=entry.layer.get("plugin"))
    return [layer[0] for layer in layers if layer[0] is not None]


def _plainly(path: Path, _: ImageEntry) -> Sequence[Any]:
    from semidavil_core.data.raw_images import read_raw

    return [read_raw(path).colours()] if path.is_file() else ()


def _files(image: Image, tag: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Where a layer's data comes from: a file, or a folder and the names of files in it; None if it is in memory."""
    files = [Path(name).absolute() for name in tag.get("files") or ()]
    if len(files) == 1:
        return str(files[0]), ()
    if files and len({file.parent for file in files}) == 1:
        return str(files[0].parent), tuple(file.name for file in files)
    path = image.source.path if image.source.sample is None and image.source.parent is None else None
    return (None, ()) if path is None or "://" in path else (str(Path(path).absolute()), ())


def _look(image: Image, tag: Mapping[str, Any]) -> dict[str, Any]:
    """How a layer is shown, as JSON."""
    axes = axes_of(image)
    return {
        **{name: tag[name] for name in _TOLD if tag.get(name) is not None},
        "shape": [int(n) for n in first_level(image).shape],
        "rgb": bool(image.rgb),
        "channel_axis": axes.channel_axis,
        "axis_labels": [str(name) for name in image.axis_labels],
        "scale": [float(n) for n in image.scale],
        "translate": [float(n) for n in image.translate],
        "units": [str(unit) for unit in image.units],
        "contrast_limits": [float(n) for n in image.contrast_limits],
        "colormap": str(image.colormap.name),
        "gamma": float(image.gamma),
        "opacity": float(image.opacity),
        "visible": bool(image.visible),
        "blending": str(image.blending),
        "plugin": image.source.reader_plugin,
    }
