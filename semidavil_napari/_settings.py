"""What a person sets once, in napari's Preferences under SemiDAViL; read when a window opens.

napari 0.9 makes the page from ``configurations`` in ``napari.yaml`` and keeps the values. An older napari has no such page; the
defaults count there.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any, Final

_log = logging.getLogger(__name__)
PLUGIN: Final = "semidavil-napari"


@dataclass(frozen=True)
class WindowSettings:
    """The preferences; the fields are the properties in ``napari.yaml``, section ``window``."""

    device: str = "auto"
    """Where to compute: ``auto``, ``cpu``, ``cuda`` or ``mps``."""
    memory_limit_gb: float = 0.0
    """Most memory that the engine may take, in GB; 0: no limit."""
    autosave_seconds: int = 5
    """Seconds from a stroke to its autosave."""
    number_keys: bool = True
    """Whether the digits choose classes on scribbles layers; napari's tools otherwise."""

    @property
    def engine_command(self) -> tuple[str, ...] | None:
        """What starts the engine; None for the usual command."""
        if self.memory_limit_gb <= 0:
            return None
        return (sys.executable, "-P", "-m", "semidavil_core.engine", "--memory", f"{self.memory_limit_gb:g}")


def read_settings() -> WindowSettings:
    """The preferences as they stand; the defaults where napari knows none."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # before napari 0.9
        return WindowSettings()
    try:
        window: Any = get_plugin_settings(PLUGIN).window
        return WindowSettings(
            str(window.device),
            float(window.memory_limit_gb),
            int(window.autosave_seconds),
            bool(window.number_keys),
        )
    except (KeyError, AttributeError, ValueError, TypeError) as error:  # not registered, or a damaged file
        _log.info("the preferences cannot be read, the defaults count: %s", error)
        return WindowSettings()
