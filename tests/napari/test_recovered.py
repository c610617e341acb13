"""Strokes of a window that died, given back to images that are in no file: a sample's, and those that were in memory."""

from __future__ import annotations

import numpy as np
import pytest

from semidavil_napari import _sample_data
from tests.napari.driving import click, layer
from tests.napari.test_project_window import question, save, settled, words

pytestmark = pytest.mark.gui


def window_on_the_sample(open_widget, monkeypatch):
    """A window with the sample of cells open."""
    widget, viewer = open_widget(ready=False)
    monkeypatch.setattr(_sample_data, "_show_widget", lambda: None)
    for data, arguments, kind in _sample_data.cells():
        getattr(viewer, f"add_{kind}")(data, **arguments)
    return widget, viewer


def die(qtbot, widget, recovery_place) -> None:
    """The end of a process that is killed after the autosave: no goodbye, the lock is free."""
    widget._project.autosave._timer.setInterval(50)
    widget._project.on_strokes()
    qtbot.waitUntil(lambda: bool(list(recovery_place.rglob("*.png"))), timeout=20_000)
    settled(qtbot, widget)
    widget._project.autosave._writer.project.close()
    widget._project.autosave._closed = True


def recover(qtbot, widget) -> str:
    """Recover the strokes; what is said of it."""
    qtbot.waitUntil(lambda: "Recover the strokes" in question(widget), timeout=20_000)
    click(qtbot, widget, "semidavil_recover")
    qtbot.waitUntil(lambda: "back" in words(widget), timeout=20_000)
    told = words(widget)
    widget._project.autosave._timer.setInterval(50)
    settled(qtbot, widget)
    return told


def killed_on_a_sample(qtbot, open_widget, monkeypatch, recovery_place):
    """A window that died on the sample of cells; its image and strokes."""
    widget, viewer = window_on_the_sample(open_widget, monkeypatch)
    viewer.layers["scribbles"].paint((5, 20, 20), 1)
    die(qtbot, widget, recovery_place)
    return viewer.layers["cells"].data, viewer.layers["scribbles"].data.copy()


def test_recovering_strokes_on_a_sample_opens_the_sample_too(
    open_widget, qtbot, monkeypatch, recovery_place, tmp_path
) -> None:
    image, painted = killed_on_a_sample(qtbot, open_widget, monkeypatch, recovery_place)
    again, viewer = open_widget(ready=False)
    assert recover(qtbot, again) == "The strokes are back. Save a project to keep them."
    assert again._images.value() == ("cells",)
    np.testing.assert_array_equal(viewer.layers["cells"].data, image)
    np.testing.assert_array_equal(layer(viewer, "scribbles").data, painted)
    assert again._source.value().folder.name == "source", "and what the sample is adapted from"
    save(qtbot, again, tmp_path / "job")
    qtbot.waitUntil(lambda: not list(recovery_place.iterdir()), timeout=20_000)


def test_strokes_are_recovered_onto_a_sample_that_was_opened_before(
    open_widget, qtbot, monkeypatch, recovery_place
) -> None:
    painted = killed_on_a_sample(qtbot, open_widget, monkeypatch, recovery_place)[1]
    again, viewer = window_on_the_sample(open_widget, monkeypatch)
    recover(qtbot, again)
    assert [la.name for la in viewer.layers] == ["cells", "scribbles"]
    np.testing.assert_array_equal(viewer.layers["scribbles"].data, painted)


def test_strokes_painted_on_the_sample_before_recovering_are_not_mixed_in(
    open_widget, qtbot, monkeypatch, recovery_place
) -> None:
    painted = killed_on_a_sample(qtbot, open_widget, monkeypatch, recovery_place)[1]
    again, viewer = window_on_the_sample(open_widget, monkeypatch)
    viewer.layers["scribbles"].paint((7, 30, 30), 2)
    present = viewer.layers["scribbles"].data.copy()
    recover(qtbot, again)
    assert again._images.value() == ("cells", "cells (2)")
    np.testing.assert_array_equal(again._book.scribbles("cells").data, present)
    np.testing.assert_array_equal(again._book.scribbles("cells (2)").data, painted)


def test_strokes_without_their_image_name_it_and_lie_on_it_when_it_comes(
    open_widget, qtbot, recovery_place
) -> None:
    widget, viewer = open_widget()
    viewer.layers["my strokes"].paint((1, 10, 10), 2)
    image, painted = viewer.layers["night"].data, viewer.layers["my strokes"].data.copy()
    die(qtbot, widget, recovery_place)
    again, other = open_widget(ready=False)
    told = recover(qtbot, again)
    assert "“night”" in told
    assert "under this name" in told
    other.add_labels(np.zeros((2, 32, 40), np.uint8), name="something else")
    other.add_image(image, name="night", scale=(1, 2, 2))
    assert again._images.value() == ("night",)
    np.testing.assert_array_equal(again._book.scribbles("night").data, painted)


def test_a_project_saved_while_the_recovery_folder_is_begun_leaves_no_folder_behind(
    open_widget, qtbot, recovery_place, tmp_path
) -> None:
    widget, viewer = open_widget()
    viewer.layers["my strokes"].paint((1, 10, 10), 2)
    qtbot.waitUntil(lambda: not widget._settle.isActive(), timeout=20_000)
    widget._project.autosave.save_now()
    save(qtbot, widget, tmp_path / "job")
    qtbot.waitUntil(lambda: not list(recovery_place.iterdir()), timeout=20_000)
