"""Where the first model comes from: a bundle, a labelled folder, or layers of the viewer; free of Qt."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidClasses

_MARKER: Final = "config.json"
_CLASSES: Final = "classes.json"

Pairs = tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]
"""Images and label maps by name."""


class SourceKind(StrEnum):
    """What a person starts from."""

    BUNDLE = "bundle"
    LABELLED = "labelled"
    LAYERS = "layers"


@dataclass(frozen=True)
class LayerSource:
    """An image layer of the old domain and the Labels layer with its dense labels."""

    image: str
    labels: str
    """Both as identifiers of the session."""
    zero_is_a_class: bool
    """Whether label value 0 is the first class, for instance the background, or means "unlabelled"."""
    version: int
    """Grows when the labels change."""
    classes: ClassSet = field(compare=False)
    """What the label values meant when the layers were chosen, in their order."""
    read: Callable[[], Pairs] = field(compare=False)
    """Reads the images, and class indices (H, W) uint8 with 255 = unlabelled, in the background."""


@dataclass(frozen=True)
class Source:
    """Where the first model comes from: a bundle, or a labelled source to prepare one from."""

    kind: SourceKind
    folder: Path = Path()
    """The bundle (a folder or a zip file) or the labelled folder; unused for layers."""
    beside: Path | None = None
    """A labelled folder to keep learning from, beside a bundle; None: source-free."""
    layers: LayerSource | None = None

    @property
    def classes(self) -> ClassSet:
        """The classes that the source brings.

        Raises
        ------
        InvalidClasses
            There is no ``classes.json`` in the folder (or one level up), or it breaks a rule.
        """
        if self.layers is not None:
            return self.layers.classes
        if self.folder.is_file():
            return _classes_of_zip(self.folder)
        return classes_of_folder(self.folder)

    @property
    def origin(self) -> tuple[object, ...]:
        """What a person chose: it stays the same while its labels change."""
        layers = self.layers
        chosen = None if layers is None else (layers.image, layers.labels, layers.zero_is_a_class)
        return self.kind, self.folder, chosen

    @property
    def learns(self) -> bool:
        """Whether a first model must be learned from it before the first round."""
        return self.kind is not SourceKind.BUNDLE

    def is_known_in(self, classes: ClassSet | None) -> bool:
        """Whether these classes say already what the values of source layers mean, under whatever names and in whatever order."""
        known = {info.value for info in classes or ()}
        return self.kind is SourceKind.LAYERS and all(info.value in known for info in self.classes)

    def named_now(self, classes: ClassSet) -> ClassSet:
        """The source's own classes under the names they have in the window by now."""
        now = {info.value: info for info in classes}
        if self.kind is not SourceKind.LAYERS or any(info.value not in now for info in self.classes):
            return self.classes
        return ClassSet(tuple(now[info.value] for info in self.classes))


def classes_of_folder(folder: Path) -> ClassSet:
    """The classes of a labelled folder: its ``classes.json``, or that one level up."""
    beside = folder / _CLASSES
    return ClassSet.read(beside if beside.is_file() else folder.parent / _CLASSES)


def find_source(path: Path) -> Source | None:
    """What a folder or file holds; None if it is neither a bundle nor a labelled folder. A look at a few names only."""
    if path.is_file():
        return Source(SourceKind.BUNDLE, path) if _member(path, _MARKER) is not None else None
    if (path / _MARKER).is_file():
        return Source(SourceKind.BUNDLE, path)
    labelled = (path / "images").is_dir() and (path / "labels").is_dir()
    return Source(SourceKind.LABELLED, path) if labelled else None


def _member(path: Path, name: str) -> str | None:
    """The member of a zip file called `name`, at its top or in its one folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [
                m for m in archive.namelist() if m == name or (m.count("/") == 1 and m.endswith("/" + name))
            ]
    except (OSError, zipfile.BadZipFile):
        return None
    return min(found, key=len) if found else None


def _classes_of_zip(path: Path) -> ClassSet:
    member = _member(path, _CLASSES)
    where = f"{_CLASSES} in {path}"
    if member is None:
        raise InvalidClasses(f"{path} holds no {_CLASSES}; export the bundle again.")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = json.load(io.TextIOWrapper(archive.open(member), "utf-8-sig"))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidClasses(f"{where} cannot be read ({error}); export the bundle again.") from error
    return ClassSet.from_json(entries, where=where)
