"""What a project notes of the images of one window, kept true to their layers; and copies of images that are no files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

import numpy as np
from napari.layers import Image

from semidavil_core.project.references import ImageEntry, unique_stem
from semidavil_napari import _image_planes as planes
from semidavil_napari._aside import Run
from semidavil_napari._image_axes import axes_of
from semidavil_napari._known_images import is_again
from semidavil_napari._layer_tags import image_of
from semidavil_napari._layers import LayerBook
from semidavil_napari._project_files import Writer
from semidavil_napari._project_layers import ProjectLayers, describe_image


class ImageNotes:
    """The entries of one window's images.

    Parameters
    ----------
    layers, book
        The layers towards a project, and as the window sees them.
    run
        Reads and writes in the background.
    on_copied
        Called when a project holds a copy more.
    on_failed
        Called with a sentence when an image could not be copied.
    """

    def __init__(
        self,
        layers: ProjectLayers,
        book: LayerBook,
        run: Run,
        on_copied: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._layers, self._book, self._run = layers, book, run
        self._on_copied_one, self._on_failed = on_copied, on_failed
        self._entries: dict[str, ImageEntry] = {}
        self._copied: dict[str, int] = {}
        self._copying: set[str] = set()
        self._met: WeakValueDictionary[str, Image] = WeakValueDictionary()
        self.absent: frozenset[str] = frozenset()
        """Images that the project was opened without: their files may come back."""

    @property
    def all(self) -> tuple[ImageEntry, ...]:
        """All entries, those of images that a person has closed too."""
        return tuple(self._entries.values())

    @property
    def copying(self) -> bool:
        """Whether a project is still taking copies."""
        return bool(self._copying)

    @property
    def keys(self) -> Collection[str]:
        """The keys of all entries."""
        return self._entries.keys()

    def matches(self, image: Image) -> tuple[ImageEntry, ...]:
        """The entries that an image layer may be."""
        if not self._entries:
            return ()
        now = describe_image(image, image_of(image) or image.name, "")
        return tuple(entry for entry in self._entries.values() if is_again(entry, now))

    def back(self) -> tuple[str, ...]:
        """Keys of the images that came back since this was last asked: they are noted, and their layer is another now."""
        present = {key: self._book.image(key) for key in self._book.targets()}
        new = {key: image for key, image in present.items() if self._met.get(key) is not image}
        self._met.update((key, image) for key, image in new.items() if image is not None)
        return tuple(key for key in new if key in self._entries)

    def of(self, keys: Sequence[str]) -> tuple[ImageEntry, ...]:
        """The entries of these images; empty if one of them is not noted yet."""
        known = self._entries
        return tuple(known[key] for key in keys) if all(key in known for key in keys) else ()

    def get(self, key: str) -> ImageEntry | None:
        """The entry of an image as its layer is now, or as it was last if the layer is gone."""
        return self.note(key) or self._entries.get(key)

    def note(self, key: str) -> ImageEntry | None:
        """Bring the entry of an image up to date with its layer; None if the layer is gone."""
        former = self._entries.get(key)
        stem = former.stem if former is not None else unique_stem(key, self._entries.values())
        entry = self._layers.describe(key, stem)
        if entry is not None:
            kept = former is not None and former.embedded and entry.path is None
            extra = former.extra if former is not None else {}
            entry = self._entries[key] = replace(entry, embedded=kept, extra=extra)
        return entry

    def note_closed(self) -> None:
        """An image that a person has closed stays in the project, marked so, with its strokes."""
        present = self._book.targets()
        for key, entry in self._entries.items() if present else ():  # none: the viewer closes
            if key not in present and key not in self.absent and not entry.layer.get("closed"):
                self._entries[key] = replace(entry, layer={**entry.layer, "closed": True})

    def begin_anew(self) -> None:
        """Another project, that holds no copy yet."""
        self._copied.clear()
        self._entries = {key: replace(entry, embedded=False) for key, entry in self._entries.items()}

    def replace(self, entries: Iterable[ImageEntry]) -> None:
        """Other images take the place of all present ones."""
        self._copied.clear()
        self._entries = {entry.key: entry for entry in entries}

    def copy(self, entry: ImageEntry, writer: Writer) -> None:
        """Let a project take a copy of an image that is no file, once."""
        image = self._book.image(entry.key)
        if image is None or not self._layers.in_memory(entry.key):
            return
        data, known = id(image.data), self._copied.get(entry.key)
        self._copied[entry.key] = data
        if known == data or (entry.embedded and known is None):
            return
        wanted = [(place, planes.reader(image, place)) for place in np.ndindex(*axes_of(image).stack)]
        work = partial(writer.copies, entry, wanted)
        self._copying.add(entry.key)
        self._run(f"copy/{entry.key}", work, self._on_copied, partial(self._on_not_copied, entry.key))

    def _on_not_copied(self, key: str, sentence: str) -> None:
        self._copying.discard(key)
        self._on_failed(sentence)

    def _on_copied(self, entry: ImageEntry) -> None:
        self._copying.discard(entry.key)
        if entry.key in self._entries:
            self._entries[entry.key] = replace(self._entries[entry.key], embedded=True)
            self._on_copied_one()
