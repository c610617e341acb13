"""Places to paint next come after a round, are ringed, flown to, and go away once painted; pseudo-labels are accepted on command."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Points
from qtpy.QtWidgets import QLabel, QPushButton

from semidavil_core.events import Suggestion, SuggestionsReady
from semidavil_napari._flight import camera_of
from semidavil_napari._layer_tags import Role, role_of
from semidavil_napari._panels.paint_next import PaintNextPanel, Places
from semidavil_napari._session import State
from tests.napari.conftest import child, press

pytestmark = pytest.mark.gui


def ring_layers(viewer) -> list[Points]:
    return [layer for layer in viewer.layers if role_of(layer) == Role.SUGGESTIONS]


def after_a_round(widget, qtbot) -> None:
    child(widget, "semidavil_adapt").click()
    qtbot.waitUntil(lambda: widget._conductor.session.status.rounds == 1, timeout=30_000)
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=30_000)
    qtbot.waitUntil(lambda: widget._next_panel.value().total > 0, timeout=30_000)


@pytest.fixture
def adapted(open_widget, qtbot):
    widget, viewer = open_widget()
    assert not child(widget, "semidavil_next").isEnabled()
    after_a_round(widget, qtbot)
    return widget, viewer


def reason(widget) -> str:
    label = widget.findChild(QLabel, "semidavil_next_reason")
    assert label is not None
    return label.text()


def test_after_a_round_the_places_are_ringed_in_a_locked_layer_where_the_image_lies(adapted) -> None:
    widget, viewer = adapted
    (layer,) = ring_layers(viewer)
    assert layer.name == "paint next"
    assert not layer.editable
    assert len(layer.data) == 4
    np.testing.assert_array_equal(layer.scale, viewer.layers["night"].scale)
    assert viewer.layers.selection.active != layer
    assert reason(widget).startswith("4 places found")


def test_next_flies_there_selects_the_likely_class_and_says_why(adapted) -> None:
    widget, viewer = adapted
    viewer.dims.set_current_step(0, 1)
    child(widget, "semidavil_next").click()
    assert viewer.dims.current_step[0] == 0
    np.testing.assert_allclose(camera_of(viewer).center[-2:], (32, 40))
    strokes = viewer.layers["my strokes"]
    assert viewer.layers.selection.active == strokes
    assert (strokes.mode, strokes.selected_label) == ("paint", 2)
    assert reason(widget).startswith("Place 1 of 4, likely sky: the model is unsure between road")
    for _ in range(2):
        child(widget, "semidavil_next").click()
    assert viewer.dims.current_step[0] == 1, "the third place is in the second image of the stack"
    child(widget, "semidavil_next_back").click()
    assert reason(widget).startswith("Place 2 of 4")


def test_the_keys_do_what_the_buttons_do(adapted) -> None:
    widget, viewer = adapted
    press("N")
    press("N")
    assert reason(widget).startswith("Place 2 of 4")
    press("Shift-N")
    assert reason(widget).startswith("Place 1 of 4")
    press("1")
    assert viewer.layers["my strokes"].selected_label == 1
    press("9")
    assert "no class 9" in viewer.status


def test_a_place_goes_away_once_painted_and_next_goes_to_the_one_after_it(adapted, qtbot) -> None:
    widget, viewer = adapted
    child(widget, "semidavil_next").click()
    viewer.layers["my strokes"].paint((0, 16, 20), 2)
    qtbot.waitUntil(lambda: widget._next_panel.value().total == 3, timeout=5_000)
    assert len(ring_layers(viewer)[0].data) == 3
    child(widget, "semidavil_next").click()
    assert reason(widget).startswith("Place 1 of 3")
    np.testing.assert_allclose(camera_of(viewer).center[-2:], (16, 20))
    viewer.layers["my strokes"].undo()


def test_when_every_place_is_painted_the_layer_goes_and_the_panel_says_what_to_do(adapted) -> None:
    widget, viewer = adapted
    strokes = viewer.layers["my strokes"]
    strokes.data_setitem(tuple(axis.ravel() for axis in np.indices(strokes.data.shape)), 1)
    widget._next.on_strokes()
    assert not ring_layers(viewer)
    assert "Adapt again" in reason(widget)
    assert child(widget, "semidavil_next").isEnabled(), "asking again is allowed"


def test_a_deleted_layer_comes_back_with_the_next_flight(adapted) -> None:
    widget, viewer = adapted
    viewer.layers.remove(ring_layers(viewer)[0])
    child(widget, "semidavil_next").click()
    assert len(ring_layers(viewer)) == 1


def test_places_on_an_image_that_is_gone_are_dropped(adapted) -> None:
    widget, viewer = adapted
    viewer.layers.remove("night")
    child(widget, "semidavil_next").click()
    assert widget._next_panel.value().total < 4


def test_when_an_image_goes_its_places_and_their_rings_go_at_once_and_no_other_image_inherits_them(
    adapted, qtbot
) -> None:
    widget, viewer = adapted
    viewer.layers.remove("night")
    viewer.add_image(np.zeros((2, 32, 40, 3), np.uint8), name="night")
    assert widget._next_panel.value().total == 0
    assert "images with places to paint are gone" in reason(widget)
    qtbot.waitUntil(lambda: not ring_layers(viewer), timeout=5_000)


def test_places_on_images_that_stay_are_kept_when_another_goes(adapted) -> None:
    widget, viewer = adapted
    viewer.add_image(np.zeros((32, 40, 3), np.uint8), name="day")
    places = [Suggestion(name, 10, 12, 3.0, 0.5, 0, "road", "unsure") for name in ("day", "night/0001")]
    widget._next._on_event(SuggestionsReady(tuple(places)))
    assert widget._next_panel.value().total == 2
    viewer.layers.remove("day")
    assert reason(widget) == "1 place found; it is ringed in the image."


def test_an_image_that_went_during_the_round_is_not_told_as_a_sure_model(adapted) -> None:
    widget, viewer = adapted
    widget._next._on_event(SuggestionsReady(()))
    assert "the model is sure" in reason(widget)
    viewer.layers.remove("night")
    gone = Suggestion("night/0001", 10, 12, 3.0, 0.5, 0, "road", "unsure")
    for found in ((gone,), ()):
        widget._next._on_event(SuggestionsReady(found))
        assert "images with places to paint are gone" in reason(widget)


def test_a_flight_shows_an_image_that_lies_under_another(adapted) -> None:
    widget, viewer = adapted
    over = viewer.add_image(np.zeros((64, 80), np.uint8), name="over")
    beside = viewer.add_image(np.zeros((64, 80), np.uint8), name="beside", translate=(0, 500))
    child(widget, "semidavil_next").click()
    assert not over.visible
    assert beside.visible
    assert viewer.layers["night"].visible


def test_a_second_question_replaces_the_places(adapted) -> None:
    widget, viewer = adapted
    place = Suggestion("night/0001", 10, 12, 3.0, 0.5, 0, "road", "unsure whether this is road (61%)")
    gone = Suggestion("gone", 10, 12, 3.0, 0.5, 0, "road", "unsure")
    widget._next._on_event(SuggestionsReady((place, gone)))
    assert reason(widget) == "1 place found; it is ringed in the image."
    np.testing.assert_array_equal(ring_layers(viewer)[0].data, [[1, 10, 12]])


# --- accepting pseudo-labels ---------------------------------------------------------------------------------------------


def point_at(viewer, index: int, y: int, x: int) -> None:
    viewer.dims.set_current_step(0, index)
    viewer.cursor.position = (index, 2 * y, 2 * x)


def test_the_patch_under_the_cursor_is_painted_and_undone_in_one_piece(adapted) -> None:
    widget, viewer = adapted
    strokes, pseudo = viewer.layers["my strokes"], viewer.layers["pseudo-labels"]
    before = strokes.data.copy()
    pseudo.data[0] = 0
    pseudo.data[0, 10:14, 10:14], pseudo.data[0, 10:14, 30:34] = 2, 2
    point_at(viewer, 0, 12, 12)
    widget.accept_pseudo_label()
    assert (strokes.data[0, 10:14, 10:14] == 2).all()
    assert (strokes.data != before).sum() == 16, "only the patch that hangs together"
    assert "16 pixels" in viewer.status
    strokes.undo()
    np.testing.assert_array_equal(strokes.data, before)


def test_painted_pixels_stay_as_they_are(adapted) -> None:
    widget, viewer = adapted
    strokes, pseudo = viewer.layers["my strokes"], viewer.layers["pseudo-labels"]
    pseudo.data[0] = 2
    assert (strokes.data[0, :4] == 1).all()
    point_at(viewer, 0, 3, 12)
    widget.accept_pseudo_label()
    assert (strokes.data[0, :4] == 1).all()
    assert (strokes.data[0, 4:7, 12] == 2).all()


def test_far_pixels_of_a_large_patch_are_left_alone(adapted) -> None:
    widget, viewer = adapted
    viewer.layers["pseudo-labels"].data[0] = 2
    point_at(viewer, 0, 16, 5)
    widget.accept_pseudo_label()
    assert not viewer.layers["my strokes"].data[0, 4:28, 30:].any()


@pytest.mark.parametrize(
    ("value", "y", "words"), [(0, 12, "not sure enough"), (2, -400, "Point at"), (1, 12, "painted already")]
)
def test_what_cannot_be_accepted_is_told(adapted, value: int, y: int, words: str) -> None:
    widget, viewer = adapted
    viewer.layers["pseudo-labels"].data[0] = value
    if value == 1:
        viewer.layers["my strokes"].data[0] = 2
    before = viewer.layers["my strokes"].data.copy()
    point_at(viewer, 0, y, 12)
    widget.accept_pseudo_label()
    assert words in viewer.status
    np.testing.assert_array_equal(viewer.layers["my strokes"].data, before)


# --- the panel ------------------------------------------------------------------------------------------------------------


def test_the_panel_shows_k_of_n_and_gives_its_value_back(qtbot) -> None:
    panel = PaintNextPanel()
    qtbot.addWidget(panel)
    places = Places(3, 1, "pole", "unsure between pole and tree", True)
    panel.setValue(places)
    assert panel.value() == places
    assert panel.validation_error() is None
    button = panel.findChild(QPushButton, "semidavil_next")
    assert button is not None
    with qtbot.waitSignal(panel.wanted) as told:
        button.click()
    assert told.args == [1]
