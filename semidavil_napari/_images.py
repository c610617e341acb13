"""The section Images at work: the list follows the layers, axes are told, folders opened, and the model's view shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QTimer

from semidavil_core.data.channels import to_rgb
from semidavil_napari._aside import Run
from semidavil_napari._image_axes import Axis, Chosen
from semidavil_napari._image_folder import FolderLayer, OpenedFolder, open_folder
from semidavil_napari._image_planes import small_reader
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.images import ImagesPanel

_LOOK_AGAIN_MS: Final = 120
_LISTED: Final = 3
_LONGEST_NAME: Final = 24
_OPENED: Final = count(1)


class TargetImages:
    """Keeps the panel, the layers and the folder that is being opened together.

    Parameters
    ----------
    viewer
        The napari viewer, for its sliders.
    book, panel
        The layers, and the section that shows them.
    run
        Runs work in the background.
    tell
        Shows a sentence to a person: a folder could not be opened, or not completely.
    """

    def __init__(
        self, viewer: Any, book: LayerBook, panel: ImagesPanel, run: Run, tell: Callable[[str], Any]
    ) -> None:
        self._tell = tell
        self._viewer, self._book, self._panel, self._run = viewer, book, panel, run
        self._arriving: list[FolderLayer] = []
        self._folder = ""
        self._look = QTimer(panel)
        self._look.setSingleShot(True)
        self._look.setInterval(_LOOK_AGAIN_MS)
        self._next = QTimer(panel)
        self._next.setInterval(0)
        self._look.timeout.connect(self._show_preview)
        self._next.timeout.connect(self._add_next)
        panel.selected.connect(self._on_selected)
        panel.folder_wanted.connect(self.open_folder)
        panel.axes.told.connect(self._on_axis_told)
        panel.axes.channels_told.connect(self._on_channels_told)
        panel.axes.channels_first_wanted.connect(lambda: self._book.put_channels_first(self._alike()))
        viewer.dims.events.current_step.connect(self._on_step)

    def release(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._on_step)

    @property
    def opening(self) -> bool:
        """Whether layers of a folder are still to come."""
        return bool(self._arriving)

    def on_layers(self) -> None:
        """Layers came, went or changed; while a folder arrives, the list waits for its last one."""
        if not self._arriving:
            self._panel.setChoices(self._book.targets())

    def refresh(self) -> None:
        """Say in the panel what the ticked layers are taken for, and show the selected one."""
        keys = self._panel.value()
        missing = any(self._book.scribbles(key) is None for key in self._paintable(keys))
        self._panel.setHint(
            self._hint(keys), missing_scribbles=missing, problem=self._book.problem(keys) or self._coming()
        )
        current = self._panel.current()
        self._panel.axes.setValue(None if current is None else self._book.axes(current))
        self._look.start()

    def check(self) -> None:
        """Strokes changed, or are counted: say anew whether a round can use the ticked images."""
        self._panel.setProblem(self._book.problem(self._panel.value()) or self._coming())

    def add_scribbles(self, classes: Any) -> None:
        """Give the ticked images that are shown a layer to paint in."""
        for key in self._paintable(self._panel.value()):
            self._book.add_scribbles(key, classes)
        self.refresh()

    def open_folder(self, folder: Path) -> None:
        """Open all images of a folder."""
        self._folder = f"{folder} ({next(_OPENED)})"
        self._panel.setHint(f"Reading {folder.name} …", missing_scribbles=False, problem=self._coming())
        self._run("folder", partial(open_folder, folder), self._on_folder, self._on_folder_failed)

    def _paintable(self, keys: tuple[str, ...]) -> list[str]:
        """Images to paint in: those that are shown, or all if none is."""
        shown = [key for key in keys if (image := self._book.image(key)) is not None and image.visible]
        return shown or list(keys)

    def _coming(self) -> str | None:
        return "Opening the folder …" if self._folder else None

    def _hint(self, keys: tuple[str, ...]) -> str:
        if not keys:
            return "No image is chosen yet." if self._panel.keys() else ""
        told = [(_short(image.name), str(axes)) for key in keys if (image := self._book.image(key)) is not None and (axes := self._book.axes(key)) is not None]  # fmt: skip
        if len(told) <= _LISTED:
            return "\n".join(f"{name}: {text}" for name, text in told)
        kinds, names = Counter(text for _, text in told).most_common(), {text: name for name, text in told}
        lines = [f"{f'{n} layers' if n > 1 else names[text]}: {text}" for text, n in kinds[:_LISTED]]
        return "\n".join(
            [*lines, f"and {len(kinds) - _LISTED} other sizes"] if len(kinds) > _LISTED else lines
        )

    def _alike(self) -> list[str]:
        """The selected layer, and the ticked ones with the same leading axes: what is told of one holds for all."""
        current = self._panel.current()
        axes = None if current is None else self._book.axes(current)
        if current is None or axes is None:
            return []
        others = (key for key in self._panel.value() if key != current)
        same = [key for key in others if (a := self._book.axes(key)) is not None and (a.shape[:-2], a.rgb, a.told) == (axes.shape[:-2], axes.rgb, axes.told)]  # fmt: skip
        return [current, *same]

    # what the panel tells

    def _on_selected(self) -> None:
        current = self._panel.current()
        if current is not None:
            self._book.show_only(current)
        self.refresh()

    def _on_axis_told(self, position: int, meaning: str) -> None:
        self._book.tell_axis(self._alike(), position, Axis(meaning))

    def _on_channels_told(self, chosen: Chosen) -> None:
        self._book.tell_channels(self._alike(), chosen)

    def _on_step(self, _: Any) -> None:
        self._look.start()

    # the model's view

    def _show_preview(self) -> None:
        current = self._panel.current()
        image = None if current is None else self._book.image(current)
        axes = None if current is None else self._book.axes(current)
        if current is None or image is None or axes is None or 0 in axes.shape:
            self._panel.setPreview(None)
            return
        read = small_reader(image, self._book.shown(current))
        channels, letters, where = axes.channels, axes.letters, f"“{image.name}”"
        self._run(
            "preview",
            lambda: to_rgb(read(), channels, where, axes=letters),
            self._panel.setPreview,
            lambda sentence: self._panel.setPreview(None, sentence),
        )

    # folders

    def _on_folder(self, opened: OpenedFolder) -> None:
        self._arriving = list(opened.layers)
        if opened.left_out:
            self._tell(opened.left_out)
        self._next.start()

    def _on_folder_failed(self, sentence: str) -> None:
        self._folder = ""
        self.refresh()
        self._tell(sentence)

    def _add_next(self) -> None:
        """Add one layer per turn of the event loop, so that 200 of them do not stop it; only the first is shown."""
        if self._arriving:
            layer = self._arriving.pop(0)
            self._book.add_image(layer, self._folder)
        if not self._arriving:
            self._next.stop()
            self._folder = ""
            self.on_layers()


def _short(name: str) -> str:
    """A name that fits a narrow line: its middle gives way."""
    return (
        name
        if len(name) <= _LONGEST_NAME
        else f"{name[: _LONGEST_NAME // 2]}…{name[-_LONGEST_NAME // 2 + 1 :]}"
    )
