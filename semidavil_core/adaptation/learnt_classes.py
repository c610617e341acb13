"""Which classes the model knew after each round: those that it came with, and those that a round has learnt from strokes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from semidavil_core.classes import ClassSet


class LearntClasses:
    """Names of learnt classes by round.

    Parameters
    ----------
    names
        What the model knows before the first round, which has the number 0.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._after = {0: frozenset(names)}

    def after(self, number: int) -> frozenset[str]:
        """What the model knew after round `number`."""
        return self._after[number]

    def unlearnt(self, number: int, classes: ClassSet) -> tuple[int, ...]:
        """Indices of the `classes` that it did not."""
        known = self._after[number]
        return tuple(k for k, name in enumerate(classes.names) if name not in known)

    def learn(self, number: int, parent: int, painted: Collection[str]) -> None:
        """Round `number` went on from round `parent` and learnt the classes `painted`."""
        self._after[number] = self._after[parent].union(painted)

    def follow(self, old: ClassSet, new: ClassSet) -> None:
        """Let names become those of today; classes that are no more keep theirs, for the day they come back."""
        places = old.positions_in(new)
        today = {c.name: new[place].name for c, place in zip(old, places, strict=True) if place is not None}
        self._after = {
            number: frozenset(today.get(name, name) for name in names)
            for number, names in self._after.items()
        }
