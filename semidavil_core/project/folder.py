"""Opening, reading and writing a project folder."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from semidavil_core import __version__
from semidavil_core.atomic_files import write_json
from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidInput, InvalidProject, OutputNotWritable
from semidavil_core.project.image_copies import read_copy, write_copy
from semidavil_core.project.lock import LOCK, ProjectLock
from semidavil_core.project.references import PARTS, ImageEntry
from semidavil_core.project.rounds import RoundStore
from semidavil_core.project.strokes import StrokeStore

MARKER: Final = "project.json"
FORMAT: Final = "semidavil-project"
SCHEMA_VERSION: Final = 1
_LARGEST: Final = 64 * 2**20
_OURS: Final = (
    "format",
    "schema_version",
    "semidavil",
    "saved",
    "place",
    "images",
    "retired",
    "settings",
    "view",
)
_LEFT_OVER = re.compile(r"\..+\.[a-z0-9_]{8}(\.\w+)?")  # the temporary files of a save that was killed


@dataclass(frozen=True)
class ProjectState:
    """What a project knows beside strokes and rounds."""

    images: tuple[ImageEntry, ...] = ()
    classes: ClassSet | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Budget, guidance, source …, as JSON."""
    view: Mapping[str, Any] = field(default_factory=dict)
    """Camera, sliders …, as JSON."""
    saved: float = 0.0
    """When it was last written, in seconds since 1970."""
    place: Path | None = None
    """Where the folder was then."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What a newer SemiDAViL wrote; kept."""


class Project:
    """An open project: this process holds it until :meth:`close`.

    Not for two threads at once.

    Parameters
    ----------
    folder
        A project folder; see :meth:`create` for a new one.

    Raises
    ------
    InvalidProject
        It is no project, is damaged, or of a newer schema.
    ProjectInUse
        Another window has it open.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()
        _read_document(self.folder)
        self._lock: ProjectLock | None = None
        self.read_only: str | None = None
        """Why nothing can be saved, in a sentence; None if it can."""
        self.strokes = StrokeStore(self.folder / "scribbles")
        self.rounds = RoundStore(self.folder / "rounds")
        try:
            self._lock = ProjectLock(self.folder)
        except OSError as error:
            self.read_only = f"The project {self.folder} cannot be written ({error.strerror or error}): it is open to look at, save it elsewhere to go on."
        else:
            self._sweep()

    @classmethod
    def create(cls, folder: Path | str, state: ProjectState | None = None) -> Self:
        """Begin a project in a new or an empty folder.

        Raises
        ------
        OutputNotWritable
            The folder cannot be written, or holds other files.
        """
        folder = Path(folder).absolute()
        if folder.is_file():
            raise OutputNotWritable(f"{folder} is a file, not a folder; choose a new or an empty folder.")
        if folder.is_dir() and any(p.name != LOCK for p in folder.iterdir()):
            what = (
                "is a project already; open it"
                if is_project(folder)
                else "holds other files; choose a new or an empty folder"
            )
            raise OutputNotWritable(f"{folder} {what}.")
        _write(folder, state or ProjectState(), {})
        return cls(folder)

    def read(self) -> ProjectState:
        """The present content.

        Raises
        ------
        InvalidProject
            It is damaged or of a newer schema.
        InvalidClasses
            Its ``classes.json`` breaks a rule.
        """
        content = _read_document(self.folder)
        retired = frozenset(int(v) for v in content.get("retired", []))
        place = content.get("place")
        try:
            return ProjectState(
                images=tuple(ImageEntry.from_json(entry) for entry in content.get("images", [])),
                classes=self._classes(retired),
                settings=dict(content.get("settings", {})),
                view=dict(content.get("view", {})),
                saved=float(content.get("saved", 0.0)),
                place=Path(place) if isinstance(place, str) else None,
                extra={name: value for name, value in content.items() if name not in _OURS},
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidProject(
                f"{self.folder / MARKER} is damaged ({error}); put a copy of it in its place."
            ) from error

    def write(self, state: ProjectState) -> None:
        """Replace the content; keys that a newer SemiDAViL wrote are kept.

        Raises
        ------
        OutputNotWritable
            The folder cannot be written; the older content stays.
        """
        if self.read_only is not None:
            raise OutputNotWritable(self.read_only)
        _write(self.folder, state, _read_document(self.folder))

    def write_strokes(
        self,
        entry: ImageEntry,
        index: tuple[int, ...],
        strokes: NDArray[Any],
        classes: ClassSet,
        labels: Sequence[int] = (),
    ) -> None:
        """Replace the strokes of one plane, as a Labels layer has them; see :meth:`StrokeStore.write`."""
        if self.read_only is not None:
            raise OutputNotWritable(self.read_only)
        self.strokes.write(entry.plane(index), strokes, classes, labels)

    def read_strokes(
        self, entry: ImageEntry, classes: ClassSet, labels: Sequence[int] = ()
    ) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
        """All strokes of an image, and a sentence for each plane that could not be read.

        Returns
        -------
        tuple
            An array of the entry's shape, 0 unlabelled and class ``k`` as ``labels[k]`` (by default ``k + 1``), or None where nothing
            is painted; and the sentences.
        """
        planes, told = {}, []
        present = set(self.strokes.names())
        for index in np.ndindex(*entry.shape[:-2]):
            if entry.plane(index) not in present:
                continue
            try:
                plane = self.strokes.read(entry.plane(index), classes, labels)
            except InvalidInput as error:
                told.append(str(error))
                continue
            if plane is None or plane.shape != entry.shape[-2:]:
                told.append(
                    f"The strokes of {entry.plane(index)} have another size than the image; they are left out."
                )
                continue
            planes[index] = plane
        if not planes:
            return None, tuple(told)
        whole = np.zeros(entry.shape, np.result_type(*(plane.dtype for plane in planes.values())))
        for index, plane in planes.items():
            whole[index] = plane
        return whole, tuple(told)

    def copy_path(self, entry: ImageEntry, index: tuple[int, ...]) -> Path:
        """Where the copy of one plane of an image lies."""
        return self.folder / entry.part / f"{entry.plane(index)}.tif"

    def write_copy(
        self, entry: ImageEntry, index: tuple[int, ...], plane: NDArray[Any], *, colours: bool
    ) -> None:
        """Keep one plane, (H, W) or (H, W, C), of an image that is no file."""
        if self.read_only is not None:
            raise OutputNotWritable(self.read_only)
        write_copy(self.copy_path(entry, index), plane, colours=colours)

    def read_copies(self, entry: ImageEntry) -> NDArray[Any]:
        """The kept planes of an image: (..., H, W) or (..., H, W, C).

        Raises
        ------
        InvalidImage
            A copy is missing, damaged or of another size.
        """
        height, width = entry.shape[-2:]
        indices = list(np.ndindex(*entry.shape[:-2]))
        first = read_copy(self.copy_path(entry, indices[0]), (height, width))
        if indices == [()]:
            return first
        whole = np.empty((*entry.shape[:-2], *first.shape), first.dtype)
        for index in indices:
            whole[index] = (
                first if index == indices[0] else read_copy(self.copy_path(entry, index), (height, width))
            )
        return whole

    def close(self) -> None:
        """Let others open the project."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _classes(self, retired: frozenset[int]) -> ClassSet | None:
        if not (self.folder / "classes.json").exists():
            return None
        return replace(ClassSet.read(self.folder), retired=retired)

    def _sweep(self) -> None:
        """Clear what a killed save left half written; the lock is ours, so nobody writes there now."""
        for place in (
            self.folder,
            self.folder / "scribbles",
            *(self.folder / part for part in PARTS),
            self.folder / "rounds",
            *self._round_places(),
        ):
            with suppress(OSError):
                for path in place.iterdir() if place.is_dir() else ():
                    if _LEFT_OVER.fullmatch(path.name) and ".old." not in path.name:  # never the only copy
                        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def _round_places(self) -> list[Path]:
        return [self.rounds.place(number) for number in range(1, self.rounds.next_number())]


