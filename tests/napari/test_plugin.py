"""napari citizenship: manifest, samples, light imports, and once the real engine behind the real button."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QWidget
from superqt.utils import WorkerBase

from semidavil_core.classes import ClassSet
from semidavil_core.data.image_files import find_images, write_image
from semidavil_core.data.label_files import read_labels, write_label_map
from semidavil_core.errors import InvalidDataset
from semidavil_core.samples import sample_folder
from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget
from semidavil_napari._session import State
from tests.napari.conftest import MANIFEST, child
from tests.napari.driving import hold, wait_for


def has_sample(name: str) -> bool:
    try:
        return sample_folder(name).is_dir()
    except InvalidDataset:
        return False


def test_the_manifest_is_valid_and_everything_it_names_exists() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert [sample.key for sample in manifest.contributions.sample_data] == ["streets", "cells"]
    assert "napari/layers/segment" in manifest.contributions.menus


def test_the_window_imports_no_torch() -> None:
    code = (
        "import sys, semidavil_napari._dock_widget, semidavil_napari._sample_data\n"
        "heavy = {'torch', 'torchvision', 'open_clip', 'timm', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_discovery_imports_nothing_of_the_window() -> None:
    code = "import sys, semidavil_napari; sys.exit(', '.join({'qtpy', 'napari', 'numpy'} & set(sys.modules)) or 0)"
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.gui
@pytest.mark.parametrize("name", ["streets", "cells"])
def test_opening_a_sample_leaves_the_widget_ready(plugin, make_napari_viewer_proxy, name: str) -> None:
    if not has_sample(name):
        pytest.skip("the sample is not part of this installation")
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("semidavil-napari", name)
    _, widget = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    assert isinstance(widget, AdaptWidget)
    assert child(widget, "semidavil_adapt").isEnabled(), child(widget, "semidavil_status").text()
    assert viewer.dims.current_step[0] == 0
    assert viewer.layers["scribbles"].data[0].any()
    shown = child(widget, "semidavil_classes")
    assert shown.rowCount() == len(ClassSet.read(sample_folder(name)))


@pytest.mark.gui
def test_a_sample_opened_after_another_brings_its_own_source_classes_and_strokes(
    plugin, make_napari_viewer_proxy
) -> None:
    viewer, widget = window_for_both_samples(make_napari_viewer_proxy)
    for name in ("cells", "streets", "cells"):
        viewer.layers.clear()
        viewer.open_sample("semidavil-napari", name)
        classes = ClassSet.read(sample_folder(name))
        assert child(widget, "semidavil_source").text() == str(sample_folder(name) / "source")
        assert widget._classes.value() == classes
        assert widget._choices.painted == strokes_of(name, classes)
        shown = viewer.layers["scribbles"].colormap
        for value, info in zip(widget._book.paint.of(classes), classes, strict=True):
            assert to_hex(shown.map(int(value))) == info.color


@pytest.mark.gui
def test_a_source_chosen_by_hand_stays_and_two_samples_side_by_side_keep_the_first(
    plugin, make_napari_viewer_proxy
) -> None:
    viewer, widget = window_for_both_samples(make_napari_viewer_proxy)
    viewer.open_sample("semidavil-napari", "cells")
    viewer.open_sample("semidavil-napari", "streets")
    source = child(widget, "semidavil_source")
    assert source.text() == str(sample_folder("cells") / "source")
    cells = ClassSet.read(sample_folder("cells"))
    assert widget._choices.painted == strokes_of("cells", cells), (
        "those of the other sample are none of these"
    )
    assert not child(widget, "semidavil_adapt").isEnabled()
    assert "two samples, cells and streets" in child(widget, "semidavil_status").text()
    tick(child(widget, "semidavil_target"), "streets", on=False)
    assert child(widget, "semidavil_adapt").isEnabled(), child(widget, "semidavil_status").text()
    tick(child(widget, "semidavil_target"), "streets", on=True)
    source.setText(str(sample_folder("streets") / "source"))
    viewer.layers["cells"].name = "renamed"
    assert source.text() == str(sample_folder("streets") / "source")


def tick(images: QListWidget, name: str, *, on: bool) -> None:
    (item,) = (row for row in map(images.item, range(images.count())) if row.text().startswith(name))
    item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


def window_for_both_samples(make_napari_viewer_proxy):
    """An empty viewer and the widget in it, if both samples are there to be opened."""
    if not (has_sample("cells") and has_sample("streets")):
        pytest.skip("the samples are not part of this installation")
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    return viewer, widget


def strokes_of(name: str, classes: ClassSet) -> list[int]:
    """Painted pixels of each class in the files of a sample."""
    maps = find_images(sample_folder(name) / "target" / "scribbles", ("labels", "scribbles"))
    painted = [read_labels(path, classes, unlisted_is_ignored=True) for path in maps.values()]
    return [int(sum((p == k).sum() for p in painted)) for k in range(len(classes))]


NAMES = (
    "adapt", "pause", "stop", "budget", "target", "source", "vlm", "device", "classes", "add_class", "class_name",
    "progress", "status", "export",
)  # fmt: skip


@pytest.mark.gui
def test_the_parts_have_their_stable_names_and_tooltips(open_widget) -> None:
    widget, _ = open_widget(ready=False)
    for name in NAMES:
        part = widget.findChild(QWidget, f"semidavil_{name}")
        assert part is not None, name
        assert part.toolTip() or name in ("progress", "status"), name


@pytest.mark.gui
def test_napari_waits_for_its_workers_on_exit_and_is_not_kept_waiting_by_a_hanging_engine(
    open_widget, qtbot
) -> None:
    widget, _ = open_widget("hang")
    hold(State.PREPARING)
    child(widget, "semidavil_adapt").click()
    wait_for(qtbot, widget, State.PREPARING)
    WorkerBase.await_workers(10_000)


@pytest.mark.gui
@pytest.mark.slow
def test_a_round_in_the_real_engine_shows_a_prediction(
    make_napari_viewer_proxy, qtbot, tmp_path: Path
) -> None:
    rng, classes = np.random.default_rng(0), ClassSet.from_names(["road", "sky"])
    labels = np.repeat(np.array([[1], [0]], np.uint8), 32, axis=0).repeat(64, axis=1)
    image = (rng.integers(0, 60, (64, 64, 3)) + 150 * labels[..., None]).astype(np.uint8)
    for stem in ("a", "b"):
        write_image(tmp_path / "images" / f"{stem}.png", image)
        write_label_map(tmp_path / "labels" / f"{stem}.png", labels, classes)
    (tmp_path / "classes.json").write_text('["road", "sky"]', encoding="utf-8")
    viewer = make_napari_viewer_proxy()
    widget = AdaptWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.prepare_budget = Budget(steps=2)
    viewer.add_image(image // 2, name="night")
    strokes = np.zeros((64, 64), np.uint8)
    strokes[8:12, 8:50], strokes[50:54, 8:50] = 2, 1
    viewer.add_labels(strokes)
    child(widget, "semidavil_source").setText(str(tmp_path))
    child(widget, "semidavil_budget").setValue(1)
    child(widget, "semidavil_adapt").click()
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=120_000)
    assert "Round 1 finished" in child(widget, "semidavil_status").text()
    assert set(np.unique(viewer.layers["prediction"].data)) <= {1, 2}
    assert 0 < viewer.layers["confidence"].data.max() <= 1
    widget._jobs.close()
