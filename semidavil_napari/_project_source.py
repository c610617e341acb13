"""Layers that are the source, towards a project: the image of the old domain and its dense labels are noted, copied, and come back.

Part of what touches ``viewer.layers``; see ``_layers``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from napari.layers import Image, Labels

from semidavil_core.classes import ClassSet
from semidavil_core.errors import SemiDavilError
from semidavil_core.project.references import ImageEntry, unique_stem
from semidavil_napari._aside import Run
from semidavil_napari._image_axes import first_level
from semidavil_napari._image_planes import reader
from semidavil_napari._layer_tags import Role, mark, role_of
from semidavil_napari._project_files import Writer
from semidavil_napari._project_layers import Restored, as_image, describe_image, is_small
from semidavil_napari._source_layers import SourceLayers

_IMAGE: Final = "source layer"
_LABELS: Final = "source labels layer"
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

    def entries(self, others: Sequence[ImageEntry]) -> tuple[ImageEntry, ...]:
        """What a project notes of the two layers, under names that meet no other's; empty without source layers."""
        if (layers := self._layers()) is None:
            return ()
        image, labels = layers
        first = describe_image(image, _IMAGE, unique_stem(_IMAGE, others))
        first = replace(
            first,
            embedded=first.path is None and is_small(first_level(image)),
            layer={**first.layer, "role": str(Role.SOURCE)},
        )
        second = ImageEntry(
            _LABELS,
            unique_stem(_LABELS, (*others, first)),
            tuple(int(n) for n in labels.data.shape),
            labels.name,
            embedded=is_small(labels.data),
            layer=_look(labels),
        )
        return first, second

    def copy(
        self, writer: Writer, others: Sequence[ImageEntry], run: Run, failed: Callable[[str], None]
    ) -> None:
        """Let a project take copies of what it has not as it is now: the labels, and an image that is no file."""
        if (layers := self._layers()) is None:
            return
        (image, labels), made = layers, self._source.chosen
        version = 0 if made is None else made.version
        for entry in self.entries(others):
            data = first_level(image) if entry.key == _IMAGE else labels.data
            now = (writer, entry.stem, id(data), version if entry.key == _LABELS else 0)
            if not entry.embedded or self._copied.get(entry.key) == now:
                continue
            self._copied[entry.key] = now
            places = list(np.ndindex(*entry.shape[:-2]))
            read = partial(reader, image) if entry.key == _IMAGE else partial(_reader, data)
            work = partial(writer.copies, entry, [(place, read(place)) for place in places])
            run(f"copy/{entry.key}", work, _ignore, failed)

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
        image, labels = as_image(found[_IMAGE], Role.SOURCE), _as_labels(found[_LABELS])
        for layer in (image, labels):
            self._viewer.add_layer(layer)
        if choose:
            zero, meant = bool(self._told.get("zero")), _meant(self._told)
            self._source.recall(image, labels, zero=zero, meant=meant)

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
        "scale": [float(n) for n in labels.scale],
        "translate": [float(n) for n in labels.translate],
        "opacity": float(labels.opacity),
        "visible": bool(labels.visible),
    }


def _as_labels(restored: Restored) -> Labels:
    look = restored.entry.layer
    arguments = {name: look[name] for name in ("scale", "translate", "opacity", "visible") if name in look}
    layer = Labels(restored.data, name=restored.entry.name, **arguments)
    mark(layer, Role.SOURCE_LABELS, _LABELS)
    return layer


def _meant(told: Any) -> ClassSet | None:
    try:
        return ClassSet.from_json(told["classes"])
    except (SemiDavilError, KeyError, TypeError, ValueError):
        return None


def _reader(data: Any, place: tuple[int, ...]) -> Callable[[], Any]:
    return lambda: np.array(data[place])


def _ignore(_: Any) -> None:
    """Nothing is to be done with the answer."""
