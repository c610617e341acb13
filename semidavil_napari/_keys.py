"""The keys of the window, in one table: what they do, where they hold, how they come and go.

napari 0.9 does not act on the ``keybindings`` of a manifest, so keys are bound on the viewer and on scribbles layers and taken back when
the window closes. None of them is taken from napari, but for the digits: on a scribbles layer they choose a class instead of a tool.
The tools keep their letters (E, P, F, L, Z) there, and a setting gives the digits back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from napari.layers import Layer

from semidavil_napari._layer_tags import Role, role_of

_log = logging.getLogger(__name__)
DIGITS: Final = tuple("123456789")


@dataclass(frozen=True)
class Key:
    """One key."""

    action: str
    """Name of what it does, for :class:`Keys`."""
    binding: str
    """As napari writes it."""
    words: str
    """What it does, for the help."""

    @property
    def shown(self) -> str:
        """As keyboards write it."""
        return self.binding.replace("-", "+").replace("Control", "Ctrl")


KEYS: Final = (
    Key("next", "N", "fly to the next place where one more stroke helps most"),
    Key("back", "Shift-N", "fly back to the place before"),
    Key(
        "accept", "K", "keep what the model says under the cursor: paint its pseudo-label into the scribbles"
    ),
    Key("adapt", "Control-Enter", "start a round"),
    Key("stop", "Control-Shift-Enter", "stop the round at its next step"),
    Key("help", "F1", "show this help"),
)
NAPARI_KEYS: Final = (
    ("Ctrl+Z", "take back the last stroke (napari)"),
    ("[ and ]", "a smaller or larger brush (napari)"),
    ("Space", "hold it to move and zoom the image while you paint (napari)"),
)
_HELP: Final = (
    "keys: 1 to 9 choose a class, E erases, Ctrl+Z takes back, hold Space to move the image; "
    "N: where to paint next, K: keep what the model says, F1: all keys"
)
DIGIT_WORDS: Final = (
    "choose the class of that number, on a scribbles layer (napari's tools keep E, P, F, L and Z there)"
)


class Keys:
    """Binds the keys of one window to its viewer.

    Parameters
    ----------
    viewer
        The napari viewer.
    actions
        What to call for each action of `KEYS`.
    choose
        Called with the place of a class (from 0) for a digit on a scribbles layer; None leaves the digits to napari.
    """

    def __init__(
        self,
        viewer: Any,
        actions: Mapping[str, Callable[[], object]],
        choose: Callable[[int], object] | None,
    ) -> None:
        self._viewer, self._choose = viewer, choose
        self._bound: list[tuple[str, Callable[[Any], None]]] = []
        self._layers: WeakSet[Layer] = WeakSet()
        for key in KEYS:
            if key.action in actions:
                self._bind(key.binding, actions[key.action])
        viewer.layers.selection.events.active.connect(self.refresh)
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """The scribbles layer that is worked on gets its digits; call it again when a layer has become one."""
        layer = self._viewer.layers.selection.active
        layer = getattr(layer, "__wrapped__", layer)  # napari hands plugins short-lived shells of its layers
        if self._choose is None or layer is None or layer in self._layers or role_of(layer) != Role.SCRIBBLES:
            return
        for place, digit in enumerate(DIGITS):
            layer.bind_key(digit, self._chooser(place), overwrite=True)
        layer.events.help.connect(_correct_help)
        layer.help = _HELP
        self._layers.add(layer)

    def disconnect(self) -> None:
        """Give every key back."""
        for binding, function in self._bound:
            _unbind(self._viewer, binding, function)
        self._bound.clear()
        self._viewer.layers.selection.events.active.disconnect(self.refresh)
        for layer in list(self._layers):
            layer.events.help.disconnect(_correct_help)
            for digit in DIGITS:
                layer.bind_key(digit, None)
        self._layers.clear()

    def _bind(self, binding: str, action: Callable[[], object]) -> None:
        def press(_: Any) -> None:
            action()

        try:
            self._viewer.bind_key(binding, press)
        except ValueError:  # someone else's: leave it alone
            _log.info("the key %s is bound already and stays so", binding)
        else:
            self._bound.append((binding, press))

    def _chooser(self, place: int) -> Callable[[Any], None]:
        choose = self._choose

        def press(_: Any) -> None:
            if choose is not None:
                choose(place)

        return press


def _correct_help(event: Any) -> None:
    """The status bar would tell, in napari's words, what the digits would do without this window."""
    if event.source.help != _HELP:
        event.source.help = _HELP


def _unbind(viewer: Any, binding: str, function: Callable[[Any], None]) -> None:
    """Take a key back, unless someone has bound it anew."""
    present = viewer.bind_key(binding, None)
    if present is not None and present is not function:
        viewer.bind_key(binding, present)
