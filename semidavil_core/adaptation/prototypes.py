"""Visual prototypes: the running mean feature of each class, over a person's labels of both domains."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import IGNORE_INDEX


class VisualPrototypes:
    """Running class means of unit features.

    Parameters
    ----------
    text
        (K, D) float, the text matrix: gives sizes and device.
    momentum
        Share of the old mean that an update keeps.
    """

    def __init__(self, text: Tensor, *, momentum: float = 0.9) -> None:
        self._momentum = momentum
        self._means = torch.zeros_like(text)
        self.present = torch.zeros(len(text), dtype=torch.bool, device=text.device)
        """(K,) bool: classes that have been seen."""

    @property
    def unit(self) -> Tensor:
        """(K, D) float unit vectors; zero for a class that was never seen."""
        return functional.normalize(self._means, dim=1)

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Take in features (B, D, h, w) with labels (B, h, w) int64, 255 where there is none."""
        valid = labels != IGNORE_INDEX
        chosen, targets = features.detach().movedim(1, -1)[valid].float(), labels[valid].long()
        sums = torch.zeros_like(self._means).index_add_(0, targets, chosen.to(self._means.dtype))
        counts = torch.bincount(targets, minlength=len(self._means)).unsqueeze(1)
        seen = counts[:, 0] > 0
        means = sums / counts.clamp_min(1)
        kept = torch.where(
            self.present.unsqueeze(1), torch.full_like(means, self._momentum), torch.zeros_like(means)
        )
        mixed = kept * self._means + (1 - kept) * means
        self._means = torch.where(seen.unsqueeze(1), mixed, self._means)
        self.present = self.present | seen
