"""The project in the window: strokes are saved by themselves, and a project comes back as it was.

Until a person saves a project, strokes go to a recovery folder; the next start offers them. All files are written and read by one
background thread; from the window's thread it only gets copies of the planes that changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QTimer, Signal

from semidavil_core.classes import ClassSet
from semidavil_core.errors import SemiDavilError
from semidavil_core.project import recovery
from semidavil_core.project.folder import Project, ProjectState
from semidavil_core.project.recovery import Recovery
from semidavil_core.project.references import ImageEntry, unique_stem
from semidavil_napari import _image_planes as planes
from semidavil_napari._aside import Aside
from semidavil_napari._desk import Desk, continued, source_from_json
from semidavil_napari._image_axes import axes_of
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.project import ProjectPanel, listed
from semidavil_napari._project_files import (
    Content,
    Found,
    Writer,
    begin_project,
    copy_of,
    find_project,
    read_content,
    relink,
)
from semidavil_napari._project_layers import ProjectLayers, Restored
from semidavil_napari._project_rounds import ProjectRounds
from semidavil_napari._strokes import Strokes

_COPIED_AT_ONCE: Final = 32 * 2**20  # pixels of strokes per turn of the event loop: some 10 ms
_log = logging.getLogger(__name__)
_CLOSING_SECONDS: Final = 2.0
_TRY_AGAIN_MS: Final = 10_000
_NOTED_AT_ONCE: Final = 20
_NOTHING: Final = bytes(256 * 8)  # the count of a plane without strokes
_NEVER: Final = -1  # no version that strokes ever have


class ProjectKeeper(QObject):
    """Keeps one window's work on the disk.

    Parameters
    ----------
    panel
        Where it is said and asked.
    layers, book
        The layers towards a project, and as the window sees them.
    desk
        The choices that a person has made.
    rounds
        The rounds towards a project.
    seconds
        How long strokes wait before they are saved.
    """

    changed = Signal()
    """Another project is open, or none."""
    shown = Signal()
    """All layers of a project are there."""

    def __init__(
        self,
        panel: ProjectPanel,
        layers: ProjectLayers,
        book: LayerBook,
        desk: Desk,
        rounds: ProjectRounds,
        seconds: float,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._panel, self._layers, self._book, self._desk = panel, layers, book, desk
        self._rounds = rounds
        self._files = Aside()
        self._writer: Writer | None = None
        self._journal = False
        """Whether what is written is a recovery folder, not a project."""
        self._entries: dict[str, ImageEntry] = {}
        self._known: dict[str, tuple[Strokes, Any]] = {}
        self._seen: dict[str, dict[tuple[int, ...], bytes]] = {}
        self._saved: dict[str, dict[tuple[int, ...], int]] = {}
        self._copied: dict[str, int] = {}
        self._busy = self._closed = self._began = self._state_waits = False
        self._arriving: list[Restored] = []
        self._to_note: list[str] = []
        self._after: Callable[[], None] = lambda: None
        self._offers: list[Recovery] = []
        self._found: Found | None = None
        self._extra = self._chosen = ProjectState()
        self._timer, self._next = QTimer(self), QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(round(seconds * 1000))
        self._next.setInterval(0)
        self._timer.timeout.connect(self.save_now)
        self._next.timeout.connect(self._add_next)
        self._connect()
        self._files("recoveries", recovery.find_recoveries, self._offer)

    def _connect(self) -> None:
        self._panel.open_wanted.connect(self.open)
        self._panel.save_wanted.connect(self.save_as)
        self._panel.answered.connect(self._on_answered)
        for panel in self._desk.panels:
            panel.changed.connect(self.on_changed)
        self._rounds.changed.connect(self.on_changed)

    # what others ask

    @property
    def project(self) -> Project | None:
        """The open project; None while strokes only go to recovery."""
        return None if self._writer is None or self._journal else self._writer.project

    @property
    def next_bundle(self) -> Path | None:
        """Where the model after the next round shall be kept; None without a project."""
        return self._rounds.next_bundle()

    @property
    def busy(self) -> bool:
        """Whether anything is being read or written."""
        return self._busy or self._timer.isActive() or bool(self._to_note) or not self._files.idle

    @property
    def standing_bundle(self) -> Path | None:
        """Where the project keeps the model that stands; None if it does not."""
        return self._rounds.standing_bundle()

    def entries_of(self, keys: Sequence[str]) -> tuple[ImageEntry, ...]:
        """What the project notes of these images; empty without a project."""
        known = self._entries if self.project is not None else {}
        return tuple(known[key] for key in keys if key in known) if all(k in known for k in keys) else ()

    # autosave

    def on_strokes(self) -> None:
        """Strokes may have changed."""
        if not self._busy and not self._timer.isActive() and self._dirty():
            self._timer.start()

    def on_changed(self) -> None:
        """A choice changed, or layers did."""
        if self._writer is None and not self._busy and not self._closed:
            self._dirty()  # what is there now counts as known; what a person paints from here on is kept
            self._remember()
        if self.project is not None and not self._busy:
            self._state_waits = True
            if not self._timer.isActive():
                self._timer.start()

    def save_now(self) -> None:
        """Hand what changed to the background, as much as one turn of the event loop bears; the rest in the next."""
        if self._busy or self._closed:
            return
        dirty = self._dirty()
        if self._writer is None:
            if dirty and not self._began:
                self._began = True
                self._files("begin", recovery.begin_recovery, self._on_journal, self._on_failed)
            return
        if self._hand_over(dirty, _COPIED_AT_ONCE):
            QTimer.singleShot(0, self.save_now)
        elif self._state_waits:
            self._state_waits, self._to_note = False, list(self._book.targets())
            self._note_some()

    def _hand_over(self, dirty: list[tuple[str, tuple[int, ...]]], pixels: float) -> bool:
        """Let copies of these planes be written, up to so many pixels; whether some are left."""
        self._remember()
        writer, classes = self._writer, self._chosen.classes or self._book.classes
        if writer is None:
            return False
        labels = self._book.paint.of(classes).tolist()
        for number, (key, place) in enumerate(dirty, 1):
            strokes, layer = self._known[key]
            if (entry := self._note(key) or self._entries.get(key)) is None:
                continue
            work = partial(
                writer.project.write_strokes, entry, place, copy_of(layer.data, place), classes, labels
            )
            self._saved.setdefault(key, {})[place] = strokes.version(place)
            self._files(
                f"strokes/{entry.plane(place)}", work, _ignore, partial(self._on_unwritten, key, place)
            )
            pixels -= layer.data[place].size
            if pixels <= 0 and number < len(dirty):
                return True
        if dirty:
            self._write_state()
        return False

    def _dirty(self) -> list[tuple[str, tuple[int, ...]]]:
        """Planes whose strokes are not on the disk as they are now; those of layers that are gone too."""
        for key in self._book.targets():
            strokes, layer = self._book.strokes(key), self._book.scribbles(key)
            if strokes is not None and strokes.ready and self._known.get(key, (None,))[0] is not strokes:
                self._meet(key, strokes, layer)
        found = []
        for key, (strokes, _) in self._known.items():
            saved = self._saved.setdefault(key, {})
            places = {*strokes.places, *saved} if strokes.ready else ()
            found += [(key, p) for p in places if saved.get(p) != strokes.version(p)]
        return found if self._writer is not None else [at for at in found if self._painted_since(*at)]

    def _painted_since(self, key: str, place: tuple[int, ...]) -> bool:
        """Whether there are other strokes than when they were first seen: napari may draw a layer anew that nobody painted in."""
        return self._known[key][0].count(place).tobytes() != self._seen.get(key, {}).get(place, _NOTHING)

    def _meet(self, key: str, strokes: Strokes, layer: Any) -> None:
        """Strokes that were not known before: with a project they belong into it; without one they are only kept once they change."""
        self._known[key] = strokes, layer
        self._saved[key] = {} if self._writer is not None else {p: strokes.version(p) for p in strokes.places}
        self._seen[key] = {p: strokes.count(p).tobytes() for p in strokes.places}
        self._note(key)

    def _note(self, key: str) -> ImageEntry | None:
        """Bring the entry of an image up to date with its layer."""
        former = self._entries.get(key)
        stem = former.stem if former is not None else unique_stem(key, self._entries.values())
        entry = self._layers.describe(key, stem)
        if entry is not None:
            kept = former is not None and former.embedded and entry.path is None
            extra = former.extra if former is not None else {}
            entry = self._entries[key] = replace(entry, embedded=kept, extra=extra)
        return entry

    def _note_some(self, at_once: int = _NOTED_AT_ONCE) -> None:
        """Bring entries up to date with their layers, a few per turn of the event loop; then write them."""
        if self._busy or self._writer is None:
            return
        now, self._to_note = self._to_note[:at_once], self._to_note[at_once:]
        for key in now:
            entry = self._note(key)
            if entry is not None and entry.path is None and not self._journal:
                self._copy(entry)
        if self._to_note:
            QTimer.singleShot(0, self._note_some)
        else:
            self._note_closed()
            self._write_state()

    def _note_closed(self) -> None:
        """An image that a person has closed stays in the project, marked so, with its strokes."""
        present = self._book.targets()
        for key, entry in self._entries.items() if present else ():  # none: the viewer closes
            if key not in present and key not in self._absent() and not entry.layer.get("closed"):
                self._entries[key] = replace(entry, layer={**entry.layer, "closed": True})

    def _absent(self) -> set[str]:
        """Images that were opened without: their files may come back."""
        return {entry.key for entry in self._found.missing} if self._found is not None else set()

    def _copy(self, entry: ImageEntry) -> None:
        """Let the project take a copy of an image that is no file, once."""
        image, writer = self._book.image(entry.key), self._writer
        if image is None or writer is None or not self._layers.in_memory(entry.key):
            return
        data = id(image.data)
        if self._copied.get(entry.key) == data or (entry.embedded and entry.key not in self._copied):
            self._copied[entry.key] = data
            return
        self._copied[entry.key] = data
        wanted = [(place, planes.reader(image, place)) for place in _places(axes_of(image).stack)]
        self._files(
            f"copy/{entry.key}", partial(writer.copies, entry, wanted), self._on_copied, self._on_failed
        )

    def _on_copied(self, entry: ImageEntry) -> None:
        if entry.key in self._entries:
            self._entries[entry.key] = replace(self._entries[entry.key], embedded=True)
            self.on_changed()

    def _remember(self) -> None:
        """Look at what a person has chosen while there is something to look at: when napari closes, its layers go first."""
        if self._book.targets():
            self._chosen = replace(
                self._extra,
                classes=self._desk.classes or self._book.classes,
                settings={**self._extra.settings, **self._desk.to_json()},
                view=self._layers.view(),
            )

    def _write_state(self) -> None:
        if self._writer is None:
            return
        self._remember()
        state = replace(
            self._chosen,
            images=tuple(self._entries.values()),
            settings={
                **self._chosen.settings,
                "paint": self._book.paint.known(),
                "round": self._rounds.current,
            },
        )
        self._files("state", partial(self._writer.state, state), self._on_written, self._on_failed)

    def _on_written(self, _: Any) -> None:
        if (project := self.project) is not None:
            self._panel.setStatus(f"Saved at {time.strftime('%H:%M:%S')} in {project.folder.name}.")
        self._drop_recovered()

    def _on_unwritten(self, key: str, place: tuple[int, ...], sentence: str) -> None:
        """A plane could not be written: say so, and try again later."""
        self._saved.setdefault(key, {})[place] = _NEVER
        self._on_failed(sentence)
        QTimer.singleShot(_TRY_AGAIN_MS, self.on_strokes)

    def _on_failed(self, sentence: str) -> None:
        self._began = False
        self._set_busy(False)
        self._panel.setStatus(sentence, failed=True)

    def _on_journal(self, project: Project) -> None:
        if self._writer is not None:  # a project was saved meanwhile
            project.close()
            return
        self._take(project, journal=True)
        self.save_now()

    def _take(self, project: Project, *, journal: bool) -> None:
        """Write to `project` from now on: everything, since nothing is in it yet."""
        self._writer, self._journal = Writer(project), journal
        self._saved.clear()
        self._copied.clear()
        self._entries = {key: replace(entry, embedded=False) for key, entry in self._entries.items()}
        self._rounds.take(None if journal else project, self._files)
        self._panel.setSaved(not journal)

    # saving

    def save_as(self, folder: Path) -> None:
        """Save everything as a new project."""
        self._set_busy(True)
        self._panel.setStatus(f"Saving {folder.name} …")
        self._files("begin", partial(begin_project, folder, self.project), self._on_begun, self._on_failed)

    def _on_begun(self, project: Project) -> None:
        former, journal = self._writer, self._journal
        self._take(project, journal=False)
        self._set_busy(False)
        self._state_waits = True
        self.save_now()
        if former is not None:
            self._files("former", partial(_leave, former.project, discard=journal), _ignore)
        self._rounds.keep_present()
        self.changed.emit()

    # opening

    def open(self, folder: Path) -> None:
        """Open a project in place of what is shown; what was painted until now is saved first."""
        folder = folder.parent if folder.name == "project.json" else folder
        if self.project is not None and self.project.folder == folder.absolute():
            self._panel.setStatus(f"{folder.name} is open already.")
            return
        self.flush()
        self._set_busy(True)
        self._panel.setStatus(f"Opening {folder.name} …")
        self._files("open", partial(find_project, folder), self._on_found, self._on_not_opened)

    def _on_found(self, found: Found) -> None:
        self._found = found
        if not found.missing:
            self._read()
            return
        names = listed([entry.name or entry.key for entry in found.missing])
        many = len(found.missing)
        self._panel.ask(
            f"{many} image{'s are' if many > 1 else ' is'} not where {'they were' if many > 1 else 'it was'}: {names}. Where now?",
            (
                ("semidavil_find_images", "Find them …", "Choose a folder; images are known again by name and content, also in subfolders."),
                ("semidavil_open_without", "Open without", "Open the rest. Strokes on the missing images stay in the project."),
                ("semidavil_open_not", "Cancel", "Leave the project closed."),
            ),
        )  # fmt: skip

    def _on_not_opened(self, sentence: str) -> None:
        found, self._found = self._found, None
        if found is not None:
            self._files("leave", found.project.close, _ignore)
        self._on_failed(sentence)

    def _on_answered(self, name: str) -> None:
        match name:
            case "semidavil_find_images":
                if (folder := self._panel.ask_folder()) is not None and self._found is not None:
                    self._files(
                        "relink",
                        partial(relink, self._found.missing, folder),
                        self._on_relinked,
                        self._on_failed,
                    )
            case "semidavil_open_without":
                self._panel.ask(None)
                self._read()
            case "semidavil_open_not":
                self._panel.ask(None)
                if self._found is not None:
                    self._files("leave", self._found.project.close, _ignore)
                self._found = None
                self._set_busy(False)
                self._panel.setStatus("The project was not opened.")
            case "semidavil_recover":
                self._recover()
            case "semidavil_discard":
                self._files("discard", partial(recovery.discard, self._offers.pop(0).folder), _ignore)
                self._offer(tuple(self._offers))

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
        self._learn_paint(found.state)
        skipped = {entry.key for entry in found.missing}
        wanted = [entry.key for entry in found.state.images if entry.key not in skipped]
        self._files(
            "read", partial(read_content, found, self._labels, only=wanted), self._on_content, self._on_failed
        )

    def _labels(self, classes: ClassSet) -> list[int]:
        return [int(n) for n in self._book.paint.of(classes)]

    def _learn_paint(self, state: ProjectState) -> None:
        known = state.settings.get("paint")
        if isinstance(known, dict):
            self._book.paint.learn({str(k): v for k, v in known.items() if isinstance(v, int)})

    def _on_content(self, content: Content) -> None:
        found, state = self._found, ProjectState() if self._found is None else self._found.state
        if found is None:
            return
        if self._writer is not None:
            self._files("former", partial(_leave, self._writer.project, discard=False), _ignore)
        self._layers.clear()
        self._known.clear()
        self._saved.clear()
        self._writer, self._journal, self._extra, self._chosen = None, False, state, state
        self._desk.set_source(continued(source_from_json(state.settings.get("source")), found.bundle))
        self._desk.apply(state.settings)
        if state.classes is not None:
            self._desk.set_classes(state.classes)
        skipped = self._absent()
        self._arriving = [image for image in content.images if image.entry.key not in skipped]
        self._after = partial(self._on_arrived, found, content.told)
        self._next.start()

    def _add_next(self) -> None:
        """One image per turn of the event loop, so that many do not stop it."""
        if self._arriving:
            self._layers.add(self._arriving.pop(0), self._desk.classes)
        else:
            self._next.stop()
            after, self._after = self._after, lambda: None
            after()

    def _on_arrived(self, found: Found, told: tuple[str, ...]) -> None:
        """All layers are there: go on in this project."""
        if found.state.classes is not None:
            self._desk.set_classes(found.state.classes)
        self._desk.tick(found.state.settings)
        self._layers.look(found.state.view)
        self._dirty()  # while there is no writer, what was read counts as saved
        saved = {key: dict(places) for key, places in self._saved.items()}
        self._rounds.recall(found.rounds, found.round, found.next_round)
        if found.project.read_only is None:
            self._take(found.project, journal=False)
            self._saved = saved
            self._entries = {entry.key: entry for entry in found.state.images}
        else:  # what is painted goes to recovery until it is saved elsewhere
            self._files("leave", found.project.close, _ignore)
        self._set_busy(False)
        words = (
            found.project.read_only
            or " ".join(told)
            or f"Opened {found.project.folder.name}; every stroke is saved by itself."
        )
        self._panel.setStatus(words, failed=bool(found.project.read_only or told))
        self.changed.emit()
        self.shown.emit()

    # recovery

    def _offer(self, found: tuple[Recovery, ...]) -> None:
        self._offers = list(found)
        if not found or self._busy or self.project is not None:
            self._panel.ask(None)
            return
        self._panel.ask(
            f"Recover the strokes of {found[0].in_words()}? They were painted in a window that closed before they were saved.",
            (
                ("semidavil_recover", "Recover", "Open these images and strokes again."),
                ("semidavil_discard", "Discard", "Delete these strokes for good."),
            ),
        )

    def _recover(self) -> None:
        self._panel.ask(None)
        self._set_busy(True)
        self._panel.setStatus("Recovering the strokes …")
        self._files(
            "open", partial(find_project, self._offers[0].folder), self._on_lost_found, self._on_failed
        )

    def _on_lost_found(self, found: Found) -> None:
        self._learn_paint(found.state)
        here = [entry.key for entry in found.state.images if self._layers.fits(entry) is not None]
        wanted = [entry.key for entry in found.state.images if entry.key not in here]
        self._files(
            "read",
            partial(read_content, found, self._labels, only=wanted),
            partial(self._on_lost, found),
            self._on_failed,
        )

    def _on_lost(self, found: Found, content: Content) -> None:
        classes = _together(self._desk.classes, found.state.classes)
        if classes is not None:
            if self._desk.source is None:
                self._desk.set_source(source_from_json(found.state.settings.get("source")))
            self._desk.set_classes(classes)
        for image in content.images:
            key = self._layers.fits(image.entry)
            if key is not None and image.strokes is not None:
                self._layers.give_strokes(key, image.strokes, classes)
            elif image.strokes is not None:
                self._arriving.append(image)
        complete = all(image.data is not None for image in self._arriving)
        self._after = partial(self._on_recovered, found, complete=complete)
        self._next.start()

    def _on_recovered(self, found: Found, *, complete: bool) -> None:
        self._set_busy(False)
        self._panel.setStatus("The strokes are back. Save a project to keep them.")
        self._lost = found.project if complete else None
        if not complete:
            self._files("leave", found.project.close, _ignore)
        self._dirty()
        self._saved.clear()  # nothing of it is anywhere else yet
        self._seen.clear()
        self.save_now()
        self.shown.emit()

    _lost: Project | None = None

    def _drop_recovered(self) -> None:
        """What was recovered stands in a folder of this window now."""
        if self._lost is not None and not self._dirty():
            lost, self._lost = self._lost, None
            self._files("lost", partial(_leave, lost, discard=True), _ignore)

    # the end

    def flush(self, seconds: float = _CLOSING_SECONDS) -> bool:
        """Save what changed and wait for it, at most so long; whether all is on the disk."""
        with suppress(RuntimeError):  # its C++ side is gone already
            self._timer.stop()
        if self._busy or (self._writer is None and not self._dirty()):
            return self._files.idle
        if self._writer is None:
            self._on_journal_at_once()
        self._hand_over(self._dirty(), float("inf"))
        if self.project is not None and self._book.targets():
            self._to_note = list(self._book.targets())
            self._note_some(len(self._to_note))
        return self._files.finish(seconds)

    def _on_journal_at_once(self) -> None:
        """The window closes before the recovery folder was begun."""
        try:
            self._take(recovery.begin_recovery(), journal=True)
        except (SemiDavilError, OSError):
            _log.exception("the last strokes could not be kept")

    def close(self) -> None:
        """Save what changed, within two seconds, and let go of the project."""
        if self._closed:
            return
        self._busy = False
        self.flush()
        self._closed = True
        if self._writer is not None:
            self._files("leave", self._writer.project.close, _ignore)
            self._files.finish(0.5)
        self._files.close()

    def guard(self, window: Any) -> None:
        """Save when the main window is asked to close."""
        if window is not None and window is not self._window:
            self._window = window
            window.installEventFilter(self)

    _window: Any = None

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """The main window is asked to close: save before anything is torn down."""
        if event is not None and event.type() == QEvent.Type.Close and not self._closed:
            self.flush()
        return bool(super().eventFilter(watched, event))

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self._panel.setBusy(busy)


def _places(stack: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    import numpy as np

    return iter(np.ndindex(*stack))


def _together(present: ClassSet | None, others: ClassSet | None) -> ClassSet | None:
    """The present classes with those others that are not among them."""
    if present is None or others is None:
        return present or others
    known = {name.lower() for name in present.names}
    for info in others:
        if info.name.lower() not in known:
            present = present.with_class(info.name, info.prompts, info.color)
    return present


def _leave(project: Project, *, discard: bool) -> None:
    project.close()
    if discard:
        recovery.discard(project.folder)


def _ignore(_: Any) -> None:
    """Nothing is to be done with the answer."""
