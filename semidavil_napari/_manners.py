"""The window's manners in napari: its keys, its commands, its help and its tour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from semidavil_napari import _commands
from semidavil_napari._keys import DIGIT_WORDS, DIGITS, KEYS, NAPARI_KEYS, Keys
from semidavil_napari._panels.help import HelpDialog, HelpPanel
from semidavil_napari._settings import WindowSettings
from semidavil_napari._tour import Tour

if TYPE_CHECKING:
    from semidavil_napari._dock_widget import AdaptWidget


class Manners(QObject):
    """Binds one window to its viewer and to napari's commands, until the window closes.

    Parameters
    ----------
    viewer
        The napari viewer.
    widget
        The window.
    panel
        The buttons for help and tour.
    settings
        The preferences.
    """

    def __init__(self, viewer: Any, widget: AdaptWidget, panel: HelpPanel, settings: WindowSettings) -> None:
        super().__init__(widget)
        self._widget, self._numbers = widget, settings.number_keys
        self._dialog: HelpDialog | None = None
        self._tour = Tour(widget)
        actions = {
            "next": lambda: widget.go_to_suggestion(1),
            "back": lambda: widget.go_to_suggestion(-1),
            "accept": widget.accept_pseudo_label,
            "adapt": lambda: _commands.press(widget, "semidavil_adapt"),
            "stop": lambda: _commands.press(widget, "semidavil_stop", "Nothing is running."),
            "help": self.show_help,
        }
        self._keys = keys = Keys(viewer, actions, widget.choose_class if self._numbers else None)
        _commands.register(viewer, widget)
        panel.help_wanted.connect(self.show_help)
        panel.tour_wanted.connect(self._tour.start)
        widget.destroyed.connect(keys.disconnect)

    def refresh(self) -> None:
        """A layer may have become a scribbles layer."""
        self._keys.refresh()

    def show_help(self) -> None:
        """Open the help, or bring it to the front."""
        if self._dialog is None:
            digits = [(f"{DIGITS[0]} to {DIGITS[-1]}", DIGIT_WORDS)] if self._numbers else []
            self._dialog = HelpDialog(
                [*digits, *((key.shown, key.words) for key in KEYS), *NAPARI_KEYS], self._widget
            )
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()
