"""The five pictures of the window in ``docs/images``, from the shipped sample *streets*, a real window and the real engine.

Run:  xvfb-run -a -s "-screen 0 1280x900x24" python docs/make_screenshots.py

or ``make screenshots``. Steps, not seconds, end the training, so that every machine comes to about the same picture; it takes some minutes
without a graphics card. The window fills the screen; ``--theme light`` shows the other theme, ``--out FOLDER`` leaves the pictures elsewhere.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["NAPARI_CONFIG"] = ""  # napari's defaults, whatever this machine's owner likes
os.environ["SEMIDAVIL_RECOVERY"] = tempfile.mkdtemp(prefix="semidavil-")

import napari
import numpy as np
from napari.settings import get_settings
from npe2 import PluginManager, PluginManifest
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtCore import QBuffer, QEvent, QEventLoop, QIODevice, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent, QPixmap
from qtpy.QtWidgets import QApplication, QWidget

import semidavil_napari
from semidavil_core.events import Event, StageStarted, StepFinished
from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget
from semidavil_napari._flight import camera_of

PLUGIN: Final = "semidavil-napari"
TITLE: Final = "Adapt model"
FLAT: Final = 96
PHOTO: Final = 160
"""Colours of a picture: the commonest flat ones as they are (buttons, classes), and some for the rest (text, streets)."""
RUN: Final = 8  # pixels of one colour in a row are flat; those of the images are smaller
SHOWN_FOLDER: Final = "~/night-streets"  # in the picture of the export, whoever makes it
ROAD_STROKE: Final = ((0.34, 0.86), (0.60, 0.80))
"""Of the fifth image, which comes without strokes: from, to, as shares of its width and height."""


class Photographer:
    """Leads the window through its story and takes the pictures.

    Parameters
    ----------
    folder
        Where the pictures go.
    prepare_steps, round_steps
        How long the first model learns from the source, and how long the round is.
    """

    def __init__(self, folder: Path, prepare_steps: int, round_steps: int) -> None:
        self._folder = folder
        self._prepare, self._round = Budget(steps=prepare_steps), Budget(steps=round_steps)
        self._steps = 0
        self._viewer = napari.Viewer(show=False)
        self._window = self._viewer.window._qt_window
        screen = self._window.screen().geometry()
        self._window.setGeometry(screen)
        self._window.show()
        _, widget = self._viewer.window.add_plugin_dock_widget(PLUGIN, TITLE)
        assert isinstance(widget, AdaptWidget)
        self._widget = widget
        widget._jobs.happened.connect(self._on_event)

    def tell(self) -> None:
        """All five, in the order of the story."""
        wait(1.5)
        self.take("empty")
        self.paint()
        self.take("painted")
        self.begin_round()
        wait_until(lambda: self._adapting() and self._steps >= 2 * self._round.steps // 3)
        self.take("training")
        wait_until(self._idle)
        wait(2)
        self.show_result()
        self.take("result")
        self.open_export()
        self.take("export")

    def close(self) -> None:
        """End the engine and the window."""
        self._widget._project.close()
        self._widget._jobs.close()
        self._viewer.close()

    def paint(self) -> None:
        """Open the sample and paint one more stroke with the mouse, as a hand does."""
        self._viewer.open_sample(PLUGIN, "streets")
        wait(1)
        self._viewer.dims.set_current_step(0, 4)
        self._widget.choose_class(3)
        self._viewer.layers["scribbles"].brush_size = 6
        wait(0.5)
        self._drag(*ROAD_STROKE)
        wait(1.5)

    def begin_round(self) -> None:
        """Press Adapt, with budgets in steps."""
        self._widget.prepare_budget = self._prepare
        self._widget._adapt.value = lambda: self._round  # type: ignore[method-assign]
        child(self._widget, "semidavil_adapt").click()

    def show_result(self) -> None:
        """Look at what the model says of the image that was painted."""
        self._viewer.dims.set_current_step(0, 4)
        self._scroll_to("semidavil_compare")
        child(self._widget, "semidavil_next").click()
        wait(2)

    def open_export(self) -> None:
        """The dialog, over the window."""
        self._scroll_to("semidavil_export")
        child(self._widget, "semidavil_export").click()
        wait(0.5)
        child(self._widget, "semidavil_export_folder").setText(SHOWN_FOLDER)
        dialog = child(self._widget, "semidavil_export_dialog")
        space = self._viewer.window._qt_viewer.canvas.native
        dialog.move(space.mapToGlobal(space.rect().center()) - dialog.rect().center())
        wait(0.5)

    def take(self, name: str) -> None:
        """The screen as a PNG of few colours."""
        wait(0.5)
        grabbed = self._window.screen().grabWindow(0)
        path = self._folder / f"{name}.png"
        in_few_colours(pixels(grabbed)).save(path, optimize=True)
        print(f"{path} {path.stat().st_size / 1000:.0f} kB", flush=True)

    def _drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        canvas = self._viewer.window._qt_viewer.canvas
        places = [self._on_canvas(*point) for point in np.linspace(start, end, 14)]
        kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 12, QEvent.Type.MouseButtonRelease]
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        for kind, place in zip(kinds, places, strict=True):
            there = QPointF(canvas.native.mapToGlobal(place.toPoint()))
            button = none if kind == QEvent.Type.MouseMove else left
            held = none if kind == QEvent.Type.MouseButtonRelease else left
            event = QMouseEvent(kind, place, there, button, held, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(canvas.native, event)
            wait(0.02)

    def _on_canvas(self, x: float, y: float) -> QPointF:
        """A place of the image, as shares of its width and height, on the canvas."""
        height, width = self._viewer.layers["scribbles"].data.shape[-2:]
        canvas, camera = self._viewer.window._qt_viewer.canvas.native, camera_of(self._viewer)
        centre = np.array(camera.center[-2:])
        at = (np.array([y * height, x * width]) - centre) * camera.zoom
        return QPointF(canvas.width() / 2 + at[1], canvas.height() / 2 + at[0])

    def _scroll_to(self, name: str) -> None:
        target = child(self._widget, name)
        area = self._widget.findChild(QWidget, "semidavil_sections")
        area.ensureWidgetVisible(target, 0, 60)
        wait(0.2)

    def _idle(self) -> bool:
        return bool(child(self._widget, "semidavil_adapt").isEnabled())

    def _adapting(self) -> bool:
        words = str(child(self._widget, "semidavil_status").text())
        if self._idle():
            raise SystemExit(f"the round has ended already: {words}")
        return words.startswith("Round 1")

    def _on_event(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._steps = 0
        elif isinstance(event, StepFinished):
            self._steps = event.step


def child(widget: QWidget, name: str) -> Any:
    """The part of a widget with this stable object name."""
    found = widget.findChild(QWidget, name)
    if found is None:
        raise SystemExit(f"the window has no {name}")
    return found


def pixels(picture: QPixmap) -> NDArray[np.uint8]:
    """A picture of Qt as (H, W, 3) uint8."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")
    return np.asarray(Image.open(BytesIO(buffer.data().data())).convert("RGB"))


