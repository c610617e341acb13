"""Does the window stutter while a round runs? The event loop's stalls beside a person who paints, and the training's speed.

One real window on the streets sample, in which a scripted painter draws strokes with the mouse through napari's Labels tool. Three cases
take turns, several times: nothing runs; a round runs in the engine's process (as the plugin does it); the same round runs in a thread
of the window's process. A timer that asks to be called every 5 ms tells how long the event loop was busy otherwise.

Run:  xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/responsiveness.py [--seconds 15] [--repeats 3] [--json FILE]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in the engine
os.environ.setdefault("NAPARI_CONFIG", "")

import contextlib

import torch  # before the window: with Mesa, triton's copy of LLVM must be the first one (the plugin itself never loads it)

with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

os.environ.setdefault("SEMIDAVIL_RECOVERY", tempfile.mkdtemp(prefix="semidavil-"))

import napari
import numpy as np
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import QEvent, QEventLoop, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

import semidavil_napari
from semidavil_core.control import RunControl
from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import Request
from semidavil_core.engine.server import EngineHandler
from semidavil_core.events import Done, Event, StageStarted, StepFinished
from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._session import Stage, State

TICK_MS: Final = 5
STROKE_MS: Final = 16  # between two mouse moves: 60 a second, as a mouse under a hand
MOVES: Final = 40  # of one stroke
CASES: Final = ("nothing", "engine", "thread")
TITLES: Final = {
    "nothing": "nothing running",
    "engine": "round in the engine process",
    "thread": "round in a thread of the window",
}


class ThreadClient:
    """What :class:`EngineClient` is, with the model in this process: the worker's thread trains."""

    alive, pid = True, 0

    def __init__(self) -> None:
        self._handler = EngineHandler()
        self._control = RunControl()

    def request(self, request: Request) -> Iterator[Event]:
        """Work on a request in the thread that iterates."""
        self._control = RunControl()
        result = yield from self._handler.handle(request, self._control)
        yield Done(0, result or {})

    def stop(self) -> None:
        """End the present work at its next step."""
        self._control.stop()

    def pause(self) -> None:
        """Hold the present work."""
        self._control.pause()

    def resume(self) -> None:
        """Let held work go on."""
        self._control.resume()

    def kill(self) -> None:
        """A thread cannot be killed."""
        self._control.stop()

    def close(self, timeout: float = 0.0) -> None:  # noqa: ARG002
        """End the present work."""
        self._control.stop()


class Stopwatch:
    """Milliseconds between two calls of a timer that asks to be called every 5 ms."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)

    def begin(self) -> None:
        """Forget what was, and measure."""
        self.gaps, self._last = [], time.perf_counter()
        self._timer.start()

    def end(self) -> list[float]:
        """Stop and give all gaps."""
        self._timer.stop()
        return self.gaps

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append(1000 * (now - self._last))
        self._last = now


class Painter:
    """Draws strokes on the canvas with the mouse, class after class."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._canvas = viewer.window._qt_viewer.canvas.native
        self._rng = np.random.default_rng(0)
        self._at = 0
        self._path = np.zeros((MOVES, 2))
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(STROKE_MS)
        self._timer.timeout.connect(self._move)
        self.strokes = 0

    def begin(self) -> None:
        """Take the brush."""
        layer = self._viewer.layers["scribbles"]
        self._viewer.layers.selection.active = layer
        layer.mode, layer.brush_size = "paint", 6
        self._at = 0
        self._timer.start()

    def end(self) -> None:
        """Lift the brush."""
        self._timer.stop()
        if 0 < self._at < MOVES:
            self._send(QEvent.Type.MouseButtonRelease, self._path[self._at])
        self._viewer.layers["scribbles"].mode = "pan_zoom"

    def _move(self) -> None:
        if self._at == 0:
            self._new_stroke()
            self._send(QEvent.Type.MouseButtonPress, self._path[0])
        elif self._at < MOVES:
            self._send(QEvent.Type.MouseMove, self._path[self._at])
        elif self._at == MOVES:
            self._send(QEvent.Type.MouseButtonRelease, self._path[-1])
            self.strokes += 1
        self._at = (self._at + 1) % (MOVES + 12)  # a fifth of a second between strokes

    def _new_stroke(self) -> None:
        """A gentle curve somewhere in the middle of the canvas, in the next class."""
        size = np.array([self._canvas.width(), self._canvas.height()])
        start = size * self._rng.uniform(0.3, 0.6, 2)
        direction = self._rng.uniform(-1, 1, 2)
        along = np.linspace(0, 1, MOVES)[:, None]
        self._path = start + along * direction * 0.15 * size + 10 * np.sin(6 * along)
        layer = self._viewer.layers["scribbles"]
        layer.selected_label = 1 + self.strokes % 8

    def _send(self, kind: QEvent.Type, place: np.ndarray[Any, Any]) -> None:
        here = QPointF(*place)
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == QEvent.Type.MouseMove else left
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        there = QPointF(self._canvas.mapToGlobal(here.toPoint()))
        event = QMouseEvent(kind, here, there, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self._canvas, event)


