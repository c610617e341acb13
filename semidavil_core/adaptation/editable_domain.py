"""Domains that change between rounds: target images come and go, strokes are added, classes are listed anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.domains import Domain, MappedDomain, Sample
from semidavil_core.errors import InvalidInput


class EditableDomain:
    """A domain with changes on top; the base is read lazily and never altered.

    Parameters
    ----------
    base
        Where the images that nobody replaced come from; None starts empty.
    """

    def __init__(self, base: Domain | None = None) -> None:
        self._base = base
        self._rows: dict[str, int] = {} if base is None else {name: i for i, name in enumerate(base.names)}
        self._changed: dict[str, Sample] = {}
        self._names: list[str] = list(self._rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Image names in the order of their arrival."""
        return tuple(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        return self.sample(self._names[index])

    def sample(self, name: str) -> Sample:
        """The image called `name` with its present labels.

        Raises
        ------
        InvalidInput
            There is no such image.
        """
        if name in self._changed:
            return self._changed[name]
        if name not in self._names or self._base is None:
            raise InvalidInput(f"There is no target image called {name!r}; add it first.")
        return self._base[self._rows[name]]

    def set_image(self, name: str, image: NDArray[np.uint8]) -> None:
        """Add an image (H, W, 3) uint8, or replace one; its strokes stay if the size does."""
        labels = self.sample(name).labels if name in self._names else None
        if labels is not None and labels.shape != image.shape[:2]:
            labels = None
        self._changed[name] = Sample(name, image, labels)
        if name not in self._names:
            self._names.append(name)

    def set_labels(self, name: str, labels: NDArray[np.uint8] | None) -> None:
        """Replace an image's strokes (H, W) uint8, 255 = unlabelled; None removes them."""
        sample = self.sample(name)
        own = (
            None if labels is None else labels.copy()
        )  # a person may paint on in the very same array while a round runs
        self._changed[name] = Sample(name, sample.image, own)

    def remove(self, name: str) -> None:
        """Forget an image and its strokes."""
        self.sample(name)
        self._names.remove(name)
        self._changed.pop(name, None)

    def snapshot(self) -> EditableDomain:
        """The domain as it stands now; later changes of either do not reach the other."""
        copy = EditableDomain(self._base)
        copy._names, copy._changed = list(self._names), dict(self._changed)
        return copy


class RelabelledDomain(MappedDomain):
    """A labelled domain seen with another class set; labels of classes that are no more count as unlabelled.

    Which class is which tells :meth:`~semidavil_core.classes.ClassSet.positions_in`.

    Parameters
    ----------
    base
        The domain; its labels are indices into `old`.
    old, new
        The class set of its labels, and the one to see them with.
    by_name
        Whether the two sets were made apart from each other, so that only names tell which class is which, never their places.
    """

    def __init__(self, base: Domain, old: ClassSet, new: ClassSet, *, by_name: bool = False) -> None:
        super().__init__(base, self._relabelled)
        self._table = np.full(256, IGNORE_INDEX, np.uint8)
        names = {name.strip().lower(): place for place, name in enumerate(new.names)}
        named = [names.get(name.strip().lower()) for name in old.names]
        for index, place in enumerate(named if by_name else old.positions_in(new)):
            self._table[index] = IGNORE_INDEX if place is None else place

    def _relabelled(self, sample: Sample) -> Sample:
        return (
            sample if sample.labels is None else Sample(sample.name, sample.image, self._table[sample.labels])
        )
