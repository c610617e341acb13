"""The plot of the rounds: what it keeps, what it says, and that it draws in both themes."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPalette
from qtpy.QtWidgets import QVBoxLayout, QWidget

from semidavil_napari._panels.plot import RoundPlot
from semidavil_napari._panels.plot_drawing import plot_area

pytestmark = pytest.mark.gui


@pytest.fixture
def plot(qtbot) -> RoundPlot:
    widget = RoundPlot()
    qtbot.addWidget(widget)
    widget.resize(300, widget.height())
    return widget


def run(plot: RoundPlot, name: str = "Round 1", steps: int = 50) -> None:
    plot.begin(name, 10.0)
    plot.add_right(0.0, 0.4)
    for step in range(steps):
        plot.add_loss(step / steps * 10, 2.0 - step / steps)
    plot.add_right(9.8, 0.7)


def picture(plot: RoundPlot) -> np.ndarray:
    image = plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(image.height(), image.width(), 4)[..., 2::-1].copy()


def shows(drawn: np.ndarray, colour: str) -> int:
    wanted = QColor(colour)
    rgb = np.array([wanted.red(), wanted.green(), wanted.blue()])
    return int((np.abs(drawn.astype(int) - rgb).sum(-1) < 12).sum())


def test_values_can_be_read_at_any_moment_and_by_a_screen_reader(plot: RoundPlot) -> None:
    assert plot.value_at(1.0) == ""
    run(plot)
    assert plot.value_at(0.0) == "Round 1, 0 s: loss 2.00, 40% of strokes kept aside right"
    assert "70% of strokes kept aside right" in plot.accessibleDescription()


def test_three_earlier_rounds_stay(plot: RoundPlot) -> None:
    for number in range(1, 7):
        run(plot, f"Round {number}", steps=5)
    assert [c.name for c in plot.curves] == ["Round 3", "Round 4", "Round 5", "Round 6"]


def test_a_long_round_keeps_few_points_and_its_ends(plot: RoundPlot) -> None:
    run(plot, steps=20_000)
    curve = plot.curves[-1]
    assert len(curve.loss) <= 600
    assert curve.loss[0][0] < 0.2
    assert curve.loss[-1][0] > 9.5
    for n in range(2000):
        plot.add_right(10 + n, 0.5)
    assert len(curve.right) <= 600
    assert curve.right[-1] == (2009, 0.5)


def test_a_failed_round_is_dotted_and_one_without_a_step_is_dropped(plot: RoundPlot) -> None:
    run(plot)
    plot.fail()
    assert plot.curves[-1].failed
    plot.begin("Round 2", 10.0)
    plot.fail()
    assert [c.name for c in plot.curves] == ["Round 1"]


@pytest.mark.parametrize(("ink", "paper", "loss", "right"), [
    ("#f0f1f2", "#262930", "#e69f00", "#56b4e9"),
    ("#3b3a39", "#efebe9", "#b45f00", "#0060a8"),
])  # fmt: skip
def test_both_curves_are_drawn_in_shades_for_the_theme(
    plot: RoundPlot, ink: str, paper: str, loss: str, right: str
) -> None:
    palette = plot.palette()
    palette.setColor(QPalette.ColorRole.WindowText, QColor(ink))
    palette.setColor(QPalette.ColorRole.Window, QColor(paper))
    plot.setPalette(palette)
    plot.setAutoFillBackground(True)
    empty = picture(plot)
    run(plot)
    drawn = picture(plot)
    assert shows(drawn, loss) > 60
    assert shows(drawn, right) > 30
    assert not shows(empty, loss)
    assert drawn.shape[0] == plot.height()


def test_the_pointer_reads_values_in_place_of_the_legend(plot: RoundPlot, qtbot) -> None:
    run(plot)
    legend = picture(plot)
    at = QPoint(int(plot_area(plot).center().x()), 60)
    none = Qt.MouseButton.NoButton
    plot.mouseMoveEvent(QMouseEvent(QEvent.Type.MouseMove, QPointF(at), QPointF(at), none, none, Qt.KeyboardModifier.NoModifier))  # fmt: skip
    assert plot._hover == pytest.approx(5.0, abs=0.2)
    reading = picture(plot)
    assert (reading[:16] != legend[:16]).any()
    plot.leaveEvent(QEvent(QEvent.Type.Leave))
    np.testing.assert_array_equal(picture(plot), legend)


def test_a_click_folds_it_to_a_line_with_the_last_values(plot: RoundPlot, qtbot) -> None:
    run(plot)
    high = plot.height()
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton)
    assert plot.folded
    assert plot.height() < high / 3
    assert "70% of kept-aside strokes right" in plot._last_values()
    assert shows(picture(plot), "#e69f00") + shows(picture(plot), "#b45f00") == 0, "no curve"
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton)
    assert plot.height() == high


@pytest.mark.parametrize(("height", "folded"), [(720, True), (1000, False)])
def test_in_a_small_window_it_begins_folded(qtbot, height: int, folded: bool) -> None:
    window, plot = QWidget(), RoundPlot()
    qtbot.addWidget(window)
    QVBoxLayout(window).addWidget(plot)
    window.resize(400, height)
    window.show()
    assert plot.folded is folded
    plot.fold(not folded)
    plot.hide()
    plot.show()
    assert plot.folded is not folded, "what a person chose stays"


def test_a_round_that_is_gone_back_to_is_shown_before_the_others_or_told_to_have_no_curve(plot) -> None:
    for name in ("Round 1", "Round 2"):
        run(plot, name)
    plot.look_at("Round 1")
    assert [c.name for c in plot.curves] == ["Round 2", "Round 1"]
    assert plot.value_at(5.0).startswith("Round 1, 5 s")
    plot.look_at("Start")
    assert plot.curves[-1].name == "Start (no curve)"
    picture(plot)
    plot.begin("Round 3", 10.0)
    assert [c.name for c in plot.curves] == ["Round 2", "Round 1", "Round 3"]
