"""Projects in the window: saved as a folder, opened again as they were, with moved images found or left out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, Signal

from semidavil_core.project.folder import Project
from semidavil_core.project.references import ImageEntry
from semidavil_napari._arrivals import Arrivals
from semidavil_napari._autosave import Autosave
from semidavil_napari._desk import Desk, continued, source_from_json
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.project import ProjectPanel, listed
from semidavil_napari._project_files import (
    Content,
    Found,
    begin_project,
    find_project,
    read_content,
    relink,
)
from semidavil_napari._project_layers import ProjectLayers, labels_of, learn_paint
from semidavil_napari._project_rounds import ProjectRounds
from semidavil_napari._project_source import ProjectSource, is_source
from semidavil_napari._recovered import Recovered

_FIND = ("semidavil_find_images", "Find them …", "Choose a folder; images are known again by name and content, also in subfolders.")  # fmt: skip
_WITHOUT = ("semidavil_open_without", "Open without", "Open the rest. Strokes on the missing images stay in the project.")  # fmt: skip
_NOT = ("semidavil_open_not", "Cancel", "Leave the project closed.")


class ProjectKeeper(QObject):
    """Saves and opens the projects of one window.

    Parameters
    ----------
    panel
        Where it is said and asked.
    layers, book
        The layers towards a project, and as the window sees them.
    source
        The layers that are the source, towards a project.
    desk
        The choices that a person has made.
    rounds
        The rounds towards a project.
    seconds
        How long strokes wait before they are saved.
    """

    changed = Signal()
    """Another project is open, or none."""

    def __init__(
        self,
        panel: ProjectPanel,
        layers: ProjectLayers,
        book: LayerBook,
        source: ProjectSource,
        desk: Desk,
        rounds: ProjectRounds,
        seconds: float,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._panel, self._layers, self._book, self._desk, self._rounds = panel, layers, book, desk, rounds
        self._source = source
        self.autosave = Autosave(layers, book, source, desk, lambda: rounds.current, seconds, parent=self)
        self._files = self.autosave.files
        self._arrivals = Arrivals(layers, desk, parent=self)
        self._recovered = Recovered(panel, layers, book, desk, self.autosave, self._arrivals, parent=self)
        self._found: Found | None = None
        self._former: tuple[Project, bool] | None = None
        """Where things were saved before; let go when all stands in the new place."""
        self._connect()

    def _connect(self) -> None:
        self._panel.open_wanted.connect(self.open)
        self._panel.save_wanted.connect(self.save_as)
        self._panel.answered.connect(self._on_answered)
        self.autosave.failed.connect(lambda sentence: self._panel.setStatus(sentence, failed=True))
        self.autosave.written.connect(self._on_written)
        for panel in self._desk.panels:
            panel.changed.connect(self.autosave.on_changed)
        self._rounds.changed.connect(self.autosave.on_changed)
        self._rounds.failed.connect(lambda sentence: self._panel.setStatus(sentence, failed=True))

    # what others ask

    @property
    def project(self) -> Project | None:
        """The open project; None while strokes only go to recovery."""
        return self.autosave.project

    @property
    def next_bundle(self) -> Path:
        """Where the model after the next round shall be kept: in the project, or for as long as the window is open."""
        return self._rounds.next_bundle()

    @property
    def next_round(self) -> int:
        """Number of the next round."""
        return self._rounds.next_number

    def round_of(self, bundle: Path) -> int:
        """Number of the round whose model a bundle is; 0 if it is none's."""
        return self._rounds.round_of(bundle)

    @property
    def standing_bundle(self) -> Path | None:
        """Where the project keeps the model that stands; None if it does not."""
        return self._rounds.standing_bundle()

    @property
    def source_copy(self) -> Path | None:
        """The labelled folder of source layers that the project holds; None without."""
        return None if self.project is None else self._source.folder(self.project)

    def entries_of(self, keys: Sequence[str]) -> tuple[ImageEntry, ...]:
        """What the project notes of these images; empty without a project."""
        return self.autosave.entries_of(keys)

    def on_strokes(self) -> None:
        """Strokes may have changed."""
        self.autosave.on_strokes()

    def guard(self, window: Any) -> None:
        """Save when the main window is asked to close, before anything is torn down."""
        # Doing it again is harmless; a reference to the window would keep a closed one alive.
        if window is not None:
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See :meth:`guard`."""
        if event is not None and event.type() == QEvent.Type.Close:
            self.autosave.flush()
        return bool(super().eventFilter(watched, event))

    def close(self) -> None:
        """Save what changed, within two seconds, and let go of the project."""
        self.autosave.close()

    def _on_written(self) -> None:
        if self.project is not None:
            self._panel.setStatus(f"Saved at {time.strftime('%H:%M:%S')} in {self.project.folder.name}.")
        if self._former is not None and not self.autosave.dirty():
            (former, journal), self._former = self._former, None
            self.autosave.let_go(former, discard=journal)

    def _hold(self, held: bool) -> None:
        self.autosave.held = held
        self._panel.setBusy(held)

    # saving

    def save_as(self, folder: Path) -> None:
        """Save everything as a new project."""
        self._panel.setBusy(True)
        self._panel.setStatus(f"Saving {folder.name} …")
        self._files("begin", partial(begin_project, folder, self.project), self._on_begun, self._on_not_begun)

    def _on_begun(self, project: Project) -> None:
        self._former = self.autosave.leave()
        self.autosave.take(project, journal=False)
        self._rounds.take(project, self._files)
        self._panel.setBusy(False)
        self._panel.setSaved(True)
        self.autosave.save_now()
        self._rounds.keep_present()
        self.changed.emit()

    def _on_not_begun(self, sentence: str) -> None:
        self._panel.setBusy(False)
        self._panel.setStatus(sentence, failed=True)

    # opening

    def open(self, folder: Path) -> None:
        """Open a project in place of what is shown; what was painted until now is saved first."""
        folder = folder.parent if folder.name == "project.json" else folder
        if self.project is not None and self.project.folder == folder.absolute():
            self._panel.setStatus(f"{folder.name} is open already.")
            return
        self.autosave.hand_over_all()
        self._hold(True)
        self._panel.setStatus(f"Opening {folder.name} …")
        self._files("open", partial(find_project, folder), self._on_found, self._on_not_opened)

    def _on_found(self, found: Found) -> None:
        self._found = found
        if not found.missing:
            self._read()
            return
        names, many = listed([entry.name or entry.key for entry in found.missing]), len(found.missing) > 1
        where = (
            f"{len(found.missing)} images are not where they were" if many else "1 image is not where it was"
        )
        self._panel.ask(f"{where}: {names}. Where now?", (_FIND, _WITHOUT, _NOT))

    def _on_answered(self, name: str) -> None:
        if self._found is None:
            return
        if name == _FIND[0] and (folder := self._panel.ask_folder()) is not None:
            work = partial(relink, self._found.missing, folder)
            self._files("relink", work, self._on_relinked, self._on_not_opened)
        elif name == _WITHOUT[0]:
            self._panel.ask(None)
            self._read()
        elif name == _NOT[0]:
            self._on_not_opened("The project was not opened.")

    def _on_relinked(self, relinked: tuple[ImageEntry, ...]) -> None:
        if self._found is None:
            return
        now = {entry.key: entry for entry in relinked}
        images = tuple(now.get(entry.key, entry) for entry in self._found.state.images)
        missing = tuple(entry for entry in self._found.missing if entry.key not in now)
        self._panel.ask(None)
        self._on_found(replace(self._found, state=replace(self._found.state, images=images), missing=missing))

    def _read(self) -> None:
        found = self._found
        if found is None:
            return
        learn_paint(self._book, found.state.settings)
        skipped = {entry.key for entry in found.missing}
        wanted = [entry.key for entry in found.state.images if entry.key not in skipped]
        work = partial(read_content, found, partial(labels_of, self._book), only=wanted)
        self._files("read", work, self._on_content, self._on_not_opened)

    def _on_not_opened(self, sentence: str) -> None:
        found, self._found = self._found, None
        if found is not None:
            self.autosave.let_go(found.project)
        self._panel.ask(None)
        self._hold(False)
        self._panel.setStatus(sentence, failed=True)

    def _on_content(self, content: Content) -> None:
        found = self._found
        if found is None:
            return
        saved = self.autosave.project is not None
        self.autosave.make_room(found.state)
        self._layers.clear(source=saved)
        self._desk.set_source(continued(source_from_json(found.state.settings.get("source")), found.bundle))
        self._desk.apply(found.state.settings)
        if found.state.classes is not None:
            self._desk.set_classes(found.state.classes)
        self.autosave.notes.absent = frozenset(entry.key for entry in found.missing)
        images = [image for image in content.images if image.entry.key not in self.autosave.notes.absent]
        self._source.restore(images, found.state.settings, choose=found.bundle is None)
        images = [image for image in images if not is_source(image.entry)]
        self._arrivals.add(images, partial(self._on_arrived, found, content.told))

    def _on_arrived(self, found: Found, told: tuple[str, ...]) -> None:
        """All layers are there: go on in this project."""
        self._found = None
        if found.state.classes is not None:
            self._desk.set_classes(found.state.classes)
        self._desk.tick(found.state.settings)
        self._layers.look(found.state.view)
        self._rounds.recall(found, self._files)
        if found.project.read_only is None:
            self.autosave.go_on_in(found.project, found.state)
        else:  # what is painted goes to recovery until it is saved elsewhere
            self.autosave.let_go(found.project)
        self._panel.setSaved(self.project is not None)
        self._hold(False)
        well = f"Opened {found.project.folder.name}; every stroke is saved by itself."
        problem = found.project.read_only or " ".join(told)
        self._panel.setStatus(problem or well, failed=bool(problem))
        self.changed.emit()
