"""The rounds of a project: scores and model of each in a folder of its own, which later rounds never touch."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from semidavil_core.atomic_files import write_json
from semidavil_core.export.bundle_files import is_bundle, replaced_bundle

_FILE: Final = "round.json"
_BUNDLE: Final = "bundle"
_MODELS_KEPT: Final = 10
_NUMBERED = re.compile(r"\d{4,}")


@dataclass(frozen=True)
class SavedRound:
    """What is known of a finished round."""

    round: int
    """Number within the project, from 1."""
    name: str = ""
    """What a person calls it."""
    reason: str = "budget"
    steps: int = 0
    seconds: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What a newer SemiDAViL, or another part of this one, wrote; kept."""

    def to_json(self) -> dict[str, Any]:
        """The round as a JSON object."""
        return {**self.extra, **{f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read :meth:`to_json`; raises `TypeError`, `ValueError` or `KeyError` for what is no round."""
        names = {f.name for f in fields(cls)} - {"extra"}
        known = {name: content[name] for name in names if name in content}
        return cls(
            **{**known, "round": int(content["round"]), "scores": dict(content.get("scores", {}))},
            extra={k: v for k, v in content.items() if k not in names},
        )


class RoundStore:
    """The rounds in one folder.

    Parameters
    ----------
    folder
        ``rounds/`` of a project; need not exist.
    keep
        How many models stay; of older rounds only the scores do. The model that a person went back to, :meth:`prune` spares.
    """

    def __init__(self, folder: Path, keep: int = _MODELS_KEPT) -> None:
        self.folder = folder
        self._keep = keep

    def place(self, number: int) -> Path:
        """The folder of a round."""
        return self.folder / f"{number:04d}"

    def bundle(self, number: int) -> Path:
        """Where the model after a round lies, or shall be saved."""
        return self.place(number) / _BUNDLE

    def has_bundle(self, number: int) -> bool:
        """Whether the model after a round is there, complete."""
        return is_bundle(self.bundle(number))

    def adopt(self, number: int, bundle: Path) -> bool:
        """Keep a copy of the model after a round that lies elsewhere, unless there is one; whether there is one now.

        Raises
        ------
        OutputNotWritable
            The folder cannot be written, or the disk is full.
        """
        if not self.has_bundle(number) and is_bundle(bundle):
            with replaced_bundle(self.bundle(number)) as folder:
                shutil.copytree(bundle, folder, dirs_exist_ok=True)
        return self.has_bundle(number)

    def write(self, saved: SavedRound) -> None:
        """Note a round, or another name for it; written after its model, so that what is noted is complete.

        Raises
        ------
        OutputNotWritable
            The folder cannot be written.
        """
        write_json(self.place(saved.round) / _FILE, saved.to_json())

    def read(self) -> tuple[SavedRound, ...]:
        """The noted rounds in order; a folder whose note is missing or damaged is a round that never ended."""
        found = []
        for place in self._places():
            with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
                content = json.loads((place / _FILE).read_text(encoding="utf-8"))
                if (saved := SavedRound.from_json(content)).round == int(place.name):
                    found.append(saved)
        return tuple(found)

    def next_number(self) -> int:
        """A number above every round that was ever begun."""
        return max((int(place.name) for place in self._places()), default=0) + 1

    def latest_bundle(self) -> int | None:
        """The last noted round whose model is there."""
        numbers = (saved.round for saved in reversed(self.read()))
        return next((number for number in numbers if self.has_bundle(number)), None)

    def prune(self, spare: int | None = None) -> None:
        """Remove the models of the oldest rounds beyond the bound, never that of the round `spare`; scores stay."""
        with_models = [saved.round for saved in self.read() if self.has_bundle(saved.round)]
        for number in with_models[: -self._keep]:
            if number != spare:
                _remove(self.bundle(number))

    def _places(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        numbered = [p for p in self.folder.iterdir() if p.is_dir() and _NUMBERED.fullmatch(p.name)]
        return sorted(numbered, key=lambda p: int(p.name))


def _remove(folder: Path) -> None:
    """Take a folder out of sight at once, then delete it: a kill in between leaves no half of a bundle under its name."""
    with suppress(OSError):
        hidden = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        folder.replace(hidden / "gone")
        shutil.rmtree(hidden, ignore_errors=True)