def in_few_colours(picture: NDArray[np.uint8]) -> Image.Image:
    """A small picture with a palette, in which flat colours stay what they are."""
    codes = picture.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    runs = np.lib.stride_tricks.sliding_window_view(codes, RUN, axis=1)
    colours, counts = np.unique(codes[:, : 1 - RUN][(runs == runs[..., :1]).all(-1)], return_counts=True)
    flat = colours[np.argsort(-counts, kind="stable")[:FLAT]]
    rest = picture[~np.isin(codes, flat)]
    palette = np.stack([flat >> 16, flat >> 8 & 255, flat & 255], 1).astype(np.uint8)
    if len(rest):
        few = Image.fromarray(rest[None]).quantize(PHOTO, Image.Quantize.MEDIANCUT, kmeans=2).getpalette()
        palette = np.concatenate([palette, np.array(few, np.uint8).reshape(-1, 3)])
    key = Image.new("P", (1, 1))
    key.putpalette(palette.tobytes())
    return Image.fromarray(picture).quantize(palette=key, dither=Image.Dither.NONE)


def wait(seconds: float) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec_()


def wait_until(condition: Callable[[], bool], longest: float = 1800.0) -> None:
    """Let the event loop run until something is the case."""
    end = time.perf_counter() + longest
    while not condition():
        if time.perf_counter() > end:
            raise SystemExit("gave up waiting")
        wait(0.05)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--prepare-steps", type=int, default=150, help="of the first model")
    parser.add_argument("--round-steps", type=int, default=50, help="of the round")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    random.seed(0)  # napari's tip of the day
    manager = PluginManager.instance()
    if PLUGIN not in manager:
        manager.register(PluginManifest.from_file(Path(semidavil_napari.__file__).parent / "napari.yaml"))
    get_settings().appearance.theme = options.theme
    photographer = Photographer(options.out, options.prepare_steps, options.round_steps)
    photographer.tell()
    photographer.close()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # threads of numerical libraries must not hold up the end
