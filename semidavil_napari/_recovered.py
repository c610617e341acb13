"""Strokes of a window that closed before they were saved: offered at the next start, and given back."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject

from semidavil_core.classes import ClassSet
from semidavil_core.project import recovery
from semidavil_core.project.folder import Project
from semidavil_core.project.recovery import Recovery
from semidavil_napari._arrivals import Arrivals
from semidavil_napari._autosave import Autosave
from semidavil_napari._desk import Desk, source_from_json
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.project import ProjectPanel, listed
from semidavil_napari._project_files import Content, Found, find_project, read_content
from semidavil_napari._project_layers import ProjectLayers, labels_of, learn_paint

_RECOVER = ("semidavil_recover", "Recover", "Open these images and strokes again.")
_DISCARD = ("semidavil_discard", "Discard", "Delete these strokes for good.")


class Recovered(QObject):
    """Offers what was left behind, the newest first.

    Parameters
    ----------
    panel
        Where it is asked.
    layers, book, desk
        Where strokes and classes go.
    autosave
        Keeps them from then on.
    arrivals
        Adds the layers.
    """

    def __init__(
        self,
        panel: ProjectPanel,
        layers: ProjectLayers,
        book: LayerBook,
        desk: Desk,
        autosave: Autosave,
        arrivals: Arrivals,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._panel, self._layers, self._book, self._desk = panel, layers, book, desk
        self._autosave, self._arrivals, self._files = autosave, arrivals, autosave.files
        self._offers: tuple[Recovery, ...] = ()
        self._lost: Project | None = None
        panel.answered.connect(self._on_answered)
        autosave.written.connect(self._on_written)
        self._files("recoveries", recovery.find_recoveries, self._offer)

    def _offer(self, found: tuple[Recovery, ...]) -> None:
        self._offers = found
        if not found or self._autosave.held or self._autosave.project is not None:
            return
        when = found[0].in_words()
        self._panel.ask(
            f"Recover the strokes of {when}? They were painted in a window that closed before they were saved.",
            (_RECOVER, _DISCARD),
        )

    def _on_answered(self, name: str) -> None:
        if not self._offers or name not in (_RECOVER[0], _DISCARD[0]):
            return
        chosen, self._offers = self._offers[0], self._offers[1:]
        self._panel.ask(None)
        if name == _DISCARD[0]:
            self._files("discard", partial(recovery.discard, chosen.folder), _ignore)
            self._offer(self._offers)
            return
        self._panel.setBusy(True)
        self._panel.setStatus("Recovering the strokes …")
        self._files("open", partial(find_project, chosen.folder), self._on_found, self._on_failed)

    def _on_failed(self, sentence: str) -> None:
        self._panel.setBusy(False)
        self._panel.setStatus(sentence, failed=True)

    def _on_found(self, found: Found) -> None:
        learn_paint(self._book, found.state.settings)
        wanted = [entry.key for entry in found.state.images if self._layers.fits(entry) is None]
        work = partial(read_content, found, partial(labels_of, self._book), only=wanted)
        self._files("read", work, partial(self._on_content, found), self._on_failed)

    def _on_content(self, found: Found, content: Content) -> None:
        classes = _together(self._desk.classes, found.state.classes)
        if classes is not None:
            if self._desk.source is None:
                self._desk.set_source(source_from_json(found.state.settings.get("source")))
            self._desk.set_classes(classes)
        alone = []
        for image in content.images:
            if image.strokes is None:
                continue
            key = self._layers.fits(image.entry, image.strokes)
            if key is None:
                alone.append(image)
            else:
                self._layers.give_strokes(key, image.strokes, classes)
        missing = tuple(image.entry.key for image in alone if image.data is None)
        self._arrivals.add(alone, partial(self._on_arrived, found, missing))

    def _on_arrived(self, found: Found, missing: tuple[str, ...]) -> None:
        """Keep the strokes in this window's own folder; the old one goes when they are there, if it is of no more use."""
        self._panel.setBusy(False)
        self._panel.setStatus(_told(missing), failed=bool(missing))
        if not missing:
            self._lost = found.project
        else:  # strokes without their image are in no folder but the old one
            self._autosave.let_go(found.project)
        self._autosave.count_as_painted()
        self._autosave.save_now()

    def _on_written(self) -> None:
        if self._lost is not None and not self._autosave.dirty():
            lost, self._lost = self._lost, None
            self._autosave.let_go(lost, discard=True)


def _told(missing: tuple[str, ...]) -> str:
    """What came back, and what a person has to do about images that did not."""
    if not missing:
        return "The strokes are back. Save a project to keep them."
    names = listed([f"“{key}”" for key in missing])
    if len(missing) == 1:
        why = (
            "but the image is in no file that can be read: open it again under this name, and they lie on it."
        )
    else:
        why = "but the images are in no files that can be read: open them again under these names, and they lie on them."
    return f"The strokes of {names} are back, {why} Save a project to keep them."


def _together(present: ClassSet | None, others: ClassSet | None) -> ClassSet | None:
    """The present classes with those others that are not among them."""
    if present is None or others is None:
        return present or others
    known = {name.lower() for name in present.names}
    for info in others:
        if info.name.lower() not in known:
            present = present.with_class(info.name, info.prompts, info.color)
    return present


def _ignore(_: Any) -> None:
    """Nothing is to be done with the answer."""