def is_project(folder: Path | str) -> bool:
    """Whether a folder says that it is a SemiDAViL project, of whatever schema; false for anything unreadable."""
    try:
        return bool(_read_json(Path(folder)).get("format") == FORMAT)
    except InvalidProject:
        return False


def _read_document(folder: Path) -> dict[str, Any]:
    content = _read_json(folder)
    if content.get("format") != FORMAT:
        raise InvalidProject(f"{folder} is not a SemiDAViL project; choose a folder that the window saved.")
    version = content.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise InvalidProject(
            f"The project {folder} has schema version {version!r}, but this SemiDAViL reads versions up to {SCHEMA_VERSION}; "
            "update SemiDAViL."
        )
    return content


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / MARKER
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is far too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidProject(
            f"{folder} is not a SemiDAViL project: it has no {MARKER}; choose the folder that holds it."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidProject(f"{path} cannot be read ({error}); put a copy of it in its place.") from error
    if not isinstance(content, dict):
        raise InvalidProject(f"{path} is damaged (no JSON object); put a copy of it in its place.")
    return content


def _write(folder: Path, state: ProjectState, older: Mapping[str, Any]) -> None:
    """Classes first: the document is what tells a project."""
    if state.classes is not None:
        write_json(folder / "classes.json", state.classes.to_json())
    unknown = {name: value for name, value in older.items() if name not in _OURS}
    document = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "semidavil": __version__,
        "saved": time.time(),
        "place": str(folder),
        "images": [entry.to_json() for entry in state.images],
        "retired": sorted(state.classes.retired) if state.classes is not None else older.get("retired", []),
        "settings": dict(state.settings),
        "view": dict(state.view),
    }
    write_json(folder / MARKER, {**unknown, **state.extra, **document})
