"""Functions that take the place of one of the product's for a row: forms that lost stay out of the product.

Each stands in for a public name where the product looks it up; a name that is no longer there is an error, not a row without effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.adaptation.step import AdaptationStep, StepLosses
from semidavil_core.adaptation.step_batch import StepBatch
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.losses.contrastive import prototype_info_nce


def focal_loss(logits: Tensor, labels: Tensor, *, gamma: float = 2.0, **_: Any) -> Tensor:
    """Mean of ``-(1 - p)^gamma log p`` over the labelled pixels (Lin et al., ICCV 2017); DyCE's own numbers are ignored."""
    valid = labels != IGNORE_INDEX
    chosen, targets = logits.movedim(1, -1)[valid], labels[valid].long()
    if targets.numel() == 0:
        return logits.sum() * 0.0
    losses = functional.cross_entropy(chosen, targets, reduction="none")
    return ((1 - torch.exp(-losses)) ** gamma * losses).mean()


def to_text_only(
    features: Tensor, labels: Tensor, prototypes: Tensor, *, present: Tensor | None = None, **more: Any
) -> Tensor:
    """The InfoNCE to text with the weight of both; the call for visual prototypes, known by `present`, gives nothing."""
    if present is not None:
        return features.sum() * 0.0
    return 2 * prototype_info_nce(features, labels, prototypes, **more)


def to_images_only(
    features: Tensor, labels: Tensor, prototypes: Tensor, *, present: Tensor | None = None, **more: Any
) -> Tensor:
    """The InfoNCE to visual prototypes with the weight of both."""
    if present is None:
        return features.sum() * 0.0
    return 2 * prototype_info_nce(features, labels, prototypes, present=present, **more)


def constant_decay(steps: float, decay_max: float) -> float:  # noqa: ARG001 - the signature is the product's
    """The teacher's decay whatever the length of the round (the ramp of its first updates stays)."""
    return decay_max


class JointHardStep(AdaptationStep):
    """One set of hardest pixels over source and strokes together; the product has one for each domain."""

    _of_source: tuple[Tensor, Tensor] | None = None
    _joint = True

    def losses(self, batch: StepBatch, *, fade: float) -> StepLosses:
        """Losses of a batch; without source crops there is nothing to join."""
        self._of_source, self._joint = None, batch.source is not None
        return super().losses(batch, fade=fade)

    def _dyce(self, logits: Tensor, labels: Tensor) -> Tensor:
        if not self._joint:
            return super()._dyce(logits, labels)
        if self._of_source is None:  # the product asks for the source first
            self._of_source = logits, labels
            return logits.sum() * 0.0
        source_logits, source_labels = self._of_source
        # Twice: two losses of weight 1 become one.
        return 2 * super()._dyce(torch.cat([source_logits, logits]), torch.cat([source_labels, labels]))


_STEP: Final = "semidavil_core.adaptation.step"
_ROUND: Final = "semidavil_core.adaptation.round"
SUBSTITUTES: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "focal": (f"{_STEP}.dynamic_cross_entropy", focal_loss),
    "joint H": (f"{_ROUND}.AdaptationStep", JointHardStep),
    "text only": (f"{_STEP}.prototype_info_nce", to_text_only),
    "images only": (f"{_STEP}.prototype_info_nce", to_images_only),
    "constant decay": (f"{_ROUND}.decay_for", constant_decay),
}
"""Where each substitute goes, and what it is."""


@contextmanager
def substituted(name: str | None) -> Iterator[None]:
    """Put one of `SUBSTITUTES` into its place for as long as this lasts; None changes nothing."""
    if name is None:
        yield
        return
    place, replacement = SUBSTITUTES[name]
    with patch(place, replacement):
        yield
