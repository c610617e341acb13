"""The rounds as a person sees them: names, scores, which one stands, and the way back. Free of Qt and of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from semidavil_core.events import Event, FinishReason, ModelChanged, RoundFinished, RoundRestored
from semidavil_core.export.bundle_files import is_bundle

START: Final = "Start"


class Verdict(StrEnum):
    """What the strokes kept aside say of a round."""

    BETTER = "better"
    ALIKE = "alike"
    """Within what chance explains."""
    WORSE = "worse"
    UNKNOWN = "unknown"
    """Nothing was kept aside."""


@dataclass(frozen=True)
class RoundEntry:
    """One round, or the start."""

    key: int
    """Unique in the list, also across models."""
    number: int
    """Number in the window and in its project, which never comes twice; 0 is the start."""
    name: str
    steps: int = 0
    seconds: float = 0.0
    reason: str = FinishReason.BUDGET
    scores: Mapping[str, float] = field(default_factory=dict)
    parent: int = 0
    """Number of the round that it went on from."""
    available: bool = True
    """Whether the engine still holds its model."""
    kept: Path | None = None
    """Where its model lies on the disk, or shall; None: nowhere."""

    @property
    def reachable(self) -> bool:
        """Whether there is a way back to its model."""
        return self.available or (self.kept is not None and is_bundle(self.kept))

    @property
    def before(self) -> float | None:
        """Accuracy on the strokes kept aside before the round, 0 to 1."""
        return self.scores.get("held_out_accuracy_before")

    @property
    def after(self) -> float | None:
        """The same after the round."""
        return self.scores.get("held_out_accuracy_after")

    @property
    def verdict(self) -> Verdict:
        """What these two say together."""
        if self.before is None or self.after is None:
            return Verdict.UNKNOWN
        change, margin = self.after - self.before, self.scores.get("held_out_margin", 0.0)
        if abs(change) <= margin:
            return Verdict.ALIKE
        return Verdict.BETTER if change > 0 else Verdict.WORSE


def own_name(number: int) -> str:
    """What a round is called if nobody names it; 0 is the start."""
    return f"Round {number}" if number else START


def leaves_a_round(event: Event) -> bool:
    """Whether the model of a round stands from now on: there is something to export, and it is worth asking where to paint."""
    match event:
        case RoundFinished():
            return event.round > 0
        case ModelChanged():
            return event.goes_on_from > 0
    return isinstance(event, RoundRestored)


class RoundList:
    """All rounds of a window, the oldest first."""

    def __init__(self) -> None:
        self.entries: list[RoundEntry] = []
        self._current: int | None = None
        self._left: list[int] = []

    @property
    def current(self) -> RoundEntry | None:
        """The entry whose model stands; None if there is no model."""
        return next((e for e in self.entries if e.key == self._current and e.available), None)

    @property
    def worse(self) -> RoundEntry | None:
        """The standing round, if it got worse and the one from before it can be gone back to."""
        entry = self.current
        found = entry is not None and entry.verdict is Verdict.WORSE and self.parent(entry) is not None
        return entry if found else None

    @property
    def undo(self) -> RoundEntry | None:
        """Where going back last came from, if there is still a way back."""
        entry = self.get(self._left[-1]) if self._left else None
        return entry if entry is not None and entry.reachable else None

    def get(self, key: int) -> RoundEntry | None:
        """The entry of a key."""
        return next((e for e in self.entries if e.key == key), None)

    def parent(self, entry: RoundEntry) -> RoundEntry | None:
        """The entry that a round went on from, if its model is still there."""
        return None if entry.number == 0 else self._of_number(entry.parent)

    def names(self) -> dict[int, str]:
        """The names of the present model's rounds by number."""
        return {e.number: e.name for e in self.entries if e.available}

    # what happens

    def model_changed(self, goes_on_from: int = 0) -> None:
        """Another model stands: of earlier rounds only those on the disk can be gone back to.

        Parameters
        ----------
        goes_on_from
            Number of the one whose model it is; 0 if it is a new model.
        """
        self.lost()
        same = next((e for e in self.entries if goes_on_from and e.number == goes_on_from), None)
        if same is None:
            self._left = []
            self._current = self._append(RoundEntry(0, 0, START)).key
        else:
            self._change(same, available=True)
            self._stand(same.key)

    def lost(self) -> None:
        """The engine is gone, and with it every model; what stood, and the way back, are remembered as far as the disk has them."""
        self.entries = [replace(e, available=False) for e in self.entries if e.number > 0]
        keys = {e.key for e in self.entries}
        self._left = [key for key in self._left if key in keys]
        self._current = self._current if self._current in keys else None

    def finished(self, event: RoundFinished) -> None:
        """A round is over."""
        if event.round <= 0:
            return
        if self.current is None or self._of_number(event.round) is not None:
            self.model_changed()
        parent = self.current.number if self.current is not None else 0
        entry = self._append(
            RoundEntry(
                0,
                event.round,
                own_name(event.round),
                event.steps,
                event.seconds,
                event.reason,
                event.scores,
                parent,
            )
        )
        self._left = []
        if event.reason != FinishReason.RESTORED:
            self._current = entry.key

    def restored(self, number: int) -> None:
        """The model of a round stands again; where it came from can be gone back to."""
        entry = self._of_number(number)
        if entry is not None:
            self._stand(entry.key)

    def keep(self, number: int, bundle: Path) -> None:
        """The model of a round is kept on the disk."""
        for entry in [e for e in self.entries if e.number == number]:
            self._change(entry, kept=bundle)

    def rename(self, key: int, name: str) -> None:
        """Give a round another name; an empty one gives its own back."""
        entry = self.get(key)
        if entry is not None:
            self._change(entry, name=name.strip() or own_name(entry.number))

    def recall(
        self,
        listed: Mapping[str, Any],
        names: Mapping[int, str],
        kept: Mapping[int, Path] | None = None,
        stood: int = 0,
    ) -> None:
        """Show rounds of an earlier window in place of all others; their models are not in the engine, but may be `kept`.

        Parameters
        ----------
        listed, names
            The rounds, and what they are called, by number.
        kept
            Where their models lie on the disk.
        stood
            Number of the one whose model stood there last; 0 if none did.
        """
        self.entries, self._left = [], []
        for row in listed.get("rounds", []):
            number = int(row["round"])
            name = names.get(number, own_name(number))
            told = (row["steps"], row["seconds"], row["reason"], row["scores"], row["parent"])
            self._append(RoundEntry(0, number, name, *told, available=False, kept=(kept or {}).get(number)))
        self._current = next((e.key for e in self.entries if e.number == stood), None)

    def _stand(self, key: int) -> None:
        """The model of an entry stands again; what stood before it can be gone back to."""
        if self._left and self._left[-1] == key:
            self._left.pop()
        elif self._current is not None and self._current != key:
            self._left.append(self._current)
        self._current = key

    def _change(self, entry: RoundEntry, **new: Any) -> None:
        self.entries = [replace(e, **new) if e is entry else e for e in self.entries]

    def _append(self, entry: RoundEntry) -> RoundEntry:
        entry = replace(entry, key=1 + max((e.key for e in self.entries), default=0))
        self.entries.append(entry)
        return entry

    def _of_number(self, number: int) -> RoundEntry | None:
        return next((e for e in self.entries if e.available and e.number == number), None)
