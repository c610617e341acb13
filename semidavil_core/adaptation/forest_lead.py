"""Whether a forest on the strokes is to lead a round, and the labels that it leads with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from semidavil_core.adaptation.stroke_agreement import StrokeAgreement, beyond_chance, ramp
from semidavil_core.adaptation.stroke_forest import StrokeForest, StrokePixels
from semidavil_core.control import GoOn
from semidavil_core.data.domains import Domain
from semidavil_core.data.label_maps import Labels

_BETTER: Final = (0.1, 0.3)
"""By how much a forest's class accuracy has to exceed the model's to lead at all, and from where on it leads as far as it may."""
_STILL_GOOD: Final = (0.25, 0.5)
"""Likewise its agreement beyond chance in later rounds, where the model has learnt these strokes and cannot be compared any more."""


@dataclass(frozen=True, eq=False)
class ForestLead:
    """A forest that may lead."""

    share: float
    """How far it is to lead a round, 0 to 1."""
    accuracy: float
    """Mean over the classes, on images that it did not see, 0 to 1."""
    pixels: StrokePixels

    def labels(self, target: Domain, go_on: GoOn) -> Mapping[str, Labels]:
        """What it is sure of in some images of `target`, by name, while `go_on` says so."""
        found: dict[str, Labels] = {}
        for name, labels in StrokeForest(self.pixels).iter_labels(target):
            found[name] = labels
            if not go_on():
                break
        return found


def is_worth_growing(agreement: StrokeAgreement, led_before: float = 0.0) -> bool:
    """Whether a forest may lead at all: the model misreads the strokes that it is sure of, or one led before; the usual case costs nothing."""
    return agreement.surely_misled > 0 or led_before > 0


def forest_lead(
    target: Domain, agreement: StrokeAgreement, led_before: float = 0.0, go_on: GoOn = lambda: True
) -> ForestLead | None:
    """Compare a forest on the strokes of `target` with the model before a round; None where it is not to lead.

    Parameters
    ----------
    target
        Images with the strokes that the round sees.
    agreement
        Of the model with the strokes.
    led_before
        How far a forest led the round that the model comes from, 0 to 1.
    go_on
        Whether there is time for more images, and for more of them to be left out; a forest is judged by those there was time for.
    """
    if not is_worth_growing(agreement, led_before):
        return None
    pixels = StrokePixels.of(target, go_on)
    found = {} if pixels is None else pixels.checked(go_on)
    if pixels is None or len(found) < 2:
        return None
    accuracy = float(np.mean(list(found.values())))
    model = float(np.mean([agreement.by_class.get(k, 0.0) for k in found]))
    now = agreement.surely_misled * ramp(accuracy - model, *_BETTER)
    still = led_before * ramp(beyond_chance(accuracy, len(found)), *_STILL_GOOD)
    share = max(now, still)
    return ForestLead(share, accuracy, pixels) if share else None
