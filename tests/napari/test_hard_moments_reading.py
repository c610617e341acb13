"""Hard moments of what a round reads and shows: images that cannot be read any more, layers of the source or of the places that go."""

from __future__ import annotations

import numpy as np
import pytest

from semidavil_napari._image_planes import reader
from semidavil_napari._session import State
from tests.napari.conftest import child
from tests.napari.driving import (
    begin_round,
    click,
    finish_round,
    hold,
    layer,
    let_go,
    run_round,
    status,
    wait_for,
)
from tests.napari.test_source_panel import open_source_layers
from tests.napari.test_source_panel import settled as counted

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("the drive is gone"), "unexpected OSError (the drive is gone)"),
        (RuntimeError("no such codec"), "unexpected RuntimeError (no such codec)"),
        (MemoryError(), "ran out of memory"),
    ],
)
def test_an_image_that_cannot_be_read_ends_the_round_in_a_sentence(
    open_widget, qtbot, monkeypatch, error: Exception, words: str
) -> None:
    widget, viewer = open_widget()
    run_round(qtbot, widget)
    shown, pid = layer(viewer, "prediction").data.copy(), widget._jobs.engine_pid

    def broken(image, place):
        def read() -> np.ndarray:
            raise error

        return read if place == (1,) else reader(image, place)

    with monkeypatch.context() as patch:
        patch.setattr("semidavil_napari._places.reader", broken)
        run_round(qtbot, widget)
    assert words in status(widget)
    np.testing.assert_array_equal(layer(viewer, "prediction").data, shown)
    run_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)
    assert widget._jobs.engine_pid == pid


def test_the_layer_of_places_renamed_and_deleted_mid_round(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    run_round(qtbot, widget)
    qtbot.waitUntil(lambda: layer(viewer, "suggestions") is not None, timeout=20_000)
    begin_round(qtbot, widget)
    layer(viewer, "suggestions").name = "rings"
    viewer.layers.remove("rings")
    click(qtbot, widget, "semidavil_next")  # comes back with the next flight
    assert layer(viewer, "suggestions") is not None
    viewer.layers.remove(layer(viewer, "suggestions"))
    finish_round(qtbot, widget)
    assert "Round 2 finished" in status(widget)
    qtbot.waitUntil(lambda: layer(viewer, "suggestions") is not None, timeout=20_000)


@pytest.mark.parametrize("name", ["day", "truth"])
def test_a_source_layer_deleted_while_the_model_learns_from_it(open_widget, qtbot, name: str) -> None:
    widget, viewer = open_widget()
    labels = np.repeat(np.array([1, 2], np.uint8), 15)[:, None].repeat(40, axis=1)
    open_source_layers(widget, viewer, labels)
    counted(qtbot, widget)
    hold(State.PREPARING)
    click(qtbot, widget, "semidavil_adapt")
    wait_for(qtbot, widget, State.PREPARING)
    viewer.layers.remove(name)
    let_go(State.PREPARING)
    wait_for(qtbot, widget, State.IDLE)
    assert "Round 1 finished" in status(widget)
    assert "Choose the image layer and the labels layer" in status(widget)
    assert not child(widget, "semidavil_adapt").isEnabled()
