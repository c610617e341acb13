"""Language model and device: consequences in words, and downloads only when asked."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

from semidavil_core.vlm.presets import PRESETS
from semidavil_napari._panels.guidance import Guidance, GuidancePanel
from semidavil_napari._session import State
from tests.napari.conftest import child

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qtbot) -> GuidancePanel:
    panel = GuidancePanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def shown(panel, name: str) -> bool:
    return child(panel, name).isVisible()


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_every_preset_tells_purpose_licence_and_size(panel: GuidancePanel, preset) -> None:
    panel.setValue(Guidance(preset.name))
    words = panel._hint.text()
    assert preset.purpose in words
    assert preset.licence in words
    assert (f"{preset.size_mb} MB" if preset.size_mb else "no download") in words


def test_a_model_that_is_not_here_offers_the_download_and_says_what_to_do_without_internet(
    panel: GuidancePanel, qtbot
) -> None:
    panel.setValue(Guidance("natural"))
    assert panel.validation_error() is None  # nobody has looked yet
    assert not shown(panel, "semidavil_download")
    panel.setFound("natural", here=False)
    assert child(panel, "semidavil_download").text() == "Download 300 MB"
    assert "Without internet" in panel._hint.text()
    assert "download it, or choose mini" in panel.validation_error()
    with qtbot.waitSignal(panel.download_wanted) as wanted:
        qtbot.mouseClick(child(panel, "semidavil_download"), Qt.MouseButton.LeftButton)
    assert wanted.args == ["natural"]
    panel.setFound("natural", here=True)
    assert panel.validation_error() is None
    assert not shown(panel, "semidavil_download")


def test_a_download_shows_megabytes_and_can_be_cancelled(panel: GuidancePanel, qtbot) -> None:
    panel.setValue(Guidance("natural"))
    panel.setFound("natural", here=False)
    panel.setProgress("natural", 120, 300)
    assert panel._progress.format() == "120 of 300 MB"
    assert not child(panel, "semidavil_vlm").isEnabled()
    with qtbot.waitSignal(panel.cancel_wanted):
        qtbot.mouseClick(child(panel, "semidavil_download"), Qt.MouseButton.LeftButton)
    panel.setProgress("")
    assert child(panel, "semidavil_download").text() == "Download 300 MB"


def test_a_folder_takes_the_place_of_a_download(panel: GuidancePanel, qtbot, monkeypatch) -> None:
    panel.setValue(Guidance("natural"))
    panel.setFound("natural", here=False)
    monkeypatch.setattr(panel, "ask_folder", lambda: "/models/mine")
    qtbot.mouseClick(child(panel, "semidavil_vlm_folder"), Qt.MouseButton.LeftButton)
    assert panel.value().vlm == "local-dir:/models/mine"
    assert panel.validation_error() is None


def test_a_bundle_needs_no_choice(panel: GuidancePanel) -> None:
    panel.setValue(Guidance("natural"))
    panel.setFound("natural", here=False)
    panel.setBundle(brings_its_own=True)
    assert panel.validation_error() is None
    assert not child(panel, "semidavil_vlm").isEnabled()
    assert "brings its own" in panel._hint.text()
    panel.setBundle(brings_its_own=False)
    assert shown(panel, "semidavil_download")


def test_only_devices_that_are_there_can_be_chosen(panel: GuidancePanel) -> None:
    panel.setValue(Guidance(device="cuda"))
    panel.setDevices(("cpu",))
    model = child(panel, "semidavil_device").model()
    assert [model.item(row).isEnabled() for row in range(4)] == [True, True, False, False]
    assert panel.value().device == "auto"


def test_a_missing_package_or_a_mistyped_name_is_told(panel: GuidancePanel) -> None:
    panel.setValue(Guidance("minni"))
    panel.setFound("minni", here=False, problem="'minni' is no model; did you mean mini?")
    assert panel.validation_error() == "'minni' is no model; did you mean mini?"
    panel.setValue(Guidance("mini"))
    assert panel.validation_error() is None


def test_the_window_looks_downloads_and_cancels(open_widget, qtbot) -> None:
    widget, _ = open_widget("slow")
    panel = widget._guidance
    child(widget, "semidavil_vlm").setCurrentText("natural")
    qtbot.waitUntil(lambda: panel.found("natural") is False, timeout=20_000)
    qtbot.waitUntil(lambda: not widget._jobs.running, timeout=20_000)
    assert not child(widget, "semidavil_adapt").isEnabled()
    panel.download_wanted.emit("natural")
    qtbot.waitUntil(lambda: "of 50 MB" in panel._progress.format(), timeout=20_000)
    assert widget._conductor.session.status.state is State.DOWNLOADING
    panel.cancel_wanted.emit()
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=20_000)
    assert panel.found("natural") is False
    assert not panel._downloading


def test_after_a_download_adapt_works(open_widget, qtbot) -> None:
    widget, _ = open_widget()
    panel = widget._guidance
    child(widget, "semidavil_vlm").setCurrentText("natural")
    qtbot.waitUntil(lambda: panel.found("natural") is False, timeout=20_000)
    panel.download_wanted.emit("natural")
    qtbot.waitUntil(lambda: panel.found("natural") is True, timeout=20_000)
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=20_000)
    assert "on this machine now" in child(widget, "semidavil_status").text()
    assert child(widget, "semidavil_adapt").isEnabled()
