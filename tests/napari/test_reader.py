"""File > Open with a project or a bundle, and with everything that is neither."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.project.folder import Project, ProjectState
from semidavil_core.project.references import ImageEntry
from semidavil_napari._commands import window_of
from semidavil_napari._reader import get_reader

CLASSES = ClassSet.from_names(["road", "sky"])
BUNDLE = json.dumps({"format": "semidavil-bundle", "schema_version": 1})


def project(folder: Path) -> Path:
    entry = ImageEntry("night", "night", (20, 30), name="night", embedded=True)
    made = Project.create(folder, ProjectState((entry,), CLASSES))
    made.write_copy(entry, (), np.full((20, 30), 7, np.uint8), colours=False)
    made.write_strokes(entry, (), np.eye(20, 30, dtype=np.uint8), CLASSES)
    made.close()
    return folder


def bundle(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(BUNDLE)
    (folder / "classes.json").write_text('["road", "sky"]')
    return folder


def test_projects_and_bundles_are_claimed_by_folder_file_and_zip(tmp_path: Path) -> None:
    project(tmp_path / "job"), bundle(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("config.json", BUNDLE)
    for path in ("job", "job/project.json", "model", "model/config.json", "model.zip"):
        assert get_reader(str(tmp_path / path)) is not None, path
        assert get_reader([str(tmp_path / path)]) is not None, path


def test_nothing_else_is_claimed(tmp_path: Path) -> None:
    for name, content in (
        ("project.json", '{"name": "website"}'),
        ("config.json", "[1]"),
        ("a.zip", "no archive"),
    ):
        (tmp_path / name).write_text(content)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "project.json").write_text('{"format": "semidavil-pro')
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.png", "x")
    names = (
        "project.json",
        "config.json",
        "a.zip",
        "broken",
        "empty",
        "photos.zip",
        "missing.tif",
        "missing/project.json",
    )
    for name in names:
        assert get_reader(str(tmp_path / name)) is None, name
    made = [str(project(tmp_path / name)) for name in ("one", "two")]
    assert get_reader(made) is None, "two at once"


@pytest.mark.gui
def test_opening_a_project_file_shows_its_layers_in_the_window(
    plugin, make_napari_viewer_proxy, qtbot, tmp_path
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.open(str(project(tmp_path / "job") / "project.json"), plugin="semidavil-napari")
    widget = window_of(viewer)
    assert widget is not None
    qtbot.waitUntil(lambda: widget._project.project is not None, timeout=20_000)
    assert [la.name for la in viewer.layers] == ["night", "scribbles: night"]
    np.testing.assert_array_equal(viewer.layers[1].data, np.eye(20, 30))
    widget._project.close()


@pytest.mark.gui
def test_opening_a_bundle_puts_it_where_rounds_start_from(plugin, make_napari_viewer_proxy, tmp_path) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.open(str(bundle(tmp_path / "model") / "config.json"), plugin="semidavil-napari")
    widget = window_of(viewer)
    assert widget is not None
    assert widget._source.value().folder == tmp_path / "model"
    assert widget._classes.value() == CLASSES
    widget._project.close()
