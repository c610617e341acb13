"""The tour frames the real controls, one after the other, by mouse and by keyboard, and blocks nothing."""

from __future__ import annotations

import napari
import pytest
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget

from semidavil_napari._panels.callout import Callout
from semidavil_napari._tour import STEPS, Tour
from tests.napari.conftest import child

pytestmark = pytest.mark.gui


@pytest.fixture
def tour(open_widget, qtbot) -> Tour:
    widget, _ = open_widget(ready=True)
    viewer = napari.current_viewer()
    assert viewer is not None
    viewer.window._qt_window.resize(1280, 720)
    viewer.window._qt_window.show()
    qtbot.waitExposed(viewer.window._qt_window)
    child(widget, "semidavil_tour").click()
    qtbot.wait(50)
    return widget._manners._tour


def parts(tour: Tour) -> tuple[Callout, QFrame]:
    window = tour._widget.window()
    callout = window.findChild(Callout)
    frame = window.findChild(QFrame, "semidavil_tour_frame")
    assert callout is not None
    assert frame is not None
    return callout, frame


def seen(tour: Tour, name: str) -> QRect:
    """Where a control is on the window, as far as it is scrolled into view."""
    target = child(tour._widget, name)
    region = target.visibleRegion().boundingRect()
    return QRect(target.mapTo(tour._widget.window(), region.topLeft()), region.size())


def test_there_are_five_steps_and_each_control_exists(open_widget) -> None:
    widget, _ = open_widget(ready=False)
    assert len(STEPS) == 5
    for step in STEPS:
        child(widget, step.target)


def test_each_step_frames_its_control_scrolled_into_view_and_covers_it_with_no_words(
    tour: Tour, qtbot
) -> None:
    for at, step in enumerate(STEPS):
        assert tour.step == at
        qtbot.wait(30)
        callout, frame = parts(tour)
        control = seen(tour, step.target)
        assert not control.isEmpty(), f"{step.target} is not in view"
        assert frame.geometry().contains(control.center())
        assert not callout.geometry().intersects(control), step.target
        assert tour._widget.window().rect().contains(callout.geometry())
        callout.findChild(QWidget, "semidavil_tour_next").click()
    assert tour.step is None, "Done ends the tour"


def test_the_keyboard_goes_on_back_and_out(tour: Tour, qtbot) -> None:
    callout, _ = parts(tour)
    for key, at in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_Return, 2), (Qt.Key.Key_Left, 1), (Qt.Key.Key_Left, 0), (Qt.Key.Key_Left, 0)):  # fmt: skip
        qtbot.keyClick(callout, key)
        assert tour.step == at
    qtbot.keyClick(callout, Qt.Key.Key_Escape)
    assert tour.step is None


def test_it_follows_the_control_when_the_window_changes_or_someone_scrolls(tour: Tour, qtbot) -> None:
    tour.go(1)
    window = tour._widget.window()
    window.resize(1100, 640)
    qtbot.wait(100)
    _, frame = parts(tour)
    assert frame.geometry().contains(seen(tour, STEPS[1].target).center())
    area = tour._widget.findChild(QScrollArea)
    assert area is not None
    bar = area.verticalScrollBar()
    bar.setValue(bar.maximum())
    qtbot.wait(50)
    control = seen(tour, STEPS[1].target)
    assert control.isEmpty() or frame.geometry().contains(control.center())


def test_nothing_is_blocked_meanwhile_and_a_second_start_begins_anew(tour: Tour, qtbot) -> None:
    tour.go(2)
    adapt = child(tour._widget, "semidavil_adapt")
    window = tour._widget.window()
    under = window.childAt(adapt.mapTo(window, QPoint(adapt.width() // 2, adapt.height() // 2)))
    assert under is adapt, "the frame lets the mouse through"
    child(tour._widget, "semidavil_tour").click()
    assert tour.step == 0
    qtbot.wait(50)
    assert len(window.findChildren(Callout)) == 1
    tour.close()
    tour.close()
