"""Fixtures of the window's tests: the plugin registered, and an engine of a few lines in place of the real one."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import napari
import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QWidget

import semidavil_napari
from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget

MANIFEST = Path(semidavil_napari.__file__).parent / "napari.yaml"
FAKE_ENGINE = Path(__file__).parent / "fake_engine.py"


@pytest.fixture(scope="session", autouse=True)
def imported_objects_set_aside() -> Iterator[None]:
    """napari's check for viewers left over looks through all objects; those of the imported libraries are none of them."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def held_stages(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ``driving.hold`` tells the fake engine at which stage to stay."""
    monkeypatch.setenv("SEMIDAVIL_TEST_HELD", str(tmp_path_factory.mktemp("held")))


@pytest.fixture(autouse=True)
def recovery_place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Unsaved strokes of a test stay out of the home."""
    place = tmp_path_factory.mktemp("recovery")
    monkeypatch.setenv("SEMIDAVIL_RECOVERY", str(place))
    return place


@pytest.fixture
def plugin(npe2pm: PluginManager) -> PluginManager:
    """The plugin, and no other, registered with npe2."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return npe2pm


@pytest.fixture
def source_folder(tmp_path: Path) -> Path:
    """What looks like a labelled source of two classes."""
    for name in ("images", "labels"):
        (tmp_path / "source" / name).mkdir(parents=True)
    (tmp_path / "source" / "classes.json").write_text('["road", "sky"]', encoding="utf-8")
    return tmp_path / "source"


OpenWidget = Callable[..., tuple[AdaptWidget, "object"]]


@pytest.fixture
def open_widget(make_napari_viewer_proxy, qtbot, source_folder) -> Iterator[OpenWidget]:
    """Open the widget on a fake engine with a stack of two images, strokes of two classes and a source."""
    opened: list[AdaptWidget] = []

    def open_(behaviour: str = "good", *, ready: bool = True) -> tuple[AdaptWidget, object]:
        viewer = make_napari_viewer_proxy()
        widget = AdaptWidget(viewer, [sys.executable, str(FAKE_ENGINE), behaviour])
        widget.prepare_budget = Budget(seconds=0.2)
        viewer.window.add_dock_widget(widget, name="SemiDAViL")
        opened.append(widget)
        if ready:
            viewer.add_image(
                np.random.default_rng(0).integers(0, 255, (2, 32, 40, 3), np.uint8),
                name="night",
                scale=(1, 2, 2),
            )
            strokes = np.zeros((2, 32, 40), np.uint8)
            strokes[0, :4], strokes[0, -4:] = 1, 2
            viewer.add_labels(strokes, name="my strokes", scale=(1, 2, 2))
            child(widget, "semidavil_source").setText(str(source_folder))
            child(widget, "semidavil_budget").setValue(1)
        return widget, viewer

    yield open_
    for widget in opened:
        widget._project.close()
        widget._jobs.close()
    workers = [w._jobs._worker for w in opened if w._jobs._worker is not None]
    qtbot.waitUntil(lambda: not any(worker.is_running for worker in workers), timeout=10_000)


def child(widget: QWidget, name: str):
    """The part of the widget with this stable object name."""
    found = widget.findChild(QWidget, name)
    assert found is not None, f"no {name}"
    return found


def press(key: str) -> None:
    """Press a key on the canvas of the present viewer."""
    viewer = napari.current_viewer()
    assert viewer is not None
    viewer.window._qt_viewer._key_map_handler.press_key(key)
