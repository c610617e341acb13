"""Where the models after rounds lie while there is no project: a temporary folder that goes with the window."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, Final

_KEPT: Final = 5


class ModelShelf:
    """A folder that is made when the first model needs it.

    Parameters
    ----------
    keep
        How many models stay; older ones make room.
    """

    def __init__(self, keep: int = _KEPT) -> None:
        self._keep = keep
        self._given: list[Path] = []
        self._folder: Path | None = None
        self._clear: Any = None

    def place(self, number: int) -> Path:
        """Where the model after a round shall be saved."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="semidavil-models-"))
            self._clear = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        bundle = self._folder / f"{number:04d}" / "bundle"
        if bundle not in self._given:
            self._given.append(bundle)
        for old in self._given[: -self._keep]:
            shutil.rmtree(old.parent, ignore_errors=True)
        self._given = self._given[-self._keep :]
        return bundle

    def close(self) -> None:
        """Remove everything: the window goes away."""
        if self._clear is not None:
            self._clear()
        self._folder = None
