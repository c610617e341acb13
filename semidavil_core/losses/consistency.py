"""Consistency: the student under strong views must agree with the teacher's pseudo-labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import IGNORE_INDEX


def weighted_cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, *, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Cross-entropy to pseudo-labels, weighted per pixel, averaged over the pixels that have a label.

    With weights 1 where the teacher's confidence reaches a threshold and 0 elsewhere this is the target loss ``L_CT`` of
    SemiDAViL (eq. 4), up to its average instead of its sum: the scale must not depend on the image's size.

    Parameters
    ----------
    logits
        (B, K, H, W) float.
    labels
        (B, H, W) integer class indices; `ignore_index` where there is none.
    weights
        (B, H, W) float, 0 to 1.

    Returns
    -------
    Tensor
        Scalar; 0, still connected to the graph, without labels.
    """
    losses = functional.cross_entropy(logits, labels.long(), ignore_index=ignore_index, reduction="none")
    valid = (labels != ignore_index).to(losses.dtype)
    return (losses * weights * valid).sum() / valid.sum().clamp_min(1)
