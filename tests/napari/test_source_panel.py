"""Where the first model comes from: files, layers, samples; and what the engine is told of each."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.engine.requests import PrepareFromSource, SetClasses, SetSource
from semidavil_core.samples import SAMPLE_NAMES
from semidavil_core.settings import Budget
from semidavil_napari._dock_widget import AdaptWidget
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._round_plan import RoundPlan
from semidavil_napari._rounds import iter_round
from semidavil_napari._session import State
from semidavil_napari._sources import LayerSource, Source, SourceKind, find_source
from tests.napari.conftest import child
from tests.napari.recorder import Recorder
from tests.napari.test_images_panel import choose

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qtbot) -> SourcePanel:
    made = SourcePanel()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "classes.json").write_text('["sky", "road"]')
    return folder


def type_in(panel, name: str, text: object) -> None:
    child(panel, name).setText(str(text))


# files


def test_a_labelled_folder_must_be_learnt_for_a_time(panel, source_folder) -> None:
    seconds = child(panel, "semidavil_prepare_budget")
    assert not seconds.isVisible()
    type_in(panel, "semidavil_source", source_folder)
    assert panel.value() == Source(SourceKind.LABELLED, source_folder)
    assert panel.validation_error() is None
    assert seconds.isVisible()
    assert seconds.value() == 60
    seconds.setValue(300)
    assert panel.prepare_budget == Budget(seconds=300)
    panel.set_prepare_budget(Budget(steps=2))
    assert panel.prepare_budget == Budget(steps=2)


def test_a_bundle_is_source_free_unless_a_labelled_folder_is_given_too(panel, bundle, source_folder) -> None:
    type_in(panel, "semidavil_source", bundle)
    assert panel.value() == Source(SourceKind.BUNDLE, bundle)
    assert "without source images" in child(panel, "semidavil_source_hint").text()
    assert not child(panel, "semidavil_prepare_budget").isVisible()
    type_in(panel, "semidavil_source_beside", source_folder)
    assert panel.value() == Source(SourceKind.BUNDLE, bundle, source_folder)
    assert panel.validation_error() is None
    assert "keep learning from the labelled folder" in child(panel, "semidavil_source_hint").text()
    type_in(panel, "semidavil_source_beside", bundle)
    assert "no labelled folder" in panel.validation_error()
    (source_folder / "classes.json").write_text('["cell"]')
    type_in(panel, "semidavil_source_beside", source_folder)
    assert "no class in common" in panel.validation_error()


def test_a_bundle_may_be_one_zip_file(panel, bundle, tmp_path) -> None:
    for prefix in ("", "bundle/"):
        packed = tmp_path / f"packed{len(prefix)}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for file in bundle.iterdir():
                archive.write(file, prefix + file.name)
        type_in(panel, "semidavil_source", packed)
        assert panel.value() == Source(SourceKind.BUNDLE, packed)
        assert panel.validation_error() is None
        assert panel.value().classes.names == ("sky", "road")
    (tmp_path / "other.zip").write_bytes(b"no zip")
    type_in(panel, "semidavil_source", tmp_path / "other.zip")
    assert panel.value() is None


def test_a_folder_of_neither_kind_and_classes_that_cannot_be_read_are_told(panel, source_folder) -> None:
    type_in(panel, "semidavil_source", source_folder.parent)
    assert "neither a bundle" in panel.validation_error()
    (source_folder / "classes.json").write_text("[")
    type_in(panel, "semidavil_source", source_folder)
    assert "classes.json" in panel.validation_error()


def test_what_is_typed_is_looked_at_once_and_not_at_every_stroke(panel, source_folder, monkeypatch) -> None:
    type_in(panel, "semidavil_source", source_folder)
    monkeypatch.setattr(Path, "is_dir", lambda self: pytest.fail("looked again"))
    monkeypatch.setattr(Path, "read_text", lambda self, **_: pytest.fail("read again"))
    assert panel.value() is not None
    assert panel.validation_error() is None


def test_a_sample_is_one_entry_of_the_menu(panel) -> None:
    kind = child(panel, "semidavil_source_kind")
    for name in SAMPLE_NAMES:
        choose(kind, f"Sample: {name}")
        assert panel.value().kind is SourceKind.LABELLED
        assert panel.value().folder.parent.name == name
        assert kind.currentText() == "Folder or bundle"


def test_a_source_can_be_set_from_outside(panel, bundle, source_folder) -> None:
    for source in (
        Source(SourceKind.BUNDLE, bundle, source_folder),
        Source(SourceKind.LABELLED, source_folder),
    ):
        panel.setValue(source)
        assert panel.value() == source
    panel.setValue(None)
    assert panel.value() is None


# layers


def open_source_layers(widget, viewer, labels, *, image=None):
    image = np.zeros((*np.shape(labels)[-2:], 3), np.uint8) if image is None else image
    viewer.add_image(image, name="day", rgb=image.shape[-1] == 3)
    viewer.add_labels(np.asarray(labels), name="truth")
    choose(child(widget, "semidavil_source_kind"), "Layers in this viewer")
    choose(child(widget, "semidavil_source_image"), "day")
    choose(child(widget, "semidavil_source_labels"), "truth")


def settled(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: widget._aside.idle, timeout=10_000)


def test_dense_labels_in_a_layer_make_a_source(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    labels = np.full((30, 40), 2, np.int32)
    labels[:10] = 1
    labels[0, 0] = 0
    open_source_layers(widget, viewer, labels)
    settled(qtbot, widget)
    source = widget._source.value()
    assert source.kind is SourceKind.LAYERS
    assert child(widget, "semidavil_prepare_budget").isVisibleTo(widget)
    assert "day" not in widget._book.targets().values()
    assert widget._book.scribbles("night").name == "my strokes"
    assert source.classes.names == ("road", "sky")  # the window had them from before
    images, maps = source.layers.read()
    (name,) = images
    assert images[name].shape == (30, 40, 3)
    assert maps[name][0, 0] == 255
    assert maps[name][0, 1] == 0
    assert maps[name][20, 1] == 1
    viewer.layers["truth"].paint((20, 20), 3)
    settled(qtbot, widget)
    assert widget._source.value() != source
    assert len(widget._source.value().classes) == 3


def test_zero_may_be_the_background_class(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    open_source_layers(widget, viewer, np.eye(30, 40, dtype=np.uint8))
    child(widget, "semidavil_source_zero").setChecked(True)
    settled(qtbot, widget)
    assert widget._classes.value().names == ("background", "class 1")
    ((_, labels),) = widget._source.value().layers.read()[1].items()
    assert labels[0, 0] == 1
    assert labels[0, 1] == 0


def test_labels_that_do_not_fit_or_are_no_classes_are_told(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    open_source_layers(widget, viewer, np.ones((30, 40), np.uint8))
    settled(qtbot, widget)
    assert widget._source.validation_error() is None
    viewer.layers["truth"].data = np.ones((30, 41), np.uint8)
    assert "is 30 x 41, but labels of “day” must be 30 x 40" in widget._source.validation_error()
    viewer.layers["truth"].data = np.full((30, 40), 300)
    settled(qtbot, widget)
    assert "label values up to 300" in widget._source.validation_error()
    viewer.layers["truth"].data = np.zeros((30, 40), np.uint8)
    settled(qtbot, widget)
    assert "holds no labels" in widget._source.validation_error()


def test_layers_that_are_deleted_are_no_source_any_more(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    open_source_layers(widget, viewer, np.ones((30, 40), np.uint8))
    settled(qtbot, widget)
    viewer.layers.remove("truth")
    assert widget._source.value() is None
    assert "Choose the image layer" in widget._source.validation_error()
    choose(child(widget, "semidavil_source_kind"), "Folder or bundle")
    assert "day" in widget._book.targets().values()  # an ordinary image again


def test_stacks_send_only_the_planes_with_labels(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    labels = np.zeros((12, 30, 40), np.uint8)
    labels[3], labels[7] = 1, 2
    open_source_layers(widget, viewer, labels, image=np.zeros((12, 30, 40), np.uint16))
    settled(qtbot, widget)
    images, _ = widget._source.value().layers.read()
    assert set(images) == {"source-0003", "source-0007"}


# what the engine is told


def plan(source: Source, classes: ClassSet) -> RoundPlan:
    return RoundPlan(source, classes, (), Budget())


def test_layers_are_sent_as_arrays_under_the_names_that_the_classes_have_now() -> None:
    classes = ClassSet.from_names(["class 1", "class 2"])
    labels = np.zeros((4, 5), np.uint8)
    layers = LayerSource("i", "l", False, 0, classes, lambda: ({"a": np.zeros((4, 5, 3))}, {"a": labels}))
    renamed = ClassSet.from_json(
        [{"name": "nucleus", "value": 0}, {"name": "background", "value": 1}, {"name": "debris", "value": 7}]
    )
    engine = Recorder()
    list(iter_round(engine, EngineMemory(), plan(Source(SourceKind.LAYERS, layers=layers), renamed)))
    sent, prepared = engine.first(SetSource), engine.first(PrepareFromSource)
    assert sent.folder is None
    assert set(sent.images) == set(sent.labels) == {"a"}
    assert sent.classes.names == prepared.classes.names == ("nucleus", "background")
    assert engine.first(SetClasses).classes == renamed


def test_a_bundle_with_a_labelled_folder_beside_it_sends_both(bundle, source_folder) -> None:
    source = Source(SourceKind.BUNDLE, bundle, source_folder)
    engine = Recorder()
    list(iter_round(engine, EngineMemory(), plan(source, source.classes)))
    assert engine.first(SetSource) == SetSource(str(source_folder), ClassSet.from_names(["road", "sky"]))
    assert not any(isinstance(r, PrepareFromSource) for r in engine.requests)


def test_other_labels_in_the_layers_are_another_source() -> None:
    classes = ClassSet.from_names(["a", "b"])
    first, second = (LayerSource("i", "l", False, n, classes, lambda: ({}, {})) for n in (0, 1))
    assert Source(SourceKind.LAYERS, layers=first) != Source(SourceKind.LAYERS, layers=second)
    assert Source(SourceKind.LAYERS, layers=first).origin == Source(SourceKind.LAYERS, layers=second).origin


def test_a_file_that_is_no_bundle_is_no_source(tmp_path) -> None:
    (tmp_path / "classes.json").write_text(json.dumps(["a"]))
    assert find_source(tmp_path / "classes.json") is None
    assert find_source(tmp_path / "missing") is None


@pytest.mark.slow
def test_a_round_of_the_real_engine_learns_from_layers_and_sees_separate_channels(
    make_napari_viewer_proxy, qtbot
) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array([[2], [1]], np.uint8), 32, axis=0).repeat(64, axis=1)
    day = (rng.integers(0, 60, (64, 64, 3)) + 90 * labels[..., None]).astype(np.uint8)
    night = np.stack([day[..., 0] * 200, day[..., 1] // 2]).astype(np.uint16)
    viewer = make_napari_viewer_proxy()
    widget = AdaptWidget(viewer)
    viewer.window.add_dock_widget(widget)
    open_source_layers(widget, viewer, labels, image=day)
    viewer.add_image(night, name="night", axis_labels=("c", "y", "x"))
    child(widget, "semidavil_add_scribbles").click()
    strokes = viewer.layers["scribbles"]
    strokes.paint((10, 30), 2)
    strokes.paint((50, 30), 1)
    widget.prepare_budget = Budget(steps=2)
    child(widget, "semidavil_budget").setValue(1)
    qtbot.waitUntil(lambda: child(widget, "semidavil_adapt").isEnabled(), timeout=10_000)
    child(widget, "semidavil_adapt").click()
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=180_000)
    assert "Round 1" in child(widget, "semidavil_status").text()
    assert set(np.unique(viewer.layers["prediction"].data)) <= {1, 2}
    widget._jobs.close()
