"""The images of a project: where they are, how to know them again, and how to find them after they moved."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, Self

from semidavil_core.errors import InvalidProject
from semidavil_core.export.label_maps import safe_file_name

_PIECE: Final = 2**20
_PIECES: Final = 64  # of a megabyte each; a larger file is known by as many pieces spread over it
_MOST_FILES: Final = 200_000
_LONGEST_STEM: Final = 100
PARTS: Final = ("images", "source/images", "source/labels")
"""Folders of copies: of images to adapt to, and of the labelled source, which so is a dataset of its own."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows


@dataclass(frozen=True)
class Fingerprint:
    """What tells one file's content from another's."""

    size: int
    """Bytes."""
    digest: str
    """BLAKE2 of the content; beyond 64 MB of 64 pieces spread over it."""


@dataclass(frozen=True)
class ImageEntry:
    """One image layer of a project."""

    key: str
    """What the window calls it, whatever its layer is renamed to."""
    stem: str
    """Name of its files in the project; a stack's plane adds its indices."""
    shape: tuple[int, ...]
    """Shape of its label map: leading axes, height, width."""
    name: str = ""
    """Name of its layer."""
    path: str | None = None
    """Absolute path of the file it was opened from; None for an image that is no file."""
    parts: tuple[str, ...] = ()
    """Names of the files of a stack, in its order, where `path` is their folder."""
    fingerprint: Fingerprint | None = None
    embedded: bool = False
    """Whether the project holds a copy of its pixels."""
    part: str = "images"
    """Folder of the project that the copy lies in, one of `PARTS`."""
    layer: Mapping[str, Any] = field(default_factory=dict)
    """How it is shown: axes, scale, channels, contrast …, as JSON."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What a newer SemiDAViL wrote; kept."""

    def plane(self, index: tuple[int, ...]) -> str:
        """Name of the files of one plane."""
        return "_".join([self.stem, *(f"{i:04d}" for i in index)])

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON object."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        known["shape"], known["parts"] = list(self.shape), list(self.parts)
        if self.fingerprint is not None:
            known["fingerprint"] = {"size": self.fingerprint.size, "digest": self.fingerprint.digest}
        return {**self.extra, **known}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read :meth:`to_json`.

        Raises
        ------
        InvalidProject
            A field is missing or of another kind.
        """
        names = {f.name for f in fields(cls)} - {"extra"}
        try:
            given = {name: content[name] for name in names if name in content}
            given["shape"] = tuple(int(n) for n in content["shape"])
            given["parts"] = tuple(str(part) for part in content.get("parts", ()))
            if len(given["shape"]) < 2 or min(given["shape"]) < 1:
                raise ValueError(f"the shape {content['shape']}")
            if given.get("part", PARTS[0]) not in PARTS:
                raise ValueError(f"the folder {given['part']!r}")
            mark = content.get("fingerprint")
            given["fingerprint"] = (
                None if mark is None else Fingerprint(int(mark["size"]), str(mark["digest"]))
            )
            if (
                safe_file_name(str(content["stem"])) != content["stem"]
            ):  # a name that could lead out of the folder
                raise ValueError(f"the file name {content['stem']!r}")
            return cls(**given, extra={k: v for k, v in content.items() if k not in names})
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidProject(f"An image of the project is described wrongly ({error}).") from error


def fingerprint(path: Path, parts: tuple[str, ...] = ()) -> Fingerprint:
    """Know a file, the files `parts` of a folder, or a folder such as a zarr by its files' names and sizes.

    Raises
    ------
    OSError
        It cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    if parts:
        marks = [fingerprint(path / part) for part in parts]
        digest.update("".join(mark.digest for mark in marks).encode())
        return Fingerprint(sum(mark.size for mark in marks), digest.hexdigest())
    if path.is_dir():
        size = 0
        for file in _files(path):
            length = file.stat().st_size
            digest.update(f"{file.relative_to(path).as_posix()}:{length}\n".encode())
            size += length
        return Fingerprint(size, digest.hexdigest())
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        for number in range(min(_PIECES, -(-size // _PIECE))):
            spread = (
                number * _PIECE if size <= _PIECES * _PIECE else number * (size - _PIECE) // (_PIECES - 1)
            )
            stream.seek(spread)
            digest.update(stream.read(_PIECE))
    return Fingerprint(size, digest.hexdigest())


def locate(entry: ImageEntry, project: Path, former: Path | None = None) -> Path | None:
    """Where an image's file is now: at its path, or as far from `project` as it was from the `former` place; None if missing."""
    if entry.path is None:
        return None
    path = Path(entry.path)
    if _is_there(entry, path):
        return path
    if former is not None:
        moved = Path(os.path.normpath(project / os.path.relpath(path, former)))
        if _is_there(entry, moved):
            return moved
    return None


def is_unchanged(entry: ImageEntry, path: Path) -> bool:
    """Whether the file has the content it had; true where nobody noted that."""
    try:
        return _is_there(entry, path) and entry.fingerprint in (None, fingerprint(path, entry.parts))
    except OSError:
        return False


def _is_there(entry: ImageEntry, path: Path) -> bool:
    return all((path / part).is_file() for part in entry.parts) if entry.parts else path.exists()


def relink(missing: Iterable[ImageEntry], folder: Path) -> tuple[ImageEntry, ...]:
    """Find moved images below `folder`.

    Parameters
    ----------
    missing
        The images whose files are gone.
    folder
        Where to look, its subfolders included.

    Returns
    -------
    tuple[ImageEntry, ...]
        Those that were found, with their new path: the content must be the same, the name need not, but is tried first.
    """
    wanted = [entry for entry in missing if entry.path is not None]
    firsts = {entry.parts[0].lower() for entry in wanted if entry.parts}
    folders: list[Path] = []
    by_name: dict[str, list[Path]] = {}
    by_size: dict[int, list[Path]] = {}
    names = {Path(str(e.path)).name.lower() for e in wanted}
    sizes = {e.fingerprint.size for e in wanted if e.fingerprint is not None}
    for path in _everything(folder):
        if path.name.lower() in names:
            by_name.setdefault(path.name.lower(), []).append(path)
        if path.name.lower() in firsts and path.parent not in folders:
            folders.append(path.parent)
        if sizes and path.is_file() and (size := path.stat().st_size) in sizes:
            by_size.setdefault(size, []).append(path)
    found = []
    for entry in wanted:
        named = by_name.get(Path(str(entry.path)).name.lower(), [])
        sized = by_size.get(entry.fingerprint.size, []) if entry.fingerprint is not None else []
        candidates = folders if entry.parts else dict.fromkeys([*named, *sized])
        now = next((p for p in candidates if is_unchanged(entry, p)), None)
        if now is not None:
            found.append(replace(entry, path=str(now.absolute())))
    return tuple(found)


def unique_stem(key: str, taken: Iterable[ImageEntry]) -> str:
    """A file name for a new image whose planes' names meet no other image's, on any file system."""
    plain = safe_file_name(key)[:_LONGEST_STEM].rstrip(" .")
    plain = f"_{plain}" if _RESERVED.fullmatch(plain) else plain
    others = list(taken)
    candidates = chain([plain], (f"{plain} ({n})" for n in count(2)))
    return next(c for c in candidates if not any(_meet(c, other) for other in others))


def _meet(stem: str, other: ImageEntry) -> bool:
    first, second = stem.casefold(), other.stem.casefold()
    if first == second:
        return True
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    return longer.startswith(shorter) and re.fullmatch(r"(_\d+)+", longer[len(shorter) :]) is not None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in _everything(folder) if path.is_file())


def _everything(folder: Path) -> Iterator[Path]:
    """Files and folders below `folder` in a steady order, links to folders not followed, up to a bound."""
    count = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *folders]):
            count += 1
            if count > _MOST_FILES:
                return
            yield Path(place) / name
