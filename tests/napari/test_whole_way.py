"""From File > Open Sample to an exported model, with the mouse and the real engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from semidavil_core.cli import main
from semidavil_core.export.bundle import load_bundle
from semidavil_core.samples import sample_folder
from semidavil_core.settings import Budget
from semidavil_napari._session import State
from semidavil_napari._sources import Source, SourceKind
from tests.napari.conftest import child
from tests.napari.driving import click, layer, state, status
from tests.napari.test_plugin import has_sample

pytestmark = [pytest.mark.gui, pytest.mark.slow]
_LONGEST_MS = 300_000


def drag(canvas, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line on the canvas with the left button, as a hand does."""
    path = np.linspace(start, end, 12) * (canvas.width(), canvas.height())
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 10, QEvent.Type.MouseButtonRelease]
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, place in zip(kinds, path, strict=True):
        here = QPointF(*place)
        there = QPointF(canvas.mapToGlobal(here.toPoint()))
        button = none if kind == QEvent.Type.MouseMove else left
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        QApplication.sendEvent(canvas, QMouseEvent(kind, here, there, button, held, Qt.KeyboardModifier.NoModifier))  # fmt: skip
        QApplication.processEvents()


@pytest.fixture
def few_streets(tmp_path: Path, monkeypatch) -> Path:
    """The streets sample with five of its target images and four of its source's."""
    if not has_sample("streets"):
        pytest.skip("the sample is not part of this installation")
    whole, few = sample_folder("streets"), tmp_path / "streets"
    shutil.copytree(whole, few, ignore=shutil.ignore_patterns("*.png", "*.jpg"))
    for part, count in (("source", 4), ("target", 5), ("eval", 2)):
        chosen = sorted(path.stem for path in (whole / part / "images").iterdir())
        painted = {path.stem for path in (whole / part / "scribbles").glob("*")}
        chosen = sorted(chosen, key=lambda stem: (stem not in painted, stem))[:count]
        for path in (whole / part).rglob("*"):
            if path.stem in chosen:
                shutil.copy(path, few / path.relative_to(whole))
    for module in ("_sample_data", "_choices"):
        monkeypatch.setattr(f"semidavil_napari.{module}.sample_folder", lambda _: few)
    return few


def test_open_sample_adapt_paint_meanwhile_stop_export_and_measure(
    plugin, make_napari_viewer_proxy, qtbot, few_streets: Path, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.open_sample("semidavil-napari", "streets")
    _, widget = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    widget.prepare_budget = Budget(steps=2)
    child(widget, "semidavil_budget").setValue(600)
    assert child(widget, "semidavil_adapt").isEnabled(), status(widget)
    try:
        click(qtbot, widget, "semidavil_adapt")
        qtbot.waitUntil(lambda: state(widget) is State.ADAPTING or failed(widget), timeout=_LONGEST_MS)
        assert state(widget) is State.ADAPTING, status(widget)

        strokes, canvas = viewer.layers["scribbles"], viewer.window._qt_viewer.canvas.native
        before, at = strokes.data.copy(), viewer.dims.current_step[0]
        viewer.layers.selection.active = strokes
        child(widget, "semidavil_classes").cellClicked.emit(3, 0)
        assert (strokes.mode, strokes.selected_label) == ("paint", 4)
        qtbot.waitUntil(canvas.isVisible, timeout=_LONGEST_MS)
        drag(canvas, (0.4, 0.5), (0.6, 0.55))
        painted = np.flatnonzero((strokes.data != before).any(axis=(1, 2)))
        assert painted.tolist() == [at]
        assert set(np.unique(strokes.data[strokes.data != before])) == {4}

        qtbot.waitUntil(lambda: "mean confidence" in status(widget) or failed(widget), timeout=_LONGEST_MS)
        click(qtbot, widget, "semidavil_stop")
        qtbot.waitUntil(lambda: state(widget) is State.IDLE, timeout=_LONGEST_MS)
        assert "Round 1 stopped after" in status(widget)
        shown = layer(viewer, "prediction")
        assert shown.data[at].all()
        assert 0 < layer(viewer, "confidence").data[at].max() <= 1

        bundle = export_model(qtbot, widget, tmp_path / "out")
        go_on_from(qtbot, viewer, widget, bundle)
    finally:
        widget._project.close()
        widget._jobs.close()
    assert load_bundle(bundle, device="cpu").classes.names == widget._classes.value().names
    images, labels = few_streets / "eval" / "images", few_streets / "eval" / "labels"
    words = ["--model", bundle, "--images", images, "--labels", labels, "--json", tmp_path / "scores.json"]
    assert main(["evaluate", *map(str, words), "--device", "cpu"]) == 0
    assert (tmp_path / "scores.json").is_file()


def go_on_from(qtbot, viewer, widget, bundle: Path) -> None:
    """Open the exported model with File > Open, and adapt it, now without a source."""
    viewer.open(bundle / "config.json", plugin="semidavil-napari")
    assert widget._source.value() == Source(SourceKind.BUNDLE, bundle)
    layer(viewer, "prediction").data[:] = 0
    click(qtbot, widget, "semidavil_adapt")
    qtbot.waitUntil(lambda: "mean confidence" in status(widget) or failed(widget), timeout=_LONGEST_MS)
    click(qtbot, widget, "semidavil_stop")
    qtbot.waitUntil(lambda: state(widget) is State.IDLE, timeout=_LONGEST_MS)
    assert "Round 2 stopped after" in status(widget), "rounds of the window are counted through"
    assert layer(viewer, "prediction").data.all()


def failed(widget) -> bool:
    return widget._conductor.session.status.failed


def export_model(qtbot, widget, folder: Path) -> Path:
    """Export the bundle, and nothing else, through the dialog."""
    click(qtbot, widget, "semidavil_export")
    for box in widget.findChildren(type(child(widget, "semidavil_export_bundle"))):
        if box.objectName().startswith("semidavil_export_"):
            box.setChecked(box.objectName() == "semidavil_export_bundle")
    child(widget, "semidavil_export_folder").setText(str(folder))
    click(qtbot, widget, "semidavil_export_start")
    qtbot.waitUntil(lambda: state(widget) is not State.IDLE, timeout=_LONGEST_MS)
    qtbot.waitUntil(lambda: state(widget) is State.IDLE, timeout=_LONGEST_MS)
    assert not failed(widget), status(widget)
    assert (folder / "model" / "config.json").is_file(), status(widget)
    return folder / "model"
