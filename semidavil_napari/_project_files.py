"""What a project costs of the disk: reading, writing, hashing. Free of Qt; all of it runs in the background."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.errors import OutputNotWritable, SemiDavilError
from semidavil_core.project.folder import Project, ProjectState
from semidavil_core.project.references import Fingerprint, ImageEntry, fingerprint, is_unchanged, locate
from semidavil_core.project.references import relink as relink
from semidavil_core.project.rounds import SavedRound
from semidavil_napari._project_layers import Restored, read_layer

Planes = Sequence[tuple[tuple[int, ...], Callable[[], NDArray[Any]]]]
"""The planes of an image in memory: index, and how to read it."""


@dataclass(frozen=True)
class Found:
    """A project that was opened, before anything of it is shown."""

    project: Project
    state: ProjectState
    missing: tuple[ImageEntry, ...]
    """Images whose files are gone."""
    rounds: tuple[SavedRound, ...]
    bundle: Path | None
    """The model to go on from."""
    round: int
    """The round that it belongs to; 0 if there is none."""
    next_round: int


@dataclass(frozen=True)
class Content:
    """What is shown of a project."""

    images: tuple[Restored, ...]
    told: tuple[str, ...] = field(default=())
    """Sentences on what could not be read."""


def find_project(folder: Path) -> Found:
    """Open a project and look which of its images are where they were."""
    project = Project(folder)
    try:
        state = project.read()
        images = tuple(_located(entry, project.folder, state.place) for entry in state.images)
        wanted = int(state.settings.get("round") or 0)
        number = (
            wanted if wanted and project.rounds.has_bundle(wanted) else project.rounds.latest_bundle() or 0
        )
        return Found(
            project=project,
            state=replace(state, images=images),
            missing=tuple(
                e for e in images if not _gone(e) and e.path is not None and locate(e, project.folder) is None
            ),
            rounds=project.rounds.read(),
            bundle=project.rounds.bundle(number) if number else None,
            round=number,
            next_round=project.rounds.next_number(),
        )
    except Exception:
        project.close()
        raise


def read_content(
    found: Found, labels: Callable[[ClassSet], Sequence[int]], *, only: Iterable[str] | None = None
) -> Content:
    """Read images and strokes; what cannot be read is told and left out.

    Parameters
    ----------
    found
        The project.
    labels
        Gives the label value of each class in the window.
    only
        Keys of the images whose pixels are read; all if None.
    """
    classes = found.state.classes or ClassSet.from_names(["class 1", "class 2"])
    wanted = None if only is None else set(only)
    images: list[Restored] = []
    told: list[str] = []
    for entry in found.state.images:
        if _gone(entry):
            continue
        strokes, sentences = found.project.read_strokes(entry, classes, labels(classes))
        told += sentences
        data = None
        if wanted is None or entry.key in wanted:
            try:
                path = locate(entry, found.project.folder)
                data = read_layer(found.project, entry, path)
                if path is not None and not is_unchanged(entry, path):
                    told.append(
                        f"{path} has changed since the project was saved; its strokes may lie beside."
                    )
            except SemiDavilError as error:
                told.append(str(error))
        images.append(Restored(entry, data, strokes))
    return Content(tuple(images), tuple(told))


class Writer:
    """Writes one project; remembers what the files were that it has looked at, and of which images it has written copies."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._copied: set[str] = set()
        self._marks: dict[tuple[str, tuple[str, ...]], tuple[int, Fingerprint]] = {}

    def state(self, state: ProjectState) -> None:
        """Write the document, with the images' fingerprints."""
        self.project.write(replace(state, images=tuple(map(self._marked, state.images))))

    def copies(self, entry: ImageEntry, planes: Planes) -> ImageEntry:
        """Keep a copy of an image in memory; the entry that says so."""
        for index, read in planes:
            self.project.write_copy(entry, index, read(), colours=bool(entry.layer.get("rgb")))
        self._copied.add(entry.key)
        return replace(entry, embedded=True)

    def strokes(
        self,
        entry: ImageEntry,
        place: tuple[int, ...],
        strokes: NDArray[Any],
        classes: ClassSet,
        labels: Sequence[int],
        *,
        over: bool,
    ) -> None:
        """Replace the strokes of one plane, or write them `over` those that the project has."""
        if over and (former := self.project.strokes.read(entry.plane(place), classes, labels)) is not None:
            strokes = np.where(strokes != 0, strokes, former)
        self.project.write_strokes(entry, place, strokes, classes, labels)

    def round(self, saved: SavedRound, *, spare: int | None) -> None:
        """Note a round, and let the models of old ones go."""
        known = next((r for r in self.project.rounds.read() if r.round == saved.round), None)
        self.project.rounds.write(
            saved if known is None else replace(saved, extra={**known.extra, **saved.extra})
        )
        self.project.rounds.prune(spare)

    def _marked(self, entry: ImageEntry) -> ImageEntry:
        if entry.path is None:  # a state may have been put together before the copies were written
            return replace(entry, embedded=entry.embedded or entry.key in self._copied)
        path, key = Path(entry.path), (entry.path, entry.parts)
        try:
            changed = max(p.stat().st_mtime_ns for p in ([path / part for part in entry.parts] or [path]))
            if key not in self._marks or self._marks[key][0] != changed:
                self._marks[key] = changed, fingerprint(path, entry.parts)
            return replace(entry, fingerprint=self._marks[key][1])
        except OSError:  # gone, or on a drive that is not there now
            return entry


def begin_project(folder: Path, former: Project | None) -> Project:
    """A new project folder; the rounds of a former project come along.

    Raises
    ------
    OutputNotWritable
        The folder cannot be written, or holds other files.
    """
    project = Project.create(folder)
    if former is not None and former.rounds.folder.is_dir():
        try:
            shutil.copytree(former.rounds.folder, project.rounds.folder)
        except (OSError, shutil.Error) as error:
            project.close()
            raise OutputNotWritable(f"The rounds could not be copied to {folder} ({error}).") from error
    return project


def bring_model(project: Project, number: int, bundle: Path, *, spare: int | None) -> bool:
    """Let the model after a round that lies elsewhere come into a project, and old ones go; whether it is there now.

    Raises
    ------
    OutputNotWritable
        It cannot be written there.
    """
    there = project.rounds.adopt(number, bundle)
    project.rounds.prune(spare)
    return there


def copy_of(layer_data: Any, index: tuple[int, ...]) -> NDArray[Any]:
    """A copy of one plane, so that painting goes on."""
    return np.array(layer_data[index])


def _located(entry: ImageEntry, folder: Path, former: Path | None) -> ImageEntry:
    path = locate(entry, folder, former)
    return entry if path is None else replace(entry, path=str(path))


def _gone(entry: ImageEntry) -> bool:
    """Whether a person has closed the image; its strokes stay in the project."""
    return bool(entry.layer.get("closed"))
