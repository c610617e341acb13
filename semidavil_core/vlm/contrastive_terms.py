"""The three ways in which images and words are pulled together: whole images, regions, pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def pair_loss(images: Tensor, texts: Tensor, scale: float, captions: Sequence[str]) -> Tensor:
    """Symmetric InfoNCE of image-caption pairs (CLIP; SemiDAViL's L_con in both directions).

    Parameters
    ----------
    images, texts
        (N, D) float, unit rows; row i of both belongs together.
    scale
        Inverse temperature.
    captions
        The N captions: equal ones are all right answers and share the target.
    """
    same = torch.tensor([[a == b for b in captions] for a in captions], device=images.device).float()
    target = same / same.sum(1, keepdim=True)
    logits = scale * images @ texts.T
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def class_shares(labels: Tensor, num_classes: int, grid: tuple[int, int]) -> Tensor:
    """How much of each cell every class fills.

    Parameters
    ----------
    labels
        (B, H, W) uint8 class indices, 255 = ignore.
    num_classes
        K.
    grid
        (h, w) of the feature map that covers the same area.

    Returns
    -------
    Tensor
        (B, K, h, w) float, 0 to 1; a cell of nothing but ignored pixels is all 0.
    """
    one_hot = functional.one_hot(labels.long().clamp(max=num_classes), num_classes + 1)[..., :num_classes]
    return functional.adaptive_avg_pool2d(one_hot.permute(0, 3, 1, 2).float(), grid)


def pixel_loss(aligned: Tensor, shares: Tensor, text: Tensor, scale: float) -> Tensor:
    """Cross-entropy of every cell of unit features (B, D, h, w) against its class shares (B, K, h, w); 0 if none is labelled."""
    logits = scale * torch.einsum("bdhw,kd->bkhw", aligned, text)
    filled = shares.sum(1)
    return -(shares * logits.log_softmax(1)).sum() / filled.sum().clamp(min=1e-6)


def region_loss(aligned: Tensor, shares: Tensor, text: Tensor, scale: float) -> Tensor:
    """Cross-entropy of the mean feature of each image's region of each class against the class prompts; 0 if there is none."""
    weights = shares.sum((2, 3))
    means = torch.einsum("bdhw,bkhw->bkd", aligned, shares) / weights.clamp(min=1e-6).unsqueeze(-1)
    present = weights > 0
    if not present.any():
        return aligned.sum() * 0
    logits = scale * functional.normalize(means, dim=-1) @ text.T
    return functional.cross_entropy(logits[present], present.nonzero()[:, 1])
