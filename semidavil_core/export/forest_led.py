"""That a forest on the strokes led a model, and on which images: who goes on with them lets it lead on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from semidavil_core.data.domains import Domain
from semidavil_core.data.selection import painted_indices


@dataclass(frozen=True)
class ForestLed:
    """How far a forest led the last round of a model.

    Such a model has learnt the strokes. It reads them well, so that nothing in it tells any more that its source misled.
    """

    share: float = 0.0
    """0 to 1."""
    images: tuple[str, ...] = ()
    """Marks of the images that had strokes."""

    @classmethod
    def of(cls, share: float, target: Domain) -> ForestLed:
        """Led as far as `share` by the strokes of `target`."""
        return cls(share, tuple(target[i].mark for i in painted_indices(target))) if share else cls()

    def on(self, target: Domain) -> float:
        """How far it was led on images of `target`; 0 if none of those that have strokes now is one of them."""
        known = frozenset(self.images)
        painted = (target[i].mark for i in painted_indices(target)) if known else ()
        return self.share if any(mark in known for mark in painted) else 0.0

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ForestLed:
        """Read what ``dataclasses.asdict`` gave.

        Raises
        ------
        ValueError
            The share is no number from 0 to 1, or a mark is no text.
        """
        share, images = float(content.get("share", 0.0)), tuple(content.get("images", ()))
        if not 0 <= share <= 1 or not all(isinstance(mark, str) for mark in images):
            raise ValueError("forest_led holds no share from 0 to 1, or no marks")
        return cls(share, images)
