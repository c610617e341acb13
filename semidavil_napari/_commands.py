"""What napari's command palette and menus offer: each command presses the real button of the window.

Imports nothing but napari's own, so that naming a command costs nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import napari
from napari.utils.notifications import show_info

if TYPE_CHECKING:
    from semidavil_napari._dock_widget import AdaptWidget

_PLUGIN: Final = "semidavil-napari"
_WIDGET: Final = "Adapt model"
_open: list[tuple[ref[Any], ref[AdaptWidget]]] = []


def register(viewer: Any, widget: AdaptWidget) -> None:
    """Remember that `widget` is the window of `viewer`; the one that was opened last answers commands."""
    _open[:] = [(owner, known) for owner, known in _open if known() is not None]
    _open.append((ref(_unwrapped(viewer)), ref(widget)))
    widget.destroyed.connect(partial(_forget, _open[-1]))


def _forget(entry: tuple[ref[Any], ref[AdaptWidget]], *_: object) -> None:
    """A window closes; Python may keep its shell for a while."""
    if entry in _open:
        _open.remove(entry)


def window_of(viewer: Any) -> AdaptWidget | None:
    """The window of a viewer; None if it has none."""
    mine = (known() for owner, known in reversed(_open) if owner() is _unwrapped(viewer))
    return next((widget for widget in mine if widget is not None), None)


def start_round() -> None:
    """Press Adapt."""
    _press("semidavil_adapt")


def stop_round() -> None:
    """Press Stop."""
    _press("semidavil_stop", "Nothing is running.")


def next_suggestion() -> None:
    """Press Show me where to paint next."""
    _press("semidavil_next")


def accept_pseudo_label() -> None:
    """Take over the pseudo-label under the cursor."""
    if (widget := _window()) is not None:
        widget.accept_pseudo_label()


def export() -> None:
    """Press the export button."""
    _press("semidavil_export")


def show_help() -> None:
    """Press the question mark."""
    _press("semidavil_help")


def _press(name: str, otherwise: str = "") -> None:
    if (widget := _window()) is not None:
        press(widget, name, otherwise)


def press(widget: AdaptWidget, name: str, otherwise: str = "") -> None:
    """Press a button of a window, or say why it cannot be pressed."""
    from qtpy.QtWidgets import QAbstractButton

    button = widget.findChild(QAbstractButton, name)
    if button is None:
        return
    if button.isEnabled():
        button.click()
    else:
        show_info(otherwise or button.toolTip())


def _window() -> AdaptWidget | None:
    """The present viewer's window, opened if need be."""
    viewer = napari.current_viewer()
    if viewer is None:
        show_info("Open a napari window first.")
        return None
    if window_of(viewer) is None:
        viewer.window.add_plugin_dock_widget(_PLUGIN, _WIDGET)
    return window_of(viewer)


def _unwrapped(viewer: Any) -> Any:
    return getattr(viewer, "__wrapped__", viewer)
