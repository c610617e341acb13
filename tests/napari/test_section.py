"""Sections fold to a line that says what they hold; a sample folds what is chosen; the tour unfolds what it shows."""

from __future__ import annotations

import napari
import numpy as np
import pytest
from qtpy.QtWidgets import QLabel, QWidget

from semidavil_napari._panels.section import Section, unfold_around
from semidavil_napari._session import State, Status
from tests.napari.conftest import child
from tests.napari.test_plugin import has_sample

pytestmark = pytest.mark.gui


class Panel(QWidget):
    """A panel that can say in one line what it holds."""

    def summary(self) -> str:
        return "three\nimages"


@pytest.fixture
def section(qtbot) -> Section:
    panel = Panel()
    QLabel("inside", panel).setObjectName("inside")
    section = Section("1  Images", panel)
    qtbot.addWidget(section)
    section.resize(400, 80)
    section.show()
    return section


def texts(section: Section) -> str:
    return " ".join(label.text() for label in section.findChildren(QLabel) if label.isVisible())


def test_a_click_on_the_title_folds_it_to_one_line_that_tells_what_it_holds(section: Section) -> None:
    assert "inside" in texts(section)
    child(section, "semidavil_section_images").click()
    assert section.folded
    assert texts(section) == "three images"
    child(section, "semidavil_section_images").click()
    assert not section.folded
    assert "three" not in texts(section)


def test_what_lies_inside_can_be_brought_to_light(section: Section) -> None:
    section.fold(True)
    unfold_around(child(section, "inside"))
    assert child(section, "inside").isVisible()


def test_a_folded_section_tells_what_is_missing_and_then_what_was_chosen(open_widget) -> None:
    widget, viewer = open_widget(ready=False)
    images = next(s for s in widget.findChildren(Section) if "Images" in s._title)
    images.fold(True)
    assert "try a sample" in images._summary.text()
    viewer.add_image(np.zeros((3, 32, 40, 3), np.uint8), name="night")
    assert "night" in images._summary.text()


def test_even_the_pinned_sections_fold_and_go_on_telling_how_it_fares(open_widget) -> None:
    widget, _ = open_widget()
    adapt = next(s for s in widget.findChildren(Section) if "Adapt" in s._title)
    adapt.fold(True)
    assert adapt._summary.text() == "Ready to adapt."
    widget._adapt.show_status(Status(State.ADAPTING, "Round 3: 41 s left"), None)
    assert adapt._summary.text() == "Round 3: 41 s left"


def test_a_sample_opens_from_the_empty_window_and_leaves_the_classes_in_view(
    plugin, make_napari_viewer_proxy, qtbot
) -> None:
    if not has_sample("cells"):
        pytest.skip("the sample is not part of this installation")
    viewer = make_napari_viewer_proxy(show=True)
    napari.current_viewer().window._qt_window.resize(1280, 720)
    _, widget = viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    try:
        child(widget, "semidavil_try_cells").click()
        assert child(widget, "semidavil_adapt").isEnabled()
        assert not child(widget, "semidavil_try_cells").isVisible()
        qtbot.waitUntil(lambda: not child(widget, "semidavil_classes").visibleRegion().isEmpty())
        folded = {s._title.split()[1] for s in widget.findChildren(Section) if s.folded and s.isVisible()}
        assert folded == {"Images", "Start", "Guidance"}
    finally:
        widget._project.close()
        widget._jobs.close()


def test_the_tour_unfolds_what_it_shows(open_widget) -> None:
    widget, _ = open_widget()
    for section in widget.findChildren(Section):
        section.fold(True)
    child(widget, "semidavil_tour").click()
    assert not child(widget, "semidavil_target").isHidden()
    assert widget._manners._tour._target().objectName() == "semidavil_target"
    widget._manners._tour.close()
