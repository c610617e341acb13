"""Strokes that were painted before anybody saved a project: kept in small projects of their own, and offered at the next start."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from semidavil_core.errors import SemiDavilError
from semidavil_core.project.folder import Project, ProjectState, is_project

PLACE_VARIABLE: Final = "SEMIDAVIL_RECOVERY"
_MOST_KEPT: Final = 10
_KEPT_DAYS: Final = 30


@dataclass(frozen=True)
class Recovery:
    """Strokes of a window that is gone."""

    folder: Path
    when: datetime
    """When the last of them was written."""
    planes: int
    """How many image planes have strokes."""

    def in_words(self, now: datetime | None = None) -> str:
        """When that was, as a person says it: "today 14:02", "yesterday 9:30", "3 May 14:02"."""
        days = ((now or datetime.now()).date() - self.when.date()).days
        day = {0: "today", 1: "yesterday"}.get(days, f"{self.when.day} {self.when:%B}")
        return f"{day} {self.when.hour}:{self.when:%M}"


def recovery_place() -> Path:
    """The folder that holds them: that of the variable ``SEMIDAVIL_RECOVERY``, else in this person's own data."""
    if told := os.environ.get(PLACE_VARIABLE):
        return Path(told)
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return base / "semidavil" / "recovery"


def begin_recovery(place: Path | None = None) -> Project:
    """A new project for the strokes of this window.

    Raises
    ------
    OutputNotWritable
        The folder cannot be written.
    """
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"
    return Project.create((place or recovery_place()) / name, ProjectState())


def find_recoveries(place: Path | None = None) -> tuple[Recovery, ...]:
    """Strokes whose window is gone, newest first; what is empty or very old is cleared away."""
    found: list[Recovery] = []
    root = place or recovery_place()
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if is_project(folder):
            found += _look(folder)
    found.sort(key=lambda recovery: recovery.when, reverse=True)
    oldest = datetime.now() - timedelta(days=_KEPT_DAYS)
    for number, recovery in enumerate(found):
        if number >= _MOST_KEPT or recovery.when < oldest:
            discard(recovery.folder)
    return tuple(r for r in found[:_MOST_KEPT] if r.when >= oldest)


def discard(folder: Path) -> None:
    """Delete a recovery, if nobody has it open."""
    with suppress(SemiDavilError, OSError):
        Project(folder).close()
        shutil.rmtree(folder, ignore_errors=True)


def _look(folder: Path) -> list[Recovery]:
    try:
        project = Project(folder)
    except (SemiDavilError, OSError):  # in use, damaged or of a newer version
        return []
    try:
        names = project.strokes.names()
        newest = max((p.stat().st_mtime for p in _stroke_files(project)), default=0.0)
    finally:
        project.close()
    if names:
        return [Recovery(folder, datetime.fromtimestamp(newest), len(names))]
    if time.time() - folder.stat().st_mtime > 60:  # another window may be about to fill it
        discard(folder)
    return []


def _stroke_files(project: Project) -> list[Path]:
    return (
        [p for p in project.strokes.folder.iterdir() if not p.name.startswith(".")]
        if project.strokes.folder.is_dir()
        else []
    )
