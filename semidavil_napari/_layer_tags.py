"""What a layer is to us, written into its metadata: it survives renaming, reordering and saving.

``metadata["semidavil"]`` holds the ``role``, the ``image`` it belongs to (a key that never changes), and for images what a person
said about their ``axes`` and ``channels``; for scribbles the ``values`` of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from napari.layers import Layer

_NAME: Final = "semidavil"


class Role(StrEnum):
    """What a layer is to us."""

    TARGET = "target"
    SCRIBBLES = "scribbles"
    PREDICTION = "prediction"
    PSEUDO_LABELS = "pseudo_labels"
    CONFIDENCE = "confidence"
    SUGGESTIONS = "suggestions"
    SOURCE = "source"
    """An image layer of the old domain."""
    SOURCE_LABELS = "source_labels"
    """Its dense labels."""


RESULTS: Final = (Role.CONFIDENCE, Role.PSEUDO_LABELS, Role.PREDICTION)
"""The layers that are ours to write, from the bottom up."""


def tag_of(layer: Layer) -> dict[str, Any]:
    """What is written about the layer; empty if nothing is."""
    tag = layer.metadata.get(_NAME)
    return tag if isinstance(tag, dict) else {}


def role_of(layer: Layer) -> str | None:
    """The layer's role; None for layers that take no part."""
    return tag_of(layer).get("role")


def image_of(layer: Layer) -> str | None:
    """Key of the image that the layer is, or belongs to."""
    return tag_of(layer).get("image")


def mark(layer: Layer, role: Role, key: str, **more: Any) -> None:
    """Write the layer's role and image."""
    write(layer, role=str(role), image=key, **more)


def write(layer: Layer, **values: Any) -> None:
    """Write something about the layer, beside what is written already."""
    layer.metadata = {**layer.metadata, _NAME: {**tag_of(layer), **values}}


def unmark(layer: Layer) -> None:
    """Make the layer an ordinary one again."""
    layer.metadata = {name: value for name, value in layer.metadata.items() if name != _NAME}


def remember_values(layer: Layer, values: Mapping[str, int]) -> None:
    """Write which label value stands for which class, so that a window opened later understands the strokes."""
    if values_of(layer) != dict(values):
        write(layer, values=dict(values))


def values_of(layer: Layer) -> dict[str, int]:
    """What :func:`remember_values` wrote; empty if nothing did, or something that is no such table."""
    values = tag_of(layer).get("values")
    if not isinstance(values, dict):
        return {}
    return {str(name): value for name, value in values.items() if type(value) is int}
