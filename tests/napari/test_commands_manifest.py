"""napari citizenship: commands press the real buttons, keys come and go without taking napari's, preferences are read, imports are light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.shortcuts import default_shortcuts
from npe2 import PluginManifest
from qtpy.QtWidgets import QDialog, QLabel, QPushButton

from semidavil_core.engine.memory import limit_memory, read_limit
from semidavil_napari import _commands
from semidavil_napari._accept import accept_under_cursor
from semidavil_napari._keys import DIGITS, KEYS, Keys
from semidavil_napari._layer_tags import Role, mark
from semidavil_napari._session import State
from semidavil_napari._settings import WindowSettings, read_settings
from tests.napari.conftest import MANIFEST, child, press
from tests.napari.driving import hold, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


# --- the manifest ---------------------------------------------------------------------------------------------------------


def test_npe2_finds_the_manifest_and_every_python_name_in_it_valid(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_every_contribution_names_a_command_that_exists(manifest: PluginManifest) -> None:
    contributions = manifest.contributions
    known = {command.id for command in contributions.commands or ()}
    named = [item.command for items in contributions.menus.values() for item in items]
    named += [
        part.command for part in (*contributions.widgets, *contributions.readers, *contributions.sample_data)
    ]
    assert set(named) <= known
    assert {"napari/layers/segment", "napari/layers/annotate"} <= set(contributions.menus)
    for wanted in ("start_round", "stop_round", "next_suggestion", "accept_pseudo_label", "export"):
        assert f"semidavil-napari.{wanted}" in known


def test_the_reader_asks_for_no_folders_so_that_napari_does_not_ask_people(manifest: PluginManifest) -> None:
    assert not any(reader.accepts_directories for reader in manifest.contributions.readers or ())


@pytest.mark.gui
def test_the_commands_are_in_napari_s_palette_and_menus(plugin, make_napari_viewer_proxy) -> None:
    from napari._app_model import get_app_model

    make_napari_viewer_proxy()
    app = get_app_model()
    for name in ("start_round", "stop_round", "next_suggestion", "accept_pseudo_label", "export"):
        assert f"semidavil-napari.{name}" in app.commands
    menu = {
        item.command.id for item in app.menus.get_menu("napari/layers/annotate") if hasattr(item, "command")
    }
    assert {"semidavil-napari.next_suggestion", "semidavil-napari.accept_pseudo_label"} <= menu


# --- commands -------------------------------------------------------------------------------------------------------------


@pytest.mark.gui
def test_the_command_starts_and_stops_the_round_of_the_present_viewer(open_widget, qtbot) -> None:
    widget, viewer = open_widget()
    assert _commands.window_of(viewer) is widget
    hold(State.ADAPTING)
    _commands.start_round()
    wait_for(qtbot, widget, State.ADAPTING)
    _commands.stop_round()
    wait_for(qtbot, widget, State.IDLE)
    assert widget._conductor.session.status.rounds == 1


@pytest.mark.gui
def test_a_command_that_cannot_run_says_why(open_widget, monkeypatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(_commands, "show_info", told.append)
    open_widget(ready=False)
    _commands.start_round()
    _commands.stop_round()
    _commands.next_suggestion()
    assert "Open images" in told[0]
    assert told[1] == "Nothing is running."
    assert "After a round" in told[2]


@pytest.mark.gui
def test_a_command_opens_the_window_if_there_is_none(plugin, make_napari_viewer_proxy) -> None:
    viewer = make_napari_viewer_proxy()
    assert _commands.window_of(viewer) is None
    _commands.accept_pseudo_label()
    widget = _commands.window_of(viewer)
    assert widget is not None
    assert "Point at" in viewer.status
    widget._jobs.close()


@pytest.mark.gui
def test_a_window_that_is_gone_answers_no_command(open_widget, qtbot) -> None:
    widget, viewer = open_widget(ready=False)
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.waitUntil(lambda: _commands.window_of(viewer) is None, timeout=5_000)


# --- keys -----------------------------------------------------------------------------------------------------------------


def test_no_key_of_ours_is_one_of_napari_s() -> None:
    taken = {str(binding) for bindings in default_shortcuts.values() for binding in bindings}
    ours = {str(coerce_keybinding(key.binding)) for key in KEYS}
    assert len(ours) == len(KEYS)
    assert not ours & taken
    assert all(isinstance(coerce_keybinding(key.binding), KeyBinding) for key in KEYS)


@pytest.mark.gui
def test_no_key_of_ours_is_in_napari_s_menus(make_napari_viewer_proxy) -> None:
    from napari._app_model import get_app_model

    make_napari_viewer_proxy()
    taken = {str(rule.keybinding) for rule in get_app_model().keybindings}
    assert not {str(coerce_keybinding(key.binding)) for key in KEYS} & taken


class FakeWindow:
    """What `Keys` is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def actions(self) -> dict[str, object]:
        return {key.action: (lambda name=key.action: self.heard.append(name)) for key in KEYS}


def scribbles(viewer):
    layer = viewer.add_labels(np.zeros((8, 8), np.uint8))
    mark(layer, Role.SCRIBBLES, "a")
    viewer.layers.selection.active = None
    viewer.layers.selection.active = layer
    return layer


@pytest.mark.gui
def test_keys_call_their_action_and_are_given_back(make_napari_viewer_proxy) -> None:
    viewer, window = make_napari_viewer_proxy(), FakeWindow()
    before = dict(viewer.keymap)
    keys = Keys(viewer, window.actions(), window.heard.append)
    for key in KEYS:
        press(key.binding)
    assert window.heard == [key.action for key in KEYS]
    keys.disconnect()
    assert dict(viewer.keymap) == before


