"""What is known of images that were closed, so that one that is opened again gets its key again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Protocol

from napari.layers import Image

from semidavil_core.project.references import ImageEntry

TOLD: Final = ("axes", "channels")
"""What only a person can tell of an image, and need not tell again."""


class KnownImages(Protocol):
    """The images that a window has seen, closed ones too."""

    @property
    def keys(self) -> Collection[str]:
        """Their keys, which no other image may get."""

    def matches(self, image: Image) -> Iterable[ImageEntry]:
        """Those that an image layer may be."""


class NoImages:
    """No image is known."""

    @property
    def keys(self) -> Collection[str]:
        """See :class:`KnownImages`."""
        return ()

    def matches(self, image: Image) -> Iterable[ImageEntry]:  # noqa: ARG002
        """See :class:`KnownImages`."""
        return ()


def is_again(former: ImageEntry, now: ImageEntry) -> bool:
    """Whether an image is one that was closed: of the same files or sample, else of the same origin and name; and as big as it was."""
    if former.layer.get("shape") != now.layer.get("shape"):
        return False
    origin = (former.path, former.parts, former.layer.get("sample"))
    if origin != (now.path, now.parts, now.layer.get("sample")):
        return False
    # A file that a reader opened may hold several images.
    alone = former.layer.get("files") or former.layer.get("sample")
    return bool(alone) or former.key == now.key or now.name in (former.name, former.key)
