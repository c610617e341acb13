"""Autosave: strokes and choices go to the disk by themselves, without holding up the window.

One background thread writes all files; it gets copies of the planes that changed. Until there is a project, strokes go to a recovery
folder, from the first one that a person paints.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from qtpy.QtCore import QObject, QTimer, Signal

from semidavil_core.errors import SemiDavilError
from semidavil_core.project import recovery
from semidavil_core.project.folder import Project, ProjectState
from semidavil_core.project.references import ImageEntry
from semidavil_napari._aside import Aside
from semidavil_napari._desk import Desk
from semidavil_napari._image_notes import ImageNotes
from semidavil_napari._layers import LayerBook
from semidavil_napari._project_files import Writer, copy_of
from semidavil_napari._project_layers import ProjectLayers
from semidavil_napari._project_source import ProjectSource, is_source
from semidavil_napari._returning import ReturningStrokes
from semidavil_napari._unsaved import Plane, UnsavedStrokes

_COPIED_AT_ONCE: Final = 32 * 2**20  # pixels of strokes per turn of the event loop: some 10 ms
_NOTED_AT_ONCE: Final = 20
_CLOSING_SECONDS: Final = 2.0
_TRY_AGAIN_MS: Final = 10_000
_log = logging.getLogger(__name__)


class Autosave(QObject):
    """Keeps one window's strokes and choices on the disk.

    Parameters
    ----------
    layers, book
        The layers towards a project, and as the window sees them.
    source
        The layers that are the source.
    desk
        The choices that a person has made.
    standing_round
        Tells which of the project's rounds stands.
    seconds
        How long strokes wait before they are saved.
    """

    failed = Signal(str)
    """A sentence: something could not be written."""
    written = Signal()
    """All that was handed over before is on the disk."""

    def __init__(
        self,
        layers: ProjectLayers,
        book: LayerBook,
        source: ProjectSource,
        desk: Desk,
        standing_round: Callable[[], int],
        seconds: float,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._layers, self._book, self._source = layers, book, source
        self._desk, self._standing_round = desk, standing_round
        self._source_entries: tuple[ImageEntry, ...] = ()
        self.files = Aside()
        """Reads and writes in the background, in the order it is asked."""
        self.held = False
        """Whether layers are just being replaced, so that nothing may be saved."""
        self.notes = ImageNotes(layers, book, self.files, self.on_changed, self._on_failed)
        """What is noted of the images."""
        self.extra = ProjectState()
        """What else the open project held."""
        self._writer: Writer | None = None
        self._journal = False
        book.know_again(self.notes)
        self._unsaved = UnsavedStrokes(book, self.notes.note)
        self._returning = ReturningStrokes(layers, book, self.notes, self.files, self._on_failed)
        self._chosen = ProjectState()
        self._to_note: list[str] = []
        self._closed = self._began = self._state_waits = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(round(seconds * 1000))
        self._timer.timeout.connect(self.save_now)

    @property
    def project(self) -> Project | None:
        """The open project; None while strokes only go to recovery."""
        return None if self._writer is None or self._journal else self._writer.project

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being read or written."""
        return self._timer.isActive() or bool(self._to_note) or not self.files.idle

    def entries_of(self, keys: Sequence[str]) -> tuple[ImageEntry, ...]:
        """What the project notes of these images; empty without a project, or if one of them is not noted yet."""
        return () if self.project is None else self.notes.of(keys)

    # what changes where things are written

    def take(self, project: Project, *, journal: bool) -> None:
        """Write to `project` from now on, and everything, since nothing is in it yet."""
        self._writer, self._journal, self._state_waits = Writer(project), journal, True
        self._unsaved.nothing_is_saved()
        self.notes.begin_anew()

    def go_on_in(self, project: Project, state: ProjectState) -> None:
        """Write to `project` from now on; what is shown has just been read from it."""
        self.dirty()  # while there is no writer, what is there counts as saved
        self._writer, self._journal, self._state_waits = Writer(project), False, True
        self.notes.replace(entry for entry in state.images if not is_source(entry))
        self._source_entries = tuple(filter(is_source, state.images))

    def leave(self) -> tuple[Project, bool] | None:
        """Write nowhere for now. Gives what was written to, and whether it is a recovery folder; see :meth:`let_go`."""
        writer, journal, self._writer, self._journal = self._writer, self._journal, None, False
        return None if writer is None else (writer.project, journal)

    def make_room(self, state: ProjectState) -> None:
        """Forget the present layers: those of a project that holds `state` take their place."""
        if (former := self.leave()) is not None:
            self.let_go(former[0])
        self._unsaved.forget()
        self._returning.forget()
        self.notes.replace(())
        self.extra = self._chosen = state

    def let_go(self, project: Project, *, discard: bool = False) -> None:
        """Close a project after all that was handed over, and delete it if it is a recovery folder of no more use."""
        self.files(f"leave/{project.folder}", partial(_leave, project, discard=discard), _ignore)

    def count_as_painted(self) -> None:
        """What is shown now stands nowhere on the disk, also if nobody painted it here."""
        self._unsaved.count_as_painted()

    # what tells of changes

    def on_strokes(self) -> None:
        """Strokes may have changed."""
        if not self.held and not self._timer.isActive() and self.dirty():
            self._timer.start()

    def on_changed(self) -> None:
        """A choice changed, or layers did."""
        if not self.held and not self._closed:
            self._give_back()
        if self._writer is None and not self.held and not self._closed:
            self.dirty()  # what is there now counts as known; what a person paints from here on is kept
            self._remember()
        if self.project is not None and not self.held:
            self._state_waits = True
            if not self._timer.isActive():
                self._timer.start()

    def save_now(self) -> None:
        """Hand what changed to the background, as much as one turn of the event loop bears; the rest in the next."""
        if self.held or self._closed:
            return
        dirty = self.dirty()
        if self._writer is None:
            if dirty and not self._began:
                self._began = True
                self.files("begin recovery", recovery.begin_recovery, self._on_journal, self._on_failed)
            return
        if self._hand_over(dirty, _COPIED_AT_ONCE):
            QTimer.singleShot(0, self.save_now)
        elif self._state_waits:
            self._state_waits, self._to_note = False, list(self._book.targets())
            self._note_some()

    def dirty(self) -> list[Plane]:
        """Planes whose strokes are not on the disk as they are now; those of layers that are gone too."""
        self._give_back()
        return self._unsaved.planes(kept=self._writer is not None)

    def _give_back(self) -> None:
        """Give images that came back the strokes that they had, from the disk, where all of them go before."""
        back = self.notes.back()
        keys = [key for key in back if not self._unsaved.holds(key, self._book.scribbles(key))]
        if keys and self._writer is None and self._unsaved.known_planes(kept=False):
            self._begin_at_once()
        if not keys or self._writer is None:
            return
        self._hand_over(self._unsaved.known_planes(kept=True), float("inf"))
        classes = self._chosen.classes or self._book.classes
        for key in keys:
            self._returning.read(self._writer.project, key, classes)

    def _hand_over(self, dirty: list[Plane], pixels: float) -> bool:
        """Let copies of these planes be written, up to so many pixels; whether some are left."""
        self._remember()
        writer, classes = self._writer, self._chosen.classes or self._book.classes
        if writer is None:
            return False
        labels = self._book.paint.of(classes).tolist()
        for number, plane in enumerate(dirty, 1):
            key, place = plane
            layer, entry = self._unsaved.layer(key), self.notes.get(key)
            if entry is None:
                continue
            strokes = copy_of(layer.data, place)
            self._unsaved.saved(plane)
            over = key in self._returning.awaited
            work = partial(writer.strokes, entry, place, strokes, classes, labels, over=over)
            self.files(f"strokes/{entry.plane(place)}", work, _ignore, partial(self._on_unwritten, plane))
            pixels -= strokes.size
            if pixels <= 0 and number < len(dirty):
                return True
        if dirty:
            self._write_state()
        return False

    def _note_some(self, at_once: int = _NOTED_AT_ONCE) -> None:
        """Bring entries up to date with their layers, a few per turn of the event loop; then write them."""
        if self.held or self._writer is None:
            return
        now, self._to_note = self._to_note[:at_once], self._to_note[at_once:]
        for key in now:
            entry = self.notes.note(key)
            if entry is not None and entry.path is None and not self._journal:
                self.notes.copy(entry, self._writer)
        if self._to_note:
            QTimer.singleShot(0, self._note_some)
        else:
            self.notes.note_closed()
            if not self._journal:
                self._source.copy(self._writer, self.files, self._on_failed)
            self._write_state()

    def _remember(self) -> None:
        """Look at what a person has chosen while there is something to look at: when napari closes, its layers go first."""
        if self._book.targets():
            self._chosen = replace(
                self.extra,
                classes=self._desk.classes or self._book.classes,
                settings={**self.extra.settings, **self._desk.to_json(), **self._source.settings()},
                view=self._layers.view(),
            )
            if not any(entry.key in self.notes.absent for entry in self._source_entries):
                self._source_entries = () if self._journal else self._source.entries()

    def _write_state(self) -> None:
        if self._writer is None:
            return
        self._remember()
        state = replace(
            self._chosen,
            images=(*self.notes.all, *self._source_entries),
            settings={
                **self._chosen.settings,
                "paint": self._book.paint.known(),
                "round": self._standing_round(),
            },
        )
        self.files("state", partial(self._writer.state, state), self._on_written, self._on_failed)

    def _on_written(self, _: Any) -> None:
        if not self._to_note and not self.notes.copying:  # else the state that follows tells it
            self.written.emit()

    def _on_unwritten(self, plane: Plane, sentence: str) -> None:
        """A plane could not be written: say so, and try again later."""
        self._unsaved.failed(plane)
        self._on_failed(sentence)
        QTimer.singleShot(_TRY_AGAIN_MS, self.on_strokes)

    def _on_failed(self, sentence: str) -> None:
        self._began = False
        self.failed.emit(sentence)

    def _on_journal(self, project: Project) -> None:
        if self._writer is not None:  # a project was saved meanwhile
            self.let_go(project, discard=True)
            return
        self.take(project, journal=True)
        self.save_now()

    # the end

    def hand_over_all(self) -> None:
        """Hand everything to the background at once: something else is about to be shown."""
        if self._writer is None and self.dirty():
            self._begin_at_once()
        self._hand_over(self.dirty(), float("inf"))
        if self.project is not None and self._book.targets():
            self._to_note = list(self._book.targets())
            self._note_some(len(self._to_note))

    def flush(self, seconds: float = _CLOSING_SECONDS) -> bool:
        """Save what changed and wait for it, at most so long; whether all is on the disk."""
        with suppress(RuntimeError):  # its C++ side is gone already
            self._timer.stop()
        if self.held or (self._writer is None and not self.dirty()):
            return self.files.idle
        self.hand_over_all()
        return self.files.finish(seconds)

    def close(self) -> None:
        """Save what changed, within two seconds, and let go of the project."""
        if self._closed:
            return
        self.held = False
        self.flush()
        self._closed = True
        if (former := self.leave()) is not None:
            self.let_go(former[0])
            self.files.finish(0.5)
        self.files.close()

    def _begin_at_once(self) -> None:
        """The window closes before the recovery folder was begun."""
        try:
            self.take(recovery.begin_recovery(), journal=True)
        except (SemiDavilError, OSError):
            _log.exception("the last strokes could not be kept")


def _leave(project: Project, *, discard: bool) -> None:
    project.close()
    if discard:
        recovery.discard(project.folder)


def _ignore(_: Any) -> None:
    """Nothing is to be done with the answer."""
