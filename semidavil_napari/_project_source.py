"""Layers that are the source, towards a project: the image of the old domain and its dense labels are noted, copied, and come back.

Part of what touches ``viewer.layers``; see ``_layers``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels

from semidavil_core.atomic_files import write_json
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.errors import SemiDavilError
from semidavil_core.project.folder import Project
from semidavil_core.project.references import ImageEntry
from semidavil_napari._aside import Run
from semidavil_napari._image_axes import first_level
from semidavil_napari._image_planes import reader
from semidavil_napari._layer_tags import Role, mark, role_of
from semidavil_napari._project_files import Writer
from semidavil_napari._project_layers import Restored, as_image, describe_image, is_small
from semidavil_napari._source_layers import SourceLayers

_IMAGE: Final = "source layer"
_LABELS: Final = "source labels layer"
_STEM: Final = "source"
_SETTING: Final = "source_layers"


class ProjectSource:
    """The source layers of one window.

    Parameters
    ----------
    viewer
        The napari viewer.
    source
        Knows which layers were chosen.
    """

    def __init__(self, viewer: Any, source: SourceLayers) -> None:
        self._viewer, self._source = viewer, source
        self._copied: dict[str, tuple[object, ...]] = {}
        self._told: dict[str, Any] = {}

    # out

    def settings(self) -> dict[str, Any]:
        """What the label values mean, as JSON."""
        if (made := self._source.chosen) is not None:
            self._told = {"zero": made.zero_is_a_class, "classes": made.classes.to_json()}
        return {_SETTING: self._told}

    def entries(self) -> tuple[ImageEntry, ...]:
        """What a project notes of the two layers; empty without source layers."""
        if (layers := self._layers()) is None:
            return ()
        image, labels = layers
        first = describe_image(image, _IMAGE, _STEM)
        first = replace(
            first,
            embedded=first.path is None and is_small(first_level(image)),
            part="source/images",
            layer={**first.layer, "role": str(Role.SOURCE)},
        )
        shape = tuple(int(n) for n in labels.data.shape)
        small = is_small(labels.data)
        second = ImageEntry(
            _LABELS, _STEM, shape, labels.name, embedded=small, part="source/labels", layer=_look(labels)
        )
        return first, second

    def copy(self, writer: Writer, run: Run, failed: Callable[[str], None]) -> None:
        """Let a project take copies of what it has not as it is now: the labels, and an image that is no file."""
        if (layers := self._layers()) is None:
            return
        (image, labels), made = layers, self._source.chosen
        for entry in self.entries():
            data = first_level(image) if entry.key == _IMAGE else labels.data
            version = made.version if made is not None and entry.key == _LABELS else 0
            now = (writer, id(data), version)
            if not entry.embedded or self._copied.get(entry.key) == now:
                continue
            self._copied[entry.key] = now
            places = list(np.ndindex(*entry.shape[:-2]))
            zero = made is not None and made.zero_is_a_class
            read = partial(reader, image) if entry.key == _IMAGE else partial(_label_reader, data, zero)
            work = partial(writer.copies, entry, [(place, read(place)) for place in places])
            run(f"copy/{entry.key}", work, _ignore, failed)
        if made is not None:
            first = 0 if made.zero_is_a_class else 1
            classes = [{**told, "value": first + n} for n, told in enumerate(made.classes.to_json())]
            path = writer.project.folder / "source" / "classes.json"
            run("copy/source classes", partial(write_json, path, classes), _ignore, failed)

    def folder(self, project: Project) -> Path | None:
        """The labelled folder that the copies in a project make; None if they make none."""
        entries = self.entries()
        whole = bool(entries) and all(entry.embedded for entry in entries)
        return project.folder / "source" if whole else None

    # in

    def restore(self, images: Sequence[Restored], settings: Mapping[str, Any], *, choose: bool) -> None:
        """Show the two layers again.

        Parameters
        ----------
        images
            What was read of a project's images; others than these two are left alone.
        settings
            See :meth:`settings`.
        choose
            Whether to start from them; if not, they are only kept out of what is adapted to.
        """
        found = {
            image.entry.key: image for image in images if is_source(image.entry) and image.data is not None
        }
        if set(found) != {_IMAGE, _LABELS}:
            return
        told = settings.get(_SETTING)
        self._told = dict(told) if isinstance(told, Mapping) else {}
        zero = bool(self._told.get("zero"))
        image, labels = as_image(found[_IMAGE], Role.SOURCE), _as_labels(found[_LABELS], zero=zero)
        for layer in (image, labels):
            self._viewer.add_layer(layer)
        if choose:
            self._source.recall(image, labels, zero=zero, meant=_meant(self._told))

    def _layers(self) -> tuple[Image, Labels] | None:
        """The layers that are kept out of what is adapted to, whether or not a round starts from them."""
        roles = {role_of(layer): layer for layer in self._viewer.layers}
        image, labels = roles.get(Role.SOURCE), roles.get(Role.SOURCE_LABELS)
        return (image, labels) if isinstance(image, Image) and isinstance(labels, Labels) else None


def is_source(entry: ImageEntry) -> bool:
    """Whether an entry of a project is of a source layer, not of an image to adapt to."""
    return entry.layer.get("role") in (Role.SOURCE, Role.SOURCE_LABELS)


def _look(labels: Labels) -> dict[str, Any]:
    return {
        "role": str(Role.SOURCE_LABELS),
        "shape": [int(n) for n in labels.data.shape],
        "dtype": str(labels.data.dtype),
        "scale": [float(n) for n in labels.scale],
        "translate": [float(n) for n in labels.translate],
        "opacity": float(labels.opacity),
        "visible": bool(labels.visible),
    }


def _as_labels(restored: Restored, *, zero: bool) -> Labels:
    look = restored.entry.layer
    arguments = {name: look[name] for name in ("scale", "translate", "opacity", "visible") if name in look}
    data = restored.data if zero else np.where(restored.data == IGNORE_INDEX, 0, restored.data)
    layer = Labels(
        data.astype(look.get("dtype", data.dtype), copy=False), name=restored.entry.name, **arguments
    )
    mark(layer, Role.SOURCE_LABELS, _LABELS)
    return layer


def _meant(told: Any) -> ClassSet | None:
    try:
        return ClassSet.from_json(told["classes"])
    except (SemiDavilError, KeyError, TypeError, ValueError):
        return None


def _label_reader(data: Any, zero: bool, place: tuple[int, ...]) -> Callable[[], Any]:
    """In a labelled folder 255 is what is not labelled, in a layer 0, unless that is a class."""
    plane = np.array(data[place])
    return lambda: plane if zero else np.where(plane == 0, IGNORE_INDEX, plane)


def _ignore(_: Any) -> None:
    """Nothing is to be done with the answer."""