class Bench:
    """The window, and what takes turns in it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._viewer = napari.Viewer()
        self._viewer.window.resize(1600, 1000)
        self._widget = open_streets(self._viewer)
        self._jobs = self._widget._jobs
        self._widget.prepare_budget = Budget(seconds=4)
        self._stopwatch, self._painter = Stopwatch(), Painter(self._viewer)
        self._engines: dict[str, tuple[Any, EngineMemory]] = {
            "engine": (EngineClient(), EngineMemory()),
            "thread": (ThreadClient(), EngineMemory()),
        }
        self._steps: list[float] = []
        self._adapting = False
        self._jobs.happened.connect(self._on_event)

    def warm_up(self) -> None:
        """Let both engines have a model, the images and their features, and let every path be taken once."""
        for case in self._engines:
            self._begin_round(case, 3)
            wait(2)
            self._end_round()
        before = self._viewer.layers["scribbles"].data.copy()
        self._painter.begin()
        wait(2)
        self._painter.end()
        if np.array_equal(before, self._viewer.layers["scribbles"].data):
            raise SystemExit("the painter's strokes do not reach the layer")

    def measure(self, case: str) -> dict[str, float]:
        """One turn of a case."""
        if case != "nothing":
            self._begin_round(case, 10 * self._seconds)
        self._viewer.dims.set_current_step(0, 0)
        strokes = self._painter.strokes
        self._painter.begin()
        wait(1)
        self._steps.clear()
        began = time.perf_counter()
        self._stopwatch.begin()
        wait(self._seconds)
        gaps = self._stopwatch.end()
        taken = time.perf_counter() - began
        steps = len(self._steps) / taken
        self._painter.end()
        if case != "nothing":
            self._end_round()
        return figures(gaps) | {"steps_per_second": steps, "strokes": self._painter.strokes - strokes}

    def close(self) -> None:
        """End both engines and the window."""
        self._jobs._client = None
        for client, _ in self._engines.values():
            client.close()
        self._viewer.close()

    def _begin_round(self, case: str, seconds: float) -> None:
        self._jobs._client, self._jobs._memory = self._engines[case]
        self._widget._adapt.setValue(Budget(seconds=round(seconds)))
        self._steps.clear()
        self._widget._choices.on_strokes()
        self._widget._adapt.adapt.emit()
        wait_until(lambda: bool(self._steps) or self._idle())
        if not self._steps:
            raise SystemExit(f"no round began: {self._widget._conductor.session.status.sentence}")

    def _end_round(self) -> None:
        self._widget._adapt.stop.emit()
        wait(0.5)
        self._widget._adapt.stop.emit()  # the second one leaves the predictions out
        wait_until(lambda: self._idle() and not self._jobs.running)

    def _idle(self) -> bool:
        return self._widget._conductor.session.status.state is State.IDLE

    def _on_event(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._adapting = event.stage == Stage.ADAPT or (self._adapting and event.stage not in set(Stage))
        elif isinstance(event, StepFinished) and self._adapting:
            self._steps.append(time.perf_counter())


def open_streets(viewer: napari.Viewer) -> AdaptWidget:
    """The window as File > Open Sample leaves it."""
    manager = PluginManager.instance()
    if "semidavil-napari" not in manager:
        manager.register(PluginManifest.from_file(Path(semidavil_napari.__file__).parent / "napari.yaml"))
    viewer.open_sample("semidavil-napari", "streets")
    _, widget = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    assert isinstance(widget, AdaptWidget)
    return widget


def figures(gaps: list[float]) -> dict[str, float]:
    """Longest, 99th percentile and median of the gaps, in milliseconds, and how many are beyond a tenth of a second."""
    values = np.array(gaps)
    return {
        "longest_ms": float(values.max()),
        "p99_ms": float(np.percentile(values, 99)),
        "median_ms": float(np.median(values)),
        "over_100_ms": int((values > 100).sum()),
        "turns": int(values.size),
    }


def wait(seconds: float) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec_()


def wait_until(condition: Callable[[], bool], longest: float = 300.0) -> None:
    """Let the event loop run until something is the case."""
    end = time.perf_counter() + longest
    while not condition():
        if time.perf_counter() > end:
            raise SystemExit("gave up waiting")
        wait(0.05)


def summary(results: dict[str, list[dict[str, float]]]) -> str:
    """A table: the median over the repeats of each figure, and the longest of all stalls."""
    lines = [f"{'':<34}{'p99':>9}{'longest':>10}{'> 100 ms':>10}{'steps/s':>10}{'strokes':>10}"]
    for case, runs in results.items():
        middle = {name: median(run[name] for run in runs) for name in runs[0]}
        longest = max(run["longest_ms"] for run in runs)
        lines.append(
            f"{TITLES[case]:<34}{middle['p99_ms']:>6.0f} ms{longest:>7.0f} ms{middle['over_100_ms']:>10.0f}"
            f"{middle['steps_per_second']:>10.1f}{middle['strokes']:>10.0f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep the figures of every turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each turn")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each case")
    parser.add_argument("--json", type=Path, help="write every turn's figures here")
    options = parser.parse_args()
    bench = Bench(options.seconds)
    bench.warm_up()
    results: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    for turn in range(options.repeats):
        for case in CASES[turn % 3 :] + CASES[: turn % 3]:  # so that no case is always the first
            results[case].append({"load": os.getloadavg()[0], **bench.measure(case)})
            print(case, {name: round(value, 1) for name, value in results[case][-1].items()}, flush=True)
    print(summary(results))
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, napari {napari.__version__}"
    )
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    bench.close()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # threads of numerical libraries must not hold up the end
