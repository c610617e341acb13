"""The project in a real window: saved by itself, opened again as it was, and nothing painted is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

from semidavil_core.classes import ClassSet
from semidavil_core.data.image_files import write_image
from semidavil_core.project.folder import Project
from semidavil_core.project.references import ImageEntry
from semidavil_core.project.strokes import StrokeStore
from semidavil_napari._session import State
from tests.napari.conftest import child

pytestmark = pytest.mark.gui


def click(qtbot, widget, name: str) -> None:
    qtbot.mouseClick(child(widget, name), Qt.MouseButton.LeftButton)


def words(widget) -> str:
    return child(widget, "semidavil_project_status").text()


def question(widget) -> str:
    return child(widget, "semidavil_project_question").text()


def settled(qtbot, widget) -> None:
    qtbot.waitUntil(
        lambda: (
            not widget._project.autosave.busy
            and not widget._project.autosave.held
            and not widget._settle.isActive()
        ),
        timeout=20_000,
    )


def save(qtbot, widget, folder: Path) -> None:
    widget._project.autosave._timer.setInterval(50)
    widget._project_panel.ask_save = lambda: folder
    click(qtbot, widget, "semidavil_save_project")
    qtbot.waitUntil(lambda: "Saved at" in words(widget) and folder.name in words(widget), timeout=20_000)
    settled(qtbot, widget)


def reopen(qtbot, open_widget, folder: Path):
    widget, viewer = open_widget(ready=False)
    widget._project_panel.ask_open = lambda: folder
    click(qtbot, widget, "semidavil_open_project")
    return widget, viewer


def opened(qtbot, widget) -> None:
    qtbot.waitUntil(
        lambda: widget._project.project is not None and not widget._project.autosave.held, timeout=20_000
    )


def all_on_disk(folder: Path) -> dict[str, np.ndarray]:
    """The strokes that a project holds, image by image, read beside the window that has it open."""
    store, found = StrokeStore(folder / "scribbles"), {}
    for entry in map(ImageEntry.from_json, json.loads((folder / "project.json").read_text())["images"]):
        whole = found[entry.key] = np.zeros(entry.shape, np.uint8)
        for index in np.ndindex(*entry.shape[:-2]):
            plane = store.read(entry.plane(index), ClassSet.read(folder))
            whole[index] = 0 if plane is None else plane
    return found


def on_disk(folder: Path) -> np.ndarray:
    """The strokes that a project of one image holds."""
    (strokes,) = all_on_disk(folder).values()
    return strokes


def paint(viewer, place=(1, 10, 10), label: int = 2) -> None:
    viewer.layers["my strokes"].paint(place, label)


def test_a_project_comes_back_with_layers_strokes_classes_settings_and_view(
    open_widget, qtbot, tmp_path
) -> None:
    widget, viewer = open_widget()
    child(widget, "semidavil_class_name").setText("puddle")
    click(qtbot, widget, "semidavil_add_class")
    child(widget, "semidavil_budget").setValue(17)
    save(qtbot, widget, tmp_path / "job")
    paint(viewer)
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: on_disk(tmp_path / "job")[1].any(), timeout=20_000)
    painted, image = viewer.layers["my strokes"].data.copy(), viewer.layers["night"].data.copy()
    np.testing.assert_array_equal(on_disk(tmp_path / "job"), painted)
    settled(qtbot, widget)
    widget._project.close()

    again, other = reopen(qtbot, open_widget, tmp_path / "job")
    opened(qtbot, again)
    assert [la.name for la in other.layers] == ["night", "my strokes"]
    np.testing.assert_array_equal(other.layers["night"].data, image)
    np.testing.assert_array_equal(other.layers["my strokes"].data, painted)
    np.testing.assert_allclose(other.layers["night"].scale, (1, 2, 2))
    assert again._classes.value().names == ("road", "sky", "puddle")
    assert child(again, "semidavil_budget").value() == 17
    assert other.dims.current_step[0] == 1
    assert again._book.painted(again._images.value(), again._classes.value())[1] > 0
    assert child(again, "semidavil_adapt").isEnabled(), child(again, "semidavil_status").text()
    settled(qtbot, again)
    assert again._project.autosave.dirty() == []
    other.layers["my strokes"].paint((0, 20, 20), 3)  # and it goes on saving there
    again._project.autosave._timer.setInterval(50)
    qtbot.waitUntil(lambda: 3 in on_disk(tmp_path / "job"), timeout=20_000)


def test_rounds_are_kept_and_adapting_goes_on_from_the_last(
    open_widget, qtbot, tmp_path, source_folder
) -> None:
    widget, _ = open_widget()
    adapt(qtbot, widget)
    save(qtbot, widget, tmp_path / "job")
    qtbot.waitUntil((tmp_path / "job/rounds/0001/bundle/config.json").is_file, timeout=20_000)
    adapt(qtbot, widget)
    settled(qtbot, widget)
    assert (tmp_path / "job/rounds/0002/bundle/config.json").is_file()
    qtbot.waitUntil(lambda: json.loads((tmp_path / "job/project.json").read_text())["settings"]["round"] == 2)
    widget._project.close()

    again, _ = reopen(qtbot, open_widget, tmp_path / "job")
    opened(qtbot, again)
    assert [e.name for e in again._history.rounds.entries] == ["Round 1", "Round 2"]
    source = again._source.value()
    assert source.folder == tmp_path / "job/rounds/0002/bundle"
    assert source.beside == source_folder
    child(again, "semidavil_budget").setValue(1)
    adapt(qtbot, again)
    settled(qtbot, again)
    assert sorted(p.name for p in (tmp_path / "job/rounds").iterdir()) == ["0001", "0002", "0003"]
    assert json.loads((tmp_path / "job/rounds/0003/round.json").read_text())["steps"] == 9


def adapt(qtbot, widget) -> None:
    click(qtbot, widget, "semidavil_adapt")
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is not State.IDLE)
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=20_000)


def test_moved_images_are_asked_for_found_again_or_left_out(open_widget, qtbot, tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
    for name in ("a", "b"):
        write_image(tmp_path / "old" / f"{name}.png", pixels if name == "a" else 255 - pixels)
    widget, viewer = open_widget(ready=False)
    for name in ("a", "b"):
        layer = viewer.add_image(pixels if name == "a" else 255 - pixels, name=name)
        layer.metadata = {"semidavil": {"files": [str(tmp_path / "old" / f"{name}.png")]}}
    click(qtbot, widget, "semidavil_add_scribbles")
    viewer.layers["scribbles: a"].paint((5, 5), 1)
    save(qtbot, widget, tmp_path / "job")
    assert not (tmp_path / "job/images").exists(), "files are referred to, not copied"
    widget._project.close()
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / "a.png").rename(tmp_path / "new" / "renamed.png")
    (tmp_path / "old" / "b.png").unlink()

    again, other = reopen(qtbot, open_widget, tmp_path / "job")
    qtbot.waitUntil(lambda: "2 images are not where they were: a, b" in question(again), timeout=20_000)
    assert not len(other.layers)
    again._project_panel.ask_folder = lambda: tmp_path / "new"
    click(qtbot, again, "semidavil_find_images")
    qtbot.waitUntil(lambda: "1 image is not where it was: b" in question(again), timeout=20_000)
    click(qtbot, again, "semidavil_open_without")
    opened(qtbot, again)
    assert [la.name for la in other.layers] == ["a", "scribbles: a"]
    assert other.layers["scribbles: a"].data.any()
    np.testing.assert_array_equal(other.layers["a"].data, pixels)
    again._project.autosave.on_changed()
    settled(qtbot, again)
    kept = {e["key"]: e for e in json.loads((tmp_path / "job/project.json").read_text())["images"]}
    assert kept["a"]["path"] == str(tmp_path / "new" / "renamed.png")
    assert "closed" not in kept["b"]["layer"]


def test_strokes_of_a_window_that_died_are_offered_and_come_back(open_widget, qtbot, recovery_place) -> None:
    widget, viewer = open_widget()
    widget._project.autosave._timer.setInterval(50)
    qtbot.wait(400)
    assert not list(recovery_place.iterdir()), "nothing was painted by a person yet"
    paint(viewer)
    painted = viewer.layers["my strokes"].data.copy()
    qtbot.waitUntil(lambda: len(list(recovery_place.rglob("*.png"))) == 2, timeout=20_000)
    settled(qtbot, widget)
    widget._project.autosave._writer.project.close()  # what a dying process does: no goodbye, the lock is free
    widget._project.autosave._closed = True

    again, other = open_widget(ready=False)
    again._project.autosave._timer.setInterval(50)
    qtbot.waitUntil(lambda: "Recover the strokes of today" in question(again), timeout=20_000)
    other.add_image(viewer.layers["night"].data, name="night", scale=(1, 2, 2))
    click(qtbot, again, "semidavil_recover")
    qtbot.waitUntil(lambda: "strokes are back" in words(again), timeout=20_000)
    np.testing.assert_array_equal(other.layers["scribbles: night"].data, painted)
    assert again._classes.value().names == ("road", "sky")
    settled(qtbot, again)
    qtbot.waitUntil(lambda: len(list(recovery_place.iterdir())) == 1, timeout=20_000)
    assert len(list(recovery_place.rglob("*.png"))) == 2, "they are in this window's own folder now"


def test_a_saved_project_takes_the_place_of_the_recovery_folder(
    open_widget, qtbot, tmp_path, recovery_place
) -> None:
    widget, viewer = open_widget()
    widget._project.autosave._timer.setInterval(50)
    paint(viewer)
    qtbot.waitUntil(lambda: len(list(recovery_place.rglob("*.png"))) == 2, timeout=20_000)
    save(qtbot, widget, tmp_path / "job")
    qtbot.waitUntil(lambda: not list(recovery_place.iterdir()), timeout=20_000)
    np.testing.assert_array_equal(on_disk(tmp_path / "job"), viewer.layers["my strokes"].data)
    save(qtbot, widget, tmp_path / "copy")
    np.testing.assert_array_equal(on_disk(tmp_path / "copy"), viewer.layers["my strokes"].data)
    Project(tmp_path / "job").close()  # nobody holds it any more


def test_recovered_strokes_can_be_discarded(open_widget, qtbot, recovery_place) -> None:
    widget, viewer = open_widget()
    paint(viewer)
    widget._project.close()  # within the autosave's interval
    assert len(list(recovery_place.rglob("*.png"))) == 2
    again, _ = open_widget(ready=False)
    qtbot.waitUntil(lambda: "Recover" in question(again), timeout=20_000)
    click(qtbot, again, "semidavil_discard")
    qtbot.waitUntil(lambda: not list(recovery_place.iterdir()), timeout=20_000)
    assert question(again) == ""


def test_closing_saves_what_was_painted_a_moment_ago(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget()
    save(qtbot, widget, tmp_path / "job")
    widget._project.autosave._timer.setInterval(600_000)
    paint(viewer)
    painted = viewer.layers["my strokes"].data.copy()
    viewer.close()
    np.testing.assert_array_equal(on_disk(tmp_path / "job"), painted)


def test_undo_and_erasing_are_saved_too(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget()
    save(qtbot, widget, tmp_path / "job")
    before = viewer.layers["my strokes"].data.copy()
    paint(viewer)
    qtbot.waitUntil(lambda: on_disk(tmp_path / "job")[1].any(), timeout=20_000)
    viewer.layers["my strokes"].undo()
    qtbot.waitUntil(lambda: not on_disk(tmp_path / "job")[1].any(), timeout=20_000)
    np.testing.assert_array_equal(on_disk(tmp_path / "job"), before)


def test_a_disk_that_cannot_be_written_is_told_and_tried_again(
    open_widget, qtbot, tmp_path, monkeypatch
) -> None:
    widget, viewer = open_widget()
    save(qtbot, widget, tmp_path / "job")
    monkeypatch.setattr("semidavil_napari._autosave._TRY_AGAIN_MS", 100)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        paint(viewer)
        qtbot.waitUntil(lambda: "No space left" in words(widget), timeout=20_000)
    qtbot.waitUntil(lambda: on_disk(tmp_path / "job")[1].any(), timeout=20_000)
    qtbot.waitUntil(lambda: "Saved at" in words(widget), timeout=20_000)


def test_one_project_in_two_windows_is_refused_in_words(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget()
    save(qtbot, widget, tmp_path / "job")
    second, _ = reopen(qtbot, open_widget, tmp_path / "job")
    qtbot.waitUntil(lambda: "open already" in words(second), timeout=20_000)
    assert child(second, "semidavil_open_project").isEnabled()


def test_a_folder_that_is_no_project_is_refused_in_words(open_widget, qtbot, tmp_path) -> None:
    widget, _ = reopen(qtbot, open_widget, tmp_path)
    qtbot.waitUntil(lambda: "not a SemiDAViL project" in words(widget), timeout=20_000)
    widget._project_panel.ask_save = lambda: tmp_path
    (tmp_path / "mine.txt").write_text("precious")
    click(qtbot, widget, "semidavil_save_project")
    qtbot.waitUntil(lambda: "holds other files" in words(widget), timeout=20_000)


def test_a_project_is_saved_when_it_has_the_images_that_are_no_files(open_widget, qtbot, tmp_path) -> None:
    """A window that ends right after the words came to no more: nothing later may be needed."""
    widget, _ = open_widget()
    widget._project.autosave._timer.setInterval(600_000)
    widget._project_panel.ask_save = lambda: tmp_path / "job"
    click(qtbot, widget, "semidavil_save_project")
    qtbot.waitUntil(lambda: "Saved at" in words(widget), timeout=20_000)
    (entry,) = json.loads((tmp_path / "job" / "project.json").read_text())["images"]
    assert entry["embedded"]
    assert len(list((tmp_path / "job" / "images").iterdir())) == 2


def test_closing_napari_while_a_project_takes_copies_keeps_the_images(open_widget, qtbot, tmp_path) -> None:
    widget, viewer = open_widget()
    widget._project.autosave._timer.setInterval(600_000)
    widget._project_panel.ask_save = lambda: tmp_path / "job"
    click(qtbot, widget, "semidavil_save_project")
    qtbot.waitUntil(lambda: widget._project.project is not None, timeout=20_000)
    image = viewer.layers["night"].data.copy()
    widget._project.close()
    again, other = reopen(qtbot, open_widget, tmp_path / "job")
    opened(qtbot, again)
    np.testing.assert_array_equal(other.layers["night"].data, image)
