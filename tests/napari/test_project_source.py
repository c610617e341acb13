"""Layers that are the source, saved in a project and opened again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import open_labelled
from semidavil_napari._sources import SourceKind
from tests.napari.conftest import child
from tests.napari.driving import click, run_round
from tests.napari.test_project_window import opened, reopen, save, settled
from tests.napari.test_source_panel import open_source_layers
from tests.napari.test_source_panel import settled as counted

pytestmark = pytest.mark.gui

LABELS = np.repeat(np.array([1, 2], np.int32), 15)[:, None].repeat(40, axis=1)


def with_source_layers(open_widget, qtbot):
    widget, viewer = open_widget()
    day = np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8)
    open_source_layers(widget, viewer, LABELS.copy(), image=day)
    counted(qtbot, widget)
    assert child(widget, "semidavil_adapt").isEnabled()
    return widget, viewer


def test_source_layers_come_back_with_what_their_values_mean(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = with_source_layers(open_widget, qtbot)
    child(widget, "semidavil_classes").selectRow(1)
    click(qtbot, widget, "semidavil_class_up")
    assert widget._classes.value().names == ("sky", "road")
    save(qtbot, widget, tmp_path / "job")
    viewer.layers["truth"].paint((20, 20), 1)
    counted(qtbot, widget)
    settled(qtbot, widget)
    viewer.layers["truth"].paint((3, 3), 0)
    counted(qtbot, widget)
    settled(qtbot, widget)
    labels, day = viewer.layers["truth"].data.copy(), viewer.layers["day"].data.copy()
    images, maps = widget._source.value().layers.read()
    click(qtbot, widget, "semidavil_copy_command")
    folder = tmp_path / "job" / "source"
    assert f"--source {folder}" in QApplication.clipboard().text()
    dataset = open_labelled(folder, ClassSet.read(folder))
    np.testing.assert_array_equal(dataset[0].labels, maps["source"])
    viewer.close()

    again, other = reopen(qtbot, open_widget, tmp_path / "job")
    opened(qtbot, again)
    counted(qtbot, again)
    np.testing.assert_array_equal(other.layers["day"].data, day)
    np.testing.assert_array_equal(other.layers["truth"].data, labels)
    assert list(again._book.targets().values()) == ["night"]
    assert again._book.scribbles("night").name == "my strokes"
    assert again._classes.value().names == ("sky", "road")
    source = again._source.value()
    assert source.kind is SourceKind.LAYERS
    assert source.classes.names == ("road", "sky")
    for before, now in zip((images, maps), source.layers.read(), strict=True):
        np.testing.assert_array_equal(before["source"], now["source"])
    assert child(again, "semidavil_adapt").isEnabled(), child(again, "semidavil_status").text()
    run_round(qtbot, again)
    assert "Round 1 finished" in child(again, "semidavil_status").text()


def test_after_a_round_its_model_is_gone_on_from_and_the_layers_stay_out_of_what_is_adapted_to(
    open_widget, qtbot, tmp_path
) -> None:
    widget, viewer = with_source_layers(open_widget, qtbot)
    save(qtbot, widget, tmp_path / "job")
    run_round(qtbot, widget)
    settled(qtbot, widget)
    viewer.close()
    for _ in range(2):
        again, other = reopen(qtbot, open_widget, tmp_path / "job")
        opened(qtbot, again)
        settled(qtbot, again)
        assert again._source.value().folder == tmp_path / "job/rounds/0001/bundle"
        assert list(again._book.targets().values()) == ["night"]
        assert {"day", "truth"} <= {la.name for la in other.layers}
        again._project.autosave.on_changed()
        settled(qtbot, again)
        other.close()


def test_source_layers_that_are_let_go_leave_the_project(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = with_source_layers(open_widget, qtbot)
    save(qtbot, widget, tmp_path / "job")
    assert source_roles(tmp_path / "job") == ["source", "source_labels"]
    viewer.layers.remove("truth")
    settled(qtbot, widget)
    qtbot.waitUntil(lambda: source_roles(tmp_path / "job") == [], timeout=20_000)


def source_roles(project) -> list[str]:
    images = json.loads((project / "project.json").read_text())["images"]
    return [role for image in images if (role := image["layer"].get("role")) is not None]
