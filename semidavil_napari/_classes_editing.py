"""What a person does to the list of classes, with the way back from a removal; free of Qt.

Every change makes a new :class:`~semidavil_core.classes.ClassSet`; a class keeps its value through all of them, and by it its strokes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_core.errors import InvalidClasses


@dataclass(frozen=True)
class Removal:
    """A class that was taken out, and where it stood."""

    info: ClassInfo
    place: int
    pixels: int
    """How many of its pixels were painted."""

    @property
    def sentence(self) -> str:
        """What happened, for the person who did it."""
        if not self.pixels:
            return f"{self.info.name} was removed."
        return f"{self.info.name} was removed; its {self.pixels:,} painted pixels are hidden, not lost."


class ClassEditor:
    """The list of classes as it stands; methods that break a rule raise ``InvalidClasses`` and change nothing."""

    def __init__(self) -> None:
        self.classes: ClassSet | None = None
        """The present classes; None while there are none."""
        self._removed: list[Removal] = []

    @property
    def removed(self) -> Removal | None:
        """The removal that :meth:`undo` takes back next."""
        return self._removed[-1] if self._removed else None

    def replace(self, classes: ClassSet | None) -> None:
        """Begin with another list."""
        self.classes = classes
        self._removed.clear()

    def add(self, name: str) -> None:
        """Add a class at the end; one that was removed comes back as it was."""
        gone = next((r for r in self._removed if r.info.name.lower() == name.strip().lower()), None)
        if self.classes is None:
            self.classes = ClassSet.from_names([name])
        elif gone is not None:
            self.classes = self.classes.with_inserted(len(self.classes), gone.info)
            self._removed.remove(gone)
        else:
            self.classes = self.classes.with_class(name)

    def rename(self, row: int, name: str) -> None:
        """Give the class another name; its synonyms stay."""
        name, info = name.strip(), self._at(row)
        others = (p for p in info.prompts if p.lower() not in (info.name.lower(), name.lower()))
        self._change(row, replace(info, name=name, prompts=(name, *others)))

    def describe(self, row: int, text: str) -> None:
        """Set the synonyms, separated by commas."""
        info = self._at(row)
        typed = [part.strip() for part in text.split(",") if part.strip()]
        prompts = tuple(dict.fromkeys((info.name, *typed)))
        self._change(row, replace(info, prompts=prompts))

    def recolour(self, row: int, color: str) -> None:
        """Give the class another colour, ``#rrggbb``."""
        self._change(row, replace(self._at(row), color=color))

    def move(self, row: int, to: int) -> None:
        """Move a class to another place in the list."""
        classes = self._all()
        self._at(row)
        self.classes = classes.with_moved(row, min(max(to, 0), len(classes) - 1))

    def remove(self, row: int, pixels: int = 0) -> None:
        """Take a class out; `pixels` of it are painted."""
        info = self._at(row)
        if len(self._all()) == 1:
            raise InvalidClasses(
                f"{info.name} is the only class; rename it instead, or add another one first."
            )
        self.classes = self._all().without(row)
        self._removed.append(Removal(info, row, pixels))

    def undo(self) -> None:
        """Bring the class of the last removal back to its place."""
        if self._removed:
            last = self._removed[-1]
            classes = self._all()
            self.classes = classes.with_inserted(min(last.place, len(classes)), last.info)
            self._removed.pop()

    def _change(self, row: int, info: ClassInfo) -> None:
        self.classes = self._all().with_changed(row, info)

    def _all(self) -> ClassSet:
        if self.classes is None:
            raise InvalidClasses("There is no class yet; type a name first.")
        return self.classes

    def _at(self, row: int) -> ClassInfo:
        classes = self._all()
        if not 0 <= row < len(classes):
            raise InvalidClasses(f"There is no class in row {row + 1}; choose one of the {len(classes)}.")
        return classes[row]


def synonyms(info: ClassInfo) -> str:
    """The class's synonyms as a person types them."""
    return ", ".join(p for p in info.prompts if p.lower() != info.name.lower())
