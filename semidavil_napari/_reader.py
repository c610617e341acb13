"""Opening a project or a bundle with File > Open, a drop, or ``napari FILE``: by the file that marks it, or a bundle's .zip.

Nothing else is claimed: what does not say that it is ours is left to other readers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari

from semidavil_napari._commands import window_of

_log = logging.getLogger(__name__)
Nothing = list[tuple[None]]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], Nothing] | None:
    """A reader for a SemiDAViL project or bundle; None for everything else."""
    only = [path] if isinstance(path, str) else list(path)
    return _read if len(only) == 1 and _what(Path(only[0])) is not None else None


def _read(path: str | list[str]) -> Nothing:
    """Open the window with the project, or with the bundle as what to start from; it adds the layers itself, in the background."""
    place = Path(path if isinstance(path, str) else path[0])
    viewer, what = napari.current_viewer(), _what(place)
    widget = None if viewer is None else _window(viewer)
    if widget is None or what is None:
        _log.warning("%s opens in a napari window only.", place)
    elif what == "project":
        widget.open_project(_folder(place, "project.json"))
    else:
        widget.start_from(_folder(place, "config.json"))
    return [(None,)]


def _what(path: Path) -> str | None:
    """``project``, ``bundle``, or None for what is neither."""
    if path.suffix.lower() == ".zip" or path.name == "config.json" or (path / "config.json").is_file():
        from semidavil_core.export.bundle_files import is_bundle

        return "bundle" if is_bundle(_folder(path, "config.json")) else None
    if path.name == "project.json" or (path / "project.json").is_file():
        from semidavil_core.project.folder import is_project

        return "project" if is_project(_folder(path, "project.json")) else None
    return None


def _folder(path: Path, marker: str) -> Path:
    return path.parent if path.name == marker else path


def _window(viewer: Any) -> Any:
    """The viewer's window of ours, opened if need be."""
    if window_of(viewer) is None:
        viewer.window.add_plugin_dock_widget("semidavil-napari", "Adapt model")
    return window_of(viewer)