@pytest.mark.gui
def test_digits_choose_classes_on_scribbles_layers_only_and_letters_keep_the_tools(
    make_napari_viewer_proxy,
) -> None:
    viewer, window = make_napari_viewer_proxy(), FakeWindow()
    keys = Keys(viewer, {}, window.heard.append)
    layer = scribbles(viewer)
    for digit in DIGITS:
        press(digit)
    assert window.heard == list(range(9))
    press("E")
    assert layer.mode == "erase"
    other = viewer.add_labels(np.zeros((8, 8), np.uint8))
    press("1")
    assert (other.mode, len(window.heard)) == ("erase", 9), "napari's digits stay on other layers"
    keys.disconnect()
    viewer.layers.selection.active = layer
    press("2")
    assert (layer.mode, len(window.heard)) == ("paint", 9), "and come back when the window closes"


@pytest.mark.gui
def test_digits_stay_napari_s_where_a_person_wants_that(make_napari_viewer_proxy) -> None:
    viewer = make_napari_viewer_proxy()
    keys = Keys(viewer, {}, None)
    layer = scribbles(viewer)
    press("1")
    assert layer.mode == "erase"
    keys.disconnect()


@pytest.mark.gui
def test_a_key_that_someone_else_has_bound_stays_theirs(make_napari_viewer_proxy) -> None:
    viewer, window, theirs = make_napari_viewer_proxy(), FakeWindow(), []
    viewer.bind_key("N", lambda _: theirs.append("N"))
    keys = Keys(viewer, window.actions(), None)
    press("N")
    keys.disconnect()
    press("N")
    assert theirs == ["N", "N"]
    assert not window.heard


# --- help -----------------------------------------------------------------------------------------------------------------


@pytest.mark.gui
def test_the_help_lists_every_key_and_stays_out_of_the_way(open_widget) -> None:
    widget, _ = open_widget(ready=False)
    child(widget, "semidavil_help").click()
    dialog = widget.findChild(QDialog, "semidavil_help_dialog")
    assert dialog is not None
    assert dialog.isVisible()
    assert not dialog.isModal()
    shown = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert all(key.shown in shown and key.words in shown for key in KEYS)
    assert "1 to 9" in shown
    dialog.close()


@pytest.mark.gui
def test_every_button_has_a_tooltip(open_widget) -> None:
    widget, _ = open_widget(ready=False)
    named = [b for b in widget.findChildren(QPushButton) if b.objectName().startswith("semidavil_")]
    assert len(named) > 5
    assert not [b.objectName() for b in named if not b.toolTip()]


# --- preferences ----------------------------------------------------------------------------------------------------------


def test_the_manifest_has_the_window_s_preferences_with_the_same_defaults(manifest: PluginManifest) -> None:
    properties = manifest.contributions.configurations["window"].properties
    defaults = WindowSettings()
    assert {name: p.default for name, p in properties.items()} == {
        name: getattr(defaults, name)
        for name in ("device", "memory_limit_gb", "autosave_seconds", "number_keys")
    }
    assert all(p.description and p.title for p in properties.values())


@pytest.fixture
def preferences(plugin, tmp_path: Path) -> Iterator[Any]:
    """napari's preferences of the plugin, kept in a folder of the test."""
    settings = pytest.importorskip("napari.settings", reason="napari is missing")
    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("this napari has no preferences of plugins")
    settings._clear_plugin_settings_cache()
    yield settings.get_plugin_settings("semidavil-napari", path_dir=tmp_path)
    settings._clear_plugin_settings_cache()


def test_preferences_are_what_napari_keeps(preferences) -> None:
    assert read_settings() == WindowSettings()
    kept = preferences.window
    kept.device, kept.memory_limit_gb, kept.autosave_seconds, kept.number_keys = "cpu", 3.5, 20, False
    assert read_settings() == WindowSettings("cpu", 3.5, 20, number_keys=False)
    with pytest.raises(ValueError, match="enum"):
        kept.device = "abacus"


def test_without_a_registered_plugin_the_defaults_count(npe2pm) -> None:
    assert read_settings() == WindowSettings()


def test_the_memory_limit_reaches_the_engine_s_command_line() -> None:
    assert WindowSettings().engine_command is None
    command = WindowSettings(memory_limit_gb=2.5).engine_command
    assert command is not None
    assert read_limit(command[4:]) == 2.5
    assert read_limit([]) == 0
    assert not limit_memory(0)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is the system's")
def test_an_engine_beyond_its_limit_gets_a_memory_error_instead_of_the_machine() -> None:
    code = (
        "from semidavil_core.engine.memory import limit_memory\n"
        "assert limit_memory(0.25)\n"
        "try:\n    bytearray(2**29)\nexcept MemoryError:\n    print('refused')"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "refused\n"


# --- imports --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["_dock_widget", "_commands", "_sample_data", "_settings"])
def test_nothing_heavy_is_imported_for_the_window(module: str) -> None:
    code = (
        f"import sys, semidavil_napari.{module}\n"
        "heavy = {'torch', 'torchvision', 'open_clip', 'timm', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_reading_the_manifest_imports_no_code_of_ours_but_the_empty_package() -> None:
    code = (
        "import sys, npe2\n"
        f"npe2.PluginManifest.from_file({str(MANIFEST)!r})\n"
        "sys.exit(', '.join(m for m in sys.modules if m.startswith('semidavil') or m == 'torch') or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.gui
def test_accepting_without_any_image_says_what_to_do(open_widget) -> None:
    widget, viewer = open_widget(ready=False)
    assert "ticked images" in accept_under_cursor(viewer, widget._book, ())
