"""Classes that have a name and nothing else yet: no label and no stroke taught them, so the untouched language model speaks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from semidavil_core.inference.predict import Predictor
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import PredictSettings

_SURE: Final = 0.95
"""Confidence of the trained model from which on the untouched one is not asked; as of a pseudo-label that teaches."""


def with_unlearnt(probabilities: Tensor, zero_shot: Tensor, unlearnt: Sequence[int]) -> Tensor:
    """Give the classes `unlearnt` what the untouched model says of them, and share out the rest as the trained model does (ours).

    ``p'(n) = z(n)`` for a class ``n`` without any label, and ``p'(k) = (1 - sum_n z(n)) p(k) / sum_j p(j)`` over the learnt classes: what
    was trained on other classes has learnt to call nothing by a new name, whatever the name says. Where it is sure of a class that it
    did learn, its word stands: a new class mostly lies where it is not, and the untouched model's maps are coarse.

    Parameters
    ----------
    probabilities
        (B, K, H, W) float of the trained model, summing to 1 over K.
    zero_shot
        (B, K, H, W) float of the untouched vision-language model, likewise.
    unlearnt
        Indices of the classes that the trained model never learnt.

    Returns
    -------
    Tensor
        (B, K, H, W) float, summing to 1 over K.
    """
    rows = list(unlearnt)
    if not rows:
        return probabilities
    if len(rows) == probabilities.shape[1]:
        return zero_shot
    named = zero_shot[:, rows]
    sure = probabilities.amax(1, keepdim=True) >= _SURE
    known = probabilities.clone()
    known[:, rows] = 0
    known = known * ((1 - named.sum(1, keepdim=True)) / known.sum(1, keepdim=True).clamp_min(1e-8))
    known[:, rows] = named
    return torch.where(sure, probabilities, known)


class UnlearntPredictor(Predictor):
    """Predicts with a trained segmenter, and with the untouched model where it comes to classes that nothing taught yet.

    Parameters
    ----------
    segmenter, settings
        As of :class:`Predictor`.
    zero_shot
        The untouched model over the same classes.
    unlearnt
        Indices of these classes.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        settings: PredictSettings | None = None,
        *,
        zero_shot: Segmenter,
        unlearnt: Sequence[int],
    ) -> None:
        super().__init__(segmenter, settings)
        self._zero_shot = zero_shot
        self._unlearnt = tuple(unlearnt)

    def _probabilities(self, images: Tensor) -> Tensor:
        named: Tensor = self._zero_shot(images).softmax(1)
        return with_unlearnt(super()._probabilities(images), named, self._unlearnt)
